import {sameServers} from '../model/configuration.js'
import {newestSnapshot} from '../model/disk-state.js'
import type {LogEnd} from '../model/ids.js'
import type {ServerObservation} from '../model/observation.js'
import {valueOf} from '../model/reading.js'
import type {ServerFacts} from './server-facts.js'
import {isPeerOfAny} from './server-facts.js'

/** A log as it is compared: what was read of its server, and where it ends. */
export interface LogView {
  readonly server: ServerObservation
  readonly end: LogEnd | undefined
}

/**
 * What was read of two logs shows of each other. `same`: they agree above the start and conflict nowhere. `forked`:
 * they agree above the start and conflict after it. `foreign`: two histories for certain. `clash`: they conflict, and
 * agree at most on the entry that every bootstrap writes (`sharesStart`). `silent`: no shared point was read.
 */
export type LogComparison =
  | {readonly kind: 'same' | 'forked' | 'foreign'; readonly why: string}
  | {readonly kind: 'clash'; readonly why: string; readonly sharesStart: boolean}
  | {readonly kind: 'silent'}

/** Agreement at the very start proves nothing: every bootstrap writes entry 1 in term 1. */
const TELLING_INDEX = 2

/** Positions of which index and term are known together: snapshots, membership entries, points read, the end. */
export function knownPoints({server, end}: LogView): ReadonlyMap<number, number> {
  const store = valueOf(server.store)
  const snapshots = (valueOf(server.snapshots) ?? []).filter(snapshot => !snapshot.temporary)
  const known = [
    ...snapshots,
    ...(store?.configurations ?? []),
    ...(store?.terms ?? []),
    ...(store === undefined ? [] : [{index: store.lastIndex, term: store.lastTerm}]),
    ...(end === undefined ? [] : [end]),
  ]
  return new Map(known.filter(point => point.index > 0).map(point => [point.index, point.term]))
}

/** The datacenter a server says it is of: by its API, else by its settings. */
export function datacenterOf(server: ServerObservation): string | undefined {
  return valueOf(server.api.self)?.datacenter ?? valueOf(server.config)?.datacenter
}

const snapshotIndex = ({server}: LogView): number =>
  newestSnapshot(valueOf(server.snapshots) ?? [])?.index ?? 0

/** The index of one entry of both logs that sets different peer sets. */
function setsClash(a: LogView, b: LogView): number | undefined {
  const right = valueOf(b.server.store)?.configurations ?? []
  return (valueOf(a.server.store)?.configurations ?? []).find(entry => {
    const other = right.find(one => one.index === entry.index && one.term === entry.term)
    return other !== undefined && !sameServers(entry.configuration, other.configuration)
  })?.index
}

/** The highest index at which the terms agree, 0 without one, and the lowest at which they differ, else infinity. */
function sharedPoints(a: LogView, b: LogView): {readonly agreement: number; readonly clash: number} {
  const theirs = knownPoints(b)
  const shared = [...knownPoints(a)].filter(([index]) => theirs.has(index))
  const agrees = ([index, term]: readonly [number, number]): boolean => theirs.get(index) === term
  const clash = Math.min(...shared.filter(point => !agrees(point)).map(([index]) => index))
  const agreement = Math.max(0, ...shared.filter(agrees).map(([index]) => index))
  return {agreement, clash}
}

/**
 * Where two logs that clash and agree nowhere yet should be read as well: 1, 2, 4, … entries below the clash. A tail
 * that was not committed is short, so logs of one history agree near it. Nothing is asked for in the lower half: low
 * down two histories agree by chance, since every cluster starts with the same few terms.
 */
export function positionsBelowClash(a: LogView, b: LogView): readonly number[] {
  if (compareLogs(a, b).kind !== 'clash') return []
  const {clash} = sharedPoints(a, b)
  const positions: number[] = []
  for (let below = 1; clash - below > Math.max(clash / 2, TELLING_INDEX); below *= 2)
    positions.push(clash - below)
  return positions
}

/**
 * Compares two logs. Two histories are told apart by, in this order: the datacenter; one entry that sets different
 * peer sets; terms that differ where both sides are known to be committed (snapshots), or below an index where they
 * agree again, which Log Matching (Raft §5.3) forbids within one history. The tempting sign, a much higher term, is
 * none: lost elections raise terms at will.
 */
export function compareLogs(a: LogView, b: LogView): LogComparison {
  const [left, right] = [datacenterOf(a.server), datacenterOf(b.server)]
  if (left !== undefined && right !== undefined && left !== right)
    return {kind: 'foreign', why: `datacenter ${left} and ${right}`}
  const set = setsClash(a, b)
  if (set !== undefined) return {kind: 'foreign', why: `entry ${set} sets another peer set`}
  const {agreement, clash} = sharedPoints(a, b)
  const committed = Math.min(snapshotIndex(a), snapshotIndex(b))
  const telling = agreement >= TELLING_INDEX
  if (!Number.isFinite(clash))
    return telling ? {kind: 'same', why: `the same term at index ${agreement}`} : {kind: 'silent'}
  const why = `the terms differ at index ${clash}`
  if (clash <= committed || clash < agreement) return {kind: 'foreign', why}
  if (telling) return {kind: 'forked', why: `the same term at index ${agreement}, different tails after it`}
  return {kind: 'clash', why, sharesStart: agreement > 0}
}

/**
 * How two logs relate. `same`: they agree at a shared index and conflict nowhere that was read. `forked`: one
 * history whose ends conflict. `foreign`: two histories. `unknown`: nothing that was read of both tells.
 */
export type LogRelation = 'same' | 'forked' | 'foreign' | 'unknown'

/** Judges two logs for a diagnosis; where the logs do not tell, servers without a peer in common are strangers. */
export function relateLogs(a: ServerFacts, b: ServerFacts): LogRelation {
  const {kind} = compareLogs(a, b)
  if (kind !== 'clash' && kind !== 'silent') return kind
  const common = havePeersInCommon(a, b)
  if (common === false) return 'foreign'
  return kind === 'clash' && common === true ? 'forked' : 'unknown'
}

/** Whether the two peer sets share a peer; undefined when one of them is empty or was not read. */
function havePeersInCommon(a: ServerFacts, b: ServerFacts): boolean | undefined {
  const [left, right] = [a.believed?.servers ?? [], b.believed?.servers ?? []]
  if (left.length === 0 || right.length === 0) return undefined
  return left.some(peer => isPeerOfAny(peer, right))
}
