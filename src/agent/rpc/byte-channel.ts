/** Bytes on their way from a connection to whoever stores them, with a limit on how many wait. */
export class ByteChannel implements AsyncIterable<Uint8Array> {
  private readonly chunks: Uint8Array[] = []
  private waiting = 0
  private ended = false
  private failure: Error | undefined
  private abandoned = false
  private wake: (() => void) | undefined
  private tellEnd: () => void = () => undefined
  private readonly whole = new Promise<void>(resolve => (this.tellEnd = resolve))

  /** `onRoom` is called when the reader has caught up, so that more may be given. */
  constructor(
    private readonly bytesMax: number,
    private readonly onRoom: () => void,
  ) {}

  /** Whether so much waits that no more should be given. */
  get full(): boolean {
    return this.waiting >= this.bytesMax
  }

  /** Gives bytes to the reader; one that has turned away gets none. */
  push(bytes: Uint8Array): void {
    if (this.abandoned || this.ended) return
    this.chunks.push(bytes)
    this.waiting += bytes.length
    this.wake?.()
  }

  /** There is no more. */
  end(): void {
    this.ended = true
    this.tellEnd()
    this.wake?.()
  }

  /** Throws away what waits and what is still to come; resolves when there is no more. */
  discard(): Promise<void> {
    this.abandon()
    return this.whole
  }

  /** There will not be the rest. */
  fail(error: Error): void {
    if (this.ended) return
    this.failure = error
    this.end()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    try {
      for (;;) {
        const chunk = this.chunks.shift()
        if (chunk !== undefined) {
          const wasFull = this.full
          this.waiting -= chunk.length
          if (wasFull && !this.full) this.onRoom()
          yield chunk
        } else if (this.failure !== undefined) throw this.failure
        else if (this.ended) return
        else await new Promise<void>(resolve => (this.wake = resolve))
      }
    } finally {
      this.abandon()
    }
  }

  private abandon(): void {
    const wasFull = this.full
    this.abandoned = true
    this.chunks.length = 0
    this.waiting = 0
    if (wasFull) this.onRoom()
  }
}
