import t from 'tap'
import type {ServerObservation} from '../../../src/core/model/observation.js'
import {parseExcludedRecord} from '../../../src/core/codec/excluded-record.js'
import type {Plan} from '../../../src/core/model/plan.js'
import {
  NOW_MS,
  addressOf,
  configOf,
  end,
  fleet,
  idOf,
  liveConsul,
  member,
  missing,
  nonvoter,
  oldPeerSet,
  peerSet,
  peersList,
  peersObjects,
  silent,
  stoppedConsul,
  storeOf,
  voter,
  withFacts,
} from '../../helpers/fleet.js'
import {planPeersFix} from '../../../src/core/planning/peers-fix.js'
import {
  context,
  intent,
  outline,
  plan,
  planned,
  ready,
  recordsOf,
  refusedWith,
  stepsOf,
  survivors,
  withLog,
  writesOf,
} from './planning.js'

const abc = ['a', 'b', 'c']
const abcde = ['a', 'b', 'c', 'd', 'e']
const seven = [...abcde, 'f', 'g']
const dead = (hosts: readonly string[]): ServerObservation[] => hosts.map(silent)
const place = (of: Plan, phase: string): number => of.phases.findIndex(one => one.name === phase)

/** Three of seven kept, a ahead of b and c. */
const aheadOfTwo = (): Plan => {
  const kept = survivors(abc, seven).map(one => withLog(one, one.host === 'a' ? 80 : 78, 13))
  return planned(plan([...kept, ...dead(['d', 'e', 'f', 'g'])], {remove: ['d', 'e', 'f', 'g']}))
}
const twoOfFive = (change: (one: ServerObservation) => ServerObservation = one => one): Plan =>
  planned(
    plan([...survivors(['a', 'b'], abcde).map(change), ...dead(['c', 'd', 'e'])], {remove: ['c', 'd', 'e']}),
  )

const old = {version: '0.6.4'} as const
const oldSurvivors = (hosts: readonly string[], of: readonly string[]): ServerObservation[] =>
  hosts.map(host => ready(liveConsul, host, {...old, configuration: oldPeerSet(of), leader: ''}))
const oldDeadWords = (hosts: readonly string[]) => ({remove: hosts.map(addressOf)})

t.test('S1: every server in the recovery file is written to, with the same bytes', async t => {
  const got = twoOfFive()
  const files = writesOf(got).flatMap(step =>
    step.action.do === 'write-file' ? [{host: step.host, ...step.action}] : [],
  )
  t.same(
    files.map(file => file.host),
    ['a', 'b'],
  )
  t.same([...new Set(files.map(file => file.text))].length, 1)
  for (const server of got.after.servers) t.ok(files[0]?.text.includes(server.id))
})

t.test('S1, S10: each write demands every host locked, held and stopped, and each fence done', async t => {
  const got = aheadOfTwo()
  const first = writesOf(got).find(step => step.action.do === 'write-file')
  t.same(first?.requires, [
    {is: 'locked', hosts: abc},
    {is: 'held', hosts: abc},
    {is: 'stopped', hosts: abc},
    {is: 'file-absent', host: 'b', path: '/var/consul/raft'},
    {is: 'file-absent', host: 'c', path: '/var/consul/raft'},
  ])
  t.ok(place(got, 'fence') < place(got, 'write'), 'fencing is finished before the first byte')
})

