import type {WatchTarget} from '../../core/fsm/messages.js'
import type {StateMachine} from '../../core/fsm/state-machine.js'
import type {AnswerMeta} from '../../core/fsm/call-answer.js'
import {readAnswerOf} from '../../core/fsm/call-answer.js'
import type {CallQuery} from '../../core/fsm/call-query.js'
import {NO_QUERY, encodeCallQuery} from '../../core/fsm/call-query.js'
import {PackProblem} from '../../core/fsm/pack-reader.js'
import type {PackReader} from '../../core/fsm/pack-reader.js'
import {parseGoDuration} from '../../core/codec/go-duration.js'
import type {AgentBackend, HttpAnswer, HttpRequest, Problem} from '../backend.js'
import type {Headers} from './answers.js'
import {Failure, NOT_LEADER, NO_LEADER, NO_SERVERS} from './answers.js'
import type {ParsedRequest, Query} from './request.js'

/** How long a request waits for a leader (`rpc_hold_timeout`, Consul 0.7 and later). */
const HOLD_MS = 7000
const RETRY_MS = 100
/** How long a server of another make may take over a call. */
const THERE_MS = 30_000
const WAIT_DEFAULT_MS = 300_000
const WAIT_MAX_MS = 600_000
const JITTER = 16
/** What only a leader of our own make can be asked for. */
export const OTHER_MAKE = 'the leader is a server of another make, which cannot be asked for this from here'
/** Marks a request that was forwarded to the leader, which must not pass it on again. */
export const FORWARDED = 'x-quorate-forwarded'

/** How fresh an answer must be. */
export type Mode = 'default' | 'consistent' | 'stale'

/** What a query of the state gives: the index to wait on and, made only when it is sent, the answer. */
export interface Found extends Indexed {
  answer(meta: Headers): HttpAnswer
}

/** What was found, with the index to wait on. */
export interface Indexed {
  readonly index: number
}

/** A query of the state: what it depends on, and what it finds. */
export interface StateRead<T extends Indexed> {
  readonly watch: readonly WatchTarget[]
  run(machine: StateMachine): T
}

/** A query of the state that comes over HTTP. */
export interface StateQuery extends StateRead<Found> {
  /** How a server of another make is asked the same. */
  readonly there?: QueryThere<(meta: Headers) => HttpAnswer>
  /** Catalog and health tell the mode in a header, and send the headers of a query with errors, too. */
  readonly catalog?: boolean
}

/** A query as a call to a server of another make. */
export interface QueryThere<T> {
  readonly method: string
  readonly asks: Partial<CallQuery>
  /** What the thing asked for is called in the answer. */
  readonly name: string
  read(reader: PackReader): T
}

interface AskingThere {
  /** Whether it does no harm when it is done twice. */
  readonly repeatable: boolean
  /** How long the server may wait for a change before it answers. */
  readonly waitMs?: number | undefined
  readonly onGone?: HttpRequest['onGone']
}

/** Where and how fresh a request must be served: forwards, holds, waits, and makes the headers of queries. */
export class Consistency {
  constructor(private readonly backend: AgentBackend) {}

  /** Serves a query of the state, blocking when it has an index. */
  async query(parsed: ParsedRequest, query: StateQuery): Promise<HttpAnswer> {
    const mode = modeOf(parsed.query)
    const wait = waitOf(parsed.query)
    this.checkDatacenter(parsed.query.get('dc'))
    // What a leader is asked it answers: no way there that takes time
    const elsewhere = this.backend.leads()
      ? undefined
      : await this.placed(parsed.request, mode, query.catalog === true)
    if (elsewhere !== undefined) return elsewhere
    const {machine} = this.backend
    if (machine === undefined || (mode !== 'stale' && this.asksThere()))
      return this.queryThere({mode, wait, onGone: parsed.request.onGone}, query)
    const read = await this.read(machine, {mode, wait, onGone: parsed.request.onGone}, query)
    if (read === undefined) return this.query(parsed, query)
    if ('problem' in read) return this.noLeader(read.problem, query.catalog === true)
    return read.answer(this.headers(this.meta(read.index), mode, query.catalog === true))
  }

  /**
   * Reads the state of this server, which is the right one to read from, as freshly as wished. Undefined when it ceased
   * to be the right one meanwhile.
   */
  async read<T extends Indexed>(
    machine: StateMachine,
    {mode, wait, onGone}: Wish,
    query: StateRead<T>,
  ): Promise<T | Problem | undefined> {
    const barrier = await this.barrier(mode)
    if (barrier !== undefined) return barrier
    const found = query.run(machine)
    if (wait === undefined || found.index > wait.index) return found
    const later = await this.blocked(machine, query, found, wait, onGone)
    if (mode === 'stale') return later
    // What was waited for may have come after this server stopped leading, or was last heard of long ago.
    if (!this.backend.leads()) return undefined
    return (await this.barrier(mode)) ?? query.run(machine)
  }

