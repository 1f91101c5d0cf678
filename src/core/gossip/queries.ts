import type {Query, QueryFilter, QueryResponse, Relay} from '../wire/serf.js'
import {encodeSerf, QueryFlag} from '../wire/serf.js'
import type {BroadcastQueue} from './broadcast-queue.js'
import {matchesGoPattern} from './go-pattern.js'
import {LamportClock} from './lamport.js'
import type {Endpoint} from './member.js'
import type {MemberTable, NodeRecord} from './member-table.js'
import type {QueryRequest} from './messages.js'
import type {Packets} from './packets.js'
import {queryTimeoutMs} from './profile.js'
import type {StepContext} from './step-context.js'
import {RECENT_TIMES} from './user-events.js'

/** The longest encoded query and answer (`QuerySizeLimit`, `QueryResponseSizeLimit`, serf config.go). */
export const QUERY_BYTES_MAX = 1024
const SLOT_IDS_MAX = 64
const ASKED_MAX = 1024
const TIMEOUT_MS_MAX = 600_000
/** Members of this Serf protocol and later pass answers on. */
const RELAY_PROTOCOL = 5
const NOTHING = new Uint8Array(0)

/** Who hears what comes of a query of ours. */
export interface QuerySink {
  acknowledged(from: string): void
  answered(from: string, payload: Uint8Array): void
  done(): void
}

/** A query of ours whose time is not over. */
interface OwnQuery {
  readonly sink: QuerySink
  readonly deadlineMs: number
  readonly acks: Set<string>
  readonly answers: Set<string>
}

/** A query of another that we may still answer. */
export interface AskedQuery {
  readonly queryId: number
  readonly query: Query
  readonly deadlineMs: number
}

/** Questions to all and their answers, which come straight to the asker (serf query.go). */
export class Queries {
  readonly clock = new LamportClock()
  private readonly ring = new Map<number, {ltime: number; ids: Set<number>}>()
  private readonly own = new Map<string, OwnQuery>()
  private readonly asked = new Map<number, AskedQuery>()
  private readonly minTime: number
  private nextQueryId = 1

  constructor(
    private readonly context: StepContext,
    private readonly table: MemberTable,
    private readonly packets: Packets,
    /** A query is for us. */
    private readonly ask: (asked: AskedQuery) => void,
    restoredClock: number,
    /** Queries on their way to everybody. */
    readonly queue: BroadcastQueue,
  ) {
    if (restoredClock > 0) this.clock.witness(restoredClock)
    this.minTime = restoredClock > 0 ? restoredClock + 1 : 0
  }

  /** Asks all; we are asked too. The sink's `done` is called when the time is over, or at once when it is too long. */
  start(request: QueryRequest, sink: QuerySink): void {
    const {advertise, name} = this.context.options
    const timeoutMs = Math.min(
      request.timeoutMs ?? queryTimeoutMs(this.context.profile.gossipIntervalMs, this.table.size),
      TIMEOUT_MS_MAX,
    )
    const query: Query = {
      type: 'query',
      ltime: this.clock.time,
      id: this.context.pick(0xffff_ffff),
      ip: advertise.ip,
      port: advertise.port,
      sourceNode: name,
      filters: filtersOf(request),
      flags: request.acknowledge ? QueryFlag.ack : 0,
      relayFactor: request.relayFactor,
      timeoutMs,
      name: request.name,
      payload: request.payload,
    }
    const bytes = encodeSerf(query)
    if (bytes.length > QUERY_BYTES_MAX) {
      this.context.log('error', `the query ${request.name} is too long and is not sent`)
      return sink.done()
    }
    const deadlineMs = this.context.nowMs + timeoutMs
    this.own.set(keyOf(query), {sink, deadlineMs, acks: new Set(), answers: new Set()})
    this.handle(query)
    this.queue.push(bytes)
  }

  /** A query came as broadcast; it is passed on when it is new, whether it is for us or not. */
  received(query: Query, bytes: Uint8Array): void {
    if (this.handle(query) && (query.flags & QueryFlag.noBroadcast) === 0) this.queue.push(bytes.slice())
  }

  /** An answer to a query of ours, or that it was heard. */
  response({ltime, id, from, flags, payload}: QueryResponse): void {
    const own = this.own.get(keyOf({ltime, id}))
    if (own === undefined || own.deadlineMs < this.context.nowMs) return
    const acknowledges = (flags & QueryFlag.ack) !== 0
    const heard = acknowledges ? own.acks : own.answers
    // Answers come twice where they are relayed; strangers' names count no more than there are members
    if (heard.has(from) || heard.size > this.table.size) return
    heard.add(from)
    if (acknowledges) own.sink.acknowledged(from)
    else own.sink.answered(from, payload)
  }

  /** Passes a message on to a member that its sender may not reach. */
  relay({ip, port, message}: Relay): void {
    if (this.memberAt({ip, port}) !== undefined) this.packets.sendUser({ip, port}, message)
  }

