import t from 'tap'
import {RaftLog} from '../../../src/core/raft/log.js'
import type {LogEntry} from '../../../src/core/raft/messages.js'
import {chance, emptyDisk, restoredFrom} from './cluster.js'
import {diskWith, entry} from './single.js'

const logOf = (terms: readonly number[], cacheBytesMax = 1e6): RaftLog =>
  new RaftLog(
    restoredFrom({...emptyDisk(), entries: terms.map((term, at) => entry(at + 1, term))}),
    cacheBytesMax,
  )

t.test('terms are known of every entry, also of those that are only on disk', async t => {
  const log = logOf([1, 1, 2, 5, 5, 5])
  t.same(
    [0, 1, 2, 3, 4, 6, 7].map(index => log.termAt(index)),
    [0, 1, 1, 2, 5, 5, undefined],
  )
  t.same(
    [3, 6].map(index => log.runStart(index)),
    [3, 4],
  )
})

t.test('a log that does not reach back to its snapshot is not taken', async t => {
  const disk = diskWith(['a'], [1, 1, 1])
  t.throws(() => new RaftLog({...restoredFrom(disk), firstIndex: 2, termRuns: [{firstIndex: 2, term: 1}]}, 0))
})

t.test('entries cut before they were handed out need no cut on disk', async t => {
  const log = logOf([1])
  for (const one of [entry(2, 1), entry(3, 1)]) log.append(one)
  log.truncate(3)
  t.same(log.takeChange(), {truncateFrom: undefined, append: [entry(2, 1)]})
})

t.test('entries cut after they were handed out are cut on disk, before what replaces them', async t => {
  const log = logOf([1])
  for (const one of [entry(2, 1), entry(3, 1)]) log.append(one)
  log.takeChange()
  log.truncate(2)
  log.append(entry(2, 2))
  t.same(log.takeChange(), {truncateFrom: 2, append: [entry(2, 2)]})
})

t.test('several cuts before one persist become the lowest of them', async t => {
  const log = logOf([1, 1, 1, 1])
  log.truncate(4)
  log.append(entry(4, 2))
  log.truncate(3)
  log.append(entry(3, 3))
  log.truncate(3)
  t.same(log.takeChange(), {truncateFrom: 3, append: []})
})

t.test('memory holds what the limit allows, and what is not yet on disk beyond it', async t => {
  const log = logOf([], 200)
  for (let index = 1; index <= 10; index++) log.append(entry(index, 1))
  t.ok(log.cached(1), 'not yet on disk')
  log.takeChange()
  log.markPersisted(10)
  t.notOk(log.cached(8))
  t.ok(log.cached(10))
  t.equal(log.slice(1, 10, 99, 1e6), undefined)
})

t.test('a slice obeys its limits but gives one entry at least', async t => {
  const log = logOf([])
  for (let index = 1; index <= 10; index++) log.append(entry(index, 1))
  t.equal(log.slice(3, 8, 99, 1e6)?.length, 6)
  t.equal(log.slice(3, 8, 2, 1e6)?.length, 2)
  t.equal(log.slice(3, 8, 99, 1)?.length, 1)
})

/** A log that is nothing but a list. */
class Naive {
  entries: LogEntry[] = []
  base = 0
  disk: LogEntry[] = []
}

t.test('a log goes with a plain list through any row of appends, cuts, persists and compactions', async t => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = chance(seed)
    const below = (limit: number) => Math.floor(random() * limit)
    const log = logOf([], 300)
    const naive = new Naive()
    let term = 1
    for (let at = 0; at < 120; at++) {
      const last = naive.entries.length
      const roll = below(10)
      if (roll < 5) {
        const one = entry(last + 1, term)
        log.append(one)
        naive.entries.push(one)
      } else if (roll < 6) term++
      else if (roll < 7 && last > naive.base) {
        const from = naive.base + 1 + below(last - naive.base)
        log.truncate(from)
        naive.entries.length = from - 1
        term++
      } else if (roll < 9) {
        const {truncateFrom, append} = log.takeChange()
        if (truncateFrom !== undefined) naive.disk.length = truncateFrom - 1
        naive.disk.push(...append)
        log.markPersisted(naive.entries.length)
        t.same(naive.disk, naive.entries, `seed ${seed}: disk`)
      } else if (log.persistedIndex > naive.base) {
        const index = naive.base + 1 + below(log.persistedIndex - naive.base)
        log.setSnapshot(index, naive.entries[index - 1]?.term ?? 0)
        log.compact(index)
        naive.base = index
      }
      const wrong = naive.entries.filter(one => one.index > naive.base && log.termAt(one.index) !== one.term)
      if (wrong.length > 0) t.same(wrong, [], `seed ${seed}: terms`)
      if (log.lastIndex !== naive.entries.length) t.equal(log.lastIndex, naive.entries.length, `seed ${seed}`)
      for (const one of naive.entries) {
        const cached = log.cached(one.index)
        if (cached !== undefined && cached !== one) t.fail(`seed ${seed}: another entry at ${one.index}`)
        if (cached === undefined && one.index > log.persistedIndex)
          t.fail(`seed ${seed}: ${one.index} is lost`)
      }
    }
  }
})
