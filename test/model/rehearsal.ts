import type {JournalEntry} from '../../src/core/model/journal.js'
import type {PeersFixIntent, Plan} from '../../src/core/model/plan.js'
import type {ApplyEvent, ApplyOutcome} from '../../src/core/model/progress.js'
import {planPeersFix} from '../../src/core/planning/peers-fix.js'
import type {ApplyDeps} from '../../src/engine/apply-deps.js'
import {applyPlan} from '../../src/engine/apply.js'
import {resumePoint, serversUp} from '../../src/engine/resume.js'
import type {QuorateError} from '../../src/errors.js'
import {verifyTimes, verifyUntil} from '../../src/engine/verify.js'
import type {JournalStore} from '../../src/ports/journal-store.js'
import type {Fault} from './actions.js'
import {modelActionsFor} from './actions.js'
import {sha256} from './disk.js'
import {observe} from './observe.js'
import {Killed} from './world.js'
import type {World} from './world.js'

/** A place where quorate may die: around an act, or around a line of the journal. */
export type Moment = (place: string) => 'lost' | undefined

/** The operator's disk: outlives every kill. */
export class MemoryJournal implements JournalStore {
  readonly plans = new Map<string, Plan>()
  readonly lines: JournalEntry[] = []
  readonly locks = new Set<string>()
  moment: Moment = () => undefined

  savePlan(plan: Plan): Promise<void> {
    this.plans.set(plan.id, plan)
    return Promise.resolve()
  }
  loadPlan(id: string): Promise<Plan | undefined> {
    return Promise.resolve(this.plans.get(id))
  }
  append(entry: JournalEntry): Promise<void> {
    const what = `${entry.type} ${'step' in entry ? entry.step : ''}`
    this.moment(`before record ${what}`)
    this.lines.push(entry)
    this.moment(`after record ${what}`)
    return Promise.resolve()
  }
  entries(id: string): Promise<readonly JournalEntry[]> {
    return Promise.resolve(this.lines.filter(entry => entry.plan === id))
  }
  list(
    _skipped: (unreadable: QuorateError) => void,
  ): Promise<readonly {id: string; cluster: string; madeAtMs: number}[]> {
    return Promise.resolve([...this.plans.values()])
  }
  lock(id: string): Promise<{release(): Promise<void>} | {heldBy: string}> {
    if (this.locks.has(id)) return Promise.resolve({heldBy: 'another process'})
    this.locks.add(id)
    return Promise.resolve({
      release: () => {
        this.locks.delete(id)
        return Promise.resolve()
      },
    })
  }
}

export const planContext = (world: World) => ({nowMs: world.nowMs, sha256})

/** Plans a change of the peer set for what is seen now; throws when the planner refuses. */
export function planFor(world: World, intent: Partial<PeersFixIntent>): Plan {
  const whole = {remove: [], readdress: [], declaredDead: [], keep: [], history: undefined, ...intent}
  const result = planPeersFix(observe(world), whole, planContext(world))
  if (result.kind !== 'plan') throw new Error(`no plan: ${JSON.stringify(result)}`)
  return result.plan
}

export interface Rehearsal {
  readonly world: World
  readonly journal: MemoryJournal
  readonly events: ApplyEvent[]
  readonly moment?: Moment
  readonly by?: string
  readonly stopRequested?: () => boolean
  /** What the look at the servers declared dead brings, while the first steps run. */
  readonly deadSpeak?: readonly string[]
}

/** What the executor needs, all of it modelled. */
export function depsFor(plan: Plan, rehearsal: Rehearsal): ApplyDeps {
  const {world, journal} = rehearsal
  const by = rehearsal.by ?? 'op@laptop'
  const fault: Fault = ({host, act, when}) => rehearsal.moment?.(`${when} ${act} on ${host}`)
  journal.moment = rehearsal.moment ?? (() => undefined)
  const clock = {
    nowMs: () => world.nowMs,
    sleep: (ms: number) => {
      world.pass(ms)
      return Promise.resolve()
    },
  }
  return {
    clock,
    journal,
    by,
    actionsFor: modelActionsFor({world, plan: plan.of ?? plan.id, by, fault}),
    verify: async (verified, rejoined, withinMs, onMissing) =>
      await verifyUntil(
        {
          clock,
          observe: () => {
            if (world.killed) throw new Killed()
            return Promise.resolve(observe(world))
          },
          tryWrite: () => {
            const ok = world.put('quorate/test', 'x') && world.drop('quorate/test')
            return Promise.resolve({atMs: world.nowMs, result: ok ? 'ok' : 'failed', note: ''})
          },
        },
        verified,
        {
          ...verifyTimes,
          reconcileMs: 10_000,
          withinMs,
          rejoined,
          onVerdict: (_, missing) => onMissing(missing),
        },
      ),
    progress: event => rehearsal.events.push(event),
    stopRequested: rehearsal.stopRequested ?? (() => false),
    deadSpeak: () => Promise.resolve(rehearsal.deadSpeak ?? []),
  }
}

/** Applies a plan from its start, or goes on where its journal ends. */
export async function run(plan: Plan, rehearsal: Rehearsal, prefix = ''): Promise<ApplyOutcome> {
  const {journal, world} = rehearsal
  const id = plan.of ?? plan.id
  const entries = await journal.entries(id)
  const up = prefix === '' ? serversUp(plan, entries, observe(world)) : new Set<string>()
  const {start} = resumePoint(plan, entries, id, prefix, up)
  try {
    return await applyPlan(depsFor(plan, rehearsal), plan, start)
  } catch (error) {
    if (error instanceof Killed) world.killed = true
    throw error
  }
}

/** Kills quorate at the n-th moment (counted from 1); `seen` counts the moments that came. */
export function killAt(world: World, n: number): {moment: Moment; seen: () => number; at: () => string} {
  let count = 0
  let where = ''
  return {
    seen: () => count,
    at: () => where,
    moment: place => {
      count += 1
      if (count !== n) return undefined
      where = place
      world.killed = true
      throw new Killed(place)
    },
  }
}
