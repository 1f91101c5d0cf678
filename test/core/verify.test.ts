import t from 'tap'
import type {ContentsComparison} from '../../src/core/model/contents.js'
import {logIndex, serverAddress, serverId} from '../../src/core/model/ids.js'
import type {FleetObservation, ServerObservation} from '../../src/core/model/observation.js'
import type {Plan, PlanHost, Step} from '../../src/core/model/plan.js'
import {valueOf} from '../../src/core/model/reading.js'
import type {Check, Verdict} from '../../src/core/model/verdict.js'
import {shortcomings} from '../../src/core/model/verdict.js'
import {judge} from '../../src/core/verify.js'
import {expectationOf} from '../../src/core/verifying/expectation.js'
import type {WriteTrial} from '../../src/core/verifying/expectation.js'
import {configOf, missing, peersList, withFacts} from '../helpers/fleet.js'
import type {ServerFacts} from '../helpers/fleet.js'
import {paths} from '../model/disk.js'
import {observe} from '../model/observe.js'
import type {Identity} from '../model/server.js'
import {asVoter} from '../model/server.js'
import {World} from '../model/world.js'

const names = ['a', 'b', 'c']

/** A cluster of three that was recovered from five and works, and its plan. */
function recovered(version: Identity['version']): {world: World; plan: Plan} {
  const world = new World(version, names)
  world.seed(names, {a: 9, b: 9, c: 9})
  for (const name of names) world.start(name)
  world.pass(10_000)
  const after = {servers: names.map(name => asVoter(world.host(name).identity))}
  const dead = {
    id: serverId('10.0.0.9:8300'),
    address: serverAddress('10.0.0.9:8300'),
    suffrage: 'voter',
  } as const
  const steps: Step[] = names.map(name => ({
    id: `6.${name}.write-file`,
    host: name,
    action: {
      do: 'write-file',
      path: paths.peers,
      text: '',
      sha256: '',
      mode: 0o644,
      owner: {uid: 1, gid: 1},
      replaces: undefined,
    },
    requires: [],
    undo: '',
  }))
  const plan = {
    hosts: names.map(
      name =>
        ({
          host: name,
          role: 'included',
          rejoins: false,
          id: String(asVoter(world.host(name).identity).id),
          address: world.host(name).identity.address,
          service: {masked: false},
        }) as PlanHost,
    ),
    before: {servers: [...after.servers, dead]},
    after,
    phases: [{name: 'write', number: 6, steps}],
  } as unknown as Plan
  return {world, plan}
}

/** Samples of a minute and more, five seconds apart; `twist` changes what each shows of one server. */
function sample(
  world: World,
  twist: (server: ServerObservation, number: number) => ServerFacts = () => ({}),
  count = 15,
): FleetObservation[] {
  return Array.from({length: count}, (_, number) => {
    world.pass(5000)
    const fleet = observe(world)
    return {...fleet, servers: fleet.servers.map(server => withFacts(server, twist(server, number)))}
  })
}

const wrote: WriteTrial = {atMs: 0, result: 'ok', note: ''}

function verdictOn(
  plan: Plan,
  samples: readonly FleetObservation[],
  parts: {writes?: readonly WriteTrial[]; afterMs?: number} = {},
): Verdict {
  const nowMs = samples.at(-1)?.finishedAtMs ?? 0
  const startedAtMs = nowMs - (parts.afterMs ?? 70_000)
  return judge(expectationOf(plan, new Set()), samples, {
    ...{nowMs, startedAtMs, reconcileMs: 60_000, settleMs: 90_000},
    writes: parts.writes ?? [wrote],
  })
}

const on =
  (host: string, facts: (server: ServerObservation) => ServerFacts) =>
  (server: ServerObservation): ServerFacts =>
    server.host === host ? facts(server) : {}

/** The agent's answer with other raft statistics. */
function stats(server: ServerObservation, raft: Record<string, unknown>): ServerFacts {
  const self = valueOf(server.api.self)
  if (self?.raft === undefined) throw new Error('no statistics')
  return {api: {self: {...self, raft: {...self.raft, ...raft}}}}
}

const wrong = (verdict: Verdict): readonly string[] =>
  verdict.checks.filter((check: Check) => check.state === 'wrong').map(check => check.name)

t.test('a recovered cluster is verified after one reconcile interval and not before', async t => {
  for (const version of ['0.6.4', '0.7.5', '1.8.19'] as const) {
    const {world, plan} = recovered(version)
    const samples = sample(world)
    const verdict = verdictOn(plan, samples)
    t.same([version, verdict.verdict, shortcomings(verdict)], [version, 'verified', []])
    const early = verdictOn(plan, samples.slice(0, 12))
    t.equal(early.verdict, 'converging', `${version}: 55 s are not 60`)
    t.match(shortcomings(early).join(), /raft and serf name the same servers, for 55 s of 60 s/)
  }
})

