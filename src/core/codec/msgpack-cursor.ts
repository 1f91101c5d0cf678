import {MsgpackSpan} from './msgpack-span.js'

/**
 * Reads MessagePack of a known shape value by value, without making maps and arrays in between: for messages that come
 * by the thousand. A value of another kind than asked for ends the reading with a `CursorProblem`.
 */

/** Why the bytes do not have the shape that was asked for; or that they end too early. */
export class CursorProblem extends Error {}

const SKIP_LIMITS = {valuesMax: 200_000, rawBytesMax: 64 << 20}
const utf8 = new TextDecoder('utf-8', {ignoreBOM: true, fatal: true})
const NO_BYTES = new Uint8Array(0)

/** A place in bytes from which values are read one after another. */
export class MsgpackCursor {
  private readonly view: DataView

  constructor(
    private readonly bytes: Uint8Array,
    public at = 0,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** The number of pairs of a map; nil is an empty one. */
  map(): number {
    return this.size(0x80, 0xde, 'map')
  }

  /** The number of values of an array; nil is an empty one. */
  array(): number {
    return this.size(0x90, 0xdc, 'array')
  }

  /** A short text of ASCII, such as the key of a struct. */
  key(): string {
    const length = this.rawLength()
    if (length > 64) throw new CursorProblem('a key is too long')
    const at = this.take(length)
    let key = ''
    for (let i = at; i < at + length; i++) key += String.fromCharCode(this.bytes[i] ?? 0)
    return key
  }

  /** An integer of 0 to 2^53 - 1, written signed or unsigned; nil is 0. */
  unsigned(): number {
    const head = this.head()
    if (head <= 0x7f) return head
    const value = this.integer(head)
    if (!Number.isSafeInteger(value) || value < 0) throw new CursorProblem('a number is out of range')
    return value
  }

  /** Bytes, as a part of what is read; nil is none. */
  raw(): Uint8Array {
    const length = this.rawLength()
    if (length === 0) return NO_BYTES
    const at = this.take(length)
    return this.bytes.subarray(at, at + length)
  }

  /** Text of at most `max` bytes; nil is none. */
  text(max: number): string {
    const bytes = this.raw()
    if (bytes.length > max) throw new CursorProblem('a text is too long')
    try {
      return utf8.decode(bytes)
    } catch {
      throw new CursorProblem('a text is not UTF-8')
    }
  }

  /** A truth value; nil is false. */
  bool(): boolean {
    const head = this.head()
    if (head === 0xc3) return true
    if (head === 0xc2 || head === 0xc0) return false
    throw new CursorProblem('a truth value is none')
  }

  /** Passes over a value of any kind. */
  skip(): void {
    const span = new MsgpackSpan(1, SKIP_LIMITS)
    const end = span.advance(this.bytes.subarray(this.at))
    if (end === undefined) throw new CursorProblem(span.problem ?? 'the bytes end too early')
    this.at += end
  }

  private head(): number {
    return this.view.getUint8(this.take(1))
  }

  private take(length: number): number {
    const at = this.at
    if (at + length > this.bytes.length) throw new CursorProblem('the bytes end too early')
    this.at = at + length
    return at
  }

  private integer(head: number): number {
    switch (head) {
      case 0xc0:
        return 0
      case 0xcc:
        return this.view.getUint8(this.take(1))
      case 0xcd:
        return this.view.getUint16(this.take(2))
      case 0xce:
        return this.view.getUint32(this.take(4))
      case 0xcf:
      case 0xd3: {
        const at = this.take(8)
        return this.view.getUint32(at) * 0x1_0000_0000 + this.view.getUint32(at + 4)
      }
      case 0xd0:
        return this.view.getInt8(this.take(1))
      case 0xd1:
        return this.view.getInt16(this.take(2))
      case 0xd2:
        return this.view.getInt32(this.take(4))
      default:
        throw new CursorProblem('a number is none')
    }
  }

  private size(fix: number, wide: number, what: string): number {
    const head = this.head()
    if (head === 0xc0) return 0
    if ((head & 0xf0) === fix) return head & 0x0f
    const size =
      head === wide
        ? this.view.getUint16(this.take(2))
        : head === wide + 1
          ? this.view.getUint32(this.take(4))
          : undefined
    if (size === undefined) throw new CursorProblem(`what should be a ${what} is none`)
    // Each value takes a byte at least, so a larger number is a lie.
    if (size > this.bytes.length - this.at) throw new CursorProblem('the bytes end too early')
    return size
  }

  private rawLength(): number {
    const head = this.head()
    if (head >= 0xa0 && head <= 0xbf) return head & 0x1f
    if (head === 0xc0) return 0
    if (head === 0xc4 || head === 0xd9) return this.view.getUint8(this.take(1))
    if (head === 0xc5 || head === 0xda) return this.view.getUint16(this.take(2))
    if (head === 0xc6 || head === 0xdb) return this.view.getUint32(this.take(4))
    throw new CursorProblem('what should be text or bytes is neither')
  }
}
