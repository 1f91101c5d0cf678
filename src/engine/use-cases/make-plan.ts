import {planPeersFix} from '../../core/planning/peers-fix.js'
import type {FleetObservation} from '../../core/model/observation.js'
import type {MilderWay, PeersFixIntent, Plan, PlanResult} from '../../core/model/plan.js'
import {valueOf} from '../../core/model/reading.js'
import {QuorateError} from '../../errors.js'
import type {Session} from '../session.js'

/** What planning came to. Refusals are thrown with their code. */
export type Planned =
  | {
      readonly kind: 'plan'
      readonly plan: Plan
      readonly milder: readonly MilderWay[]
      readonly observation: FleetObservation
    }
  | {readonly kind: 'nothing-to-do'; readonly why: string; readonly observation: FleetObservation}

/** Told while planning waits, so that nobody stares at a still screen. */
export type OnWait = (secondsLeft: number) => void

/** Methods that take a cluster for leaderless; a single glance is not enough for that. */
const leaderless: ReadonlySet<string> = new Set(['recovery-file', 'best-log-alone', 'start'])
const sampleEveryMs = 2000
/** Looks that are added where the way depends on how logs end. */
const LOOKS_MORE = 3

/** Refusals that time may lift: survivors name a dead leader, and gossip a dead member, for some seconds. */
const passing: ReadonlySet<string> = new Set(['LEADER_UNSURE', 'DEAD_BUT_ANSWERS'])

/**
 * How long gossip may have a member that is gone as alive, in milliseconds: it is probed within seconds, and suspected
 * for up to six times the least time (memberlist config.go, `SuspicionMaxTimeoutMult`). Elections may be faster.
 */
const gossipTakesMs = 15_000

/**
 * Observes and plans. A plan that rests on there being no leader is made only after the cluster stayed leaderless for
 * longer than an election may take: survivors go on naming a dead leader, or are in the middle of electing one, for
 * up to 13 s with Consul's defaults.
 */
export async function makePlan(session: Session, intent: PeersFixIntent, onWait: OnWait): Promise<Planned> {
  const clock = session.deps.collect.clock
  let observation = await look(session)
  session.requireServers(observation)
  session.requireReached(observation)
  let result = plan(session, observation, intent)
  const electionTakesMs = someServerRuns(observation) ? electionMs(observation) : 0
  const passesMs = electionTakesMs === 0 ? 0 : Math.max(electionTakesMs, gossipTakesMs)
  const giveUpMs = clock.nowMs() + passesMs
  let leaderlessSinceMs = isLeaderless(result) ? clock.nowMs() : undefined
  for (;;) {
    const unsure = result.kind === 'refused' && passing.has(result.code)
    const untilMs =
      leaderlessSinceMs === undefined ? (unsure ? giveUpMs : 0) : leaderlessSinceMs + electionTakesMs
    const leftMs = untilMs - clock.nowMs()
    if (leftMs <= 0) break
    onWait(Math.ceil(leftMs / 1000))
    await clock.sleep(Math.min(sampleEveryMs, leftMs))
    observation = await look(session)
    result = plan(session, observation, intent)
    leaderlessSinceMs = isLeaderless(result) ? (leaderlessSinceMs ?? clock.nowMs()) : undefined
  }
  // A store that is written to while it is read may not tell how its log ends; what rests on that is looked at again.
  for (let looks = 0; looks < LOOKS_MORE && restsOnUnknownTails(result); looks++) {
    await clock.sleep(sampleEveryMs)
    observation = await look(session)
    result = plan(session, observation, intent)
  }
  if (result.kind === 'refused') throw new QuorateError(result.code, result.why, {hints: result.hints})
  return {...result, observation}
}

/** The best log goes alone where the others conflict with it, and where it is not known whether they do. */
function restsOnUnknownTails(result: PlanResult): boolean {
  return result.kind === 'plan' && result.plan.method === 'best-log-alone'
}

function isLeaderless(result: PlanResult): boolean {
  return result.kind === 'plan' && leaderless.has(result.plan.method)
}

async function look(session: Session): Promise<FleetObservation> {
  return (await session.observe()).observation
}

function plan(session: Session, observation: FleetObservation, intent: PeersFixIntent): PlanResult {
  return planPeersFix(observation, intent, {nowMs: observation.finishedAtMs, sha256: session.deps.sha256Text})
}

function someServerRuns(observation: FleetObservation): boolean {
  return observation.servers.some(server => (valueOf(server.processes)?.length ?? 0) > 0)
}

/**
 * How long an election may take, in milliseconds. Consul from 0.7 on: heartbeat timeout 1 s times the raft multiplier
 * (5 unless configured), up to twice that before standing, and the same again for the vote (`DefaultConfig`,
 * agent/consul/config.go). Up to 0.6 there is no multiplier. Of servers that tell nothing nothing is assumed where others
 * tell theirs: those are the ones that name a dead leader or elect a new one within our sight.
 */
export function electionMs(observation: FleetObservation): number {
  const telling = observation.servers.filter(server => server.config.kind === 'read')
  const multipliers = (telling.length > 0 ? telling : observation.servers).map(
    server => valueOf(server.config)?.performanceMultiplier ?? defaultMultiplier(valueOf(server.version)),
  )
  return 3000 * Math.max(1, ...multipliers)
}

function defaultMultiplier(version: string | undefined): number {
  const old = version !== undefined && /^0\.[0-6]\./.test(version)
  return old ? 1 : 5
}
