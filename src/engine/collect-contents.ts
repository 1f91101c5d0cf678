import type {ContentsComparison, ContentsSample} from '../core/model/contents.js'
import type {FleetObservation} from '../core/model/observation.js'
import {valueOf} from '../core/model/reading.js'
import {compareContents} from '../core/verifying/contents.js'
import type {Suspicions} from '../core/verifying/contents.js'
import type {Clock} from '../ports/clock.js'
import type {CollectedFleet} from './collect.js'
import {askRaftStats, readContents, unreadContents} from './consul-contents.js'
import type {ContentsRead} from './consul-contents.js'
import {beforeDeadline, inParallel} from './limits.js'
import type {ObservedHost} from './observe-host.js'

/** Bounds of comparing contents. */
export interface ContentsOptions {
  /** Servers at a time; 32. */
  readonly parallel?: number
  /** Rounds over all servers until nothing is left to be decided; 4. */
  readonly rounds?: number
  /** Milliseconds for all rounds together; 120 000. */
  readonly allMs?: number
  /** Bytes of contents read from one server; without a limit by default. */
  readonly maxBytes?: number
}

const DEFAULTS = {parallel: 32, rounds: 4, allMs: 120_000, maxBytes: Number.MAX_SAFE_INTEGER}
/** Between asking how far a server is and reading it again: time for its state machine to take what Raft handed to it. */
const PAUSE_MS = 300

interface Deps {
  readonly clock: Clock
}

/**
 * Reads the contents as each server that answers sees them itself (safety rule S16), and gives back the observation with
 * their digests and what comparing them came to. One round is enough where they are the same or only what was
 * written meanwhile differs; what one round leaves open is decided by the next, which begins with how far each server is.
 */
export async function collectContents(
  deps: Deps,
  fleet: CollectedFleet,
  options: ContentsOptions = {},
): Promise<FleetObservation> {
  const bounds = {...DEFAULTS, ...options}
  const deadlineMs = deps.clock.nowMs() + bounds.allMs
  const asked = fleet.hosts.filter(({server}) => server.api.self.kind === 'read')
  // What was read beside the observation is the first round
  const early = asked.map(({server: {api}, contents}) => ({reading: api.contents, sample: contents}))
  const isRead = early.every(({reading}) => reading.kind === 'read' || reading.why !== 'not-asked')
  let found: readonly ContentsRead[] = early
  let comparison: ContentsComparison | undefined
  let suspicions: Suspicions | undefined
  for (let round = 1; round <= bounds.rounds && deps.clock.nowMs() < deadlineMs; round++) {
    if (round > 1 || !isRead) found = await readRound(deps, asked, {...bounds, round, deadlineMs}, found)
    const samples = found.flatMap(({sample}): readonly ContentsSample[] => (sample ? [sample] : []))
    if (samples.length > 1) ({comparison, suspicions} = compareContents(samples, suspicions))
    if (isSettled(found, comparison)) break
  }
  const readings = new Map(asked.map(({server}, i) => [server.host, found[i]?.reading]))
  const servers = fleet.observation.servers.map(server => {
    const contents = readings.get(server.host)
    return contents === undefined ? server : {...server, api: {...server.api, contents}}
  })
  return {...fleet.observation, servers, ...(comparison === undefined ? {} : {contents: comparison})}
}

/** Reads all servers at about one moment. The first round takes the statistics that were just observed. */
async function readRound(
  {clock}: Deps,
  asked: readonly ObservedHost[],
  limits: {
    readonly parallel: number
    readonly round: number
    readonly maxBytes: number
    readonly deadlineMs: number
  },
  before: readonly ContentsRead[],
): Promise<readonly ContentsRead[]> {
  const {parallel, round, maxBytes, deadlineMs} = limits
  const observed = asked.map(({server}) => valueOf(server.api.self)?.raft)
  const stats =
    round === 1
      ? observed
      : await inParallel(asked, parallel, async ({api}) => {
          if (api === undefined) return undefined
          return beforeDeadline(askRaftStats(api), clock, deadlineMs, () => undefined)
        })
  if (round > 1) await clock.sleep(PAUSE_MS)
  return inParallel(asked, parallel, async ({api, server}, i) => {
    const last: ContentsRead = {
      reading: before[i]?.reading ?? server.api.contents,
      sample: undefined,
    }
    if (api === undefined || isHopeless(last)) return last
    const late = (): ContentsRead =>
      unreadContents('timed-out', last.reading.source, 'The contents did not arrive in time.')
    return beforeDeadline(readContents(api, {maxBytes, before: stats[i]}), clock, deadlineMs, late)
  })
}

/** Whether asking again would meet the same obstacle. */
function isHopeless({reading}: ContentsRead): boolean {
  return reading.kind === 'unread' && !['changed', 'failed', 'not-asked', 'timed-out'].includes(reading.why)
}

/** Whether there is no use in another round. */
function isSettled(found: readonly ContentsRead[], comparison: ContentsComparison | undefined): boolean {
  if (!found.every(one => one.reading.kind === 'read' || isHopeless(one))) return false
  return comparison === undefined || comparison.doubtful === 0
}
