import {execFileSync} from 'node:child_process'
import {cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import t from 'tap'
import {openRaftStore} from '../../../src/agent/store/open-raft-store.js'
import type {StoreOptions} from '../../../src/agent/store/open-raft-store.js'
import type {RaftStore} from '../../../src/agent/store/raft-store.js'
import {readLocally} from '../../../src/agent/store/wal-files.js'
import {encodeMsgpack} from '../../../src/core/codec/msgpack.js'
import {serverAddress, serverId} from '../../../src/core/model/ids.js'
import type {HardState, LogEntry, LogType} from '../../../src/core/raft/messages.js'
import {readRaftWal} from '../../../src/core/store/raft-wal.js'
import {recoverSegment} from '../../../src/core/store/wal-recovery.js'
import {readSnapshots} from '../../../src/core/store/snapshots.js'
import {StoreIo} from '../../../src/core/store/requests.js'

const entry = (index: number, term = 1, text = `entry ${index}`, type: LogType = 0): LogEntry => ({
  index,
  term,
  type,
  data: new TextEncoder().encode(text),
})
const entries = (from: number, to: number, term = 1) =>
  Array.from({length: to - from + 1}, (_, i) => entry(from + i, term))
const configuration = {
  servers: [{id: serverId('n1'), address: serverAddress('127.0.0.1:8300'), suffrage: 'voter'}],
} as const

/** A store with its persists told, for tests. */
class Opened {
  private nextId = 1
  private told = 0
  failure: Error | undefined
  private waiting: (() => void)[] = []
  syncs = 0
  store!: RaftStore

  static async at(directory: string, options: StoreOptions = {}): Promise<Opened> {
    const opened = new Opened()
    opened.store = await openRaftStore(
      directory,
      {
        onPersisted: id => {
          opened.told = id
          opened.syncs++
          opened.wake()
        },
        onFailure: error => {
          opened.failure = error
          opened.wake()
        },
      },
      options,
    )
    return opened
  }

  put(append: readonly LogEntry[], truncateFrom?: number, hardState?: HardState): Promise<void> {
    const persistId = this.nextId++
    this.store.persist({do: 'persist', persistId, hardState, truncateFrom, append})
    return this.until(persistId)
  }

  reset(nextIndex: number): Promise<void> {
    const persistId = this.nextId++
    this.store.persist({do: 'reset-log', persistId, nextIndex})
    return this.until(persistId)
  }

  async texts(from: number, to: number): Promise<readonly string[]> {
    const found: string[] = []
    for (let next = from; next <= to;) {
      const more = await this.store.read(next, to, 1000)
      found.push(...more.map(item => `${item.index}/${item.term} ${new TextDecoder().decode(item.data)}`))
      next += more.length
    }
    return found
  }

  private async until(id: number): Promise<void> {
    while (this.told < id) {
      if (this.failure !== undefined) throw this.failure
      await new Promise<void>(resolve => this.waiting.push(resolve))
    }
  }

  private wake(): void {
    for (const resolve of this.waiting.splice(0)) resolve()
  }
}

const shown = (from: number, to: number, term = 1) =>
  entries(from, to, term).map(({index}) => `${index}/${term} entry ${index}`)

const inspect = (directory: string) =>
  readLocally(
    directory,
    readRaftWal(new StoreIo(), {
      snapshotIndex: 0,
      byteBudget: 1 << 20,
      tailByteBudget: 1 << 26,
      termsAt: [],
    }),
  )

void t.test('an empty directory becomes a store that holds nothing', async t => {
  const {store} = await Opened.at(join(t.testdir(), 'raft'))
  t.match(store.found, {hardState: undefined, firstIndex: 1, lastIndex: 0, termRuns: [], configurations: []})
  await store.close()
})

void t.test('what was persisted is found again: entries, term, vote and peer sets', async t => {
  const directory = t.testdir()
  const first = await Opened.at(directory)
  const state = {term: 3, votedFor: serverAddress('127.0.0.1:8300')}
  const set = {
    ...entry(1, 1, '', 5),
    data: encodeMsgpack({Servers: [{Address: '127.0.0.1:8300', ID: 'n1', Suffrage: 0}]}),
  }
  await first.put([set, ...entries(2, 5)], undefined, state)
  await first.put(entries(6, 9, 3))
  t.same(await first.texts(2, 9), [...shown(2, 5), ...shown(6, 9, 3)], 'read while it runs')
  await first.store.close()
  const second = await Opened.at(directory)
  t.match(second.store.found, {
    hardState: state,
    firstIndex: 1,
    lastIndex: 9,
    termRuns: [
      {firstIndex: 1, term: 1},
      {firstIndex: 6, term: 3},
    ],
    configurations: [{index: 1, configuration}],
  })
  t.same(await second.texts(2, 9), [...shown(2, 5), ...shown(6, 9, 3)], 'read after a restart')
  await second.put(entries(10, 10, 4))
  t.same(await second.texts(10, 10), shown(10, 10, 4), 'and goes on from there')
  await second.store.close()
})

void t.test('extensions of entries are kept, of those that set the peer set, too', async t => {
  const directory = t.testdir()
  const set = encodeMsgpack({Servers: [{Address: '127.0.0.1:8300', ID: 'n1', Suffrage: 0}]})
  const written = [
    {...entry(1, 1, '', 5), data: set, extensions: new Uint8Array(300).fill(7)},
    {...entry(2), extensions: Uint8Array.of(1)},
    {...entry(3), data: new Uint8Array(0), extensions: new Uint8Array(5000).fill(9)},
    entry(4),
  ]
  for (const segmentBytes of [1 << 20, 4096]) {
    const opened = await Opened.at(join(directory, String(segmentBytes)), {segmentBytes})
    await opened.put(written)
    await opened.store.close()
    const again = await Opened.at(join(directory, String(segmentBytes)), {segmentBytes})
    const read: LogEntry[] = []
    while (read.length < 4) read.push(...(await again.store.read(read.length + 1, 4, 1 << 20)))
    t.same(read, written)
    t.equal(read[3]?.extensions, undefined)
    t.match(again.store.found.configurations, [{index: 1}])
    t.match(inspect(join(directory, String(segmentBytes))), {lastIndex: 4, damage: []})
    await again.store.close()
  }
})

void t.test("the project's own reader of raft-wal reads it", async t => {
  const directory = t.testdir()
  const opened = await Opened.at(directory, {segmentBytes: 4096})
  await opened.put(entries(1, 200), undefined, {term: 7, votedFor: serverAddress('10.0.0.1:8300')})
  await opened.put(entries(201, 300, 7))
  await opened.store.close()
  t.match(inspect(directory), {
    currentTerm: 7,
    lastVoteTerm: 7,
    lastVoteCandidate: '10.0.0.1:8300',
    firstIndex: 1,
    lastIndex: 300,
    lastTerm: 7,
    damage: [],
  })
  t.ok(readdirSync(join(directory, 'wal')).length > 3, 'over several segments')
})

void t.test('what is taken during a sync shares the next one', async t => {
  const opened = await Opened.at(t.testdir())
  const all = Array.from({length: 200}, (_, i) => opened.put([entry(i + 1)]))
  await Promise.all(all)
  t.ok(opened.syncs <= 3, `200 persists took ${opened.syncs} syncs`)
  await opened.store.close()
})

void t.test('a cut removes entries, across segments too, and others follow in their place', async t => {
  for (const segmentBytes of [1 << 20, 2048])
    for (const from of [2, 40, 99, 100]) {
      const directory = t.testdir()
      const opened = await Opened.at(directory, {segmentBytes})
      await opened.put(entries(1, 100))
      await opened.put(entries(from, from + 20, 2), from)
      const expected = [...shown(1, from - 1), ...shown(from, from + 20, 2)]
      t.same(await opened.texts(1, from + 20), expected, `cut at ${from}, segments of ${segmentBytes}`)
      await opened.store.close()
      const again = await Opened.at(directory, {segmentBytes})
      t.same(await again.texts(1, from + 20), expected, 'and after a restart')
      t.equal(inspect(directory).lastIndex, from + 20)
      await again.store.close()
    }
})

void t.test('a cut at the first entry empties the log', async t => {
  const directory = t.testdir()
  const opened = await Opened.at(directory)
  await opened.put(entries(1, 10))
  await opened.put(entries(1, 3, 2), 1)
  t.same(await opened.texts(1, 3), shown(1, 3, 2))
  await opened.store.close()
  const again = await Opened.at(directory)
  t.equal(again.store.found.lastIndex, 3)
  await again.store.close()
})

void t.test('compaction removes whole segments and their files', async t => {
  const directory = t.testdir()
  const opened = await Opened.at(directory, {segmentBytes: 2048})
  await opened.put(entries(1, 200))
  const before = readdirSync(join(directory, 'wal')).length
  opened.store.compact(150)
  await opened.put(entries(201, 210))
  await opened.store.close()
  t.ok(readdirSync(join(directory, 'wal')).length <= before - 3)
  await t.rejects(
    openRaftStore(directory, {onPersisted: () => undefined, onFailure: () => undefined}),
    /begins at 151/,
  )
  t.equal(inspect(directory).firstIndex, 151)
})

void t.test('a log that a snapshot has replaced is begun anew behind it', async t => {
  const directory = t.testdir()
  const opened = await Opened.at(directory)
  await opened.put(entries(1, 20))
  const writer = await opened.store.snapshots.receive({
    index: 50,
    term: 4,
    configuration,
    configurationIndex: 3,
  })
  await writer.write(new TextEncoder().encode('state'))
  const meta = await writer.finish()
  await opened.store.snapshots.install(meta)
  await opened.reset(51)
  await opened.put(entries(51, 52, 4))
  t.same(await opened.texts(51, 52), shown(51, 52, 4))
  await opened.store.close()
  const again = await Opened.at(directory)
  t.match(again.store.found, {firstIndex: 51, lastIndex: 52, snapshot: {index: 50, id: meta.id}})
  await again.store.close()
})

void t.test(
  'a crash between installing a snapshot and throwing the log away is finished at the start',
  async t => {
    for (const [name, term, last] of [
      ['too short', 4, 51],
      ['of another term', 9, 30],
    ] as const) {
      const directory = t.testdir()
      const opened = await Opened.at(directory)
      await opened.put(entries(1, 40))
      const head = {index: last, term, configuration, configurationIndex: 1}
      const writer = await opened.store.snapshots.create(head)
      await writer.finish()
      await opened.store.close()
      const again = await Opened.at(directory)
      t.match(
        again.store.found,
        {firstIndex: last + 1, lastIndex: last, termRuns: []},
        `a log that is ${name}`,
      )
      await again.store.close()
    }
  },
)

void t.test('snapshots are written as hashicorp/raft lays them out, and two are kept', async t => {
  const directory = t.testdir()
  const opened = await Opened.at(directory)
  await opened.put(entries(1, 30))
  for (const index of [10, 20, 30]) {
    const writer = await opened.store.snapshots.create({index, term: 1, configuration, configurationIndex: 1})
    for (const part of ['the ', 'state of ', String(index)])
      await writer.write(new TextEncoder().encode(part))
    await writer.finish()
  }
  t.same(
    (await opened.store.snapshots.list()).map(({index}) => index),
    [30, 20],
  )
  const source = {host: 'h', via: 'file', what: 'snapshots'} as const
  const read = readLocally(directory, readSnapshots({deep: true, source}))
  t.match(read, {
    kind: 'read',
    value: [
      {index: 30, term: 1, sizeBytes: 15, intact: {kind: 'read', value: true}, configuration},
      {index: 20, intact: {kind: 'read', value: true}},
    ],
  })
  const reader = await opened.store.snapshots.open((await opened.store.snapshots.list())[0]?.id ?? '')
  let text = ''
  for await (const chunk of reader.chunks()) text += new TextDecoder().decode(chunk)
  t.equal(text, 'the state of 30')
  await opened.store.close()
})

void t.test('of two snapshots of one entry the later one counts, even if the clock was set back', async t => {
  const directory = t.testdir()
  let last = ''
  // Of years with thirteen, twelve and fourteen digits of milliseconds
  for (const [attempt, nowMs] of [1_800_000_000_000, 900_000_000_000, 40_000_000_000_000, 1].entries()) {
    const opened = await Opened.at(directory, {nowMs: () => nowMs})
    if (attempt === 0) await opened.put(entries(1, 30))
    const head = {index: 10, term: 1, configuration, configurationIndex: attempt + 1}
    if (attempt % 2 === 0) last = (await (await opened.store.snapshots.create(head)).finish()).id
    else {
      const meta = await (await opened.store.snapshots.receive(head)).finish()
      await opened.store.snapshots.install(meta)
      last = meta.id
    }
    t.equal((await opened.store.snapshots.list())[0]?.id, last, `as listed, attempt ${attempt}`)
    await opened.store.close()
    const again = await Opened.at(directory, {nowMs: () => 1})
    t.match(again.store.found.snapshot, {id: last, configurationIndex: attempt + 1})
    await again.store.close()
  }
})

void t.test('a later entry counts more than a later time', async t => {
  const directory = t.testdir()
  let nowMs = 2_000_000_000_000
  const opened = await Opened.at(directory, {nowMs: () => nowMs})
  await opened.put(entries(1, 30))
  for (const [term, index] of [
    [2, 20],
    [1, 25],
    [2, 9],
  ] as const) {
    const head = {index, term, configuration, configurationIndex: 1}
    const meta = await (await opened.store.snapshots.receive(head)).finish()
    nowMs += 1000
    await opened.store.snapshots.install(meta)
    t.match(await opened.store.snapshots.list(), [{term: 2, index: 20}])
  }
  await opened.store.close()
})

void t.test('a damaged snapshot is passed over at the start, and all damaged ones stop it', async t => {
  const directory = t.testdir()
  const opened = await Opened.at(directory)
  await opened.put(entries(1, 30))
  const ids: string[] = []
  for (const index of [10, 20]) {
    const writer = await opened.store.snapshots.create({index, term: 1, configuration, configurationIndex: 1})
    await writer.write(new TextEncoder().encode('state'))
    ids.push((await writer.finish()).id)
  }
  await opened.store.close()
  const restore: StoreOptions['restore'] = async reader => {
    for await (const _chunk of reader.chunks()) continue
  }
  writeFileSync(join(directory, 'snapshots', ids[1] ?? '', 'state.bin'), 'stAte')
  const second = await Opened.at(directory, {restore})
  t.equal(second.store.found.snapshot?.index, 10)
  await second.store.close()
  writeFileSync(join(directory, 'snapshots', ids[0] ?? '', 'state.bin'), 'stAte')
  await t.rejects(Opened.at(directory, {restore}), /failed to load any existing snapshots/)
})

void t.test('a raft.db of Consul is not passed over', async t => {
  await t.rejects(Opened.at(t.testdir({'raft.db': 'x'})), /raft\.db of Consul/)
})

/** The tail of a store of three batches, and where each of them ends. */
async function threeBatches(directory: string): Promise<{file: string; bytes: Buffer; ends: number[]}> {
  const opened = await Opened.at(directory, {segmentBytes: 2048})
  const file = join(directory, 'wal', '00000000000000000001-0000000000000000.wal')
  const ends: number[] = []
  for (const [from, to] of [
    [1, 2],
    [3, 5],
    [6, 8],
  ] as const) {
    await opened.put(entries(from, to))
    ends.push(readFileSync(file).findLastIndex(byte => byte !== 0) + 1)
  }
  await opened.store.close()
  return {file, bytes: readFileSync(file), ends: ends.map(end => Math.ceil(end / 8) * 8)}
}

void t.test(
  'whatever happens to the last batch, the log ends with the one before it or holds it whole',
  async t => {
    const origin = t.testdir({a: {}, b: {}})
    const {file, bytes, ends} = await threeBatches(join(origin, 'a'))
    const [, second = 0, third = 0] = ends
    const damage: Record<string, (copy: Buffer, at: number) => Buffer> = {
      cut: (copy, at) => copy.subarray(0, at),
      flip: (copy, at) => {
        copy[at] = (copy[at] ?? 0) ^ 0x40
        return copy
      },
      'zero from': (copy, at) => copy.fill(0, at, third),
      'zero one': (copy, at) => copy.fill(0, at, at + 1),
      'zero up to': (copy, at) => copy.fill(0, second, at),
      'garbage from': (copy, at) => copy.fill(0xa5, at),
    }
    const work = join(origin, 'b')
    for (const [name, spoil] of Object.entries(damage))
      for (let at = second; at < third; at++) {
        const spoilt = spoil(Buffer.from(bytes), at)
        const last = spoilt.subarray(0, third).equals(bytes.subarray(0, third)) ? 8 : 5
        const recovered = recoverSegment(spoilt, {baseIndex: 1, id: 0, file: 'tail'})
        if (recovered.offsets.length !== last) t.fail(`${name} at ${at}: ${recovered.offsets.length}`)
        if (at % 8 !== 3) continue
        cpSync(join(origin, 'a'), work, {recursive: true, force: true})
        writeFileSync(file.replace(join(origin, 'a'), work), spoilt)
        const opened = await Opened.at(work, {segmentBytes: 2048})
        t.equal(opened.store.found.lastIndex, last, `${name} from byte ${at}`)
        await opened.put(entries(last + 1, last + 1, 2))
        await opened.store.close()
        const again = await Opened.at(work, {segmentBytes: 2048})
        t.equal(again.store.found.lastIndex, last + 1, 'goes on')
        await again.store.close()
        t.equal(inspect(work).lastIndex, last + 1, 'the reader agrees')
      }
  },
)

void t.test('damage to a batch that was synced before the last one is never cut off in silence', async t => {
  const origin = t.testdir({a: {}, b: {}})
  const {file, bytes, ends} = await threeBatches(join(origin, 'a'))
  const work = join(origin, 'b')
  cpSync(join(origin, 'a'), work, {recursive: true})
  for (let at = 0; at < (ends[1] ?? 0); at++) {
    const spoilt = Buffer.from(bytes)
    spoilt[at] = (spoilt[at] ?? 0) ^ 0x40
    writeFileSync(file.replace(join(origin, 'a'), work), spoilt)
    try {
      const opened = await Opened.at(work, {segmentBytes: 2048})
      t.fail(`byte ${at}: started with ${opened.store.found.lastIndex} entries`)
      await opened.store.close()
    } catch (error) {
      if (!/damaged/.test(String(error))) t.fail(String(error))
    }
  }
  t.pass('refused each time')
})

void t.test('a wal-meta.db that is damaged or missing stops the start', async t => {
  const directory = t.testdir()
  const opened = await Opened.at(directory)
  await opened.put(entries(1, 3))
  await opened.store.close()
  const file = join(directory, 'wal', 'wal-meta.db')
  const bytes = readFileSync(file)
  writeFileSync(file, bytes.subarray(0, 6000))
  await t.rejects(Opened.at(directory), /cannot be used/)
  writeFileSync(file, Buffer.alloc(bytes.length))
  await t.rejects(Opened.at(directory), /cannot be used/)
  writeFileSync(file, bytes)
  execFileSync('rm', [file])
  await t.rejects(Opened.at(directory), /wal-meta\.db is missing/)
})

void t.test('a crash while a segment is sealed, at any of its steps, loses nothing', async t => {
  const origin = t.testdir({a: {}, b: {}})
  const directory = join(origin, 'a')
  const opened = await Opened.at(directory, {segmentBytes: 1024})
  await opened.put(entries(1, 3))
  const meta = readFileSync(join(directory, 'wal', 'wal-meta.db'))
  await opened.put(entries(4, 40))
  await opened.store.close()
  // The list of segments as it was before the first sealing, the sealed file as it was after
  cpSync(directory, join(origin, 'b'), {recursive: true})
  writeFileSync(join(origin, 'b', 'wal', 'wal-meta.db'), meta)
  const again = await Opened.at(join(origin, 'b'), {segmentBytes: 1024})
  const last = again.store.found.lastIndex
  t.ok(last > 3 && last < 40, `all of the first segment is there, up to ${last}`)
  t.same(await again.texts(1, last), shown(1, last))
  await again.put(entries(last + 1, last + 30))
  t.same(await again.texts(1, last + 30), shown(1, last + 30))
  await again.store.close()
})

void t.test('a disk that refuses is told once and nothing is told persisted', async t => {
  const directory = t.testdir()
  const opened = await Opened.at(directory)
  await opened.put(entries(1, 2))
  execFileSync('rm', ['-r', join(directory, 'wal')])
  mkdirSync(join(directory, 'elsewhere'))
  await t.rejects(opened.put([], undefined, {term: 9, votedFor: undefined}), /ENOENT/)
  t.notOk(existsSync(join(directory, 'wal')))
})
