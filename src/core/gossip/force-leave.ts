import type {SerfMembers} from './serf-members.js'
import type {StepContext} from './step-context.js'

const WAITING_MAX = 256

/** Force-leaves that wait until others heard of them. */
export class ForceLeaves {
  private readonly waiting = new Map<number, number>()

  constructor(
    private readonly context: StepContext,
    private readonly members: SerfMembers,
  ) {}

  /** Gives up a failed member: tells all that it left, and with `prune` to forget it (`RemoveFailedNode`, serf.go). */
  begin(token: number, name: string, prune: boolean): void {
    if (this.members.get(name) === undefined || this.waiting.size >= WAITING_MAX)
      return this.tell(token, false)
    this.waiting.set(token, this.context.nowMs + this.context.profile.broadcastTimeoutMs)
    this.members.broadcastLeave(name, prune, () => this.end(token))
  }

  /** Ends those that nobody took in time. */
  tick(): void {
    for (const [token, deadlineMs] of this.waiting) if (deadlineMs <= this.context.nowMs) this.end(token)
  }

  /** When `tick` has something to do. */
  nextDeadlineMs(): number {
    const [first] = this.waiting.values()
    return first ?? Infinity
  }

  private end(token: number): void {
    if (this.waiting.delete(token)) this.tell(token, true)
  }

  private tell(token: number, found: boolean): void {
    this.context.emit({do: 'force-left', token, found})
  }
}
