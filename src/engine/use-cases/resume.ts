import {planBack} from '../../core/planning/back.js'
import type {Plan} from '../../core/model/plan.js'
import type {ApplyOutcome} from '../../core/model/progress.js'
import type {FleetObservation} from '../../core/model/observation.js'
import type {JournalEntry} from '../../core/model/journal.js'
import {QuorateError} from '../../errors.js'
import type {ErrorCode} from '../../errors.js'
import {applyPlan} from '../apply.js'
import type {Consented} from '../consent.js'
import {JournalWriter} from '../journal-writer.js'
import {PlanSession} from '../plan-session.js'
import type {PlanSessionOptions} from '../plan-session.js'
import {backHasWritten, backPrefix, objections, resumePoint, serversUp} from '../resume.js'
import type {ResumePoint} from '../resume.js'
import type {Session} from '../session.js'
import type {JournalStore} from '../../ports/journal-store.js'
import {locked} from './apply.js'

/** What resuming is given besides the session and the plan's id. */
export interface ResumeIntent extends PlanSessionOptions {
  readonly back: boolean
  /** Asked with the plan that is about to be applied; for a plan that takes another back that is a new one. */
  readonly consent: (plan: Plan) => Promise<Consented>
}

/** How resuming ended, with the plan that was applied. */
export interface Resumed {
  readonly plan: Plan
  readonly outcome: ApplyOutcome | {readonly kind: 'nothing-to-do'; readonly why: string}
}

/** The plan of a journal. Throws PLAN_UNKNOWN. */
export async function knownPlan(
  session: {readonly deps: Pick<Session['deps'], 'journal'>},
  id: string,
): Promise<Plan> {
  const plan = await session.deps.journal.loadPlan(id)
  if (plan !== undefined) return plan
  throw new QuorateError('PLAN_UNKNOWN', `There is no journal of a plan ${id} on this machine.`, {
    hints: ['quorate history'],
  })
}

/**
 * Goes on with a plan whose journal stops part-way, or takes it back. The journal says what was begun, the hosts say
 * what is so; where they differ the hosts are right. Once taking back has begun, only that can be gone on with.
 */
export async function resume(session: Session, id: string, intent: ResumeIntent): Promise<Resumed> {
  const plan = await knownPlan(session, id)
  return await locked(session, id, async () => {
    const entries = await session.deps.journal.entries(id)
    const told = resumePoint(plan, entries, id, '')
    const done = nothingToDo(plan, told, intent.back)
    if (done !== undefined) return {plan, outcome: {kind: 'nothing-to-do', why: done}}
    const planSession = new PlanSession(session, plan)
    const fleet = await planSession.observeAll()
    if (intent.back || told.back) return await takeBack({session, plan, entries, fleet}, intent)
    const point = resumePoint(plan, entries, id, '', serversUp(plan, entries, fleet))
    if (!point.started) checkStillFits(plan, fleet)
    await open(session, plan, await intent.consent(plan), false)
    const outcome = await applyPlan(planSession.applyDeps(intent), plan, point.start)
    return {plan, outcome}
  })
}

function nothingToDo(plan: Plan, point: ResumePoint, back: boolean): string | undefined {
  if (point.outcome === 'taken-back') return `Plan ${plan.id} was taken back.`
  if (point.outcome === 'verified' && !back) return `Plan ${plan.id} is done and was verified.`
  return undefined
}

/** Before a server was started nothing obliges us to go on, so what speaks against it is said before anything is stopped. */
function checkStillFits(plan: Plan, fleet: FleetObservation): void {
  const why = objections(plan, fleet)
  if (why.length === 0) return
  throw new QuorateError('PLAN_STALE', `Plan ${plan.id} cannot go on: ${why.join(' ')}`, {
    hints: [
      `quorate resume ${plan.id} --back   takes it back where nothing was committed since`,
      'quorate doctor',
    ],
    details: {drift: why},
  })
}

interface Known {
  readonly session: Session
  readonly plan: Plan
  readonly entries: readonly JournalEntry[]
  readonly fleet: FleetObservation
}

async function takeBack(known: Known, intent: ResumeIntent): Promise<Resumed> {
  const {session, plan, entries} = known
  // Until it has written, an earlier way back is judged again: a leader may have been elected since it was made.
  const begunBack = backHasWritten(entries) ? await savedBack(session.deps.journal, plan.id) : undefined
  const back = begunBack ?? makeBack(known)
  if (typeof back === 'string') return {plan, outcome: {kind: 'nothing-to-do', why: back}}
  const consented = await intent.consent(back)
  await session.deps.journal.savePlan(back)
  await open(session, plan, consented, true)
  const planSession = new PlanSession(session, back)
  await planSession.observeAll()
  const {start} = resumePoint(back, entries, plan.id, backPrefix)
  return {plan: back, outcome: await applyPlan(planSession.applyDeps(intent), back, start)}
}

/**
 * A plan that was made to take this one back in an earlier run: its steps are in the journal. A plan that cannot be read
 * stands in the way only when it may be this one, for a new one would not know what that one has done.
 */
async function savedBack(journal: JournalStore, id: string): Promise<Plan | undefined> {
  let unreadable: QuorateError | undefined
  const plans = await journal.list(error => (unreadable ??= error))
  for (const {id: other} of plans) {
    const plan = await journal.loadPlan(other)
    if (plan?.of === id) return plan
  }
  if (unreadable !== undefined) throw unreadable
  return undefined
}

function makeBack({session, plan, entries, fleet}: Known): Plan | string {
  const context = {nowMs: fleet.finishedAtMs, sha256: session.deps.sha256Text}
  const result = planBack(plan, entries, fleet, context)
  if (result.kind === 'plan') return result.plan
  if (result.kind === 'nothing-to-do') return result.why
  // All hosts or none: one that is out of reach keeps its recovery file, and takes it at its next start.
  const unreached = fleet.servers.some(
    server =>
      server.reached.kind === 'unread' &&
      plan.hosts.some(host => host.host === server.host && host.role !== 'dead'),
  )
  const code: ErrorCode = result.code === 'UNREAD_FACT' && unreached ? 'BACK_INCOMPLETE' : result.code
  throw new QuorateError(code, result.why, {hints: result.hints})
}

async function open(session: Session, plan: Plan, consented: Consented, back: boolean): Promise<void> {
  const {journal, collect, by} = session.deps
  const writer = await JournalWriter.open(journal, collect.clock, plan.id, '')
  await writer.append({type: 'opened', by, ...consented})
  await writer.append({type: 'resumed', back})
}
