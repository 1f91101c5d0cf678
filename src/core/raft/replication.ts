import {assert} from '../assert.js'
import {leadershipOf} from './leading.js'
import type {AppendRequest, LogEntry, RaftResponse} from './messages.js'
import type {Progress} from './progress.js'
import {noteLoyalty} from './reads.js'
import {becomeFollower} from './roles.js'
import type {Outstanding, RaftState} from './state.js'

/** Heartbeats go out once in one to two tenths of the time after which followers look elsewhere. */
const HEARTBEATS_PER_TIMEOUT = 10
/** No peer is given less time, whatever it says. */
const PATIENCE_MIN_MS = 20

/** Sends every peer what it is due. */
export function replicate(raft: RaftState): void {
  const {peers, reads} = leadershipOf(raft)
  const asked = reads[reads.length - 1]?.requestId ?? 0
  for (const [id, peer] of peers) {
    if (peer.leaving !== undefined && hasLeft(raft, peer)) {
      peers.delete(id)
      continue
    }
    heartbeat(raft, peer, asked)
    sendAppends(raft, peer)
  }
}

/** Whether a removed server has been told of its removal, or has had its time. */
function hasLeft(raft: RaftState, peer: Progress): boolean {
  assert(peer.leaving !== undefined, 'this is asked of a removed server')
  const {index, untilMs} = peer.leaving
  return (
    raft.nowMs >= untilMs || (peer.match >= index && peer.commitSent >= index && peer.appendsInFlight === 0)
  )
}

/**
 * A heartbeat travels on a connection of its own, so that entries never hold it up, and says nothing of the log. It
 * goes out early when reads wait for an answer to a request of `asked` or later.
 */
function heartbeat(raft: RaftState, peer: Progress, asked: number): void {
  const {options, nowMs} = raft
  const {heartbeat: sent} = peer
  if (sent !== undefined && nowMs - sent.sentMs < options.heartbeatTimeoutMs) return
  const wanted = peer.voter && asked > 0 && peer.ackedRequestId < asked
  if (nowMs < peer.heartbeatDueMs && !wanted) return
  const request = {...appendHead(raft), prevIndex: 0, prevTerm: 0, entries: [], leaderCommit: 0}
  const about = {epoch: 0, prevIndex: 0, lastIndex: 0}
  peer.heartbeat = {requestId: raft.send(peer.target, 'heartbeat', request, about), sentMs: nowMs}
  // A peer that is set to less patience than we are hears from us as often as it needs to
  const patienceMs = Math.min(options.heartbeatTimeoutMs, Math.max(PATIENCE_MIN_MS, peer.loyalMs))
  peer.heartbeatDueMs = nowMs + raft.jitter(patienceMs / HEARTBEATS_PER_TIMEOUT)
}

/** When something is due to a peer again. What is overdue waits for an answer, not for the clock. */
export function peerDeadlineMs({options, nowMs}: RaftState, peer: Progress): number {
  const {heartbeat: sent} = peer
  const later = (dueMs: number): number => (dueMs > nowMs ? dueMs : Infinity)
  return Math.min(
    later(sent === undefined ? peer.heartbeatDueMs : sent.sentMs + options.heartbeatTimeoutMs),
    later(peer.lost ? Infinity : peer.lastContactMs + options.heartbeatTimeoutMs),
    later(peer.retryAtMs),
    later(peer.commitDueMs),
    later(peer.leaving?.untilMs ?? Infinity),
  )
}

const appendHead = ({term, options}: RaftState) =>
  ({rpc: 'append', term, leaderId: options.id, leader: options.address}) as const

