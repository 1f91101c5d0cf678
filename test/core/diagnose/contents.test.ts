import t from 'tap'
import {diagnose} from '../../../src/core/diagnose/diagnose.js'
import type {ContentsComparison} from '../../../src/core/model/contents.js'
import {logIndex} from '../../../src/core/model/ids.js'
import type {ServerObservation} from '../../../src/core/model/observation.js'
import {NOW_MS, fleet, liveConsul, missing, peerSet, stoppedConsul} from '../../helpers/fleet.js'

const abc = peerSet(['a', 'b', 'c'], 1)
const live = (host: string): ServerObservation => liveConsul(host, {configuration: abc, leader: 'a'})
const whole = {hosts: ['a', 'b', 'c'], upTo: logIndex(90), keys: 200, same: 200, moving: 0, doubtful: 0}

/** What the verdict says beyond the arithmetic. */
function openOf(servers: readonly ServerObservation[], contents?: Partial<ContentsComparison>): string {
  const compared = contents === undefined ? {} : {contents: {...whole, divergent: undefined, ...contents}}
  const {sentence} = diagnose(
    {...fleet({servers}), ...compared},
    {nowMs: NOW_MS, ourVersion: '0.1.0', invocation: []},
  )
  return sentence.split('Leader a, term 13.')[1]?.trim() ?? `?? ${sentence}`
}

const abcLive = ['a', 'b', 'c'].map(live)

t.test('a verdict on servers that follow a leader says when their contents were not compared', async t => {
  t.equal(
    openOf(abcLive),
    'The contents of a, b and c were not compared (not-asked), so whether all servers hold the same is not known.',
  )
  const denied = liveConsul('c', {
    configuration: abc,
    leader: 'a',
    facts: {api: {contents: missing('c', 'denied', 'Permission denied')}},
  })
  t.equal(
    openOf([live('a'), live('b'), denied], {hosts: ['a', 'b']}),
    'The contents of c were not compared (denied: Permission denied), so whether all servers hold the same is not known.',
  )
})

t.test('it says how much was compared where writes went on, and what is still open', async t => {
  t.equal(
    openOf(abcLive, {same: 196, moving: 4}),
    '196 of 200 keys, up to index 90, are the same on all servers; the others changed while they were compared.',
  )
  t.match(
    openOf(abcLive, {same: 0, moving: 200}),
    /^Whether all servers hold the same is not known: 0 of 200/,
  )
  t.match(
    openOf(abcLive, {same: 198, doubtful: 2}),
    /^Whether all servers hold the same is not known: of 200 keys, 2 looked different/,
  )
})

t.test(
  'it says nothing more where all were compared, where a finding does, or where one server is alone',
  async t => {
    t.equal(openOf(abcLive, {}), '')
    t.equal(openOf(abcLive, {same: 199, divergent: {keys: 1, sides: [['a', 'b'], ['c']], examples: []}}), '')
    const stopped = ['b', 'c'].map(host => stoppedConsul(host, {configuration: abc}))
    t.notMatch(openOf([live('a'), ...stopped]), /contents/)
  },
)
