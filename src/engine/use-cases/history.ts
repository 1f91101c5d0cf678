import type {JournalEntry, Progress} from '../../core/model/journal.js'
import {replay} from '../../core/model/journal.js'
import type {Plan} from '../../core/model/plan.js'
import {QuorateError} from '../../errors.js'
import type {JournalStore} from '../../ports/journal-store.js'

/** One plan with all that its journal tells. */
export interface PlanHistory {
  readonly plan: Plan
  readonly entries: readonly JournalEntry[]
  readonly progress: Progress
}

/** All plans of this machine, newest first; plans that only take another back are told with that one. */
export async function history(journal: JournalStore): Promise<readonly PlanHistory[]> {
  const found: PlanHistory[] = []
  for (const {id} of await journal.list()) {
    const one = await load(journal, id)
    if (one !== undefined && one.plan.of === undefined) found.push(one)
  }
  return found
}

/** One plan and its journal. Throws PLAN_UNKNOWN. */
export async function historyOf(journal: JournalStore, id: string): Promise<PlanHistory> {
  const one = await load(journal, id)
  if (one !== undefined) return one
  throw new QuorateError('PLAN_UNKNOWN', `There is no journal of a plan ${id} on this machine.`, {
    hints: ['quorate history'],
  })
}

async function load(journal: JournalStore, id: string): Promise<PlanHistory | undefined> {
  const plan = await journal.loadPlan(id)
  if (plan === undefined) return undefined
  const entries = await journal.entries(id)
  return {plan, entries, progress: replay(entries)}
}
