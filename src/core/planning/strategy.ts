import type {LogEnd} from '../model/ids.js'
import {compareLogEnds} from '../model/ids.js'
import {quorumSize} from '../model/quorum.js'

/** A log that would be kept, as strategy and data statement weigh it. */
export interface KeptLog {
  readonly host: string
  readonly voter: boolean
  readonly end: LogEnd
  /** Term of its entry at an index; undefined when that was not read. */
  readonly termAt: (index: number) => number | undefined
  /** Up to here it knows its own entries to be committed; 0 when it knows nothing. */
  readonly committed: number
}

/**
 * Whether a log certainly lacks an entry that another one knows to be committed. It happens when too few survive: an
 * entry of an old term that was committed by a later leader stands on a server whose log ends before that leader's
 * entries, and a tail that never was committed, of a term between, outranks it by Raft's order.
 */
export function lacksCommit(log: KeptLog, other: KeptLog): boolean {
  if (other.committed === 0) return false
  if (log.end.index < other.committed) return log.end.term > (other.termAt(other.committed) ?? log.end.term)
  const [mine, theirs] = [log.termAt(other.committed), other.termAt(other.committed)]
  return mine !== undefined && theirs !== undefined && mine !== theirs
}

/** Up to where the best log is known to hold what was committed: by its own word, or by another's that it agrees with. */
export function committedFloor(best: KeptLog, logs: readonly KeptLog[]): number {
  const floors = logs
    .filter(log => {
      const at = best.termAt(log.committed)
      return log.committed <= best.end.index && at !== undefined && at === log.termAt(log.committed)
    })
    .map(log => log.committed)
  return Math.max(0, Math.min(best.committed, best.end.index), ...floors)
}

/** How a shorter or equal log lies to the best one. `unknown`: its end was not found again in the best log. */
export type Tail = 'same' | 'behind' | 'conflicts' | 'unknown'

/**
 * How `other` lies to `best`. Two logs that hold an entry of the same index and term are equal up to there
 * (Raft §5.3, Log Matching), so one comparison at the end of the shorter log decides. With the same last term the
 * shorter one is a prefix: both got their tail from the one leader of that term. A log that is longer, though of an
 * older term, conflicts for certain.
 */
export function tailOf(best: KeptLog, other: KeptLog): Tail {
  const order = compareLogEnds(best.end, other.end)
  if (order === 0) return 'same'
  if (order < 0 || other.end.index > best.end.index) return 'conflicts'
  if (other.end.index === 0 || other.end.term === best.end.term) return 'behind'
  const there = best.termAt(other.end.index)
  if (there === undefined) return 'unknown'
  return there === other.end.term ? 'behind' : 'conflicts'
}

/** The same recovery file for all, or the best log alone with the reason why the others cannot come along. */
export type Strategy =
  | {readonly kind: 'same-file'; readonly why: string}
  | {readonly kind: 'best-log-alone'; readonly why: string; readonly conflicting: readonly string[]}

/**
 * Decides how survivors recover. `ranked` has the best log first. The same file for all is taken only when no
 * quorum of the new set can be formed without a holder of the best log and when every other log is a prefix of it:
 * recovery counts every entry of a log as committed, so a tail that conflicts would live on in a snapshot beside
 * another one. The tempting rule, "most survivors are enough", is rejected: two that end at 8 elect each other and
 * entries 9 and 10, committed with the dead, are gone.
 */
export function chooseStrategy(ranked: readonly KeptLog[]): Strategy {
  const [best, ...others] = ranked
  if (best === undefined) return {kind: 'same-file', why: 'there is no log'}
  const bad = others.filter(other => !['same', 'behind'].includes(tailOf(best, other)))
  if (bad.length > 0) {
    const known = bad.filter(other => tailOf(best, other) === 'conflicts').map(other => other.host)
    const why =
      known.length > 0
        ? `the log of ${known.join(' and ')} ends in entries that ${best.host} does not have`
        : `it cannot be told whether ${bad.map(other => other.host).join(' and ')} end in entries that ${best.host} does not have`
    return {kind: 'best-log-alone', why, conflicting: bad.map(other => other.host)}
  }
  const voting = ranked.filter(one => one.voter)
  const behind = voting.filter(one => compareLogEnds(one.end, best.end) < 0)
  if (behind.length >= quorumSize(voting.length) && voting.length > 1) {
    return {
      kind: 'best-log-alone',
      why: `${behind.map(one => one.host).join(', ')} are behind ${best.host} and could elect a leader without it`,
      conflicting: [],
    }
  }
  const why =
    voting.length <= 1
      ? `${best.host} is the only voter kept`
      : behind.length === 0
        ? 'the kept logs end alike'
        : `no quorum of ${quorumSize(voting.length)} can be formed without a holder of the best log`
  return {kind: 'same-file', why}
}
