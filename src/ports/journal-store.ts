import type {JournalEntry} from '../core/model/journal.js'
import type {Plan} from '../core/model/plan.js'
import type {QuorateError} from '../errors.js'

/** Plans and their journals on the operator's machine, kept for ever. */
export interface JournalStore {
  /** Writes the plan durably; does nothing when the same plan is there. */
  savePlan(plan: Plan): Promise<void>
  loadPlan(id: string): Promise<Plan | undefined>
  /** Appends and returns only when the entry is on disk (fsync). */
  append(entry: JournalEntry): Promise<void>
  /** Whole entries; a torn last line is dropped. */
  entries(id: string): Promise<readonly JournalEntry[]>
  /** All plans that can be read, newest first; `skipped` is told of each that cannot, with the file in its message. */
  list(
    skipped: (unreadable: QuorateError) => void,
  ): Promise<readonly {readonly id: string; readonly cluster: string; readonly madeAtMs: number}[]>
  /** Held while a plan is applied on this machine; refuses when another process holds it. */
  lock(id: string): Promise<{release(): Promise<void>} | {readonly heldBy: string}>
}
