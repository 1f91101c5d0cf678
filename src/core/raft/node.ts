import {assertNever} from '../assert.js'
import {appendRequested} from './append.js'
import {appliedUpTo, applyCommitted, applyLogRead} from './applying.js'
import {checkQuorum, quorumDeadlineMs} from './contact.js'
import {
  continueElection,
  electionTimeout,
  preVoteRequested,
  timeoutNow,
  voteAnswered,
  voteRequested,
} from './election.js'
import type {RaftEffect, RaftEvent, RaftResponse} from './messages.js'
import {leaseUntilMs, readWanted, serveReads} from './reads.js'
import {advanceCommit, peerAnswered, peerDeadlineMs, peerLogRead, replicate} from './replication.js'
import {
  compactLog,
  replaceLog,
  snapshotReceived,
  snapshotRestored,
  snapshotRulesSet,
  snapshotTaken,
  snapshotTimeout,
  snapshotWanted,
} from './snapshot.js'
import {RaftState, TERM_MAX} from './state.js'
import type {Outstanding} from './state.js'
import {statusOf} from './status.js'
import {continueTransfer, transferAnswered, transferWanted} from './transfer.js'
import type {RaftOptions, RaftStatus, Restored} from './types.js'
import {bootstrapWanted, changeWanted, isSoleVoter, leaveIfRemoved, proposed} from './wishes.js'

/**
 * A server's part in consensus, as a machine that is stepped: events go in, effects come out, and nothing else is
 * touched. Timers start with the first step.
 */
export class RaftNode {
  private readonly raft: RaftState
  private started = false
  private deadlineMs = 0

  constructor(options: RaftOptions, restored: Restored) {
    this.raft = new RaftState(options, restored)
  }

  /** Takes one event. Events of one moment are better given together, to `stepAll`. */
  step(event: RaftEvent, nowMs: number): RaftEffect[] {
    return this.stepAll([event], nowMs)
  }

  /** Takes several events in order; what they bring is persisted and sent together, once. */
  stepAll(events: readonly RaftEvent[], nowMs: number): RaftEffect[] {
    const {raft} = this
    raft.nowMs = Math.max(raft.nowMs, nowMs)
    raft.effects = []
    if (this.started) this.forgiveStall()
    else this.start()
    for (const event of events) take(raft, event)
    runTimers(raft)
    settle(raft)
    this.deadlineMs = deadlineOf(raft)
    return raft.effects
  }

  /** When the next `tick` is due, on the clock of the events; 0 before the first step. */
  nextDeadlineMs(): number {
    return this.deadlineMs
  }

  /**
   * Until when what is applied here is what any read may be answered with, on the clock of the events. A leader knows
   * that of what leaders before it have promised only once an entry of its own is applied; before, it is -Infinity.
   */
  leaseUntilMs(): number {
    return this.raft.leadership?.established === true ? leaseUntilMs(this.raft) : -Infinity
  }

  /** What this node knows now. */
  status(): RaftStatus {
    return statusOf(this.raft)
  }

  /**
   * A server that just started may have promised a leader, before it stopped, to vote for no other: it keeps that
   * promise, and does not stand itself, for the time that a lease may last.
   */
  private start(): void {
    const {raft} = this
    const {heartbeatTimeoutMs, loyalAtStartMs, snapshotIntervalMs} = raft.options
    this.started = true
    if (raft.term > 0) raft.loyalUntilMs = raft.nowMs + Math.max(heartbeatTimeoutMs, loyalAtStartMs)
    raft.electionDueMs = raft.nowMs + (isSoleVoter(raft) ? 0 : raft.jitter(heartbeatTimeoutMs))
    raft.snapshotDueMs = raft.nowMs + raft.jitter(snapshotIntervalMs)
    const {snapshot, log} = raft
    if (snapshot !== undefined && log.termOnDisk(snapshot.index) !== snapshot.term) replaceLog(raft, snapshot)
  }

  /**
   * When this step comes much later than the tick it was due with, we were not running, and what others sent
   * meanwhile is still to be read. Nobody is held to be silent before it is.
   */
  private forgiveStall(): void {
    const {raft} = this
    const {heartbeatTimeoutMs, leaderLeaseMs} = raft.options
    if (raft.nowMs - this.deadlineMs < heartbeatTimeoutMs / 4) return
    if (raft.leadership !== undefined) raft.leadership.graceUntilMs = raft.nowMs + leaderLeaseMs / 2
    else raft.electionDueMs = Math.max(raft.electionDueMs, raft.nowMs + heartbeatTimeoutMs / 5)
  }
}