t.test(
  'S2: who is excluded without a fence is noted on every included host, before anything else is written',
  async t => {
    const got = twoOfFive()
    const records = recordsOf(got)
    t.same(
      records.map(step => step.host),
      ['a', 'b'],
    )
    for (const host of ['a', 'b']) {
      const first = stepsOf(got).find(step => step.host === host && step.action.do === 'write-file')
      t.ok(first !== undefined && records.includes(first), `first on ${host}`)
    }
    const [action] = records.map(step => step.action)
    if (action?.do !== 'write-file') throw new Error('no record')
    t.match(action, {
      path: `/var/lib/quorate/excluded-${got.id}`,
      mode: 0o644,
      owner: {uid: 0, gid: 0},
      replaces: undefined,
      sha256: context.sha256(action.text),
    })
    const record = parseExcludedRecord(action.text)
    t.match(record, {plan: got.id, cluster: 'test'})
    t.same(
      record?.servers.map(({id, address, name}) => [id, address, name]),
      ['c', 'd', 'e'].map(host => [idOf(host), addressOf(host), host]),
    )
    t.match(
      record?.arithmetic,
      /^3 of 5 voters are dead and not fenced: together they are a quorum \(3 of 5\)/,
    )
    const aside = planned(
      plan([...survivors(abc, seven), ...dead(seven.slice(3))], {remove: seven.slice(3), keep: ['a', 'b']}),
    )
    const [other] = recordsOf(aside).map(step => step.action)
    t.match(
      other?.do === 'write-file' ? parseExcludedRecord(other.text)?.servers.map(one => one.name) : [],
      ['d', 'e', 'f', 'g'],
      'who is set aside is fenced and not among them',
    )
  },
)

t.test(
  'S2: servers removed online while they are silent are noted on those that stay, where root may write',
  async t => {
    const configuration = peerSet(abcde, 5)
    const up = ['a', 'b', 'c', 'e'].map(host => ready(liveConsul, host, {configuration, leader: 'b'}))
    const seen = up.map(one =>
      one.host === 'c'
        ? withFacts(one, {
            reached: {transport: 'ssh', user: 'op', root: 'none', sftp: true, forwarding: true},
          })
        : one,
    )
    const got = planned(plan([...seen, silent('d')], {remove: ['d']}))
    t.same(
      recordsOf(got).map(step => step.host),
      ['a', 'b', 'e'],
    )
    t.ok(place(got, 'change') < place(got, 'write'), 'once it is true')
    const live = planned(plan([...up, ready(liveConsul, 'd', {configuration, leader: 'b'})], {remove: ['d']}))
    t.same(recordsOf(live), [], 'a live one is fenced instead')
  },
)

t.test('a host that keeps such a record is itself a server like any other', async t => {
  const configuration = peerSet(abc, 5)
  const note = {kind: 'excluded', plan: 'p0', path: '/var/lib/quorate/excluded-p0', text: '{}'} as const
  const got = plan([
    ready(liveConsul, 'a', {configuration, leader: ''}),
    ready(stoppedConsul, 'b', {configuration, facts: {traces: [note]}}),
    silent('c'),
  ])
  t.equal(planned(got).method, 'start')
})

t.test('the phases of a recovery stand in their settled order', async t => {
  const order = [
    'lock',
    'hold',
    'stop',
    'prove',
    'reread',
    'fence',
    'copy',
    'write',
    'read-back',
    'start',
    'verify',
    'rejoin',
    'release',
  ]
  const names = [...new Set(aheadOfTwo().phases.map(phase => phase.name))]
  t.same(names, order)
  const ids = stepsOf(aheadOfTwo()).map(step => step.id)
  t.equal(new Set(ids).size, ids.length, 'step ids are unique')
  t.same(
    ids,
    stepsOf(aheadOfTwo()).map(step => step.id),
    'and stable',
  )
})

t.test('S3: a blank server is in no recovery file; it rejoins after verification', async t => {
  const blank = ready(stoppedConsul, 'b', {facts: {store: storeOf(), snapshots: []}})
  const got = planned(plan([...survivors(['a'], abc), blank, silent('c')], {remove: ['c']}))
  const text = writesOf(got)
    .flatMap(step => (step.action.do === 'write-file' ? [step.action.text] : []))
    .join()
  t.notMatch(text, idOf('b'))
  t.equal(got.hosts.find(host => host.host === 'b')?.rejoins, true)
  t.ok(
    place(got, 'rejoin') >
      got.phases.findIndex(one =>
        one.steps.some(step => step.action.do === 'await' && step.action.condition.is === 'verified'),
      ),
  )
})

