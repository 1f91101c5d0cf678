interface Pending {
  readonly index: number
  readonly token: number
  readonly bytes: number
}

const GAP_MAX = 4096

/** Wishes that are in the log and not applied yet, in the order of their entries. */
export class PendingQueue {
  private all: Pending[] = []
  private head = 0
  private committed = 0

  get size(): number {
    return this.all.length - this.head
  }

  push(index: number, token: number, bytes: number): void {
    this.all.push({index, token, bytes})
  }

  /** All up to `index` are committed; returns the bytes of those that were not before. */
  commit(index: number): number {
    let bytes = 0
    for (; this.committed < this.all.length; this.committed++) {
      const one = this.all[this.committed]
      if (one === undefined || one.index > index) break
      bytes += one.bytes
    }
    return bytes
  }

  /** Takes out all up to `index`, telling each. */
  take(index: number, tell: (token: number, index: number) => void): void {
    for (; this.head < this.all.length; this.head++) {
      const one = this.all[this.head]
      if (one === undefined || one.index > index) break
      tell(one.token, one.index)
    }
    if (this.head < GAP_MAX && this.head < this.all.length) return
    this.all.splice(0, this.head)
    this.committed = Math.max(0, this.committed - this.head)
    this.head = 0
  }

  /** Takes out all after `index`; returns their tokens. */
  dropAfter(index: number): readonly number[] {
    let end = this.all.length
    while (end > this.head && (this.all[end - 1]?.index ?? 0) > index) end--
    const tokens = this.all.slice(end).map(one => one.token)
    this.all.length = end
    this.committed = Math.min(this.committed, end)
    return tokens
  }

  /** Takes out all up to `index`; returns their tokens. */
  dropUpTo(index: number): readonly number[] {
    const tokens: number[] = []
    this.commit(index)
    this.take(index, token => tokens.push(token))
    return tokens
  }
}
