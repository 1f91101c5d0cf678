import type {Progress} from './progress.js'
import type {RaftState} from './state.js'

/** Lets clocks differ by this much in their rate before a lease is trusted too long. */
const CLOCK_DRIFT_MAX = 0.1

/**
 * Until when no other leader can be at work: a quorum answered requests so young that each of its members still refuses
 * its vote to others (Raft thesis 6.4.1). Infinity for a quorum of one, -Infinity for who does not lead.
 */
export function leaseUntilMs(raft: RaftState): number {
  const {leadership} = raft
  if (leadership === undefined || leadership.leaseBroken) return -Infinity
  return raft.quorumValue(Infinity, peer => peer.leaseUntilMs)
}

/**
 * A peer answered a request, and promised with it to vote for no other for `loyalMs`. It counts from when the request
 * was sent, for the peer had it no earlier. Each peer is taken at its own word, because servers may be set to different
 * timeouts; one that says nothing gives no lease, and reads then cost a round of heartbeats.
 */
export function noteLoyalty(raft: RaftState, peer: Progress, sentMs: number, loyalMs: number): void {
  const trustedMs = Math.min(raft.options.leaderLeaseMs, loyalMs) * (1 - CLOCK_DRIFT_MAX)
  peer.loyalMs = loyalMs
  peer.leaseUntilMs = Math.max(peer.leaseUntilMs, sentMs + trustedMs)
}

/**
 * A client wants to read. What is committed now, and at least our first entry, must be applied; and we must still be
 * the leader, which a lease or the answers of a quorum to requests from now on tell (ReadIndex, Raft thesis 6.4).
 */
export function readWanted(raft: RaftState, token: number, lease: boolean): void {
  const {leadership} = raft
  if (leadership === undefined) return raft.refuse(token, 'not-leader')
  if (leadership.reads.length + raft.readsToServe.length >= raft.options.limits.readsInFlightMax)
    return raft.refuse(token, 'too-many-in-flight')
  const index = Math.max(raft.commitIndex, leadership.startIndex)
  const trusted = lease && raft.nowMs < leaseUntilMs(raft)
  const read = {token, index, requestId: trusted ? 0 : raft.nextRequestId}
  if (trusted) raft.readsToServe.push(read)
  else leadership.reads.push(read)
}

/** Moves reads on that a quorum has confirmed, and serves those that the state machine has reached. */
export function serveReads(raft: RaftState): void {
  const {leadership} = raft
  if (leadership !== undefined && leadership.reads.length > 0) {
    const confirmed = raft.quorumValue(Infinity, peer => peer.ackedRequestId)
    const waiting = leadership.reads.findIndex(read => read.requestId > confirmed)
    const count = waiting < 0 ? leadership.reads.length : waiting
    if (count > 0) raft.readsToServe.push(...leadership.reads.splice(0, count))
  }
  if (raft.readsToServe.length === 0) return
  raft.readsToServe = raft.readsToServe.filter(read => {
    if (read.index > raft.appliedIndex) return true
    raft.effects.push({do: 'read-ready', token: read.token, index: read.index})
    return false
  })
}
