import type {Configuration} from './configuration.js'
import type {LogEnd} from './ids.js'
import {logIndex, serverAddress, serverId, term} from './ids.js'
import type {RaftStats, ServerObservation, SnapshotMeta, StoreState} from './observation.js'
import type {Reading} from './reading.js'
import {isAbsent, valueOf} from './reading.js'

/** What a server will take as its own when it starts on the files it has now. */
export interface DiskState {
  /** The end of log and snapshot together; index 0 is the knowledge that both are empty, undefined that we do not know. */
  readonly end: LogEnd | undefined
  /** The peer set it will use at start. Undefined when unknown, and for a blank server, which has none. */
  readonly configuration: Configuration | undefined
  /** Whether `configuration` is knowledge; false means that the peer set may be any. */
  readonly configurationKnown: boolean
  /** Whether it certainly holds neither entries nor a snapshot. */
  readonly blank: boolean
  /** What stood in the way of knowing more; one sentence each. */
  readonly problems: readonly string[]
}

/**
 * Whether a server keeps its peer set in a live peers.json (Consul up to 0.6) instead of in its log. Without a
 * version the files decide: node-id came with Consul 0.7.3 and peers.info with 0.7.0.
 */
export function isLegacyConsul(server: ServerObservation): boolean {
  if (valueOf(server.product) !== 'consul') return false
  const version = valueOf(server.version)
  if (version !== undefined) {
    const match = /^v?(\d+)\.(\d+)/.exec(version)
    if (match) return Number(match[1]) === 0 && Number(match[2]) < 7
  }
  const noPeersInfo = valueOf(server.peersInfo) === false || isAbsent(server.peersInfo)
  return noPeersInfo && server.peersFile.kind === 'read' && isAbsent(server.nodeId)
}

/**
 * The snapshot a server restores at start: the newest by term, index and id that is complete and not known to be
 * damaged (`getSnapshots` and its sort in hashicorp/raft, file_snapshot.go).
 */
export function newestSnapshot(snapshots: readonly SnapshotMeta[]): SnapshotMeta | undefined {
  const usable = snapshots.filter(snapshot => !snapshot.temporary && valueOf(snapshot.intact) !== false)
  return [...usable].sort(
    (a, b) => b.term - a.term || b.index - a.index || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0),
  )[0]
}

const why = (reading: Reading<unknown>): string =>
  reading.kind === 'read' ? '' : `${reading.why}${reading.detail === undefined ? '' : `: ${reading.detail}`}`

/**
 * What a stopped server holds, from its files alone: log and snapshot, whichever reaches further, and the newest
 * membership entry above the snapshot, committed or not (`NewRaft` in hashicorp/raft, api.go). For Consul up to
 * 0.6 the peer set is its live peers.json. Nothing unread is taken for empty.
 */
export function diskState(server: ServerObservation): DiskState {
  const state = logState(server.store, server.snapshots)
  if (!isLegacyConsul(server)) return state
  const problems = [...state.problems]
  return {...state, ...liveList(server, problems), problems}
}

/** The same from a log store and snapshots alone, for a server that is known to keep its peer set in them. */
export function logState(
  storeReading: Reading<StoreState>,
  snapshotsReading: Reading<readonly SnapshotMeta[]>,
): DiskState {
  const problems: string[] = []
  const snapshots = valueOf(snapshotsReading) ?? (isAbsent(snapshotsReading) ? [] : undefined)
  if (snapshots === undefined) problems.push(`Its snapshots were not read (${why(snapshotsReading)}).`)
  const storeAbsent = isAbsent(storeReading)
  const store = valueOf(storeReading)
  if (store === undefined && !storeAbsent) problems.push(`Its log was not read (${why(storeReading)}).`)
  const snapshot = snapshots === undefined ? undefined : newestSnapshot(snapshots)
  const seen = snapshots !== undefined && (store !== undefined || storeAbsent)
  const end = seen ? furtherEnd(store, snapshot) : undefined
  const blank = end?.index === 0
  const known = {end, blank, problems}
  if (blank) return {...known, configuration: undefined, configurationKnown: true}
  if (!seen) return {...known, configuration: undefined, configurationKnown: false}
  return {...known, ...logConfiguration(store, snapshot, problems)}
}

type Known = Pick<DiskState, 'configuration' | 'configurationKnown'>
type Store = StoreState | undefined

