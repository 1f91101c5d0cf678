import t from 'tap'
import type {ServerObservation} from '../../../src/core/model/observation.js'
import {driftOf, expectedServers, fingerprintOf} from '../../../src/core/planning/fingerprint.js'
import {
  configOf,
  end,
  fleet,
  liveConsul,
  member,
  peerSet,
  silent,
  stoppedConsul,
  withFacts,
} from '../../helpers/fleet.js'
import {context, plan, planned, ready, survivors, withLog} from './planning.js'

const abcde = ['a', 'b', 'c', 'd', 'e']
const dead = ['c', 'd', 'e'].map(silent)
const kept = survivors(['a', 'b'], abcde)
const made = planned(plan([...kept, ...dead], {remove: ['c', 'd', 'e']}))
const drift = (servers: readonly ServerObservation[]): readonly string[] =>
  driftOf(made, fleet({servers}), context)
const changed = (
  host: string,
  change: (one: ServerObservation) => ServerObservation,
): ServerObservation[] => [...[...kept, ...dead].map(one => (one.host === host ? change(one) : one))]

t.test('nothing changed is no drift', async t => {
  t.same(drift([...kept, ...dead]), [])
})

t.test('a risen current term is no drift', async t => {
  const risen = survivors(['a', 'b'], abcde, {term: 99})
  t.same(drift([...risen, ...dead]), [])
})

t.test('a survivor that was stopped since is no drift: it would be stopped anyway', async t => {
  const stopped = ready(stoppedConsul, 'b', {configuration: peerSet(abcde, 5), end: end(78, 13)})
  t.same(drift(changed('b', () => stopped)), [])
})

t.test('the log end of a survivor is drift', async t => {
  t.match(drift(changed('a', one => withLog(one, 79, 14))), [/log of a ends at 79 @ 14; it was 78 @ 13/])
})

t.test('a changed peer set is drift', async t => {
  const [b] = survivors(['b'], ['a', 'b', 'c'])
  t.match(drift(changed('b', one => b ?? one)), [/peer set of b has changed/])
})

t.test('a server declared dead whose host answers is drift', async t => {
  const back = ready(stoppedConsul, 'd', {configuration: peerSet(abcde, 5)})
  t.match(drift(changed('d', () => back)), [/d was declared dead, and its host answers/])
})

t.test('a server declared dead that gossip has alive is drift', async t => {
  const seen = changed('a', one => withFacts(one, {api: {members: [member('a'), member('e')]}}))
  t.match(drift(seen), [/e was declared dead, and a has it as an alive member/])
})

t.test('a survivor that does not answer any more is drift', async t => {
  t.match(drift(changed('b', () => silent('b'))), [/b does not answer any more/])
})

t.test('another datacenter is drift', async t => {
  const other = [...kept, ...dead].map(one =>
    withFacts(one, {
      config: configOf(one.host, {datacenter: 'dc9'}),
      ...(one.api.self.kind === 'read' ? {api: {self: {...one.api.self.value, datacenter: 'dc9'}}} : {}),
    }),
  )
  t.match(drift(other), [/datacenter is dc9; the plan is for dc1/])
})

t.test('a leader that appeared is drift for a plan that rests on there being none', async t => {
  const leading = survivors(['a', 'b'], abcde, {leader: 'a'})
  t.match(drift([...leading, ...dead]), [/a leads now/])
})

t.test('while a leader serves, log ends move and are no drift for an online removal', async t => {
  const configuration = peerSet(abcde, 5)
  const up = (index: number) =>
    ['a', 'b', 'c', 'e'].map(host =>
      ready(liveConsul, host, {configuration, leader: 'b', end: end(index, 13)}),
    )
  const online = planned(plan([...up(78), silent('d')], {remove: ['d']}))
  t.same(driftOf(online, fleet({servers: [...up(99), silent('d')]}), context), [])
  const leaderless = ['a', 'b', 'c', 'e'].map(host => ready(liveConsul, host, {configuration, leader: ''}))
  t.match(driftOf(online, fleet({servers: [...leaderless, silent('d')]}), context), [/no leader any more/])
})

t.test('the fingerprint covers expectations and identity, and survives a round through JSON', async t => {
  const expected = expectedServers(fleet({servers: [...kept, ...dead]}), context)
  t.equal(fingerprintOf(expected, made.identity, context), made.fingerprint)
  const again = JSON.parse(JSON.stringify(made)) as typeof made
  t.equal(fingerprintOf(again.expected, again.identity, context), made.fingerprint)
  t.not(fingerprintOf(expected.slice(1), made.identity, context), made.fingerprint)
  t.same(driftOf(again, fleet({servers: [...kept, ...dead]}), context), [])
})
