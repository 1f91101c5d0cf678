import t from 'tap'
import type {ServerObservation} from '../../../src/core/model/observation.js'
import {
  NOW_MS,
  addressOf,
  configOf,
  end,
  idOf,
  liveConsul,
  match,
  member,
  missing,
  peerSet,
  serviceOf,
  silent,
  stoppedConsul,
  storeOf,
  voter,
  withFacts,
} from '../../helpers/fleet.js'
import {plan, planned, ready, refusedWith, survivors, withLog} from './planning.js'

const abc = ['a', 'b', 'c']
const abcde = ['a', 'b', 'c', 'd', 'e']
const dead = (hosts: readonly string[]): ServerObservation[] => hosts.map(silent)

t.test('S14: a silent server that was not declared dead is refused, and named', async t => {
  const got = plan([...survivors(['a', 'b'], abcde), ...dead(['c', 'd', 'e'])], {remove: ['c', 'd']})
  t.equal(refusedWith(got), 'MISSING_UNDECLARED')
  if (got.kind === 'refused') t.match(got.hints.join('\n'), /--remove e/)
  const all = plan([...survivors(['a', 'b'], abcde), ...dead(['c', 'd', 'e'])], {remove: ['c', 'd', 'e']})
  t.equal(refusedWith(all), 'plan recovery-file')
})

t.test('a server that is removed and declared dead as well stands in the plan once', async t => {
  const intent = {remove: ['c', 'd', 'e'], declaredDead: ['c', 'd', 'e']}
  const got = plan([...survivors(['a', 'b'], abcde), ...dead(['c', 'd', 'e'])], intent)
  t.equal(refusedWith(got), 'plan recovery-file')
  if (got.kind === 'plan')
    t.same(
      got.plan.hosts.filter(host => host.role === 'dead').map(host => host.host),
      ['c', 'd', 'e'],
    )
})

t.test('S2: so many out of sight that they could lead elsewhere is refused with the arithmetic', async t => {
  const got = plan([...survivors(['a'], abc), ...dead(['b', 'c'])])
  t.equal(refusedWith(got), 'MAJORITY_ELSEWHERE')
  if (got.kind === 'refused') t.match(got.why, /2 of 3 voters \(b, c\).*2 are a quorum/)
})

t.test('S2: a peer that no host of the fleet stands for counts as out of sight', async t => {
  t.equal(refusedWith(plan(survivors(['a'], abc))), 'MAJORITY_ELSEWHERE')
  t.equal(
    refusedWith(plan(survivors(['a'], abc), {remove: [addressOf('b'), idOf('c')]})),
    'plan recovery-file',
  )
})

t.test('S14: a server declared dead whose process runs is refused', async t => {
  const fleet = [...survivors(['a', 'b'], abcde), ...dead(['c', 'd', 'e'])]
  const got = plan(fleet, {declaredDead: ['b'], remove: ['c', 'd', 'e']})
  t.equal(refusedWith(got), 'DEAD_BUT_ANSWERS')
})

t.test(
  'S14: a server declared dead that gossip has alive is refused, and one it has failed is not',
  async t => {
    const seeing = (status: 'alive' | 'failed') =>
      survivors(['a'], abc, {members: [member('a'), member('b', {status}), member('c', {status: 'failed'})]})
    const words = {remove: ['b', 'c']}
    t.equal(refusedWith(plan([...seeing('alive'), ...dead(['b', 'c'])], words)), 'DEAD_BUT_ANSWERS')
    t.equal(refusedWith(plan([...seeing('failed'), ...dead(['b', 'c'])], words)), 'plan recovery-file')
  },
)

t.test('a recovery is refused while there is a leader', async t => {
  const configuration = peerSet(abc, 5)
  const fleet = abc.map(host => ready(liveConsul, host, {configuration, leader: 'b'}))
  t.equal(refusedWith(plan(fleet, {keep: ['a']})), 'QUORUM_PRESENT')
})

t.test('a leader that only others name, and that does not answer, leaves it unsure', async t => {
  const stale = survivors(['a', 'b'], abcde, {leader: 'c'}).map(one =>
    one.api.self.kind === 'read' && one.api.self.value.raft !== undefined
      ? withFacts(one, {
          api: {self: {...one.api.self.value, raft: {...one.api.self.value.raft, lastContactMs: 9000}}},
        })
      : one,
  )
  t.equal(refusedWith(plan([...stale, ...dead(['c', 'd', 'e'])], {remove: ['c', 'd', 'e']})), 'LEADER_UNSURE')
})

