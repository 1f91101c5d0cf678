import {assert} from '../assert.js'
import type {Configuration} from '../model/configuration.js'
import {configurationData, peersData} from './configuration-entry.js'
import {entryBytes} from './log.js'
import {LogType} from './messages.js'
import {Progress} from './progress.js'
import {setLeader, setRole} from './roles.js'
import type {Leadership, RaftState} from './state.js'

const NOTHING = new Uint8Array(0)

/** A quorum elected us: takes the lead with an entry of the new term, which commits all before it. */
export function lead(raft: RaftState): void {
  const {options, log} = raft
  assert(raft.role === 'candidate' && raft.standing, 'only a candidate becomes leader')
  raft.campaign = undefined
  raft.requests.clear()
  raft.leadership = {
    startIndex: log.lastIndex + 1,
    peers: new Map(),
    established: false,
    reads: [],
    uncommittedBytes: 0,
    leaseBroken: false,
    graceUntilMs: raft.nowMs,
    transfer: undefined,
  }
  setRole(raft, 'leader')
  raft.lastContactMs = undefined
  setLeader(raft, {id: options.id, address: options.address})
  followConfiguration(raft)
  const {configuration} = raft.configurations.latest
  if (options.raftProtocol === 0) appendEntry(raft, LogType.addPeer, peersData(configuration))
  else appendEntry(raft, LogType.noop, NOTHING)
}

/** What a leader has. */
export function leadershipOf(raft: RaftState): Leadership {
  const {leadership} = raft
  assert(raft.role === 'leader' && leadership !== undefined, 'this is asked of a leader')
  return leadership
}

/** Puts a new entry at the end of the leader's log; returns its index. */
export function appendEntry(raft: RaftState, type: LogType, data: Uint8Array): number {
  const index = raft.log.lastIndex + 1
  raft.log.append({index, term: raft.term, type, data})
  return index
}

/** Appends a command, a barrier or a configuration that somebody waits for. */
export function appendWish(raft: RaftState, token: number, type: LogType, data: Uint8Array): number {
  const index = appendEntry(raft, type, data)
  const bytes = entryBytes({index, term: raft.term, type, data})
  raft.pending.push(index, token, bytes)
  leadershipOf(raft).uncommittedBytes += bytes
  return index
}

/** Makes `configuration` count from its entry on, which is appended here. */
export function appendConfiguration(raft: RaftState, token: number, configuration: Configuration): void {
  const index =
    raft.options.raftProtocol < 2
      ? appendWish(raft, token, LogType.removePeer, peersData(configuration))
      : appendWish(raft, token, LogType.configuration, configurationData(configuration))
  raft.configurations.append({index, configuration})
  raft.tell({news: 'configuration', configuration, committed: false})
  followConfiguration(raft)
}

/** Brings the leader's view of its peers in line with the configuration that counts. */
function followConfiguration(raft: RaftState): void {
  const {peers} = leadershipOf(raft)
  const {configuration, index} = raft.configurations.latest
  for (const server of configuration.servers) {
    if (server.id === raft.options.id) continue
    const peer = peers.get(server.id)
    if (peer === undefined) {
      peers.set(server.id, new Progress(server, raft.log.lastIndex + 1, raft.nowMs))
      continue
    }
    if (peer.target.address !== server.address) {
      peer.target = {id: server.id, address: server.address}
      peer.probeFrom(peer.match + 1)
      peer.recover()
      peer.heartbeat = undefined
    }
    if (server.suffrage === 'voter' && !peer.voter)
      peer.lastContactMs = Math.max(peer.lastContactMs, raft.nowMs)
    peer.voter = server.suffrage === 'voter'
    peer.leaving = undefined
  }
  for (const [id, peer] of peers) {
    if (peer.leaving !== undefined || configuration.servers.some(server => server.id === id)) continue
    peer.voter = false
    peer.leaving = {index, untilMs: raft.nowMs + raft.options.electionTimeoutMs}
  }
}
