/**
 * MessagePack in the dialect of hashicorp/go-msgpack, in which strings and bytes share one kind of value (raw).
 * The decoder also takes str8, bin and ext, which newer writers use; the encoder writes none of them, because
 * readers of 2015 do not know them.
 */

/** Text or bytes (raw, str and bin), left to the caller to tell apart. Integers beyond 2^53 are bigint. */
export type MsgpackValue =
  null | boolean | number | bigint | Uint8Array | readonly MsgpackValue[] | MsgpackMap | MsgpackExtension

/** A map by its keys as text; keys of other kinds than text and integer are not taken. */
export type MsgpackMap = ReadonlyMap<string, MsgpackValue>

/** A value of an application's own type. */
export interface MsgpackExtension {
  readonly extension: number
  readonly bytes: Uint8Array
}

/** The outcome of decoding at one place. `more` asks for the call to be repeated with more bytes behind the same. */
export type MsgpackResult =
  | {readonly kind: 'value'; readonly value: MsgpackValue; readonly end: number}
  | {readonly kind: 'more'}
  | {readonly kind: 'problem'; readonly text: string}

/** Bounds of one decoded value; hostile input breaks them and becomes a problem before memory is taken. */
export interface MsgpackLimits {
  readonly depthMax: number
  readonly valuesMax: number
  readonly rawBytesMax: number
}

const LIMITS: MsgpackLimits = {depthMax: 24, valuesMax: 200_000, rawBytesMax: 64 * 1024 * 1024}

class Stop extends Error {
  constructor(readonly result: MsgpackResult) {
    super('stop')
  }
}

const problem = (text: string) => new Stop({kind: 'problem', text})

/** Decodes the value that begins at `start`; `end` in the result is where the next one begins. Never throws. */
export function decodeMsgpack(
  bytes: Uint8Array,
  start = 0,
  limits: Partial<MsgpackLimits> = {},
): MsgpackResult {
  const decoder = new Decoder(bytes, start, {...LIMITS, ...limits})
  try {
    const value = decoder.value(0)
    return {kind: 'value', value, end: decoder.at}
  } catch (error) {
    if (error instanceof Stop) return error.result
    throw error
  }
}

const text = new TextDecoder('utf-8', {ignoreBOM: true})

