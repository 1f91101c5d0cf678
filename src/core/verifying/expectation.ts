import type {Server} from '../model/configuration.js'
import type {FleetObservation, ServerObservation} from '../model/observation.js'
import type {Plan, PlanHost} from '../model/plan.js'
import type {Check} from '../model/verdict.js'

/** An attempt to write a test key through the leader, read it back and remove it. */
export interface WriteTrial {
  readonly atMs: number
  /** `not-allowed`: our token may not write; that says nothing about the cluster. */
  readonly result: 'ok' | 'failed' | 'not-allowed'
  readonly note: string
}

/** What verification knows besides plan and samples. Times are in milliseconds. */
export interface VerifyContext {
  /** When the servers of the plan had been started. */
  readonly startedAtMs: number
  readonly nowMs: number
  /** For how long raft and serf must agree: a leader's reconcile interval, 60 s in Consul. */
  readonly reconcileMs: number
  /** From then on, counted from the start, what has not come right is wrong: 90 s. */
  readonly settleMs: number
  readonly writes: readonly WriteTrial[]
}

/** What a cluster must look like, taken from its plan. */
export interface Expectation {
  readonly plan: Plan
  readonly servers: readonly Server[]
  /** Hosts whose servers must be up and agree. */
  readonly hosts: readonly PlanHost[]
  /** Hosts that got a recovery file or an edited live list, with its path. */
  readonly files: ReadonlyMap<string, string>
}

/** One server of the latest sample beside what is expected of it. */
export interface Judged {
  readonly host: PlanHost
  readonly seen: ServerObservation
}

/** The samples as the checks use them: oldest first, at least one. */
export interface Evidence {
  readonly expectation: Expectation
  readonly context: VerifyContext
  readonly samples: readonly FleetObservation[]
  readonly latest: FleetObservation
  readonly servers: readonly Judged[]
  /** Whether it is late enough that what has not come right counts as wrong. */
  readonly settled: boolean
}

/** The state of something that time may still cure. */
export function pendingOrWrong(evidence: Evidence): Check['state'] {
  return evidence.settled ? 'wrong' : 'pending'
}

/**
 * What the plan promises at this moment. A server that was set aside counts once it has been started again, which
 * the plan does only after the first verification.
 */
export function expectationOf(plan: Plan, rejoined: ReadonlySet<string>): Expectation {
  const hosts = plan.hosts.filter(
    host =>
      host.role === 'included' ||
      host.role === 'witness' ||
      (host.role === 'set-aside' && host.rejoins && rejoined.has(host.host)),
  )
  const files = new Map<string, string>()
  for (const step of plan.phases.flatMap(phase => phase.steps))
    if (step.action.do === 'write-file' && step.action.path.endsWith('/raft/peers.json'))
      files.set(step.host, step.action.path)
  const waiting = plan.hosts.filter(host => host.role === 'set-aside' && !rejoined.has(host.host))
  const servers = plan.after.servers.filter(
    server => !waiting.some(host => host.id === server.id || host.address === server.address),
  )
  return {plan, servers, hosts, files}
}
