import t from 'tap'
import {replaySnapshot} from '../../../src/core/gossip/snapshot.js'

const replay = (text: string, rejoinAfterLeave = false): ReturnType<typeof replaySnapshot> =>
  replaySnapshot(new TextEncoder().encode(text), rejoinAfterLeave)

t.test('the last word about each member counts, and the last clocks', t => {
  const restored = replay(
    'alive: a 10.0.0.1:8301\nclock: 3\nalive: two words 10.0.0.2:8301\nalive: v6 [fd00::1]:8301\n' +
      'not-alive: a\nevent-clock: 7\nquery-clock: 9\ncoordinate: {"Vec":[0]}\n# a comment\nclock: 5\n' +
      'alive: two words 10.0.0.3:8302\n',
  )
  t.same(restored, {
    clock: 5,
    eventClock: 7,
    queryClock: 9,
    members: [
      {name: 'two words', ip: '10.0.0.3', port: 8302},
      {name: 'v6', ip: 'fd00::1', port: 8301},
    ],
  })
  t.end()
})

t.test('a leave forgets what was before, unless one is to come back after it', t => {
  const text = 'alive: a 10.0.0.1:1\nclock: 3\nevent-clock: 4\nleave\nalive: b 10.0.0.2:1\n'
  t.match(replay(text), {clock: 0, eventClock: 0, members: [{name: 'b'}]})
  t.match(replay(text, true), {clock: 3, eventClock: 4, members: [{name: 'a'}, {name: 'b'}]})
  t.end()
})

t.test('a torn last line and lines that make no sense are skipped', t => {
  const restored = replay(
    'alive: a\nalive: b 10.0.0.1\nalive: c host:1\nalive: d 10.0.0.1:99999\nclock: -1\nclock: 99999999999999999999\n' +
      `alive: ${'x'.repeat(5000)} 10.0.0.1:1\n\n: \nnonsense\nalive: e 10.0.0.1:1\nclock: 2\nalive: torn 10.0.0.1:1`,
  )
  t.same(restored, {clock: 2, eventClock: 0, queryClock: 0, members: [{name: 'e', ip: '10.0.0.1', port: 1}]})
  t.end()
})
