import {byteString} from './byte-string.js'

/** Bytes that are not the msgpack that was expected, or end before it does. */
export class PackProblem extends Error {
  constructor(
    text: string,
    /** Whether more bytes behind the same may mend it. */
    readonly short = false,
  ) {
    super(text)
  }
}

/** Names of frequent keys by the two bytes that they begin with: their length in msgpack and first letter. */
const KEYS: ReadonlyMap<number, string> = new Map(
  [
    'CreateIndex',
    'Datacenter',
    'DirEnt',
    'Flags',
    'Key',
    'LockIndex',
    'ModifyIndex',
    'Op',
    'Session',
    'Token',
    'Value',
  ].map(name => [((0xa0 | name.length) << 8) | name.charCodeAt(0), name]),
)
const UTF8 = new TextDecoder('utf-8', {ignoreBOM: true})
const DEPTH_MAX = 32

/**
 * Reads msgpack value by value without building a tree: for commands and snapshots, of which there are many. Takes
 * all forms that go-msgpack's writers of any age use. Throws `PackProblem`, and only that, on other bytes.
 */
export class PackReader {
  private readonly view: DataView

  constructor(
    readonly bytes: Uint8Array,
    public at = 0,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** The number of pairs of a map; 0 for nil. */
  mapHead(): number {
    const head = this.u8()
    if (head >= 0x80 && head <= 0x8f) return head & 0x0f
    if (head === 0xc0) return 0
    if (head === 0xde) return this.u16()
    if (head === 0xdf) return this.u32()
    throw new PackProblem('a map was expected')
  }

  /** The number of items of an array; undefined for nil. */
  arrayHead(): number | undefined {
    const head = this.u8()
    if (head >= 0x90 && head <= 0x9f) return head & 0x0f
    if (head === 0xc0) return undefined
    if (head === 0xdc) return this.u16()
    if (head === 0xdd) return this.u32()
    throw new PackProblem('an array was expected')
  }

  /** Bytes as a view of the input, not a copy; null for nil. */
  raw(): Uint8Array | null {
    const length = this.rawLength()
    if (length < 0) return null
    const at = this.take(length)
    return this.bytes.subarray(at, at + length)
  }

  /** A text; empty for nil. */
  text(): string {
    const length = this.rawLength()
    if (length <= 0) return ''
    const at = this.take(length)
    if (length <= 64) {
      let ascii = true
      for (let i = at; i < at + length; i++) if (this.bytes[i]! > 0x7f) ascii = false
      if (ascii) return byteString(this.bytes, at, at + length)
    }
    return UTF8.decode(this.bytes.subarray(at, at + length))
  }

  /** The key of a pair: those of KV entries, of which there are many, without making a text of it. */
  key(): string {
    const head = this.bytes[this.at]
    const name = head === undefined ? undefined : KEYS.get((head << 8) | (this.bytes[this.at + 1] ?? 0))
    if (name === undefined || this.at + name.length >= this.bytes.length) return this.text()
    for (let i = 1; i < name.length; i++)
      if (this.bytes[this.at + 1 + i] !== name.charCodeAt(i)) return this.text()
    this.at += 1 + name.length
    return name
  }

  /** A byte string; null for nil. */
  byteString(): string | null {
    const length = this.rawLength()
    if (length < 0) return null
    const at = this.take(length)
    return byteString(this.bytes, at, at + length)
  }

  /** A number that fits one; larger ones lose precision. 0 for nil. */
  number(): number {
    return Number(this.integer())
  }

  /** An integer of up to 64 bits, bigint only where a number cannot hold it; 0 for nil. */
  integer(): number | bigint {
    const head = this.u8()
    if (head <= 0x7f) return head
    if (head >= 0xe0) return head - 0x100
    switch (head) {
      case 0xc0:
        return 0
      case 0xcc:
        return this.u8()
      case 0xcd:
        return this.u16()
      case 0xce:
        return this.u32()
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
      case 0xca:
        return Math.trunc(this.view.getFloat32(this.take(4)))
      case 0xcb:
        return Math.trunc(this.view.getFloat64(this.take(8)))
      default:
        throw new PackProblem('an integer was expected')
    }
  }

  /** A truth value; false for nil. */
  boolean(): boolean {
    const head = this.u8()
    if (head === 0xc3) return true
    if (head === 0xc2 || head === 0xc0) return false
    throw new PackProblem('a truth value was expected')
  }

  /** A list of texts; null for nil. */
  texts(): readonly string[] | null {
    const length = this.arrayHead()
    if (length === undefined) return null
    const texts: string[] = []
    for (let i = 0; i < length; i++) texts.push(this.text())
    return texts
  }

  /** Text to text; null for nil. */
  textMap(): Readonly<Record<string, string>> | null {
    if (this.peekNil()) return null
    const map: Record<string, string> = Object.create(null) as Record<string, string>
    for (let pairs = this.mapHead(); pairs > 0; pairs--) {
      const key = this.text()
      map[key] = this.text()
    }
    return map
  }

  /** Whether a nil is next; it is then taken. */
  peekNil(): boolean {
    if (this.at >= this.bytes.length) throw new PackProblem('the bytes end early', true)
    if (this.bytes[this.at] !== 0xc0) return false
    this.at++
    return true
  }

  /** Steps over one value of any kind. */
  skip(depth = 0): void {
    if (depth > DEPTH_MAX) throw new PackProblem('values are nested too deeply')
    const head = this.bytes[this.at] ?? 0xc0
    if ((head >= 0x80 && head <= 0x8f) || head === 0xde || head === 0xdf) {
      for (let items = this.mapHead() * 2; items > 0; items--) this.skip(depth + 1)
    } else if ((head >= 0x90 && head <= 0x9f) || head === 0xdc || head === 0xdd) {
      for (let items = this.arrayHead() ?? 0; items > 0; items--) this.skip(depth + 1)
    } else if (isRaw(head)) this.raw()
    else if (head === 0xc2 || head === 0xc3) this.boolean()
    else if (head >= 0xc7 && head <= 0xc9) this.skipExtension(head)
    else if (head >= 0xd4 && head <= 0xd8) this.take(2 + (1 << (head - 0xd4)))
    else this.integer()
  }

  private skipExtension(head: number): void {
    this.take(1)
    const length = head === 0xc7 ? this.u8() : head === 0xc8 ? this.u16() : this.u32()
    this.take(length + 1)
  }

  /** The length of a raw value, or -1 for nil. */
  private rawLength(): number {
    const head = this.u8()
    if (head >= 0xa0 && head <= 0xbf) return head & 0x1f
    switch (head) {
      case 0xc0:
        return -1
      case 0xc4:
      case 0xd9:
        return this.u8()
      case 0xc5:
      case 0xda:
        return this.u16()
      case 0xc6:
      case 0xdb:
        return this.u32()
      default:
        throw new PackProblem('text or bytes were expected')
    }
  }

  private u8(): number {
    return this.view.getUint8(this.take(1))
  }

  private u16(): number {
    return this.view.getUint16(this.take(2))
  }

  private u32(): number {
    return this.view.getUint32(this.take(4))
  }

  private take(length: number): number {
    const at = this.at
    if (at + length > this.bytes.length) throw new PackProblem('the bytes end early', true)
    this.at = at + length
    return at
  }
}

const isRaw = (head: number): boolean =>
  (head >= 0xa0 && head <= 0xbf) || (head >= 0xc4 && head <= 0xc6) || (head >= 0xd9 && head <= 0xdb)

const narrow = (value: bigint): number | bigint => {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}
