import {readConfigurationEntry, setsConfiguration} from './configuration-entry.js'
import {findServer} from './membership.js'
import type {AppendRequest, LogEntry, Target} from './messages.js'
import {becomeFollower, heardLeader, setLeader} from './roles.js'
import {TERM_MAX} from './state.js'
import type {RaftState} from './state.js'
import type {ConfigurationAt} from './types.js'

/** Answers a leader's entries, or its heartbeat (`appendEntries`, hashicorp/raft raft.go). */
export function appendRequested(raft: RaftState, token: number, request: AppendRequest): void {
  const {log} = raft
  const endBefore = log.lastIndex
  const followed = followSender(raft, request)
  const promise = followed ? {loyalMs: raft.options.heartbeatTimeoutMs} : {}
  const answer = (success: boolean, {lastIndex = endBefore, noRetryBackoff = false, needs = 0} = {}): void =>
    raft.respond(
      token,
      {rpc: 'append', term: raft.term, lastIndex, success, noRetryBackoff, ...promise},
      needs,
    )
  if (!followed) return answer(false)
  if (request.prevIndex === 0 && request.prevTerm === 0 && request.entries.length === 0) return answer(true)
  const refusal = refuseEntries(raft, request)
  if (refusal !== undefined) return answer(false, refusal)
  const taken = takeEntries(raft, request)
  if (!taken) return answer(false)
  const lastIndex = request.prevIndex + request.entries.length
  raft.commitIndex = Math.max(raft.commitIndex, Math.min(request.leaderCommit, lastIndex))
  answer(true, {needs: raft.disk.logNeeds(lastIndex)})
}

/**
 * Follows the leader that a request of its comes from. Returns false when it does not lead us: its term is old or cannot be, or
 * it claims the term that we lead.
 */
export function followSender(
  raft: RaftState,
  request: {readonly term: number; readonly leaderId: Target['id']; readonly leader: Target['address']},
): boolean {
  if (request.term > TERM_MAX) return false
  if (request.term < raft.term) return false
  if (raft.role === 'leader' && request.term === raft.term) {
    raft.logLine('error', `${request.leader} claims to lead term ${raft.term}, which we lead`)
    return false
  }
  const leader = targetOf(raft, request.leaderId, request.leader)
  if (request.term > raft.term || raft.role !== 'follower') becomeFollower(raft, request.term, leader)
  else setLeader(raft, leader)
  heardLeader(raft)
  return true
}

function targetOf(raft: RaftState, id: Target['id'], address: Target['address']): Target {
  if (raft.leader?.address === address && (id === '' || raft.leader.id === id)) return raft.leader
  const server = findServer(raft.configurations.latest.configuration, id, address)
  return {id: server?.id ?? id, address}
}

/**
 * Why entries cannot go where they are meant to: the log has a gap before them, or another entry. The hint then
 * names where our log may agree, a whole run of one term back, but never before what is committed.
 */
function refuseEntries(
  raft: RaftState,
  {prevIndex, prevTerm}: AppendRequest,
): {lastIndex: number; noRetryBackoff: boolean} | undefined {
  const {log, commitIndex} = raft
  if (prevIndex > log.lastIndex) return {lastIndex: log.lastIndex, noRetryBackoff: true}
  const ours = log.termAt(prevIndex)
  // What was compacted away is committed and the same everywhere
  if (ours === undefined || ours === prevTerm) return undefined
  if (prevIndex <= commitIndex)
    raft.logLine('error', `the leader says that entry ${prevIndex}, which is committed, has term ${prevTerm}`)
  const runStart = prevIndex >= log.firstIndex ? log.runStart(prevIndex) : prevIndex
  return {lastIndex: Math.max(runStart - 1, Math.min(commitIndex, prevIndex - 1)), noRetryBackoff: true}
}

/** Puts entries into the log, replacing those that differ. Returns false, changing nothing, when they are not sound. */
function takeEntries(raft: RaftState, request: AppendRequest): boolean {
  const {log} = raft
  const {entries} = request
  if (!inOrder(request)) {
    raft.logLine('error', `${request.leader} sent entries that do not follow one another`)
    return false
  }
  let skip = 0
  for (const entry of entries) {
    if (entry.index > log.lastIndex) break
    const ours = log.termAt(entry.index)
    if (ours !== undefined && ours !== entry.term) break
    skip++
  }
  const first = entries[skip]
  if (first === undefined) return true
  if (first.index <= raft.commitIndex) {
    raft.logLine('error', `${request.leader} wants to replace entry ${first.index}, which is committed`)
    return false
  }
  const fresh = skip === 0 ? entries : entries.slice(skip)
  const configurations = readConfigurations(fresh)
  if (configurations === undefined) {
    raft.logLine('error', `${request.leader} sent a configuration that does not parse`)
    return false
  }
  if (first.index <= log.lastIndex) cutLog(raft, first.index)
  for (const entry of fresh) log.append(entry)
  for (const one of configurations) raft.configurations.append(one)
  if (configurations.length > 0) tellLatest(raft)
  return true
}

function inOrder({term, prevIndex, prevTerm, entries}: AppendRequest): boolean {
  let index = prevIndex
  let termBefore = prevTerm
  for (const entry of entries) {
    if (entry.index !== index + 1 || entry.term < termBefore || entry.term > term) return false
    index = entry.index
    termBefore = entry.term
  }
  return true
}

function readConfigurations(entries: readonly LogEntry[]): readonly ConfigurationAt[] | undefined {
  const found: ConfigurationAt[] = []
  for (const entry of entries) {
    if (!setsConfiguration(entry.type)) continue
    const configuration = readConfigurationEntry(entry.type, entry.data)
    if (configuration === undefined) return undefined
    found.push({index: entry.index, configuration})
  }
  return found
}

function cutLog(raft: RaftState, index: number): void {
  raft.disk.cut(index)
  raft.log.truncate(index)
  raft.logLine('warn', `clearing log suffix from ${index}`)
  if (raft.configurations.truncate(index)) tellLatest(raft)
}

function tellLatest(raft: RaftState): void {
  const {configuration} = raft.configurations.latest
  raft.tell({news: 'configuration', configuration, committed: false})
}
