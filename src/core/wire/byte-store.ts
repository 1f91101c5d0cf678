/** Bytes that came in pieces, as one piece. Grows by doubling, so that many small pieces cost no more than few. */
export class ByteStore {
  private buffer = new Uint8Array(0)
  private start = 0
  private end = 0

  /** How many bytes there are. */
  get length(): number {
    return this.end - this.start
  }

  /** Adds bytes at the end; they are copied. */
  push(chunk: Uint8Array): void {
    if (this.end + chunk.length > this.buffer.length) this.makeRoom(chunk.length)
    this.buffer.set(chunk, this.end)
    this.end += chunk.length
  }

  /** All bytes, as a view that is valid until the next call. */
  bytes(): Uint8Array {
    return this.buffer.subarray(this.start, this.end)
  }

  /** Takes `count` bytes off the front, as a copy. There must be so many. */
  take(count: number): Uint8Array {
    const taken = this.buffer.slice(this.start, this.start + count)
    this.drop(count)
    return taken
  }

  /** Takes `count` bytes off the front unseen. There must be so many. */
  drop(count: number): void {
    this.start += count
    if (this.start === this.end) {
      this.start = 0
      this.end = 0
      // A large message must not keep its memory for as long as the connection stands idle.
      if (this.buffer.length > KEEP_BYTES) this.buffer = new Uint8Array(0)
    }
  }

  private makeRoom(more: number): void {
    const length = this.length
    const needed = length + more
    const target = needed <= this.buffer.length / 2 ? this.buffer : new Uint8Array(Math.max(needed * 2, 512))
    target.set(this.bytes(), 0)
    this.buffer = target
    this.start = 0
    this.end = length
  }
}

const KEEP_BYTES = 1 << 20
