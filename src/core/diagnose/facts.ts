import type {Configuration, Server} from '../model/configuration.js'
import {voters} from '../model/configuration.js'
import type {FleetObservation, Member, ProductName, ServerObservation} from '../model/observation.js'
import {faultTolerance, quorumSize} from '../model/quorum.js'
import {read, valueOf} from '../model/reading.js'
import type {LeaderFacts} from './leader.js'
import {leaderFacts} from './leader.js'
import type {PeerSetFacts} from './peer-set.js'
import {bestPeerSet} from './peer-set.js'
import type {ServerFacts} from './server-facts.js'
import {matchesPeer, serverFacts} from './server-facts.js'

/** How the diagnosis is asked for; everything that is not an observation. */
export interface DiagnosisContext {
  readonly nowMs: number
  readonly ourVersion: string
  /** The arguments that name the same cluster or hosts again, to complete the commands that are offered. */
  readonly invocation: readonly string[]
}

/**
 * What is known of one voter of the peer set. `stopped`: not serving, and starting it is not known to help;
 * `blank`: there without data; `unseen`: nothing is known, which is no sign of death.
 */
export type VoterState = 'up' | 'startable' | 'stopped' | 'blank' | 'unseen'

/** A voter and the server of the fleet that it is, if one of them is. */
export interface VoterFacts {
  readonly peer: Server
  readonly server: ServerFacts | undefined
  /** `address`: a server is there, but under another id than the peer set names. */
  readonly matchedBy: 'id' | 'address' | undefined
  readonly state: VoterState
}

/** The quorum in numbers. All are counts of voters of the best-known peer set. */
export interface Arithmetic {
  readonly total: number
  readonly quorum: number
  readonly up: number
  readonly startable: number
  readonly unseen: number
  readonly faultTolerance: number
}

/** What rules judge: an observation, put together once. */
export interface ClusterFacts {
  readonly fleet: FleetObservation
  readonly context: DiagnosisContext
  readonly servers: readonly ServerFacts[]
  readonly peerSet: PeerSetFacts | undefined
  readonly voters: readonly VoterFacts[]
  readonly arithmetic: Arithmetic | undefined
  readonly leader: LeaderFacts
}

/**
 * Whether a process is there that serves nothing: its API refuses and nobody listens at its Raft port. Consul from 1.15
 * on waits so for a minute before it gives up a start (`checkServerLastSeen`, agent/agent.go).
 */
export function isDeaf(server: ServerFacts): boolean {
  const {api, sockets} = server.server
  if (api.leader.kind === 'read' || api.leader.why !== 'refused' || server.raftPort === undefined)
    return false
  return valueOf(sockets)?.some(one => one.protocol === 'tcp' && one.port === server.raftPort) === false
}

function voterState(server: ServerFacts | undefined, by: 'id' | 'address' | undefined): VoterState {
  if (server === undefined || server.running === 'unknown') return 'unseen'
  if (server.hasData === 'no') return 'blank'
  if (server.running === 'yes') return isDeaf(server) ? 'stopped' : 'up'
  // A server that the set names by another id answers votes, but never stands for election: no start helps it.
  const foreignId = by === 'address' && server.nodeId !== undefined
  return server.startable === 'yes' && !foreignId ? 'startable' : 'stopped'
}

/** The server of the fleet that a peer is: by id before by address, because addresses are given away again. */
export function findServer(
  servers: readonly ServerFacts[],
  peer: Server,
): {readonly server: ServerFacts; readonly by: 'id' | 'address'} | undefined {
  const matches = servers.map(server => ({server, by: matchesPeer(server, peer)}))
  const byId = matches.filter(one => one.by === 'id')
  const exact = byId.find(one => one.server.raftAddress === peer.address) ?? byId[0]
  if (exact !== undefined) return {server: exact.server, by: 'id'}
  const byAddress = matches.find(one => one.by === 'address')
  return byAddress === undefined ? undefined : {server: byAddress.server, by: 'address'}
}

function voterFacts(servers: readonly ServerFacts[], configuration: Configuration): VoterFacts[] {
  return voters(configuration).map(peer => {
    const found = findServer(servers, peer)
    return {peer, server: found?.server, matchedBy: found?.by, state: voterState(found?.server, found?.by)}
  })
}

/** Counts voters by state. */
export function countVoters(list: readonly VoterFacts[]): Arithmetic {
  const count = (state: VoterState): number => list.filter(one => one.state === state).length
  const up = count('up')
  return {
    total: list.length,
    quorum: quorumSize(list.length),
    up,
    startable: count('startable'),
    unseen: count('unseen'),
    faultTolerance: faultTolerance(list.length, up),
  }
}

/** A server whose product was not read is of the fleet's product: that is what it was asked for as. */
function withProduct(server: ServerObservation, product: ProductName): ServerObservation {
  if (server.product.kind === 'read') return server
  return {
    ...server,
    product: read(product, {host: server.host, via: 'inventory', what: 'product of the cluster'}),
  }
}

/** Puts an observation together for the rules. */
export function clusterFacts(fleet: FleetObservation, context: DiagnosisContext): ClusterFacts {
  const servers = fleet.servers.map(server => serverFacts(withProduct(server, fleet.product)))
  const leader = leaderFacts(servers)
  const peerSet = bestPeerSet(servers, leader)
  const list = peerSet === undefined ? [] : voterFacts(servers, peerSet.configuration)
  const arithmetic = list.length === 0 ? undefined : countVoters(list)
  return {fleet, context, servers, peerSet, voters: list, arithmetic, leader}
}

/** The gossip views of servers whose agent answers, with whose view it is. */
export function gossipViews(
  facts: ClusterFacts,
): readonly {readonly server: ServerFacts; readonly members: readonly Member[]}[] {
  return facts.servers.flatMap(server => {
    const members = valueOf(server.server.api.members)
    return members === undefined || server.running === 'no' ? [] : [{server, members}]
  })
}

/** A voter as operators know it: its host's name, else its node name from gossip, else its address. */
export function voterName(facts: ClusterFacts, voter: VoterFacts): string {
  return voter.server?.host ?? peerName(facts, voter.peer)
}

/** A peer as operators know it. */
export function peerName(facts: ClusterFacts, peer: Server): string {
  const own = findServer(facts.servers, peer)?.server.host
  if (own !== undefined) return own
  for (const {members} of gossipViews(facts)) {
    const member = members.find(one => one.id === peer.id || one.raftAddress === peer.address)
    if (member !== undefined) return member.name
  }
  return peer.address
}