t.test('two servers that both say they lead leave it unsure', async t => {
  const configuration = peerSet(abc, 5)
  const fleet = [
    ready(liveConsul, 'a', {configuration, leader: 'a'}),
    ready(liveConsul, 'b', {configuration, leader: 'b'}),
  ]
  t.equal(refusedWith(plan(fleet, {remove: [addressOf('c')]})), 'LEADER_UNSURE')
})

t.test('S15: a quorum that runs with one peer set and has no leader is not recovered', async t => {
  t.equal(refusedWith(plan(survivors(abc, abc))), 'LOOK_ALIKE')
  t.equal(refusedWith(plan([...survivors(['a', 'b'], abc), silent('c')], {remove: ['c']})), 'LOOK_ALIKE')
})

t.test('S15: servers that were away for too long are named, and their peer set is left alone', async t => {
  const lastSeenUnix = NOW_MS / 1000 - 30 * 86_400
  const away = survivors(abc, abc).map(server =>
    withFacts(server, {lastSeenUnix, api: {leader: missing(server.host, 'refused')}}),
  )
  t.match(plan(away), {kind: 'refused', code: 'LOOK_ALIKE', why: /away for too long/})
  const serving = survivors(abc, abc).map(server => withFacts(server, {lastSeenUnix}))
  t.notMatch(plan(serving), {why: /away/}, 'a server that answers has joined')
})

t.test('S15: a leader that cannot establish itself is named, and nothing is planned', async t => {
  const configuration = peerSet(abc, 5)
  const journal = {lines: 9, fromMs: undefined, toMs: undefined, matches: [match('establish-ca')]}
  const fleet = abc.map(host =>
    ready(liveConsul, host, {configuration, leader: 'a', facts: host === 'a' ? {journal} : {}}),
  )
  t.equal(refusedWith(plan(fleet, {remove: ['b']})), 'LOOK_ALIKE')
})

t.test('S8: a foreign history is not ranked but asked about', async t => {
  const [a] = survivors(['a'], abcde)
  const alone = peerSet(['b'], 1)
  const b = ready(liveConsul, 'b', {configuration: alone, end: end(40, 80), leader: ''})
  if (a === undefined) return
  const fleet = [withLog(a, 78, 42, [[20, 30]]), withLog(b, 40, 80, [[20, 79]]), ...dead(['c', 'd', 'e'])]
  const got = plan(fleet, {remove: ['c', 'd', 'e']})
  t.equal(refusedWith(got), 'SEVERAL_HISTORIES')
  if (got.kind === 'refused') t.match(got.why, /78 @ 42.*40 @ 80/)
  const chosen = planned(plan(fleet, {remove: ['c', 'd', 'e'], history: 'a'}))
  t.same(
    chosen.ranking.map(one => one.host),
    ['a'],
  )
  t.equal(chosen.hosts.find(host => host.host === 'b')?.role, 'set-aside')
})

t.test('S8: a much higher current term alone makes no other history', async t => {
  const fleet = [
    ...survivors(['a'], abcde),
    ...survivors(['b'], abcde, {term: 900}),
    ...dead(['c', 'd', 'e']),
  ]
  t.equal(refusedWith(plan(fleet, {remove: ['c', 'd', 'e']})), 'plan recovery-file')
})

t.test('S8: other datacenters are other histories', async t => {
  const fleet = survivors(['a', 'b'], abcde).map(one =>
    one.host === 'b' && one.api.self.kind === 'read'
      ? withFacts(one, {api: {self: {...one.api.self.value, datacenter: 'dc2'}}})
      : one,
  )
  t.equal(
    refusedWith(plan([...fleet, ...dead(['c', 'd', 'e'])], {remove: ['c', 'd', 'e']})),
    'SEVERAL_HISTORIES',
  )
})

