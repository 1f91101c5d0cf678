import type {Endpoint, MergeRule, Random} from './member.js'
import type {GossipEffect} from './messages.js'
import type {GossipProfile} from './profile.js'

/** Everything a node is told once. */
export interface GossipOptions {
  readonly name: string
  /** What others are told to reach us at; never the unspecified address. */
  readonly advertise: Endpoint
  readonly tags: Readonly<Record<string, string>>
  readonly profile: GossipProfile
  readonly random: Random
  /** Bytes that encryption adds to a datagram; 0 for none. */
  readonly sealOverhead: number
  /** Serf protocol we say we speak: 4 as Consul does, which 0.6 also takes, or 5 as `serf agent` does. */
  readonly delegateProtocol: 4 | 5
  /** Who may come in; undefined lets everybody in. */
  readonly mergeRule: MergeRule | undefined
  /** Take the pool's vote about our name when another member has it too, and stop if we lose. */
  readonly resolveNameConflicts: boolean
  /** What a snapshot file gave back; undefined without one. */
  readonly restored: RestoredSnapshot | undefined
}

/** What was read from a snapshot file at start. */
export interface RestoredSnapshot {
  readonly clock: number
  readonly eventClock: number
  readonly queryClock: number
  /** Members that were alive when it was written. */
  readonly members: readonly (Endpoint & {readonly name: string})[]
}

const LOG_WINDOW_MS = 1000
const LOG_LINES_MAX = 50

/** What all parts of a node share during a step: the time, chance, and the effects so far. */
export class StepContext {
  nowMs: number
  /** Our tags as they are now. */
  tags: Readonly<Record<string, string>>
  private effects: GossipEffect[] = []
  private lines: string[] = []
  private snapshotClosed = false
  private logWindowMs = -Infinity
  private logLines = 0

  constructor(
    readonly options: GossipOptions,
    startMs: number,
  ) {
    this.nowMs = startMs
    this.tags = options.tags
  }

  get profile(): GossipProfile {
    return this.options.profile
  }

  emit(effect: GossipEffect): void {
    this.effects.push(effect)
  }

  /** Says something for the log. A flood, which strangers can cause, is cut to 50 lines a second. */
  log(level: 'debug' | 'info' | 'warn' | 'error', text: string): void {
    if (this.nowMs - this.logWindowMs >= LOG_WINDOW_MS) {
      this.logWindowMs = this.nowMs
      this.logLines = 0
    }
    if (++this.logLines > LOG_LINES_MAX) return
    this.emit({do: 'log', level, text})
  }

  /** Adds a line to the snapshot file, unless its last one was written. */
  snapshot(line: string): void {
    if (!this.snapshotClosed) this.lines.push(line)
  }

  /** Writes that we leave. What others do from then on is not written, or one who left would come back to them. */
  closeSnapshot(): void {
    this.snapshot('leave')
    this.snapshotClosed = true
  }

  /** The effects of this step, which ends with this. */
  takeEffects(): readonly GossipEffect[] {
    if (this.lines.length > 0) this.emit({do: 'append-snapshot', lines: this.lines.splice(0)})
    const effects = this.effects
    this.effects = []
    return effects
  }

  /** A whole number of 0 up to, but without, `bound`. */
  pick(bound: number): number {
    return Math.min(bound - 1, Math.floor(this.options.random() * bound))
  }
}
