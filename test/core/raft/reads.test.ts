import t from 'tap'
import {Cluster, configurationOf} from './cluster.js'
import {
  Single,
  accept,
  appends,
  configurationEntry,
  diskWith,
  only,
  refusals,
  reject,
  responses,
  sends,
} from './single.js'

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
function answerBeats(
  single: Single,
  effects: ReturnType<Single['step']>,
  answer = accept(2),
): ReturnType<Single['step']> {
  return sends(effects, 'append', 'heartbeat')
    .filter(one => one.to.id === 'b')
    .flatMap(one => single.answer(one.requestId, answer))
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

t.test('a lease lasts no longer than a peer promises, which may have less patience than we have', async t => {
  const single = leader()
  const {nowMs: startMs} = single
  answerBeats(single, single.tick(150), accept(2, 300))
  t.equal(single.node.leaseUntilMs(), startMs + 450, 'what was promised before still holds')
  answerBeats(single, single.tick(150), accept(2, 300))
  const untilMs = single.node.leaseUntilMs()
  t.ok(untilMs > startMs + 450 && untilMs <= single.nowMs + 270, 'a tenth less than what it says')
  t.same(served(single.step(read(1, true))), [1])
  single.tick(270)
  t.equal(single.status.role, 'leader')
  t.same(served(single.step(read(2, true))), [])
})

t.test('peers that promise nothing give no lease: a read costs a round of heartbeats', async t => {
  const single = new Single(diskWith(NAMES, [1]))
  const silent = {rpc: 'append', term: 2, lastIndex: 0, success: true, noRetryBackoff: false} as const
  const effects = single.win('b')
  single.write()
  single.answer(appends(effects, 'b')[0]?.requestId ?? 0, silent)
  single.apply()
  answerBeats(single, effects, silent)
  t.equal(single.node.leaseUntilMs(), -Infinity)
  const asked = single.step(read(1, true))
  t.same(served(asked), [])
  t.same(served(answerBeats(single, asked, silent)), [1])
})

t.test('a peer of less patience is sent heartbeats as often as it needs, within reason', async t => {
  const beatsWhen = (loyalMs: number): number => {
    const single = leader()
    let count = 0
    for (let at = 0; at < 100; at++) {
      const beats = sends(single.tick(10), 'append', 'heartbeat').filter(one => one.to.id === 'b')
      count += beats.length
      for (const {requestId} of beats) single.answer(requestId, accept(2, loyalMs))
    }
    return count
  }
  t.ok(beatsWhen(1000) < 15)
  t.ok(beatsWhen(200) > 20)
  t.ok(beatsWhen(0) <= 100, 'nobody makes us send without end')
})

t.test('a promise of the life before the start outlasts a timeout that was set shorter', async t => {
  const restarted = (loyalAtStartMs: number): Single =>
    new Single(diskWith(NAMES, [1]), {
      heartbeatTimeoutMs: 200,
      electionTimeoutMs: 200,
      leaderLeaseMs: 100,
      loyalAtStartMs,
    })
  const granted = (single: Single): boolean =>
    responses(single.preVote({term: 2, from: 'c'})).some(one => 'granted' in one && one.granted)
  const single = restarted(1000)
  single.step({on: 'tick'})
  single.tick(500)
  t.notOk(granted(single), 'it votes for nobody')
  single.append({term: 1})
  single.tick(450)
  t.equal(single.status.role, 'follower', 'and does not stand')
  t.notOk(granted(single), 'nor does a leader that it hears meanwhile make the time shorter')
  single.tick(1000)
  t.not(single.status.role, 'follower')
  const short = restarted(0)
  short.step({on: 'tick'})
  short.tick(201)
  t.ok(granted(short))
})

t.test('a server whose peer is being removed waits for it all the same', async t => {
  const two = diskWith(['a', 'b'], [1])
  const sole = {...two, entries: [...two.entries, configurationEntry(2, 1, configurationOf('a'))]}
  const single = new Single(sole)
  single.step({on: 'tick'})
  t.equal(single.status.role, 'follower', 'b may have a lease that rests on us')
  single.tick(2000)
  single.write()
  t.equal(single.status.role, 'leader')
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
