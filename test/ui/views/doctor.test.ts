import t from 'tap'
import {diagnose} from '../../../src/core/diagnose/diagnose.js'
import {logIndex} from '../../../src/core/model/ids.js'
import type {FleetObservation} from '../../../src/core/model/observation.js'
import {renderDoctor, renderNagios} from '../../../src/ui/views/doctor.js'
import {doctorJson} from '../../../src/ui/views/doctor-json.js'
import {renderDoctorExplained} from '../../../src/ui/views/doctor-explain.js'
import {makeTheme} from '../../../src/ui/views/theme.js'
import {displayWidth} from '../../../src/ui/views/text.js'
import {
  NOW_MS,
  end,
  fleet,
  liveConsul,
  match,
  member,
  missing,
  peerSet,
  server,
  serviceOf,
  silent,
  stoppedConsul,
} from '../../helpers/fleet.js'
import {matchesGolden} from '../../helpers/golden.js'

const unicode = makeTheme({unicode: true})
const plain = makeTheme({unicode: false})
const judge = (seen: FleetObservation) => diagnose(seen, {nowMs: NOW_MS, ourVersion: '0.1.0', invocation: []})

const four = peerSet(['consul-1', 'consul-2', 'consul-3', 'consul-4'], 1)
const last = end(184467, 42)
const members = [
  member('consul-1'),
  member('consul-2'),
  member('consul-3', {status: 'failed'}),
  member('consul-4', {status: 'failed'}),
]
const fullDisk = {
  dataDir: '/opt/consul',
  fileSystem: 'ext4',
  sizeBytes: 20 * 2 ** 30,
  freeBytes: 0,
  freeInodes: 120_000,
  raftBytes: 40 * 2 ** 20,
  readOnly: false,
}
const lost = match('leader-lost', {lastAtMs: NOW_MS - 1_380_000})

/** House screen 9.1: a full disk, a silent host, two voters left of four. */
const outage = fleet({
  cluster: 'prod-consul',
  servers: [
    liveConsul('consul-1', {
      version: '1.17.3',
      configuration: four,
      end: last,
      term: 57,
      role: 'candidate',
      leader: '',
      members,
      facts: {journal: {lines: 900, fromMs: NOW_MS - 7_200_000, toMs: NOW_MS, matches: [lost]}},
    }),
    liveConsul('consul-2', {version: '1.17.3', configuration: four, end: last, leader: '', members}),
    stoppedConsul('consul-3', {
      version: '1.17.3',
      configuration: four,
      end: end(184460, 42),
      facts: {
        disk: fullDisk,
        service: serviceOf({state: 'failed', exitCode: 1, result: 'exit-code', mainPid: undefined}),
      },
    }),
    silent('consul-4'),
  ],
})

const abc = peerSet(['a', 'b', 'c'], 1)
const counts = {upTo: logIndex(90), keys: 4, same: 4, moving: 0, doubtful: 0, divergent: undefined}
const healthy: FleetObservation = {
  ...fleet({
    cluster: 'prod-consul',
    servers: ['a', 'b', 'c'].map(host => liveConsul(host, {configuration: abc, leader: 'b'})),
  }),
  contents: {hosts: ['a', 'b', 'c'], ...counts},
}
const degraded = fleet({
  cluster: 'prod-consul',
  servers: [
    liveConsul('a', {configuration: abc, leader: 'b'}),
    liveConsul('b', {configuration: abc, leader: 'b'}),
    stoppedConsul('c', {configuration: abc}),
  ],
})
const inconclusive = fleet({
  cluster: 'prod-consul',
  servers: [stoppedConsul('a', {configuration: abc}), silent('b'), silent('c')],
})
const hostile = fleet({
  cluster: 'prod\u001b[2J\nconsul',
  servers: [
    liveConsul('a', {
      configuration: abc,
      leader: '',
      version: '1.8.19\u202e\u0007',
      members: [
        member('a'),
        member('b\u001b]0;owned\u0007', {address: '10.0.0.2', status: 'failed'}),
        member('c'),
      ],
    }),
    server('b', {reached: missing('b', 'denied', 'Permission denied\r\n\u001b[31mroot\u001b[0m $(reboot)')}),
    silent('c\nQUORUM FINE'),
  ],
})

t.test('the outage of the handbook reads as in the house style', async t => {
  matchesGolden(t, `${renderDoctor(judge(outage), {theme: unicode, width: 80})}\n`, 'doctor/outage.txt')
})

