import t from 'tap'
import type {Diagnosis} from '../../../src/core/diagnose/diagnose.js'
import {diagnose} from '../../../src/core/diagnose/diagnose.js'
import type {FindingCode} from '../../../src/core/model/finding.js'
import type {FleetObservation, ServerObservation} from '../../../src/core/model/observation.js'
import {logIndex} from '../../../src/core/model/ids.js'
import {valueOf} from '../../../src/core/model/reading.js'
import {
  NOW_MS,
  addressOf,
  fleet,
  liveConsul,
  match,
  member,
  missing,
  nonvoter,
  peerSet,
  peersList,
  server,
  serviceOf,
  silent,
  stoppedConsul,
  withFacts,
} from '../../helpers/fleet.js'

const context = {nowMs: NOW_MS, ourVersion: '0.1.0', invocation: ['--cluster', 'prod']}
const judge = (...servers: readonly ServerObservation[]): Diagnosis => diagnose(fleet({servers}), context)
const codes = (diagnosis: Diagnosis): FindingCode[] => diagnosis.findings.map(finding => finding.code)
const abc = peerSet(['a', 'b', 'c'], 1)
const abcd = peerSet(['a', 'b', 'c', 'd'], 1)

t.test('three servers that follow one leader are healthy, and there is nothing to do', async t => {
  const servers = ['a', 'b', 'c'].map(host => liveConsul(host, {configuration: abc, leader: 'a'}))
  const counts = {upTo: logIndex(90), keys: 4, same: 4, moving: 0, doubtful: 0, divergent: undefined}
  const diagnosis = diagnose({...fleet({servers}), contents: {hosts: ['a', 'b', 'c'], ...counts}}, context)
  t.equal(diagnosis.verdict, 'healthy')
  t.equal(diagnosis.exit, 'ok')
  t.same(codes(diagnosis), [])
  t.same(diagnosis.remedies, [])
  t.equal(diagnosis.sentence, '3 of 3 voters are up; 2 are needed. Fault tolerance 1. Leader a, term 13.')
})

t.test('one of three down leaves no tolerance', async t => {
  const diagnosis = judge(
    liveConsul('a', {configuration: abc, leader: 'a'}),
    liveConsul('b', {configuration: abc, leader: 'a'}),
    stoppedConsul('c', {configuration: abc}),
  )
  t.equal(diagnosis.verdict, 'degraded')
  t.same(codes(diagnosis), ['SERVICE_FAILED', 'QUORUM_AT_RISK'])
  t.match(diagnosis.sentence, '2 of 3 voters are up; 2 are needed. Fault tolerance 0')
  t.same(diagnosis.remedies[0]?.commands, ['ssh root@10.0.0.3 systemctl start consul.service'])
})

t.test('two of three dead for good lose the quorum, and the survivor can go on alone', async t => {
  const diagnosis = judge(liveConsul('a', {configuration: abc, leader: ''}), silent('b'), silent('c'))
  t.equal(diagnosis.verdict, 'quorum-lost')
  t.equal(diagnosis.exit, 'quorum-lost')
  t.same(codes(diagnosis), ['UNREACHABLE', 'UNREACHABLE', 'QUORUM_LOST'])
  t.match(diagnosis.sentence, '1 of 3 voters is up; 2 are needed. There is no leader')
  const lost = diagnosis.findings.at(-1)
  t.match(
    lost?.explanation,
    'they may have a leader on the other side of a partition',
    'silence is not death',
  )
  t.same(
    diagnosis.remedies.map(one => [one.risk, one.commands]),
    [
      ['nothing', []],
      ['acknowledged-writes', ['quorate peers fix --remove b --remove c --cluster prod']],
    ],
  )
})