  /** Makes sure that this server leads, or forwards the request; the answer is then from elsewhere. */
  async write(request: HttpRequest): Promise<HttpAnswer | undefined> {
    const answer = await this.change(request)
    if (answer === undefined && this.asksThere()) throw new Failure(500, OTHER_MAKE)
    return answer
  }

  /** As `write`, for what is done by a command: that a leader of another make can be asked for, too. */
  change(request: HttpRequest): Promise<HttpAnswer | undefined> | undefined {
    return this.backend.leads() ? undefined : this.elsewhere(request)
  }

  /** Whether what this agent cannot do itself is asked for at a server of another make, call by call. */
  asksThere(): boolean {
    return !this.backend.leads() && this.backend.stranger() !== undefined
  }

  /** Calls a method of that server, and gives its answer. */
  async askThere(method: string, argument: Uint8Array, how: AskingThere): Promise<Uint8Array> {
    const {backend} = this
    const ask = async (): Promise<{readonly body: Uint8Array} | Problem> => {
      const to = backend.stranger()
      if (to === undefined) return {problem: NO_LEADER}
      const onStart = (abandon: () => void): void => how.onGone?.(abandon)
      const timeoutMs = THERE_MS + (how.waitMs ?? 0) * 2
      const result = await backend.call(to, method, argument, {timeoutMs, onStart})
      if (result.kind === 'value') return result
      if (result.kind === 'unreachable')
        return {problem: `rpc error making call to ${to}: the connection failed`}
      if (result.text.endsWith(NO_LEADER)) return {problem: NO_LEADER}
      throw new Failure(500, `rpc error making call: ${result.text}`)
    }
    const answer = backend.identity.server ? await this.atLeader(how.repeatable, ask) : await ask()
    if (answer === undefined) throw new Failure(500, NO_LEADER)
    if ('problem' in answer) throw new Failure(500, answer.problem)
    return answer.body
  }

  /** Asks that server a query, and gives what `read` makes of the part of its answer that has this name. */
  async readThere<T>(
    there: QueryThere<T>,
    wish: Wish,
  ): Promise<{readonly found: T; readonly meta: AnswerMeta}> {
    const {mode, wait, onGone} = wish
    const argument = encodeCallQuery({
      ...NO_QUERY,
      datacenter: this.backend.identity.datacenter,
      minIndex: wait?.index ?? 0,
      maxWaitMs: wait?.ms ?? 0,
      stale: mode === 'stale',
      consistent: mode === 'consistent',
      ...there.asks,
    })
    const body = await this.askThere(there.method, argument, {repeatable: true, waitMs: wait?.ms, onGone})
    let found: {readonly value: T} | undefined
    try {
      const meta = readAnswerOf(body, there.name, reader => {
        found = {value: there.read(reader)}
      })
      if (found !== undefined) return {found: found.value, meta}
    } catch (error) {
      if (!(error instanceof PackProblem)) throw error
    }
    throw new Failure(500, `rpc error making call: the answer to ${there.method} does not parse`)
  }

  /** As `write`, for questions that only the leader can answer, or with `?stale` any server. */
  async ask(parsed: ParsedRequest): Promise<HttpAnswer | undefined> {
    this.checkDatacenter(parsed.query.get('dc'))
    const answer = await this.placed(parsed.request, parsed.query.has('stale') ? 'stale' : 'default', false)
    if (answer === undefined && this.backend.machine === undefined) throw new Failure(500, OTHER_MAKE)
    return answer
  }

  /** Refuses another datacenter than this one: there is no way to any other. */
  checkDatacenter(wanted: string): void {
    if (wanted !== '' && wanted !== this.backend.identity.datacenter)
      throw new Failure(500, 'No path to datacenter')
  }

  /** Hands the request to a server from a client; undefined on a server, and where only strangers are. */
  async anyServer(request: HttpRequest): Promise<HttpAnswer | undefined> {
    if (this.backend.identity.server || this.asksThere()) return undefined
    if (!this.backend.knowsServers()) throw new Failure(500, NO_SERVERS)
    const answer = await this.backend.forward('any-server', request)
    if ('problem' in answer) throw new Failure(500, answer.problem)
    return answer
  }

  /** From Consul 1.2.3 on a server that has not heard of a leader since its start does not show its state. */
  async heard(): Promise<void> {
    if (this.backend.lastContactMs() !== undefined || this.backend.leads()) return
    if (!(await this.backend.awaitLeader(HOLD_MS))) throw new Failure(500, NO_LEADER)
  }

