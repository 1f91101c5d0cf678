import {assert} from '../assert.js'
import {entryBytes} from './log.js'
import {isVoter} from './membership.js'
import type {LogEntry} from './messages.js'
import type {RaftState} from './state.js'

/**
 * Gives out what is committed and on our own disk, in order, as far as the state machine keeps up. It waits while
 * the state machine is being loaded with a snapshot.
 */
export function applyCommitted(raft: RaftState): void {
  tellCommitted(raft)
  const {log} = raft
  const {applyEntriesMax, applyBytesMax} = raft.options.limits
  if (raft.installing !== undefined || raft.applyReadId !== undefined) return
  for (;;) {
    const to = Math.min(raft.commitIndex, log.persistedIndex)
    const room = applyEntriesMax - (raft.handedOut - raft.appliedIndex)
    if (raft.handedOut >= to || room <= 0 || raft.applyBytes >= applyBytesMax) return
    const from = raft.handedOut + 1
    const entries = log.slice(from, to, room, applyBytesMax - raft.applyBytes)
    if (entries === undefined) {
      raft.applyReadId = raft.readLog(from, Math.min(to, from + room - 1), applyBytesMax - raft.applyBytes)
      return
    }
    handOut(raft, entries)
  }
}

function handOut(raft: RaftState, entries: readonly LogEntry[]): void {
  let bytes = 0
  for (const entry of entries) bytes += entryBytes(entry)
  raft.handedOut += entries.length
  raft.handedOutBytes.push({index: raft.handedOut, bytes})
  raft.applyBytes += bytes
  raft.effects.push({do: 'apply', entries})
}

/** Entries to apply have been read from disk. */
export function applyLogRead(raft: RaftState, readId: number, entries: readonly LogEntry[]): void {
  if (raft.applyReadId !== readId) return
  raft.applyReadId = undefined
  const fits = entries[0]?.index === raft.handedOut + 1 && raft.log.holds(entries)
  if (raft.installing === undefined && fits) handOut(raft, entries)
}

/** The state machine has come to `index`: wishes up to there are done. */
export function appliedUpTo(raft: RaftState, index: number): void {
  assert(index <= raft.handedOut, 'only what was given out can be applied')
  if (index <= raft.appliedIndex) return
  raft.appliedIndex = index
  let count = 0
  for (const one of raft.handedOutBytes) {
    if (one.index > index) break
    raft.applyBytes -= one.bytes
    count++
  }
  raft.handedOutBytes.splice(0, count)
  raft.pending.take(index, (token, at) => raft.effects.push({do: 'done', token, index: at}))
  const {leadership} = raft
  if (leadership === undefined || leadership.established || index < leadership.startIndex) return
  leadership.established = true
  raft.tell({news: 'established', term: raft.term})
}

function tellCommitted(raft: RaftState): void {
  const {index, configuration} = raft.configurations.asOf(raft.commitIndex)
  if (index <= raft.committedConfigurationTold) return
  raft.committedConfigurationTold = index
  raft.tell({news: 'configuration', configuration, committed: true})
  if (!isVoter(configuration, raft.options.id))
    raft.logLine('info', 'this server has no vote in the committed configuration')
}