t.test('S4: blank servers come back one at a time, each after a leader, and expect nobody', async t => {
  const kept = survivors(abc, seven).map(one =>
    withFacts(withLog(one, one.host === 'a' ? 80 : 78, 13), {
      config: configOf(one.host, {bootstrapExpect: 3}),
    }),
  )
  const got = planned(plan([...kept, ...dead(['d', 'e', 'f', 'g'])], {remove: ['d', 'e', 'f', 'g']}))
  const rejoin = got.phases.filter(phase => phase.name === 'rejoin')
  t.same(
    rejoin.map(phase => [...new Set(phase.steps.map(step => step.host))]),
    [['b'], ['c']],
  )
  const path = `/etc/consul.d/zz-quorate-${got.id}.json`
  t.match(rejoin[0]?.steps[0]?.action, {do: 'write-file', path, text: /"bootstrap_expect": 999/})
  t.same(rejoin[0]?.steps[0]?.requires, [{is: 'leader', hosts: ['a']}])
  t.match(rejoin[0]?.steps.at(-1)?.action, {do: 'move-away', path})
})

t.test('S7: survivors that could elect a leader without the best log do not get the same file', async t => {
  t.equal(aheadOfTwo().method, 'best-log-alone')
  const near = survivors(abc, seven).map(one => withLog(one, one.host === 'a' ? 78 : 80, 13))
  const got = planned(plan([...near, ...dead(['d', 'e', 'f', 'g'])], {remove: ['d', 'e', 'f', 'g']}))
  t.equal(got.method, 'recovery-file', 'one behind two cannot elect a leader')
})

t.test('S7: conflicting tails leave the best log alone, a mere lag does not', async t => {
  const [a, b] = survivors(['a', 'b'], abcde)
  if (a === undefined || b === undefined) return
  const words = {remove: ['c', 'd', 'e']}
  const fork = [
    withLog(a, 80, 14, [
      [70, 13],
      [78, 14],
    ]),
    withLog(b, 78, 13, [[70, 13]]),
    ...dead(['c', 'd', 'e']),
  ]
  const got = planned(plan(fork, words))
  t.equal(got.method, 'best-log-alone')
  t.same(got.risks.filter(risk => risk.code === 'DIVERGENT_TAIL').length, 1)
  const lag = [
    withLog(a, 80, 14, [
      [70, 13],
      [78, 13],
    ]),
    withLog(b, 78, 13, [[70, 13]]),
    ...dead(['c', 'd', 'e']),
  ]
  t.equal(planned(plan(lag, words)).method, 'recovery-file')
})

t.test('S9: the log of every host under the barrier is read again before the first byte', async t => {
  const got = aheadOfTwo()
  const reread = got.phases.find(phase => phase.name === 'reread')
  t.same(
    reread?.steps.map(step => step.host),
    abc,
  )
  t.match(reread?.steps[1]?.action, {do: 'reread-log', end: {index: 78, term: 13}})
})

t.test('S6: servers that would not find each other are joined', async t => {
  const left = twoOfFive(one => withFacts(one, {serfSnapshot: {members: [], left: true, clock: 9}}))
  t.same(
    left.phases.find(phase => phase.name === 'join')?.steps.map(step => step.action),
    [
      {do: 'join', addresses: ['10.0.0.2']},
      {do: 'join', addresses: ['10.0.0.1']},
    ],
  )
  t.equal(place(twoOfFive(), 'join'), -1, 'a gossip snapshot with members needs none')
  const retry = twoOfFive(one =>
    withFacts(one, {
      serfSnapshot: {members: [], left: true, clock: 9},
      config: configOf(one.host, {retryJoin: ['10.0.0.1']}),
    }),
  )
  t.equal(place(retry, 'join'), -1, 'nor does retry_join')
})

