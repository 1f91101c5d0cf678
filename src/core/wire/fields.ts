import {formatIp} from '../codec/address-bytes.js'
import type {MsgpackMap, MsgpackValue} from '../codec/msgpack.js'
import {decodeMsgpack} from '../codec/msgpack.js'

/** What became of bytes from a peer: a message, or why they are none. Nothing in this room throws on bytes. */
export type Decoded<T> =
  {readonly ok: true; readonly value: T} | {readonly ok: false; readonly problem: string}

/** A message that was understood. */
export const decoded = <T>(value: T): Decoded<T> => ({ok: true, value})
/** Bytes that are no message. `problem` quotes nothing of what the peer sent. */
export const undecodable = (problem: string): Decoded<never> => ({ok: false, problem})

/** The longest name of a node, an event or a tag that is taken, in bytes; real ones fit in a packet of 1400. */
export const NAME_BYTES_MAX = 1024

const strict = new TextDecoder('utf-8', {ignoreBOM: true, fatal: true})

/**
 * The fields of a struct as go-msgpack writes it: a map by field name. A missing field and nil are the zero value, an
 * unknown field is ignored, and a field of the wrong kind is kept as `problem`, the first one, while a zero value
 * stands in for it: so a struct is read whole and judged once.
 */
export class Fields {
  problem: string | undefined

  constructor(private readonly map: MsgpackMap) {}

  /** An integer of 0 to `max`, whether it was written signed or unsigned. */
  unsigned(name: string, max: number): number {
    const value = this.map.get(name)
    if (value === undefined || value === null) return 0
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max) return value
    return this.wrong(name, 0)
  }

  u8(name: string): number {
    return this.unsigned(name, 0xff)
  }

  u16(name: string): number {
    return this.unsigned(name, 0xffff)
  }

  u32(name: string): number {
    return this.unsigned(name, 0xffff_ffff)
  }

  /** A counter of 64 bits. What lies beyond 2^53 - 1 is refused: no honest counter gets there. */
  u64(name: string): number {
    return this.unsigned(name, Number.MAX_SAFE_INTEGER)
  }

  bool(name: string): boolean {
    const value = this.map.get(name)
    if (value === undefined || value === null) return false
    return typeof value === 'boolean' ? value : this.wrong(name, false)
  }

  /** Bytes, also when they were written as an array of small integers. */
  bytes(name: string, max = Number.MAX_SAFE_INTEGER): Uint8Array {
    const value = this.map.get(name)
    if (value === undefined || value === null) return NO_BYTES
    const bytes = value instanceof Uint8Array ? value : smallIntegers(value)
    return bytes !== undefined && bytes.length <= max ? bytes : this.wrong(name, NO_BYTES)
  }

  /** Text. It must be UTF-8, because names that differ in bytes must not become equal here. */
  text(name: string, max = NAME_BYTES_MAX): string {
    const value = this.map.get(name)
    if (value === undefined || value === null) return ''
    return textOf(value, max) ?? this.wrong(name, '')
  }

  /** An IP address of 4 or 16 bytes in its text form; empty where there is none. */
  ip(name: string): string {
    const bytes = this.bytes(name, 16)
    return bytes.length === 0 ? '' : formatIp(bytes) || this.wrong(name, '')
  }

  list(name: string): readonly MsgpackValue[] {
    const value = this.map.get(name)
    if (value === undefined || value === null) return []
    return Array.isArray(value) ? (value as readonly MsgpackValue[]) : this.wrong(name, [])
  }

  texts(name: string, max = NAME_BYTES_MAX): readonly string[] {
    const texts: string[] = []
    for (const item of this.list(name)) {
      const text = textOf(item, max)
      if (text === undefined) return this.wrong(name, [])
      texts.push(text)
    }
    return texts
  }

  /** A map within the map; an empty one where there is none. */
  mapOf(name: string): MsgpackMap {
    const value = this.map.get(name)
    if (value === undefined || value === null) return NO_FIELDS
    return value instanceof Map ? (value as MsgpackMap) : this.wrong(name, NO_FIELDS)
  }

  /** The value of a field as it is, for fields whose kind says what they are. */
  value(name: string): MsgpackValue | undefined {
    return this.map.get(name)
  }

  /** Notes a problem with a field, for rules that are not about its kind alone. */
  wrong<T>(name: string, zero: T): T {
    this.problem ??= `field ${name} is not what it should be`
    return zero
  }

  /** The struct read from the fields, unless one of them was wrong. */
  result<T>(value: T): Decoded<T> {
    return this.problem === undefined ? decoded(value) : undecodable(this.problem)
  }
}

const NO_BYTES = new Uint8Array(0)
const NO_FIELDS: MsgpackMap = new Map()

/** Text of at most `max` bytes; undefined when the value is none or is not UTF-8. */
export function textOf(value: MsgpackValue | undefined, max = NAME_BYTES_MAX): string | undefined {
  if (!(value instanceof Uint8Array) || value.length > max) return undefined
  return utf8(value)
}

/** Bytes as text; undefined when they are not UTF-8. */
export function utf8(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes)
  } catch {
    return undefined
  }
}

function smallIntegers(value: MsgpackValue): Uint8Array | undefined {
  if (!Array.isArray(value)) return undefined
  const items = value as readonly MsgpackValue[]
  const bytes = new Uint8Array(items.length)
  for (let i = 0; i < items.length; i++) {
    const item = items[i]
    if (typeof item !== 'number' || !Number.isInteger(item) || item < 0 || item > 255) return undefined
    bytes[i] = item
  }
  return bytes
}

/** Bounds of one struct that came in a packet or as a header; a push/pull's state has its own. */
const STRUCT_LIMITS = {depthMax: 16, valuesMax: 20_000, rawBytesMax: 1 << 20}

/** The fields of the map at `start` and where it ends, or why there is none. Bytes that end too early are a problem. */
export function structAt(
  bytes: Uint8Array,
  start: number,
  limits: {readonly depthMax?: number; readonly valuesMax?: number; readonly rawBytesMax?: number} = {},
): Decoded<{readonly fields: Fields; readonly end: number}> {
  const result = decodeMsgpack(bytes, start, {...STRUCT_LIMITS, ...limits})
  if (result.kind === 'more') return undecodable('the message ends too early')
  if (result.kind === 'problem') return undecodable(result.text)
  if (!(result.value instanceof Map)) return undecodable('the message is not a map')
  return decoded({fields: new Fields(result.value as MsgpackMap), end: result.end})
}
