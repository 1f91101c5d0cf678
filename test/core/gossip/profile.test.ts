import t from 'tap'
import {Awareness} from '../../../src/core/gossip/awareness.js'
import {LAMPORT_MAX, LamportClock} from '../../../src/core/gossip/lamport.js'
import {
  pushPullMs,
  queryTimeoutMs,
  retransmitLimit,
  suspicionMinMs,
} from '../../../src/core/gossip/profile.js'

t.test('formulas grow with the pool as memberlist and serf have them', t => {
  t.same(
    [1, 2, 9, 10, 99, 100].map(members => retransmitLimit(3, members)),
    [3, 3, 3, 6, 6, 9],
  )
  t.same(
    [1, 10, 100].map(members => suspicionMinMs(3, members, 1000)),
    [3000, 3000, 6000],
  )
  t.same(
    [1, 32, 33, 65, 129].map(members => pushPullMs(1000, members)),
    [1000, 1000, 2000, 3000, 4000],
  )
  t.same(
    [1, 9, 10].map(members => queryTimeoutMs(200, members)),
    [3200, 3200, 6400],
  )
  t.end()
})

t.test('health stays within its bounds and stretches timeouts', t => {
  const awareness = new Awareness(8)
  t.equal(awareness.scaleMs(1000), 1000)
  awareness.add(-1)
  t.equal(awareness.health, 0)
  awareness.add(100)
  t.equal(awareness.health, 7)
  t.equal(awareness.scaleMs(1000), 8000)
  awareness.add(-2)
  t.equal(awareness.health, 5)
  t.end()
})

t.test('a Lamport clock passes what it witnesses, but follows no clock that cannot be honest', t => {
  const clock = new LamportClock()
  t.equal(clock.time, 1)
  t.equal(clock.increment(), 1)
  clock.witness(41)
  t.equal(clock.time, 42)
  clock.witness(30)
  t.equal(clock.time, 42)
  clock.witness(LAMPORT_MAX)
  clock.witness(Number.MAX_SAFE_INTEGER)
  t.equal(clock.time, 42)
  t.end()
})
