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

/**
 * All plans of this machine, newest first; plans that only take another back are told with that one. A plan or journal
 * that cannot be read hides no other: it is left out, and `skipped` tells of it.
 */
export async function history(
  journal: JournalStore,
): Promise<{readonly plans: readonly PlanHistory[]; readonly skipped: readonly string[]}> {
  const plans: PlanHistory[] = []
  const skipped: string[] = []
  const skip = (error: QuorateError): void => void skipped.push(error.message)
  for (const {id} of await journal.list(skip)) {
    try {
      const one = await load(journal, id)
      if (one !== undefined && one.plan.of === undefined) plans.push(one)
    } catch (error) {
      if (!(error instanceof QuorateError)) throw error
      skip(error)
    }
  }
  return {plans, skipped}
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