class Decoder {
  private readonly view: DataView
  private values = 0
  constructor(
    private readonly bytes: Uint8Array,
    public at: number,
    private readonly limits: MsgpackLimits,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  value(depth: number): MsgpackValue {
    if (depth > this.limits.depthMax) throw problem('values are nested too deeply')
    if (++this.values > this.limits.valuesMax) throw problem('there are too many values')
    const head = this.view.getUint8(this.take(1))
    if (head <= 0x7f) return head
    if (head >= 0xe0) return head - 0x100
    if (head <= 0x8f) return this.map(head & 0x0f, depth)
    if (head <= 0x9f) return this.array(head & 0x0f, depth)
    if (head <= 0xbf) return this.raw(head & 0x1f)
    return head < 0xca ? this.special(head) : this.sized(head, depth)
  }

  private special(head: number): MsgpackValue {
    switch (head) {
      case 0xc0:
        return null
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xc4:
        return this.raw(this.unsigned(1))
      case 0xc5:
        return this.raw(this.unsigned(2))
      case 0xc6:
        return this.raw(this.unsigned(4))
      case 0xc7:
        return this.extension(this.unsigned(1))
      case 0xc8:
        return this.extension(this.unsigned(2))
      case 0xc9:
        return this.extension(this.unsigned(4))
      default:
        throw problem('byte 0xc1 begins no value')
    }
  }

  private sized(head: number, depth: number): MsgpackValue {
    switch (head) {
      case 0xca:
        return this.view.getFloat32(this.take(4))
      case 0xcb:
        return this.view.getFloat64(this.take(8))
      case 0xcc:
        return this.unsigned(1)
      case 0xcd:
        return this.unsigned(2)
      case 0xce:
        return this.unsigned(4)
      case 0xcf:
        return narrow(this.view.getBigUint64(this.take(8)))
      case 0xd0:
        return this.view.getInt8(this.take(1))
      case 0xd1:
        return this.view.getInt16(this.take(2))
      case 0xd2:
        return this.view.getInt32(this.take(4))
      case 0xd3:
        return narrow(this.view.getBigInt64(this.take(8)))
      case 0xd9:
        return this.raw(this.unsigned(1))
      case 0xda:
        return this.raw(this.unsigned(2))
      case 0xdb:
        return this.raw(this.unsigned(4))
      case 0xdc:
        return this.array(this.unsigned(2), depth)
      case 0xdd:
        return this.array(this.unsigned(4), depth)
      case 0xde:
        return this.map(this.unsigned(2), depth)
      case 0xdf:
        return this.map(this.unsigned(4), depth)
      default:
        return this.extension(1 << (head - 0xd4))
    }
  }

  private take(length: number): number {
    const at = this.at
    if (at + length > this.bytes.length) throw new Stop({kind: 'more'})
    this.at = at + length
    return at
  }

  private unsigned(size: 1 | 2 | 4): number {
    const at = this.take(size)
    if (size === 1) return this.view.getUint8(at)
    return size === 2 ? this.view.getUint16(at) : this.view.getUint32(at)
  }

  private raw(length: number): Uint8Array {
    if (length > this.limits.rawBytesMax) throw problem(`a raw value of ${length} bytes is too large`)
    const at = this.take(length)
    return this.bytes.subarray(at, at + length)
  }

  private extension(length: number): MsgpackExtension {
    const extension = this.view.getInt8(this.take(1))
    return {extension, bytes: this.raw(length)}
  }

  private array(length: number, depth: number): readonly MsgpackValue[] {
    this.reserve(length)
    const array: MsgpackValue[] = []
    for (let i = 0; i < length; i++) array.push(this.value(depth + 1))
    return array
  }

  private map(length: number, depth: number): MsgpackMap {
    this.reserve(length)
    const map = new Map<string, MsgpackValue>()
    for (let i = 0; i < length; i++) {
      const key = this.value(depth + 1)
      const name =
        key instanceof Uint8Array
          ? text.decode(key)
          : typeof key === 'number' || typeof key === 'bigint'
            ? String(key)
            : undefined
      if (name === undefined) throw problem('a map has a key that is neither text nor a number')
      map.set(name, this.value(depth + 1))
    }
    return map
  }

  private reserve(length: number): void {
    if (this.values + length > this.limits.valuesMax) throw problem('there are too many values')
  }
}

const narrow = (value: bigint): number | bigint => {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** The bytes of a raw value read as UTF-8 text; undefined for other kinds. Not bounded, not made printable. */
export function msgpackText(value: MsgpackValue | undefined): string | undefined {
  return value instanceof Uint8Array ? text.decode(value) : undefined
}

/** What `encodeMsgpack` takes: texts become raw values of their UTF-8 bytes, records become maps in key order as given. */
export type MsgpackInput =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly MsgpackInput[]
  | {readonly [key: string]: MsgpackInput}

/** Encodes a value in the old raw dialect: no str8, bin or ext; integers in their smallest form. */
export function encodeMsgpack(value: MsgpackInput): Uint8Array {
  const parts: Uint8Array[] = []
  encodeInto(parts, value)
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

function encodeInto(parts: Uint8Array[], value: MsgpackInput): void {
  if (value === null) parts.push(Uint8Array.of(0xc0))
  else if (typeof value === 'boolean') parts.push(Uint8Array.of(value ? 0xc3 : 0xc2))
  else if (typeof value === 'bigint') parts.push(encodeInteger(value))
  else if (typeof value === 'number') parts.push(encodeNumber(value))
  else if (typeof value === 'string') encodeRaw(parts, new TextEncoder().encode(value))
  else if (value instanceof Uint8Array) encodeRaw(parts, value)
  else if (isArray(value)) {
    parts.push(encodeLength(value.length, {fix: 0x90, fixMax: 15, wide: 0xdc}))
    for (const item of value) encodeInto(parts, item)
  } else {
    const entries = Object.entries(value)
    parts.push(encodeLength(entries.length, {fix: 0x80, fixMax: 15, wide: 0xde}))
    for (const [key, item] of entries) {
      encodeRaw(parts, new TextEncoder().encode(key))
      encodeInto(parts, item)
    }
  }
}

const isArray = (value: MsgpackInput): value is readonly MsgpackInput[] => Array.isArray(value)

function encodeRaw(parts: Uint8Array[], bytes: Uint8Array): void {
  parts.push(encodeLength(bytes.length, {fix: 0xa0, fixMax: 31, wide: 0xda}), bytes)
}

/** A length behind its head byte: fix form, 16 bits, or 32 bits, whose head is the next one after `wide`. */
function encodeLength(
  length: number,
  {fix, fixMax, wide}: {fix: number; fixMax: number; wide: number},
): Uint8Array {
  if (length <= fixMax) return Uint8Array.of(fix | length)
  return length <= 0xffff
    ? withHead(wide, 2, view => view.setUint16(1, length))
    : withHead(wide + 1, 4, view => view.setUint32(1, length))
}

function encodeNumber(value: number): Uint8Array {
  if (Number.isSafeInteger(value)) return encodeInteger(BigInt(value))
  return withHead(0xcb, 8, view => view.setFloat64(1, value))
}

function encodeInteger(value: bigint): Uint8Array {
  if (value >= 0n) {
    if (value <= 0x7fn) return Uint8Array.of(Number(value))
    if (value <= 0xffn) return Uint8Array.of(0xcc, Number(value))
    if (value <= 0xffffn) return withHead(0xcd, 2, view => view.setUint16(1, Number(value)))
    if (value <= 0xffffffffn) return withHead(0xce, 4, view => view.setUint32(1, Number(value)))
    return withHead(0xcf, 8, view => view.setBigUint64(1, value))
  }
  if (value >= -32n) return Uint8Array.of(Number(value) & 0xff)
  if (value >= -0x80n) return withHead(0xd0, 1, view => view.setInt8(1, Number(value)))
  if (value >= -0x8000n) return withHead(0xd1, 2, view => view.setInt16(1, Number(value)))
  if (value >= -0x80000000n) return withHead(0xd2, 4, view => view.setInt32(1, Number(value)))
  return withHead(0xd3, 8, view => view.setBigInt64(1, value))
}

function withHead(head: number, size: number, write: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(1 + size)
  bytes[0] = head
  write(new DataView(bytes.buffer))
  return bytes
}
