/** One message on its way to everybody. */
interface Broadcast {
  /** A newer broadcast of the same subject replaces this one; undefined for those that stand by themselves. */
  readonly subject: string | undefined
  readonly bytes: Uint8Array
  /** Grows with every broadcast: newer ones go first. */
  readonly id: number
  transmits: number
  /** Called once, when it was sent often enough or was replaced. */
  readonly finished: (() => void) | undefined
}

/** Parts that one compound message can count, less those that stand before news. */
const PARTS_MAX = 250
/** A longer message fits into no datagram beside what must be in it. */
const MESSAGE_BYTES_MAX = 1350
/** The usual bound of a queue. */
const LENGTH_MAX = 8192

/**
 * Messages that are sent to random members a bounded number of times each (`TransmitLimitedQueue`, memberlist
 * queue.go): those sent least go first, then larger ones, then newer ones.
 */
export class BroadcastQueue {
  private items: Broadcast[] = []
  private readonly subjects = new Map<string, Broadcast>()
  private sorted = true
  private nextId = 1

  /** A queue that strangers fill beyond `lengthMax` is cut to half of it. */
  constructor(private readonly lengthMax = LENGTH_MAX) {}

  get length(): number {
    return this.items.length
  }

  /** Adds a message; one of the same subject that still waits is dropped for it. One that is too long is not sent. */
  push(bytes: Uint8Array, subject?: string, finished?: () => void): void {
    if (subject !== undefined) this.drop(subject)
    if (bytes.length > MESSAGE_BYTES_MAX) {
      finished?.()
      return
    }
    const item: Broadcast = {subject, bytes, id: this.nextId++, transmits: 0, finished}
    this.items.push(item)
    if (subject !== undefined) this.subjects.set(subject, item)
    this.sorted = false
    if (this.items.length > this.lengthMax) this.prune(this.lengthMax / 2)
  }

  /**
   * Takes messages that fit into `bytesMax`, of which each costs `overhead` more than its length, and counts them as
   * sent. Those that reach `limit` are done with.
   */
  take(overhead: number, bytesMax: number, limit: number): readonly Uint8Array[] {
    if (this.items.length === 0) return []
    this.sort()
    const taken: Uint8Array[] = []
    const done: Broadcast[] = []
    let free = bytesMax
    for (const item of this.items) {
      if (free <= overhead) break
      const cost = item.bytes.length + overhead
      if (cost > free || taken.length >= PARTS_MAX) continue
      free -= cost
      taken.push(item.bytes)
      if (++item.transmits >= limit) done.push(item)
    }
    if (taken.length > 0) this.sorted = false
    if (done.length > 0) this.remove(new Set(done))
    return taken
  }

  /** Keeps the `max` messages that were sent least and forgets the others. */
  prune(max: number): void {
    if (this.items.length <= max) return
    this.sort()
    this.remove(new Set(this.items.slice(max)))
  }

  private drop(subject: string): void {
    const old = this.subjects.get(subject)
    if (old !== undefined) this.remove(new Set([old]))
  }

  private remove(gone: ReadonlySet<Broadcast>): void {
    this.items = this.items.filter(item => !gone.has(item))
    for (const item of gone) {
      if (item.subject !== undefined && this.subjects.get(item.subject) === item)
        this.subjects.delete(item.subject)
      item.finished?.()
    }
  }

  private sort(): void {
    if (this.sorted) return
    this.items.sort((a, b) => a.transmits - b.transmits || b.bytes.length - a.bytes.length || b.id - a.id)
    this.sorted = true
  }
}
