import type {Phase, Plan} from '../core/model/plan.js'
import type {ApplyEvent} from '../core/model/progress.js'
import type {Verdict} from '../core/model/verdict.js'
import type {Clock} from '../ports/clock.js'
import type {ActionsFor} from '../ports/host-actions.js'
import type {JournalStore} from '../ports/journal-store.js'

/** What the executor needs of the world. */
export interface ApplyDeps {
  readonly clock: Clock
  readonly journal: JournalStore
  readonly actionsFor: ActionsFor
  /** Samples the cluster until it is as planned, certainly is not, or time is up. */
  readonly verify: (
    plan: Plan,
    rejoined: ReadonlySet<string>,
    withinMs: number,
    onMissing: (missing: readonly string[]) => void,
  ) => Promise<Verdict>
  readonly progress: (event: ApplyEvent) => void
  /** Asked between steps: true after the first Ctrl-C. */
  readonly stopRequested: () => boolean
  /** Who applies, `user@machine`: written into journals and locks. */
  readonly by: string
  /**
   * What a fresh look at the servers that the plan counts as dead brought against it (rule S14): awaited before the
   * first step that they could be harmed by. Empty when they are silent, and where they were looked at before.
   */
  readonly deadSpeak: () => Promise<readonly string[]>
}

/** Where to begin: what an earlier run of the same plan has done. */
export interface Start {
  /** Ids of steps that need not be done again. */
  readonly done: ReadonlySet<string>
  /** Ids of steps that were begun in an earlier run, done or not. */
  readonly begun: ReadonlySet<string>
  /** Ids of steps that an earlier run left in flight or failed: their effect is looked for before they act. */
  readonly interrupted: ReadonlySet<string>
  /** Journal under which this plan runs: its own id, or that of the plan it takes back. */
  readonly journal: string
  /** Put before the ids of steps in the journal. */
  readonly prefix: string
}

/** Writing steps: none of them runs before the barrier is proved again. */
export const writing: ReadonlySet<string> = new Set(['fence', 'write-file', 'move-away', 'restore-copy'])

/** Steps that change nothing: what they require is asked while they look, and must hold as well. */
export const readOnly: ReadonlySet<string> = new Set(['reread-log', 'read-back'])

/** Phases of a recovery without a leader that leave nothing behind once they are undone, but a copy. */
const aheadOfTheDead: ReadonlySet<string> = new Set(['lock', 'hold', 'stop', 'prove', 'reread', 'copy'])

/**
 * Whether a phase may run while the servers declared dead are still being looked at: it can be undone, and the servers
 * that it stops serve nobody. A fresh look at them found no leader, so that no server of the plan is in use.
 */
export function mayRunAhead(plan: Plan, phase: Phase): boolean {
  if (phase.name === 'lock') return true
  return (
    (plan.method === 'recovery-file' || plan.method === 'best-log-alone') && aheadOfTheDead.has(phase.name)
  )
}

/** Phases that only look at what is at rest, or copy it. Each of their steps asks for the rest of its own host. */
const atRest: ReadonlySet<string> = new Set(['prove', 'reread', 'copy'])

/**
 * The phases of a plan in their order; those that may run at one time stand together. In a recovery these are the
 * proof, the second reading of the logs and the copies: none of them changes a server, and no write begins before all
 * of them are done.
 */
export function abreast(plan: Plan): readonly (readonly Phase[])[] {
  const groups: Phase[][] = []
  for (const phase of plan.phases) {
    const last = groups.at(-1)
    const joins = mayRunAhead(plan, phase) && atRest.has(phase.name)
    if (joins && last?.every(({name}) => atRest.has(name)) === true) last.push(phase)
    else groups.push([phase])
  }
  return groups
}
