import t from 'tap'
import {Cluster, bytes, configurationOf} from './cluster.js'
import {
  Single,
  accept,
  appends,
  configurationEntry,
  diskWith,
  entry,
  only,
  refusals,
  reject,
  sends,
} from './single.js'

const NAMES = ['a', 'b', 'c']
type Options = ConstructorParameters<typeof Single>[1]

/** A leader of term 2 whose log is a configuration and its own first entry, 2. b has it and streams from there. */
function streaming(options: Options = {}): Single {
  const single = new Single(diskWith(NAMES, [1]), options)
  const effects = single.win('b')
  single.write()
  for (const one of sends(effects, 'append')) if (one.to.id === 'b') single.answer(one.requestId, accept(2))
  return single
}

let token = 100
const propose = (command: string) => ({on: 'propose', token: token++, type: 0, data: bytes(command)}) as const
const indexes = (effects: ReturnType<Single['step']>, to: string) =>
  appends(effects, to).map(one => one.request.entries.map(one => one.index))

t.test('three servers elect one leader, and what it takes is applied by all', async t => {
  const cluster = Cluster.of(NAMES)
  const leads = cluster.elect()
  const tokens = ['x', 'y', 'z'].map(command => cluster.propose(leads, command))
  t.ok(cluster.until(() => tokens.every(token => cluster.outcome(token) === 'done')))
  cluster.run(200)
  for (const server of cluster.servers.values()) t.same(server.applied, ['x', 'y', 'z'], server.name)
})

t.test('a new leader starts with an entry of its term, sent before it is on its own disk', async t => {
  const single = new Single(diskWith(NAMES, [1, 1]))
  const effects = single.win('b')
  const [first] = appends(effects, 'b')
  t.same(
    first?.request.entries.map(one => [one.index, one.term, one.type]),
    [[3, 2, 1]],
  )
  t.equal(only(effects, 'persist').length, 1)
  t.equal(single.status.persistedIndex, 2)
})

t.test('our own copy counts once it is on disk', async t => {
  const single = new Single(diskWith(NAMES, [1]))
  const [first] = appends(single.win('b'), 'b')
  single.answer(first?.requestId ?? 0, accept(2))
  t.equal(single.status.commitIndex, 0)
  single.write()
  t.equal(single.status.commitIndex, 2)
})

t.test('what is proposed in one step is persisted once and sent once to each', async t => {
  const single = streaming()
  const effects = single.step(propose('x'), propose('y'), propose('z'))
  t.equal(only(effects, 'persist').length, 1)
  t.same(indexes(effects, 'b'), [[3, 4, 5]])
})

t.test('a peer gets entries before it has answered for those before, up to the limit', async t => {
  const single = streaming({limits: {appendsInFlightMax: 2}})
  t.same(indexes(single.step(propose('x')), 'b'), [[3]])
  const second = single.step(propose('y'))
  t.same(indexes(second, 'b'), [[4]])
  t.same(indexes(single.step(propose('z')), 'b'), [])
  t.same(indexes(single.step(propose('w')), 'b'), [])
  t.same(indexes(single.answer(appends(second, 'b')[0]?.requestId ?? 0, accept(2)), 'b'), [[5, 6]])
  t.equal(single.status.peers[0]?.matchIndex, 4)
})

t.test('an append holds no more entries and bytes than the limits say', async t => {
  const byCount = streaming({limits: {appendEntriesMax: 2}})
  t.same(indexes(byCount.step(propose('x'), propose('y'), propose('z')), 'b'), [[3, 4], [5]])
  const byBytes = streaming({limits: {appendBytesMax: 1}})
  t.same(indexes(byBytes.step(propose('x'), propose('y')), 'b'), [[3], [4]])
})

t.test('an entry of an older term is committed only with one of ours behind it', async t => {
  // Figure 8 of the Raft paper: entry 2 of term 2 gets onto two of three servers and is still not safe
  const single = new Single(diskWith(NAMES, [1, 2], 3), {limits: {appendEntriesMax: 1}})
  const [first] = appends(single.win('b'), 'b')
  single.write()
  single.answer(first?.requestId ?? 0, reject(4, 1))
  const [older] = appends(single.read(), 'b')
  t.same(
    older?.request.entries.map(one => [one.index, one.term]),
    [[2, 2]],
  )
  const next = single.answer(older?.requestId ?? 0, accept(4))
  t.same([single.status.peers[0]?.matchIndex, single.status.commitIndex], [2, 0])
  single.answer(appends(next, 'b')[0]?.requestId ?? 0, accept(4))
  t.equal(single.status.commitIndex, 3)
})

