/**
 * Finds where values of MessagePack end in bytes that come in pieces, without decoding them and without looking at any
 * byte twice: what `decodeMsgpack` alone cannot do for a large value, which it would begin anew with each piece.
 */
export class MsgpackSpan {
  /** Why the bytes are no values; the span does not advance any more then. */
  problem: string | undefined
  private at = 0
  private seen = 0

  /** `values` follow one another. Neither a number of values nor a length above these bounds is taken. */
  constructor(
    private pending: number,
    private readonly limits: {readonly valuesMax: number; readonly rawBytesMax: number},
  ) {}

  /** Where the last value ends in `bytes`, which begin where the first one does; undefined while that is not there. */
  advance(bytes: Uint8Array): number | undefined {
    while (this.pending > 0 && this.problem === undefined) {
      const head = bytes[this.at]
      if (head === undefined) return undefined
      const next = this.value(bytes, head)
      if (next === undefined) return undefined
      this.at = next
      this.pending--
      if (++this.seen + this.pending > this.limits.valuesMax) this.problem = 'there are too many values'
    }
    if (this.problem !== undefined) return undefined
    return this.at <= bytes.length ? this.at : undefined
  }

  /** Where the value at `this.at` ends, or the head of one that holds others; those become pending. */
  private value(bytes: Uint8Array, head: number): number | undefined {
    const behind = this.at + 1
    if (head <= 0x7f || head >= 0xe0) return behind
    if (head <= 0x8f) return this.holds((head & 0x0f) * 2, behind)
    if (head <= 0x9f) return this.holds(head & 0x0f, behind)
    if (head <= 0xbf) return behind + (head & 0x1f)
    const {size = 0, factor, fixed = 0} = FORMS[head - 0xc0] ?? {}
    if (head === 0xc1) {
      this.problem = 'byte 0xc1 begins no value'
      return undefined
    }
    const length = size === 0 ? 0 : bigEndian(bytes, behind, size)
    if (length === undefined) return undefined
    if (factor !== undefined) return this.holds(length * factor, behind + size)
    if (length > this.limits.rawBytesMax) this.problem = 'a raw value is too large'
    return behind + size + fixed + length
  }

  private holds(values: number, end: number): number {
    this.pending += values
    return end
  }
}

/** A form from 0xc0 on: bytes of a length in front, values per unit of that length, and bytes besides. */
interface Form {
  readonly size?: 1 | 2 | 4
  readonly factor?: 1 | 2
  readonly fixed?: number
}

const FORMS: readonly Form[] = [
  ...[{}, {}, {}, {}], // nil, none, booleans
  ...([{size: 1}, {size: 2}, {size: 4}] as const), // bin
  ...([
    {size: 1, fixed: 1},
    {size: 2, fixed: 1},
    {size: 4, fixed: 1},
  ] as const), // ext
  ...[4, 8, 1, 2, 4, 8, 1, 2, 4, 8].map(fixed => ({fixed})), // floats, unsigned and signed integers
  ...[2, 3, 5, 9, 17].map(fixed => ({fixed})), // ext of fixed lengths
  ...([{size: 1}, {size: 2}, {size: 4}] as const), // str
  ...([
    {size: 2, factor: 1},
    {size: 4, factor: 1},
    {size: 2, factor: 2},
    {size: 4, factor: 2},
  ] as const), // arrays and maps
]

function bigEndian(bytes: Uint8Array, at: number, size: number): number | undefined {
  if (at + size > bytes.length) return undefined
  let value = 0
  for (let i = 0; i < size; i++) value = value * 256 + (bytes[at + i] ?? 0)
  return value
}
