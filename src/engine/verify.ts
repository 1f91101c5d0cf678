import type {FleetObservation} from '../core/model/observation.js'
import type {Plan} from '../core/model/plan.js'
import {valueOf} from '../core/model/reading.js'
import {shortcomings} from '../core/model/verdict.js'
import type {Verdict} from '../core/model/verdict.js'
import {judge} from '../core/verify.js'
import {expectationOf} from '../core/verifying/expectation.js'
import type {WriteTrial} from '../core/verifying/expectation.js'
import type {Clock} from '../ports/clock.js'

/** What verification asks of the world. */
export interface VerifyDeps {
  readonly clock: Clock
  /** Observes the hosts of a plan again, contents included. */
  readonly observe: () => Promise<FleetObservation>
  /** Writes a test key through the leader, reads it back and removes it. */
  readonly tryWrite: (plan: Plan) => Promise<WriteTrial>
}

/** How long verification samples and by which measures it judges. */
export interface VerifyTimes {
  readonly withinMs: number
  readonly reconcileMs: number
  readonly settleMs: number
  readonly everyMs: number
}

/** A leader's reconcile interval in Consul (`ReconcileInterval`, agent/consul/config.go), and what servers may take. */
export const verifyTimes: VerifyTimes = {
  withinMs: 150_000,
  reconcileMs: 60_000,
  settleMs: 90_000,
  everyMs: 2000,
}

/** Samples kept: enough for a reconcile interval at one sample a second. */
const samplesMax = 150

/** Samples the cluster until it is verified, has certainly failed, or time is up; the last verdict counts. */
export async function verifyUntil(
  deps: VerifyDeps,
  plan: Plan,
  options: VerifyTimes & {
    readonly rejoined: ReadonlySet<string>
    /** When the servers were started; by default now. */
    readonly startedAtMs?: number
    readonly onVerdict?: (verdict: Verdict, missing: readonly string[]) => void
  },
): Promise<Verdict> {
  const beganAtMs = deps.clock.nowMs()
  const expectation = expectationOf(plan, options.rejoined)
  const samples: FleetObservation[] = []
  const writes: WriteTrial[] = []
  for (;;) {
    const sample = await deps.observe()
    samples.push(sample)
    if (samples.length > samplesMax) samples.shift()
    if (knowsLeader(sample) && writes.at(-1)?.result !== 'ok') writes.push(await deps.tryWrite(plan))
    const verdict = judge(expectation, samples, {
      startedAtMs: options.startedAtMs ?? beganAtMs,
      nowMs: deps.clock.nowMs(),
      reconcileMs: options.reconcileMs,
      settleMs: options.settleMs,
      writes,
    })
    options.onVerdict?.(verdict, shortcomings(verdict))
    if (verdict.verdict !== 'converging') return verdict
    const leftMs = beganAtMs + options.withinMs - deps.clock.nowMs()
    if (leftMs <= 0) return verdict
    await deps.clock.sleep(Math.min(options.everyMs, leftMs))
  }
}

function knowsLeader(sample: FleetObservation): boolean {
  return sample.servers.some(server => (valueOf(server.api.leader) ?? '') !== '')
}
