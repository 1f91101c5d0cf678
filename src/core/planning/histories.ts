import {compareLogs} from '../diagnose/histories.js'
import type {Candidate} from './situation.js'

/** How the logs of two servers lie to each other. */
export type Relation =
  | {readonly kind: 'same'; readonly why: string}
  | {readonly kind: 'different'; readonly why: string}
  | {readonly kind: 'unknown'; readonly why: string}

/**
 * Whether two logs are of one history, by what was read of them; a fork is one history with different tails. Where the
 * logs do not tell, peer sets that name each other hold them for one, unless the logs conflict as well.
 */
export function relationOf(a: Candidate, b: Candidate): Relation {
  const found = compareLogs({server: a.seen, end: a.end}, {server: b.seen, end: b.end})
  switch (found.kind) {
    case 'foreign':
      return {kind: 'different', why: found.why}
    case 'same':
    case 'forked':
      return {kind: 'same', why: found.why}
    case 'clash':
      return {kind: found.sharesStart && mutual(a, b) ? 'unknown' : 'different', why: found.why}
    case 'silent':
      return mutual(a, b)
        ? {kind: 'same', why: 'their peer sets name each other'}
        : {
            kind: 'unknown',
            why: 'no shared point of their logs was read, and their peer sets do not name each other',
          }
  }
}

/** Whether each peer set names the other server. A live list need not hold the server itself. */
function mutual(a: Candidate, b: Candidate): boolean {
  const names = (of: Candidate, whom: Candidate): boolean =>
    of.believed.configuration?.servers.some(
      server => server.id === whom.peer?.id || server.address === whom.address,
    ) === true
  return names(a, b) && names(b, a)
}

/** Servers whose logs are of one history, with the reason that set them apart from the first group. */
export interface History {
  readonly members: readonly Candidate[]
  readonly apartBecause: string | undefined
}

/**
 * Sorts servers that hold a log into histories. Where the relation of two is unknown they stay apart: a foreign log
 * taken in is worse than a question asked.
 */
export function historiesOf(candidates: readonly Candidate[]): readonly History[] {
  const groups: {members: Candidate[]; why: string | undefined}[] = []
  for (const candidate of candidates.filter(one => !one.blank && one.end !== undefined)) {
    const relations = groups.map(group => group.members.map(member => relationOf(member, candidate)))
    const place = relations.findIndex(
      list => list.some(one => one.kind === 'same') && !list.some(one => one.kind === 'different'),
    )
    const group = groups[place]
    if (group !== undefined) group.members.push(candidate)
    else groups.push({members: [candidate], why: relations[0]?.[0]?.why})
  }
  return groups.map(group => ({members: group.members, apartBecause: group.why}))
}