t.test('S6: peers that gossip does not know are joined before the leader removes them', async t => {
  const configuration = peerSet(abc, 5)
  const fleet = abc.map(host =>
    ready(liveConsul, host, {
      configuration,
      leader: 'a',
      members: host === 'c' ? [member('c')] : [member('a'), member('b')],
    }),
  )
  const got = planned(plan(fleet))
  t.equal(got.method, 'join')
  t.match(outline(got), ['lock a:lock c:lock', 'join c:join'])
})

t.test(
  'S13: a server that leaves on SIGTERM is killed, and so is one whose settings were not read',
  async t => {
    const signals = (config: NonNullable<Parameters<typeof withFacts>[1]['config']>) =>
      stepsOf(twoOfFive(one => withFacts(one, {config: one.host === 'a' ? config : configOf('b')}))).flatMap(
        step => (step.action.do === 'stop-service' ? [step.action.firstSignal] : []),
      )
    t.same(signals(configOf('a', {leaveOnTerminate: true})), ['SIGKILL', 'SIGTERM'])
    t.same(signals(missing('a', 'denied')), ['SIGKILL', 'SIGTERM'])
    t.same(signals(configOf('a')), ['SIGTERM', 'SIGTERM'])
  },
)

t.test('a missing peers.info is created before peers.json', async t => {
  const got = twoOfFive(one => (one.host === 'a' ? withFacts(one, {peersInfo: false}) : one))
  const paths = writesOf(got).flatMap(step =>
    step.action.do === 'write-file' ? [`${step.host} ${step.action.path}`] : [],
  )
  t.same(paths, [
    'a /var/consul/raft/peers.info',
    'a /var/consul/raft/peers.json',
    'b /var/consul/raft/peers.json',
  ])
})

t.test('a peers.json that a human left behind in the wrong dialect is copied and replaced', async t => {
  const list = peersList([addressOf('a'), addressOf('b')])
  const got = twoOfFive(one => (one.host === 'a' ? withFacts(one, {peersFile: list}) : one))
  const [first, second] = writesOf(got).flatMap(step =>
    step.action.do === 'write-file' ? [step.action] : [],
  )
  t.equal(first?.replaces, list.sha256)
  t.equal(second?.replaces, undefined)
  t.ok(place(got, 'copy') < place(got, 'write'))
  t.match(got.checks.join('\n'), /a peers.json lies on a/)
})

t.test('server_rejoin_age: the file is moved away with a copy, and data stays', async t => {
  const day = 86_400_000
  const seen = (ageMs: number) =>
    twoOfFive(one => (one.host === 'a' ? withFacts(one, {lastSeenUnix: (NOW_MS - ageMs) / 1000}) : one))
  const moved = writesOf(seen(8 * day)).filter(step => step.action.do === 'move-away')
  t.match(
    moved.map(step => step.action),
    [{path: '/var/consul/server_metadata.json'}],
  )
  t.same(
    writesOf(seen(6 * day)).filter(step => step.action.do === 'move-away'),
    [],
  )
})

t.test('S12: the single survivor of Consul 0.6 gets bootstrap_expect=1 for one start', async t => {
  const got = planned(plan([...oldSurvivors(['a'], abc), ...dead(['b', 'c'])], oldDeadWords(['b', 'c'])))
  const path = `/etc/consul.d/zz-quorate-${got.id}.json`
  const steps = stepsOf(got)
  const wrote = steps.findIndex(step => step.action.do === 'write-file' && step.action.path === path)
  const leader = steps.findIndex(step => step.action.do === 'await' && step.action.condition.is === 'leader')
  const removed = steps.findIndex(step => step.action.do === 'move-away' && step.action.path === path)
  t.ok(wrote >= 0 && wrote < leader && leader < removed, `${wrote} < ${leader} < ${removed}`)
  t.match(
    steps.find(step => step.action.do === 'write-file' && step.action.path.endsWith('peers.json'))?.action,
    {
      text: '["10.0.0.1:8300"]\n',
      mode: 0o755,
      replaces: peersList(abc.map(addressOf)).sha256,
    },
  )
  t.notOk(steps.some(step => step.action.do === 'write-file' && step.action.path.endsWith('peers.info')))
  const two = planned(
    plan([...oldSurvivors(['a', 'b'], abcde), ...dead(['c', 'd', 'e'])], oldDeadWords(['c', 'd', 'e'])),
  )
  t.notOk(
    stepsOf(two).some(step => step.action.do === 'write-file' && step.action.path.includes('zz-')),
    'two need none',
  )
})

