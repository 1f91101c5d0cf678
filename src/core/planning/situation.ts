import {dialectFor} from '../codec/peers-dialect.js'
import type {Configuration, Server} from '../model/configuration.js'
import {voters} from '../model/configuration.js'
import type {DiskState} from '../model/disk-state.js'
import {datacenterOf} from '../diagnose/histories.js'
import type {ServerFacts} from '../diagnose/server-facts.js'
import {serverFacts} from '../diagnose/server-facts.js'
import {believedState, diskState, isLegacyConsul, newestSnapshot} from '../model/disk-state.js'
import type {LogEnd, ServerAddress, ServerId} from '../model/ids.js'
import {serverAddress, serverId} from '../model/ids.js'
import type {FleetObservation, Member, ProductName, ServerObservation} from '../model/observation.js'
import {valueOf} from '../model/reading.js'

/** A server of the fleet as the planner weighs it. */
export interface Candidate {
  readonly host: string
  readonly seen: ServerObservation
  readonly reached: boolean
  /** Whether its process runs; undefined when nobody could look. */
  readonly runs: boolean | undefined
  readonly legacy: boolean
  /** The id it would name itself by when it starts; undefined when that could not be read. */
  readonly id: ServerId | undefined
  /** Its entry in some peer set that was read. */
  readonly peer: Server | undefined
  /** It stands at the address of its peer entry but names itself otherwise: another machine in the old one's place. */
  readonly replaced: boolean
  /** Where its Raft transport listens now, from its API, its settings or its host. */
  readonly address: ServerAddress | undefined
  readonly nodeName: string | undefined
  readonly datacenter: string | undefined
  readonly disk: DiskState
  readonly believed: DiskState
  /** From the store where it was read, else from the API. */
  readonly end: LogEnd | undefined
  readonly blank: boolean
  /** Up to here it is known that entries are committed: commit index, applied index, snapshot. */
  readonly committed: number
}

/** Who leads, as far as it can be told. `via` is a host through which the leader can be asked. */
export type LeaderView =
  | {readonly kind: 'none'}
  | {
      readonly kind: 'leads'
      readonly host: string | undefined
      readonly via: string
      readonly address: string
    }
  | {readonly kind: 'unsure'; readonly why: string}

/** The fleet as the planner sees it; derived once from an observation. */
export interface Situation {
  readonly fleet: FleetObservation
  readonly candidates: readonly Candidate[]
  /** Every server that any peer set names, once. */
  readonly peers: readonly Server[]
  readonly leader: LeaderView
  /** Hosts whose address the operator says has changed, with the peer entry they are and their new address. */
  readonly moved: ReadonlyMap<string, Moved>
}

/** The entry a host has in the peer set, and the address it is to have. */
export interface Moved {
  readonly peerId: string
  readonly address: ServerAddress
}

/** The port of the Raft transport when nothing is configured. */
export function defaultRaftPort(product: ProductName): number {
  return {consul: 8300, nomad: 4647, vault: 8201, rqlite: 4002}[product]
}

/** The host part of `host:port`, with the brackets of IPv6 taken off. */
export function hostPart(address: string): string {
  const cut = address.lastIndexOf(':')
  const host = cut === -1 || address.indexOf(':') !== cut ? bracketed(address) : address.slice(0, cut)
  return host.replace(/^\[|\]$/g, '')
}

const bracketed = (address: string): string => /^(\[.*\]):\d+$/.exec(address)?.[1] ?? address

/** `host:port`, with brackets around IPv6. */
export function joinAddress(host: string, port: number): ServerAddress {
  return serverAddress(host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)
}

/** Every gossip member that a running server names, with the host that names it. */
export function membersSeen(
  fleet: FleetObservation,
): readonly {readonly by: string; readonly member: Member}[] {
  return fleet.servers.flatMap(server =>
    (valueOf(server.api.members) ?? []).map(member => ({by: server.host, member})),
  )
}

function ownAddress(
  fleet: FleetObservation,
  server: ServerObservation,
  facts: ServerFacts,
): ServerAddress | undefined {
  if (facts.raftAddress !== undefined) return facts.raftAddress
  const port = facts.raftPort ?? defaultRaftPort(fleet.product)
  const named = membersSeen(fleet).find(
    ({member}) => facts.nodeName !== undefined && member.name === facts.nodeName,
  )
  if (named?.member.raftAddress !== undefined) return named.member.raftAddress
  const hosts = valueOf(server.hostAddresses) ?? []
  if (hosts.includes(server.address)) return joinAddress(server.address, port)
  return hosts.length === 1 && hosts[0] !== undefined ? joinAddress(hosts[0], port) : undefined
}

