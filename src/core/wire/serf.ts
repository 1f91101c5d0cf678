import {decodeMsgpack, encodeMsgpack} from '../codec/msgpack.js'
import type {MsgpackMap} from '../codec/msgpack.js'
import {MsgpackWriter} from '../codec/msgpack-writer.js'
import type {Decoded} from './fields.js'
import {decoded, Fields, NAME_BYTES_MAX, structAt, textOf, undecodable} from './fields.js'
import {ipBytes} from './memberlist.js'

/**
 * The messages of Serf (serf/messages.go), which travel as user messages of memberlist and as the user state of a
 * push/pull: a byte for the type, then a map.
 */

/** The first byte of a message (`messageType`, serf/messages.go). */
export const SerfType = {
  leave: 0,
  join: 1,
  pushPull: 2,
  userEvent: 3,
  query: 4,
  queryResponse: 5,
  conflictResponse: 6,
  keyRequest: 7,
  keyResponse: 8,
  relay: 9,
} as const

/** A node is about to leave, or (force-leave) is declared left by another. */
export interface LeaveIntent {
  readonly type: 'leave'
  readonly ltime: number
  readonly node: string
  /** Whether it is to be forgotten at once. */
  readonly prune: boolean
}

export interface JoinIntent {
  readonly type: 'join'
  readonly ltime: number
  readonly node: string
}

/** A user event as the ring of recent ones holds it. */
export interface RecentEvent {
  readonly name: string
  readonly payload: Uint8Array
}

/** The recent user events of one Lamport time. */
export interface EventsAt {
  readonly ltime: number
  readonly events: readonly RecentEvent[]
}

/** What Serf tells in a push/pull. The clocks are the sender's next values: one has witnessed them minus 1. */
export interface SerfState {
  readonly type: 'push-pull'
  readonly ltime: number
  /** When the status of each member was last changed. */
  readonly statusLTimes: ReadonlyMap<string, number>
  readonly leftMembers: readonly string[]
  readonly eventLTime: number
  readonly events: readonly EventsAt[]
  readonly queryLTime: number
}

export interface UserEvent {
  readonly type: 'user-event'
  readonly ltime: number
  readonly name: string
  readonly payload: Uint8Array
  /** Whether receivers may keep only the newest of a name. */
  readonly coalesce: boolean
}

/** Which nodes a query is for. What Serf does not know (`unknown`) no node matches. */
export type QueryFilter =
  | {readonly filter: 'nodes'; readonly nodes: readonly string[]}
  | {readonly filter: 'tag'; readonly tag: string; readonly expression: string}
  | {readonly filter: 'unknown'}

/** Flags of queries and of their answers (`queryFlagAck`, `queryFlagNoBroadcast`, serf/query.go). */
export const QueryFlag = {ack: 1, noBroadcast: 2} as const

export interface Query {
  readonly type: 'query'
  readonly ltime: number
  readonly id: number
  /** Where answers go. */
  readonly ip: string
  readonly port: number
  readonly sourceNode: string
  readonly filters: readonly QueryFilter[]
  readonly flags: number
  readonly relayFactor: number
  /** How long the asker waits. */
  readonly timeoutMs: number
  readonly name: string
  readonly payload: Uint8Array
}

/** An answer to a query, or with the flag `ack` only that it came. */
export interface QueryResponse {
  readonly type: 'query-response'
  readonly ltime: number
  readonly id: number
  readonly from: string
  readonly flags: number
  readonly payload: Uint8Array
}

/** A message to pass on. `message` is a Serf message with its type byte. */
export interface Relay {
  readonly type: 'relay'
  readonly ip: string
  readonly port: number
  readonly name: string
  readonly message: Uint8Array
}

export type SerfMessage = LeaveIntent | JoinIntent | SerfState | UserEvent | Query | QueryResponse | Relay

/** More recent events than this of one time are not taken. */
const EVENTS_MAX = 4096
const STATE_LIMITS = {depthMax: 16, valuesMax: 400_000, rawBytesMax: 1 << 20}
const NS_PER_MS = 1_000_000

/** A message with its type byte. */
export function encodeSerf(message: SerfMessage): Uint8Array {
  const writer = new MsgpackWriter()
  switch (message.type) {
    case 'leave':
      writer.byte(SerfType.leave).map(3).text('LTime').unsigned(message.ltime)
      return writer.text('Node').text(message.node).text('Prune').bool(message.prune).finish()
    case 'join':
      writer.byte(SerfType.join).map(2).text('LTime').unsigned(message.ltime)
      return writer.text('Node').text(message.node).finish()
    case 'push-pull':
      return stateFields(writer.byte(SerfType.pushPull), message).finish()
    case 'user-event':
      writer.byte(SerfType.userEvent).map(4).text('CC').bool(message.coalesce)
      writer.text('LTime').unsigned(message.ltime).text('Name').text(message.name)
      return writer.text('Payload').bytesOrNil(message.payload).finish()
    case 'query':
      return queryFields(writer.byte(SerfType.query), message).finish()
    case 'query-response':
      writer.byte(SerfType.queryResponse).map(5).text('Flags').unsigned(message.flags)
      writer.text('From').text(message.from).text('ID').unsigned(message.id)
      writer.text('LTime').unsigned(message.ltime)
      return writer.text('Payload').bytesOrNil(message.payload).finish()
    case 'relay':
      writer.byte(SerfType.relay).map(2).text('DestAddr').map(3)
      writer.text('IP').bytes(ipBytes(message.ip)).text('Port').unsigned(message.port)
      writer.text('Zone').text('').text('DestName').text(message.name)
      return writer.raw(message.message).finish()
  }
}

