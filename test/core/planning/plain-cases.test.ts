import t from 'tap'
import {end, liveConsul, peerSet, silent, stoppedConsul} from '../../helpers/fleet.js'
import {outline, plan, planned, ready, refusedWith, survivors} from './planning.js'

const abc = ['a', 'b', 'c']
const abcde = ['a', 'b', 'c', 'd', 'e']

t.test('of three servers two dead for good leave one recovery file for the survivor', async t => {
  const got = planned(
    plan([...survivors(['a'], abc), silent('b'), silent('c')], {remove: ['10.0.0.2', '10.0.0.3:8300']}),
  )
  t.equal(got.method, 'recovery-file')
  t.same(outline(got), [
    'lock a:lock',
    'hold a:hold-service',
    'stop a:stop-service',
    'prove a:prove-stopped',
    'reread a:reread-log',
    'copy a:copy',
    'write a:write-file a:write-file',
    'read-back a:read-back',
    'start a:release-service a:start-service',
    'verify a:await :await',
    'verify a:await',
    'verify :await',
    'release a:unlock',
  ])
  t.same(
    got.risks.map(risk => risk.code),
    ['DATA_LOSS', 'UNFENCED_MAJORITY', 'NO_FAULT_TOLERANCE'],
  )
  t.equal(got.consent, 'name-and-accept')
})

t.test('of five servers three dead leave the same file for both survivors', async t => {
  const got = planned(
    plan([...survivors(['a', 'b'], abcde), ...['c', 'd', 'e'].map(silent)], {
      remove: ['10.0.0.3', '10.0.0.4', '10.0.0.5'],
    }),
  )
  t.equal(got.method, 'recovery-file')
  t.equal(got.data.lost, 'unknown')
  const writes = got.phases
    .flatMap(phase => phase.steps)
    .flatMap(step => (step.action.do === 'write-file' ? [step.action] : []))
    .filter(write => write.path.endsWith('/peers.json'))
  t.equal(writes.length, 2)
  t.equal(new Set(writes.map(write => write.sha256)).size, 1)
  t.match(writes[0]?.text, /"id": "00000001-/)
})

t.test('with a leader a dead voter is removed online', async t => {
  const configuration = peerSet(abcde, 5)
  const up = ['a', 'b', 'c', 'e'].map(host => ready(liveConsul, host, {configuration, leader: 'b'}))
  const got = planned(plan([...up, silent('d')], {remove: ['10.0.0.4']}))
  t.equal(got.method, 'online')
  t.equal(got.consent, 'yes')
  t.same(outline(got), [
    'lock b:lock',
    'change b:remove-peer a:await b:await c:await e:await',
    'write a:write-file b:write-file c:write-file e:write-file',
    'verify :await',
    'release b:unlock',
  ])
})

t.test('servers that are only stopped are started, and nothing else', async t => {
  const configuration = peerSet(abc, 5)
  const got = planned(
    plan([
      ready(liveConsul, 'a', {configuration, leader: ''}),
      ready(stoppedConsul, 'b', {configuration}),
      silent('c'),
    ]),
  )
  t.equal(got.method, 'start')
  t.same(outline(got), [
    'lock a:lock b:lock',
    'start b:start-service',
    'verify :await',
    'verify :await',
    'release a:unlock b:unlock',
  ])
})

t.test('with a leader and no wish there is nothing to do', async t => {
  const configuration = peerSet(abc, 5)
  t.equal(
    refusedWith(plan(abc.map(host => ready(liveConsul, host, {configuration, leader: 'a'})))),
    'nothing-to-do',
  )
})

t.test('a changed end of any log changes the plan id', async t => {
  const make = (index: number) =>
    planned(
      plan([...survivors(['a'], abc, {end: end(index, 13)}), silent('b'), silent('c')], {remove: ['b', 'c']}),
    ).id
  t.not(make(78), make(79))
  t.equal(make(78), make(78))
})
