import type {RaftNews, Target} from '../core/raft/messages.js'

/**
 * Who leads, as the consensus core has told: asked at every request, so it is kept apart from the core's full status.
 */
export class Leadership {
  private role: 'leader' | 'other' = 'other'
  private established = false
  private known: Target | undefined
  private everKnown = false
  private waiting: (() => void)[] = []

  constructor(private readonly self: Target) {}

  /** Takes in what the core told. Returns what it means for this server's own leadership, if anything. */
  take(news: RaftNews): 'began' | 'ended' | undefined {
    if (news.news === 'leader') {
      this.known = news.leader
      this.wake()
      return undefined
    }
    if (news.news === 'established') {
      this.established = true
      this.known = this.self
      this.wake()
      return 'began'
    }
    if (news.news !== 'role') return undefined
    const led = this.established
    this.role = news.role === 'leader' ? 'leader' : 'other'
    if (this.role === 'leader') return undefined
    this.established = false
    return led ? 'ended' : undefined
  }

  /** Whether this server leads and has applied the first entry of its term. */
  get leads(): boolean {
    return this.role === 'leader' && this.established
  }

  get leader(): Target | undefined {
    return this.known
  }

  /** Whether a leader was known at any time since the start. */
  get knewOne(): boolean {
    return this.everKnown
  }

  /** Resolves true as soon as a leader is known, false after the time. A server that is about to lead is not one yet. */
  async wait(timeoutMs: number): Promise<boolean> {
    const deadlineMs = performance.now() + timeoutMs
    while (!this.ready()) {
      const leftMs = deadlineMs - performance.now()
      if (leftMs <= 0) return false
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, leftMs)
        this.waiting.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
    return true
  }

  private ready(): boolean {
    if (this.role === 'leader') return this.established
    return this.known !== undefined && this.known.id !== this.self.id
  }

  private wake(): void {
    if (this.known !== undefined) this.everKnown = true
    const woken = this.waiting
    this.waiting = []
    for (const wake of woken) wake()
  }
}
