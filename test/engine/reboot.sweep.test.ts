import t from 'tap'
import type {Plan, PlanResult} from '../../src/core/model/plan.js'
import {planBack} from '../../src/core/planning/back.js'
import {backHasWritten, backPrefix, objections, resumePoint, serversUp} from '../../src/engine/resume.js'
import {endOf, paths} from '../model/disk.js'
import {observe} from '../model/observe.js'
import {killAt, MemoryJournal, planContext, planFor, run} from '../model/rehearsal.js'
import type {Rehearsal} from '../model/rehearsal.js'
import {dies, scenarios} from '../model/scenes.js'
import type {Scenario} from '../model/scenes.js'
import {raftOf} from '../model/server.js'
import {Killed} from '../model/world.js'
import type {World} from '../model/world.js'

/** A power cut: what lives in /run is gone, and every server that is enabled at boot is started. */
function reboot(world: World, scenario: Scenario): void {
  for (const host of world.hosts) {
    if (scenario.dead.includes(host.identity.name)) continue
    world.kill(host.identity.name)
    host.held = false
    host.lock = undefined
  }
  for (const host of world.hosts)
    if (!scenario.dead.includes(host.identity.name)) world.start(host.identity.name)
  world.pass(30_000)
}

const backOf = (plan: Plan, {world, journal}: Rehearsal): PlanResult =>
  planBack(plan, journal.lines, observe(world), planContext(world))

const grown = (world: World, plan: Plan): boolean =>
  plan.hosts.some(
    host =>
      host.role === 'included' &&
      host.end !== undefined &&
      endOf(raftOf(world.host(host.host))).index > host.end.index,
  )

const rebooted = scenarios.filter(
  ({method, title}) =>
    method === 'best-log-alone' || (method === 'recovery-file' && /^[35] servers/.test(title)),
)

for (const scenario of rebooted) {
  const fresh = (): Rehearsal => ({world: scenario.make(), journal: new MemoryJournal(), events: []})
  const killed = async (n: number) => {
    const rehearsal = fresh()
    const raft = (): string[] =>
      scenario.kept.map(name => rehearsal.world.host(name).disk.fingerprint([paths.raft]))
    const before = raft()
    const plan = planFor(rehearsal.world, {declaredDead: scenario.dead})
    const kill = killAt(rehearsal.world, n)
    const died = await dies(run(plan, {...rehearsal, moment: kill.moment}))
    rehearsal.world.killed = false
    return {rehearsal, plan, died, before, raft, at: kill.at()}
  }

  void t.test(
    `${scenario.title}: killed anywhere, all hosts rebooted: what is taken back is, and acknowledged writes stay`,
    async t => {
      const bad: string[] = []
      const ends = {taken: 0, refused: 0, untouched: 0}
      for (let n = 1; ; n++) {
        const {rehearsal, plan, died, before, raft, at} = await killed(n)
        if (!died) break
        const {world} = rehearsal
        reboot(world, scenario)
        const acknowledged = world.put('acknowledged', 'x')
        const back = backOf(plan, rehearsal)
        if (back.kind === 'refused') {
          ends.refused += 1
          if (!grown(world, plan)) bad.push(`${n} ${at}: ${back.why}`)
          continue
        }
        if (acknowledged || grown(world, plan)) bad.push(`${n} ${at}: taken back beside acknowledged writes`)
        if (back.kind === 'nothing-to-do') ends.untouched += 1
        else {
          ends.taken += 1
          const outcome = await run(back.plan, rehearsal, backPrefix)
          if (outcome.kind !== 'finished') bad.push(`${n} ${at}: ${outcome.why}`)
          if (JSON.stringify(raft()) !== JSON.stringify(before))
            bad.push(`${n} ${at}: told to be taken back, and it is not`)
        }
      }
      t.same(bad, [])
      t.ok(ends.taken > 0 && ends.refused > 0)
      t.comment(`${scenario.title}: ${JSON.stringify(ends)}`)
    },
  )
}

