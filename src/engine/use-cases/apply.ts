import {driftOf, driftOfDead} from '../../core/planning/fingerprint.js'
import type {FleetObservation, ServerObservation} from '../../core/model/observation.js'
import type {Plan} from '../../core/model/plan.js'
import type {ApplyOutcome} from '../../core/model/progress.js'
import {valueOf} from '../../core/model/reading.js'
import {QuorateError} from '../../errors.js'
import {applyPlan} from '../apply.js'
import type {Consented} from '../consent.js'
import {JournalWriter} from '../journal-writer.js'
import {beforeDeadline} from '../limits.js'
import {PlanSession} from '../plan-session.js'
import type {PlanSessionOptions} from '../plan-session.js'
import type {Session} from '../session.js'

/** What applying a plan is given besides the plan. */
export interface ApplyIntent extends PlanSessionOptions {
  readonly consent: Consented
}

/** How much longer than the servers of the plan those declared dead are waited for before the first step. */
const promptMs = 50

/**
 * Applies a plan exactly as it is. Before the first step the plan is saved, the fleet is observed again and the plan is
 * refused if a fact that it rests on has changed. Throws for refusals, when nothing was changed.
 */
export async function apply(session: Session, plan: Plan, intent: ApplyIntent): Promise<ApplyOutcome> {
  const {journal, collect, by} = session.deps
  checkAge(plan, collect.clock.nowMs())
  return await locked(session, plan.id, async () => {
    if ((await journal.entries(plan.id)).length > 0)
      throw new QuorateError('USAGE', `Plan ${plan.id} was begun before; its journal says how far it came.`, {
        hints: [`quorate resume ${plan.id}`, `quorate history ${plan.id}`],
      })
    const planSession = new PlanSession(session, plan)
    const looking = planSession.lookAtDead()
    for (const look of looking) look.catch(() => undefined) // told where it is awaited; the living may fail first
    const fleet = await planSession.observeLiving()
    checkCluster(plan, fleet)
    const withDead = (dead: readonly ServerObservation[]): FleetObservation => ({
      ...fleet,
      servers: [...fleet.servers, ...dead],
    })
    // One that lives answers as fast as the others, and is told before anything is done; silence takes longer.
    const {clock} = collect
    const untilMs = clock.nowMs() + promptMs
    const early = await Promise.all(looking.map(look => beforeDeadline(look, clock, untilMs, () => [])))
    checkDrift(session, plan, withDead(early.flat()))
    await journal.savePlan(plan)
    const writer = await JournalWriter.open(journal, collect.clock, plan.id, '')
    await writer.append({type: 'opened', by, ...intent.consent})
    const none = new Set<string>()
    const start = {done: none, begun: none, interrupted: none, journal: plan.id, prefix: ''}
    const deadSpeak = async (): Promise<readonly string[]> =>
      driftOfDead(plan, withDead((await Promise.all(looking)).flat()))
    return await applyPlan(planSession.applyDeps(intent, deadSpeak), plan, start)
  })
}

/** How far the clock of the machine that made a plan may be ahead of ours, in milliseconds. */
const clockSlackMs = 60_000

/** Holds the plan's lock on this machine while `work` runs. */
export async function locked<T>(session: Session, id: string, work: () => Promise<T>): Promise<T> {
  const lock = await session.deps.journal.lock(id)
  if ('heldBy' in lock)
    throw new QuorateError('LOCKED', `Plan ${id} is being applied by ${lock.heldBy}.`, {
      hints: [`quorate history ${id}`],
    })
  try {
    return await work()
  } finally {
    await lock.release()
  }
}

/** Refuses a plan that is too old; asked before anybody is asked to consent to it. Throws PLAN_EXPIRED. */
export function checkAge(plan: Plan, nowMs: number): void {
  if (nowMs < plan.madeAtMs - clockSlackMs) {
    const made = new Date(plan.madeAtMs).toISOString().replace(/\.\d+Z$/, 'Z')
    throw new QuorateError(
      'PLAN_EXPIRED',
      `Plan ${plan.id} was made at ${made}, which is still to come by this machine's clock: its age cannot be told.`,
      {hints: ['set the clock of this machine, or make a new plan']},
    )
  }
  if (nowMs <= plan.expiresAtMs) return
  const expired = new Date(plan.expiresAtMs).toISOString().replace(/\.\d+Z$/, 'Z')
  throw new QuorateError('PLAN_EXPIRED', `Plan ${plan.id} expired at ${expired}.`, {
    hints: ['quorate peers fix … makes a new one from what is so now'],
  })
}

/** A plan that is carried to the hosts of another cluster must not find anything to do there. */
function checkCluster(plan: Plan, fleet: FleetObservation): void {
  const seen = fleet.servers.flatMap(server => {
    const self = valueOf(server.api.self)
    const id = self?.nodeId ?? valueOf(server.nodeId)
    const addresses = [...(valueOf(server.hostAddresses) ?? []), server.address]
    return [...(id === undefined ? [] : [id]), ...addresses]
  })
  const hostPart = (address: string): string => address.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  const known = [
    ...plan.identity.serverIds,
    ...plan.hosts.map(host => host.id),
    ...plan.hosts.map(host => hostPart(host.address)),
    ...plan.before.servers.map(server => hostPart(server.address)),
  ]
  const hosts = new Set(fleet.servers.map(server => server.host))
  const missing = plan.hosts.filter(host => host.role !== 'dead' && !hosts.has(host.host))
  if (missing.length === 0 && seen.some(id => known.includes(id))) return
  const why =
    missing.length > 0
      ? `${missing.map(host => host.host).join(', ')} of the plan ${missing.length === 1 ? 'is' : 'are'} not among the hosts`
      : 'none of its servers is among the hosts'
  throw new QuorateError('PLAN_OTHER_CLUSTER', `Plan ${plan.id} was made for ${plan.cluster}: ${why}.`, {
    hints: [`quorate apply --cluster ${plan.cluster} …`],
  })
}

function checkDrift(session: Session, plan: Plan, fleet: FleetObservation): void {
  const context = {nowMs: fleet.finishedAtMs, sha256: session.deps.sha256Text}
  const drift = driftOf(plan, fleet, context)
  if (drift.length === 0) return
  throw new QuorateError('PLAN_STALE', `Plan ${plan.id} no longer fits: ${drift.join(' ')}`, {
    hints: ['quorate peers fix … makes a new plan from what is so now'],
    details: {drift},
  })
}
