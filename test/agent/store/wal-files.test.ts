import {existsSync, readdirSync, readlinkSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import t from 'tap'
import {SegmentFile} from '../../../src/agent/store/wal-files.js'

/** How many descriptors of this process are open on a file. */
const descriptors = (path: string): number =>
  readdirSync('/proc/self/fd').filter(fd => {
    const link = `/proc/self/fd/${fd}`
    return existsSync(link) && readlinkSync(link) === path
  }).length

t.test(
  'first readers that come at one time share one descriptor, which is closed behind the last',
  async t => {
    const directory = t.testdir({'a.wal': 'the bytes of it'})
    const path = join(directory, 'a.wal')
    const file = new SegmentFile(directory, 'a.wal', 100)
    const read = async (): Promise<string> => {
      const bytes = new Uint8Array(5)
      await file.read(bytes, 4)
      return new TextDecoder().decode(bytes)
    }
    t.same(await Promise.all([read(), read(), read()]), ['bytes', 'bytes', 'bytes'])
    t.equal(descriptors(path), 1)
    const late = read()
    await file.close()
    t.equal(await late, 'bytes')
    t.equal(descriptors(path), 0)
  },
)

t.test('a file that could not be opened is opened by the next who comes', async t => {
  const directory = t.testdir()
  const file = new SegmentFile(directory, 'a.wal', 100)
  const bytes = new Uint8Array(1)
  await t.rejects(Promise.all([file.read(bytes, 0), file.read(bytes, 0)]), {code: 'ENOENT'})
  writeFileSync(join(directory, 'a.wal'), 'x')
  await file.read(bytes, 0)
  t.same([...bytes], ['x'.charCodeAt(0)])
  await file.close()
  t.equal(descriptors(join(directory, 'a.wal')), 0)
})
