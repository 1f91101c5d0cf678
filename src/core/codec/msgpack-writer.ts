import type {MsgpackInput} from './msgpack.js'
import {encodeMsgpack} from './msgpack.js'

/**
 * Writes MessagePack in the old raw dialect of hashicorp/go-msgpack, value by value into one growing buffer: what
 * `encodeMsgpack` does for a whole value, without the values in between, for messages that are written often.
 */

const encoder = new TextEncoder()

/** A buffer that MessagePack values are appended to. The caller sees to it that maps and arrays are filled. */
export class MsgpackWriter {
  private buffer: Uint8Array
  private view: DataView
  private length = 0

  /** `capacity` is a guess of the bytes needed; the buffer grows when it is too small. */
  constructor(capacity = 256) {
    this.buffer = new Uint8Array(capacity)
    this.view = new DataView(this.buffer.buffer)
  }

  /** What has been written so far, as a part of the buffer: nothing may be written afterwards. */
  finish(): Uint8Array {
    return this.buffer.subarray(0, this.length)
  }

  /** A byte that is not MessagePack, such as the type of a message. */
  byte(value: number): this {
    this.reserve(1)
    this.buffer[this.length++] = value
    return this
  }

  /** Bytes that stand for themselves, such as an encoded value. */
  raw(bytes: Uint8Array): this {
    this.reserve(bytes.length)
    this.buffer.set(bytes, this.length)
    this.length += bytes.length
    return this
  }

  nil(): this {
    return this.byte(0xc0)
  }

  bool(value: boolean): this {
    return this.byte(value ? 0xc3 : 0xc2)
  }

  /** The head of a map; `size` pairs are to follow. */
  map(size: number): this {
    return this.head(size, 0x80, 15, 0xde)
  }

  /** The head of an array; `size` values are to follow. */
  array(size: number): this {
    return this.head(size, 0x90, 15, 0xdc)
  }

  /** Text as a raw value of its UTF-8 bytes. Also for the keys of maps. */
  text(value: string): this {
    for (let i = 0; i < value.length; i++)
      if (value.charCodeAt(i) > 0x7f) return this.bytes(encoder.encode(value))
    this.head(value.length, 0xa0, 31, 0xda)
    this.reserve(value.length)
    for (let i = 0; i < value.length; i++) this.buffer[this.length++] = value.charCodeAt(i)
    return this
  }

  bytes(value: Uint8Array): this {
    return this.head(value.length, 0xa0, 31, 0xda).raw(value)
  }

  /** Bytes of which none are written as nil, as Go writes a slice that was never made. */
  bytesOrNil(value: Uint8Array): this {
    return value.length === 0 ? this.nil() : this.bytes(value)
  }

  /** An integer of 0 to 2^53 - 1 in its smallest form. */
  unsigned(value: number): this {
    if (value <= 0x7f) return this.byte(value)
    this.reserve(9)
    const at = this.length
    if (value <= 0xff) {
      this.buffer[at] = 0xcc
      this.buffer[at + 1] = value
      this.length += 2
    } else if (value <= 0xffff) {
      this.buffer[at] = 0xcd
      this.view.setUint16(at + 1, value)
      this.length += 3
    } else if (value <= 0xffffffff) {
      this.buffer[at] = 0xce
      this.view.setUint32(at + 1, value)
      this.length += 5
    } else {
      this.buffer[at] = 0xcf
      this.view.setUint32(at + 1, Math.floor(value / 0x1_0000_0000))
      this.view.setUint32(at + 5, value % 0x1_0000_0000)
      this.length += 9
    }
    return this
  }

  /** A value of any kind, as `encodeMsgpack` writes it. */
  value(value: MsgpackInput): this {
    if (value === null) return this.nil()
    if (typeof value === 'boolean') return this.bool(value)
    if (typeof value === 'string') return this.text(value)
    if (value instanceof Uint8Array) return this.bytes(value)
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return this.unsigned(value)
    if (typeof value !== 'object') return this.raw(encodeMsgpack(value))
    if (isArray(value)) {
      this.array(value.length)
      for (const item of value) this.value(item)
      return this
    }
    const keys = Object.keys(value)
    this.map(keys.length)
    for (const key of keys) this.text(key).value(value[key] ?? null)
    return this
  }

  private head(size: number, fix: number, fixMax: number, wide: number): this {
    if (size <= fixMax) return this.byte(fix | size)
    this.reserve(5)
    if (size <= 0xffff) {
      this.buffer[this.length] = wide
      this.view.setUint16(this.length + 1, size)
      this.length += 3
    } else {
      this.buffer[this.length] = wide + 1
      this.view.setUint32(this.length + 1, size)
      this.length += 5
    }
    return this
  }

  private reserve(more: number): void {
    const needed = this.length + more
    if (needed <= this.buffer.length) return
    const grown = new Uint8Array(Math.max(needed, this.buffer.length * 2))
    grown.set(this.buffer.subarray(0, this.length))
    this.buffer = grown
    this.view = new DataView(grown.buffer)
  }
}

const isArray = (value: MsgpackInput): value is readonly MsgpackInput[] => Array.isArray(value)
