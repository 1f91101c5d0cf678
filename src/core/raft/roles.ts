import {assert} from '../assert.js'
import type {RaftRole, Refusal, Target} from './messages.js'
import type {RaftState} from './state.js'

/** Changes the role and tells it. */
export function setRole(raft: RaftState, role: RaftRole): void {
  if (raft.role === role) return
  raft.role = role
  raft.tell({news: 'role', role, term: raft.term})
}

/** Notes whom we take for the leader, and tells it when that changes. */
export function setLeader(raft: RaftState, leader: Target | undefined): void {
  const {leader: before} = raft
  if (before?.id === leader?.id && before?.address === leader?.address) return
  raft.leader = leader
  raft.tell({news: 'leader', leader, term: raft.term})
}

/**
 * Follows whoever leads in `term`, which is ours or a newer one. A leader gives up what it had promised: reads are
 * refused with `why`, and entries that are not committed are left to fate.
 */
export function becomeFollower(
  raft: RaftState,
  term: number,
  leader: Target | undefined,
  why: Refusal = 'lost-leadership',
): void {
  assert(term >= raft.term, 'a server never goes back to an older term')
  if (term > raft.term) raft.setTerm(term)
  raft.campaign = undefined
  const led = raft.role === 'leader'
  setRole(raft, 'follower')
  setLeader(raft, leader)
  if (led) loseLeadership(raft, why)
  raft.electionDueMs = raft.nowMs + raft.jitter(raft.options.heartbeatTimeoutMs)
}

function loseLeadership(raft: RaftState, why: Refusal): void {
  const {leadership} = raft
  assert(leadership !== undefined, 'a leader has what a leader has')
  raft.leadership = undefined
  raft.requests.clear()
  for (const read of [...leadership.reads, ...raft.readsToServe]) raft.refuse(read.token, why)
  raft.readsToServe = []
  for (const token of raft.pending.dropAfter(raft.commitIndex)) raft.refuse(token, 'lost-leadership')
  const {transfer} = leadership
  if (transfer?.told === true) raft.effects.push({do: 'done', token: transfer.token, index: 0})
  else if (transfer !== undefined) raft.refuse(transfer.token, 'lost-leadership')
}

/** Word from the leader of our term: no election for now, and no vote for another. */
export function heardLeader(raft: RaftState): void {
  const {heartbeatTimeoutMs} = raft.options
  raft.lastContactMs = raft.nowMs
  raft.loyalUntilMs = Math.max(raft.loyalUntilMs, raft.nowMs + heartbeatTimeoutMs)
  raft.electionDueMs = raft.nowMs + raft.jitter(heartbeatTimeoutMs)
}
