import {sameServers} from '../core/model/configuration.js'
import {believedState} from '../core/model/disk-state.js'
import {compareLogEnds} from '../core/model/ids.js'
import type {JournalEntry} from '../core/model/journal.js'
import {replay} from '../core/model/journal.js'
import type {FleetObservation} from '../core/model/observation.js'
import type {Action, Plan, Step} from '../core/model/plan.js'
import {valueOf} from '../core/model/reading.js'
import {begunAnew} from '../core/planning/back.js'
import {driftOfDead} from '../core/planning/fingerprint.js'
import {expectationOf} from '../core/verifying/expectation.js'
import {writing} from './apply-deps.js'
import type {Start} from './apply-deps.js'
import {isStart} from './plan-hosts.js'

/** Steps of a plan that takes another back are journaled under that one's id, told apart by this prefix. */
export const backPrefix = 'back/'

/** What the journal of a plan says about how to go on with it. */
export interface ResumePoint {
  /** Whether taking back has written: from then on the plan cannot go forward any more. */
  readonly back: boolean
  /** Whether servers may have been started on what the plan wrote, by it or by themselves. */
  readonly started: boolean
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
  'fence',
  'write-file',
  'read-back',
  'release-service',
])

/**
 * Where to go on with a plan. Until the first server is started, whatever must stand is done again, journal or not;
 * the log of a fenced directory cannot be read again and need not be, but a reboot may have put a new one in its place. Once a server was started, only what was not
 * done remains: a recovery file must not be written a second time beside a running leader. `up` names the servers
 * that run on the plan's peer set without our start; see `serversUp`.
 */
export function resumePoint(
  plan: Plan,
  entries: readonly JournalEntry[],
  journal: string,
  prefix: string,
  up: ReadonlySet<string> = new Set(),
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
  const upAlready = writtenEverywhere(plan, done, up)
  const started = upAlready || steps.some(step => step.action.do === 'start-service' && begun.has(step.id))
  if (upAlready) for (const step of steps) if (up.has(step.host) && isWrite(step)) done.add(step.id)
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
  if (started) for (const id of againAside(plan, begun, up)) done.delete(id)
  for (const id of cameAlone(plan, begun, up)) done.add(id)
  const stops = entries.filter(entry => entry.type === 'stopped')
  return {
    back: prefix === '' && backHasWritten(entries),
    started,
    outcome: progress.outcome,
    start: {done, begun, interrupted, journal, prefix},
    stoppedWhy: stops.at(-1)?.why,
  }
}

const waitsAside = (plan: Plan, begun: ReadonlySet<string>): readonly string[] =>
  plan.hosts
    .map(({host, role}) => (role === 'set-aside' ? host : ''))
    .filter(
      host =>
        host !== '' && !allSteps(plan).some(one => one.host === host && isStart(one) && begun.has(one.id)),
    )

const allSteps = (plan: Plan): readonly Step[] => plan.phases.flatMap(phase => phase.steps)

/** Servers that wait for their turn beside those that run are held and stopped again: a reboot may have started them. */
function againAside(plan: Plan, begun: ReadonlySet<string>, up: ReadonlySet<string>): readonly string[] {
  if (plan.method === 'back') return []
  const waiting = waitsAside(plan, begun).filter(host => !up.has(host))
  const again: readonly Action['do'][] = ['lock', 'hold-service', 'stop-service', 'prove-stopped']
  return allSteps(plan).flatMap(step =>
    waiting.includes(step.host) && again.includes(step.action.do) ? [step.id] : [],
  )
}

/**
 * A server that was set aside, has come up before its turn and was taken into the peer set has rejoined: stopping it
 * might take the quorum away. Its start is done, and peer sets without it are waited for no more; what is verified in
 * the end is the same.
 */
function cameAlone(plan: Plan, begun: ReadonlySet<string>, up: ReadonlySet<string>): readonly string[] {
  if (plan.method === 'back') return []
  const came = waitsAside(plan, begun).filter(host => up.has(host))
  const ids = plan.hosts.filter(({host}) => came.includes(host)).map(({id}) => id)
  const early = allSteps(plan).filter(
    ({action}) =>
      action.do === 'await' &&
      action.condition.is === 'configuration' &&
      !ids.every(
        id =>
          action.condition.is === 'configuration' &&
          action.condition.servers.some(one => String(one.id) === id),
      ),
  )
  const starts = plan.phases
    .filter(phase => phase.name === 'rejoin')
    .flatMap(phase =>
      phase.steps.slice(
        0,
        phase.steps.findIndex(step => step.action.do === 'await'),
      ),
    )
    .filter(step => came.includes(step.host))
  return came.length === 0 ? [] : [...early, ...starts].map(step => step.id)
}

