import type {Plan, PeersFixIntent} from '../../core/model/plan.js'
import type {ApplyOutcome} from '../../core/model/progress.js'
import type {GivenConsent} from '../../core/planning/consent.js'
import {obtainConsent} from '../consent.js'
import type {PlanSessionOptions} from '../plan-session.js'
import type {Session} from '../session.js'
import {apply} from './apply.js'
import {makePlan} from './make-plan.js'
import type {OnWait, Planned} from './make-plan.js'

/** What `peers fix` is asked for, besides the session. */
export interface PeersFixOrder {
  readonly intent: PeersFixIntent
  readonly given: GivenConsent
  readonly onWait: OnWait
  /** Shows the plan; called before anything is asked or done. */
  readonly onPlan: (planned: Extract<Planned, {kind: 'plan'}>) => Promise<void>
  /** Ends after the plan was shown. */
  readonly planOnly: boolean
  /** Runs the plan's application with progress and interrupts attached. */
  readonly runs: (
    plan: Plan,
    work: (options: PlanSessionOptions) => Promise<ApplyOutcome>,
  ) => Promise<ApplyOutcome>
}

/** What came of it: no plan needed, a plan, or a plan applied. */
export type PeersFixed = Planned & {readonly outcome?: ApplyOutcome}

/** Plans a change of the peer set, shows it, and applies it if the operator consents. */
export async function peersFix(session: Session, order: PeersFixOrder): Promise<PeersFixed> {
  const planned = await makePlan(session, order.intent, order.onWait)
  if (planned.kind === 'nothing-to-do') return planned
  await order.onPlan(planned)
  if (order.planOnly) return planned
  const consent = await obtainConsent(session.deps.prompt, planned.plan, order.given)
  const outcome = await order.runs(planned.plan, async options =>
    apply(session, planned.plan, {...options, consent}),
  )
  return {...planned, outcome}
}