function stateFields(writer: MsgpackWriter, state: SerfState): MsgpackWriter {
  writer.map(6).text('EventLTime').unsigned(state.eventLTime)
  writer.text('Events').array(state.events.length)
  for (const {ltime, events} of state.events) {
    writer.map(2).text('Events').array(events.length)
    for (const event of events)
      writer.map(2).text('Name').text(event.name).text('Payload').bytesOrNil(event.payload)
    writer.text('LTime').unsigned(ltime)
  }
  writer.text('LTime').unsigned(state.ltime)
  writer.text('LeftMembers').array(state.leftMembers.length)
  for (const name of state.leftMembers) writer.text(name)
  writer.text('QueryLTime').unsigned(state.queryLTime)
  writer.text('StatusLTimes').map(state.statusLTimes.size)
  for (const [name, ltime] of state.statusLTimes) writer.text(name).unsigned(ltime)
  return writer
}

function queryFields(writer: MsgpackWriter, query: Query): MsgpackWriter {
  writer.map(11).text('Addr').bytes(ipBytes(query.ip)).text('Filters')
  if (query.filters.length === 0) writer.nil()
  else {
    writer.array(query.filters.length)
    for (const filter of query.filters) writer.bytes(encodeFilter(filter))
  }
  writer.text('Flags').unsigned(query.flags).text('ID').unsigned(query.id)
  writer.text('LTime').unsigned(query.ltime).text('Name').text(query.name)
  writer.text('Payload').bytesOrNil(query.payload).text('Port').unsigned(query.port)
  writer.text('RelayFactor').unsigned(query.relayFactor).text('SourceNode').text(query.sourceNode)
  return writer.text('Timeout').unsigned(Math.round(query.timeoutMs * NS_PER_MS))
}

function encodeFilter(filter: QueryFilter): Uint8Array {
  if (filter.filter === 'nodes') return joined(0, encodeMsgpack(filter.nodes))
  if (filter.filter === 'tag') return joined(1, encodeMsgpack({Expr: filter.expression, Tag: filter.tag}))
  return Uint8Array.of(0xff)
}

function joined(head: number, tail: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + tail.length)
  bytes[0] = head
  bytes.set(tail, 1)
  return bytes
}

/** A message, its type byte first. What only travels inside queries and answers is no message here. */
export function decodeSerf(bytes: Uint8Array): Decoded<SerfMessage> {
  const type = bytes[0]
  if (type === undefined) return undecodable('the message is empty')
  const struct = structAt(bytes, 1, type === SerfType.pushPull ? STATE_LIMITS : {})
  if (!struct.ok) return struct
  const {fields, end} = struct.value
  switch (type) {
    case SerfType.leave:
      return fields.result({
        type: 'leave',
        ltime: fields.u64('LTime'),
        node: fields.text('Node'),
        prune: fields.bool('Prune'),
      })
    case SerfType.join:
      return fields.result({type: 'join', ltime: fields.u64('LTime'), node: fields.text('Node')})
    case SerfType.pushPull:
      return fields.result(readState(fields))
    case SerfType.userEvent:
      return fields.result({
        type: 'user-event',
        ltime: fields.u64('LTime'),
        name: fields.text('Name'),
        payload: fields.bytes('Payload'),
        coalesce: fields.bool('CC'),
      })
    case SerfType.query:
      return fields.result(readQuery(fields))
    case SerfType.queryResponse:
      return fields.result({
        type: 'query-response',
        ltime: fields.u64('LTime'),
        id: fields.u32('ID'),
        from: fields.text('From'),
        flags: fields.u32('Flags'),
        payload: fields.bytes('Payload'),
      })
    case SerfType.relay:
      return readRelay(fields, bytes.subarray(end))
    default:
      return undecodable(`type ${type} is not a message of its own`)
  }
}