t.test('S12: where a flag sets bootstrap_expect the single survivor is refused with what to do', async t => {
  const [a] = oldSurvivors(['a'], abc)
  if (a === undefined) return
  const flagged = withFacts(a, {config: configOf('a', {bootstrapExpect: 3, bootstrapSource: 'flag'})})
  t.equal(refusedWith(plan([flagged, ...dead(['b', 'c'])], oldDeadWords(['b', 'c']))), 'BOOTSTRAP_SET')
})

t.test(
  'Consul 0.6 with a leader: force-leave where gossip has the server as failed, else the live lists',
  async t => {
    const configuration = oldPeerSet(abcde)
    const up = (members: ReturnType<typeof member>[]) =>
      ['a', 'b', 'c', 'e'].map(host => ready(liveConsul, host, {...old, configuration, leader: 'b', members}))
    const known = [...['a', 'b', 'c', 'e'].map(host => member(host)), member('d', {status: 'failed'})]
    const words = {remove: [addressOf('d')]}
    const online = planned(plan([...up(known), silent('d')], words))
    t.equal(online.method, 'online')
    t.match(
      stepsOf(online)
        .map(step => step.action)
        .find(action => action.do === 'force-leave'),
      {node: 'd'},
    )
    const lists = planned(plan([...up(known.slice(0, 4)), silent('d')], words))
    t.equal(lists.method, 'live-list')
    t.same(
      recordsOf(lists).map(step => step.host),
      ['a', 'b', 'c', 'e'],
      'S2: what is excluded without a fence is noted here too',
    )
    t.equal(lists.data.lost, 'nothing')
    t.equal(lists.consent, 'name')
    t.same(
      writesOf(lists).map(step => step.host),
      ['a', 'b', 'c', 'e'],
    )
  },
)

t.test(
  'Consul 0.6 after all left gracefully: the peer set comes from the log, and nothing is to be accepted when all hold theirs',
  async t => {
    const sets: readonly (readonly [number, number, ReturnType<typeof oldPeerSet>])[] = [
      [3, 1, oldPeerSet(abc)],
      [60, 2, oldPeerSet(['b', 'c'])],
      [70, 2, oldPeerSet(['c'])],
    ]
    const left = (host: string, upTo: number, count: number) =>
      ready(stoppedConsul, host, {
        ...old,
        configuration: oldPeerSet([]),
        facts: {
          store: storeOf({
            end: end(upTo, 2),
            configurations: sets.slice(0, count),
            terms: [end(50, 1), end(upTo, 2)],
          }),
        },
      })
    const got = planned(plan([left('a', 60, 2), left('b', 70, 3), left('c', 72, 3)]))
    t.equal(got.method, 'best-log-alone', 'a and b end before c and could elect without it')
    t.same(
      got.before.servers.map(server => String(server.address)),
      abc.map(addressOf),
    )
    t.same(got.after.servers.length, 3)
    t.notOk(got.risks.some(risk => risk.mustAccept))
    t.match(got.data.sentences[0], /Nothing committed is lost: all 3 logs were read/)
    t.equal(got.ranking[0]?.host, 'c')
    const gone = planned(plan([left('b', 70, 3), left('c', 72, 3), ...dead(['a'])], oldDeadWords(['a'])))
    t.ok(
      gone.risks.some(risk => risk.code === 'PEER_SET_UNKNOWN' && risk.mustAccept),
      'without the log of one of them it is to be confirmed',
    )
  },
)

