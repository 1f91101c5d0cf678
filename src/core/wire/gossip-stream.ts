import {MsgpackSpan} from '../codec/msgpack-span.js'
import {MsgpackWriter} from '../codec/msgpack-writer.js'
import {ByteStore} from './byte-store.js'
import type {Decoded, Fields} from './fields.js'
import {decoded, structAt, undecodable} from './fields.js'
import type {Ack, Ping, UserMessage, Versions} from './memberlist.js'
import {
  encodeMessage,
  ipBytes,
  MessageType,
  META_BYTES_MAX,
  readAck,
  readPing,
  versionBytes,
  versionsOf,
} from './memberlist.js'
import {decompress, splitLabel} from './packet.js'

/**
 * The streams of memberlist (net.go): one message each way on a TCP connection, with no length in front unless it is
 * encrypted. They carry the exchange of whole states, pings where packets get lost, and messages of Serf.
 */

/** A node's state in a push/pull, by number. */
export const NODE_STATES = ['alive', 'suspect', 'dead', 'left'] as const
export type NodeState = (typeof NODE_STATES)[number]

/** A node as a push/pull tells it. */
export interface PushNodeState {
  readonly name: string
  readonly ip: string
  readonly port: number
  readonly meta: Uint8Array
  readonly incarnation: number
  readonly state: NodeState
  /** Undefined when the sender told none; one such node refuses the whole exchange. */
  readonly versions: Versions | undefined
}

/** The whole state of the sender. */
export interface PushPull {
  readonly type: 'push-pull'
  /** Whether the sender is joining. The answer repeats it. */
  readonly join: boolean
  readonly nodes: readonly PushNodeState[]
  /** Serf's part, a message with its type byte; may be empty. */
  readonly userState: Uint8Array
}

/** Why the peer does not answer. */
export interface StreamError {
  readonly type: 'err'
  readonly error: string
}

export type StreamMessage = PushPull | Ping | Ack | UserMessage | StreamError

/** More than any pool has: nodes and bytes of a push/pull, packed or not (`maxPushStateBytes`, memberlist net.go). */
const NODES_MAX = 20_000
const STREAM_BYTES_MAX = 20 << 20
const LIMITS = {valuesMax: 1_000_000, rawBytesMax: STREAM_BYTES_MAX}

/** A message as it stands in a stream: plain, without label. */
export function encodeStreamMessage(message: StreamMessage): Uint8Array {
  switch (message.type) {
    case 'ping':
    case 'ack':
      return encodeMessage(message)
    case 'user': {
      const writer = new MsgpackWriter(message.payload.length + 32).byte(MessageType.user)
      writer.map(1).text('UserMsgLen').unsigned(message.payload.length)
      return writer.raw(message.payload).finish()
    }
    case 'err':
      return new MsgpackWriter().byte(MessageType.err).map(1).text('Error').text(message.error).finish()
    case 'push-pull':
      return encodePushPull(message)
  }
}

function encodePushPull({join, nodes, userState}: PushPull): Uint8Array {
  const writer = new MsgpackWriter(64 + nodes.length * 300 + userState.length).byte(MessageType.pushPull)
  writer.map(3).text('Join').bool(join).text('Nodes').unsigned(nodes.length)
  writer.text('UserStateLen').unsigned(userState.length)
  for (const node of nodes) {
    writer.map(7).text('Addr').bytes(ipBytes(node.ip))
    writer.text('Incarnation').unsigned(node.incarnation)
    writer.text('Meta').bytesOrNil(node.meta)
    writer.text('Name').text(node.name).text('Port').unsigned(node.port)
    writer.text('State').unsigned(NODE_STATES.indexOf(node.state))
    writer.text('Vsn').bytes(versionBytes(node.versions))
  }
  return writer.raw(userState).finish()
}

/** The whole content of a stream, plain and without label, but perhaps compressed. */
export function decodeStreamMessage(bytes: Uint8Array): Decoded<StreamMessage> {
  if (bytes[0] !== MessageType.compress) return decodeContent(bytes)
  const content = decompress(bytes, STREAM_BYTES_MAX)
  if (!content.ok) return content
  return content.value[0] === MessageType.compress
    ? undecodable('the content is compressed twice')
    : decodeContent(content.value)
}

function decodeContent(bytes: Uint8Array): Decoded<StreamMessage> {
  const type = bytes[0]
  if (type === undefined) return undecodable('the message is empty')
  const struct = structAt(bytes, 1)
  if (!struct.ok) return struct
  const {fields, end} = struct.value
  switch (type) {
    case MessageType.ping:
      return fields.result(readPing(fields))
    case MessageType.ackResp:
      return fields.result(readAck(fields))
    case MessageType.err:
      return fields.result({type: 'err', error: fields.text('Error', 4096)})
    case MessageType.user: {
      const length = fields.unsigned('UserMsgLen', STREAM_BYTES_MAX)
      if (fields.problem !== undefined) return undecodable(fields.problem)
      if (end + length > bytes.length) return undecodable('the user message ends too early')
      return decoded({type: 'user', payload: bytes.subarray(end, end + length)})
    }
    case MessageType.pushPull:
      return decodePushPull(bytes, fields, end)
    default:
      return undecodable(`a message of type ${type} does not belong in a stream`)
  }
}

interface PushPullHead {
  readonly nodes: number
  readonly userStateLength: number
  readonly join: boolean
}

