import type {Progress} from '../../core/model/journal.js'
import type {Plan} from '../../core/model/plan.js'
import type {Verdict} from '../../core/model/verdict.js'
import {QuorateError} from '../../errors.js'
import type {JournalStore} from '../../ports/journal-store.js'
import {writing} from '../apply-deps.js'
import {JournalWriter} from '../journal-writer.js'
import {isStart} from '../plan-hosts.js'
import {PlanSession} from '../plan-session.js'
import type {Session} from '../session.js'
import type {VerifyTimes} from '../verify.js'
import {historyOf} from './history.js'

/** A verdict on a plan. */
export interface Verified {
  readonly plan: Plan
  readonly verdict: Verdict
}

/**
 * Which plan a command means that was given no id: the newest, of the cluster if one is named. Throws PLAN_UNKNOWN, and
 * PLAN_UNREADABLE where a plan cannot be read, for that one may be the newest.
 */
export async function newestPlan(journal: JournalStore, cluster: string | undefined): Promise<string> {
  const refuse = (error: QuorateError): never => {
    throw error
  }
  for (const {id, cluster: of} of await journal.list(refuse)) {
    if (cluster !== undefined && of !== cluster) continue
    if ((await journal.loadPlan(id))?.of === undefined) return id
  }
  const whose = cluster === undefined ? 'No plan' : `No plan for ${cluster}`
  throw new QuorateError('PLAN_UNKNOWN', `${whose} was applied from this machine.`, {
    hints: ['quorate history', 'quorate doctor'],
  })
}

/** What a plan that stopped part-way promised is not to be looked for: its own journal says what is missing. */
function checkFinished(plan: Plan, {done, outcome}: Progress): void {
  if (outcome === 'taken-back')
    throw new QuorateError(
      'PLAN_UNFINISHED',
      `Plan ${plan.id} was taken back; there is nothing of it to verify.`,
      {
        hints: ['quorate doctor'],
      },
    )
  const steps = plan.phases.flatMap(phase => phase.steps)
  const left = steps.find(step => (writing.has(step.action.do) || isStart(step)) && !done.has(step.id))
  if (outcome !== undefined || left === undefined) return
  const at = steps.indexOf(left) + 1
  throw new QuorateError(
    'PLAN_UNFINISHED',
    `Plan ${plan.id} stopped before step ${at} of ${steps.length}; there is nothing to verify yet.`,
    {hints: [`quorate resume ${plan.id}`, `quorate resume ${plan.id} --back`, `quorate history ${plan.id}`]},
  )
}

/** Samples the cluster of a plan that was applied and judges whether it is as planned. Changes nothing but a test key. */
export async function verify(
  session: Session,
  id: string,
  options: {
    readonly times: Partial<VerifyTimes>
    readonly onMissing: (missing: readonly string[]) => void
  },
): Promise<Verified> {
  const {plan, entries, progress} = await historyOf(session.deps.journal, id)
  const steps = plan.phases.flatMap(phase => phase.steps)
  checkFinished(plan, progress)
  const planSession = new PlanSession(session, plan)
  await planSession.observeLiving()
  const started = steps.filter(step => step.action.do === 'start-service' && progress.done.has(step.id))
  const startedIds = new Set(started.map(step => step.id))
  const startedAtMs = entries
    .filter(entry => entry.type === 'done' && startedIds.has(entry.step))
    .map(entry => entry.atMs)
    .at(-1)
  const verdict = await planSession.verify(
    new Set(started.map(step => step.host)),
    {...options.times, ...(startedAtMs === undefined ? {} : {startedAtMs})},
    options.onMissing,
  )
  const over = progress.outcome === 'unverified' || progress.outcome === 'verify-failed'
  if (over && verdict.verdict === 'verified') {
    const {journal, collect} = session.deps
    const writer = await JournalWriter.open(journal, collect.clock, id, '')
    await writer.append({type: 'finished', outcome: 'verified'})
  }
  return {plan, verdict}
}