t.test(
  'Consul 0.6: the first to leave is named as well when another was elected after it had left',
  async t => {
    const sets: readonly (readonly [number, number, ReturnType<typeof oldPeerSet>])[] = [
      [2, 1, oldPeerSet(abcde)],
      [3, 1, oldPeerSet(abc)],
      [60, 2, oldPeerSet(['b', 'c'])],
      [61, 3, oldPeerSet(['b', 'c'])],
    ]
    const left = (host: string, upTo: number, count: number) =>
      ready(stoppedConsul, host, {
        ...old,
        configuration: oldPeerSet([]),
        facts: {
          store: storeOf({
            end: end(upTo, upTo > 60 ? 3 : 1),
            configurations: sets.slice(0, count),
            terms: upTo > 60 ? [end(58, 1), end(60, 2), end(upTo, 3)] : [end(upTo, 1)],
          }),
        },
      })
    const got = planned(plan([left('a', 58, 2), left('b', 63, 4), left('c', 63, 4)]))
    t.equal(got.method, 'recovery-file')
    t.same(got.after.servers.map(server => String(server.address)).sort(), abc.map(addressOf).sort())
    t.match(got.because, /left gracefully/)
    t.equal(got.data.lost, 'nothing-committed')
    t.notOk(got.risks.some(risk => risk.mustAccept))
  },
)

t.test('from 0.7 on the last leaver leads and the others join it, without a recovery file', async t => {
  const sets: readonly (readonly [number, number, ReturnType<typeof peerSet>])[] = [
    [1, 1, peerSet(abc)],
    [60, 2, peerSet(['b', 'c'])],
    [70, 2, peerSet(['c'])],
  ]
  const left = (host: string, upTo: number, count: number) =>
    ready(stoppedConsul, host, {
      facts: {
        store: storeOf({
          end: end(upTo, 2),
          configurations: sets.slice(0, count),
          terms: [end(50, 1), end(upTo, 2)],
        }),
        serfSnapshot: {members: [], left: true, clock: 9},
      },
    })
  const client = ready(stoppedConsul, 'x', {
    facts: {store: missing('x', 'absent'), snapshots: [], config: configOf('x', {server: false})},
  })
  const got = planned(plan([left('a', 60, 2), left('b', 70, 3), left('c', 72, 3), client]))
  t.notOk(
    got.hosts.some(host => host.host === 'x'),
    'a client agent among the hosts is no server to join',
  )
  t.equal(got.method, 'start')
  t.same(writesOf(got), [])
  t.match(outline(got).slice(0, 4), [/^lock/, 'start c:start-service', /^verify/, 'start a:start-service'])
  t.same(got.after.servers.length, 3)
})

t.test(
  'before Raft protocol 3 the last leaver takes the others in by address, whatever their node-id',
  async t => {
    const sets: readonly (readonly [number, number, ReturnType<typeof oldPeerSet>])[] = [
      [1, 1, oldPeerSet(abc)],
      [60, 2, oldPeerSet(['b', 'c'])],
      [70, 2, oldPeerSet(['c'])],
    ]
    const left = (host: string, upTo: number, count: number) =>
      ready(stoppedConsul, host, {
        version: '0.7.5',
        facts: {
          store: storeOf({
            end: end(upTo, 2),
            configurations: sets.slice(0, count),
            terms: [end(50, 1), end(upTo, 2)],
          }),
          serfSnapshot: {members: [], left: true, clock: 9},
        },
      })
    const got = planned(plan([left('a', 60, 2), left('b', 70, 3), left('c', 72, 3)]))
    t.equal(got.method, 'start')
    t.same(got.after.servers.map(server => String(server.id)).sort(), abc.map(addressOf))
  },
)

