/**
 * One line of a plan's journal on the operator's machine. `begin` is on disk before a step acts and `done` before
 * the next one begins, so that whoever reads it after a kill knows which step was in flight.
 */
export type JournalEntry =
  | {
      readonly type: 'opened'
      readonly seq: number
      readonly atMs: number
      readonly plan: string
      readonly by: string
      readonly consent: string
      readonly accepted: readonly string[]
    }
  | {
      readonly type: 'begin'
      readonly seq: number
      readonly atMs: number
      readonly plan: string
      readonly step: string
      readonly host: string
    }
  | {
      readonly type: 'done'
      readonly seq: number
      readonly atMs: number
      readonly plan: string
      readonly step: string
      readonly host: string
      readonly note: string
    }
  | {
      readonly type: 'failed'
      readonly seq: number
      readonly atMs: number
      readonly plan: string
      readonly step: string
      readonly host: string
      readonly error: string
    }
  | {
      readonly type: 'stopped'
      readonly seq: number
      readonly atMs: number
      readonly plan: string
      readonly why: string
    }
  | {
      readonly type: 'resumed'
      readonly seq: number
      readonly atMs: number
      readonly plan: string
      readonly back: boolean
    }
  | {
      readonly type: 'finished'
      readonly seq: number
      readonly atMs: number
      readonly plan: string
      readonly outcome: 'verified' | 'unverified' | 'verify-failed' | 'taken-back'
    }

/** Where a plan stands, as its journal tells. What the hosts say decides in the end (`resume` looks at them). */
export interface Progress {
  readonly done: ReadonlySet<string>
  /** Steps begun and neither done nor failed: their effect is unknown. */
  readonly inFlight: ReadonlySet<string>
  readonly failed: ReadonlyMap<string, string>
  readonly outcome: string | undefined
}

/** Replays a journal. Entries of a torn last line are the reader's business, not ours. */
export function replay(entries: readonly JournalEntry[]): Progress {
  const done = new Set<string>()
  const inFlight = new Set<string>()
  const failed = new Map<string, string>()
  let outcome: string | undefined
  for (const entry of entries) {
    if (entry.type === 'begin') {
      inFlight.add(entry.step)
      failed.delete(entry.step)
    } else if (entry.type === 'done') {
      inFlight.delete(entry.step)
      done.add(entry.step)
    } else if (entry.type === 'failed') {
      inFlight.delete(entry.step)
      failed.set(entry.step, entry.error)
    } else if (entry.type === 'finished') outcome = entry.outcome
  }
  return {done, inFlight, failed, outcome}
}