t.test('after a refusal the leader goes back to where the follower says that its log ends', async t => {
  const single = new Single(diskWith(NAMES, [1, 1, 1, 1, 1]))
  const [first] = appends(single.win('b'), 'b')
  single.write()
  single.answer(first?.requestId ?? 0, reject(2, 2))
  const [again] = appends(single.read(), 'b')
  t.same([again?.request.prevIndex, again?.request.entries[0]?.index], [2, 3])
})

t.test('a hint beyond where we were goes back by one all the same', async t => {
  const single = new Single(diskWith(NAMES, [1, 1, 1, 1, 1]))
  const [first] = appends(single.win('b'), 'b')
  single.write()
  single.answer(first?.requestId ?? 0, reject(2, 900))
  t.equal(appends(single.read(), 'b')[0]?.request.prevIndex, 4)
})

t.test('a late refusal says nothing once the follower has accepted more', async t => {
  const single = streaming({limits: {appendsInFlightMax: 4}})
  const [x] = appends(single.step(propose('x')), 'b')
  const [y] = appends(single.step(propose('y')), 'b')
  single.answer(y?.requestId ?? 0, accept(2))
  single.answer(x?.requestId ?? 0, reject(2, 1))
  t.same([single.status.peers[0]?.matchIndex, single.status.peers[0]?.sending], [4, 'pipeline'])
})

t.test('a follower that has lost its log is believed and gets it again', async t => {
  const single = streaming()
  const [x] = appends(single.step(propose('x')), 'b')
  single.answer(x?.requestId ?? 0, accept(2))
  const [y] = appends(single.step(propose('y')), 'b')
  const back = single.answer(y?.requestId ?? 0, reject(2, 0))
  t.equal(single.status.peers[0]?.matchIndex, 0)
  t.same(
    only(back, 'read-log').map(one => one.from),
    [1],
  )
})

t.test('a peer that cannot be reached is tried again after a while, and later each time', async t => {
  const single = streaming()
  const waits: number[] = []
  const effects = single.step(propose('x'))
  const newest = () => appends(effects, 'b').at(-1)?.requestId ?? 0
  for (let at = 0; at < 4; at++) {
    const failed = newest()
    const failedMs = single.nowMs
    single.answer(failed, undefined)
    while (newest() === failed) effects.push(...single.tick(1))
    waits.push(single.nowMs - failedMs)
  }
  t.same(waits, [10, 20, 40, 80])
})

t.test('a peer that answers heartbeats again is tried at once', async t => {
  const single = streaming()
  const effects = single.step(propose('x'))
  const newest = () => appends(effects, 'b').at(-1)?.requestId ?? 0
  for (let at = 0; at < 5; at++) {
    const failed = newest()
    single.answer(failed, undefined)
    while (newest() === failed) effects.push(...single.tick(1))
  }
  single.answer(newest(), undefined)
  const beat = sends(effects, 'append', 'heartbeat').find(one => one.to.id === 'b')
  t.same(indexes(single.answer(beat?.requestId ?? 0, accept(2)), 'b'), [[3]])
})

t.test('followers are told of a commit soon, with or without entries', async t => {
  const single = streaming()
  const [x] = appends(single.step(propose('x')), 'b')
  single.write()
  single.answer(x?.requestId ?? 0, accept(2))
  t.equal(single.status.commitIndex, 3)
  const [told] = appends(single.tick(50), 'b')
  t.same([told?.request.entries, told?.request.leaderCommit], [[], 3])
  single.answer(told?.requestId ?? 0, accept(2))
  t.same(appends(single.tick(300), 'b'), [], 'and told once')
})

t.test('a leader without word from a quorum steps down within its lease', async t => {
  const single = streaming()
  const tokens = single.step(propose('x'))
  t.same(refusals(tokens), [])
  const effects = single.tick(499)
  t.equal(single.status.role, 'leader')
  const after = single.tick(1)
  t.equal(single.status.role, 'follower')
  t.same(refusals([...effects, ...after]), ['lost-leadership'])
})

t.test('a leader that was not running for a while hears its peers out before it steps down', async t => {
  const single = streaming()
  const beats = sends(single.stall(10_000), 'append', 'heartbeat')
  t.equal(single.status.role, 'leader')
  for (const beat of beats) single.answer(beat.requestId, accept(2))
  single.tick(300)
  t.equal(single.status.role, 'leader')
})