t.test('a file deleted unread fails at once: gone, and the old peer set in force', async t => {
  const {world, plan} = recovered('1.8.19')
  const unreadFile = on('b', server => stats(server, {latestConfiguration: plan.before, numPeers: 3}))
  const verdict = verdictOn(plan, sample(world, unreadFile), {afterMs: 20_000})
  t.equal(verdict.verdict, 'failed')
  t.match(
    shortcomings(verdict)[0],
    /^b: peers.json was deleted unread: the peer set is still .*10\.0\.0\.9:8300/,
  )
})

t.test('a file that is still there is waited for, and fails when it was not taken in time', async t => {
  const {world, plan} = recovered('1.8.19')
  const there = on('b', () => ({peersFile: peersList(['10.0.0.1:8300'])}))
  t.equal(verdictOn(plan, sample(world, there)).verdict, 'converging')
  const late = verdictOn(plan, sample(world, there), {afterMs: 90_000})
  t.same([late.verdict, wrong(late)], ['failed', ['file taken']])
})

t.test('a wrong id that was accepted fails: the server will never stand for election', async t => {
  const {world, plan} = recovered('1.8.19')
  const servers = plan.after.servers.map(server =>
    String(server.address) === '10.0.0.2:8300'
      ? {...server, id: serverId('ffffffff-0000-4000-8000-000000000000')}
      : server,
  )
  const wrongId = {...plan, after: {servers}}
  const accepted = (server: ServerObservation): ServerFacts => stats(server, {latestConfiguration: {servers}})
  const verdict = verdictOn(wrongId, sample(world, accepted), {afterMs: 20_000})
  t.equal(verdict.verdict, 'failed')
  t.same(wrong(verdict), ['own id'])
  t.match(shortcomings(verdict)[0], /^b: its peer set names it ffffffff.*its own id is 00000002/)
})

t.test('one server with another set fails once there was time to learn the right one', async t => {
  const {world, plan} = recovered('1.8.19')
  const other = {servers: plan.after.servers.slice(0, 2)}
  const twist = on('c', server => stats(server, {latestConfiguration: other}))
  t.equal(verdictOn(plan, sample(world, twist)).verdict, 'converging')
  const late = verdictOn(plan, sample(world, twist), {afterMs: 90_000})
  t.equal(late.verdict, 'failed')
  t.ok(wrong(late).includes('peer set'))
  const reordered = on('c', server =>
    stats(server, {latestConfiguration: {servers: [...plan.after.servers].reverse()}}),
  )
  t.equal(
    verdictOn(plan, sample(world, reordered)).verdict,
    'verified',
    'the order of a peer set means nothing',
  )
})

t.test('raft unlike serf after 90 s fails; a gap that closes restarts the interval', async t => {
  const {world, plan} = recovered('1.8.19')
  const lone = on('c', server => ({
    api: {members: (valueOf(server.api.members) ?? []).filter(member => member.name === 'c')},
  }))
  const early = verdictOn(plan, sample(world, lone))
  t.equal(early.verdict, 'converging')
  const late = verdictOn(plan, sample(world, lone), {afterMs: 90_000})
  t.same([late.verdict, wrong(late)], ['failed', ['raft = serf']])
  t.match(shortcomings(late)[0], /c: 10\.0\.0\.1:8300, 10\.0\.0\.2:8300 in raft, not alive in serf/)
  const once = verdictOn(
    plan,
    sample(world, (server, number) => (number === 5 ? lone(server) : {})),
    {afterMs: 100_000},
  )
  t.equal(once.verdict, 'converging')
  t.match(shortcomings(once).join(), /for 40 s of 60 s/)
  const client = (server: ServerObservation): ServerFacts => ({
    api: {
      members: [
        ...(valueOf(server.api.members) ?? []),
        ...(valueOf(server.api.members) ?? [])
          .slice(0, 1)
          .map(member => ({...member, name: 'w', server: false, raftAddress: undefined})),
        ...(valueOf(server.api.members) ?? []).slice(0, 1).map(member => ({
          ...member,
          name: 'd',
          status: 'failed' as const,
          raftAddress: serverAddress('10.0.0.9:8300'),
        })),
      ],
    },
  })
  t.equal(
    verdictOn(plan, sample(world, client)).verdict,
    'verified',
    'clients and failed members are no objection',
  )
})

