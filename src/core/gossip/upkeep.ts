import {formatHostPort} from '../codec/address.js'
import type {BroadcastQueue} from './broadcast-queue.js'
import type {Exchange} from './exchange.js'
import type {LamportClock} from './lamport.js'
import type {Member} from './member.js'
import {sample} from './member-table.js'
import type {SerfMembers} from './serf-members.js'
import type {StepContext} from './step-context.js'

/** How often changed clocks are written to the snapshot file (`clockUpdateInterval`, serf snapshot.go). */
const CLOCK_LINE_INTERVAL_MS = 500
/** Broadcasts of one kind that wait at most in a small pool; in a large one twice as many as it has members. */
const QUEUE_MIN_DEPTH = 4096

/** What is done now and then: forgetting, reconnecting, trimming queues, writing down the clock. */
export class Upkeep {
  private reapAtMs: number
  private reconnectAtMs: number
  private clockLineAtMs: number
  private writtenClock: number

  constructor(
    private readonly context: StepContext,
    private readonly members: SerfMembers,
    private readonly exchange: Exchange,
    private readonly queues: readonly BroadcastQueue[],
  ) {
    const {nowMs, profile} = context
    this.reapAtMs = nowMs + profile.reapIntervalMs
    this.reconnectAtMs = nowMs + profile.reconnectIntervalMs
    this.clockLineAtMs = nowMs
    this.writtenClock = context.options.restored?.clock ?? 0
  }

  /** Does what is due. */
  tick(): void {
    const {nowMs, profile} = this.context
    if (nowMs >= this.reapAtMs) {
      this.reapAtMs = nowMs + profile.reapIntervalMs
      this.members.reap()
      for (const queue of this.queues) queue.prune(Math.max(QUEUE_MIN_DEPTH, 2 * this.members.size))
    }
    if (nowMs >= this.reconnectAtMs) {
      this.reconnectAtMs = nowMs + profile.reconnectIntervalMs
      this.reconnect()
    }
    this.members.expirePrunes()
    this.writeClock()
  }

  /** When `tick` has something to do. */
  nextDeadlineMs(): number {
    const clock = this.clockIsNew() ? this.clockLineAtMs : Infinity
    return Math.min(this.reapAtMs, this.reconnectAtMs, clock, this.members.nextDeadlineMs())
  }

  private reconnect(): void {
    if (this.members.phase !== 'alive') return
    const member = this.members.failedToReconnect()
    if (member === undefined) return
    this.context.log('info', `trying to reach ${member.name} again, which failed`)
    this.exchange.join([member], false, () => undefined)
  }

  private clockIsNew(): boolean {
    return this.members.clock.time - 1 > this.writtenClock
  }

  private writeClock(): void {
    if (!this.clockIsNew() || this.context.nowMs < this.clockLineAtMs) return
    this.clockLineAtMs = this.context.nowMs + CLOCK_LINE_INTERVAL_MS
    this.writtenClock = this.members.clock.time - 1
    this.context.snapshot(`clock: ${this.writtenClock}`)
  }
}

/**
 * Joins again the pool that a snapshot file tells of: one member after another in random order until one answers
 * (`handleRejoin`, serf.go).
 */
export function rejoin(context: StepContext, exchange: Exchange, joined: () => void): void {
  const {restored, name, advertise} = context.options
  const others = (restored?.members ?? []).filter(
    member => member.name !== name && !(member.ip === advertise.ip && member.port === advertise.port),
  )
  const queue = [...sample(others, others.length, bound => context.pick(bound))]
  const next = (): void => {
    const member = queue.shift()
    if (member === undefined) {
      if (others.length > 0) context.log('warn', 'no member that the snapshot tells of could be reached')
      return
    }
    exchange.join([member], false, contacted => {
      if (contacted === 0) return next()
      context.log('info', `joined again by way of ${member.name}`)
      joined()
    })
  }
  next()
}

/** The shortest snapshot file that says the same: who is there, and the clocks (`compact`, serf snapshot.go). */
export function snapshotLines(
  context: StepContext,
  members: readonly Member[],
  clocks: Readonly<Record<'clock' | 'eventClock' | 'queryClock', LamportClock>>,
): readonly string[] {
  const known = new Set(members.map(({name}) => name))
  const there = members.filter(({status}) => status === 'alive' || status === 'leaving')
  // Members of the last life of whom nothing was heard yet are still worth a try in the next
  const unheard = (context.options.restored?.members ?? []).filter(({name}) => !known.has(name))
  return [
    ...[...there, ...unheard].map(({name, ip, port}) => `alive: ${name} ${formatHostPort(ip, port)}`),
    `clock: ${clocks.clock.time - 1}`,
    `event-clock: ${clocks.eventClock.time - 1}`,
    `query-clock: ${clocks.queryClock.time - 1}`,
  ]
}