for (const scenario of rebooted)
  void t.test(
    `${scenario.title}: killed anywhere, all hosts rebooted: it goes on to the end, or says why not and touches nothing`,
    async t => {
      const bad: string[] = []
      const ends = {verified: 0, refused: 0}
      for (let n = 1; ; n++) {
        const rehearsal: Rehearsal = {world: scenario.make(), journal: new MemoryJournal(), events: []}
        const {world, journal} = rehearsal
        const plan = planFor(world, {declaredDead: scenario.dead})
        const kill = killAt(world, n)
        if (!(await dies(run(plan, {...rehearsal, moment: kill.moment})))) break
        world.killed = false
        reboot(world, scenario)
        const where = `${n} ${kill.at()}`
        const fleet = observe(world)
        const up = serversUp(plan, journal.lines, fleet)
        const {started} = resumePoint(plan, journal.lines, plan.id, '', up)
        const why = started ? [] : objections(plan, fleet)
        if (why.length > 0) {
          ends.refused += 1
          if (!grown(world, plan)) bad.push(`${where}: ${why.join(' ')}`)
          continue
        }
        const outcome = await run(plan, rehearsal)
        if (outcome.kind === 'finished') ends.verified += 1
        else bad.push(`${where}: ${outcome.code} ${outcome.why}`)
        for (const name of scenario.kept) {
          const host = world.host(name)
          if (host.held || host.lock !== undefined || host.running === undefined)
            bad.push(`${where}: ${name} is left held, locked or stopped`)
        }
      }
      t.same(bad, [])
      t.ok(ends.verified > 0)
      t.comment(`${scenario.title}: ${JSON.stringify(ends)}`)
    },
  )

void t.test('a way back that has written nothing is made anew, not taken from its file', t => {
  const begin = (step: string) => ({type: 'begin', seq: 1, atMs: 0, plan: 'p', step, host: 'a'}) as const
  t.notOk(backHasWritten([begin('5.a.write-file'), begin('back/3.a.stop-service')]))
  for (const act of ['move-away', 'restore-copy', 'fence-2'])
    t.ok(backHasWritten([begin(`back/6.db-1.example.com.${act}`)]), act)
  t.end()
})

void t.test('S14: a plan that was interrupted does not go on over a dead server that answers', t => {
  const [, scenario] = scenarios
  if (scenario === undefined) throw new Error('no scenario')
  const world = scenario.make()
  const plan = planFor(world, {declaredDead: scenario.dead})
  t.same(objections(plan, observe(world)), [])
  const [back] = scenario.dead
  world.host(back ?? '').reachable = true
  t.match(objections(plan, observe(world)), [new RegExp(`^${back} was declared dead, and`)])
  t.end()
})

void t.test(
  'S5: a leader that commits while the way back is confirmed stops it, and goes on serving',
  async t => {
    const [, scenario] = scenarios
    if (scenario === undefined) return t.fail('no scenario')
    const rehearsal: Rehearsal = {world: scenario.make(), journal: new MemoryJournal(), events: []}
    const {world} = rehearsal
    const plan = planFor(world, {declaredDead: scenario.dead})
    let asked = false
    // The operator stops right after the start, before anyone was elected, and asks for the way back.
    const outcome = await run(plan, {
      ...rehearsal,
      moment: place => {
        if (place.startsWith('after record done') && place.includes('start-service')) asked = true
        return undefined
      },
      stopRequested: () => asked,
    })
    t.match(outcome, {kind: 'stopped', code: 'STOPPED_BY_OPERATOR'})
    for (const name of scenario.kept) world.start(name)
    const back = backOf(plan, rehearsal)
    if (back.kind !== 'plan') return t.fail(JSON.stringify(back))
    world.pass(30_000) // the prompt waits for the cluster's name meanwhile
    t.ok(world.put('acknowledged', 'x'))
    const taken = await run(back.plan, rehearsal, backPrefix)
    t.not(taken.kind, 'finished', 'acknowledged writes are not taken back')
    world.pass(30_000)
    t.ok(world.put('later', 'y'), 'the cluster goes on')
    for (const name of scenario.kept)
      t.equal(world.allContents(name).get('acknowledged')?.value, 'x', `${name} kept the write`)
    return undefined
  },
)