function take(raft: RaftState, event: RaftEvent): void {
  switch (event.on) {
    case 'tick':
      return
    case 'request':
      return takeRequest(raft, event)
    case 'snapshot-received':
      return snapshotReceived(raft, event.token, event.request)
    case 'response':
      return takeResponse(raft, event.requestId, event.response)
    case 'persisted':
      return raft.disk.persisted(event.persistId, raft.effects)
    case 'log-read':
      raft.logReads.delete(event.readId)
      applyLogRead(raft, event.readId, event.entries)
      return peerLogRead(raft, event.readId, event.entries)
    case 'applied':
      return appliedUpTo(raft, event.index)
    case 'snapshot-taken':
      return snapshotTaken(raft, event.meta)
    case 'snapshot-restored':
      return snapshotRestored(raft, event.meta)
    case 'propose':
      return proposed(raft, event.token, event.type, event.data)
    case 'read':
      return readWanted(raft, event.token, event.lease)
    case 'change-configuration':
      return changeWanted(raft, event.token, event.change, event.prevIndex)
    case 'transfer-leadership':
      return transferWanted(raft, event.token, event.to)
    case 'bootstrap':
      return bootstrapWanted(raft, event.token, event.configuration)
    case 'set-snapshots':
      return snapshotRulesSet(raft, event.rules)
    case 'take-snapshot':
      return snapshotWanted(raft, event.token)
    default:
      return assertNever(event)
  }
}

function takeRequest(raft: RaftState, {token, request}: RaftEvent & {readonly on: 'request'}): void {
  switch (request.rpc) {
    case 'append':
      return appendRequested(raft, token, request)
    case 'vote':
      return voteRequested(raft, token, request)
    case 'pre-vote':
      return preVoteRequested(raft, token, request)
    case 'timeout-now':
      return timeoutNow(raft, token)
    default:
      return assertNever(request)
  }
}

function takeResponse(raft: RaftState, requestId: number, response: RaftResponse | undefined): void {
  const asked = raft.requests.get(requestId)
  raft.requests.delete(requestId)
  if (asked === undefined || asked.term !== raft.term) return
  const credible = response !== undefined && (!('term' in response) || response.term <= TERM_MAX)
  takeAnswer(raft, requestId, asked, credible ? response : undefined)
}

function takeAnswer(
  raft: RaftState,
  requestId: number,
  asked: Outstanding,
  response: RaftResponse | undefined,
): void {
  switch (asked.rpc) {
    case 'vote':
    case 'pre-vote':
      return voteAnswered(raft, asked, response)
    case 'timeout-now':
      return transferAnswered(raft, asked.peer, response)
    case 'append':
    case 'snapshot':
      return peerAnswered(raft, requestId, asked, response)
    default:
      return assertNever(asked.rpc)
  }
}

function runTimers(raft: RaftState): void {
  checkQuorum(raft)
  if (raft.role !== 'leader' && raft.nowMs >= raft.electionDueMs) electionTimeout(raft)
  if (raft.nowMs >= raft.snapshotDueMs) snapshotTimeout(raft)
}

/** Brings about all that the events of a step made possible. What is to be persisted is given out first. */
function settle(raft: RaftState): void {
  continueElection(raft)
  raft.disk.flush(raft.hardState, raft.effects)
  if (raft.role === 'leader') {
    advanceCommit(raft)
    continueTransfer(raft)
    leaveIfRemoved(raft)
  }
  if (raft.role === 'leader') replicate(raft)
  applyCommitted(raft)
  serveReads(raft)
  compactLog(raft)
}

function deadlineOf(raft: RaftState): number {
  const {leadership} = raft
  if (leadership === undefined) return Math.min(raft.snapshotDueMs, raft.electionDueMs)
  let dueMs = Math.min(raft.snapshotDueMs, quorumDeadlineMs(raft), leadership.transfer?.untilMs ?? Infinity)
  for (const peer of leadership.peers.values()) dueMs = Math.min(dueMs, peerDeadlineMs(raft, peer))
  return dueMs
}
