import {existsSync, readdirSync, readlinkSync} from 'node:fs'
import {open} from 'node:fs/promises'
import type {FileHandle} from 'node:fs/promises'
import {join} from 'node:path'
import t from 'tap'
import type {Test} from 'tap'
import {FileSnapshots} from '../../../src/agent/store/snapshot-files.js'

const head = {index: 4, term: 2, configuration: {servers: []}, configurationIndex: 1} as const
const bytes = new TextEncoder().encode('the state')

/** What this process has open below a directory. */
const openBelow = (directory: string): readonly string[] =>
  readdirSync('/proc/self/fd')
    .map(fd => `/proc/self/fd/${fd}`)
    .filter(link => existsSync(link))
    .map(link => readlinkSync(link))
    .filter(path => path.startsWith(directory))

/** Lets all syncs of files fail until the end of the test, as a disk does that is dying. */
async function failSyncs(t: Test): Promise<void> {
  const handle = await open('/dev/null', 'r')
  const prototype = Object.getPrototypeOf(handle) as FileHandle
  await handle.close()
  t.intercept(prototype, 'sync', {value: () => Promise.reject(new Error('EIO: i/o error, fsync'))})
}

t.test('a snapshot whose state cannot be synced leaves no file open, and none behind', async t => {
  const directory = t.testdir()
  const snapshots = new FileSnapshots(directory, () => 1)
  for (const begin of ['create', 'receive'] as const)
    await t.test(begin, async t => {
      const writer = await snapshots[begin](head)
      await writer.write(bytes)
      await failSyncs(t)
      await t.rejects(writer.finish(), /EIO/)
      t.same(openBelow(directory), [])
      await writer.abort()
      t.same(readdirSync(join(directory, 'snapshots')), [])
    })
})

t.test('an abort removes the files even where the state cannot be closed', async t => {
  const directory = t.testdir()
  const writer = await new FileSnapshots(directory, () => 1).receive(head)
  await writer.write(bytes)
  const [state = ''] = openBelow(directory)
  t.match(state, /state\.bin$/)
  const {close} = await import('node:fs')
  const fd = readdirSync('/proc/self/fd').find(
    one => existsSync(`/proc/self/fd/${one}`) && readlinkSync(`/proc/self/fd/${one}`) === state,
  )
  await new Promise(resolve => close(Number(fd), resolve))
  await t.rejects(writer.abort(), {code: 'EBADF'})
  t.same(readdirSync(join(directory, 'snapshots')), [])
})
