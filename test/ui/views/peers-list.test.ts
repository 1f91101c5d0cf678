import t from 'tap'
import {clusterFacts} from '../../../src/core/diagnose/facts.js'
import {peersListJson, renderPeersList} from '../../../src/ui/views/peers-list.js'
import {makeTheme} from '../../../src/ui/views/theme.js'
import type {ServerObservation} from '../../../src/core/model/observation.js'
import {
  NOW_MS,
  addressOf,
  end,
  fleet,
  liveConsul,
  peerSet,
  peersList,
  silent,
  stoppedConsul,
  voter,
} from '../../helpers/fleet.js'
import {matchesGolden} from '../../helpers/golden.js'

const factsOf = (...servers: ServerObservation[]) =>
  clusterFacts(fleet({servers}), {nowMs: NOW_MS, ourVersion: '0.1.0', invocation: []})
const layout = {theme: makeTheme({unicode: true}), width: 80}
const abc = peerSet(['a', 'b', 'c'], 1)

t.test(
  'servers that agree are shown side by side, live or stopped, with where each belief comes from',
  async t => {
    const facts = factsOf(
      liveConsul('a', {configuration: abc, leader: 'a'}),
      liveConsul('b', {configuration: abc, leader: 'a'}),
      stoppedConsul('c', {configuration: abc}),
    )
    matchesGolden(t, `${renderPeersList(facts, layout)}\n`, 'peers-list/agreed.txt')
    t.equal(peersListJson(facts).agreed, true)
  },
)

t.test('what differs is marked, and a set that was not read is not known', async t => {
  const facts = factsOf(
    liveConsul('a', {configuration: abc, leader: ''}),
    liveConsul('b', {
      configuration: peerSet(['a', voter('b', {address: '10.9.9.9:8300'})], 80),
      end: end(85, 14),
      leader: '',
    }),
    silent('c'),
  )
  matchesGolden(t, `${renderPeersList(facts, layout)}\n`, 'peers-list/different.txt')
  t.equal(peersListJson(facts).agreed, false)
  t.equal(peersListJson(facts).servers[2]?.believed, null)
})

t.test('an empty list of old is a belief, not a missing reading', async t => {
  const left = stoppedConsul('a', {version: '0.6.4', facts: {peersFile: peersList([])}})
  const kept = stoppedConsul('b', {
    version: '0.6.4',
    facts: {peersFile: peersList(['b', 'c'].map(addressOf))},
  })
  matchesGolden(t, `${renderPeersList(factsOf(left, kept), layout)}\n`, 'peers-list/empty-list.txt')
})