t.test(
  'where the last two left at one time they are started, and the first to leave joins them again',
  async t => {
    const sets: readonly (readonly [number, number, ReturnType<typeof oldPeerSet>])[] = [
      [1, 1, oldPeerSet(abc)],
      [60, 2, oldPeerSet(['b', 'c'])],
    ]
    const stopped = (host: string, left = true) =>
      ready(stoppedConsul, host, {
        version: '0.7.5',
        configuration: oldPeerSet(['b', 'c']),
        facts: {
          store: storeOf({end: end(62, 2), configurations: sets, terms: [end(50, 1), end(62, 2)]}),
          serfSnapshot: {members: [], left, clock: 9},
        },
      })
    const got = planned(plan([stopped('a'), stopped('b'), stopped('c')]))
    t.equal(got.method, 'start')
    t.same(got.after.servers.map(server => String(server.address)).sort(), abc.map(addressOf))
    t.match(got.because, /a left before them and joins them again/)
    t.ok(
      outline(got).findIndex(line => line === 'start a:start-service') >
        outline(got).findIndex(line => /^verify/.test(line)),
      'it starts after the others lead',
    )
    const crashed = planned(plan([stopped('a'), stopped('b', false), stopped('c', false)]))
    t.same(crashed.after.servers.length, 2, 'beside servers that never left it may be out for good')
    const removed = planned(plan([stopped('a'), stopped('b'), stopped('c')], {remove: ['a']}))
    t.same(removed.after.servers.length, 2)
  },
)

t.test('new addresses: same ids, every server written, a lower consent', async t => {
  const [a, b, c] = survivors(abc, abc)
  if (a === undefined || b === undefined || c === undefined) return
  const moved = withFacts(c, {
    address: '10.0.0.33',
    hostAddresses: ['10.0.0.33'],
    config: configOf('c', {bindAddress: '10.0.0.33', advertiseAddress: '10.0.0.33'}),
  })
  const asked = plan([a, b, moved])
  t.equal(refusedWith(asked), 'LOOK_ALIKE')
  const got = planned(plan([a, b, moved], {readdress: [{from: addressOf('c'), to: '10.0.0.33'}]}))
  t.same(got.after.servers.map(server => String(server.id)).sort(), abc.map(idOf))
  t.ok(got.after.servers.some(server => String(server.address) === '10.0.0.33:8300'))
  t.equal(writesOf(got).length, 3)
  t.equal(got.consent, 'yes')
  t.equal(got.data.kept.all, true)
  t.equal(
    refusedWith(plan([a, b, silent('c')], {readdress: [{from: addressOf('c'), to: '10.0.0.33'}]})),
    'UNREAD_FACT',
  )
})

t.test('where only nonvoters are left their promotion is an open risk', async t => {
  const configuration = {servers: [voter('a'), voter('b'), nonvoter('c')], index: end(5, 1).index}
  const c = ready(liveConsul, 'c', {configuration, leader: ''})
  const got = planned(plan([...dead(['a', 'b']), c], {remove: ['a', 'b']}))
  t.ok(got.risks.some(risk => risk.code === 'NONVOTER_PROMOTION' && risk.mustAccept))
  t.same(
    got.after.servers.map(server => server.suffrage),
    ['voter'],
  )
})

t.test('Raft protocol 2 gets a list of addresses', async t => {
  const configuration = oldPeerSet(abcde, 5)
  const kept = ['a', 'b'].map(host =>
    ready(liveConsul, host, {
      version: '0.7.5',
      configuration,
      leader: '',
      facts: {config: configOf(host, {raftProtocol: 2})},
    }),
  )
  const got = planned(plan([...kept, ...dead(['c', 'd', 'e'])], {remove: ['c', 'd', 'e'].map(addressOf)}))
  t.match(writesOf(got)[0]?.action, {
    text: '["10.0.0.1:8300","10.0.0.2:8300"]\n',
    mode: 0o644,
    owner: {uid: 997, gid: 996},
  })
})

