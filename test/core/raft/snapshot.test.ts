import t from 'tap'
import {serverAddress, serverId} from '../../../src/core/model/ids.js'
import type {SnapshotMeta} from '../../../src/core/raft/messages.js'
import {Cluster, configurationOf, emptyDisk} from './cluster.js'
import {Single, accept, diskWith, entry, only, refusals, reject, responses, sends} from './single.js'

const NAMES = ['a', 'b', 'c']
const small = {snapshotThreshold: 10, snapshotIntervalMs: 100, trailingEntries: 5}

const metaAt = (index: number, term: number, fields: Partial<SnapshotMeta> = {}): SnapshotMeta => ({
  id: `${term}-${index}-1`,
  index,
  term,
  configuration: configurationOf(...NAMES),
  configurationIndex: 1,
  size: 10,
  ...fields,
})

const received = (meta: SnapshotMeta, term: number, token = 50) =>
  ({
    on: 'snapshot-received',
    token,
    request: {rpc: 'snapshot', term, leaderId: serverId('b'), leader: serverAddress('b:8300'), meta},
  }) as const

/** A follower with a log of these terms that has applied up to `applied`. */
function follower(terms: readonly number[], applied = 0): Single {
  const single = new Single(diskWith(NAMES, terms))
  const last = terms.length
  const term = terms.at(-1) ?? 1
  single.append({term, prevIndex: last, prevTerm: term, leaderCommit: applied})
  if (applied > 0) single.apply()
  return single
}

t.test('a snapshot is taken when enough was applied, and the log keeps a trail behind it', async t => {
  const cluster = Cluster.of(NAMES, small)
  const leads = cluster.elect()
  for (let at = 0; at < 30; at++) cluster.propose(leads, `v${at}`)
  cluster.run(1000)
  for (const server of cluster.servers.values()) {
    const status = server.node?.status()
    t.equal(status?.snapshotIndex, 32, server.name)
    t.equal(status?.firstIndex, 28, server.name)
    t.equal(server.disk.firstIndex, 28, server.name)
    t.same(server.disk.snapshot?.configuration, configurationOf(...NAMES))
  }
})

t.test('below the threshold no snapshot is taken, unless somebody asks', async t => {
  const cluster = Cluster.of(NAMES, small)
  const leads = cluster.elect()
  cluster.propose(leads, 'x')
  cluster.run(1000)
  t.equal(cluster.server(leads).disk.snapshot, undefined)
  const token = cluster.wish(leads, token => ({on: 'take-snapshot', token}))
  t.ok(cluster.until(() => cluster.outcome(token) === 'done'))
  t.equal(cluster.server(leads).disk.snapshot?.index, 3)
})

t.test('who asks while a snapshot is made gets one that holds what was applied when they asked', async t => {
  const single = follower([1, 1, 1, 1], 3)
  const [first] = only(single.step({on: 'take-snapshot', token: 1}), 'take-snapshot')
  t.equal(first?.index, 3)
  single.append({term: 1, prevIndex: 4, prevTerm: 1, leaderCommit: 4})
  single.apply()
  t.same(only(single.step({on: 'take-snapshot', token: 2}), 'take-snapshot'), [])
  const then = single.step({on: 'snapshot-taken', meta: metaAt(3, 1)})
  t.same(only(then, 'done'), [{do: 'done', token: 1, index: 3}])
  t.equal(only(then, 'take-snapshot')[0]?.index, 4)
  t.same(only(single.step({on: 'snapshot-taken', meta: metaAt(4, 1)}), 'done'), [
    {do: 'done', token: 2, index: 4},
  ])
})

t.test('a snapshot that could not be made is told, and the next one is tried', async t => {
  const single = follower([1, 1, 1], 3)
  single.step({on: 'take-snapshot', token: 1})
  t.same(refusals(single.step({on: 'snapshot-taken', meta: undefined})), ['snapshot-failed'])
  t.equal(only(single.step({on: 'take-snapshot', token: 2}), 'take-snapshot').length, 1)
})

