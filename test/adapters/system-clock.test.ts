import t from 'tap'
import {systemClock} from '../../src/adapters/system-clock.js'

t.test('a step of the machine’s clock neither shortens nor lengthens what is waited for', t => {
  const real = Date.now
  t.teardown(() => {
    Date.now = real
  })
  const before = systemClock.nowMs()
  t.ok(Math.abs(before - real()) < 60_000, 'it tells the time of day')
  for (const step of [3_600_000, -3_600_000]) {
    Date.now = () => real() + step
    t.ok(Math.abs(systemClock.nowMs() - before) < 60_000)
  }
  t.end()
})
