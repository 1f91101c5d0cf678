import type {RaftState} from './state.js'
import type {PeerStatus, RaftStatus} from './types.js'

/** What a node tells of itself. */
export function statusOf(raft: RaftState): RaftStatus {
  const {log, leadership, configurations} = raft
  return {
    role: raft.role,
    term: raft.term,
    votedFor: raft.votedFor,
    leader: raft.leader,
    established: leadership?.established ?? false,
    firstIndex: log.firstIndex,
    lastIndex: log.lastIndex,
    lastTerm: log.lastTerm,
    persistedIndex: log.persistedIndex,
    commitIndex: raft.commitIndex,
    appliedIndex: raft.appliedIndex,
    snapshotIndex: log.snapshotIndex,
    snapshotTerm: log.snapshotTerm,
    latest: configurations.latest,
    committed: configurations.asOf(raft.commitIndex),
    lastContactMs: raft.lastContactMs,
    peers: peersOf(raft),
    transferTo: leadership?.transfer?.to,
  }
}

function peersOf(raft: RaftState): readonly PeerStatus[] {
  return [...(raft.leadership?.peers.values() ?? [])].map(peer => ({
    peer: peer.target,
    voter: peer.voter,
    matchIndex: peer.match,
    nextIndex: peer.next,
    sending: peer.mode,
    lastContactMs: peer.answered ? peer.lastContactMs : undefined,
  }))
}
