import {assert} from '../assert.js'
import type {RaftEffect, RaftEvent} from './messages.js'
import type {RaftOptions, RaftStatus, Restored} from './types.js'

/**
 * A server's part in consensus, as a machine that is stepped: events go in, effects come out, and nothing else is
 * touched. Timers start with the first step.
 */
export class RaftNode {
  constructor(
    private readonly options: RaftOptions,
    private readonly restored: Restored,
  ) {}

  /** Takes one event. Events of one moment are better given together, to `stepAll`. */
  step(event: RaftEvent, nowMs: number): RaftEffect[] {
    return this.stepAll([event], nowMs)
  }

  /** Takes several events in order; what they bring is persisted and sent together, once. */
  stepAll(_events: readonly RaftEvent[], _nowMs: number): RaftEffect[] {
    assert(this.options.id !== '' && this.restored.lastIndex < 0, 'the core is being written')
    return []
  }

  /** When the next `tick` is due, on the clock of the events; 0 before the first step. */
  nextDeadlineMs(): number {
    return 0
  }

  /** What this node knows now. */
  status(): RaftStatus {
    throw new Error('the core is being written')
  }
}