void t.test(
  'S5: a fenced server that began a log of its own is not moved aside, only an empty one is',
  async t => {
    const scenario = scenarios.find(({method}) => method === 'best-log-alone')
    if (scenario === undefined) return t.fail('no scenario')
    const fenced = async (): Promise<{rehearsal: Rehearsal; plan: Plan}> => {
      const rehearsal: Rehearsal = {world: scenario.make(), journal: new MemoryJournal(), events: []}
      const plan = planFor(rehearsal.world, {declaredDead: scenario.dead})
      const moment = (place: string): undefined => {
        if (!place.startsWith('after record done 8.')) return undefined
        rehearsal.world.killed = true
        throw new Killed()
      }
      await dies(run(plan, {...rehearsal, moment}))
      rehearsal.world.killed = false
      reboot(rehearsal.world, scenario)
      return {rehearsal, plan}
    }
    const entry = {index: 1, term: 1, kind: 'put', key: 'new', value: 'x'} as const
    const begin = ({world}: Rehearsal): void =>
      world.host('b').disk.set(paths.store, {kind: 'store', entries: [entry], currentTerm: 1})
    const one = await fenced()
    const empty = backOf(one.plan, one.rehearsal)
    begin(one.rehearsal)
    t.match(backOf(one.plan, one.rehearsal), {
      kind: 'refused',
      why: /^b was fenced and has since begun a log/,
    })
    t.match(objections(one.plan, observe(one.rehearsal.world)), [/^b was fenced and has since begun a log/])
    if (empty.kind !== 'plan') return t.fail(JSON.stringify(empty))
    const outcome = await run(empty.plan, one.rehearsal, backPrefix)
    t.match(outcome, {kind: 'stopped', why: /b: .* was begun anew after .* holds a log up to 1 @ 1/})
    const {disk} = one.rehearsal.world.host('b')
    t.equal(endOf(raftOf(one.rehearsal.world.host('b'))).index, 1, 'what it began is where it was')
    t.ok(disk.exists(`${paths.raft}.fenced-${one.plan.id}`))

    const two = await fenced()
    const back = backOf(two.plan, two.rehearsal)
    if (back.kind !== 'plan') return t.fail(JSON.stringify(back))
    t.match(await run(back.plan, two.rehearsal, backPrefix), {kind: 'finished', outcome: 'taken-back'})
    const kept = two.rehearsal.world.host('b').disk
    t.ok(kept.exists(`${paths.raft}.blank-${two.plan.id}`), 'the empty directory is kept')
    t.notOk(kept.exists(`${paths.raft}.fenced-${two.plan.id}`))
    return undefined
  },
)

void t.test(
  'S3, S4: a server that was set aside and comes up before its turn stops the plan, which then goes on to the end',
  async t => {
    const scenario = scenarios.find(({method}) => method === 'best-log-alone')
    if (scenario === undefined) return t.fail('no scenario')
    const bad: string[] = []
    const ends = {verified: 0, stopped: 0}
    let points = 0
    for (let n = 1; n === 1 || points >= n - 1; n++) {
      const rehearsal: Rehearsal = {world: scenario.make(), journal: new MemoryJournal(), events: []}
      const {world} = rehearsal
      const plan = planFor(world, {declaredDead: scenario.dead})
      let at = ''
      let startedBeside = false
      points = 0
      const moment = (place: string): undefined => {
        const early = at !== '' && world.host('b').running !== undefined && !place.includes('.b.')
        if (early && place.startsWith('after record done') && place.endsWith('a.start-service'))
          startedBeside = true
        if (!place.startsWith('after record') || ++points !== n) return undefined
        at = place
        world.kill('b')
        world.host('b').held = false
        world.host('b').lock = undefined
        world.start('b')
        return undefined
      }
      const first = await run(plan, {...rehearsal, moment})
      if (at === '') break
      const where = `${n} ${at}`
      if (startedBeside && !at.endsWith('a.start-service')) bad.push(`${where}: a was started beside b`)
      if (first.kind === 'finished') ends.verified += 1
      else {
        ends.stopped += 1
        if (!/\bb\b/.test(first.why)) bad.push(`${where}: ${first.code} ${first.why}`)
        world.pass(10_000)
        const second = await run(plan, rehearsal)
        if (second.kind !== 'finished') bad.push(`${where}: then ${second.code} ${second.why}`)
      }
      for (const name of scenario.kept) {
        const host = world.host(name)
        if (host.running === undefined || host.held || host.lock !== undefined)
          bad.push(`${where}: ${name} is left held, locked or stopped`)
        for (let key = 2; key <= scenario.lastKey; key++)
          if (world.allContents(name).get(`k${key}`)?.value !== `v${key}`)
            bad.push(`${where}: ${name} lost k${key}`)
      }
    }
    t.same(bad, [])
    t.ok(ends.verified > 0 && ends.stopped > 0)
    t.comment(JSON.stringify(ends))
    return undefined
  },
)

void t.test(
  'a server that was set aside and is out of reach does not keep the others from starting',
  async t => {
    const scenario = scenarios.find(({method}) => method === 'best-log-alone')
    if (scenario === undefined) return t.fail('no scenario')
    const rehearsal: Rehearsal = {world: scenario.make(), journal: new MemoryJournal(), events: []}
    const {world} = rehearsal
    const plan = planFor(world, {declaredDead: scenario.dead})
    const moment = (place: string): undefined => {
      if (place.endsWith('a.read-back') && place.startsWith('after record done'))
        world.host('b').reachable = false
      return undefined
    }
    const outcome = await run(plan, {...rehearsal, moment})
    t.match(
      outcome,
      {kind: 'stopped', code: 'CONNECTION_LOST', at: {host: 'b'}},
      'it stops when it is the turn of b',
    )
    t.equal(world.host('a').running?.role, 'leader')
    return undefined
  },
)
