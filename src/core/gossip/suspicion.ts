/** Members beyond the first whose accusation is counted; more can only be strangers' names. */
const CONFIRMATIONS_MAX = 64

/** What a suspicion starts from. */
export interface SuspicionStart {
  /** Who accused first; does not count as a confirmation. */
  readonly from: string
  /** Independent confirmations after which the timeout is down to `minMs`. */
  readonly expected: number
  readonly minMs: number
  readonly maxMs: number
  readonly startedMs: number
}

/**
 * The time that an accused member has to refute, counted from the start: `maxMs` at first, and with every independent
 * confirmation closer to `minMs`, on a logarithmic scale (`remainingSuspicionTime`, memberlist suspicion.go).
 */
export function suspicionMs(
  confirmations: number,
  {expected, minMs, maxMs}: Pick<SuspicionStart, 'expected' | 'minMs' | 'maxMs'>,
): number {
  if (expected < 1) return minMs
  const fraction = Math.log(confirmations + 1) / Math.log(expected + 1)
  return Math.max(minMs, Math.floor(maxMs - fraction * (maxMs - minMs)))
}

/** A running suspicion of one member. */
export class Suspicion {
  private readonly confirmers = new Set<string>()

  constructor(private readonly start: SuspicionStart) {
    this.confirmers.add(start.from)
  }

  /** Accusers beside the first. */
  get confirmations(): number {
    return this.confirmers.size - 1
  }

  /** When the member is to be declared dead. */
  get deadlineMs(): number {
    return this.start.startedMs + suspicionMs(this.confirmations, this.start)
  }

  /** Counts one accuser; true when it is news that others should hear. */
  confirm(from: string): boolean {
    if (this.confirmations >= this.start.expected || this.confirmations >= CONFIRMATIONS_MAX) return false
    if (this.confirmers.has(from)) return false
    this.confirmers.add(from)
    return true
  }
}
