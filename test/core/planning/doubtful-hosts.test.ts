import t from 'tap'
import {driftOf} from '../../../src/core/planning/fingerprint.js'
import {
  fleet,
  liveConsul,
  missing,
  peerSet,
  serviceOf,
  silent,
  stoppedConsul,
  withFacts,
} from '../../helpers/fleet.js'
import {actable, context, plan, planned, ready, refusedWith, survivors} from './planning.js'

const abcde = ['a', 'b', 'c', 'd', 'e']
const dead = ['c', 'd', 'e']
const gone = {remove: dead}
const kept = () => survivors(['a', 'b'], abcde)
const shut = (host: string) =>
  withFacts(silent(host), {reached: missing(host, 'denied', 'the host offers another key')})

t.test('S14: a dead host that answers and does not let us in is not dead', async t => {
  const got = plan([...kept(), silent('c'), silent('d'), shut('e')], gone)
  t.equal(refusedWith(got), 'DEAD_BUT_ANSWERS')
  if (got.kind === 'refused')
    t.match(got.why, /e was declared dead, but its host answers and does not let us in/)
  const refusing = withFacts(silent('e'), {reached: missing('e', 'refused')})
  t.equal(refusedWith(plan([...kept(), silent('c'), silent('d'), refusing], gone)), 'plan recovery-file')
})

t.test('S14: one that answers so between plan and apply is drift', async t => {
  const made = planned(plan([...kept(), ...dead.map(silent)], gone))
  t.same(driftOf(made, fleet({servers: [...kept(), ...dead.map(silent)]}), context), [])
  const drift = driftOf(made, fleet({servers: [...kept(), silent('c'), silent('d'), shut('e')]}), context)
  t.match(drift, [/^e was declared dead, and its host answers/])
})

t.test(
  'two names for one machine are refused before one of them is fenced and the other written',
  async t => {
    const twice = {...ready(liveConsul, 'a', {configuration: peerSet(abcde, 5), leader: ''}), host: 'alias'}
    for (const intent of [gone, {remove: [...dead, 'alias']}, {remove: [...dead, 'b'], keep: ['a']}]) {
      const got = plan([...kept(), ...dead.map(silent), twice], intent)
      t.equal(refusedWith(got), 'DUPLICATE_SERVER')
      if (got.kind === 'refused') t.match(got.why, /a and alias/)
    }
  },
)

t.test('a peers.json that is no regular file is refused while everything still runs', async t => {
  const files = (kind: 'file' | 'link' | 'directory') => ({
    ...actable.files,
    peersJson: {
      path: '/var/consul/raft/peers.json',
      ...{kind, sizeBytes: 1, mode: 0o644, uid: 997, gid: 996, mtimeMs: 0},
    },
  })
  const given = (kind: 'file' | 'link' | 'directory') =>
    kept().map(one => (one.host === 'b' ? withFacts(one, {files: files(kind) as never}) : one))
  t.equal(refusedWith(plan([...given('file'), ...dead.map(silent)], gone)), 'plan recovery-file')
  for (const kind of ['link', 'directory'] as const)
    t.equal(refusedWith(plan([...given(kind), ...dead.map(silent)], gone)), 'UNREAD_FACT', kind)
})

t.test('a server that runs while its unit is stopped is not stopped through that unit', async t => {
  const byHand = kept().map(one =>
    one.host === 'b' ? withFacts(one, {service: serviceOf({state: 'stopped', mainPid: undefined})}) : one,
  )
  const got = plan([...byHand, ...dead.map(silent)], gone)
  t.equal(refusedWith(got), 'NO_SERVICE_MANAGER')
  if (got.kind === 'refused') t.match(got.why, /b .*runs.*stopped/)
  const down = [ready(stoppedConsul, 'b', {configuration: peerSet(abcde, 5)}), ...survivors(['a'], abcde)]
  t.equal(refusedWith(plan([...down, ...dead.map(silent)], gone)).startsWith('plan'), true)
})
