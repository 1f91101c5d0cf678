import {statSync} from 'node:fs'
import path from 'node:path'
import t from 'tap'
import {localStoreFiles} from '../../src/adapters/local-files.js'
import {settle} from '../../src/core/store/requests.js'
import type {StoreReader} from '../../src/core/store/requests.js'
import {readStore} from '../../src/core/store/read-store.js'
import {encodeMsgpack} from '../../src/core/codec/msgpack.js'
import {driveStore} from '../../src/engine/drive-store.js'
import type {StoreFiles} from '../../src/engine/drive-store.js'
import {writeRaftDb} from '../helpers/bolt-writer.js'

/** A clock that only moves when someone sleeps. */
function stillClock() {
  let now = 0
  const slept: number[] = []
  return {
    slept,
    nowMs: () => now,
    sleep: async (ms: number) => {
      slept.push(ms)
      now += ms
      return Promise.resolve()
    },
  }
}

const peers = (...addresses: string[]) =>
  encodeMsgpack(addresses.map(address => new TextEncoder().encode(address)))

t.test('the end of a log of a million entries costs less than 256 KiB and few rounds', async t => {
  const directory = t.testdir()
  const command = new Uint8Array(20).fill(2)
  const count = 1_000_000
  writeRaftDb(path.join(directory, 'raft.db'), {
    currentTerm: 9,
    count,
    entry: n => ({
      index: n + 1,
      term: 1 + Math.floor(n / 200_000),
      type: n === count - 500 ? 2 : 0,
      data: n === count - 500 ? peers('10.0.0.1:8300', '10.0.0.2:8300') : command,
    }),
    sizeBytes: 128 * 1024 * 1024,
  })
  t.ok(statSync(path.join(directory, 'raft.db')).size >= 64 * 1024 * 1024)
  let batches = 0
  const counted = () => {
    const inner = readStore({termsAt: [1, 500_000, count - 10], snapshotIndex: 900_000})
    return (function* (): typeof inner {
      let step = inner.next()
      while (step.done !== true) {
        batches++
        step = inner.next(yield step.value)
      }
      return step.value
    })()
  }
  const driven = await driveStore(counted, localStoreFiles(directory), {
    clock: stillClock(),
    deadlineMs: 1000,
  })
  t.match(driven.result, {
    kind: 'read',
    value: {
      firstIndex: 1,
      lastIndex: count,
      lastTerm: 5,
      currentTerm: 9,
      terms: [{term: 1}, {term: 3}, {term: 5}],
      configurations: [{index: count - 499, configuration: {servers: [{id: '10.0.0.1:8300'}, {}]}}],
      configurationsComplete: false,
      gaps: [],
      damage: [],
    },
  })
  t.ok(driven.bytesRead < 256 * 1024, `${driven.bytesRead} bytes`)
  t.ok(batches < 20, `${batches} rounds`)
  const known = driven.result.kind === 'read' ? driven.result.value.configurationsKnownFrom : 0
  t.ok(known > 900_000 && known < count - 1000, `known from ${known}`)
})

t.test('large values are stepped over: heads only, also where keys lie in overflow pages', async t => {
  const directory = t.testdir()
  const big = new Uint8Array(300_000)
  writeRaftDb(path.join(directory, 'raft.db'), {
    currentTerm: 2,
    count: 60,
    entry: n => ({index: n + 5, term: 2, type: n === 3 ? 3 : 0, data: n === 3 ? peers('a:1') : big}),
  })
  const driven = await driveStore(() => readStore(), localStoreFiles(directory), {
    clock: stillClock(),
    deadlineMs: 1000,
  })
  t.match(driven.result, {
    kind: 'read',
    value: {firstIndex: 5, lastIndex: 64, configurations: [{index: 8}], configurationsComplete: true},
  })
  t.ok(driven.bytesRead < 256 * 1024, `${driven.bytesRead} bytes`)
})

t.test('a hole in the log is named, and pages of 16 KiB are read', async t => {
  const directory = t.testdir()
  writeRaftDb(path.join(directory, 'raft.db'), {
    pageSize: 16384,
    currentTerm: 2,
    count: 1000,
    entry: n => ({index: n < 700 ? n + 1 : n + 100, term: 2, type: 0, data: new Uint8Array(10)}),
  })
  const driven = await driveStore(() => readStore(), localStoreFiles(directory), {
    clock: stillClock(),
    deadlineMs: 1000,
  })
  t.match(driven.result, {kind: 'read', value: {lastIndex: 1099, gaps: [{before: 700, after: 800}]}})
})

t.test('a store that is written to between the first and the last look is read again', async t => {
  const directory = t.testdir()
  const file = path.join(directory, 'raft.db')
  const write = (txid: number) =>
    writeRaftDb(file, {
      currentTerm: 1,
      txid,
      count: 50,
      entry: n => ({index: n + 1, term: 1, type: 0, data: null}),
    })
  write(100)
  const real = localStoreFiles(directory)
  let looks = 0
  const files: StoreFiles = {
    list: real.list,
    open: async name => {
      const opened = await real.open(name)
      return {
        ...opened,
        read: async (offset, length) => {
          // The third read of the first tries is the second look at the metas: a transaction came between
          if (length === 80 && offset === 0 && ++looks <= 2) write(100 + looks)
          return opened.read(offset, length)
        },
      }
    },
  }
  const clock = stillClock()
  const driven = await driveStore(() => readStore(), files, {clock, deadlineMs: 10_000})
  t.match(driven, {result: {kind: 'read', value: {txid: 102, lastIndex: 50}}, tries: 3})
  t.same(clock.slept, [20, 40])
  looks = -1_000_000
  let txid = 200
  const hopeless: StoreFiles = {
    ...files,
    open: async name => {
      const opened = await real.open(name)
      return {
        ...opened,
        read: async (offset, length) => {
          if (length === 80 && offset === 0) write((txid += 1))
          return opened.read(offset, length)
        },
      }
    },
  }
  const given = await driveStore(() => readStore(), hopeless, {
    clock: stillClock(),
    deadlineMs: 10_000,
    retriesMax: 3,
  })
  t.match(given, {result: {kind: 'unread', why: 'changed'}, tries: 4})
})

t.test('a reader past its deadline ends as timed out, and a missing directory as absent', async t => {
  function* endless(): StoreReader<never> {
    for (;;) yield []
  }
  let now = 0
  const clock = {nowMs: () => (now += 1), sleep: async () => Promise.resolve()}
  const driven = await driveStore(() => settle(endless()), localStoreFiles('/nonexistent'), {
    clock,
    deadlineMs: 50,
  })
  t.match(driven.result, {kind: 'unread', why: 'timed-out'})
  const absent = await driveStore(() => readStore(), localStoreFiles('/nonexistent'), {
    clock,
    deadlineMs: 1e6,
  })
  t.match(absent.result, {kind: 'unread', why: 'absent'})
})