function readState(fields: Fields): SerfState {
  const statusLTimes = new Map<string, number>()
  for (const [name, value] of fields.mapOf('StatusLTimes')) {
    const ltime = lamport(value)
    if (ltime === undefined || name.length > NAME_BYTES_MAX) fields.wrong('StatusLTimes', undefined)
    else statusLTimes.set(name, ltime)
  }
  return {
    type: 'push-pull',
    ltime: fields.u64('LTime'),
    statusLTimes,
    leftMembers: fields.texts('LeftMembers'),
    eventLTime: fields.u64('EventLTime'),
    events: readEvents(fields),
    queryLTime: fields.u64('QueryLTime'),
  }
}

const lamport = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined

/** The ring of recent events, of which most slots are nil. */
function readEvents(fields: Fields): readonly EventsAt[] {
  const all: EventsAt[] = []
  for (const slot of fields.list('Events')) {
    if (slot === null) continue
    if (!(slot instanceof Map) || all.length >= EVENTS_MAX) return fields.wrong('Events', [])
    const at = new Fields(slot as MsgpackMap)
    const events: RecentEvent[] = []
    for (const item of at.list('Events')) {
      if (!(item instanceof Map) || events.length >= EVENTS_MAX) return fields.wrong('Events', [])
      const event = new Fields(item as MsgpackMap)
      events.push({name: event.text('Name'), payload: event.bytes('Payload')})
      if (event.problem !== undefined) return fields.wrong('Events', [])
    }
    all.push({ltime: at.u64('LTime'), events})
    if (at.problem !== undefined) return fields.wrong('Events', [])
  }
  return all
}

function readQuery(fields: Fields): Query {
  return {
    type: 'query',
    ltime: fields.u64('LTime'),
    id: fields.u32('ID'),
    ip: fields.ip('Addr') || fields.wrong('Addr', ''),
    port: fields.u16('Port'),
    sourceNode: fields.text('SourceNode'),
    filters: readFilters(fields),
    flags: fields.u32('Flags'),
    relayFactor: fields.u8('RelayFactor'),
    timeoutMs: fields.u64('Timeout') / NS_PER_MS,
    name: fields.text('Name'),
    payload: fields.bytes('Payload'),
  }
}

function readFilters(fields: Fields): readonly QueryFilter[] {
  return fields.list('Filters').map(item => {
    const bytes = item instanceof Uint8Array ? item : undefined
    const result = bytes === undefined ? undefined : decodeMsgpack(bytes, 1, {depthMax: 4, valuesMax: 10_000})
    if (bytes === undefined || result?.kind !== 'value') return {filter: 'unknown'}
    if (bytes[0] === 0 && Array.isArray(result.value)) {
      const nodes = new Fields(new Map([['nodes', result.value]]))
      const names = nodes.texts('nodes')
      return nodes.problem === undefined ? {filter: 'nodes', nodes: names} : {filter: 'unknown'}
    }
    if (bytes[0] !== 1 || !(result.value instanceof Map)) return {filter: 'unknown'}
    const tag = textOf((result.value as MsgpackMap).get('Tag'))
    const expression = textOf((result.value as MsgpackMap).get('Expr'))
    if (tag === undefined || expression === undefined) return {filter: 'unknown'}
    return {filter: 'tag', tag, expression}
  })
}

function readRelay(fields: Fields, message: Uint8Array): Decoded<Relay> {
  const destination = new Fields(fields.mapOf('DestAddr'))
  const relay: Relay = {
    type: 'relay',
    ip: destination.ip('IP') || destination.wrong('IP', ''),
    port: destination.u16('Port'),
    name: fields.text('DestName'),
    message,
  }
  if (message.length === 0) return undecodable('there is nothing to relay')
  const inner = destination.result(relay)
  return inner.ok ? fields.result(relay) : inner
}

const TAGS_HEAD = 0xff

/** The metadata of a node with these tags (`encodeTags`, serf/serf.go), in the order given. Peers compare its bytes. */
export function encodeTags(tags: ReadonlyMap<string, string>): Uint8Array {
  const writer = new MsgpackWriter().byte(TAGS_HEAD).map(tags.size)
  for (const [key, value] of tags) writer.text(key).text(value)
  return writer.finish()
}

/** The tags in a node's metadata. Metadata in another form is the value of the tag `role`, as before Serf 0.5. */
export function decodeTags(meta: Uint8Array): Decoded<ReadonlyMap<string, string>> {
  const tags = new Map<string, string>()
  if (meta.length === 0) return decoded(tags)
  if (meta[0] !== TAGS_HEAD) {
    const role = textOf(meta)
    return role === undefined ? undecodable('the metadata is not text') : decoded(tags.set('role', role))
  }
  const result = decodeMsgpack(meta, 1, {depthMax: 2, valuesMax: 1024})
  if (result.kind !== 'value' || !(result.value instanceof Map)) return undecodable('the tags do not parse')
  for (const [key, value] of result.value as MsgpackMap) {
    const text = value === null ? '' : textOf(value)
    if (text === undefined) return undecodable('a tag is not text')
    tags.set(key, text)
  }
  return decoded(tags)
}