/** Sends entries, or news of a commit, as far as the limits and the state of the peer allow. */
function sendAppends(raft: RaftState, peer: Progress): void {
  const {log, options, nowMs} = raft
  for (;;) {
    if (nowMs < peer.retryAtMs || peer.mode === 'snapshot' || peer.readId !== undefined) return
    if (peer.appendsInFlight >= (peer.mode === 'probe' ? 1 : options.limits.appendsInFlightMax)) return
    const prevIndex = peer.next - 1
    const prevTerm = log.termAt(prevIndex)
    if (prevTerm === undefined || peer.next < log.firstIndex) return sendSnapshot(raft, peer)
    let entries: readonly LogEntry[] | undefined = []
    if (peer.next <= log.lastIndex) {
      entries = entriesFor(raft, peer)
      if (entries === undefined) return
    } else if (peer.mode === 'pipeline' && !owesCommit(raft, peer)) return
    const lastIndex = prevIndex + entries.length
    const request: AppendRequest = {
      ...appendHead(raft),
      prevIndex,
      prevTerm,
      entries,
      leaderCommit: raft.commitIndex,
    }
    raft.send(peer.target, 'replicate', request, {epoch: peer.epoch, prevIndex, lastIndex})
    peer.appendsInFlight++
    peer.commitSent = Math.max(peer.commitSent, Math.min(raft.commitIndex, lastIndex))
    peer.commitDueMs = Infinity
    if (peer.mode === 'probe') return
    peer.next = lastIndex + 1
  }
}

/** Whether the peer is to be told of a commit although there are no entries for it. */
function owesCommit(raft: RaftState, peer: Progress): boolean {
  if (Math.min(raft.commitIndex, peer.next - 1) <= peer.commitSent) return false
  if (peer.commitDueMs === Infinity) peer.commitDueMs = raft.nowMs + raft.options.commitTimeoutMs
  return raft.nowMs >= peer.commitDueMs
}

/** The entries to send next, from memory or from what was read; undefined when they must be read first. */
function entriesFor(raft: RaftState, peer: Progress): readonly LogEntry[] | undefined {
  const {log, options} = raft
  const {appendEntriesMax, appendBytesMax} = options.limits
  const cached = log.slice(peer.next, log.lastIndex, appendEntriesMax, appendBytesMax)
  if (cached !== undefined) return cached
  const {fetched} = peer
  peer.fetched = []
  if (fetched[0]?.index === peer.next && log.holds(fetched)) return fetched
  // What is about to be dropped is not read: one slow peer after another would keep it for ever
  if (peer.next <= raft.compactDue) return undefined
  const to = Math.min(log.persistedIndex, peer.next + appendEntriesMax - 1)
  peer.readId = raft.readLog(peer.next, to, appendBytesMax)
  return undefined
}

/** Entries for a peer have been read from disk. */
export function peerLogRead(raft: RaftState, readId: number, entries: readonly LogEntry[]): void {
  for (const peer of raft.leadership?.peers.values() ?? []) {
    if (peer.readId !== readId) continue
    peer.readId = undefined
    peer.fetched = entries
    if (entries.length === 0) peer.fail(raft.nowMs, raft.options.heartbeatTimeoutMs / 2)
  }
}

/** Streams our newest snapshot to a peer that the log no longer reaches. */
function sendSnapshot(raft: RaftState, peer: Progress): void {
  const {snapshot, options} = raft
  assert(snapshot !== undefined, 'what the log no longer holds is in a snapshot')
  peer.probeFrom(peer.next)
  peer.mode = 'snapshot'
  raft.send(
    peer.target,
    'snapshot',
    {rpc: 'snapshot', term: raft.term, leaderId: options.id, leader: options.address, meta: snapshot},
    {epoch: peer.epoch, prevIndex: snapshot.index, lastIndex: snapshot.index},
  )
  raft.logLine('info', `sending snapshot ${snapshot.id} to ${peer.target.address}`)
}