t.test('the best log is not removed while it is reached', async t => {
  const [a, b] = survivors(['a', 'b'], abcde)
  if (a === undefined || b === undefined) return
  const fleet = [withLog(a, 70, 13), withLog(b, 78, 13), ...dead(['c', 'd', 'e'])]
  t.equal(refusedWith(plan(fleet, {remove: ['b', 'c', 'd', 'e']})), 'REMOVES_BEST_LOG')
  t.equal(refusedWith(plan(fleet, {remove: ['a', 'c', 'd', 'e']})), 'plan recovery-file')
})

t.test('S11: a live server is not removed when its quorum would go with it', async t => {
  const configuration = peerSet(abc, 5)
  const up = ['a', 'b'].map(host => ready(liveConsul, host, {configuration, leader: 'a'}))
  t.equal(refusedWith(plan([...up, silent('c')], {remove: ['b']})), 'BREAKS_QUORUM')
  t.equal(refusedWith(plan([...up, silent('c')], {remove: ['c']})), 'plan online')
})

t.test(
  'S11: a silent server that gossip has alive is not removed: the leader would add it again',
  async t => {
    const configuration = peerSet(abc, 5)
    const members = abc.map(host => member(host))
    const up = ['a', 'b'].map(host => ready(liveConsul, host, {configuration, leader: 'a', members}))
    t.equal(refusedWith(plan([...up, silent('c')], {remove: ['c']})), 'DEAD_BUT_ANSWERS')
  },
)

t.test('addresses and members are not changed by one plan', async t => {
  const got = plan(survivors(['a'], abc), {remove: ['b'], readdress: [{from: 'a', to: '10.0.0.9'}]})
  t.equal(refusedWith(got), 'MIXED_CHANGE')
})

t.test('an unknown word is refused with near names, an ambiguous one with its meanings', async t => {
  const got = plan(survivors(['a'], abc), {remove: ['10.0.0.22:8300']})
  t.equal(refusedWith(got), 'UNKNOWN_SERVER')
  if (got.kind === 'refused') t.match(got.hints.join(), /10\.0\.0\.2:8300/)
  t.equal(refusedWith(plan(survivors(['a'], abc), {remove: ['00000']})), 'UNKNOWN_SERVER')
  const prefix = plan(survivors(['a'], abc), {remove: ['00000002', '00000003-0000']})
  t.equal(refusedWith(prefix), 'plan recovery-file')
})

t.test('what the plan must know and could not read is named with its host', async t => {
  const others = dead(['b', 'c'])
  const words = {remove: ['b', 'c']}
  const cases: readonly (readonly [string, Parameters<typeof withFacts>[1], RegExp])[] = [
    ['UNREAD_FACT', {nodeId: missing('a', 'denied'), api: {self: missing('a', 'timed-out')}}, /node-id of a/],
    ['UNREAD_FACT', {files: missing('a', 'denied')}, /owner of the raft files on a/],
    ['NO_SERVICE_MANAGER', {service: missing('a', 'absent')}, /on a/],
    [
      'NO_ROOT',
      {reached: {transport: 'ssh', user: 'eve', root: 'none', sftp: true, forwarding: true}},
      /root on a/,
    ],
    [
      'UNSUPPORTED_STORE',
      {store: missing('a', 'unsupported', 'LMDB'), api: {self: missing('a', 'refused')}},
      /log of a/,
    ],
  ]
  const [a] = survivors(['a'], abc)
  if (a === undefined) return
  for (const [code, facts, text] of cases) {
    const got = plan([withFacts(a, facts), ...others], words)
    t.match(got, {kind: 'refused', code, why: text}, code)
  }
  const full = withFacts(a, {
    disk: {
      dataDir: '/var/consul',
      fileSystem: 'ext4',
      sizeBytes: 9e9,
      freeBytes: 0,
      freeInodes: 9,
      raftBytes: 5e6,
      readOnly: false,
    },
  })
  t.equal(refusedWith(plan([full, ...others], words)), 'NO_SPACE')
})

t.test('an unknown peer set is refused, not guessed', async t => {
  const [a] = survivors(['a'], abc)
  if (a === undefined || a.store.kind !== 'read') return
  const store = {...a.store.value, configurations: [], configurationsComplete: false}
  const blind = withFacts(a, {
    store: {...store, configurationsKnownFrom: end(70, 1).index},
    api: {self: missing('a', 'timed-out'), raftConfiguration: missing('a', 'timed-out')},
  })
  t.equal(refusedWith(plan([blind, ...dead(['b', 'c'])])), 'PEER_SET_UNKNOWN')
})

