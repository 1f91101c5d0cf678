import {closeSync, openSync} from 'node:fs'
import {fdatasync, write} from 'node:fs'
import {join} from 'node:path'
import {promisify} from 'node:util'
import t from 'tap'
import {openRaftStore} from '../../src/agent/store/open-raft-store.js'
import type {LogEntry} from '../../src/core/raft/messages.js'

const ROUNDS = 400
const IN_FLIGHT = 64
const data = new Uint8Array(200).fill(0x61)
const entry = (index: number): LogEntry => ({index, term: 1, type: 0, data})
const perSecond = (count: number, sinceMs: number): number => (count / (performance.now() - sinceMs)) * 1000

/** Writes per second of a plain file, each followed by fdatasync. */
async function plain(file: string): Promise<number> {
  const fd = openSync(file, 'w')
  const begin = performance.now()
  for (let i = 0; i < ROUNDS; i++) {
    await promisify(write)(fd, data, 0, data.length, i * data.length)
    await promisify(fdatasync)(fd)
  }
  const rate = perSecond(ROUNDS, begin)
  closeSync(fd)
  return rate
}

/** Entries per second of the store with so many persists under way at a time. */
async function appended(directory: string, inFlight: number): Promise<number> {
  let index = 0
  const total = ROUNDS * inFlight
  let finish = (): void => undefined
  const done = new Promise<void>(resolve => (finish = resolve))
  const append = () => {
    index++
    store.persist({
      do: 'persist',
      persistId: index,
      hardState: undefined,
      truncateFrom: undefined,
      append: [entry(index)],
    })
  }
  let told = 0
  const store = await openRaftStore(directory, {
    onPersisted: id => {
      for (; told < id; told++) if (index < total) append()
      if (told === total) finish()
    },
    onFailure: error => t.fail(error.message),
  })
  const begin = performance.now()
  for (let i = 0; i < inFlight; i++) append()
  await done
  const rate = perSecond(total, begin)
  await store.close()
  return rate
}

void t.test(
  'an entry at a time costs no more than a plain write and fdatasync, and syncs are shared',
  async t => {
    const directory = t.testdir({})
    await plain(join(directory, 'warm-up'))
    const base = await plain(join(directory, 'plain'))
    const single = await appended(join(directory, 'one'), 1)
    const shared = await appended(join(directory, 'many'), IN_FLIGHT)
    t.comment(
      `plain ${base.toFixed(0)}/s, store one by one ${single.toFixed(0)}/s (${(single / base).toFixed(2)} times)`,
    )
    t.comment(
      `store with ${IN_FLIGHT} under way ${shared.toFixed(0)}/s (${(shared / base).toFixed(1)} times)`,
    )
    t.ok(single / base > 0.5, 'one by one')
    t.ok(shared / base > 5, 'shared')
  },
)
