import type {WatchTarget} from '../../core/fsm/messages.js'
import type {StateMachine} from '../../core/fsm/state-machine.js'
import {parseGoDuration} from '../../core/codec/go-duration.js'
import type {AgentBackend, HttpAnswer, HttpRequest, Problem} from '../backend.js'
import type {Headers} from './answers.js'
import {Failure, NOT_LEADER, NO_LEADER, NO_SERVERS} from './answers.js'
import type {ParsedRequest, Query} from './request.js'

/** How long a request waits for a leader (`rpc_hold_timeout`, Consul 0.7 and later). */
const HOLD_MS = 7000
const RETRY_MS = 100
const WAIT_DEFAULT_MS = 300_000
const WAIT_MAX_MS = 600_000
const JITTER = 16
/** Marks a request that was forwarded to the leader, which must not pass it on again. */
export const FORWARDED = 'x-quorate-forwarded'

/** How fresh an answer must be. */
export type Mode = 'default' | 'consistent' | 'stale'

/** What a query of the state gives: the index to wait on and, made only when it is sent, the answer. */
export interface Found {
  readonly index: number
  answer(meta: Headers): HttpAnswer
}

/** A query of the state: what it depends on, how it is answered. */
export interface StateQuery {
  readonly watch: readonly WatchTarget[]
  run(machine: StateMachine): Found
  /** Catalog and health tell the mode in a header, and send the headers of a query with errors, too. */
  readonly catalog?: boolean
}

/** Where and how fresh a request must be served: forwards, holds, waits, and makes the headers of queries. */
export class Consistency {
  constructor(private readonly backend: AgentBackend) {}

  /** Serves a query of the state, blocking when it has an index. */
  async query(parsed: ParsedRequest, query: StateQuery): Promise<HttpAnswer> {
    const mode = modeOf(parsed.query)
    const wait = waitOf(parsed.query)
    this.checkDatacenter(parsed.query)
    const elsewhere = await this.placed(parsed.request, mode, query.catalog === true)
    if (elsewhere !== undefined) return elsewhere
    const {machine} = this.backend
    if (machine === undefined) throw new Failure(500, NO_SERVERS)
    const barrier = await this.barrier(mode)
    if (barrier !== undefined) return this.noLeader(barrier.problem, query.catalog === true)
    let found = query.run(machine)
    if (wait !== undefined && found.index <= wait.index) {
      found = await this.blocked(machine, query, found, wait, parsed.request)
      if (mode !== 'stale') {
        // What was waited for may have come after this server stopped leading, or was last heard of long ago.
        if (!this.backend.leads()) return this.query(parsed, query)
        const later = await this.barrier(mode)
        if (later !== undefined) return this.noLeader(later.problem, query.catalog === true)
        found = query.run(machine)
      }
    }
    return found.answer(this.meta(found.index, mode, query.catalog === true))
  }

  /** Makes sure that this server leads, or forwards the request; the answer is then from elsewhere. */
  async write(request: HttpRequest): Promise<HttpAnswer | undefined> {
    if (this.backend.leads()) return undefined
    return this.elsewhere(request)
  }

  /** As `write`, for questions that only the leader can answer, or with `?stale` any server. */
  async ask(parsed: ParsedRequest): Promise<HttpAnswer | undefined> {
    this.checkDatacenter(parsed.query)
    return this.placed(parsed.request, parsed.query.has('stale') ? 'stale' : 'default', false)
  }

  /** Refuses another datacenter than this one: there is no way to any other. */
  checkDatacenter(query: Query): void {
    const wanted = query.get('dc')
    if (wanted !== '' && wanted !== this.backend.identity.datacenter)
      throw new Failure(500, 'No path to datacenter')
  }

  /** Hands the request to a server from a client; undefined on a server. */
  async anyServer(request: HttpRequest): Promise<HttpAnswer | undefined> {
    if (this.backend.identity.server) return undefined
    if (!this.backend.knowsServers()) throw new Failure(500, NO_SERVERS)
    const answer = await this.backend.forward('any-server', request)
    if ('problem' in answer) throw new Failure(500, answer.problem)
    return answer
  }

  /** Makes sure that what this server has applied is fresh enough for an answer. */
  private async barrier(mode: Mode): Promise<Problem | undefined> {
    const trusted = mode === 'stale' || (mode === 'default' && this.backend.holdsLease())
    return trusted ? undefined : this.backend.readBarrier()
  }

  private async placed(request: HttpRequest, mode: Mode, catalog: boolean): Promise<HttpAnswer | undefined> {
    try {
      const fromServer = await this.anyServer(request)
      if (fromServer !== undefined) return fromServer
      if (mode !== 'stale') return this.backend.leads() ? undefined : await this.elsewhere(request)
      // From Consul 1.2.3 on a server that has not heard of a leader since its start does not show its state.
      if (this.backend.lastContactMs() !== undefined || this.backend.leads()) return undefined
      if (await this.backend.awaitLeader(HOLD_MS)) return undefined
      throw new Failure(500, NO_LEADER)
    } catch (error) {
      if (error instanceof Failure && catalog) throw new Failure(error.status, error.message, NO_META)
      throw error
    }
  }

