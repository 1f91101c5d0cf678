// Quorum lost for good, in the shapes of the manual's outage chapter. What counts is what the servers say.
import {existsSync} from 'node:fs'
import {atLeast, type ServerBinary} from '../lab/binaries.js'
import {isWhole, scenario} from './scenario.js'
import {consent, doctor, fix, gone, planned, endedWell} from './steps.js'

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

scenario(
  'a saved plan is refused while servers it counts as dead answer, and recovers when they are gone again',
  {servers: 3, suits: () => false},
  async scene => {
    const {t, lab, operator} = scene
    const {key, knownHosts} = lab.ssh
    const asRoot = ['--user', 'root', '--identity', key, '--known-hosts', knownHosts]
    const seen = await operator.json<{
      observation: {servers: readonly {address: string; reached: {kind: string}}[]}
    }>('doctor', '--discover', lab.address(1), ...asRoot)
    const found = seen.answer.result?.observation.servers.filter(({reached}) => reached.kind === 'read')
    t.same(
      found?.map(({address}) => address).sort(),
      lab.numbers.map(i => lab.address(i)),
      'one server named leads to all of them',
    )

    await lab.kill(2, 3)
    await lab.bereaved([1])
    const save = async (): Promise<{id: string; apply: readonly string[]}> => {
      const {plan, text} = await planned(operator, ...gone(operator, 2, 3), '--out', 'plan.json')
      if (plan === undefined) throw new Error(text)
      return {id: plan.id, apply: ['apply', 'plan.json', '--cluster', 'lab', ...consent(plan)]}
    }
    let saved = await save()
    t.same(operator.plans(), [], 'saving a plan begins no journal')

    // The three may not find each other: a quorum would elect, and then the plan would be past saving.
    await lab.partition(1, 2, 3)
    await lab.partition(2, 3)
    await Promise.all([lab.boot(2), lab.boot(3)])
    const before = await lab.peers(1)
    const stale = await operator.json<{outcome?: {code?: string}}>(...saved.apply)
    t.equal(stale.exitCode, 3, stale.text.slice(0, 500))
    t.equal(stale.answer.error?.code ?? stale.answer.result?.outcome?.code, 'PLAN_STALE', 'the code is told')
    t.match(stale.text, /server2 was declared dead, and/, 'it says what has changed')
    await lab.leaderless([1])
    t.same(await lab.peers(1), before, 'the survivor holds its old peer set')
    t.notOk(existsSync(lab.data(1, 'raft', 'peers.json')), 'the survivor has no recovery file')

    await lab.kill(2, 3)
    await lab.heal()
    await lab.bereaved([1])
    // On a busy machine they may be heard only when the plan was begun and must be put back: that one is over then.
    if (operator.plans().length > 0) saved = await save()
    const {id, apply} = saved
    endedWell(t, await operator.run(...apply))
    await isWhole(scene, [1])

    endedWell(t, await operator.run('verify', id, '--cluster', 'lab'))
    const told = await operator.json<{plans: readonly {entries: readonly {step?: string}[]}[]}>('history', id)
    t.equal(told.exitCode, 0, told.text.slice(0, 500))
    const steps = new Set(told.answer.result?.plans[0]?.entries.flatMap(({step}) => step ?? []))
    t.ok(steps.size > 5, `${String(steps.size)} steps`)
    t.same(
      steps,
      new Set(operator.journal(id).flatMap(({step}) => step ?? [])),
      'history tells of every step in the journal',
    )
    const after = await doctor(operator)
    t.ok(after.codes.has('UNFENCED_EXCLUDED'), after.text)
  },
)
