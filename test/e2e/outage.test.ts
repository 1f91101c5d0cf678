// Quorum lost for good, in the shapes of the manual's outage chapter. What counts is what the servers say.
import {atLeast, type ServerBinary} from '../lab/binaries.js'
import {isWhole, scenario} from './scenario.js'
import {doctor, fix, gone, planned, endedWell} from './steps.js'

scenario(
  'of 3 servers 2 are dead for good: the survivor leads alone and holds every key',
  {servers: 3},
  async scene => {
    const {t, lab, operator} = scene
    await lab.kill(2, 3)
    await lab.bereaved([1])
    const before = await doctor(operator)
    t.equal(before.exitCode, 5, before.text)
    t.ok(before.codes.has('QUORUM_LOST'), before.text)
    const done = await fix(operator, 'recovery-file', ...gone(operator, 2, 3))
    endedWell(t, done)
    await isWhole(scene, [1])
    const after = await doctor(operator)
    t.notOk(after.codes.has('QUORUM_LOST'), after.text)
  },
)

scenario(
  'of 5 servers 3 are dead for good: a user whose sudo wants a password brings the two back',
  {servers: 5, manager: 'systemd', login: 'ops'},
  async scene => {
    const {t, lab, operator} = scene
    await lab.kill(3, 4, 5)
    await lab.bereaved([1, 2])
    const done = await fix(operator, 'recovery-file', ...gone(operator, 3, 4, 5))
    endedWell(t, done)
    await isWhole(scene, [1, 2])
  },
)

/** From 0.8 on a leader removes dead servers by itself within seconds, as long as it is left to. */
const leavesTheDead = ({kind, version}: ServerBinary): Readonly<Record<string, unknown>> =>
  kind === 'consul' && atLeast(version, '0.8.0') ? {autopilot: {cleanup_dead_servers: false}} : {}

scenario(
  '5 voters, 192.168.1.14 dead, a leader: the dead one is removed online and nothing is stopped',
  {servers: 5, manager: 'supervisor', configFor: leavesTheDead},
  async scene => {
    const {t, lab, operator} = scene
    await lab.kill(4)
    const kept = [1, 2, 3, 5]
    await lab.leader(kept)
    await lab.mourned(kept)
    const before = await Promise.all(kept.map(async i => lab.exec(i, 'pidof consul')))
    const done = await fix(operator, 'online', ...gone(operator, 4))
    endedWell(t, done)
    await isWhole(scene, kept)
    t.same(
      await Promise.all(kept.map(async i => lab.exec(i, 'pidof consul'))),
      before,
      'no server was restarted',
    )
  },
)

scenario(
  '4 voters, 192.168.1.14 dead and one more down: refused until the silent one is declared, then a recovery file',
  {servers: 4, manager: 'systemd'},
  async scene => {
    const {t, lab, operator} = scene
    await lab.kill(3, 4)
    await lab.bereaved([1, 2])
    const refused = await planned(operator, ...gone(operator, 4))
    t.equal(refused.exitCode, 3, refused.text)
    t.equal(refused.answer.error?.code, 'MISSING_UNDECLARED', refused.text)
    const done = await fix(operator, 'recovery-file', ...gone(operator, 3, 4))
    endedWell(t, done)
    await isWhole(scene, [1, 2])
  },
)
