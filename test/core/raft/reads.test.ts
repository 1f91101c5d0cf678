import t from 'tap'
import {Cluster} from './cluster.js'
import {Single, accept, appends, diskWith, only, refusals, reject, sends} from './single.js'

const NAMES = ['a', 'b', 'c']

/** A leader of term 2 whose first entry is applied, and whose heartbeats to b are answered. */
function leader(): Single {
  const single = new Single(diskWith(NAMES, [1]))
  const effects = single.win('b')
  single.write()
  single.answer(appends(effects, 'b')[0]?.requestId ?? 0, accept(2))
  single.apply()
  answerBeats(single, effects)
  return single
}

const read = (token: number, lease = false) => ({on: 'read', token, lease}) as const
const served = (effects: ReturnType<Single['step']>) => only(effects, 'read-ready').map(one => one.token)

/** Heartbeats to b that are not answered yet, answered. */
function answerBeats(single: Single, effects: ReturnType<Single['step']>): ReturnType<Single['step']> {
  return sends(effects, 'append', 'heartbeat')
    .filter(one => one.to.id === 'b')
    .flatMap(one => single.answer(one.requestId, accept(2)))
}

t.test('a read waits for a quorum to answer a request that was sent after it came', async t => {
  const single = leader()
  const before = single.tick(200)
  const late = sends(before, 'append', 'heartbeat').find(one => one.to.id === 'b')
  const asked = single.step(read(1))
  t.same(served(asked), [])
  const beats = single.answer(late?.requestId ?? 0, accept(2))
  t.same(served(beats), [], 'an answer to an earlier request proves nothing')
  t.same(served(answerBeats(single, beats)), [1])
})

t.test('reads of one moment share one round of heartbeats', async t => {
  const single = leader()
  answerBeats(single, single.tick(150))
  const effects = single.step(read(1), read(2), read(3))
  t.equal(sends(effects, 'append', 'heartbeat').filter(one => one.to.id === 'b').length, 1)
  t.same(served(answerBeats(single, effects)), [1, 2, 3])
})

t.test('a refusal of entries by a follower of our term proves as much as an acceptance', async t => {
  const single = leader()
  answerBeats(single, single.tick(150))
  const [beat] = sends(single.step(read(1)), 'append', 'heartbeat').filter(one => one.to.id === 'b')
  t.same(served(single.answer(beat?.requestId ?? 0, reject(2, 0))), [1])
})

t.test('a nonvoter proves nothing', async t => {
  const cluster = Cluster.of(['a', 'b', 'c'])
  const leads = cluster.elect()
  cluster.add('n')
  const added = cluster.wish(leads, token => ({
    on: 'change-configuration',
    token,
    prevIndex: 0,
    change: {change: 'add-nonvoter', id: 'n' as never, address: 'n:8300' as never},
  }))
  t.ok(cluster.until(() => cluster.outcome(added) === 'done'))
  for (const name of NAMES) if (name !== leads) cluster.isolate(name)
  const token = cluster.wish(leads, token => ({on: 'read', token, lease: false}))
  cluster.run(400)
  t.equal(cluster.outcome(token), 'open')
  cluster.run(400)
  t.equal(cluster.outcome(token), 'no-quorum-contact')
})

t.test('a read waits until what was committed when it came is applied', async t => {
  const single = leader()
  const [x] = appends(single.step({on: 'propose', token: 9, type: 0, data: new Uint8Array(0)}), 'b')
  single.write()
  single.answer(x?.requestId ?? 0, accept(2))
  t.equal(single.status.commitIndex, 3)
  answerBeats(single, single.tick(150))
  const effects = single.step(read(1))
  t.same(served([...effects, ...answerBeats(single, effects)]), [])
  const [ready] = only(single.apply(), 'read-ready')
  t.equal(ready?.index, 3)
})

t.test('a new leader serves no read before its first entry is applied', async t => {
  const single = new Single(diskWith(NAMES, [1, 1]))
  const won = single.win('b')
  single.write()
  answerBeats(single, won)
  const asked = single.step(read(1))
  t.same(served([...asked, ...answerBeats(single, asked)]), [])
  t.same(served(single.answer(appends(won, 'b')[0]?.requestId ?? 0, accept(2))), [])
  single.read()
  t.same(served(single.apply()), [1])
})

t.test('a lease serves reads at once, counted from when the answered request was sent', async t => {
  const single = leader()
  t.same(served(single.step(read(1, true))), [1])
  const sentMs = single.nowMs
  const effects = single.tick(150)
  const [beat] = sends(effects, 'append', 'heartbeat').filter(one => one.to.id === 'b')
  t.ok(single.nowMs - sentMs >= 150)
  single.tick(250)
  single.answer(beat?.requestId ?? 0, accept(2))
  t.same(served(single.step(read(2, true))), [2])
  single.tick(300)
  t.equal(single.status.role, 'leader')
  t.same(served(single.step(read(3, true))), [], 'contact is 300 ms old, but what was answered is 550 ms old')
})

t.test(
  'what is applied answers any read of an established leader, for as long as its lease lasts',
  async t => {
    const fresh = new Single(diskWith(NAMES, [1]))
    t.equal(fresh.node.leaseUntilMs(), -Infinity)
    const won = fresh.win('b')
    answerBeats(fresh, won)
    t.equal(fresh.node.leaseUntilMs(), -Infinity, 'its first entry is not applied')
    const single = leader()
    t.equal(single.node.leaseUntilMs(), single.nowMs + 450)
    single.step({on: 'transfer-leadership', token: 5, to: 'b' as never})
    t.equal(single.node.leaseUntilMs(), -Infinity, 'a peer was told to take over')
    const alone = new Single(diskWith(['a'], [1]))
    alone.step({on: 'tick'})
    alone.write()
    alone.write()
    alone.apply()
    t.equal(alone.node.leaseUntilMs(), Infinity)
  },
)

t.test('after a peer was told to take over there is no lease for the rest of the term', async t => {
  const single = leader()
  const effects = single.step({on: 'transfer-leadership', token: 5, to: 'b' as never})
  const [told] = sends(effects, 'timeout-now')
  single.answer(told?.requestId ?? 0, undefined)
  t.same(served(single.step(read(1, true))), [])
})

t.test('a leader cut off from its group serves no read, not even under its lease for long', async t => {
  const cluster = Cluster.of(NAMES)
  const leads = cluster.elect()
  cluster.isolate(leads)
  cluster.run(460)
  const tokens = [true, false].map(lease => cluster.wish(leads, token => ({on: 'read', token, lease})))
  cluster.run(5000)
  for (const token of tokens) t.not(cluster.outcome(token), 'read-ready')
})

t.test('who does not lead serves no reads, and reads beyond the limit are refused', async t => {
  t.same(refusals(new Single(diskWith(NAMES, [1])).step(read(1))), ['not-leader'])
  const single = new Single(diskWith(NAMES, [1]), {limits: {readsInFlightMax: 1}})
  single.win('b')
  t.same(refusals(single.step(read(1), read(2))), ['too-many-in-flight'])
})
