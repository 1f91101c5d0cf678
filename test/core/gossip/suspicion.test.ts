import t from 'tap'
import {Suspicion, suspicionMs} from '../../../src/core/gossip/suspicion.js'

// The table of memberlist's suspicion_test.go in its own unit: k 3, min 2 s, max 30 s
t.test('a suspicion shortens on a logarithmic scale with each confirmation, and never below its least', t => {
  const bounds = {expected: 3, minMs: 2000, maxMs: 30_000}
  const expected = [30_000, 16_000, 7810, 2000, 2000]
  expected.forEach((ms, confirmations) => t.equal(suspicionMs(confirmations, bounds), ms))
  t.equal(suspicionMs(0, {...bounds, expected: 0}), 2000, 'where nobody can confirm, nobody is waited for')
  t.end()
})

t.test('each accuser counts once, the first not at all, and no more than are expected', t => {
  const suspicion = new Suspicion({from: 'me', expected: 2, minMs: 4000, maxMs: 24_000, startedMs: 1000})
  t.equal(suspicion.deadlineMs, 25_000)
  t.notOk(suspicion.confirm('me'))
  t.ok(suspicion.confirm('a'))
  t.notOk(suspicion.confirm('a'))
  t.ok(suspicion.deadlineMs < 25_000)
  t.ok(suspicion.confirm('b'))
  t.equal(suspicion.deadlineMs, 5000)
  t.notOk(suspicion.confirm('c'))
  t.equal(suspicion.confirmations, 2)
  t.end()
})
