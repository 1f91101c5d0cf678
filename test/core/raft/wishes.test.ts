import t from 'tap'
import {serverAddress, serverId} from '../../../src/core/model/ids.js'
import type {ConfigurationChange} from '../../../src/core/raft/messages.js'
import {LogType} from '../../../src/core/raft/messages.js'
import {readConfigurationEntry} from '../../../src/core/raft/configuration-entry.js'
import {Cluster, configurationOf, emptyDisk, voter} from './cluster.js'
import {
  Single,
  accept,
  appends,
  configurationEntry,
  diskWith,
  only,
  refusals,
  responses,
  sends,
} from './single.js'

const NAMES = ['a', 'b', 'c']
const change = (change: ConfigurationChange, prevIndex = 0) =>
  ({on: 'change-configuration', token: 7, change, prevIndex}) as const
const add = (name: string): ConfigurationChange => ({
  change: 'add-voter',
  id: serverId(name),
  address: serverAddress(`${name}:8300`),
})
const remove = (name: string): ConfigurationChange => ({change: 'remove-server', id: serverId(name)})
const wish = (cluster: Cluster, leads: string, what: ConfigurationChange): number =>
  cluster.wish(leads, token => ({on: 'change-configuration', token, change: what, prevIndex: 0}))
const serversOf = (cluster: Cluster, name: string): string[] =>
  (cluster.server(name).node?.status().latest.configuration.servers ?? []).map(
    one => `${one.id}${one.suffrage === 'voter' ? '' : '-'}`,
  )

/** A leader of term 2 that b follows; with `committed` its first entry, 2, is committed. */
function leader(committed = true, names = NAMES): Single {
  const single = new Single(diskWith(names, [1]))
  const effects = single.win('b')
  single.write()
  if (committed)
    for (const one of sends(effects, 'append')) if (one.to.id === 'b') single.answer(one.requestId, accept(2))
  return single
}

t.test('no change before the leader has committed an entry of its term', async t => {
  t.same(refusals(leader(false).step(change(add('d')))), ['configuration-in-progress'])
})

t.test('one change at a time', async t => {
  const single = leader()
  const first = single.step(change(add('d')))
  t.same(refusals(first), [])
  t.same(refusals(single.step(change(add('e')))), ['configuration-in-progress'])
})

t.test('a change on top of another configuration than its maker knew is refused', async t => {
  t.same(refusals(leader().step(change(add('d'), 9))), ['previous-index-mismatch'])
  t.same(refusals(leader().step(change(add('d'), 1))), [])
})

t.test('a change that is not legal is refused, and so is one that we are not the leader for', async t => {
  t.same(refusals(leader().step(change({...add('d'), address: serverAddress('b:8300')} as never))), [
    'illegal-configuration',
  ])
  t.same(refusals(new Single(diskWith(NAMES, [1])).step(change(add('d')))), ['not-leader'])
})

t.test('a new configuration counts from when it is in the log', async t => {
  const single = new Single(diskWith(['a'], [1]))
  single.step({on: 'tick'})
  single.write()
  single.write()
  t.equal(single.status.commitIndex, 2)
  single.step(change(add('b')))
  single.write()
  t.equal(single.status.commitIndex, 2, 'one of two is no quorum any more')
  t.same(
    single.status.latest.configuration.servers.map(one => one.id),
    ['a', 'b'],
  )
  t.equal(single.status.committed.index, 1)
})

t.test('with Raft protocols 0 and 1 the log names addresses', async t => {
  const addressed = ['a:8300', 'b:8300']
  for (const [raftProtocol, firstType] of [
    [0, LogType.addPeer],
    [1, LogType.noop],
  ] as const) {
    const servers = addressed.map(address => ({
      id: serverId(address),
      address: serverAddress(address),
      suffrage: 'voter' as const,
    }))
    const disk = {...diskWith(NAMES, [1]), entries: [configurationEntry(1, 1, {servers})]}
    const single = new Single(disk, {raftProtocol, id: serverId('a:8300')})
    const effects = single.win('b:8300')
    const [first] = appends(effects, 'b:8300')
    t.equal(first?.request.entries[0]?.type, firstType)
    single.write()
    single.answer(first?.requestId ?? 0, accept(2))
    t.same(refusals(single.step(change(add('c')))), ['illegal-configuration'], 'an id that is no address')
    const third = serverAddress('c:8300')
    const changed = single.step(change({change: 'add-voter', id: serverId(third), address: third}))
    const entry = appends(changed, 'b:8300')[0]?.request.entries[0]
    t.equal(entry?.type, LogType.removePeer)
    t.same(
      readConfigurationEntry(LogType.removePeer, entry?.data ?? new Uint8Array(0))?.servers.map(
        one => one.id,
      ),
      ['a:8300', 'b:8300', 'c:8300'],
    )
  }
})

