import t from 'tap'
import {renderClusterStatus, renderClusterUp} from '../../../src/ui/views/cluster.js'
import type {ClusterJson, MemberJson} from '../../../src/ui/views/cluster.js'
import {renderDrillReport, renderScenarios} from '../../../src/ui/views/drill.js'
import {makeTheme} from '../../../src/ui/views/theme.js'

const layout = {theme: makeTheme({unicode: true}), width: 80}

const member = (number: number, change: Partial<MemberJson>): MemberJson => ({
  name: `server${number}`,
  kind: 'server',
  address: `127.9.9.${number}`,
  http: `127.9.9.${number}:8500`,
  state: 'running',
  pid: 1000 + number,
  heldBy: null,
  role: 'follower',
  leader: '127.9.9.1:8300',
  lastIndex: 7,
  refuses: [],
  log: `/state/server${number}/agent.log`,
  ...change,
})

const cluster: ClusterJson = {
  name: 'local',
  directory: '/state',
  raftProtocol: 3,
  encrypted: false,
  version: '1.8.0',
  leader: '127.9.9.1:8300',
  members: [
    member(1, {role: 'leader'}),
    member(2, {refuses: ['from 127.9.9.1']}),
    member(3, {state: 'stopped', pid: null, role: null, leader: null, lastIndex: null, heldBy: 'ab12'}),
  ],
}

t.test('a cluster shows what each member does, whom it refuses and what holds it', async t => {
  t.equal(
    renderClusterStatus(cluster, layout),
    [
      'local   leader server1',
      '',
      '   MEMBER   ADDRESS    STATE          ROLE      LAST LOG   PID',
      '✓  server1  127.9.9.1  running        leader           7  1001',
      '✓  server2  127.9.9.2  running        follower         7  1002',
      '✗  server3  127.9.9.3  stopped, held  -                -     -',
      '',
      'server2 refuses from 127.9.9.1.',
      'server3 is kept from being started by plan ab12.',
    ].join('\n'),
  )
})

t.test('a new cluster says how to reach it and how to break it', async t => {
  const screen = renderClusterUp({...cluster, name: 'two'}, {resumed: false}, layout)
  t.match(screen, 'quorate doctor --cluster two')
  t.match(screen, 'quorate cluster kill server2 server3 --name two')
  t.match(screen, 'http://127.9.9.1:8500')
})

t.test('a report names every write that was lost, a dozen of them by name', async t => {
  const screen = renderDrillReport(
    {
      scenario: 'majority-dead',
      solved: false,
      score: 70,
      checks: [
        {name: 'leader', points: 40, outOf: 40, sentence: 'There is a leader, and it takes writes.'},
        {name: 'writes', points: 0, outOf: 30, sentence: 'Two are not there any more.'},
      ],
      seconds: {untilLost: 0.5, untilLeader: 20, untilWrites: null, whole: 30},
      writes: {
        acknowledged: 30,
        found: 14,
        lostWithServers: Array.from({length: 14}, (_, i) => `k/${i}`),
        givenUp: ['k/20', 'k/21\u001b[31m'],
      },
      commands: [{seconds: 2, line: 'doctor --cluster drill', exit: 5}],
    },
    'Silence is not death.',
    layout,
  )
  t.match(screen, 'REPORT   majority-dead: not solved, 70 of 100 points')
  t.match(screen, '✗   0/30  Two are not there any more.')
  t.match(screen, 'writes         30 acknowledged, 14 found again, 14 lost with their servers, 2 given up')
  t.match(screen, 'k/11 and 2 more')
  t.match(screen, 'writes again   never')
  t.match(screen, '2.0 s     5  quorate doctor --cluster drill')
  t.notMatch(screen, '\u001b', 'keys cannot move the cursor')
})

t.test('a scenario that cannot be played here says so', async t => {
  const list = [{name: 'disk-full', title: 'The disks are full.', playable: false}]
  t.match(renderScenarios(list, layout), 'The disks are full. (not here)')
})
