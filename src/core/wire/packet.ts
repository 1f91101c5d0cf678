import {crc32} from '../codec/checksums.js'
import type {Decoded} from './fields.js'
import {decoded, structAt, undecodable, utf8} from './fields.js'
import {unpackLzw} from './lzw.js'
import type {PacketMessage} from './memberlist.js'
import {decodeMessage, MessageType} from './memberlist.js'

/**
 * What stands around messages in a datagram of memberlist, from the outside in: a label, encryption (not here: it
 * needs a cipher), a CRC, compression, a compound of several messages. Receivers take any part of these.
 */

/** Most messages in one compound: its count is a byte. */
export const COMPOUND_PARTS_MAX = 255
/** Bytes that a compound adds of itself, and per part. */
export const COMPOUND_HEAD_BYTES = 2
/** Bytes in front of each part: its length. */
export const COMPOUND_PART_BYTES = 2

/** A message of a packet with the bytes it came in, which are passed on unchanged. */
export interface PacketPart {
  readonly message: PacketMessage
  readonly bytes: Uint8Array
}

/** The messages of a packet. `ignored` counts the parts that were none. */
export interface PacketContent {
  readonly parts: readonly PacketPart[]
  readonly ignored: number
}

/** How deep wrappers may stand in one another, and how much all messages of a packet may be unpacked to. */
const DEPTH_MAX = 5
const UNPACKED_BYTES_MAX = 1 << 20
const PARTS_MAX = 4096

/** The messages of a plain packet (label and encryption taken off). A part that is none is ignored, a wrong CRC is not. */
export function readPacket(bytes: Uint8Array): Decoded<PacketContent> {
  const reader = new PacketReader()
  const problem = reader.read(bytes, 0)
  return problem === undefined
    ? decoded({parts: reader.parts, ignored: reader.ignored})
    : undecodable(problem)
}

class PacketReader {
  readonly parts: PacketPart[] = []
  ignored = 0
  private unpackedLeft = UNPACKED_BYTES_MAX

  /** Adds what the bytes hold; tells why they hold nothing. */
  read(bytes: Uint8Array, depth: number): string | undefined {
    if (depth > DEPTH_MAX) return 'wrappers stand too deep in one another'
    if (bytes[0] === MessageType.hasCrc) return this.readChecked(bytes, depth)
    if (bytes[0] === MessageType.compress) return this.readCompressed(bytes, depth)
    if (bytes[0] === MessageType.compound) return this.readCompound(bytes, depth)
    const message = decodeMessage(bytes)
    if (!message.ok) return message.problem
    if (this.parts.length >= PARTS_MAX) return 'there are too many messages in one packet'
    this.parts.push({message: message.value, bytes})
    return undefined
  }

  private readChecked(bytes: Uint8Array, depth: number): string | undefined {
    if (bytes.length < 5) return 'the packet ends within its CRC'
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const content = bytes.subarray(5)
    if (view.getUint32(1) !== crc32(content)) return 'the CRC does not match'
    return this.read(content, depth + 1)
  }

  private readCompressed(bytes: Uint8Array, depth: number): string | undefined {
    const content = decompress(bytes, this.unpackedLeft)
    if (!content.ok) return content.problem
    this.unpackedLeft -= content.value.length
    return this.read(content.value, depth + 1)
  }

  private readCompound(bytes: Uint8Array, depth: number): string | undefined {
    const count = bytes[1]
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    if (count === undefined || bytes.length < 2 + count * 2) return 'the compound ends within its lengths'
    let at = 2 + count * 2
    for (let i = 0; i < count; i++) {
      const end = at + view.getUint16(2 + i * 2)
      // What was cut off at the end of a packet is lost; what came before it is not.
      if (end > bytes.length) {
        this.ignored += count - i
        return undefined
      }
      if (this.read(bytes.subarray(at, end), depth + 1) !== undefined) this.ignored++
      at = end
    }
    return undefined
  }
}

/** What a compressed message (its type byte first) unpacks to, at most `max` bytes. */
export function decompress(bytes: Uint8Array, max: number): Decoded<Uint8Array> {
  const struct = structAt(bytes, 1, {rawBytesMax: bytes.length})
  if (!struct.ok) return struct
  const {fields} = struct.value
  const algorithm = fields.u8('Algo')
  const packed = fields.bytes('Buf')
  if (fields.problem !== undefined) return undecodable(fields.problem)
  if (algorithm !== 0) return undecodable('the compression is not LZW')
  const content = unpackLzw(packed, max)
  return content === undefined ? undecodable('the compressed bytes do not unpack') : decoded(content)
}

/**
 * Messages joined to as few packets as their number allows; their size is the caller's care. A message alone stays
 * as it is. Messages without bytes are left out: an empty part makes real receivers panic.
 */
export function joinMessages(messages: readonly Uint8Array[]): readonly Uint8Array[] {
  const parts = messages.filter(message => message.length > 0 && message.length <= 0xffff)
  const packets: Uint8Array[] = []
  for (let at = 0; at < parts.length; at += COMPOUND_PARTS_MAX) {
    const group = parts.slice(at, at + COMPOUND_PARTS_MAX)
    const [only] = group
    packets.push(group.length === 1 && only !== undefined ? only : compound(group))
  }
  return packets
}

function compound(parts: readonly Uint8Array[]): Uint8Array {
  let at = COMPOUND_HEAD_BYTES + COMPOUND_PART_BYTES * parts.length
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, at))
  const view = new DataView(bytes.buffer)
  bytes[0] = MessageType.compound
  bytes[1] = parts.length
  parts.forEach((part, i) => {
    view.setUint16(COMPOUND_HEAD_BYTES + i * COMPOUND_PART_BYTES, part.length)
    bytes.set(part, at)
    at += part.length
  })
  return bytes
}

/** The packet with its CRC in front, for peers that know it (protocolMax of 5 and more). */
export function withCrc(packet: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(5 + packet.length)
  bytes[0] = MessageType.hasCrc
  new DataView(bytes.buffer).setUint32(1, crc32(packet))
  bytes.set(packet, 5)
  return bytes
}

/** The label in front of a packet, empty where there is none, and what stands behind it. */
export function splitLabel(bytes: Uint8Array): Decoded<{readonly label: string; readonly rest: Uint8Array}> {
  if (bytes[0] !== MessageType.hasLabel) return decoded({label: '', rest: bytes})
  const length = bytes[1] ?? 0
  if (length === 0 || bytes.length < 2 + length) return undecodable('the label is cut off')
  const label = utf8(bytes.subarray(2, 2 + length))
  return label === undefined
    ? undecodable('the label is not text')
    : decoded({label, rest: bytes.subarray(2 + length)})
}
