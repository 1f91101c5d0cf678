import {checkConfiguration} from '../model/configuration.js'
import {followSender} from './append.js'
import type {SnapshotMeta, SnapshotRequest, SnapshotRules} from './messages.js'
import type {RaftState} from './state.js'

/** Somebody wants a snapshot of what is applied by now; one that is being made is too old for that. */
export function snapshotWanted(raft: RaftState, token: number): void {
  if (raft.installing !== undefined) return raft.refuse(token, 'snapshot-failed')
  raft.snapshotTokens.push({token, index: raft.handedOut})
  if (!raft.takingSnapshot) answerSnapshotWishes(raft)
}

/** Tells those whose snapshot is there, and takes another for the rest. */
function answerSnapshotWishes(raft: RaftState): void {
  const held = raft.snapshot?.index ?? 0
  for (const {token, index} of raft.snapshotTokens)
    if (index <= held) raft.effects.push({do: 'done', token, index: held})
  raft.snapshotTokens = raft.snapshotTokens.filter(one => one.index > held)
  if (raft.snapshotTokens.length > 0) takeSnapshot(raft)
}

/** Other rules hold from now on; what is due by them is not put off. */
export function snapshotRulesSet(raft: RaftState, rules: SnapshotRules): void {
  raft.options = {...raft.options, ...rules}
  raft.snapshotDueMs = Math.min(raft.snapshotDueMs, raft.nowMs + raft.jitter(rules.snapshotIntervalMs))
}

/** Asks at intervals whether enough was applied since the last snapshot. */
export function snapshotTimeout(raft: RaftState): void {
  raft.snapshotDueMs = raft.nowMs + raft.jitter(raft.options.snapshotIntervalMs)
  const since = raft.handedOut - (raft.snapshot?.index ?? 0)
  if (since >= raft.options.snapshotThreshold && !raft.takingSnapshot) takeSnapshot(raft)
}

/** What is given out to apply is committed, so the configuration as of there is too. */
function takeSnapshot(raft: RaftState): void {
  const {handedOut: index, log} = raft
  const term = log.termAt(index)
  if (raft.installing !== undefined || term === undefined || index === (raft.snapshot?.index ?? 0)) return
  const {index: configurationIndex, configuration} = raft.configurations.asOf(index)
  raft.takingSnapshot = true
  raft.effects.push({do: 'take-snapshot', index, term, configuration, configurationIndex})
}

/** A snapshot of ours is in place, or could not be made. */
export function snapshotTaken(raft: RaftState, meta: SnapshotMeta | undefined): void {
  raft.takingSnapshot = false
  if (meta === undefined) {
    raft.logLine('error', 'failed to take a snapshot')
    for (const {token} of raft.snapshotTokens) raft.refuse(token, 'snapshot-failed')
    raft.snapshotTokens = []
    return
  }
  if (meta.index > (raft.snapshot?.index ?? 0)) adopt(raft, meta)
  answerSnapshotWishes(raft)
}

/** Uses a snapshot that the log goes along with: the entries behind it may go, but for a trail for slow followers. */
function adopt(raft: RaftState, meta: SnapshotMeta): void {
  raft.snapshot = meta
  raft.log.setSnapshot(meta.index, meta.term)
  raft.configurations.settle(meta.index)
  raft.compactDue = Math.min(meta.index, raft.log.lastIndex - raft.options.trailingEntries)
}

/** Drops entries that a snapshot covers, once nobody is reading them any more. */
export function compactLog(raft: RaftState): void {
  const upTo = Math.min(raft.compactDue, raft.log.persistedIndex)
  if (upTo < raft.log.firstIndex) return
  for (const from of raft.logReads.values()) if (from <= upTo) return
  raft.log.compact(upTo)
  raft.effects.push({do: 'compact-log', upTo})
}

/** The leader's snapshot is on our disk: it is used unless we have all that it holds, or it makes no sense. */
export function snapshotReceived(raft: RaftState, token: number, request: SnapshotRequest): void {
  const {meta} = request
  const turnDown = (success: boolean, needs = 0): void => {
    raft.effects.push({do: 'discard-snapshot', meta})
    raft.respond(token, {rpc: 'snapshot', term: raft.term, success}, needs)
  }
  if (!followSender(raft, request) || raft.installing !== undefined) return turnDown(false)
  if (meta.index <= raft.commitIndex) return turnDown(true, raft.disk.logNeeds(meta.index))
  const sound = meta.index > 0 && meta.term > 0 && meta.term <= request.term
  if (!sound || meta.configurationIndex > meta.index || checkConfiguration(meta.configuration).length > 0) {
    raft.logLine('error', `${request.leader} sent a snapshot without a sound index, term or configuration`)
    return turnDown(false)
  }
  raft.installing = {token, meta}
  raft.disk.after(raft.disk.hardStateNeeds, {do: 'restore-snapshot', meta}, raft.effects)
}

/**
 * The state machine holds the leader's snapshot. Where the log has the snapshot's last entry, what follows it stays;
 * any other log is replaced (Raft §7).
 */
export function snapshotRestored(raft: RaftState, meta: SnapshotMeta): void {
  const {installing, log} = raft
  if (installing?.meta.id !== meta.id) return
  raft.installing = undefined
  const keeps = log.termAt(meta.index) === meta.term
  for (const token of raft.pending.dropUpTo(meta.index)) raft.refuse(token, 'lost-leadership')
  raft.commitIndex = Math.max(raft.commitIndex, meta.index)
  raft.handedOut = meta.index
  raft.appliedIndex = meta.index
  raft.handedOutBytes = []
  raft.applyBytes = 0
  raft.configurations.restore(meta, !keeps)
  raft.committedConfigurationTold = meta.configurationIndex
  raft.tell({news: 'configuration', configuration: meta.configuration, committed: true})
  let needs = 0
  if (keeps) adopt(raft, meta)
  else needs = replaceLog(raft, meta)
  if (!raft.takingSnapshot) answerSnapshotWishes(raft)
  raft.respond(installing.token, {rpc: 'snapshot', term: raft.term, success: true}, needs)
}

/** Lets the log go on behind a snapshot that it has nothing to do with; returns the persist that does it. */
export function replaceLog(raft: RaftState, meta: SnapshotMeta): number {
  raft.disk.flush(raft.hardState, raft.effects)
  raft.snapshot = meta
  raft.disk.cut(0)
  raft.log.setSnapshot(meta.index, meta.term)
  raft.log.reset()
  raft.compactDue = 0
  return raft.disk.resetLog(meta.index + 1, raft.effects)
}