/** A peer answered an append, a heartbeat or a snapshot, or did not. */
export function peerAnswered(
  raft: RaftState,
  requestId: number,
  asked: Outstanding,
  response: RaftResponse | undefined,
): void {
  const peer = raft.leadership?.peers.get(asked.peer)
  if (peer === undefined) return
  const beats = asked.channel === 'heartbeat'
  if (beats && peer.heartbeat?.requestId === requestId) peer.heartbeat = undefined
  const current = !beats && asked.epoch === peer.epoch
  if (current && asked.channel === 'replicate') peer.appendsInFlight--
  if (response === undefined || response.rpc !== asked.rpc) {
    if (current) unreached(raft, peer)
    return
  }
  if (response.rpc !== 'append' && response.rpc !== 'snapshot') return
  if (response.term > raft.term) return becomeFollower(raft, response.term, undefined)
  // A peer that has really followed us since answers with our term
  if (response.term < raft.term) return current ? unreached(raft, peer) : undefined
  contact(raft, peer, requestId, asked)
  if (response.rpc === 'append' && response.loyalMs !== undefined)
    noteLoyalty(raft, peer, asked.sentMs, response.loyalMs)
  if (beats) return
  if (response.rpc === 'snapshot') snapshotAnswered(raft, peer, asked, response.success)
  else if (response.success) accepted(raft, peer, asked)
  else if (current) refused(raft, peer, requestId, asked, response.lastIndex)
}

function unreached(raft: RaftState, peer: Progress): void {
  peer.probeFrom(peer.match + 1)
  peer.fail(raft.nowMs, raft.options.heartbeatTimeoutMs / 2)
}

/** The peer took us for its leader when it answered, so it was ours at the time the request was sent. */
function contact(raft: RaftState, peer: Progress, requestId: number, asked: Outstanding): void {
  peer.lastContactMs = raft.nowMs
  peer.answered = true
  peer.ackedRequestId = Math.max(peer.ackedRequestId, requestId)
  if (peer.lost) {
    peer.lost = false
    raft.tell({news: 'peer-back', peer: peer.target})
  }
  // Whoever answers heartbeats again is worth another try at once
  if (asked.channel === 'heartbeat' && peer.failures > 0) peer.recover()
}

function raiseMatch(raft: RaftState, peer: Progress, index: number): void {
  if (index <= peer.match) return
  assert(index <= raft.log.lastIndex, 'a peer holds no more of our log than we do')
  peer.match = index
  peer.matchKnownAtRequestId = raft.nextRequestId - 1
}

function accepted(raft: RaftState, peer: Progress, asked: Outstanding): void {
  raiseMatch(raft, peer, asked.lastIndex)
  peer.next = Math.max(peer.next, peer.match + 1)
  peer.recover()
  if (peer.mode === 'probe' && asked.epoch === peer.epoch) peer.mode = 'pipeline'
}

function snapshotAnswered(raft: RaftState, peer: Progress, asked: Outstanding, success: boolean): void {
  if (success) {
    raiseMatch(raft, peer, asked.lastIndex)
    peer.recover()
  }
  if (asked.epoch !== peer.epoch) return
  peer.probeFrom(Math.max(peer.next, peer.match + 1))
  if (!success) peer.fail(raft.nowMs, raft.options.heartbeatTimeoutMs / 2)
}

/**
 * The entry before is missing or differs: goes back to where the peer says its log ends, at least by one. A peer that
 * refuses what it had accepted, in answer to a request sent after we knew that, has lost its log, and is believed.
 */
function refused(raft: RaftState, peer: Progress, requestId: number, asked: Outstanding, hint: number): void {
  if (asked.prevIndex <= peer.match) {
    if (requestId <= peer.matchKnownAtRequestId) return
    if (peer.match > 0)
      raft.logLine(
        'warn',
        `${peer.target.address} has lost entries that it had accepted, up to ${peer.match}`,
      )
    peer.match = 0
  }
  const next = Math.max(1, peer.match + 1, Math.min(asked.prevIndex, hint + 1))
  if (next > asked.prevIndex) peer.fail(raft.nowMs, raft.options.heartbeatTimeoutMs / 2)
  peer.probeFrom(next)
}

/** Commits what a quorum has on disk, if it is of our own term (Raft §5.4.2). */
export function advanceCommit(raft: RaftState): void {
  const leadership = leadershipOf(raft)
  const index = raft.quorumValue(raft.log.persistedIndex, peer => peer.match)
  if (index <= raft.commitIndex || raft.log.termAt(index) !== raft.term) return
  raft.commitIndex = index
  leadership.uncommittedBytes -= raft.pending.commit(index)
}
