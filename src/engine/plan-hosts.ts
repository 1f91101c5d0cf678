import type {Plan, PlanHost, Step} from '../core/model/plan.js'
import type {ActionsFor, Answer, HostActions, LockHolder, StopProof} from '../ports/host-actions.js'

/**
 * The hosts of a plan as the executor reaches them: one connection each, and answers that are never older than the
 * question. Steps of several hosts ask the same at the same time; a question joins one that has not begun yet, and
 * never one that has, because that may have looked before the asker was ready.
 */
export class PlanHosts {
  readonly #plan: Plan
  readonly #actionsFor: ActionsFor
  readonly #actions = new Map<string, Promise<Answer<HostActions>>>()
  readonly #next = new Map<string, Promise<unknown>>()
  readonly #running = new Map<string, Promise<unknown>>()

  constructor(plan: Plan, actionsFor: ActionsFor) {
    this.#plan = plan
    this.#actionsFor = actionsFor
  }

  /** What may be done on a host of the plan. A host that could not be reached is asked for again the next time. */
  async on(host: string): Promise<Answer<HostActions>> {
    const known = this.#actions.get(host)
    if (known !== undefined) return await known
    const planHost = this.#plan.hosts.find(candidate => candidate.host === host)
    if (planHost === undefined) return {ok: false, failure: 'failed', note: `${host} is not in the plan`}
    const reaching = this.#actionsFor(planHost)
    this.#actions.set(host, reaching)
    const reached = await reaching
    if (!reached.ok) this.#actions.delete(host)
    return reached
  }

  /** A proof that begins after this call. */
  async prove(host: string): Promise<Answer<StopProof>> {
    return await this.#fresh(host, 'prove', actions => actions.proveStopped())
  }

  /** Who holds the lock, asked after this call. */
  async lockHolder(host: string): Promise<Answer<LockHolder | undefined>> {
    return await this.#fresh(host, 'lock', actions => actions.lockHolder())
  }

  async #fresh<T>(
    host: string,
    question: string,
    ask: (actions: HostActions) => Promise<Answer<T>>,
  ): Promise<Answer<T>> {
    const key = `${question} ${host}`
    const scheduled = this.#next.get(key)
    if (scheduled !== undefined) return (await scheduled) as Answer<T>
    const asking = this.#askAfter(key, this.#running.get(key), async () => {
      const reached = await this.on(host)
      return reached.ok ? await ask(reached.value) : reached
    })
    this.#next.set(key, asking)
    return await asking
  }

  async #askAfter<T>(key: string, running: Promise<unknown> | undefined, ask: () => Promise<T>): Promise<T> {
    await (running ?? Promise.resolve())
    this.#next.delete(key)
    const answer = ask()
    this.#running.set(
      key,
      answer.catch(() => undefined),
    )
    return await answer
  }
}

/** Hosts whose servers must be stopped before any byte is written: those that get the file and those set aside. */
export function barrierHosts(plan: Plan): readonly PlanHost[] {
  return plan.hosts.filter(host => host.role === 'included' || host.role === 'set-aside')
}

/** Why a barrier does not stand, host by host; empty when every server is proved stopped and held. */
export async function barrierGaps(
  hosts: PlanHosts,
  names: readonly string[],
  what: {readonly stopped: boolean; readonly held: boolean},
): Promise<readonly {readonly host: string; readonly lost: boolean; readonly why: string}[]> {
  const gaps = await Promise.all(
    names.map(async host => {
      const proof = await hosts.prove(host)
      if (!proof.ok) return {host, lost: proof.failure === 'lost', why: proof.note}
      if (what.stopped && !proof.value.stopped) return {host, lost: false, why: proof.value.why}
      if (what.held && !proof.value.held)
        return {host, lost: false, why: 'its service manager is free to start the server'}
      return undefined
    }),
  )
  return gaps.filter(gap => gap !== undefined)
}

/**
 * Servers that were set aside and run, or may be started, before their turn: a reboot forgets a hold, and such a server
 * is blank and votes (safety rules S3 and S4). `started` are ids of steps. A host that does not answer does not count:
 * its data is fenced, and the servers that are kept must not wait for it.
 */
export async function beforeTheirTurn(
  plan: Plan,
  hosts: PlanHosts,
  started: (step: string) => boolean,
): Promise<string | undefined> {
  const steps = plan.phases.flatMap(phase => phase.steps)
  const waiting = plan.hosts.filter(({host, role}) => {
    const turns = steps.filter(step => step.host === host && isStart(step))
    return role === 'set-aside' && !turns.some(step => started(step.id))
  })
  const names = waiting.map(({host}) => host)
  const gaps = await barrierGaps(hosts, names, {stopped: true, held: true})
  const seen = gaps.filter(gap => !gap.lost)
  if (seen.length === 0) return undefined
  return `${seen.map(({host, why}) => `${host} was set aside and it is not its turn: ${why}`).join('; ')}; has it been rebooted?`
}

/** Whether a step lets a server run: its manager is free from then on. */
export const isStart = ({action}: Step): boolean =>
  action.do === 'release-service' || action.do === 'start-service'
