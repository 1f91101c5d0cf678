import type {Source} from '../model/reading.js'
import {valueOf} from '../model/reading.js'
import type {ClusterFacts} from './facts.js'
import {journalMatches} from './findings.js'

/** A point in time and where it was read. */
export interface Since {
  readonly atMs: number
  readonly source: Source
}

function latest(times: readonly Since[]): Since | undefined {
  return [...times].sort((a, b) => b.atMs - a.atMs)[0]
}

/**
 * Since when there is no leader, from what was written down at the time: the leader's own word that it lost its
 * followers, else when the last follower began to miss it, else when the last of the stopped voters stopped.
 * The host's clock is taken back to ours. Undefined where nothing was written.
 */
export function leaderlessSince(facts: ClusterFacts): Since | undefined {
  if (facts.leader.exists === 'yes') return undefined
  const told = (signature: string): Since[] =>
    journalMatches(facts, [signature], {current: true}).flatMap(({server, match, source}) => {
      const offset = valueOf(server.server.clockOffsetMs) ?? 0
      return match.lastAtMs === undefined ? [] : [{atMs: match.lastAtMs - offset, source}]
    })
  const stopped = facts.voters.flatMap(({server, state}): Since[] => {
    const service = server === undefined ? undefined : valueOf(server.server.service)
    if (server === undefined || service?.sinceMs === undefined || state === 'up') return []
    const offset = valueOf(server.server.clockOffsetMs) ?? 0
    return [{atMs: service.sinceMs - offset, source: server.server.service.source}]
  })
  return latest(told('leader-lost')) ?? latest(told('election-start')) ?? latest(stopped)
}
