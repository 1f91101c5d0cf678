import {formatHostPort, isIpAddress, parseHostPort} from '../codec/address.js'
import type {Configuration, Server} from '../model/configuration.js'
import {believedState, diskState, isLegacyConsul} from '../model/disk-state.js'
import type {LogEnd, ServerAddress} from '../model/ids.js'
import {serverAddress} from '../model/ids.js'
import type {RaftStats, ServerObservation} from '../model/observation.js'
import type {Source} from '../model/reading.js'
import {isAbsent, valueOf} from '../model/reading.js'
import type {Truth} from './truth.js'

/** What one server's readings say once they are put together. */
export interface ServerFacts {
  readonly server: ServerObservation
  readonly host: string
  readonly legacy: boolean
  /** Whether its process runs. A process that was paused (T) still runs in this sense: it holds its data. */
  readonly running: Truth
  /** Whether it holds a log or a snapshot; `no` is a blank server. */
  readonly hasData: Truth
  /** Whether starting it would bring back a voter: host reached, process stopped, data there and readable. */
  readonly startable: Truth
  readonly end: LogEnd | undefined
  /** The peer set it believes in and where that was read. */
  readonly believed: Configuration | undefined
  readonly believedFrom: Source | undefined
  readonly role: RaftStats['role'] | undefined
  readonly term: number | undefined
  /** The leader it names; the empty text is the knowledge that it knows none. */
  readonly names: ServerAddress | '' | undefined
  readonly nodeId: string | undefined
  readonly nodeName: string | undefined
  readonly raftPort: number | undefined
  /** Where its Raft transport should be reached, from settings or its one address. */
  readonly raftAddress: ServerAddress | undefined
  /** Every address that is certainly this host's own; undefined when they were not read. */
  readonly ownAddresses: ReadonlySet<string> | undefined
}

const specific = (address: string | undefined): string | undefined =>
  address !== undefined && isIpAddress(address) && !['0.0.0.0', '::'].includes(address) ? address : undefined

function runningOf(server: ServerObservation): Truth {
  const processes = valueOf(server.processes)
  if (processes !== undefined) {
    return processes.some(one => one.state !== 'Z') ? 'yes' : 'no'
  }
  if (server.api.leader.kind === 'read' || server.api.self.kind === 'read') return 'yes'
  const state = valueOf(server.service)?.state
  if (state === 'running' || state === 'stopping') return 'yes'
  if (state === 'stopped' || state === 'failed') return 'no'
  return 'unknown'
}

function startableOf(server: ServerObservation, running: Truth, hasData: Truth): Truth {
  if (running === 'yes' || hasData === 'no') return 'no'
  if (server.store.kind === 'unread' && ['corrupt', 'unsupported'].includes(server.store.why)) return 'no'
  if (valueOf(server.traces)?.some(trace => trace.kind === 'fenced')) return 'no'
  // A recovery file changes the peer set at the next start, and a broken live list stops it.
  const file = valueOf(server.peersFile)
  if (file !== undefined && (!isLegacyConsul(server) || !['list', 'empty'].includes(file.dialect)))
    return 'no'
  if (running === 'unknown' || hasData === 'unknown') return 'unknown'
  if (file === undefined && !isAbsent(server.peersFile)) return 'unknown'
  return server.reached.kind === 'read' ? 'yes' : 'unknown'
}

/** Where the peer set that a server believes in was read; follows the order of `believedState`. */
function believedSource(server: ServerObservation, legacy: boolean, configuration: Configuration): Source {
  if (valueOf(server.api.self)?.raft?.latestConfiguration !== undefined) return server.api.self.source
  if (server.api.raftConfiguration.kind === 'read') return server.api.raftConfiguration.source
  if (legacy)
    return server.api.statusPeers.kind === 'read' ? server.api.statusPeers.source : server.peersFile.source
  const store = valueOf(server.store)
  const inLog = store?.configurations.some(entry => entry.index === configuration.index)
  return inLog === true ? server.store.source : server.snapshots.source
}

function raftPortOf(server: ServerObservation, believed: Configuration | undefined): number | undefined {
  const configured = valueOf(server.config)?.ports.server
  if (configured !== undefined) return configured
  const ports = new Set(believed?.servers.map(peer => parseHostPort(peer.address)?.port))
  return ports.size === 1 ? [...ports][0] : undefined
}

/** How gossip knows this server itself: its own entry in its own view. */
function ownMemberAddress(server: ServerObservation): ServerAddress | undefined {
  const name = valueOf(server.api.self)?.nodeName
  const own = valueOf(server.api.members)?.filter(member => member.server && member.name === name) ?? []
  return own.length === 1 ? own[0]?.raftAddress : undefined
}