  /** Forwards to the leader, waiting for one for as long as Consul does; undefined when it is this server itself. */
  private async elsewhere(request: HttpRequest): Promise<HttpAnswer | undefined> {
    const {backend} = this
    const fromServer = await this.anyServer(request)
    if (fromServer !== undefined) return fromServer
    if (request.headers[FORWARDED] !== undefined) throw new Failure(500, NO_LEADER)
    const until = backend.monotonicMs() + HOLD_MS
    const marked = {...request, headers: {...request.headers, [FORWARDED]: '1'}}
    let why = NO_LEADER
    for (;;) {
      if (backend.leads()) return undefined
      if (backend.leader() !== undefined) {
        const answer = await backend.forward('leader', marked)
        if (!('problem' in answer) && !saysNoLeader(answer)) return answer
        why = 'problem' in answer ? answer.problem : NO_LEADER
        // A write whose way broke may have been done: only the client can know whether to repeat it.
        if (why !== NO_LEADER && request.method !== 'GET') throw new Failure(500, why)
      }
      const left = until - backend.monotonicMs()
      if (left <= 0) throw new Failure(500, why)
      if (backend.leader() === undefined) await backend.awaitLeader(left)
      // A leader that is known but not yet established, or not any more, needs a moment.
      else await sleep(Math.min(RETRY_MS, left))
    }
  }

  private async blocked(
    machine: StateMachine,
    query: StateQuery,
    first: Found,
    wait: Wait,
    request: HttpRequest,
  ): Promise<Found> {
    const {backend} = this
    const until = backend.monotonicMs() + wait.ms + (backend.chance() * wait.ms) / JITTER
    const pause = new Pause()
    request.onGone?.(() => pause.end())
    let found = first
    const {generation} = machine
    while (found.index <= wait.index && !pause.ended && machine.generation === generation) {
      const left = until - backend.monotonicMs()
      if (left <= 0) break
      const cancels = query.watch.map(target => machine.watch(target, () => pause.wake()))
      await pause.wait(left)
      for (const cancel of cancels) cancel()
      found = query.run(machine)
    }
    return found
  }

  private meta(index: number, mode: Mode, catalog: boolean): Headers {
    const {backend} = this
    const leads = backend.leads()
    const contact = leads ? 0 : Math.round(backend.lastContactMs() ?? 0)
    const known = leads || backend.leader() !== undefined
    return {
      ...(catalog ? {'X-Consul-Effective-Consistency': mode === 'default' ? 'leader' : mode} : undefined),
      'X-Consul-Index': String(Math.max(1, index)),
      'X-Consul-Knownleader': known ? 'true' : 'false',
      'X-Consul-Lastcontact': String(contact),
    }
  }

  private noLeader(problem: string, catalog: boolean): never {
    throw new Failure(500, problem === NOT_LEADER ? NO_LEADER : problem, catalog ? NO_META : {})
  }
}

const NO_META: Headers = {
  'X-Consul-Index': '1',
  'X-Consul-Knownleader': 'false',
  'X-Consul-Lastcontact': '0',
}

/** A wait that is over when it is woken, when its time is, or for good when its end has come. */
class Pause {
  ended = false
  private resolve: () => void = () => undefined

  wait(ms: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, ms)
      this.resolve = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  wake(): void {
    this.resolve()
  }

  end(): void {
    this.ended = true
    this.resolve()
  }
}

interface Wait {
  readonly index: number
  readonly ms: number
}

function modeOf(query: Query): Mode {
  const [stale, consistent] = [query.has('stale'), query.has('consistent')]
  if (stale && consistent)
    throw new Failure(400, 'Cannot specify ?stale with ?consistent, conflicting semantics.')
  return stale ? 'stale' : consistent ? 'consistent' : 'default'
}

/** What a blocking query waits for; undefined for one that does not block (`parseWait`, consul agent/http.go). */
function waitOf(query: Query): Wait | undefined {
  const waitText = query.get('wait')
  const ms = waitText === '' ? 0 : parseGoDuration(waitText)
  if (ms === undefined) throw new Failure(400, 'Invalid wait time')
  const indexText = query.get('index')
  if (indexText === '') return undefined
  if (!/^\d{1,20}$/.test(indexText)) throw new Failure(400, 'Invalid index')
  const index = Number(indexText)
  return index === 0 ? undefined : {index, ms: ms <= 0 ? WAIT_DEFAULT_MS : Math.min(ms, WAIT_MAX_MS)}
}

function saysNoLeader(answer: HttpAnswer): boolean {
  return (
    answer.status === 500 &&
    answer.body instanceof Uint8Array &&
    answer.body.length === NO_LEADER.length &&
    Buffer.from(answer.body).toString('latin1') === NO_LEADER
  )
}

const sleep = (ms: number): Promise<void> => new Promise(resolve => void setTimeout(resolve, ms))
