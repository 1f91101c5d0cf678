/**
 * Keys whose lock was lost with its session and cannot be had again for a while, so that work begun under the lock can
 * end (`Delay`, consul agent/consul/state/delay.go). Every server keeps them; the leader's count.
 */
export class LockDelays {
  private readonly until = new Map<string, number>()

  constructor(private readonly monotonicMs: () => number) {}

  /** A lock was lost now. */
  add(key: string, delayMs: number): void {
    if (this.until.size > SWEEP_ABOVE) this.sweep()
    if (delayMs > 0) this.until.set(key, this.monotonicMs() + delayMs)
  }

  /** Whether the key is not to be locked yet. */
  holds(key: string): boolean {
    const until = this.until.get(key)
    if (until === undefined) return false
    if (until > this.monotonicMs()) return true
    this.until.delete(key)
    return false
  }

  private sweep(): void {
    const now = this.monotonicMs()
    for (const [key, until] of this.until) if (until <= now) this.until.delete(key)
  }
}

const SWEEP_ABOVE = 10_000
