import type {LogEnd} from '../model/ids.js'
import {logIndex, term} from '../model/ids.js'
import type {DataStatement} from '../model/plan.js'
import {quorumSize} from '../model/quorum.js'

/** What the statement on data rests on. All counts are of voters. */
export interface DataQuestion {
  /** The sizes of every peer set under which entries may have been committed: the latest, and one still in flight. */
  readonly sets: readonly {
    readonly voters: number
    /** How many of them had their log read and found no better than the best log kept. */
    readonly compared: number
  }[]
  /** Whether the servers agree on the peer set and it is known to all. */
  readonly agreed: boolean
  readonly best: {readonly host: string; readonly end: LogEnd}
  /** Entries up to here are known to be committed; 0 when nothing is known. */
  readonly committed: number
  /** Term of the best log at `committed`, when it was read. */
  readonly committedTerm: number | undefined
}

/** The statement for ways that leave every log as it is and elect by Raft's own rules. */
export function nothingLost(sentence: string): DataStatement {
  return {
    kept: {all: true, upTo: undefined, why: sentence},
    added: undefined,
    lost: 'nothing',
    sentences: [sentence],
  }
}

/**
 * What a recovery from the best log keeps, adds and may lose. A commit is on a quorum of its peer set; when more
 * voters were compared than a quorum can leave out, one of them holds it, and the best log of those compared holds
 * whatever any of them holds (the election restriction, Raft §5.4.1). The recovered leader has exactly the best
 * log, so everything in it counts as committed from then on, acknowledged or not. Assumes intact logs of one
 * history, and that no leader can be elected without a holder of the best log (`chooseStrategy`).
 */
export function dataStatement(question: DataQuestion): DataStatement {
  const {best, committed, sets} = question
  const seen = sets.every(set => set.compared > set.voters - quorumSize(set.voters))
  const all = question.agreed && seen && sets.length > 0
  const floor = Math.min(committed, best.end.index)
  const added = best.end.index > floor ? {from: floor, to: Number(best.end.index)} : undefined
  const keptSentence = all ? allKeptSentence(question) : partlyKeptSentence(question, floor)
  const sentences = [keptSentence, addedSentence(best.host, added)]
  if (!all) sentences.push(lostSentence(question, seen, floor))
  return {
    kept: {all, upTo: all ? best.end : endAt(question, floor), why: keptSentence},
    added,
    lost: all ? 'nothing-committed' : 'unknown',
    sentences,
  }
}

function endAt(question: DataQuestion, index: number): LogEnd | undefined {
  if (index === 0) return undefined
  return {index: logIndex(index), term: term(question.committedTerm ?? 0)}
}

const plural = (count: number, one: string, many: string): string => (count === 1 ? one : many)

function tightest(question: DataQuestion): {readonly voters: number; readonly compared: number} {
  const margin = (set: {readonly voters: number; readonly compared: number}): number =>
    set.compared - (set.voters - quorumSize(set.voters))
  return [...question.sets].sort((a, b) => margin(a) - margin(b))[0] ?? {voters: 0, compared: 0}
}

function allKeptSentence(question: DataQuestion): string {
  const everyLog = question.sets.every(set => set.compared === set.voters)
  const most = Math.max(...question.sets.map(set => set.voters))
  const {voters, compared} = everyLog ? {voters: most, compared: most} : tightest(question)
  const quorum = quorumSize(voters)
  const reach =
    compared === voters
      ? `all ${voters} logs were read`
      : `a commit needed ${quorum} of ${voters} voters, so any ${compared} include one that has it`
  return `Nothing committed is lost: ${voters === 1 ? 'the only log was read' : reach}; the best log, of ${question.best.host}, is kept.`
}

function partlyKeptSentence(question: DataQuestion, floor: number): string {
  const {best} = question
  if (floor === 0)
    return `Kept is what the log of ${best.host} holds, up to ${best.end.index}; how much of it was committed is not known.`
  return `Surely kept is everything committed up to ${floor}, and with it what the log of ${best.host} holds up to ${best.end.index}.`
}

function addedSentence(host: string, added: DataStatement['added']): string {
  if (added === undefined) return 'Nothing is added: the end of the best log is known to be committed.'
  const count = added.to - added.from
  const range = count === 1 ? `entry ${added.to}` : `entries ${added.from + 1} to ${added.to}`
  const known = added.from === 0 ? '; how far they were committed before is not known' : ''
  return `Up to ${count} ${plural(count, 'entry', 'entries')} of ${host} (${range}) will be committed though perhaps never acknowledged${known}.`
}

function lostSentence(question: DataQuestion, seen: boolean, floor: number): string {
  const {voters, compared} = tightest(question)
  if (seen) return 'What may be lost is not known: the servers do not agree on the peer set that committed.'
  const after = floor === 0 ? '' : ` after ${floor}`
  return (
    `May be lost: what was committed${after} without a server that was read. A commit needed ${quorumSize(voters)} ` +
    `of ${voters} voters, and ${compared} ${plural(compared, 'was', 'were')} read.`
  )
}