t.test(
  'four voters, one dead for good and one stopped: the stopped one is started, then the dead one removed',
  async t => {
    const configuration = peerSet(['a', 'b', 'c', 'd'], 5)
    const up = ['a', 'b'].map(host => ready(liveConsul, host, {configuration, leader: ''}))
    const got = planned(
      plan([...up, ready(stoppedConsul, 'c', {configuration}), silent('d')], {remove: ['d']}),
    )
    t.equal(got.method, 'start')
    t.same(outline(got).slice(0, 4), [
      'lock a:lock b:lock c:lock',
      'start c:start-service',
      'verify :await',
      'change a:remove-peer a:await b:await c:await',
    ])
    t.same(got.after.servers.length, 3)
  },
)

t.test('a recovery keeps everything when the servers kept cannot all miss a commit', async t => {
  const four = ['a', 'b', 'c', 'd']
  const got = planned(plan([...survivors(['a', 'b'], four), ...dead(['c', 'd'])], {remove: ['c', 'd']}))
  t.match(got.data, {kept: {all: true}, lost: 'nothing-committed'})
  t.equal(got.consent, 'name')
  t.match(
    got.data.sentences[0],
    /Nothing committed is lost: a commit needed 3 of 4 voters, so any 2 include one/,
  )
})

t.test('products whose peer set we do not change are refused', async t => {
  const got = planPeersFix(fleet({servers: [], product: 'vault'}), intent(), context)
  t.equal(refusedWith(got), 'UNSUPPORTED_PRODUCT')
})

t.test(
  'Consul 0.6: a list that a human shortened does not hide the servers that the log still names',
  async t => {
    const full = oldPeerSet(abcde)
    const edited = (host: string, facts: Parameters<typeof withFacts>[1] = {}) =>
      ready(stoppedConsul, host, {
        ...old,
        configuration: oldPeerSet(['a', 'b']),
        facts: {store: storeOf({end: end(78, 13), configurations: [[5, 1, full]]}), ...facts},
      })
    const silentOnes = dead(['c', 'd', 'e'])
    t.equal(refusedWith(plan([edited('a'), edited('b'), ...silentOnes])), 'MISSING_UNDECLARED')
    const got = planned(plan([edited('a'), edited('b'), ...silentOnes], oldDeadWords(['c', 'd', 'e'])))
    t.equal(got.method, 'recovery-file')
    t.ok(got.risks.some(risk => risk.code === 'PEER_SET_UNKNOWN'))
  },
)

t.test(
  'Consul 0.6: objects left behind by a human are no peer set; the log tells it, and they are replaced',
  async t => {
    const objects = peersObjects([voter('a'), voter('b')])
    const left = (host: string) =>
      ready(stoppedConsul, host, {
        ...old,
        configuration: oldPeerSet(abcde),
        facts: {
          peersFile: objects,
          store: storeOf({end: end(78, 13), configurations: [[5, 1, oldPeerSet(abcde)]]}),
        },
      })
    const got = planned(plan([left('a'), left('b'), ...dead(['c', 'd', 'e'])], oldDeadWords(['c', 'd', 'e'])))
    t.equal(got.before.servers.length, 5)
    t.match(
      writesOf(got).map(step => step.action),
      [{text: '["10.0.0.1:8300","10.0.0.2:8300"]\n', replaces: objects.sha256}, {replaces: objects.sha256}],
    )
  },
)

t.test('a recovery says first how many of the dead would make it needless', async t => {
  const got = plan([...survivors(['a', 'b'], abcde), ...dead(['c', 'd', 'e'])], {remove: ['c', 'd', 'e']})
  t.match(got, {milder: [{title: 'bring back 1 of c, d, e with their data, and nothing is lost'}]})
})