t.test('a snapshot holds the configuration as of its index, not the newest one', async t => {
  const cluster = Cluster.of(NAMES, {trailingEntries: 0})
  const leads = cluster.elect()
  for (const name of NAMES) if (name !== leads) cluster.isolate(name)
  const added = serverId('d')
  cluster.wish(leads, token => ({
    on: 'change-configuration',
    token,
    prevIndex: 0,
    change: {change: 'add-voter', id: added, address: serverAddress('d:8300')},
  }))
  const token = cluster.wish(leads, token => ({on: 'take-snapshot', token}))
  cluster.run(300)
  t.equal(cluster.outcome(token), 'done')
  t.equal(cluster.server(leads).node?.status().latest.configuration.servers.length, 4)
  t.equal(cluster.server(leads).disk.snapshot?.configuration.servers.length, 3)
})

t.test('entries that are being read are not dropped before the read is done', async t => {
  const single = new Single(diskWith(NAMES, [1, 1, 1, 1]), {trailingEntries: 0})
  const effects = single.win('b')
  single.write()
  for (const one of sends(effects, 'append', 'replicate'))
    if (one.to.id === 'b') single.answer(one.requestId, accept(2))
  single.apply()
  t.equal(single.status.appliedIndex, 5)
  const [toC] = sends(effects, 'append', 'replicate').filter(one => one.to.id === 'c')
  const [read] = only(single.answer(toC?.requestId ?? 0, reject(2, 1)), 'read-log')
  t.equal(read?.from, 2)
  single.step({on: 'take-snapshot', token: 1})
  t.same(only(single.step({on: 'snapshot-taken', meta: metaAt(5, 2)}), 'compact-log'), [])
  t.same(only(single.read(), 'compact-log'), [{do: 'compact-log', upTo: 5}])
})

t.test('a slow peer that reads on and on does not keep entries from being dropped', async t => {
  const options = {trailingEntries: 0, limits: {appendEntriesMax: 1}}
  const single = new Single(diskWith(NAMES, [1, 1, 1, 1]), options)
  const won = single.win('b')
  single.write()
  for (const one of sends(won, 'append')) if (one.to.id === 'b') single.answer(one.requestId, accept(2))
  single.apply()
  t.equal(single.status.appliedIndex, 5)
  const [first] = sends(won, 'append', 'replicate').filter(one => one.to.id === 'c')
  single.answer(first?.requestId ?? 0, reject(2, 1))
  const [second] = sends(single.read(), 'append', 'replicate').filter(one => one.to.id === 'c')
  const [next] = only(single.answer(second?.requestId ?? 0, accept(2)), 'read-log')
  t.equal(next?.from, 3, 'c reads on')
  single.step({on: 'take-snapshot', token: 1})
  single.step({on: 'snapshot-taken', meta: metaAt(5, 2)})
  const effects = single.read()
  t.same(only(effects, 'read-log'), [])
  t.same(only(effects, 'compact-log'), [{do: 'compact-log', upTo: 5}])
  t.equal(only(single.tick(200), 'send-snapshot')[0]?.to.id, 'c')
})

t.test('a follower whose entries are gone from the log gets the snapshot, then the rest', async t => {
  const cluster = Cluster.of(NAMES, small)
  const leads = cluster.elect()
  const away = leads === 'a' ? 'b' : 'a'
  cluster.server(away).crash()
  for (let at = 0; at < 40; at++) cluster.propose(leads, `v${at}`)
  cluster.run(1000)
  cluster.server(away).start()
  cluster.run(2000)
  t.equal(only(cluster.server(away).effects, 'restore-snapshot').length, 1)
  t.equal(cluster.server(away).applied.length, 40)
  cluster.propose(leads, 'after')
  cluster.run(500)
  t.equal(cluster.server(away).applied.at(-1), 'after')
})

t.test(
  'a snapshot replaces a log that it has nothing to do with, and is answered when that is on disk',
  async t => {
    const single = follower([1, 1, 1])
    const meta = metaAt(9, 2)
    const taken = single.step(received(meta, 2))
    t.same([only(taken, 'restore-snapshot'), responses(taken)], [[], []], 'the term comes first')
    t.equal(only(single.write(), 'restore-snapshot').length, 1)
    const restored = single.step({on: 'snapshot-restored', meta})
    t.equal(only(restored, 'reset-log')[0]?.nextIndex, 10)
    t.same(responses(restored), [])
    t.same(responses(single.write()), [{rpc: 'snapshot', term: 2, success: true}])
    const {firstIndex, lastIndex, lastTerm, commitIndex, appliedIndex} = single.status
    t.same([firstIndex, lastIndex, lastTerm, commitIndex, appliedIndex], [10, 9, 2, 9, 9])
  },
)

