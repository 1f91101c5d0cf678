import {knownPoints as pointsOf} from '../diagnose/histories.js'
import {compareLogEnds} from '../model/ids.js'
import type {LogEnd} from '../model/ids.js'
import {valueOf} from '../model/reading.js'
import type {Candidate} from './situation.js'
import type {KeptLog} from './strategy.js'
import {lacksCommit} from './strategy.js'

/** A survivor in its place, with the reason why it stands there. */
export interface Ranked {
  readonly candidate: Candidate
  readonly end: LogEnd
  readonly reason: string
}

const isVoter = (candidate: Candidate): boolean => candidate.peer?.suffrage !== 'nonvoter'

/** Positions of a candidate's log of which index and term are known together. */
export function knownPoints(candidate: Candidate): ReadonlyMap<number, number> {
  return pointsOf({server: candidate.seen, end: candidate.end})
}

/** A candidate's log as the strategy weighs it; undefined when its end is unknown. */
export function keptLog(candidate: Candidate): KeptLog | undefined {
  const {end} = candidate
  if (end === undefined) return undefined
  const points = knownPoints(candidate)
  return {
    host: candidate.host,
    voter: isVoter(candidate),
    end,
    termAt: index => points.get(index),
    committed: Math.min(candidate.committed, end.index),
  }
}

/** The address that was voted for in the last term of the best logs: whoever wrote their last entries. */
function lastLeaderAddress(candidates: readonly Candidate[]): string | undefined {
  for (const candidate of candidates) {
    const store = valueOf(candidate.seen.store)
    if (store !== undefined && store.lastTerm > 0 && store.lastVoteTerm === store.lastTerm)
      return store.lastVoteCandidate
  }
  return undefined
}

/** The criteria in their order; each orders two candidates (negative: `a` first) and says why. */
function criteria(
  leader: string | undefined,
  lacking: ReadonlyMap<Candidate, string>,
): readonly {readonly order: (a: Candidate, b: Candidate) => number; readonly why: string}[] {
  const led = (one: Candidate): boolean =>
    leader !== undefined && leader !== '' && (String(one.address) === leader || String(one.id) === leader)
  const termOf = (one: Candidate): number => one.end?.term ?? -1
  const indexOf = (one: Candidate): number => one.end?.index ?? -1
  return [
    {order: (a, b) => Number(isVoter(b)) - Number(isVoter(a)), why: 'a voter comes before a nonvoter'},
    {
      order: (a, b) => Number(lacking.has(a)) - Number(lacking.has(b)),
      why: 'it lacks no entry that is known to be committed',
    },
    {order: (a, b) => termOf(b) - termOf(a), why: 'its last term is higher'},
    {order: (a, b) => indexOf(b) - indexOf(a), why: 'same last term, and its last index is higher'},
    {order: (a, b) => b.committed - a.committed, why: 'same log end, and it knows of more commits'},
    {order: (a, b) => Number(led(b)) - Number(led(a)), why: 'same log end, and it was the last leader'},
    {
      order: (a, b) => (String(a.id ?? a.host) < String(b.id ?? b.host) ? -1 : 1),
      why: 'same log end; its id sorts first',
    },
  ]
}

/**
 * Ranks survivors of one history: voter, holding what is known to be committed, last term, last index, known commits,
 * last leader, then id, so that the order is the same on every run. The current term plays no part: each lost election raises it, whatever the data.
 */
export function rankSurvivors(candidates: readonly Candidate[]): readonly Ranked[] {
  const lacking = lackingCommits(candidates)
  const rules = criteria(lastLeaderAddress([...candidates].sort(byEnd)), lacking)
  const decide = (a: Candidate, b: Candidate): {readonly order: number; readonly why: string} => {
    for (const rule of rules) {
      const order = rule.order(a, b)
      if (order !== 0) return {order, why: rule.why}
    }
    return {order: 0, why: ''}
  }
  const withEnd = candidates.filter(one => one.end !== undefined)
  const sorted = [...withEnd].sort((a, b) => decide(a, b).order)
  return sorted.flatMap((candidate, place) => {
    const {end} = candidate
    if (end === undefined) return []
    const next = sorted[place + 1]
    return [
      {
        candidate,
        end,
        reason: reasonOf(
          candidate,
          sorted[0],
          next === undefined ? '' : decide(candidate, next).why,
          lacking.get(candidate),
        ),
      },
    ]
  })
}

/** Candidates that lack an entry which another one knows to be committed, with that one's host. */
function lackingCommits(candidates: readonly Candidate[]): ReadonlyMap<Candidate, string> {
  const found = new Map<Candidate, string>()
  const logs = candidates.flatMap(candidate => {
    const log = keptLog(candidate)
    return log === undefined ? [] : [{candidate, log}]
  })
  for (const {candidate, log} of logs) {
    const other = logs.find(one => one.log !== log && lacksCommit(log, one.log))
    if (other !== undefined) found.set(candidate, other.candidate.host)
  }
  return found
}

const byEnd = (a: Candidate, b: Candidate): number =>
  a.end === undefined || b.end === undefined ? 0 : compareLogEnds(b.end, a.end)

function reasonOf(
  candidate: Candidate,
  best: Candidate | undefined,
  overNext: string,
  lacks: string | undefined,
): string {
  if (best === undefined || candidate === best)
    return overNext === '' ? 'the only log there is' : `best: ${overNext}`
  const mine = candidate.end
  const top = best.end
  if (mine === undefined || top === undefined) return 'its log was not read'
  if (!isVoter(candidate) && isVoter(best)) return 'a nonvoter'
  if (lacks !== undefined) return `lacks an entry that ${lacks} knows to be committed`
  if (mine.term < top.term) return `last term ${mine.term}, behind ${top.term}`
  const gap = top.index - mine.index
  if (gap > 0) return `${gap} ${gap === 1 ? 'entry' : 'entries'} behind`
  return 'ends as the best does'
}