function furtherEnd(store: Store, snapshot: SnapshotMeta | undefined): LogEnd {
  const log: LogEnd = {index: store?.lastIndex ?? logIndex(0), term: store?.lastTerm ?? term(0)}
  return snapshot !== undefined && snapshot.index > log.index
    ? {index: snapshot.index, term: snapshot.term}
    : log
}

/** The newest membership entry above the snapshot; searched from the end, so the first one found decides. */
function newestEntry(store: Store, snapshot: SnapshotMeta | undefined): Known {
  const newest = store?.configurations.filter(entry => entry.index > (snapshot?.index ?? 0)).at(-1)
  if (newest === undefined) return {configuration: undefined, configurationKnown: false}
  return {configuration: {...newest.configuration, index: newest.index}, configurationKnown: true}
}

function logConfiguration(store: Store, snapshot: SnapshotMeta | undefined, problems: string[]): Known {
  const newest = newestEntry(store, snapshot)
  if (newest.configurationKnown) return newest
  if (!searchedDownTo(store, snapshot)) {
    problems.push(
      `Its log was searched for membership entries only down to ${store?.configurationsKnownFrom}.`,
    )
    return newest
  }
  if (snapshot?.configuration !== undefined)
    return {configuration: snapshot.configuration, configurationKnown: true}
  if (snapshot !== undefined) problems.push(`Snapshot ${snapshot.id} names no peer set.`)
  else problems.push('Its log holds no membership entry and there is no snapshot.')
  return newest
}

/** Whether no membership entry can hide between the snapshot and the part of the log that was searched. */
function searchedDownTo(store: Store, snapshot: SnapshotMeta | undefined): boolean {
  if (store === undefined || store.lastIndex <= (snapshot?.index ?? 0)) return true
  return store.configurationsKnownFrom <= Math.max((snapshot?.index ?? 0) + 1, store.firstIndex)
}

function liveList(server: ServerObservation, problems: string[]): Known {
  if (isAbsent(server.peersFile)) return {configuration: {servers: []}, configurationKnown: true}
  const file = valueOf(server.peersFile)
  if (file === undefined || file.dialect === 'unparsable') {
    problems.push(
      file === undefined
        ? `Its peers.json was not read (${why(server.peersFile)}).`
        : 'Its peers.json does not parse.',
    )
    return {configuration: undefined, configurationKnown: false}
  }
  return {
    configuration: addressList(file.servers.map(entry => entry.address)),
    configurationKnown: true,
  }
}

/** A peer set of voters whose ids are their addresses, as up to Raft protocol 2. */
export function addressList(addresses: readonly string[]): Configuration {
  const servers = addresses.map(
    address => ({id: serverId(address), address: serverAddress(address), suffrage: 'voter'}) as const,
  )
  return {servers}
}

/**
 * What a server believes now: by its own API where that answered, else by its files. Of the API its own raft
 * statistics come first; `/v1/operator/raft/configuration` is what its leader says and comes second.
 */
export function believedState(server: ServerObservation): DiskState {
  const disk = diskState(server)
  const raft = valueOf(server.api.self)?.raft
  const end = raft === undefined ? disk.end : statsEnd(raft)
  const blank = raft === undefined ? disk.blank : end?.index === 0
  const configuration = believedConfiguration(server)
  if (configuration === undefined) return {...disk, end, blank}
  return {...disk, end, blank, configuration, configurationKnown: true}
}

function statsEnd(raft: RaftStats): LogEnd {
  return raft.snapshotIndex > raft.lastLogIndex
    ? {index: raft.snapshotIndex, term: raft.snapshotTerm}
    : {index: raft.lastLogIndex, term: raft.lastLogTerm}
}

const statsOf = (server: ServerObservation) => valueOf(server.api.self)?.raft

function believedConfiguration(server: ServerObservation): Configuration | undefined {
  const raft = statsOf(server)
  if (raft?.latestConfiguration !== undefined) {
    const index = raft.latestConfigurationIndex
    return index === undefined ? raft.latestConfiguration : {...raft.latestConfiguration, index}
  }
  const asked = valueOf(server.api.raftConfiguration)
  if (asked !== undefined) {
    const servers = asked.servers.map(
      ({id, address, voter}) => ({id, address, suffrage: voter ? 'voter' : 'nonvoter'}) as const,
    )
    return {servers, index: asked.index}
  }
  const listed = valueOf(server.api.statusPeers)
  return isLegacyConsul(server) && listed !== undefined ? addressList(listed) : undefined
}
