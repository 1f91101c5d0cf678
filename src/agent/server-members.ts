import {formatHostPort} from '../core/codec/address.js'
import type {Applicant, Member} from '../core/gossip/member.js'
import type {ServerAddress, ServerId} from '../core/model/ids.js'
import {serverAddress, serverId} from '../core/model/ids.js'
import type {AgentOptions} from './options.js'

/** A member that says by its tags that it is a server (`IsConsulServer`, consul agent/metadata/server.go). */
export interface ServerMember {
  readonly member: Member
  readonly name: string
  /** What it goes by in a configuration: its node id from Raft protocol 3 on, else its address. */
  readonly id: ServerId
  readonly address: ServerAddress
  readonly nodeId: string
  readonly ip: string
  readonly port: number
  readonly datacenter: string
  readonly version: string
  /** Raft protocol; 1 where nothing is said. */
  readonly raftProtocol: number
  readonly bootstrap: boolean
  /** Number of servers that it waits for; 0 for none. */
  readonly expect: number
  readonly nonVoter: boolean
  readonly wanJoinPort: number | undefined
}

/**
 * What we say our version is: that of a Consul which has our Raft protocol, since others judge by it what we can do.
 * Each is the last release of its kind that was tried with.
 */
export const VERSIONS: Readonly<Record<0 | 1 | 2 | 3, string>> = {
  0: '0.6.4',
  1: '0.7.5',
  2: '0.9.4',
  3: '1.8.19',
}
/** What stands for the revision in our build tag. */
export const REVISION = 'quorate'

const decimal = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined

/** Reads a member as a server; undefined when it is none, or says something that cannot be. */
export function asServer(member: Member): ServerMember | undefined {
  const {tags} = member
  const port = decimal(tags['port'])
  const dc = tags['dc']
  if (tags['role'] !== 'consul' || port === undefined || port > 65_535 || dc === undefined) return undefined
  const expect = tags['expect'] === undefined ? 0 : decimal(tags['expect'])
  const raftProtocol = tags['raft_vsn'] === undefined ? 1 : decimal(tags['raft_vsn'])
  if (expect === undefined || raftProtocol === undefined) return undefined
  const address = serverAddress(formatHostPort(member.ip, port))
  const nodeId = tags['id'] ?? ''
  return {
    member,
    name: member.name,
    id: raftProtocol >= 3 && nodeId !== '' ? serverId(nodeId) : serverId(address),
    address,
    nodeId,
    ip: member.ip,
    port,
    datacenter: dc,
    version: (tags['build'] ?? '').split(':')[0] ?? '',
    raftProtocol,
    bootstrap: tags['bootstrap'] === '1',
    expect,
    nonVoter: tags['nonvoter'] === '1' || tags['read_replica'] === '1',
    wanJoinPort: decimal(tags['wan_join_port']),
  }
}

/** The servers of a datacenter among members of any status. */
export const serversOf = (members: readonly Member[], datacenter: string): readonly ServerMember[] =>
  members.map(asServer).filter(server => server?.datacenter === datacenter) as readonly ServerMember[]

/** The tags that tell others who we are (`setupSerf`, consul agent/consul/server_serf.go, client_serf.go). */
export function agentTags(
  options: AgentOptions,
  nodeId: string,
  pool: 'lan' | 'wan',
  ports: {readonly server: number; readonly serfWan: number},
): Readonly<Record<string, string>> {
  const {protocol} = options.raft
  const tags: Record<string, string> = {
    role: options.server ? 'consul' : 'node',
    dc: options.datacenter,
    vsn: '2',
    vsn_min: protocol === 0 ? '1' : '2',
    vsn_max: '3',
    build: `${VERSIONS[protocol]}:${REVISION}`,
  }
  if (protocol > 0) tags['id'] = nodeId
  if (protocol > 1) tags['segment'] = ''
  if (!options.server) return tags
  tags['port'] = String(ports.server)
  if (options.bootstrap) tags['bootstrap'] = '1'
  if (options.bootstrapExpect > 0) tags['expect'] = String(options.bootstrapExpect)
  if (protocol > 1) tags['raft_vsn'] = String(protocol)
  if (options.nonVoter) tags['nonvoter'] = '1'
  if (pool === 'lan' && ports.serfWan > 0) tags['wan_join_port'] = String(ports.serfWan)
  return tags
}

/** Who may come into the pool of a datacenter (`lanMergeDelegate`, consul agent/consul/merge.go). */
export function lanMergeRule(
  own: {readonly name: string; readonly nodeId: string; readonly datacenter: string},
  members: () => readonly Member[],
): (applicants: readonly Applicant[]) => string | undefined {
  return applicants => {
    for (const {name, tags, left} of applicants) {
      const {role, dc, id, build, segment = ''} = tags
      // This agent belongs to no segment, which is the one without a name; members of others have pools of their own
      if (segment !== '' && !left) return `Member '${name}' part of wrong segment '${segment}' (expected '')`
      if (role !== 'consul' && role !== 'node') continue
      if (dc !== own.datacenter) return `Member '${name}' part of wrong datacenter '${dc ?? ''}'`
      if (left || id === undefined || id === '' || name === own.name || !hasOwnId(build)) continue
      if (id === own.nodeId) return `Member '${name}' has conflicting node ID '${id}' with this agent's ID`
      const other = members().find(
        ({tags, ...member}) =>
          tags['id'] === id && hasOwnId(tags['build']) && member.name !== name && member.status === 'alive',
      )
      if (other !== undefined)
        return `Member '${name}' has conflicting node ID '${id}' with member '${other.name}'`
    }
    return undefined
  }
}

/** Before Consul 0.8.5 the agents of one host have the same id (`makeRandomID`, consul agent/agent.go). */
function hasOwnId(build: string | undefined): boolean {
  const [, major = 0, minor = 0, patch = 0] = (/^(\d+)\.(\d+)\.(\d+)/.exec(build ?? '') ?? []).map(Number)
  return major > 0 || minor > 8 || (minor === 8 && patch >= 5)
}

/** Who may come into the pool of servers of all datacenters (`wanMergeDelegate`). */
export const wanMergeRule = (applicants: readonly Applicant[]): string | undefined => {
  const stranger = applicants.find(({tags}) => tags['role'] !== 'consul')
  return stranger === undefined ? undefined : `Member '${stranger.name}' is not a server`
}