const isWrite = (step: Step): boolean => step.action.do === 'write-file' || step.action.do === 'read-back'

/** Whether every file was written, or taken by a server that is up; then the start has begun without us. */
function writtenEverywhere(plan: Plan, done: ReadonlySet<string>, up: ReadonlySet<string>): boolean {
  const writes = plan.phases.filter(phase => phase.name === 'write').flatMap(phase => phase.steps)
  return (
    writes.some(step => up.has(step.host)) && writes.every(step => done.has(step.id) || up.has(step.host))
  )
}

/** Servers that were set aside, run, and are in the peer set that a kept server believes in: they came by themselves. */
function rejoinedAlone(plan: Plan, fleet: FleetObservation): readonly string[] {
  const seenOf = (host: string) => fleet.servers.find(server => server.host === host)
  const runs = (host: string): boolean => {
    const seen = seenOf(host)
    return seen !== undefined && (valueOf(seen.processes)?.length ?? 0) > 0
  }
  const believed = plan.hosts.flatMap(({host, role}) => {
    const seen = seenOf(host)
    return role === 'included' && seen !== undefined && runs(host)
      ? (believedState(seen).configuration?.servers ?? [])
      : []
  })
  return plan.hosts
    .filter(({host, role, rejoins}) => role === 'set-aside' && rejoins && runs(host))
    .filter(({id, address}) => believed.some(one => String(one.id) === id || String(one.address) === address))
    .map(({host}) => host)
}

/**
 * Servers that were given the recovery file and run on its peer set although the plan has not started them: their
 * hosts have rebooted, and nothing held them any more. Once the plan has started one, servers that were set aside and
 * have been taken into the peer set count as well.
 */
export function serversUp(
  plan: Plan,
  entries: readonly JournalEntry[],
  fleet: FleetObservation,
): ReadonlySet<string> {
  const begun = new Set(entries.flatMap(entry => (entry.type === 'begin' ? [entry.step] : [])))
  const {servers, files} = expectationOf(plan, new Set())
  const given = plan.phases
    .flatMap(phase => phase.steps)
    .filter(
      ({id, host, action}) => action.do === 'write-file' && action.path === files.get(host) && begun.has(id),
    )
  const kept = given.flatMap(({host}) => {
    const seen = fleet.servers.find(server => server.host === host)
    if (seen === undefined || (valueOf(seen.processes)?.length ?? 0) === 0) return []
    const {configuration} = believedState(seen)
    return configuration !== undefined && sameServers(configuration, {servers}) ? [host] : []
  })
  return new Set([...kept, ...(begunAny(plan, begun) ? rejoinedAlone(plan, fleet) : [])])
}

const begunAny = (plan: Plan, begun: ReadonlySet<string>): boolean =>
  allSteps(plan).some(step => step.action.do === 'start-service' && begun.has(step.id))

/**
 * What has come about since a plan was interrupted that it must not go on over, before it has started a server: a
 * server that was declared dead answers, or a log has grown because something else led. Empty when it may go on.
 */
export function objections(plan: Plan, fleet: FleetObservation): readonly string[] {
  const grown = plan.hosts.flatMap(host => {
    const seen = fleet.servers.find(server => server.host === host.host)
    const end = seen === undefined ? undefined : believedState(seen).end
    if (host.role !== 'included' || plan.method === 'live-list') return []
    if (end === undefined || host.end === undefined || compareLogEnds(end, host.end) <= 0) return []
    return [
      `The log of ${host.host} ends at ${end.index} @ ${end.term}; it was ${host.end.index} @ ${host.end.term}.`,
    ]
  })
  const anew = fleet.servers.flatMap(server => begunAnew(plan, server) ?? [])
  return [...driftOfDead(plan, fleet), ...grown, ...anew]
}

/** Whether a plan that takes this one back has begun to write; until then it may be given up, or made anew. */
export function backHasWritten(entries: readonly JournalEntry[]): boolean {
  return entries.some(
    entry =>
      entry.type === 'begin' &&
      entry.step.startsWith(backPrefix) &&
      writing.has(entry.step.split('.').at(-1)?.replace(/-\d+$/, '') ?? ''),
  )
}
