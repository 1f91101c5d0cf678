import {parseIp} from '../codec/address-bytes.js'
import {MsgpackWriter} from '../codec/msgpack-writer.js'
import type {Decoded, Fields} from './fields.js'
import {decoded, structAt, undecodable} from './fields.js'

/**
 * The messages of hashicorp/memberlist that fit in a packet (`messageType` and the structs of net.go): a byte for the
 * type, then a map. Those of streams are in gossip-stream.ts, what wraps them in packet.ts.
 */

/** The first byte of a message, numbered as in memberlist's net.go. */
export const MessageType = {
  ping: 0,
  indirectPing: 1,
  ackResp: 2,
  suspect: 3,
  alive: 4,
  dead: 5,
  pushPull: 6,
  compound: 7,
  user: 8,
  compress: 9,
  encrypt: 10,
  nackResp: 11,
  hasCrc: 12,
  err: 13,
  hasLabel: 244,
} as const

/** The longest metadata of a node (`MetaMaxSize`, memberlist). */
export const META_BYTES_MAX = 512

/** What a node speaks: its Vsn. `protocol` is memberlist's, `delegate` Serf's. */
export interface Versions {
  readonly protocolMin: number
  readonly protocolMax: number
  readonly protocolCur: number
  readonly delegateMin: number
  readonly delegateMax: number
  readonly delegateCur: number
}

/** What is told of ourselves: accepted by pools of serf 0.9 and of Consul 0.6 to 1.x alike. */
export const OUR_VERSIONS: Versions = {
  protocolMin: 1,
  protocolMax: 5,
  protocolCur: 2,
  delegateMin: 2,
  delegateMax: 5,
  delegateCur: 4,
}

/** "Are you there?" */
export interface Ping {
  readonly type: 'ping'
  readonly seqNo: number
  /** Whom it is for; a node of another name does not answer. Empty: whoever listens there. */
  readonly node: string
  /** Where the answer goes; empty and 0 where the sender did not say: to where the packet came from. */
  readonly sourceIp: string
  readonly sourcePort: number
  readonly sourceNode: string
}

/** "Ping that one for me." */
export interface IndirectPing {
  readonly type: 'indirect-ping'
  readonly seqNo: number
  readonly targetIp: string
  readonly targetPort: number
  readonly node: string
  /** Whether the asker wants to be told of failure too. */
  readonly nack: boolean
  readonly sourceIp: string
  readonly sourcePort: number
  readonly sourceNode: string
}

export interface Ack {
  readonly type: 'ack'
  readonly seqNo: number
  readonly payload: Uint8Array
}

export interface Nack {
  readonly type: 'nack'
  readonly seqNo: number
}

export interface Suspect {
  readonly type: 'suspect'
  readonly incarnation: number
  readonly node: string
  readonly from: string
}

export interface Alive {
  readonly type: 'alive'
  readonly incarnation: number
  readonly node: string
  readonly ip: string
  readonly port: number
  readonly meta: Uint8Array
  /** Undefined when the sender told none. Some but not six of the numbers are refused: real peers die of them. */
  readonly versions: Versions | undefined
}

/** A node is gone: of its own will when `node` and `from` are the same. */
export interface Dead {
  readonly type: 'dead'
  readonly incarnation: number
  readonly node: string
  readonly from: string
}

/** A message of the layer above (Serf). */
export interface UserMessage {
  readonly type: 'user'
  readonly payload: Uint8Array
}

/** A message that may stand in a packet, alone or in a compound. */
export type PacketMessage = Ping | IndirectPing | Ack | Nack | Suspect | Alive | Dead | UserMessage

/** A message with its type byte. Its fields come in byte order of their names, as Go writes them. */
export function encodeMessage(message: PacketMessage): Uint8Array {
  const writer = new MsgpackWriter(message.type === 'user' ? message.payload.length + 1 : 192)
  switch (message.type) {
    case 'ping':
      return pingFields(writer.byte(MessageType.ping), message).finish()
    case 'indirect-ping':
      return indirectPingFields(writer.byte(MessageType.indirectPing), message).finish()
    case 'ack':
      writer.byte(MessageType.ackResp).map(2)
      writer.text('Payload').bytesOrNil(message.payload)
      return writer.text('SeqNo').unsigned(message.seqNo).finish()
    case 'nack':
      return writer.byte(MessageType.nackResp).map(1).text('SeqNo').unsigned(message.seqNo).finish()
    case 'suspect':
      return accusation(writer.byte(MessageType.suspect), message).finish()
    case 'dead':
      return accusation(writer.byte(MessageType.dead), message).finish()
    case 'alive':
      return aliveFields(writer.byte(MessageType.alive), message).finish()
    case 'user':
      return writer.byte(MessageType.user).raw(message.payload).finish()
  }
}

function pingFields(writer: MsgpackWriter, ping: Ping): MsgpackWriter {
  writer.map(2 + sourceCount(ping))
  writer.text('Node').text(ping.node)
  writer.text('SeqNo').unsigned(ping.seqNo)
  return sourceFields(writer, ping)
}

function indirectPingFields(writer: MsgpackWriter, ping: IndirectPing): MsgpackWriter {
  writer.map(5 + sourceCount(ping))
  writer.text('Nack').bool(ping.nack)
  writer.text('Node').text(ping.node)
  writer.text('Port').unsigned(ping.targetPort)
  writer.text('SeqNo').unsigned(ping.seqNo)
  sourceFields(writer, ping)
  return writer.text('Target').bytes(ipBytes(ping.targetIp))
}