t.test('stopped servers that have their data are started before anything else is offered', async t => {
  const diagnosis = judge(
    liveConsul('a', {configuration: abc, leader: ''}),
    stoppedConsul('b', {configuration: abc}),
    silent('c'),
  )
  t.equal(diagnosis.verdict, 'quorum-lost')
  t.ok(codes(diagnosis).includes('TRANSIENT_LOSS'))
  t.ok(
    codes(diagnosis).indexOf('TRANSIENT_LOSS') < codes(diagnosis).indexOf('QUORUM_LOST'),
    'the cause stands first',
  )
  t.same(diagnosis.remedies[0]?.commands, ['ssh root@10.0.0.2 systemctl start consul.service'])
  t.equal(diagnosis.remedies[0]?.risk, 'nothing')
})

t.test('a stopped server whose data was not read is not promised to help', async t => {
  const diagnosis = judge(
    liveConsul('a', {configuration: abc, leader: ''}),
    stoppedConsul('b', {facts: {store: missing('b', 'denied'), snapshots: missing('b', 'denied')}}),
    silent('c'),
  )
  t.notOk(codes(diagnosis).includes('TRANSIENT_LOSS'))
  t.ok(codes(diagnosis).includes('QUORUM_LOST'))
})

t.test('voters that run and are given up by gossip are cut off, not lost', async t => {
  const members = [member('a'), member('b', {status: 'failed'}), member('c')]
  const cut = judge(
    liveConsul('a', {configuration: abc, leader: '', members}),
    liveConsul('b', {configuration: abc, leader: ''}),
    liveConsul('c', {configuration: abc, leader: ''}),
  )
  t.equal(cut.verdict, 'no-leader')
  t.ok(codes(cut).includes('TRANSIENT_LOSS'))
  const heard = judge(
    liveConsul('a', {configuration: abc, leader: '', members: ['a', 'b', 'c'].map(host => member(host))}),
    liveConsul('b', {configuration: abc, leader: ''}),
    liveConsul('c', {configuration: abc, leader: ''}),
  )
  t.notOk(codes(heard).includes('TRANSIENT_LOSS'))
  t.ok(codes(heard).includes('NO_LEADER'))
})

t.test('hosts that all stay silent leave everything open', async t => {
  const diagnosis = judge(silent('a'), silent('b'), silent('c'))
  t.equal(diagnosis.verdict, 'inconclusive')
  t.equal(diagnosis.exit, 'inconclusive')
  t.match(diagnosis.sentence, '0 of 3 hosts were reached')
})

t.test('a stopped server and silent others may have a leader among them', async t => {
  const diagnosis = judge(stoppedConsul('a', {configuration: abc}), silent('b'), silent('c'))
  t.equal(diagnosis.verdict, 'inconclusive')
  t.notOk(codes(diagnosis).includes('QUORUM_LOST'))
})

t.test('all servers stopped is a lost quorum even where nobody can be asked', async t => {
  const diagnosis = judge(...['a', 'b', 'c'].map(host => stoppedConsul(host, {configuration: abc})))
  t.equal(diagnosis.verdict, 'quorum-lost')
  t.ok(codes(diagnosis).includes('TRANSIENT_LOSS'))
})

t.test('a dead leader that is still named is no leader', async t => {
  const named = judge(
    liveConsul('a', {configuration: abc, leader: 'c', facts: {}}),
    liveConsul('b', {configuration: abc, leader: 'c'}),
    stoppedConsul('c', {configuration: abc}),
  )
  t.equal(named.facts.leader.exists, 'no')
  t.equal(named.verdict, 'no-leader')
})

t.test('a leader that only its followers were seen to follow is a leader', async t => {
  const diagnosis = judge(
    liveConsul('a', {configuration: abc, leader: 'c'}),
    liveConsul('b', {configuration: abc, leader: 'c'}),
    silent('c'),
  )
  t.equal(diagnosis.facts.leader.exists, 'yes')
  t.equal(diagnosis.verdict, 'degraded')
  t.match(diagnosis.sentence, '2 of 3 voters were seen up, 1 is unseen')
})