t.test('nobody with a log is no survivor, and a blank one cannot be kept by name', async t => {
  t.equal(refusedWith(plan(dead(abc))), 'NO_SURVIVOR')
  const blank = ready(stoppedConsul, 'b', {facts: {store: storeOf(), snapshots: []}})
  const got = plan([...survivors(['a'], abc), blank, silent('c')], {keep: ['a', 'b'], declaredDead: ['c']})
  t.equal(refusedWith(got), 'BLANK_SURVIVOR')
})

t.test('duplicate ids are two names of one server, or a clone', async t => {
  const servers = [voter('a'), voter('b'), voter('c'), voter('d'), voter('e')]
  const twins = survivors(['a', 'b'], []).map(one =>
    withFacts(ready(liveConsul, one.host, {configuration: {servers}, end: end(78, 13), leader: ''}), {
      nodeId: idOf('a'),
      api: {self: missing(one.host, 'refused')},
    }),
  )
  const got = plan([...twins, ...dead(['c', 'd', 'e'])], {remove: ['c', 'd', 'e']})
  t.equal(refusedWith(got), 'DUPLICATE_SERVER')
})

t.test('S4: a server that would rejoin blank and bootstrap by itself stands in the way', async t => {
  const seven = [...abcde, 'f', 'g']
  const kept = survivors(abc, seven, {}).map(one => withLog(one, one.host === 'a' ? 80 : 78, 13))
  const words = {remove: ['d', 'e', 'f', 'g']}
  const set = (config: Parameters<typeof configOf>[1]) =>
    kept.map(one => (one.host === 'b' ? withFacts(one, {config: configOf('b', config)}) : one))
  const rest = dead(['d', 'e', 'f', 'g'])
  t.equal(refusedWith(plan([...set({bootstrap: true}), ...rest], words)), 'BOOTSTRAP_SET')
  const flagged = set({bootstrapExpect: 1, bootstrapSource: 'flag'})
  t.equal(refusedWith(plan([...flagged, ...rest], words)), 'BOOTSTRAP_SET')
  t.equal(refusedWith(plan([...set({bootstrapExpect: 3}), ...rest], words)), 'plan best-log-alone')
})

t.test('a masked unit is not merely stopped', async t => {
  const configuration = peerSet(abc, 5)
  const fleet = (masked: boolean) => [
    ready(liveConsul, 'a', {configuration, leader: ''}),
    ready(stoppedConsul, 'b', {configuration, facts: {service: serviceOf({state: 'stopped', masked})}}),
    silent('c'),
  ]
  t.equal(refusedWith(plan(fleet(false))), 'plan start')
  t.equal(refusedWith(plan(fleet(true))), 'MISSING_UNDECLARED')
})

t.test('a masked unit that the plan must stop or start is refused with its host and the way out', async t => {
  const masked = (server: ServerObservation) =>
    withFacts(server, {service: serviceOf({state: 'running', mainPid: 412, masked: true})})
  const refuses = (got: ReturnType<typeof plan>, host: string) => {
    t.equal(refusedWith(got), 'NO_SERVICE_MANAGER')
    if (got.kind !== 'refused') return
    t.equal(
      got.why,
      `consul.service is masked on ${host}, and systemd neither holds nor starts a masked unit.`,
    )
    t.same(got.hints, [`systemctl unmask consul.service on ${host}`])
  }
  const five = (who: string) =>
    survivors(['a', 'b'], abcde).map(one => (one.host === who ? masked(one) : one))
  const rest = dead(['c', 'd', 'e'])
  refuses(plan([...five('b'), ...rest], {remove: ['c', 'd', 'e']}), 'b')
  refuses(plan([...five('b'), ...rest], {remove: ['b', 'c', 'd', 'e']}), 'b')
  const configuration = peerSet(abc, 5)
  const led = abc.map(host => ready(liveConsul, host, {configuration, leader: 'a'}))
  const online = (who: string) =>
    plan(
      led.map(one => (one.host === who ? masked(one) : one)),
      {remove: ['c']},
    )
  refuses(online('c'), 'c')
  t.equal(refusedWith(online('b')), 'plan online', 'a unit that the plan leaves alone may be masked')
})
