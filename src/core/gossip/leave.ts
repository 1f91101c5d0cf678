import type {SerfMembers} from './serf-members.js'
import type {StepContext} from './step-context.js'
import type {MemberTable} from './member-table.js'
import type {Swim} from './swim.js'

type Stage = 'intent' | 'dead' | 'propagate' | 'out'

/**
 * Our own leaving, in the order that makes others see one that left and not one that failed (`Leave`, serf.go): the
 * intent until it went out, then the death by our own word until it went out, then a while of still answering.
 */
export class Leave {
  private stage: Stage | undefined
  private stageEndMs = Infinity
  private readonly tokens: number[] = []

  constructor(
    private readonly context: StepContext,
    private readonly table: MemberTable,
    private readonly swim: Swim,
    private readonly members: SerfMembers,
  ) {}

  /** Starts to leave; asking twice is one leave that is told twice. */
  begin(token: number): void {
    if (this.stage === 'out') {
      this.context.emit({do: 'left', token})
      return
    }
    this.tokens.push(token)
    if (this.stage !== undefined) return
    this.members.phase = 'leaving'
    this.context.closeSnapshot()
    this.enter('intent', this.context.profile.broadcastTimeoutMs)
    this.members.broadcastLeave(this.context.options.name, false, () => this.end('intent'))
  }

  /** Ends a stage whose time is over. */
  tick(): void {
    while (this.stage !== undefined && this.context.nowMs >= this.stageEndMs) this.end(this.stage)
  }

  /** When `tick` has something to do. */
  nextDeadlineMs(): number {
    return this.stageEndMs
  }

  private enter(stage: Stage, withinMs: number): void {
    this.stage = stage
    this.stageEndMs = this.context.nowMs + withinMs
  }

  private end(stage: Stage): void {
    if (this.stage !== stage) return
    const {broadcastTimeoutMs, leavePropagateMs} = this.context.profile
    if (stage === 'intent') {
      const alone = !this.table.anyOtherThere()
      this.enter('dead', alone ? 0 : broadcastTimeoutMs)
      this.swim.leave(() => this.end('dead'))
    } else if (stage === 'dead') this.enter('propagate', leavePropagateMs)
    else if (stage === 'propagate') {
      this.stage = 'out'
      this.stageEndMs = Infinity
      this.members.phase = 'left'
      for (const token of this.tokens.splice(0)) this.context.emit({do: 'left', token})
    }
  }
}
