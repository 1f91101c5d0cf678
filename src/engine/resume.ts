import type {JournalEntry} from '../core/model/journal.js'
import {replay} from '../core/model/journal.js'
import type {Action, Plan} from '../core/model/plan.js'
import type {Start} from './apply.js'

/** Steps of a plan that takes another back are journaled under that one's id, told apart by this prefix. */
export const backPrefix = 'back/'

/** What the journal of a plan says about how to go on with it. */
export interface ResumePoint {
  /** Whether taking back has begun: from then on the plan cannot go forward any more. */
  readonly back: boolean
  readonly outcome: string | undefined
  readonly start: Start
  /** Why the last run stopped, in the journal's words. */
  readonly stoppedWhy: string | undefined
}

/**
 * Acts that must stand while servers are stopped and that something outside may have changed since the journal was
 * written: a reboot forgets a runtime mask, a person starts a server. All are safe to run twice. A release belongs to
 * them, for what is held again must be released again.
 */
const standing: ReadonlySet<Action['do']> = new Set([
  'lock',
  'hold-service',
  'stop-service',
  'prove-stopped',
  'reread-log',
  'write-file',
  'read-back',
  'release-service',
])

/**
 * Where to go on with a plan. Until the first server is started, whatever must stand is done again, journal or not;
 * the log of a fenced directory cannot be read again and need not be. Once a server was started, only what was not
 * done remains: a recovery file must not be written a second time beside a running leader.
 */
export function resumePoint(
  plan: Plan,
  entries: readonly JournalEntry[],
  journal: string,
  prefix: string,
): ResumePoint {
  const own = (ids: Iterable<string>): Set<string> =>
    new Set(
      [...ids]
        .filter(id => id.startsWith(prefix) && id.startsWith(backPrefix) === (prefix === backPrefix))
        .map(id => id.slice(prefix.length)),
    )
  const progress = replay(entries)
  const done = own(progress.done)
  const interrupted = own([...progress.inFlight, ...progress.failed.keys()])
  const begun = own(entries.filter(entry => entry.type === 'begin').map(entry => entry.step))
  const steps = plan.phases.flatMap(phase => phase.steps)
  const started = steps.some(step => step.action.do === 'start-service' && begun.has(step.id))
  // What was renamed or put back since is not what the log was read from.
  const fenced = new Set(
    steps
      .filter(step => ['fence', 'restore-copy'].includes(step.action.do) && begun.has(step.id))
      .map(step => step.host),
  )
  for (const step of steps) {
    if (!done.has(step.id)) continue
    const gone = step.action.do === 'reread-log' && fenced.has(step.host)
    if (!started && standing.has(step.action.do) && !gone) done.delete(step.id)
  }
  for (const step of steps) if (step.action.do === 'reread-log' && fenced.has(step.host)) done.add(step.id)
  const stops = entries.filter(entry => entry.type === 'stopped')
  return {
    back: entries.some(entry => entry.type === 'resumed' && entry.back),
    outcome: progress.outcome,
    start: {done, begun, interrupted, journal, prefix},
    stoppedWhy: stops.at(-1)?.why,
  }
}