t.test('a leader that cannot write fails; one that we may not try is told, not guessed', async t => {
  const {world, plan} = recovered('1.8.19')
  const failing: WriteTrial = {atMs: 0, result: 'failed', note: '500 rpc error'}
  t.equal(verdictOn(plan, sample(world), {writes: [failing]}).verdict, 'converging')
  const late = verdictOn(plan, sample(world), {writes: [wrote, failing], afterMs: 90_000})
  t.same([late.verdict, wrong(late)], ['failed', ['write']])
  t.match(shortcomings(late)[0], /the leader cannot write: 500 rpc error/)
  t.equal(verdictOn(plan, sample(world), {writes: []}).verdict, 'converging', 'not tried yet')
  const denied = verdictOn(plan, sample(world), {
    writes: [{...failing, result: 'not-allowed'}],
    afterMs: 99_000,
  })
  t.equal(denied.verdict, 'verified')
  t.match(shortcomings(denied).join(), /a test key could not be tried/)
  t.equal(verdictOn(plan, sample(world), {writes: [failing, wrote], afterMs: 99_000}).verdict, 'verified')
})

t.test('a leader that cannot write since its commits stand still is told with both ends', async t => {
  const failing: WriteTrial = {atMs: 0, result: 'failed', note: 'No answer in time.'}
  for (const [version, advice] of [
    ['1.8.19', false],
    ['0.6.4', true],
  ] as const) {
    const {world, plan} = recovered(version)
    const seen = sample(world, server => {
      const raft = valueOf(server.api.self)?.raft
      return raft?.role === 'leader'
        ? stats(server, {commitIndex: 2, lastLogIndex: raft.lastLogIndex + 9})
        : {}
    })
    const late = verdictOn(plan, seen, {writes: [failing], afterMs: 99_000})
    t.equal(late.verdict, 'failed')
    t.match(
      shortcomings(late).join(),
      /cannot write: No answer in time\.; the log of \S+ ends at \d+ and stays committed at 2/,
    )
    t.equal(/restart it/.test(shortcomings(late).join()), advice)
  }
})

t.test('servers that agree on everything but contents fail', async t => {
  const {world, plan} = recovered('1.8.19')
  const whole = sample(world)
  const [first] = whole
  if (first?.contents === undefined) throw new Error('no contents')
  t.match(first.contents, {hosts: names, keys: 8, same: 8})
  const judgeWith = (changes: Partial<ContentsComparison>, from = 0) => {
    const samples = whole.map((one, number) =>
      one.contents === undefined || number < from ? one : {...one, contents: {...one.contents, ...changes}},
    )
    return verdictOn(plan, samples, {afterMs: 10_000})
  }
  const divergent = {
    keys: 1,
    sides: [['a', 'b'], ['c']],
    examples: [
      {
        key: 'k1',
        seen: [
          {host: 'a', modified: 3, sum: 'x'},
          {host: 'b', modified: 3, sum: 'x'},
          {host: 'c', modified: undefined, sum: undefined},
        ],
      },
    ],
  }
  const other = judgeWith({same: 7, divergent})
  t.same([other.verdict, wrong(other)], ['failed', ['contents']])
  t.match(
    shortcomings(other)[0],
    /contents differ in 1 of 8 keys up to index 10: a and b \(8 keys\) \| c \(8 keys\); for example, "k1" is of index 3 on a and b, missing on c/,
  )
  t.equal(judgeWith({same: 7, divergent}, 14).verdict, 'failed', 'the last sample is enough')
  const doubt = judgeWith({same: 7, doubtful: 1})
  t.equal(doubt.verdict, 'converging')
  t.match(shortcomings(doubt).join(), /1 of 8 keys look different, and no second reading has decided it yet/)
  t.equal(judgeWith({hosts: ['a', 'b']}).verdict, 'converging', 'c was not compared')
})

t.test('contents of a busy cluster are the same when all that was committed before was compared', async t => {
  const {world, plan} = recovered('1.8.19')
  const whole = sample(world)
  const busy = (upTo: number, same: number) =>
    verdictOn(
      plan,
      whole.map(one =>
        one.contents === undefined
          ? one
          : {...one, contents: {...one.contents, upTo: logIndex(upTo), same, moving: 8 - same}},
      ),
    )
  const compared = busy(10, 6)
  t.equal(compared.verdict, 'verified')
  t.match(
    compared.checks.find(({name}) => name === 'contents')?.text,
    '6 of 8 keys, up to index 10, are the same on every server; the others changed while they were compared',
  )
  t.equal(busy(9, 6).verdict, 'converging', '10 was committed when the verification began')
  t.equal(busy(10, 0).verdict, 'converging', 'nothing was compared')
})