t.test('an even number of voters is worth a word', async t => {
  const four = judge(
    ...['a', 'b', 'c', 'd'].map(host => liveConsul(host, {configuration: abcd, leader: 'a'})),
  )
  t.same(codes(four), ['EVEN_VOTERS'])
  t.equal(four.verdict, 'healthy')
  const three = peerSet(['a', 'b', 'c', nonvoter('d')], 1)
  const withNonvoter = judge(
    ...['a', 'b', 'c', 'd'].map(host => liveConsul(host, {configuration: three, leader: 'a'})),
  )
  t.same(codes(withNonvoter), [], 'a nonvoter does not make it even')
})

t.test('nonvoters alone cannot elect', async t => {
  const set = peerSet(['a', nonvoter('b'), nonvoter('c')], 1)
  const lone = judge(
    silent('a'),
    liveConsul('b', {configuration: set, leader: ''}),
    liveConsul('c', {configuration: set, leader: ''}),
  )
  t.ok(codes(lone).includes('ONLY_NONVOTERS'))
  t.ok(codes(lone).includes('QUORUM_LOST'))
  const there = judge(
    stoppedConsul('a', {configuration: set}),
    liveConsul('b', {configuration: set, leader: ''}),
    liveConsul('c', {configuration: set, leader: ''}),
  )
  t.notOk(codes(there).includes('ONLY_NONVOTERS'), 'a voter that is only stopped is there')
})

t.test('Consul up to 0.6 counts itself whether its list names it or not', async t => {
  const parts = {version: '0.6.4', leader: ''}
  const list = [addressOf('b'), addressOf('c')]
  const one = liveConsul('a', {...parts, facts: {peersFile: peersList(list), api: {statusPeers: list}}})
  const diagnosis = judge(one, silent('b'), silent('c'))
  t.same(
    [diagnosis.facts.arithmetic?.total, diagnosis.facts.arithmetic?.up],
    [3, 1],
    'two listed and itself make three',
  )
  t.equal(diagnosis.verdict, 'quorum-lost')
})

t.test('since when is read from journals, with the clock of the host taken off', async t => {
  const lostAt = NOW_MS - 1_380_000
  const diagnosis = judge(
    liveConsul('a', {
      configuration: abc,
      leader: '',
      facts: {
        clockOffsetMs: 1000,
        journal: {
          lines: 900,
          fromMs: undefined,
          toMs: undefined,
          matches: [match('leader-lost', {lastAtMs: lostAt})],
        },
      },
    }),
    silent('b'),
    silent('c'),
  )
  t.equal(diagnosis.since?.atMs, lostAt - 1000)
  const healthy = judge(...['a', 'b', 'c'].map(host => liveConsul(host, {configuration: abc, leader: 'a'})))
  t.equal(healthy.since, undefined)
})

t.test('a full disk stands before what it caused', async t => {
  const disk = {
    dataDir: '/var/consul',
    fileSystem: 'ext4',
    sizeBytes: 2 ** 30,
    freeBytes: 0,
    freeInodes: 100,
    raftBytes: 2 ** 20,
    readOnly: false,
  }
  const diagnosis = judge(
    liveConsul('a', {configuration: abc, leader: ''}),
    silent('b'),
    stoppedConsul('c', {
      configuration: abc,
      facts: {disk, service: serviceOf({state: 'failed', exitCode: 1})},
    }),
  )
  const order = codes(diagnosis)
  t.ok(order.indexOf('DISK_FULL') < order.indexOf('SERVICE_FAILED'))
  t.ok(order.indexOf('SERVICE_FAILED') < order.indexOf('TRANSIENT_LOSS'))
  t.ok(diagnosis.symptoms.has('SERVICE_FAILED'))
  t.notOk(diagnosis.symptoms.has('DISK_FULL'))
})