function raftAddressOf(server: ServerObservation, port: number | undefined): ServerAddress | undefined {
  const gossiped = ownMemberAddress(server)
  if (gossiped !== undefined) return gossiped
  const config = valueOf(server.config)
  const addresses = valueOf(server.hostAddresses)
  const ip =
    specific(config?.advertiseAddress) ??
    specific(config?.bindAddress) ??
    (addresses?.length === 1 ? addresses[0] : undefined)
  if (ip === undefined || port === undefined) return undefined
  return serverAddress(formatHostPort(ip, port))
}

function ownAddressesOf(server: ServerObservation): ReadonlySet<string> | undefined {
  const read = valueOf(server.hostAddresses)
  if (read === undefined) return undefined
  const config = valueOf(server.config)
  const named = [specific(config?.advertiseAddress), specific(config?.bindAddress)]
  return new Set([...read, ...named.filter(one => one !== undefined)])
}

/** Puts one server's readings together. */
export function serverFacts(server: ServerObservation): ServerFacts {
  const legacy = isLegacyConsul(server)
  const running = runningOf(server)
  const state = running === 'no' ? diskState(server) : believedState(server)
  const hasData: Truth = state.blank
    ? 'no'
    : state.end !== undefined || holdsEntries(server)
      ? 'yes'
      : 'unknown'
  const self = valueOf(server.api.self)
  const config = valueOf(server.config)
  // Consul up to 0.6 does not start on a list of another dialect, so such a list is no belief.
  const foreign = legacy && running !== 'yes' && valueOf(server.peersFile)?.dialect === 'objects'
  const believed = state.configurationKnown && !foreign ? state.configuration : undefined
  const raftPort = raftPortOf(server, believed)
  const leader = running === 'no' ? undefined : valueOf(server.api.leader)
  return {
    server,
    host: server.host,
    legacy,
    running,
    hasData,
    startable: startableOf(server, running, hasData),
    end: state.end,
    believed,
    believedFrom: believed === undefined ? undefined : believedSource(server, legacy, believed),
    role: running === 'no' ? undefined : self?.raft?.role,
    term: Math.max(self?.raft?.term ?? -1, valueOf(server.store)?.currentTerm ?? -1) || undefined,
    names: leader,
    nodeId: valueOf(server.nodeId) ?? self?.nodeId ?? config?.nodeId,
    nodeName: self?.nodeName ?? config?.nodeName,
    raftPort,
    raftAddress: raftAddressOf(server, raftPort),
    ownAddresses: ownAddressesOf(server),
  }
}

/** Whether one part of its data was read and holds something, though the rest was not read. */
function holdsEntries(server: ServerObservation): boolean {
  return (valueOf(server.store)?.lastIndex ?? 0) > 0 || (valueOf(server.snapshots)?.length ?? 0) > 0
}

/** Whether a peer's id is an address, as all ids are up to Raft protocol 2. */
export function hasAddressId(peer: Server): boolean {
  return String(peer.id) === String(peer.address) || parseHostPort(peer.id) !== undefined
}

/** Whether a peer's entry names this server by id, only by address, or not at all as far as is known. */
export function matchesPeer(facts: ServerFacts, peer: Server): 'id' | 'address' | 'no' | 'unknown' {
  const byId = !hasAddressId(peer) && facts.nodeId !== undefined
  // The products compare ids as text; an upper-case id is another id to them.
  if (byId && peer.id === facts.nodeId) return 'id'
  const at = parseHostPort(peer.address)
  const placed = facts.ownAddresses !== undefined || facts.raftAddress !== undefined
  const here =
    peer.address === facts.raftAddress ||
    // Of a host that does not answer only the address is known by which we try to reach it.
    (!placed && at !== undefined && at.host === facts.server.address) ||
    (at !== undefined &&
      facts.ownAddresses?.has(at.host) === true &&
      (facts.raftPort === undefined || facts.raftPort === at.port))
  if (here) return hasAddressId(peer) ? 'id' : 'address'
  if (byId) return 'no'
  if (!hasAddressId(peer) && !isIpAddress(at?.host ?? '')) return 'unknown'
  return placed ? 'no' : 'unknown'
}

/** Whether a peer stands in a list of peers under its id or its address. */
export function isPeerOfAny(peer: Server, list: readonly Server[]): boolean {
  return list.some(other => other.id === peer.id || other.address === peer.address)
}