/** The addresses under which a peer set may name the server, besides its id. */
function knownAddresses(
  fleet: FleetObservation,
  server: ServerObservation,
  facts: ServerFacts,
): ReadonlySet<string> {
  const port = facts.raftPort ?? defaultRaftPort(fleet.product)
  const hosts = [...(facts.ownAddresses ?? []), server.address]
  const all = hosts.map(one => String(joinAddress(one, port)))
  return new Set(facts.raftAddress === undefined ? all : [...all, String(facts.raftAddress)])
}

function committedUpTo(server: ServerObservation): number {
  const raft = valueOf(server.api.self)?.raft
  const snapshot = newestSnapshot(valueOf(server.snapshots) ?? [])
  return Math.max(
    raft?.commitIndex ?? 0,
    raft?.appliedIndex ?? 0,
    raft?.snapshotIndex ?? 0,
    snapshot?.index ?? 0,
  )
}

function uniquePeers(configurations: readonly Configuration[]): Server[] {
  const found = new Map<string, Server>()
  const newestFirst = [...configurations].sort((a, b) => Number(b.index ?? 0) - Number(a.index ?? 0))
  for (const configuration of newestFirst) {
    for (const server of configuration.servers) if (!found.has(server.id)) found.set(server.id, server)
  }
  return [...found.values()]
}

/**
 * The peer sets that the servers' own evidence names: what each believes, or would at start. Logs of Consul up to 0.6
 * count as well, for its live lists can be empty or edited by hand while the log still tells who was there.
 */
function configurationsSeen(servers: readonly ServerObservation[]): Configuration[] {
  return servers.flatMap(server => {
    const logged = isLegacyConsul(server) ? (valueOf(server.store)?.configurations ?? []) : []
    const all = [
      believedState(server).configuration,
      diskState(server).configuration,
      ...logged.map(entry => entry.configuration),
    ]
    return all.filter(one => one !== undefined)
  })
}

/** Derives what the planner weighs from an observation. */
export function situationOf(fleet: FleetObservation): Situation {
  const peers = uniquePeers(configurationsSeen(fleet.servers))
  const candidates = fleet.servers.map(server => candidateOf(fleet, server, peers, undefined))
  return {fleet, candidates, peers, leader: leaderOf(candidates), moved: new Map()}
}

/**
 * A candidate with its peer found again among other peers: the entry may come from a log when the live lists are
 * empty, as after a graceful leave of all servers of Consul up to 0.6.
 */
export function withPeers(situation: Situation, peers: readonly Server[]): Situation {
  const merged = uniquePeers([{servers: situation.peers}, {servers: peers}])
  const candidates = situation.fleet.servers.map(server =>
    candidateOf(situation.fleet, server, merged, situation.moved.get(server.host)),
  )
  return {...situation, candidates, peers: merged}
}

function candidateOf(
  fleet: FleetObservation,
  server: ServerObservation,
  peers: readonly Server[],
  moved: Moved | undefined,
): Candidate {
  const facts = serverFacts(server)
  const disk = diskState(server)
  const believed = believedState(server)
  const own = moved?.address ?? ownAddress(fleet, server, facts)
  const known = knownAddresses(fleet, server, facts)
  const byId = peers.find(peer => facts.nodeId !== undefined && peer.id === facts.nodeId)
  const stated = peers.find(one => moved !== undefined && String(one.id) === moved.peerId)
  const peer = stated ?? byId ?? peers.find(one => known.has(one.address))
  const addressIds = peer !== undefined && String(peer.id) === String(peer.address)
  return {
    host: server.host,
    seen: server,
    reached: server.reached.kind === 'read',
    runs: facts.running === 'unknown' ? undefined : facts.running === 'yes',
    legacy: facts.legacy,
    id: ownId(fleet, facts, own, addressIds && byId === undefined ? peer : undefined),
    peer,
    replaced:
      stated === undefined &&
      peer !== undefined &&
      byId === undefined &&
      !addressIds &&
      facts.nodeId !== undefined,
    address: own ?? peer?.address,
    nodeName: facts.nodeName,
    datacenter: datacenterOf(server),
    disk,
    believed,
    end: disk.end ?? believed.end,
    blank: disk.blank || (disk.end === undefined && believed.blank),
    committed: committedUpTo(server),
  }
}