t.test('a newer term in an answer ends the lead', async t => {
  const single = streaming()
  const [x] = appends(single.step(propose('x')), 'b')
  const effects = single.answer(x?.requestId ?? 0, reject(9, 0))
  t.same([single.status.role, single.status.term], ['follower', 9])
  t.same(refusals(effects), ['lost-leadership'])
})

t.test('an acceptance with an older term than ours accepts nothing', async t => {
  const single = streaming()
  const [x] = appends(single.step(propose('x')), 'b')
  single.write()
  single.answer(x?.requestId ?? 0, accept(1))
  t.same([single.status.peers[0]?.matchIndex, single.status.commitIndex], [2, 2])
})

t.test('who does not lead takes no proposals', async t => {
  const single = new Single(diskWith(NAMES, [1]))
  t.same(refusals(single.step(propose('x'))), ['not-leader'])
})

t.test('proposals beyond the limits are refused, and taken again when there is room', async t => {
  const single = streaming({limits: {proposalsInFlightMax: 2}})
  const first = single.step(propose('x'), propose('y'), propose('z'))
  t.same(refusals(first), ['too-many-in-flight'])
  single.write()
  single.answer(appends(first, 'b')[0]?.requestId ?? 0, accept(2))
  t.equal(single.status.commitIndex, 4)
  t.equal(only(single.apply(), 'done').length, 2)
  t.same(refusals(single.step(propose('z'))), [])
  const bulky = streaming({limits: {uncommittedBytesMax: 100}})
  t.same(refusals(bulky.step(propose('x'.repeat(200)), propose('y'))), ['too-many-in-flight'])
})

t.test(
  'a proposal that is committed is done although its leader is deposed before it is applied',
  async t => {
    const single = streaming()
    const [x] = appends(single.step(propose('x')), 'b')
    single.write()
    single.answer(x?.requestId ?? 0, accept(2))
    const last = single.step(propose('y'))
    t.same(refusals(single.answer(appends(last, 'b')[0]?.requestId ?? 0, reject(7, 0))), ['lost-leadership'])
    t.equal(only(single.apply(), 'done').length, 1)
  },
)

t.test('entries that are not in memory are read, once, and sent', async t => {
  const disk = {...diskWith(NAMES, [1, 1, 1, 1]), entries: diskWith(NAMES, [1, 1, 1, 1]).entries}
  const single = new Single(disk)
  const [first] = appends(single.win('b'), 'b')
  const back = single.answer(first?.requestId ?? 0, reject(2, 1))
  t.equal(only(back, 'read-log').length, 1)
  t.same(only(single.tick(100), 'read-log'), [])
  t.same(indexes(single.read(), 'b'), [[2, 3, 4]])
})

t.test('what was read of a log that is not ours any more is not sent', async t => {
  const single = new Single(diskWith(NAMES, [1, 1, 1]))
  const [first] = appends(single.win('b'), 'b')
  const [read] = only(single.answer(first?.requestId ?? 0, reject(2, 1)), 'read-log')
  const effects = single.step({on: 'log-read', readId: read?.readId ?? 0, entries: [entry(2, 7)]})
  t.same(appends(effects, 'b'), [])
  t.equal(only(effects, 'read-log').length, 1)
})

t.test('a log full of long gone terms is brought in line in few rounds', async t => {
  const cluster = new Cluster(3)
  for (const name of NAMES) cluster.add(name)
  const good = [
    configurationEntry(1, 1, configurationOf(...NAMES)),
    ...Array.from({length: 300}, (_, at) => entry(at + 2, 9)),
  ]
  const stale = [
    good[0] as (typeof good)[0],
    ...Array.from({length: 300}, (_, at) => entry(at + 2, 2 + (at >> 6))),
  ]
  for (const [name, entries] of [
    ['a', good],
    ['b', good],
    ['c', stale],
  ] as const) {
    const server = cluster.server(name)
    server.crash()
    server.disk = {...server.disk, hasHardState: true, term: 9, entries: [...entries]}
    server.start()
  }
  const leads = cluster.elect()
  cluster.run(1000)
  t.equal(cluster.server('c').node?.status().commitIndex, 302)
  const rounds = appends(cluster.server(leads).effects, 'c').length
  t.ok(rounds < 15, `${rounds} requests`)
})