type Source = Pick<Ping, 'sourceIp' | 'sourcePort' | 'sourceNode'>

/** The fields of the asker are left out when empty, because libraries before 0.2.0 do not have them. */
const sourceCount = (source: Source): number =>
  Number(source.sourceIp !== '') + Number(source.sourceNode !== '') + Number(source.sourcePort !== 0)

function sourceFields(writer: MsgpackWriter, source: Source): MsgpackWriter {
  if (source.sourceIp !== '') writer.text('SourceAddr').bytes(ipBytes(source.sourceIp))
  if (source.sourceNode !== '') writer.text('SourceNode').text(source.sourceNode)
  if (source.sourcePort !== 0) writer.text('SourcePort').unsigned(source.sourcePort)
  return writer
}

function accusation(writer: MsgpackWriter, {from, incarnation, node}: Suspect | Dead): MsgpackWriter {
  writer.map(3).text('From').text(from)
  writer.text('Incarnation').unsigned(incarnation)
  return writer.text('Node').text(node)
}

function aliveFields(writer: MsgpackWriter, alive: Alive): MsgpackWriter {
  writer.map(6).text('Addr').bytes(ipBytes(alive.ip))
  writer.text('Incarnation').unsigned(alive.incarnation)
  writer.text('Meta').bytesOrNil(alive.meta)
  writer.text('Node').text(alive.node)
  writer.text('Port').unsigned(alive.port)
  return writer.text('Vsn').bytes(versionBytes(alive.versions))
}

/** The bytes of an address of ours or of one that was decoded; none for an empty one. */
export const ipBytes = (ip: string): Uint8Array => parseIp(ip) ?? new Uint8Array(0)

/** The six bytes of a Vsn. Never fewer: memberlist of Consul 0.6 and 0.7 panics on a short one. */
export function versionBytes(versions: Versions | undefined): Uint8Array {
  const v = versions ?? OUR_VERSIONS
  return Uint8Array.of(
    v.protocolMin,
    v.protocolMax,
    v.protocolCur,
    v.delegateMin,
    v.delegateMax,
    v.delegateCur,
  )
}

/** The Vsn of a struct's fields. */
export function versionsOf(fields: Fields): Versions | undefined {
  const bytes = fields.bytes('Vsn', 64)
  if (bytes.length === 0) return undefined
  const [protocolMin, protocolMax, protocolCur, delegateMin, delegateMax, delegateCur] = bytes
  if (
    protocolMin === undefined ||
    protocolMax === undefined ||
    protocolCur === undefined ||
    delegateMin === undefined ||
    delegateMax === undefined ||
    delegateCur === undefined
  )
    return fields.wrong('Vsn', undefined)
  return {protocolMin, protocolMax, protocolCur, delegateMin, delegateMax, delegateCur}
}

/** A single message, its type byte first. What wraps messages (compound, compression, CRC) is no message here. */
export function decodeMessage(bytes: Uint8Array): Decoded<PacketMessage> {
  const type = bytes[0]
  if (type === undefined) return undecodable('the message is empty')
  if (type === MessageType.user) return decoded({type: 'user', payload: bytes.subarray(1)})
  const read = READERS.get(type)
  if (read === undefined) return undecodable(`a message of type ${type} does not belong in a packet`)
  const struct = structAt(bytes, 1)
  if (!struct.ok) return struct
  return struct.value.fields.result(read(struct.value.fields))
}

const READERS: ReadonlyMap<number, (fields: Fields) => PacketMessage> = new Map([
  [MessageType.ping, readPing],
  [MessageType.indirectPing, readIndirectPing],
  [MessageType.ackResp, readAck],
  [MessageType.suspect, (f: Fields): PacketMessage => ({type: 'suspect', ...readAccusation(f)})],
  [MessageType.alive, readAlive],
  [MessageType.dead, (f: Fields): PacketMessage => ({type: 'dead', ...readAccusation(f)})],
  [MessageType.nackResp, (f: Fields): PacketMessage => ({type: 'nack', seqNo: f.u32('SeqNo')})],
] as const)

/** A ping's fields; in a packet or a stream. */
export function readPing(f: Fields): Ping {
  return {type: 'ping', seqNo: f.u32('SeqNo'), node: f.text('Node'), ...readSource(f)}
}

/** An ack's fields; in a packet or a stream. */
export function readAck(f: Fields): Ack {
  return {type: 'ack', seqNo: f.u32('SeqNo'), payload: f.bytes('Payload')}
}

const readSource = (f: Fields): Source => ({
  sourceIp: f.ip('SourceAddr'),
  sourcePort: f.u16('SourcePort'),
  sourceNode: f.text('SourceNode'),
})

function readIndirectPing(f: Fields): IndirectPing {
  return {
    type: 'indirect-ping',
    seqNo: f.u32('SeqNo'),
    targetIp: f.ip('Target') || f.wrong('Target', ''),
    targetPort: f.u16('Port'),
    node: f.text('Node'),
    nack: f.bool('Nack'),
    ...readSource(f),
  }
}

const readAccusation = (f: Fields): Omit<Suspect, 'type'> => ({
  incarnation: f.u32('Incarnation'),
  node: f.text('Node'),
  from: f.text('From'),
})

function readAlive(f: Fields): Alive {
  return {
    type: 'alive',
    incarnation: f.u32('Incarnation'),
    node: f.text('Node'),
    ip: f.ip('Addr') || f.wrong('Addr', ''),
    port: f.u16('Port'),
    meta: f.bytes('Meta', META_BYTES_MAX),
    versions: versionsOf(f),
  }
}
