import type {FleetObservation, ServerObservation} from '../core/model/observation.js'
import type {Plan, PlanHost} from '../core/model/plan.js'
import type {ApplyEvent} from '../core/model/progress.js'
import {valueOf} from '../core/model/reading.js'
import type {WriteTrial} from '../core/verifying/expectation.js'
import type {ActionsFor, HostActionsMaker} from '../ports/host-actions.js'
import type {ApplyDeps} from './apply-deps.js'
import {collectContents} from './collect-contents.js'
import {collectFleet} from './collect.js'
import {makeHostQuestions, tryWrite} from './host-questions.js'
import type {ObservedHost} from './observe-host.js'
import type {Session} from './session.js'
import {verifyTimes, verifyUntil} from './verify.js'
import type {VerifyTimes} from './verify.js'

/** What applying a plan is given besides the session. */
export interface PlanSessionOptions {
  readonly makeActions: HostActionsMaker
  readonly progress: (event: ApplyEvent) => void
  /** True after the first Ctrl-C. */
  readonly stopRequested: () => boolean
  readonly times?: Partial<VerifyTimes>
}

/** How long a host declared dead is given to accept a connection, in milliseconds: two tries of a TCP handshake. */
const deadAcceptMs = 1500

/** What comparing contents may cost one sample; what it leaves open is left to the next. */
const contentsLimits = {rounds: 3, allMs: 60_000}

const silence = (): Promise<readonly string[]> => Promise.resolve([])

/** A session seen from a plan: its hosts only, reached through the session's connections. */
export class PlanSession {
  readonly #session: Session
  readonly #plan: Plan
  readonly #hosts = new Map<string, ObservedHost>()

  constructor(session: Session, plan: Plan) {
    this.#session = session
    this.#plan = plan
  }

  /** Observes the fleet, the hosts declared dead included: one that answers is news. */
  async observeAll(): Promise<FleetObservation> {
    return await this.#observeBut(new Set())
  }

  /** Observes the fleet without the hosts declared dead; those are looked at beside it, see `lookAtDead`. */
  async observeLiving(): Promise<FleetObservation> {
    return await this.#observeBut(this.#names(host => host.role === 'dead'))
  }

  async #observeBut(except: ReadonlySet<string>): Promise<FleetObservation> {
    const {observation, hosts} = await this.#session.observe({}, except)
    this.#session.requireReached(observation)
    for (const host of hosts) this.#hosts.set(host.server.host, host)
    return observation
  }

  /**
   * Looks once more at the hosts declared dead, for less long than planning did: a host that is up answers within the
   * limit, and one that is not must not hold up the recovery, nor the word of one that is.
   */
  lookAtDead(): readonly Promise<readonly ServerObservation[]>[] {
    return [...this.#names(host => host.role === 'dead')].map(
      async name => (await this.#collect([name], {acceptTimeoutMs: deadAcceptMs})).observation.servers,
    )
  }

  #names(choose: (host: PlanHost) => boolean): ReadonlySet<string> {
    return new Set(this.#plan.hosts.filter(choose).map(host => host.host))
  }

  /**
   * Observes the hosts that take part, contents included. Hosts declared dead are left out: waiting for them to
   * answer would make each sample as long as a connection's time limit.
   */
  async observeForVerify(): Promise<FleetObservation> {
    const collected = await this.#collect([...this.#names(host => host.role !== 'dead')])
    const hosts = collected.hosts.filter(({server}) => (valueOf(server.api.leader) ?? '') !== '')
    return await collectContents(this.#session.deps.collect, {...collected, hosts}, contentsLimits)
  }

  /** Tries to write through a server that knows a leader. */
  async tryWrite(): Promise<WriteTrial> {
    const atMs = this.#session.deps.collect.clock.nowMs()
    const asked = [...this.#hosts.values()].find(
      host => host.api !== undefined && (valueOf(host.server.api.leader) ?? '') !== '',
    )
    if (asked?.api === undefined) return {atMs, result: 'failed', note: 'no server knows a leader'}
    return await tryWrite(asked.api, this.#plan.of ?? this.#plan.id)
  }

  /** The executor's view of the world. */
  applyDeps(options: PlanSessionOptions, deadSpeak: ApplyDeps['deadSpeak'] = silence): ApplyDeps {
    const {collect, journal, by} = this.#session.deps
    return {
      clock: collect.clock,
      journal,
      by,
      actionsFor: this.#actionsFor(options.makeActions),
      verify: async (plan, rejoined, withinMs, onMissing) =>
        await verifyUntil(this.#verifyDeps(), plan, {
          ...verifyTimes,
          ...options.times,
          withinMs,
          rejoined,
          onVerdict: (_, missing) => onMissing(missing),
        }),
      progress: options.progress,
      stopRequested: options.stopRequested,
      deadSpeak,
    }
  }

  #verifyDeps() {
    return {
      clock: this.#session.deps.collect.clock,
      observe: () => this.observeForVerify(),
      tryWrite: () => this.tryWrite(),
    }
  }

  /** Verification by itself, for `quorate verify`. */
  async verify(
    rejoined: ReadonlySet<string>,
    times: Partial<VerifyTimes> & {readonly startedAtMs?: number},
    onMissing: (missing: readonly string[]) => void,
  ) {
    return await verifyUntil(this.#verifyDeps(), this.#plan, {
      ...verifyTimes,
      ...times,
      rejoined,
      onVerdict: (_, missing) => onMissing(missing),
    })
  }

  #actionsFor(makeActions: HostActionsMaker): ActionsFor {
    return async host => {
      let known = this.#hosts.get(host.host)
      if (known?.connection === undefined) {
        await this.#collect([host.host])
        known = this.#hosts.get(host.host)
      }
      if (known?.connection === undefined)
        return {ok: false, failure: 'lost', note: whyUnreached(known?.server)}
      const questions = makeHostQuestions({
        seen: known.server,
        api: known.api,
        observeAgain: async () => {
          const {observation} = await this.#collect([host.host], {storeOnly: true})
          return observation.servers[0] ?? (known as ObservedHost).server
        },
      })
      const holder = {plan: this.#plan.of ?? this.#plan.id, by: this.#session.deps.by}
      const actions = makeActions({connection: known.connection, host, holder, questions})
      if (actions !== undefined) return {ok: true, value: actions}
      return {ok: false, failure: 'failed', note: 'nothing is known that starts and stops its server'}
    }
  }

  async #collect(
    names: readonly string[],
    {acceptTimeoutMs, storeOnly = false}: {acceptTimeoutMs?: number; storeOnly?: boolean} = {},
  ) {
    const {fleet, deps} = this.#session
    const accept = acceptTimeoutMs === undefined ? {} : {acceptTimeoutMs}
    const members = fleet.members
      .filter(member => names.includes(member.target.host))
      .map(member => ({...member, target: {...member.target, ...accept}}))
    const collected = await collectFleet(
      deps.collect,
      {...fleet, members},
      {...deps.options, compareHistories: false, storeOnly},
    )
    if (!storeOnly) for (const host of collected.hosts) this.#hosts.set(host.server.host, host)
    return collected
  }
}

function whyUnreached(server: ServerObservation | undefined): string {
  if (server === undefined) return 'it is not among the hosts of this command'
  return server.reached.kind === 'unread'
    ? `no connection (${server.reached.why})`
    : 'the connection was lost'
}