t.test('what the operator cannot paste is not offered', async t => {
  const noManager = judge(
    liveConsul('a', {configuration: abc, leader: ''}),
    stoppedConsul('b', {configuration: abc, facts: {service: missing('b', 'unsupported')}}),
    silent('c'),
  )
  t.same(noManager.remedies.find(one => one.answers.includes('TRANSIENT_LOSS'))?.commands, [])
})

t.test('commands are quoted for both shells on their way', async t => {
  const unit = 'consul $(id).service'
  const diagnosis = judge(
    liveConsul('a', {configuration: abc, leader: ''}),
    stoppedConsul('b', {configuration: abc, facts: {service: serviceOf({state: 'stopped', unit})}}),
    silent('c'),
  )
  const command = diagnosis.remedies[0]?.commands[0] ?? ''
  t.equal(command, `ssh root@10.0.0.2 systemctl start ''\\''consul $(id).service'\\'''`)
})

t.test('the same observation gives the same diagnosis', async t => {
  const seen: FleetObservation = fleet({
    servers: [liveConsul('a', {configuration: abc, leader: ''}), silent('b')],
  })
  t.same(codes(diagnose(seen, context)), codes(diagnose(seen, context)))
  t.same(codes(judge(server('a'))), [], 'nothing read is nothing found')
})

t.test('a host of the fleet that is no peer of a led cluster degrades nothing by its silence', async t => {
  const diagnosis = judge(
    liveConsul('a', {configuration: abc, leader: 'a'}),
    liveConsul('b', {configuration: abc, leader: 'a'}),
    liveConsul('c', {configuration: abc, leader: 'a'}),
    server('d', {reached: missing('d', 'timed-out', 'port 22 did not answer.')}),
  )
  t.equal(diagnosis.verdict, 'healthy')
  const [unreachable] = diagnosis.findings
  t.match(unreachable, {code: 'UNREACHABLE', severity: 'warning'})
  t.equal(unreachable?.summary, 'd does not answer (timed-out): port 22 did not answer.')
})

t.test(
  'servers that all left in Consul 0.6 are not told to be started: they would wait for ever',
  async t => {
    const left = ['a', 'b', 'c'].map(host =>
      stoppedConsul(host, {version: '0.6.4', facts: {peersFile: peersList([])}}),
    )
    const {findings, remedies} = judge(...left)
    t.ok(findings.some(({code}) => code === 'PEER_SET_EMPTY'))
    t.same(
      findings.filter(({code}) => code === 'SERVICE_FAILED').map(one => one.remedies),
      [[], [], []],
    )
    t.notOk(remedies.some(({title}) => title.startsWith('Start')))
  },
)

t.test(
  'a leader that sees too few voters is not taken at its word: it may have lost them a moment ago',
  async t => {
    const five = peerSet(['a', 'b', 'c', 'd', 'e'], 1)
    const two = ['a', 'b'].map(host => liveConsul(host, {configuration: five, leader: 'a'}))
    const diagnosis = judge(...two, silent('c'), silent('d'), silent('e'))
    t.equal(diagnosis.verdict, 'degraded')
    t.match(diagnosis.sentence, '2 of 5 voters were seen up, 3 are unseen; 3 are needed.')
    t.match(diagnosis.sentence, 'Look again in 15 s.')
    const three = [...two, liveConsul('c', {configuration: five, leader: 'a'}), silent('d'), silent('e')]
    t.notMatch(judge(...three).sentence, /Look again/, 'a quorum is seen')
  },
)