t.test('what follows the last entry of a snapshot in the log stays', async t => {
  const single = follower([1, 1, 2, 2, 2])
  const meta = metaAt(4, 2)
  single.step(received(meta, 2))
  const effects = single.step({on: 'snapshot-restored', meta})
  t.same(only(effects, 'reset-log'), [])
  t.same(responses(effects), [{rpc: 'snapshot', term: 2, success: true}])
  t.same([single.status.lastIndex, single.status.appliedIndex], [5, 4])
})

t.test('entries that come while a snapshot is loaded are taken, and applied afterwards', async t => {
  const single = follower([1, 1, 2, 2])
  const meta = metaAt(4, 2)
  single.step(received(meta, 2))
  single.append({term: 2, prevIndex: 4, prevTerm: 2, entries: [entry(5, 2)], leaderCommit: 5})
  const written = single.write()
  t.equal(responses(written).length, 1)
  t.same(only(written, 'apply'), [])
  const [apply] = only(single.step({on: 'snapshot-restored', meta}), 'apply')
  t.same(apply?.entries, [entry(5, 2)])
})

t.test('a snapshot that we are past is accepted and not used', async t => {
  const single = follower([1, 1, 1, 1], 4)
  const effects = single.step(received(metaAt(3, 1), 1))
  t.same(responses(effects), [{rpc: 'snapshot', term: 1, success: true}])
  t.equal(only(effects, 'discard-snapshot').length, 1)
})

t.test('a snapshot of an old leader, or one that is not sound, is refused and not used', async t => {
  for (const [meta, term] of [
    [metaAt(9, 1), 1],
    [metaAt(9, 7), 3],
    [metaAt(9, 2, {configuration: {servers: []}}), 3],
    [metaAt(9, 2, {configurationIndex: 10}), 3],
  ] as const) {
    const single = follower([1, 2])
    const effects = [...single.step(received(meta, term)), ...single.write()]
    t.same(
      responses(effects).map(one => 'success' in one && one.success),
      [false],
      meta.id,
    )
    t.same([only(effects, 'discard-snapshot').length, only(effects, 'restore-snapshot').length], [1, 0])
  }
})

t.test('a second snapshot is refused while one is loaded', async t => {
  const single = follower([1, 1])
  single.step(received(metaAt(9, 1), 1))
  t.same(responses(single.step(received(metaAt(10, 1), 1, 51))), [{rpc: 'snapshot', term: 1, success: false}])
})

t.test(
  'a server killed between a snapshot and the reset of its log makes up for it at the start',
  async t => {
    const single = new Single({...diskWith(NAMES, [1, 1, 1], 2), snapshot: metaAt(9, 2)})
    const effects = single.step({on: 'tick'})
    t.equal(only(effects, 'reset-log')[0]?.nextIndex, 10)
    t.same([single.status.lastIndex, single.status.lastTerm], [9, 2])
    single.append({term: 2, prevIndex: 9, prevTerm: 2, entries: [entry(10, 2)]})
    t.equal(responses(single.write()).length, 1)
  },
)

t.test('a log that contradicts the snapshot is replaced at the start, one that agrees is kept', async t => {
  const other = new Single({...diskWith(NAMES, [1, 1, 1, 1], 2), snapshot: metaAt(3, 2)})
  t.equal(only(other.step({on: 'tick'}), 'reset-log').length, 1)
  const same = new Single({...diskWith(NAMES, [1, 1, 1, 1], 2), snapshot: metaAt(3, 1)})
  t.same(only(same.step({on: 'tick'}), 'reset-log'), [])
  t.same([same.status.lastIndex, same.status.commitIndex, same.status.appliedIndex], [4, 3, 3])
})

t.test('a server with nothing but a snapshot goes on from there', async t => {
  const single = new Single({
    ...emptyDisk(),
    hasHardState: true,
    term: 5,
    firstIndex: 10,
    snapshot: metaAt(9, 4),
  })
  t.same(only(single.step({on: 'tick'}), 'reset-log'), [])
  t.same([single.status.lastIndex, single.status.lastTerm], [9, 4])
  t.same(
    single.status.latest.configuration.servers.map(one => one.id),
    NAMES,
  )
})
