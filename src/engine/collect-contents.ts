import type {ContentsDigest, FleetObservation} from '../core/model/observation.js'
import type {Reading} from '../core/model/reading.js'
import {valueOf} from '../core/model/reading.js'
import type {Clock} from '../ports/clock.js'
import type {CollectedFleet} from './collect.js'
import {readContents} from './consul-contents.js'
import {beforeDeadline, inParallel} from './limits.js'

/** Bounds of comparing contents. */
export interface ContentsOptions {
  /** Servers at a time; 32. */
  readonly parallel?: number
  /** Rounds over all servers until they are seen at one applied index; 4. */
  readonly rounds?: number
  /** Milliseconds for all rounds together; 120 000. */
  readonly allMs?: number
  /** Bytes of contents read from one server; without a limit by default. */
  readonly maxBytes?: number
}

const DEFAULTS = {parallel: 32, rounds: 4, allMs: 120_000, maxBytes: Number.MAX_SAFE_INTEGER}
const PAUSE_MS = 300

/**
 * Reads the contents as each server that answers sees them itself (safety rule S16), and gives back the observation with
 * their digests. Digests can only be compared at one applied index, and a living cluster moves: so all servers are
 * read at the same moment, and again for some rounds, until none moved while it was read and all are at one index.
 */
export async function collectContents(
  deps: {readonly clock: Clock},
  fleet: CollectedFleet,
  options: ContentsOptions = {},
): Promise<FleetObservation> {
  const {parallel, rounds, allMs, maxBytes} = {...DEFAULTS, ...options}
  const deadlineMs = deps.clock.nowMs() + allMs
  const asked = fleet.hosts.filter(({server}) => server.api.self.kind === 'read')
  let found = new Map<string, Reading<ContentsDigest>>()
  // What was read beside the observation is the first round
  const early = asked.map(({server}) => server.api.contents)
  const isRead = early.every(reading => reading.kind === 'read' || reading.why !== 'not-asked')
  if (isRead && isSettled(early)) return fleet.observation
  for (let round = isRead ? 2 : 1; round <= rounds && deps.clock.nowMs() < deadlineMs; round++) {
    if (round > 1) await deps.clock.sleep(PAUSE_MS)
    const readings = await inParallel(asked, parallel, async ({api, server}) => {
      const before = found.get(server.host) ?? server.api.contents
      if (api === undefined) return before
      // The first round takes the index that was just observed for the one before: contents that moved since are read again.
      const index = round === 1 ? valueOf(server.api.self)?.raft?.appliedIndex : undefined
      const reading = readContents(api, {maxBytes, before: index})
      return beforeDeadline(reading, deps.clock, deadlineMs, () => late(before))
    })
    found = new Map(asked.map(({server}, i) => [server.host, readings[i] ?? server.api.contents]))
    if (isSettled(readings)) break
  }
  const servers = fleet.observation.servers.map(server => {
    const contents = found.get(server.host)
    return contents === undefined ? server : {...server, api: {...server.api, contents}}
  })
  return {...fleet.observation, servers}
}

function late(reading: Reading<ContentsDigest>): Reading<ContentsDigest> {
  return {
    kind: 'unread',
    why: 'timed-out',
    source: reading.source,
    detail: 'The contents did not arrive in time.',
  }
}

/** Whether asking again would meet the same obstacle. */
function isHopeless(reading: Reading<ContentsDigest>): boolean {
  return reading.kind === 'unread' && reading.why !== 'changed' && reading.why !== 'failed'
}

/** Whether there is no use in another round. */
function isSettled(readings: readonly Reading<ContentsDigest>[]): boolean {
  return areComparable(readings) || readings.every(isHopeless)
}

/** Whether another round would tell no more: nobody moved while it was read, and all that answer are at one index. */
function areComparable(readings: readonly Reading<ContentsDigest>[]): boolean {
  if (readings.some(reading => reading.kind === 'unread' && reading.why === 'changed')) return false
  return new Set(readings.flatMap(reading => valueOf(reading)?.appliedIndex ?? [])).size <= 1
}
