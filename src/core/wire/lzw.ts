/**
 * Unpacks LZW as Go's compress/lzw packs it for memberlist: bits from the least significant on, literals of 8 bits.
 * Undefined when the bytes are none or would unpack to more than `max` bytes.
 */
export function unpackLzw(bytes: Uint8Array, max: number): Uint8Array | undefined {
  return new Unpacker(bytes, max).run()
}

const CLEAR = 256
const END = 257
const WIDTH_MAX = 12
const NO_CODE = -1

/** No text of a code is longer than this: each code is one byte longer than an older one. */
const TEXT_MAX = 1 << WIDTH_MAX

class Unpacker {
  private out = new Uint8Array(1024)
  private length = 0
  /** For each code above END: the code before its last byte, and that byte. */
  private readonly before = new Uint16Array(1 << WIDTH_MAX)
  private readonly last = new Uint8Array(1 << WIDTH_MAX)
  private readonly text = new Uint8Array(TEXT_MAX)
  private width = 9
  /** The highest code in use; the next one is given out by each code after the first. */
  private high = END
  private previous = NO_CODE
  private at = 0
  private bits = 0
  private bitCount = 0

  constructor(
    private readonly bytes: Uint8Array,
    private readonly max: number,
  ) {}

  run(): Uint8Array | undefined {
    for (;;) {
      const code = this.nextCode()
      if (code === undefined) return undefined
      if (code === END) return this.out.subarray(0, this.length)
      if (code === CLEAR) this.clear()
      else if (!this.take(code)) return undefined
    }
  }

  private nextCode(): number | undefined {
    while (this.bitCount < this.width) {
      const byte = this.bytes[this.at++]
      if (byte === undefined) return undefined
      this.bits |= byte << this.bitCount
      this.bitCount += 8
    }
    const code = this.bits & ((1 << this.width) - 1)
    this.bits >>>= this.width
    this.bitCount -= this.width
    return code
  }

  private clear(): void {
    this.width = 9
    this.high = END
    this.previous = NO_CODE
  }

  private take(code: number): boolean {
    // A code that is only now given out stands for the text before it and that text's first byte.
    const isNew = this.previous !== NO_CODE && code === this.high + 1
    if (code > this.high && !isNew) return false
    let from = TEXT_MAX
    if (isNew) from--
    let walk = isNew ? this.previous : code
    while (walk > END) {
      if (from === 0) return false
      this.text[--from] = this.last[walk] ?? 0
      walk = this.before[walk] ?? 0
    }
    if (from === 0) return false
    this.text[--from] = walk
    if (isNew) this.text[TEXT_MAX - 1] = walk
    if (!this.append(this.text.subarray(from))) return false
    this.giveOut(walk)
    this.previous = code
    return true
  }

  /** Gives the next code to the text before, grown by the first byte of this one, while there are codes left. */
  private giveOut(first: number): void {
    if (this.previous === NO_CODE || this.high + 1 >= 1 << WIDTH_MAX) return
    this.high++
    this.before[this.high] = this.previous
    this.last[this.high] = first
    if (this.high + 1 >= 1 << this.width && this.width < WIDTH_MAX) this.width++
  }

  private append(text: Uint8Array): boolean {
    const length = this.length + text.length
    if (length > this.max) return false
    if (length > this.out.length) {
      const grown = new Uint8Array(Math.min(Math.max(length, this.out.length * 2), this.max))
      grown.set(this.out.subarray(0, this.length))
      this.out = grown
    }
    this.out.set(text, this.length)
    this.length = length
    return true
  }
}
