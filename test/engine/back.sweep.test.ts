import t from 'tap'
import type {Plan, PlanResult} from '../../src/core/model/plan.js'
import {planBack} from '../../src/core/planning/back.js'
import {resumePoint, backPrefix} from '../../src/engine/resume.js'
import {endOf, paths} from '../model/disk.js'
import {observe} from '../model/observe.js'
import {killAt, MemoryJournal, planContext, planFor, run} from '../model/rehearsal.js'
import type {Rehearsal} from '../model/rehearsal.js'
import {dies, scenarios} from '../model/scenes.js'
import type {Scenario} from '../model/scenes.js'
import {raftOf} from '../model/server.js'
import {Killed} from '../model/world.js'
import type {World} from '../model/world.js'

function killError(world: World): Killed {
  world.killed = true
  return new Killed()
}

interface Before {
  readonly disks: ReadonlyMap<string, string>
  readonly running: readonly string[]
}

const alive = (world: World, scenario: Scenario): readonly string[] =>
  world.hosts.map(host => host.identity.name).filter(name => !scenario.dead.includes(name))

/** What a plan that is taken back must restore: logs, peer lists, settings, and who runs. */
function record(world: World, scenario: Scenario): Before {
  const names = alive(world, scenario)
  return {
    disks: new Map(names.map(name => [name, world.host(name).disk.fingerprint([paths.raft, paths.config])])),
    running: names.filter(name => world.host(name).running !== undefined),
  }
}

function differences(world: World, scenario: Scenario, before: Before): readonly string[] {
  const wrong: string[] = []
  for (const name of alive(world, scenario)) {
    const host = world.host(name)
    if (host.disk.fingerprint([paths.raft, paths.config]) !== before.disks.get(name))
      wrong.push(`${name} does not hold what it held`)
    if ((host.running !== undefined) !== before.running.includes(name)) wrong.push(`${name} runs or not`)
    if (host.held) wrong.push(`${name} is held`)
    if (host.lock !== undefined) wrong.push(`${name} is locked`)
  }
  return wrong
}

/** Whether a leader may have committed since the plan began: then nothing may be taken back (rule S5). */
function committed(world: World, plan: Plan): boolean {
  if (world.leader() !== undefined) return true
  return plan.hosts.some(host => {
    if (host.role !== 'included' || host.end === undefined) return false
    return endOf(raftOf(world.host(host.host))).index > host.end.index
  })
}

function backOf(plan: Plan, rehearsal: Rehearsal): PlanResult {
  return planBack(plan, rehearsal.journal.lines, observe(rehearsal.world), planContext(rehearsal.world))
}

/** The old state of a live-list plan has a leader that writes as soon as it is started: its logs may only grow. */
const recoveries = scenarios.filter(scenario => scenario.method !== 'live-list')