t.test('a server that joins gets the whole log and then counts', async t => {
  const cluster = Cluster.of(NAMES)
  const leads = cluster.elect()
  for (let at = 0; at < 50; at++) cluster.propose(leads, `v${at}`)
  cluster.run(500)
  cluster.add('d')
  const token = wish(cluster, leads, add('d'))
  t.ok(cluster.until(() => cluster.outcome(token) === 'done'))
  cluster.run(500)
  t.equal(cluster.server('d').applied.length, 50)
  for (const name of NAMES) t.same(serversOf(cluster, name), ['a', 'b', 'c', 'd'])
})

t.test('a server that is removed learns of it and disturbs nobody', async t => {
  const cluster = Cluster.of(NAMES)
  const leads = cluster.elect()
  const away = leads === 'a' ? 'b' : 'a'
  const token = wish(cluster, leads, remove(away))
  t.ok(cluster.until(() => cluster.outcome(token) === 'done'))
  const {term} = cluster.server(leads)
  cluster.run(20_000)
  t.notOk(serversOf(cluster, away).includes(away))
  t.same([cluster.leader(), cluster.server(leads).term], [leads, term])
})

t.test('a leader that removes itself commits that, hands over at once and follows', async t => {
  const cluster = Cluster.of(NAMES)
  const leads = cluster.elect()
  const token = wish(cluster, leads, remove(leads))
  t.ok(cluster.until(() => cluster.outcome(token) === 'done'))
  const atMs = cluster.nowMs
  const next = cluster.elect()
  t.not(next, leads)
  t.ok(cluster.nowMs - atMs < 200, `${cluster.nowMs - atMs} ms`)
  t.equal(cluster.server(leads).node?.status().role, 'follower')
  cluster.run(20_000)
  t.equal(cluster.leader(), next)
})

t.test('a leader that removes itself does not count itself', async t => {
  const single = leader()
  const effects = single.step(change(remove('a')))
  single.write()
  single.answer(appends(effects, 'b')[0]?.requestId ?? 0, accept(2))
  t.equal(single.status.commitIndex, 2, 'one of b and c is no quorum')
})

t.test(
  'a server whose vote is taken by an entry that only it has still stands, and commits the entry',
  async t => {
    const cluster = Cluster.of(['a', 'b'])
    const leads = cluster.elect()
    const other = leads === 'a' ? 'b' : 'a'
    cluster.isolate(leads)
    wish(cluster, leads, remove(leads))
    cluster.run(100)
    cluster.server(leads).crash()
    cluster.run(100)
    cluster.cut.clear()
    cluster.server(leads).start()
    cluster.elect()
    cluster.run(10_000)
    t.equal(cluster.leader(), other)
    t.same(serversOf(cluster, other), [other])
  },
)

t.test('a demoted leader steps down once that is committed', async t => {
  const cluster = Cluster.of(NAMES)
  const leads = cluster.elect()
  const token = wish(cluster, leads, {change: 'demote-voter', id: serverId(leads)})
  t.ok(cluster.until(() => cluster.outcome(token) === 'done'))
  cluster.run(10_000)
  t.not(cluster.leader(), leads)
  t.ok(serversOf(cluster, leads).includes(`${leads}-`))
})