t.test('contents that may not be read are told and hold nothing up, those that were late do', async t => {
  const {world, plan} = recovered('1.8.19')
  const without = (samples: readonly FleetObservation[]): readonly FleetObservation[] =>
    samples.map(({contents: _, ...one}) => one)
  const denied = verdictOn(plan, without(sample(world, () => ({api: {contents: missing('x', 'denied')}}))))
  t.equal(denied.verdict, 'verified')
  t.match(shortcomings(denied).join(), /may not be read by us, so they were not compared/)
  const late = on('a', () => ({api: {contents: missing('a', 'timed-out')}}))
  const notYet = verdictOn(plan, without(sample(world, late)))
  t.equal(notYet.verdict, 'converging')
  t.match(shortcomings(notYet).join(), /the contents of a, b, c were not compared yet/)
})

t.test(
  'no leader, two leaders, a leader outside the peer set and a candidate are no verified cluster',
  async t => {
    const {world, plan} = recovered('1.8.19')
    const leaderless = (server: ServerObservation): ServerFacts => ({
      api: {...stats(server, {role: 'candidate'}).api, leader: serverAddress('')},
    })
    const none = verdictOn(plan, sample(world, leaderless), {afterMs: 120_000})
    t.equal(none.verdict, 'converging', 'an election may take longer than we wait')
    t.match(shortcomings(none).join(), /no server knows a leader/)
    const follower = names.find(name => world.host(name).running?.role === 'follower') ?? ''
    const two = verdictOn(
      plan,
      sample(
        world,
        on(follower, server => stats(server, {role: 'leader'})),
      ),
      {afterMs: 1000},
    )
    t.same(two.verdict, 'failed', 'two leaders of one term')
    const foreign = (): ServerFacts => ({api: {leader: serverAddress('10.0.0.9:8300')}})
    t.same(wrong(verdictOn(plan, sample(world, foreign), {afterMs: 90_000})), ['leader'])
    const candidate = on(follower, server => stats(server, {role: 'candidate'}))
    t.equal(verdictOn(plan, sample(world, candidate), {afterMs: 90_000}).verdict, 'converging')
  },
)

t.test(
  'a follower that stays behind, a server that is down and a manager still held fail in the end',
  async t => {
    const {world, plan} = recovered('1.8.19')
    const follower = names.find(name => world.host(name).running?.role === 'follower') ?? ''
    const behind = on(follower, server => stats(server, {lastLogIndex: 3}))
    t.same(wrong(verdictOn(plan, sample(world, behind), {afterMs: 90_000})), ['logs'])
    t.equal(verdictOn(plan, sample(world, behind)).verdict, 'converging')
    const down = on(follower, () => ({
      processes: [],
      api: {leader: missing('x', 'refused'), self: missing('x', 'refused')},
    }))
    t.ok(wrong(verdictOn(plan, sample(world, down), {afterMs: 90_000})).includes('up'))
    const silent = on(follower, () => ({
      processes: missing('x', 'timed-out'),
      api: {leader: missing('x', 'timed-out')},
    }))
    t.equal(
      verdictOn(plan, sample(world, silent), {afterMs: 90_000}).verdict,
      'converging',
      'no answer is not down',
    )
    const held = on('a', () => ({traces: [{kind: 'hold', plan: 'p', path: '/run/x', text: ''}]}))
    t.same(wrong(verdictOn(plan, sample(world, held), {afterMs: 90_000})), ['manager'])
    const counts = on(follower, server => stats(server, {numPeers: 3}))
    t.same(wrong(verdictOn(plan, sample(world, counts), {afterMs: 90_000})), ['peer count'])
  },
)

t.test(
  'up to Consul 0.6 a bootstrap setting left behind fails, and the live list must be as planned',
  async t => {
    const {world, plan} = recovered('0.6.4')
    const leftover = on('a', () => ({
      config: configOf('a', {bootstrapExpect: 1, bootstrapSource: '/etc/consul.d/zz.json'}),
    }))
    const verdict = verdictOn(plan, sample(world, leftover), {afterMs: 5000})
    t.same([verdict.verdict, wrong(verdict)], ['failed', ['bootstrap']])
    const list = on('b', () => ({peersFile: peersList(['10.0.0.1:8300', '10.0.0.9:8300', '10.0.0.2:8300'])}))
    t.same(wrong(verdictOn(plan, sample(world, list), {afterMs: 90_000})), ['file taken'])
    const emptied = on('b', () => ({peersFile: missing('b', 'absent')}))
    t.same(wrong(verdictOn(plan, sample(world, emptied), {afterMs: 5000})), ['file taken'])
  },
)
