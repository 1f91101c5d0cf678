import {checkConfiguration, voters} from '../model/configuration.js'
import type {Configuration} from '../model/configuration.js'
import {appendConfiguration, appendWish} from './leading.js'
import {configurationData, peersData} from './configuration-entry.js'
import {isVoter, nextConfiguration} from './membership.js'
import {LogType} from './messages.js'
import type {ConfigurationChange} from './messages.js'
import {replicate} from './replication.js'
import {becomeFollower} from './roles.js'
import type {RaftState} from './state.js'
import {mostCaughtUp, tellToTakeOver} from './transfer.js'

/** A client's command or a barrier goes into the leader's log. */
export function proposed(raft: RaftState, token: number, type: 0 | 4, data: Uint8Array): void {
  const {leadership, pending} = raft
  const {proposalsInFlightMax, uncommittedBytesMax} = raft.options.limits
  if (leadership === undefined) return raft.refuse(token, 'not-leader')
  if (leadership.transfer !== undefined) return raft.refuse(token, 'transfer-in-progress')
  if (pending.size >= proposalsInFlightMax || leadership.uncommittedBytes >= uncommittedBytesMax)
    return raft.refuse(token, 'too-many-in-flight')
  appendWish(raft, token, type, data)
}

/**
 * A change of the configuration by one server. Only one may be uncommitted at a time, and none may be made before the
 * leader has committed an entry of its own term, for two changes on top of one another may share no quorum.
 */
export function changeWanted(
  raft: RaftState,
  token: number,
  change: ConfigurationChange,
  prevIndex: number,
): void {
  const {leadership, commitIndex} = raft
  const {latest} = raft.configurations
  if (leadership === undefined) return raft.refuse(token, 'not-leader')
  if (leadership.transfer !== undefined) return raft.refuse(token, 'transfer-in-progress')
  if (latest.index > commitIndex || commitIndex < leadership.startIndex)
    return raft.refuse(token, 'configuration-in-progress')
  if (prevIndex > 0 && prevIndex !== latest.index) return raft.refuse(token, 'previous-index-mismatch')
  const next = nextConfiguration(latest.configuration, change)
  if (next.kind === 'problems' || !fitsProtocol(raft, next.configuration))
    return raft.refuse(token, 'illegal-configuration')
  appendConfiguration(raft, token, next.configuration)
}

/** Entries of Raft protocols 0 and 1 can say nothing but the addresses of voters. */
const fitsProtocol = (raft: RaftState, {servers}: Configuration): boolean =>
  raft.options.raftProtocol >= 2 || servers.every(one => one.suffrage === 'voter' && sameText(one))

/**
 * A leader that a committed change has taken the vote from tells its peers of the commit, asks the best of them to
 * take over, and steps down.
 */
export function leaveIfRemoved(raft: RaftState): void {
  const {leadership, commitIndex} = raft
  const {latest} = raft.configurations
  if (leadership === undefined || latest.index > commitIndex) return
  if (isVoter(latest.configuration, raft.options.id) || commitIndex < leadership.startIndex) return
  for (const peer of leadership.peers.values()) peer.commitDueMs = raft.nowMs
  replicate(raft)
  const successor = mostCaughtUp(raft)
  if (successor !== undefined) tellToTakeOver(raft, successor)
  raft.logLine('info', 'removed ourself, transitioning to follower')
  becomeFollower(raft, raft.term, undefined)
}

/** Founds a cluster: entry 1 of term 1 sets its first configuration (`BootstrapCluster`, hashicorp/raft api.go). */
export function bootstrapWanted(raft: RaftState, token: number, configuration: Configuration): void {
  const {log, disk} = raft
  if (raft.term > 0 || log.lastIndex > 0 || raft.snapshot !== undefined)
    return raft.refuse(token, 'has-existing-state')
  if (checkConfiguration(configuration).length > 0 || !fitsProtocol(raft, configuration))
    return raft.refuse(token, 'illegal-configuration')
  const {servers} = configuration
  const entry =
    raft.options.raftProtocol < 2
      ? {type: LogType.addPeer, data: peersData({servers})}
      : {type: LogType.configuration, data: configurationData({servers})}
  raft.setTerm(1)
  log.append({index: 1, term: 1, ...entry})
  raft.configurations.append({index: 1, configuration: {servers}})
  raft.tell({news: 'configuration', configuration: {servers}, committed: false})
  disk.after(disk.logNeeds(1), {do: 'done', token, index: 1}, raft.effects)
  if (isSoleVoter(raft)) raft.electionDueMs = raft.nowMs
}

/**
 * Whether nobody else can be leader, so that there is nothing to wait for: we are the only voter, and were it before a
 * change that may not be committed, whose leader may still count on us.
 */
export function isSoleVoter(raft: RaftState): boolean {
  const {latest, previous} = raft.configurations
  if (!isVoter(latest.configuration, raft.options.id)) return false
  return [latest, previous].every(at =>
    voters(at?.configuration ?? NOBODY).every(one => one.id === raft.options.id),
  )
}

const NOBODY: Configuration = {servers: []}

const sameText = ({id, address}: {readonly id: string; readonly address: string}): boolean => id === address