t.test('a cluster is founded by entry 1 of term 1', async t => {
  const single = new Single(emptyDisk())
  const effects = single.step({on: 'bootstrap', token: 1, configuration: configurationOf(...NAMES)})
  t.same(only(effects, 'persist')[0], {
    do: 'persist',
    persistId: 1,
    hardState: {term: 1, votedFor: undefined},
    truncateFrom: undefined,
    append: [configurationEntry(1, 1, configurationOf(...NAMES))],
  })
  t.same(only(effects, 'done'), [])
  t.same(only(single.write(), 'done'), [{do: 'done', token: 1, index: 1}])
})

t.test('a server with a past, or with an illegal configuration, founds nothing', async t => {
  const wish = {on: 'bootstrap', token: 1, configuration: configurationOf('a')} as const
  t.same(refusals(new Single(diskWith(NAMES, [1])).step(wish)), ['has-existing-state'])
  t.same(refusals(new Single({...emptyDisk(), hasHardState: true, term: 4}).step(wish)), [
    'has-existing-state',
  ])
  const twice = {servers: [voter('a'), voter('a')]}
  t.same(refusals(new Single(emptyDisk()).step({...wish, configuration: twice})), ['illegal-configuration'])
  t.same(refusals(new Single(emptyDisk()).step({...wish, configuration: {servers: []}})), [
    'illegal-configuration',
  ])
})

t.test('leadership goes to whom it is handed, without a pause that clients would notice', async t => {
  const cluster = Cluster.of(NAMES)
  const leads = cluster.elect()
  const to = leads === 'a' ? 'b' : 'a'
  const token = cluster.wish(leads, token => ({on: 'transfer-leadership', token, to: serverId(to)}))
  const atMs = cluster.nowMs
  t.ok(cluster.until(() => cluster.outcome(token) === 'done'))
  t.equal(cluster.elect(), to)
  t.ok(cluster.nowMs - atMs < 100, `${cluster.nowMs - atMs} ms`)
})

t.test('leadership goes to a server that has the whole log', async t => {
  const single = leader()
  const [x] = appends(single.step({on: 'propose', token: 1, type: 0, data: new Uint8Array(0)}), 'b')
  const wished = single.step({on: 'transfer-leadership', token: 2, to: undefined})
  t.same(sends(wished, 'timeout-now'), [])
  const told = sends(single.answer(x?.requestId ?? 0, accept(2)), 'timeout-now')
  t.equal(told[0]?.to.id, 'b')
})

t.test('while leadership is handed over nothing new is taken, and after a timeout it is again', async t => {
  const single = leader()
  single.step({on: 'transfer-leadership', token: 2, to: serverId('c')})
  const propose = {on: 'propose', token: 1, type: 0, data: new Uint8Array(0)} as const
  t.same(refusals(single.step(propose)), ['transfer-in-progress'])
  t.same(refusals(single.step(change(add('d')))), ['transfer-in-progress'])
  t.same(refusals(single.step({on: 'transfer-leadership', token: 3, to: undefined})), [
    'transfer-in-progress',
  ])
  const effects: ReturnType<Single['step']> = []
  for (let ms = 0; ms < 1000; ms++) {
    effects.push(...single.tick(1))
    for (const beat of sends(effects.slice(-4), 'append', 'heartbeat'))
      if (beat.to.id === 'b') single.answer(beat.requestId, accept(2))
  }
  t.same(refusals(effects), ['timed-out'])
  t.same(refusals(single.step(propose)), [])
})

t.test('leadership is not handed to ourselves, to a stranger or to a server without a vote', async t => {
  for (const to of ['a', 'x'])
    t.same(refusals(leader().step({on: 'transfer-leadership', token: 2, to: serverId(to)})), [
      'illegal-configuration',
    ])
  const single = new Single(diskWith(NAMES, [1]))
  t.same(refusals(single.step({on: 'transfer-leadership', token: 2, to: undefined})), ['not-leader'])
})

t.test('a lone server has nobody to hand leadership to', async t => {
  const single = new Single(diskWith(['a'], [1]))
  single.step({on: 'tick'})
  single.write()
  t.same(refusals(single.step({on: 'transfer-leadership', token: 2, to: undefined})), [
    'illegal-configuration',
  ])
  t.same(responses(single.tick(10)), [])
})