t.test('without Unicode every mark has a plain twin', async t => {
  const screen = renderDoctor(judge(outage), {theme: plain, width: 80})
  matchesGolden(t, `${screen}\n`, 'doctor/outage-plain.txt')
  t.notMatch(screen, /[✗✓·…]/)
})

t.test('on 60 columns columns leave, text wraps, and commands stay whole', async t => {
  const screen = renderDoctor(judge(outage), {theme: unicode, width: 60})
  matchesGolden(t, `${screen}\n`, 'doctor/outage-60-columns.txt')
  const wide = screen.split('\n').filter(line => displayWidth(line) > 60 && !line.startsWith('     '))
  t.same(wide, [])
})

t.test('a healthy cluster has nothing to do', async t => {
  matchesGolden(t, `${renderDoctor(judge(healthy), {theme: unicode, width: 80})}\n`, 'doctor/healthy.txt')
})

t.test('no tolerance left is degraded', async t => {
  matchesGolden(t, `${renderDoctor(judge(degraded), {theme: unicode, width: 80})}\n`, 'doctor/degraded.txt')
})

t.test('too few readings are said to be too few', async t => {
  matchesGolden(
    t,
    `${renderDoctor(judge(inconclusive), {theme: unicode, width: 80})}\n`,
    'doctor/inconclusive.txt',
  )
})

t.test('text from hosts cannot move the cursor, colour or forge lines', async t => {
  const screen = renderDoctor(judge(hostile), {theme: unicode, width: 80})
  matchesGolden(t, `${screen}\n`, 'doctor/hostile-text.txt')
  const explained = renderDoctorExplained(judge(hostile), {theme: unicode, width: 80})
  for (const text of [screen, explained, renderNagios(judge(hostile)).line])
    t.notMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
  t.notMatch(screen, /^QUORUM FINE/m)
})

t.test('colour is a role around a text, and marks carry it', async t => {
  const tags = Object.fromEntries(
    ['ok', 'bad', 'warn', 'dim', 'bold'].map(role => [role, (text: string) => `<${role}>${text}</${role}>`]),
  ) as never
  const screen = renderDoctor(judge(degraded), {theme: makeTheme({unicode: true, palette: tags}), width: 200})
  t.match(screen, '<bold><warn>DEGRADED</warn></bold>   2 of 3')
  t.match(screen, '<bad>✗</bad>')
  t.match(screen, '<ok>✓</ok>')
})

t.test('explained, what was compared of the contents is said in numbers', async t => {
  t.match(
    renderDoctorExplained(judge(healthy), {theme: unicode, width: 200}),
    'Contents of a, b, c, compared up to index 90: 4 of 4 keys are the same, 0 changed meanwhile, 0 are doubtful, 0 differ.',
  )
  t.notMatch(renderDoctorExplained(judge(degraded), {theme: unicode, width: 200}), /compared up to index/)
})

t.test('explained, every reading says where it comes from or why it is not there', async t => {
  const screen = renderDoctorExplained(judge(outage), {theme: unicode, width: 100})
  matchesGolden(t, `${screen}\n`, 'doctor/outage-explained.txt')
})

t.test('monitoring gets one line and its own four states', async t => {
  t.same(renderNagios(judge(healthy)), {
    line: 'QUORATE OK: 3 of 3 voters are up; 2 are needed. Fault tolerance 1. Leader b, term 13. | voters=3 up=3 quorum=2 tolerance=1',
    status: 0,
  })
  t.same(
    [degraded, outage, inconclusive].map(seen => renderNagios(judge(seen)).status),
    [1, 2, 3],
  )
})

t.test('JSON carries the numbers of the screen and survives being written', async t => {
  const json = JSON.parse(JSON.stringify(doctorJson(judge(outage)))) as ReturnType<typeof doctorJson>
  t.equal(json.verdict, 'quorum-lost')
  t.same(json.voters, {total: 4, quorum: 3, up: 2, startable: 1, unseen: 1, faultTolerance: -1})
  t.equal(json.leader, null)
  t.equal(json.since?.atMs, NOW_MS - 1_380_000 - 12)
  t.same(
    json.peerSet?.servers.map(one => one.state),
    ['up', 'up', 'startable', 'unseen'],
  )
  t.equal(json.observation.servers.length, 4)
  t.ok(json.findings.some(finding => finding.code === 'DISK_FULL' && finding.causes.includes('QUORUM_LOST')))
})
