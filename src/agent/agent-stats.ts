import type {GossipStats} from '../core/gossip/node.js'
import type {Server} from '../core/model/configuration.js'
import {voters} from '../core/model/configuration.js'
import type {RaftStatus} from '../core/raft/types.js'
import {goDuration} from './go-time.js'

/** The sections of `consul info`: section, key, value. */
export type Stats = Readonly<Record<string, Readonly<Record<string, string>>>>

const ROLES = {
  leader: 'Leader',
  follower: 'Follower',
  candidate: 'Candidate',
  'pre-candidate': 'Candidate',
} as const

/** A configuration as Go prints it. */
export const goConfiguration = (servers: readonly Server[]): string =>
  `[${servers
    .map(
      ({suffrage, id, address}) =>
        `{Suffrage:${suffrage === 'voter' ? 'Voter' : 'Nonvoter'} ID:${id} Address:${address}}`,
    )
    .join(' ')}]`

/** The section `raft` (`Raft.Stats`, hashicorp/raft api.go); a peer set is only there from Raft protocol 1 on. */
export function raftStats(
  status: RaftStatus,
  ownId: string,
  protocol: number,
  nowMs: number,
): Readonly<Record<string, string>> {
  const {configuration} = status.latest
  const others = voters(configuration).filter(({id}) => id !== ownId).length
  const isMember = configuration.servers.some(({id}) => id === ownId)
  const contact =
    status.role === 'leader'
      ? '0'
      : status.lastContactMs === undefined
        ? 'never'
        : goDuration(Math.max(0, nowMs - status.lastContactMs))
  const stats = {
    applied_index: String(status.appliedIndex),
    commit_index: String(status.commitIndex),
    fsm_pending: String(Math.max(0, status.commitIndex - status.appliedIndex)),
    last_contact: contact,
    last_log_index: String(status.lastIndex),
    last_log_term: String(status.lastTerm),
    last_snapshot_index: String(status.snapshotIndex),
    last_snapshot_term: String(status.snapshotTerm),
    num_peers: String(isMember ? others : 0),
    state: ROLES[status.role],
    term: String(status.term),
  }
  if (protocol === 0) return stats
  return {
    ...stats,
    latest_configuration: goConfiguration(configuration.servers),
    latest_configuration_index: String(status.latest.index),
    protocol_version: String(protocol),
    protocol_version_max: '3',
    protocol_version_min: '0',
    snapshot_version_max: '1',
    snapshot_version_min: '0',
  }
}

/** The section of a gossip pool (`Serf.Stats`). */
export function serfStats(stats: GossipStats, encrypted: boolean): Readonly<Record<string, string>> {
  return {
    coordinate_resets: '0',
    encrypted: String(encrypted),
    event_queue: String(stats.eventQueue),
    event_time: String(stats.eventTime),
    failed: String(stats.failed),
    health_score: String(stats.healthScore),
    intent_queue: String(stats.intentQueue),
    left: String(stats.left),
    member_time: String(stats.memberTime),
    members: String(stats.members),
    query_queue: String(stats.queryQueue),
    query_time: String(stats.queryTime),
  }
}
