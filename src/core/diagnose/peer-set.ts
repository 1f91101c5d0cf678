import type {Configuration} from '../model/configuration.js'
import {sameServers, voters} from '../model/configuration.js'
import {compareLogEnds, serverId} from '../model/ids.js'
import {quorumSize} from '../model/quorum.js'
import {valueOf} from '../model/reading.js'
import type {LeaderFacts} from './leader.js'
import type {ServerFacts} from './server-facts.js'
import {matchesPeer} from './server-facts.js'
import type {Truth} from './truth.js'
import {truthOf} from './truth.js'

/**
 * How the best-known peer set was chosen: the leader's; that of a quorum of its own voters; the only one that
 * any server believes in; or, where beliefs differ, that of the best log.
 */
export type PeerSetBasis = 'leader' | 'agreed' | 'only' | 'best-log'

/** The best-known peer set and why it is believed. */
export interface PeerSetFacts {
  readonly configuration: Configuration
  readonly basis: PeerSetBasis
  /** The servers that believe in it. */
  readonly believers: readonly ServerFacts[]
}

function withoutDoubles(set: Configuration): Configuration {
  const first = (address: string): number => set.servers.findIndex(peer => peer.address === address)
  return {...set, servers: set.servers.filter((peer, at) => first(peer.address) === at)}
}

/**
 * The peer set by which a server counts. Consul up to 0.6 counts itself whether its list names it or not
 * (`NewRaft` in its hashicorp/raft takes the own address out and adds itself); undefined when nothing is
 * believed, or when the list is empty, which is no set at all.
 */
export function effectiveSet(server: ServerFacts): Configuration | undefined {
  const {legacy, raftAddress} = server
  if (server.believed === undefined || server.believed.servers.length === 0) return undefined
  const believed = legacy ? withoutDoubles(server.believed) : server.believed
  if (!legacy || believed.servers.some(peer => matchesPeer(server, peer) === 'id')) return believed
  if (raftAddress === undefined) return believed
  const self = {id: serverId(raftAddress), address: raftAddress, suffrage: 'voter'} as const
  return {...believed, servers: [...believed.servers, self]}
}

/**
 * Whether a server of Consul up to 0.6 with no peers but itself may still elect itself. Without bootstrap it holds
 * no election (`runFollower` in its hashicorp/raft: EnableSingleNode disabled, and no known peers).
 */
export function mayElectItself(server: ServerFacts): Truth {
  const config = valueOf(server.server.config)
  if (!server.legacy) return 'yes'
  return config === undefined ? 'unknown' : truthOf(config.bootstrap === true || config.bootstrapExpect === 1)
}

interface Group {
  readonly configuration: Configuration
  readonly believers: readonly ServerFacts[]
}

/** Servers by the set they believe in, in the order of the fleet. */
export function groupBeliefs(servers: readonly ServerFacts[]): readonly Group[] {
  const groups: {configuration: Configuration; believers: ServerFacts[]}[] = []
  for (const server of servers) {
    const configuration = effectiveSet(server)
    if (configuration === undefined) continue
    const group = groups.find(one => sameServers(one.configuration, configuration))
    if (group === undefined) groups.push({configuration, believers: [server]})
    else group.believers.push(server)
  }
  return groups
}

/** Whether a quorum of the voters that a set names believe in that set. */
function agreed(group: Group): boolean {
  const members = voters(group.configuration)
  const believing = members.filter(peer =>
    group.believers.some(server => ['id', 'address'].includes(matchesPeer(server, peer))),
  )
  return members.length > 0 && believing.length >= quorumSize(members.length)
}

/** Orders groups by the best log among their believers, then by the index of the entry that set it. */
function compareGroups(a: Group, b: Group): number {
  const ends = [a, b].map(group =>
    group.believers
      .flatMap(server => (server.end === undefined ? [] : [server.end]))
      .sort(compareLogEnds)
      .at(-1),
  )
  const [endA, endB] = ends
  if (endA === undefined || endB === undefined) return Number(endA === undefined) - Number(endB === undefined)
  return compareLogEnds(endB, endA) || (b.configuration.index ?? 0) - (a.configuration.index ?? 0)
}

/** Chooses the peer set that the rest of the diagnosis counts by; undefined when no server's was read. */
export function bestPeerSet(servers: readonly ServerFacts[], leader: LeaderFacts): PeerSetFacts | undefined {
  const groups = groupBeliefs(servers)
  const led = leader.exists === 'yes' ? leader.server : undefined
  const ofLeader = groups.find(group => led !== undefined && group.believers.includes(led))
  if (ofLeader !== undefined) return {...ofLeader, basis: 'leader'}
  const agreeing = groups.filter(agreed)
  const [only] = agreeing
  if (only !== undefined && agreeing.length === 1) return {...only, basis: 'agreed'}
  // Where sets differ and a log was not read, the best log is not known.
  const ranked = groups.every(group => group.believers.some(server => server.end !== undefined))
  if (groups.length > 1 && !ranked) return undefined
  const best = [...groups].sort(compareGroups)[0]
  if (best === undefined) return undefined
  return {...best, basis: groups.length === 1 ? 'only' : 'best-log'}
}