for (const scenario of recoveries) {
  const fresh = (): Rehearsal => ({world: scenario.make(), journal: new MemoryJournal(), events: []})

  void t.test(`${scenario.title}: killed at any moment, taking back ends in the old state`, async t => {
    const calm = fresh()
    const plan = planFor(calm.world, {remove: scenario.dead})
    const count = killAt(calm.world, 0)
    await run(plan, {...calm, moment: count.moment})
    const ends = {taken: 0, refused: 0, untouched: 0}
    const bad: string[] = []
    for (let n = 1; n <= count.seen(); n++) {
      const rehearsal = fresh()
      const {world} = rehearsal
      const before = record(world, scenario)
      const kill = killAt(world, n)
      if (!(await dies(run(plan, {...rehearsal, moment: kill.moment})))) bad.push(`${n}: not killed`)
      world.killed = false
      const result = backOf(plan, rehearsal)
      const where = `${n} ${kill.at()}`
      if (result.kind === 'refused') {
        ends.refused += 1
        if (result.code !== 'BACK_IMPOSSIBLE' || !committed(world, plan)) bad.push(`${where}: ${result.why}`)
        continue
      }
      if (committed(world, plan)) bad.push(`${where}: taken back although a leader has committed`)
      if (result.kind === 'nothing-to-do') ends.untouched += 1
      else {
        ends.taken += 1
        const outcome = await run(result.plan, rehearsal, backPrefix)
        if (outcome.kind !== 'finished' || outcome.outcome !== 'taken-back')
          bad.push(`${where}: ${outcome.kind === 'stopped' ? outcome.why : outcome.outcome}`)
      }
      bad.push(...differences(world, scenario, before).map(wrong => `${where}: ${wrong}`))
    }
    t.same(bad, [])
    t.ok(ends.taken > 0 && ends.refused > 0)
    t.comment(`${scenario.title}: ${count.seen()} points killed of ${count.seen()}: ${JSON.stringify(ends)}`)
  })

  void t.test(`${scenario.title}: taking back, killed at any moment, ends in the old state`, async t => {
    /** Everything up to the moment at which the first server was told to start. */
    const started = async (): Promise<{rehearsal: Rehearsal; before: Before; plan: Plan}> => {
      const rehearsal = fresh()
      const before = record(rehearsal.world, scenario)
      const plan = planFor(rehearsal.world, {remove: scenario.dead})
      const moment = (place: string): undefined => {
        if (!place.startsWith('after start on')) return undefined
        throw killError(rehearsal.world)
      }
      await dies(run(plan, {...rehearsal, moment}))
      rehearsal.world.killed = false
      return {rehearsal, before, plan}
    }
    const calm = await started()
    const back = backOf(calm.plan, calm.rehearsal)
    if (back.kind !== 'plan') return t.fail(JSON.stringify(back))
    const count = killAt(calm.rehearsal.world, 0)
    await run(back.plan, {...calm.rehearsal, moment: count.moment}, backPrefix)
    t.same(differences(calm.rehearsal.world, scenario, calm.before), [])
    const bad: string[] = []
    for (let n = 1; n <= count.seen(); n++) {
      const {rehearsal, before} = await started()
      const kill = killAt(rehearsal.world, n)
      const died = await dies(run(back.plan, {...rehearsal, moment: kill.moment}, backPrefix))
      if (!died) bad.push(`${n}: not killed`)
      rehearsal.world.killed = false
      const outcome = await run(back.plan, rehearsal, backPrefix)
      if (outcome.kind !== 'finished') bad.push(`${n} ${kill.at()}: ${outcome.code} ${outcome.why}`)
      bad.push(...differences(rehearsal.world, scenario, before).map(wrong => `${n} ${kill.at()}: ${wrong}`))
    }
    t.same(bad, [])
    t.comment(`${scenario.title}: taking back killed at ${count.seen()} of ${count.seen()} points`)
    return undefined
  })
}

void t.test('a host that cannot be reached while taking back leaves nothing half taken back', async t => {
  const [, scenario] = scenarios
  if (scenario === undefined) return t.fail('no scenario')
  const rehearsal: Rehearsal = {world: scenario.make(), journal: new MemoryJournal(), events: []}
  const {world} = rehearsal
  const plan = planFor(world, {declaredDead: scenario.dead})
  const stop = (place: string): undefined => {
    if (place === 'before release on a') throw killError(world)
    return undefined
  }
  await dies(run(plan, {...rehearsal, moment: stop}))
  world.killed = false
  const back = backOf(plan, rehearsal)
  if (back.kind !== 'plan') return t.fail(JSON.stringify(back))
  const held = world.host('a').disk.text(paths.peers)
  world.host('b').reachable = false
  const outcome = await run(back.plan, rehearsal, backPrefix)
  t.match(outcome, {kind: 'stopped', code: 'BACK_INCOMPLETE', why: /^b: /})
  t.equal(world.host('a').disk.text(paths.peers), held, 'the host that was reached keeps its file, too')
  t.equal(world.host('a').running, undefined)
  t.match(backOf(plan, rehearsal), {
    kind: 'refused',
    why: /b does not answer; it may still hold .*peers\.json/,
  })
  world.host('b').reachable = true
  t.match(await run(back.plan, rehearsal, backPrefix), {kind: 'finished', outcome: 'taken-back'})
  t.notOk(world.host('b').disk.exists(paths.peers))
  const {outcome: told} = resumePoint(plan, rehearsal.journal.lines, plan.id, '')
  t.equal(told, 'taken-back')
  return undefined
})
