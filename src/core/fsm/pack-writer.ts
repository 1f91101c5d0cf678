const ENCODER = new TextEncoder()
const SLAB_BYTES = 32 * 1024
let slab = new Uint8Array(SLAB_BYTES)
let slabUsed = 0

/** A copy of a few bytes as a part of a slab: a buffer of their own would take more memory than they do. */
function kept(bytes: Uint8Array): Uint8Array {
  if (bytes.length > SLAB_BYTES / 16) return bytes.slice()
  if (slabUsed + bytes.length > SLAB_BYTES) {
    slab = new Uint8Array(SLAB_BYTES)
    slabUsed = 0
  }
  const copy = slab.subarray(slabUsed, slabUsed + bytes.length)
  copy.set(bytes)
  slabUsed += bytes.length
  return copy
}

/**
 * Writes msgpack into one growing buffer, in the dialect of hashicorp/go-msgpack's old writers (no str8, bin or ext),
 * which servers of every age read.
 */
export class PackWriter {
  private bytes: Uint8Array
  private view: DataView
  private at = 0

  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity)
    this.view = new DataView(this.bytes.buffer)
  }

  /** Bytes written since the last `take`. */
  get length(): number {
    return this.at
  }

  /** A copy of what was written; the writer begins anew. */
  take(): Uint8Array {
    const taken = kept(this.bytes.subarray(0, this.at))
    this.at = 0
    return taken
  }

  /** What was written, without a copy; the writer is not to be used afterwards. */
  finish(): Uint8Array {
    return this.bytes.subarray(0, this.at)
  }

  byte(value: number): this {
    this.room(1)
    this.bytes[this.at++] = value
    return this
  }

  mapHead(pairs: number): this {
    return pairs <= 15 ? this.byte(0x80 | pairs) : this.head16(0xde, pairs)
  }

  arrayHead(items: number): this {
    return items <= 15 ? this.byte(0x90 | items) : this.head16(0xdc, items)
  }

  nil(): this {
    return this.byte(0xc0)
  }

  boolean(value: boolean): this {
    return this.byte(value ? 0xc3 : 0xc2)
  }

  /** An integer of up to 64 bits in its smallest form. */
  integer(value: number | bigint): this {
    this.room(9)
    if (typeof value === 'number' && value >= 0 && value <= 0xffffffff) {
      if (value <= 0x7f) this.bytes[this.at++] = value
      else if (value <= 0xff) {
        this.bytes[this.at++] = 0xcc
        this.bytes[this.at++] = value
      } else if (value <= 0xffff) {
        this.bytes[this.at++] = 0xcd
        this.view.setUint16(this.at, value)
        this.at += 2
      } else {
        this.bytes[this.at++] = 0xce
        this.view.setUint32(this.at, value)
        this.at += 4
      }
      return this
    }
    return this.large(BigInt(value))
  }

  /** A text as its UTF-8 bytes. */
  text(value: string): this {
    for (let i = 0; i < value.length; i++)
      if (value.charCodeAt(i) > 0x7f) return this.raw(ENCODER.encode(value))
    return this.byteString(value)
  }

  /** A byte string, a byte per character. */
  byteString(value: string): this {
    this.rawHead(value.length)
    for (let i = 0; i < value.length; i++) this.bytes[this.at + i] = value.charCodeAt(i)
    this.at += value.length
    return this
  }

  /** Bytes; nil for null. */
  raw(value: Uint8Array | null): this {
    if (value === null) return this.nil()
    this.rawHead(value.length)
    this.bytes.set(value, this.at)
    this.at += value.length
    return this
  }

  texts(values: readonly string[] | null): this {
    if (values === null) return this.nil()
    this.arrayHead(values.length)
    for (const value of values) this.text(value)
    return this
  }

  /** Text to text, in the order of the keys, so that equal states give equal bytes. */
  textMap(map: Readonly<Record<string, string>> | null): this {
    if (map === null) return this.nil()
    const keys = Object.keys(map).sort()
    this.mapHead(keys.length)
    for (const key of keys) this.text(key).text(map[key] ?? '')
    return this
  }

  /** Bytes as they are, without a head. */
  verbatim(value: Uint8Array): this {
    this.room(value.length)
    this.bytes.set(value, this.at)
    this.at += value.length
    return this
  }

  private rawHead(length: number): void {
    this.room(5 + length)
    if (length <= 31) this.bytes[this.at++] = 0xa0 | length
    else if (length <= 0xffff) {
      this.bytes[this.at++] = 0xda
      this.view.setUint16(this.at, length)
      this.at += 2
    } else {
      this.bytes[this.at++] = 0xdb
      this.view.setUint32(this.at, length)
      this.at += 4
    }
  }

  private head16(head: number, length: number): this {
    this.room(5)
    if (length <= 0xffff) {
      this.bytes[this.at] = head
      this.view.setUint16(this.at + 1, length)
      this.at += 3
    } else {
      this.bytes[this.at] = head + 1
      this.view.setUint32(this.at + 1, length)
      this.at += 5
    }
    return this
  }

  private large(value: bigint): this {
    if (value >= 0n) {
      this.bytes[this.at] = 0xcf
      this.view.setBigUint64(this.at + 1, value)
      this.at += 9
    } else if (value >= -32n) this.bytes[this.at++] = Number(value) & 0xff
    else {
      this.bytes[this.at] = 0xd3
      this.view.setBigInt64(this.at + 1, value)
      this.at += 9
    }
    return this
  }

  private room(length: number): void {
    if (this.at + length <= this.bytes.length) return
    const bytes = new Uint8Array(Math.max(this.bytes.length * 2, this.at + length))
    bytes.set(this.bytes.subarray(0, this.at))
    this.bytes = bytes
    this.view = new DataView(bytes.buffer)
  }
}