t.test(
  'a leader of Consul 0.6 that commits nothing is no health, and a restart of it is offered',
  async t => {
    const stuck = (host: string) => {
      const seen = liveConsul(host, {version: '0.6.4', configuration: abc, leader: 'a'})
      const self = valueOf(seen.api.self)
      if (self?.raft?.role !== 'leader') return seen
      // As seen after all three had been given new addresses: 3 peers, all in contact, and no write ever ended
      const raft = {...self.raft, commitIndex: logIndex(63), commitStandsMs: 2800}
      return withFacts(seen, {api: {self: {...self, raft}}})
    }
    const {verdict, exit, sentence, remedies} = judge(stuck('a'), stuck('b'), stuck('c'))
    t.same([verdict, exit], ['no-leader', 'quorum-lost'])
    t.match(sentence, '3 of 3 voters are up; 2 are needed. Yet no leader serves')
    t.same(remedies[0]?.commands, [
      'ssh root@10.0.0.1 systemctl stop consul.service',
      'ssh root@10.0.0.1 systemctl start consul.service',
    ])
  },
)

t.test(
  'a process that waits out its refusal to start is no voter that is up, and its reason is named',
  async t => {
    const away = (host: string, ports: readonly number[]) =>
      withFacts(liveConsul(host, {version: '1.16.6', configuration: abc, leader: ''}), {
        lastSeenUnix: NOW_MS / 1000 - 30 * 86_400,
        sockets: ports.map(port => ({protocol: 'tcp', address: '0.0.0.0', port, pid: undefined})),
        api: {leader: missing(host, 'refused'), self: missing(host, 'refused')},
      })
    const refused = judge(away('a', [22]), away('b', [22]), silent('c'))
    t.same([refused.verdict, refused.exit], ['quorum-lost', 'quorum-lost'])
    t.match(refused.sentence, '0 of 3 voters are up; 2 are needed.')
    t.equal(codes(refused).filter(code => code === 'REJOIN_AGE').length, 2)
    t.match(refused.remedies[0]?.commands.join(), /mv \S+server_metadata.json .*systemctl start consul/)
    const serving = judge(away('a', [22, 8300]), away('b', [22, 8300]), silent('c'))
    t.notOk(codes(serving).includes('REJOIN_AGE'), 'its Raft port is open: only its API is not')
  },
)

t.test(
  'two sides of a partition that each have a leader are told first, and nobody is advised to remove the other',
  async t => {
    const five = peerSet(['a', 'b', 'c', 'd', 'e'], 1)
    const members = (hosts: readonly string[]) =>
      ['a', 'b', 'c', 'd', 'e'].map(host => member(host, hosts.includes(host) ? {} : {status: 'failed'}))
    const side = (hosts: readonly string[], leader: string, configuration = five) =>
      hosts.map(host => liveConsul(host, {configuration, leader, members: members(hosts)}))
    const recovered = side(['a', 'b'], 'a', peerSet(['a', 'b'], 90))
    const diagnosis = judge(...recovered, ...side(['c', 'd', 'e'], 'e'))
    t.match(diagnosis.sentence, /^. and . each say that they lead; counted by the peer set of .: /)
    t.ok(codes(diagnosis).includes('TWO_LEADERS'))
    t.ok(codes(diagnosis).includes('FAILED_MEMBER_VOTES'))
    t.notMatch(diagnosis.remedies.flatMap(({commands}) => commands).join(), /--remove/)
  },
)

t.test(
  'a server that was set aside and has joined again degrades nothing; one that runs outside the set does',
  async t => {
    const traces = [{kind: 'fenced', plan: 'p1', path: '/var/consul/raft.fenced-p1', text: ''}] as const
    const fenced = (host: string) => liveConsul(host, {configuration: abc, leader: 'a', facts: {traces}})
    const peers = ['a', 'b'].map(host => liveConsul(host, {configuration: abc, leader: 'a'}))
    const back = judge(...peers, fenced('c'))
    t.equal(back.verdict, 'healthy')
    t.match(back.findings[0], {code: 'FENCED_SERVER', severity: 'info', summary: /has joined again/})
    const astray = judge(...peers, liveConsul('c', {configuration: abc, leader: 'a'}), fenced('d'))
    t.match(
      astray.findings.find(({code}) => code === 'FENCED_SERVER'),
      {severity: 'error', summary: /and yet it runs/},
    )
  },
)
