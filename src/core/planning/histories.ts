import type {Configuration} from '../model/configuration.js'
import {sameServers} from '../model/configuration.js'
import {newestSnapshot} from '../model/disk-state.js'
import {valueOf} from '../model/reading.js'
import type {Candidate} from './situation.js'
import {knownPoints} from './survivors.js'

/** How the logs of two servers lie to each other. */
export type Relation =
  | {readonly kind: 'same'; readonly why: string}
  | {readonly kind: 'different'; readonly why: string}
  | {readonly kind: 'unknown'; readonly why: string}

/** Every peer set a server's files tell of, by the index that set it. */
function configurationsOf(candidate: Candidate): ReadonlyMap<number, Configuration> {
  const found = new Map<number, Configuration>()
  for (const entry of valueOf(candidate.seen.store)?.configurations ?? [])
    found.set(entry.index, entry.configuration)
  return found
}

const snapshotIndex = (candidate: Candidate): number =>
  newestSnapshot(valueOf(candidate.seen.snapshots) ?? [])?.index ?? 0

/** Agreement at the very start proves nothing: every bootstrap writes entry 1 in term 1. */
const TELLING_INDEX = 2

/**
 * Whether two logs are of one history. Told apart by, in this order: the datacenter; membership entries at one index
 * that name different servers; terms that differ where both sides are known to be committed (snapshots), or differ
 * below a point where they agree again, which Log Matching (Raft §5.3) forbids within one history. Held for one by:
 * an index above the bootstrap entry where the terms agree; else peer sets that name each other. The tempting
 * sign, a much higher term, is rejected: lost elections raise terms at will.
 */
export function relationOf(a: Candidate, b: Candidate): Relation {
  if (a.datacenter !== undefined && b.datacenter !== undefined && a.datacenter !== b.datacenter)
    return {kind: 'different', why: `datacenter ${a.datacenter} and ${b.datacenter}`}
  const sets = configurationsOf(b)
  const bootstrapDiffers = [...configurationsOf(a)].find(([index, configuration]) => {
    const other = sets.get(index)
    return other !== undefined && termsAgree(a, b, index) && !sameServers(configuration, other)
  })
  if (bootstrapDiffers !== undefined)
    return {kind: 'different', why: `entry ${bootstrapDiffers[0]} sets another peer set`}
  const points = comparePoints(a, b)
  const committed = Math.min(snapshotIndex(a), snapshotIndex(b))
  if (points.firstClash !== undefined) {
    if (points.firstClash <= committed || points.firstClash < points.lastAgreement)
      return {kind: 'different', why: `the terms differ at index ${points.firstClash}`}
    if (points.lastAgreement >= TELLING_INDEX)
      return {kind: 'same', why: `the same term at index ${points.lastAgreement}, different tails after it`}
    return mutual(a, b) && points.lastAgreement > 0
      ? {kind: 'unknown', why: `the terms differ at index ${points.firstClash}`}
      : {kind: 'different', why: `the terms differ at index ${points.firstClash}`}
  }
  if (points.lastAgreement >= TELLING_INDEX)
    return {kind: 'same', why: `the same term at index ${points.lastAgreement}`}
  return mutual(a, b)
    ? {kind: 'same', why: 'their peer sets name each other'}
    : {
        kind: 'unknown',
        why: 'no shared point of their logs was read, and their peer sets do not name each other',
      }
}

function termsAgree(a: Candidate, b: Candidate, index: number): boolean {
  const left = knownPoints(a).get(index)
  return left !== undefined && left === knownPoints(b).get(index)
}

function comparePoints(
  a: Candidate,
  b: Candidate,
): {
  readonly lastAgreement: number
  readonly firstClash: number | undefined
} {
  const other = knownPoints(b)
  let lastAgreement = 0
  let firstClash: number | undefined
  for (const [index, atTerm] of knownPoints(a)) {
    const there = other.get(index)
    if (there === undefined) continue
    if (there === atTerm) lastAgreement = Math.max(lastAgreement, index)
    else firstClash = firstClash === undefined ? index : Math.min(firstClash, index)
  }
  return {lastAgreement, firstClash}
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