/** Up to Raft protocol 2 the id is the address; otherwise it is the node-id, and unknown when that was not read. */
function ownId(
  fleet: FleetObservation,
  facts: ServerFacts,
  own: ServerAddress | undefined,
  byAddress: Server | undefined,
): ServerId | undefined {
  if (facts.legacy) return own === undefined ? byAddress?.id : serverId(own)
  if (byAddress !== undefined) return byAddress.id
  // A server that left stands in no peer set that would show what kind of ids its cluster has.
  const config = valueOf(facts.server.config)
  const version = valueOf(facts.server.version)
  const dialect = dialectFor({product: fleet.product, version, raftProtocol: config?.raftProtocol})
  if (dialect === 'list' && own !== undefined) return serverId(own)
  return facts.nodeId === undefined ? undefined : serverId(facts.nodeId)
}

const RECENT_CONTACT_MS = 2000

/**
 * Who leads. For up to 13 s after a leader died its followers still name it, so a name alone proves nothing: the
 * one named must say so itself, or the one who names it must have heard of it just now.
 */
function leaderOf(candidates: readonly Candidate[]): LeaderView {
  const leaders = candidates.filter(one => valueOf(one.seen.api.self)?.raft?.role === 'leader')
  const [first, second] = leaders
  if (first !== undefined && second !== undefined)
    return {kind: 'unsure', why: `${leaders.map(one => one.host).join(' and ')} both say that they lead.`}
  if (first !== undefined)
    return {kind: 'leads', host: first.host, via: first.host, address: String(first.address ?? '')}
  const named = candidates.flatMap(one => {
    const address = valueOf(one.seen.api.leader)
    return address === undefined || address === '' ? [] : [{by: one, address: String(address)}]
  })
  const one = named[0]
  if (one === undefined) return {kind: 'none'}
  return judgeNamed(candidates, named, one)
}

type Named = {readonly by: Candidate; readonly address: string}

function judgeNamed(candidates: readonly Candidate[], named: readonly Named[], one: Named): LeaderView {
  if (named.some(other => other.address !== one.address))
    return {kind: 'unsure', why: 'The servers name different leaders.'}
  const target = candidates.find(
    candidate => String(candidate.peer?.address) === one.address || String(candidate.address) === one.address,
  )
  const heard = named.some(({by}) => {
    const contact = valueOf(by.seen.api.self)?.raft?.lastContactMs
    return contact !== undefined && contact < RECENT_CONTACT_MS
  })
  if (heard || (target?.runs === true && String(valueOf(target.seen.api.leader) ?? '') === one.address))
    return {
      kind: 'leads',
      host: target?.host,
      via: target?.runs === true ? target.host : one.by.host,
      address: one.address,
    }
  const who = target?.host ?? one.address
  return {
    kind: 'unsure',
    why: `${named.map(({by}) => by.host).join(', ')} still name ${who} as the leader, and it does not say so itself.`,
  }
}

/** The situation with servers recognised under addresses that their peer set does not have yet. */
export function withMoved(situation: Situation, moved: ReadonlyMap<string, Moved>): Situation {
  return withPeers({...situation, moved}, situation.peers)
}

/** The candidate behind an entry of a peer set. */
export function candidateFor(situation: Situation, peer: Server): Candidate | undefined {
  return situation.candidates.find(one => one.peer?.id === peer.id)
}

/** Whether the server answers in some way: its process runs where we look, or a running server's gossip has it alive. */
export function answers(situation: Situation, peer: Server): string | undefined {
  const candidate = candidateFor(situation, peer)
  if (candidate?.reached === true && candidate.runs === true) return `its process runs on ${candidate.host}`
  const alive = membersSeen(situation.fleet).find(
    ({member}) =>
      member.server &&
      member.status === 'alive' &&
      (member.id === peer.id ||
        member.raftAddress === peer.address ||
        member.address === hostPart(peer.address)),
  )
  return alive === undefined ? undefined : `${alive.by} has it as an alive member of its gossip`
}

/** The voters of a configuration whose host was reached, whose process runs, and that hold a log. */
export function votersUp(situation: Situation, configuration: Configuration): readonly Candidate[] {
  return voters(configuration).flatMap(peer => {
    const one = candidateFor(situation, peer)
    return one !== undefined && one.reached && one.runs === true && !one.blank ? [one] : []
  })
}
