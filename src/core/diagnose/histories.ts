import {sameServers} from '../model/configuration.js'
import {newestSnapshot} from '../model/disk-state.js'
import {valueOf} from '../model/reading.js'
import type {ServerFacts} from './server-facts.js'
import {isPeerOfAny} from './server-facts.js'

/**
 * How two logs relate. `same`: they agree at a shared index and conflict nowhere that was read. `forked`: one
 * history whose ends conflict. `foreign`: two histories. `unknown`: nothing that was read of both tells.
 */
export type LogRelation = 'same' | 'forked' | 'foreign' | 'unknown'

/** Agreement at the very start proves nothing: every bootstrap writes entry 1 in term 1. */
const TELLING_INDEX = 2

/** Index and term pairs known of a server's log and snapshots. */
function points(server: ServerFacts): ReadonlyMap<number, number> {
  const store = valueOf(server.server.store)
  const snapshots = (valueOf(server.server.snapshots) ?? []).filter(snapshot => !snapshot.temporary)
  const known = [
    ...snapshots,
    ...(store?.configurations ?? []),
    ...(store?.terms ?? []),
    ...(store === undefined ? [] : [{index: store.lastIndex, term: store.lastTerm}]),
    ...(server.end === undefined ? [] : [server.end]),
  ]
  return new Map(known.filter(point => point.index > 0).map(point => [point.index, point.term]))
}

function datacenterOf({server}: ServerFacts): string | undefined {
  return valueOf(server.api.self)?.datacenter ?? valueOf(server.config)?.datacenter
}

/** Whether one entry of both logs sets different peer sets, which log matching (Raft §5.3) forbids. */
function setsClash(a: ServerFacts, b: ServerFacts): boolean {
  const right = valueOf(b.server.store)?.configurations ?? []
  return (valueOf(a.server.store)?.configurations ?? []).some(entry => {
    const other = right.find(one => one.index === entry.index && one.term === entry.term)
    return other !== undefined && !sameServers(entry.configuration, other.configuration)
  })
}

/**
 * Compares two logs. Two histories are told by, in this order: another datacenter; one entry that sets different
 * peer sets; terms that differ where both are committed (snapshots) or below an index where they agree again; no
 * peer in common. A much higher term is no sign: lost elections raise terms at will.
 */
export function relateLogs(a: ServerFacts, b: ServerFacts): LogRelation {
  const [left, right] = [datacenterOf(a), datacenterOf(b)]
  if (left !== undefined && right !== undefined && left !== right) return 'foreign'
  if (setsClash(a, b)) return 'foreign'
  const theirs = points(b)
  const shared = [...points(a)].filter(([index]) => theirs.has(index))
  const clash = Math.min(
    ...shared.filter(([index, term]) => theirs.get(index) !== term).map(([index]) => index),
  )
  const agreement = Math.max(
    0,
    ...shared.filter(([index, term]) => theirs.get(index) === term).map(([index]) => index),
  )
  const committed = Math.min(snapshotIndex(a), snapshotIndex(b))
  if (clash <= committed || clash < agreement) return 'foreign'
  if (Number.isFinite(clash))
    return agreement >= TELLING_INDEX || havePeersInCommon(a, b) ? 'forked' : 'foreign'
  if (agreement >= TELLING_INDEX) return 'same'
  return havePeersInCommon(a, b) === false ? 'foreign' : 'unknown'
}

function snapshotIndex({server}: ServerFacts): number {
  return newestSnapshot(valueOf(server.snapshots) ?? [])?.index ?? 0
}

/** Whether the two peer sets share a peer; undefined when one of them is empty or was not read. */
function havePeersInCommon(a: ServerFacts, b: ServerFacts): boolean | undefined {
  const [left, right] = [a.believed?.servers ?? [], b.believed?.servers ?? []]
  if (left.length === 0 || right.length === 0) return undefined
  return left.some(peer => isPeerOfAny(peer, right))
}