  /**
   * Asks the leader, waiting for one for as long as Consul does; undefined when this server leads itself, or `ask`
   * finds that it is for here. A problem is a way that broke: what is `repeatable` is asked again, what is not may have
   * been done.
   */
  async atLeader<T extends object>(
    repeatable: boolean,
    ask: () => Promise<T | Problem | 'here'>,
  ): Promise<T | undefined> {
    const {backend} = this
    const until = backend.monotonicMs() + HOLD_MS
    let why = NO_LEADER
    for (;;) {
      if (backend.leads()) return undefined
      if (backend.leader() !== undefined) {
        const answer = await ask()
        if (answer === 'here') return undefined
        if (!('problem' in answer)) return answer
        why = answer.problem
        // A write whose way broke may have been done: only the client can know whether to repeat it.
        if (why !== NO_LEADER && !repeatable) throw new Failure(500, why)
      }
      const left = until - backend.monotonicMs()
      if (left <= 0) throw new Failure(500, why)
      if (backend.leader() === undefined) await backend.awaitLeader(left)
      // A leader that is known but not yet established, or not any more, needs a moment.
      else await sleep(Math.min(RETRY_MS, left))
    }
  }

  /** What an answer tells about itself. */
  meta(index: number): AnswerMeta {
    const {backend} = this
    const leads = backend.leads()
    return {
      index: Math.max(1, index),
      lastContactMs: leads ? 0 : Math.round(backend.lastContactMs() ?? 0),
      knownLeader: leads || backend.leader() !== undefined,
    }
  }

  /** Makes sure that what this server has applied is fresh enough for an answer. */
  private barrier(mode: Mode): Promise<Problem | undefined> | undefined {
    const trusted = mode === 'stale' || (mode === 'default' && this.backend.holdsLease())
    return trusted ? undefined : this.backend.readBarrier()
  }

  private async placed(request: HttpRequest, mode: Mode, catalog: boolean): Promise<HttpAnswer | undefined> {
    try {
      const fromServer = await this.anyServer(request)
      if (fromServer !== undefined || !this.backend.identity.server) return fromServer
      if (mode !== 'stale') return this.backend.leads() ? undefined : await this.elsewhere(request)
      await this.heard()
      return undefined
    } catch (error) {
      if (error instanceof Failure && catalog) throw new Failure(error.status, error.message, NO_META)
      throw error
    }
  }

  /** Forwards to the leader, waiting for one for as long as Consul does; undefined when it is this server itself. */
  private async elsewhere(request: HttpRequest): Promise<HttpAnswer | undefined> {
    const {backend} = this
    const fromServer = await this.anyServer(request)
    if (fromServer !== undefined || !backend.identity.server) return fromServer
    if (request.headers[FORWARDED] !== undefined) throw new Failure(500, NO_LEADER)
    const marked = {...request, headers: {...request.headers, [FORWARDED]: '1'}}
    return this.atLeader(request.method === 'GET', async () => {
      if (this.asksThere()) return 'here'
      const answer = await backend.forward('leader', marked)
      return 'problem' in answer || !saysNoLeader(answer) ? answer : {problem: NO_LEADER}
    })
  }

  private async blocked<T extends Indexed>(
    machine: StateMachine,
    query: StateRead<T>,
    first: T,
    wait: Wait,
    onGone: HttpRequest['onGone'],
  ): Promise<T> {
    const {backend} = this
    const until = backend.monotonicMs() + wait.ms + (backend.chance() * wait.ms) / JITTER
    const pause = new Pause()
    onGone?.(() => pause.end())
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

  private async queryThere(wish: Wish, {there, catalog = false}: StateQuery): Promise<HttpAnswer> {
    if (there === undefined) throw new Failure(500, OTHER_MAKE)
    const {found, meta} = await this.readThere(there, wish)
    return found(this.headers(meta, wish.mode, catalog))
  }

  private headers(meta: AnswerMeta, mode: Mode, catalog: boolean): Headers {
    return {
      ...(catalog ? {'X-Consul-Effective-Consistency': mode === 'default' ? 'leader' : mode} : undefined),
      'X-Consul-Index': String(meta.index),
      'X-Consul-Knownleader': meta.knownLeader ? 'true' : 'false',
      'X-Consul-Lastcontact': String(Math.round(meta.lastContactMs)),
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

/** For which change a query waits, and how long. */
export interface Wait {
  readonly index: number
  readonly ms: number
}

/** How a query is to be answered. */
export interface Wish {
  readonly mode: Mode
  /** Undefined for a query that is answered at once. */
  readonly wait: Wait | undefined
  readonly onGone: HttpRequest['onGone']
}

/** What a query waits for when it gives an index and a time, 0 for none (`blockingQuery`, consul agent/consul/rpc.go). */
export const waitFor = (index: number, ms: number): Wait | undefined =>
  index === 0 ? undefined : {index, ms: ms <= 0 ? WAIT_DEFAULT_MS : Math.min(ms, WAIT_MAX_MS)}

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
  return waitFor(Number(indexText), ms)
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
