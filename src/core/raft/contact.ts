import {leadershipOf} from './leading.js'
import {becomeFollower} from './roles.js'
import type {RaftState} from './state.js'

/** When a leader that hears no more from a quorum has to step down; Infinity when it is a quorum by itself. */
export function quorumDeadlineMs(raft: RaftState): number {
  const {graceUntilMs} = leadershipOf(raft)
  const heardMs = raft.quorumValue(Infinity, peer => peer.lastContactMs)
  return Math.max(heardMs + raft.options.leaderLeaseMs, graceUntilMs)
}

/** Steps down when a quorum has been silent for too long, so that clients turn to whoever they follow. */
export function checkQuorum(raft: RaftState): void {
  if (raft.role !== 'leader') return
  tellLost(raft)
  if (raft.nowMs < quorumDeadlineMs(raft)) return
  raft.logLine('warn', 'failed to contact a quorum of voters, stepping down')
  becomeFollower(raft, raft.term, undefined, 'no-quorum-contact')
}

function tellLost(raft: RaftState): void {
  for (const peer of leadershipOf(raft).peers.values()) {
    const sinceMs = raft.nowMs - peer.lastContactMs
    if (peer.lost || peer.leaving !== undefined || sinceMs < raft.options.heartbeatTimeoutMs) continue
    peer.lost = true
    raft.tell({news: 'peer-lost', peer: peer.target, sinceMs})
  }
}