function pushPullHead(fields: Fields): Decoded<PushPullHead> {
  return fields.result({
    nodes: fields.unsigned('Nodes', NODES_MAX),
    userStateLength: fields.unsigned('UserStateLen', STREAM_BYTES_MAX),
    join: fields.bool('Join'),
  })
}

function decodePushPull(bytes: Uint8Array, fields: Fields, start: number): Decoded<PushPull> {
  const head = pushPullHead(fields)
  if (!head.ok) return head
  const nodes: PushNodeState[] = []
  let at = start
  while (nodes.length < head.value.nodes) {
    const struct = structAt(bytes, at)
    if (!struct.ok) return struct
    const node = readNode(struct.value.fields)
    if (!node.ok) return node
    nodes.push(node.value)
    at = struct.value.end
  }
  const end = at + head.value.userStateLength
  if (end > bytes.length) return undecodable('the user state ends too early')
  return decoded({type: 'push-pull', join: head.value.join, nodes, userState: bytes.subarray(at, end)})
}

function readNode(f: Fields): Decoded<PushNodeState> {
  return f.result({
    name: f.text('Name'),
    ip: f.ip('Addr') || f.wrong('Addr', ''),
    port: f.u16('Port'),
    meta: f.bytes('Meta', META_BYTES_MAX),
    incarnation: f.u32('Incarnation'),
    state: NODE_STATES[f.u8('State')] ?? f.wrong('State', 'dead'),
    versions: versionsOf(f),
  })
}

/** What is known of a stream so far. `sealed` is to be opened with `header` and the label as additional data. */
export type StreamRead =
  | {readonly kind: 'more'}
  | {readonly kind: 'problem'; readonly text: string}
  | {readonly kind: 'message'; readonly label: string; readonly message: StreamMessage}
  | {
      readonly kind: 'sealed'
      readonly label: string
      readonly header: Uint8Array
      readonly sealed: Uint8Array
    }

/** Bytes of the head of an encrypted stream: the type and the length of what is sealed. */
export const SEALED_HEADER_BYTES = 5

/** Takes the bytes of one stream as they come and tells what message they are. Bounded; reads nothing twice. */
export class GossipStreamReader {
  private readonly store = new ByteStore()
  private readonly headSpan = new MsgpackSpan(1, LIMITS)
  private nodesSpan: MsgpackSpan | undefined

  /** Adds bytes. Ask no more once the answer is not `more`; a stream that ends before then is broken. */
  push(chunk: Uint8Array): StreamRead {
    if (this.store.length + chunk.length > STREAM_BYTES_MAX + 4096) return tooLarge
    this.store.push(chunk)
    const bytes = this.store.bytes()
    if (bytes[0] === MessageType.hasLabel && bytes.length < 2 + (bytes[1] ?? 255)) return more
    const label = splitLabel(bytes)
    if (!label.ok) return {kind: 'problem', text: label.problem}
    const {rest} = label.value
    if (rest.length === 0) return more
    if (rest[0] === MessageType.encrypt) return sealedPart(label.value.label, rest)
    const end = this.contentEnd(rest)
    if (end === undefined) return more
    if (typeof end === 'string') return {kind: 'problem', text: end}
    const message = decodeStreamMessage(rest.subarray(0, end))
    return message.ok
      ? {kind: 'message', label: label.value.label, message: message.value}
      : {kind: 'problem', text: message.problem}
  }

  /** Where the message ends in `bytes`, or why it never will. */
  private contentEnd(bytes: Uint8Array): number | string | undefined {
    if (!STREAM_TYPES.has(bytes[0])) return `a message of type ${bytes[0]} does not belong in a stream`
    const headEnd = this.headSpan.advance(bytes.subarray(1))
    if (headEnd === undefined) return this.headSpan.problem
    if (bytes[0] !== MessageType.user && bytes[0] !== MessageType.pushPull) return 1 + headEnd
    const struct = structAt(bytes, 1)
    if (!struct.ok) return struct.problem
    const {fields, end} = struct.value
    if (bytes[0] === MessageType.user) {
      const length = fields.unsigned('UserMsgLen', STREAM_BYTES_MAX)
      return fields.problem ?? reached(bytes, end + length)
    }
    const head = pushPullHead(fields)
    if (!head.ok) return head.problem
    this.nodesSpan ??= new MsgpackSpan(head.value.nodes, LIMITS)
    const nodesEnd = this.nodesSpan.advance(bytes.subarray(end))
    if (nodesEnd === undefined) return this.nodesSpan.problem
    return reached(bytes, end + nodesEnd + head.value.userStateLength)
  }
}

const STREAM_TYPES: ReadonlySet<number | undefined> = new Set([
  MessageType.ping,
  MessageType.ackResp,
  MessageType.pushPull,
  MessageType.user,
  MessageType.compress,
  MessageType.err,
])

const more: StreamRead = {kind: 'more'}
const tooLarge: StreamRead = {kind: 'problem', text: 'the message is too large'}

const reached = (bytes: Uint8Array, end: number): number | undefined =>
  end <= bytes.length ? end : undefined

function sealedPart(label: string, bytes: Uint8Array): StreamRead {
  if (bytes.length < SEALED_HEADER_BYTES) return more
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(1)
  if (length > STREAM_BYTES_MAX) return tooLarge
  const end = SEALED_HEADER_BYTES + length
  if (bytes.length < end) return more
  const header = bytes.subarray(0, SEALED_HEADER_BYTES)
  return {kind: 'sealed', label, header, sealed: bytes.subarray(SEALED_HEADER_BYTES, end)}
}