  /** A query that may still be answered. */
  pending(queryId: number): AskedQuery | undefined {
    return this.asked.get(queryId)
  }

  /** Answers a query, once. False when it is over, was answered, or the payload is too long. */
  answer(queryId: number, payload: Uint8Array): boolean {
    const asked = this.asked.get(queryId)
    if (asked === undefined) return false
    const sent = this.respond(asked.query, 0, payload)
    if (sent) this.asked.delete(queryId)
    return sent
  }

  /** Ends what is over. */
  tick(): void {
    const {nowMs} = this.context
    for (const [key, own] of this.own) {
      if (own.deadlineMs > nowMs) continue
      this.own.delete(key)
      own.sink.done()
    }
    for (const [queryId, asked] of this.asked) if (asked.deadlineMs <= nowMs) this.asked.delete(queryId)
  }

  /** When `tick` has something to tell. */
  nextDeadlineMs(): number {
    let next = Infinity
    for (const own of this.own.values()) next = Math.min(next, own.deadlineMs)
    return next
  }

  /** Whether the query is new. */
  private handle(query: Query): boolean {
    this.clock.witness(query.ltime)
    if (query.ltime < this.minTime || query.ltime < this.clock.time - RECENT_TIMES) return false
    const slot = this.ring.get(query.ltime % RECENT_TIMES)
    if (slot?.ltime === query.ltime) {
      if (slot.ids.has(query.id) || slot.ids.size >= SLOT_IDS_MAX) return false
      slot.ids.add(query.id)
    } else this.ring.set(query.ltime % RECENT_TIMES, {ltime: query.ltime, ids: new Set([query.id])})
    this.context.snapshot(`query-clock: ${query.ltime}`)
    if (this.isForUs(query.filters)) this.take(query)
    return true
  }

  private take(query: Query): void {
    if ((query.flags & QueryFlag.ack) !== 0) this.respond(query, QueryFlag.ack, NOTHING)
    if (this.asked.size >= ASKED_MAX) this.tick()
    if (this.asked.size >= ASKED_MAX) return
    const queryId = this.nextQueryId++
    const deadlineMs = this.context.nowMs + Math.min(query.timeoutMs, TIMEOUT_MS_MAX)
    const asked = {queryId, query: {...query, payload: query.payload.slice()}, deadlineMs}
    this.asked.set(queryId, asked)
    this.ask(asked)
  }

  private respond(query: Query, flags: number, payload: Uint8Array): boolean {
    const {name, advertise} = this.context.options
    const {ltime, id, ip, port} = query
    const response: QueryResponse = {type: 'query-response', ltime, id, from: name, flags, payload}
    const bytes = encodeSerf(response)
    if (bytes.length > QUERY_BYTES_MAX) return false
    if (ip === advertise.ip && port === advertise.port) {
      this.response(response)
      return true
    }
    const asker = this.memberAt({ip, port})
    // Only members are answered, or anybody could aim the whole pool at anybody
    if (asker === undefined) return true
    this.packets.sendUser({ip, port}, bytes)
    this.relayResponse(query, asker, bytes)
    return true
  }

  private relayResponse({relayFactor, ip, port}: Query, asker: NodeRecord, message: Uint8Array): void {
    if (relayFactor === 0) return
    const self = this.context.options.name
    const carriers = this.table.random(
      Math.min(relayFactor, RELAYS_MAX),
      node =>
        node.name !== self &&
        node !== asker &&
        node.state === 'alive' &&
        node.versions.delegateMax >= RELAY_PROTOCOL,
    )
    const bytes = encodeSerf({type: 'relay', ip, port, name: asker.name, message})
    for (const carrier of carriers) this.packets.sendUser(carrier, bytes)
  }

  private memberAt({ip, port}: Endpoint): NodeRecord | undefined {
    for (const node of this.table.all()) if (node.ip === ip && node.port === port) return node
    return undefined
  }

  private isForUs(filters: readonly QueryFilter[]): boolean {
    const {name} = this.context.options
    return filters.every(filter => {
      switch (filter.filter) {
        case 'nodes':
          return filter.nodes.includes(name)
        case 'tag':
          return matchesGoPattern(filter.expression, this.context.tags[filter.tag] ?? '')
        case 'unknown':
          return false
      }
    })
  }
}

/** Members that carry one answer at most (serf query.go). */
const RELAYS_MAX = 5

const keyOf = ({ltime, id}: {readonly ltime: number; readonly id: number}): string => `${ltime}:${id}`

function filtersOf({filters}: QueryRequest): readonly QueryFilter[] {
  const all: QueryFilter[] = []
  if (filters.nodes.length > 0) all.push({filter: 'nodes', nodes: filters.nodes})
  for (const [tag, expression] of Object.entries(filters.tags)) all.push({filter: 'tag', tag, expression})
  return all
}
