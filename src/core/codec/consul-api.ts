import type {
  AgentSelf,
  ApiRaftConfiguration,
  Autopilot,
  Member,
  MemberStatus,
  RaftStats,
} from '../model/observation.js'
import type {Server} from '../model/configuration.js'
import {logIndex, serverAddress, serverId, term} from '../model/ids.js'
import {printable} from '../text.js'
import {formatHostPort} from './address.js'
import {parseGoDuration} from './go-duration.js'
import type {Parsed} from './parse-problem.js'
import {parsed, problemAt} from './parse-problem.js'

const MEMBERS_MAX = 20_000
const SERVERS_MAX = 1000
const NAME_MAX = 512

type Json = null | boolean | number | string | readonly Json[] | {readonly [key: string]: Json}

/** `/v1/status/leader`: an address, empty when the server knows no leader. */
export function parseStatusLeader(body: Uint8Array): Parsed<string> {
  return withJson(body, json => (typeof json === 'string' && json.length <= NAME_MAX ? json : undefined))
}

/** `/v1/status/peers`: addresses; `null` is what Consul up to 0.6 says of an empty list. */
export function parseStatusPeers(body: Uint8Array): Parsed<readonly string[]> {
  return withJson(body, json => {
    if (json === null) return []
    if (!isList(json) || json.length > SERVERS_MAX) return undefined
    return json.every(item => typeof item === 'string') ? json : undefined
  })
}

/** `/v1/agent/self`; the raft statistics are there from Consul 0.7 on. */
export function parseAgentSelf(body: Uint8Array): Parsed<AgentSelf> {
  return withJson(body, json => {
    const config = field(json, 'Config')
    const nodeName = textField(config, 'NodeName')
    const version = textField(config, 'Version')
    if (nodeName === undefined || version === undefined) return undefined
    const raft = field(field(json, 'Stats'), 'raft')
    return {
      nodeName,
      nodeId: textField(config, 'NodeID') || undefined,
      datacenter: textField(config, 'Datacenter') ?? '',
      version,
      server: field(config, 'Server') === true,
      raft: raft === undefined ? undefined : raftStats(key => textField(raft, key)),
    }
  })
}

/** `/v1/agent/members`. */
export function parseMembers(body: Uint8Array): Parsed<readonly Member[]> {
  return withJson(body, json => {
    if (json === null) return []
    if (!isList(json) || json.length > MEMBERS_MAX) return undefined
    const members = json.map(item => {
      const name = textField(item, 'Name')
      const address = textField(item, 'Addr')
      const status = MEMBER_STATUS[Number(field(item, 'Status'))] ?? 'none'
      return name === undefined || address === undefined
        ? undefined
        : memberFromTags(name, address, status, tag => textField(field(item, 'Tags'), tag))
    })
    return members.every(member => member !== undefined) ? members : undefined
  })
}

/** `/v1/operator/raft/configuration`. */
export function parseRaftConfiguration(body: Uint8Array): Parsed<ApiRaftConfiguration> {
  return withJson(body, json => {
    const list = field(json, 'Servers')
    if (!isList(list) || list.length > SERVERS_MAX) return undefined
    const servers = list.map(item => {
      const id = textField(item, 'ID')
      const address = textField(item, 'Address')
      if (id === undefined || address === undefined) return undefined
      const protocol = textField(item, 'ProtocolVersion')
      return {
        id: serverId(id),
        address: serverAddress(address),
        node: textField(item, 'Node') ?? '',
        leader: field(item, 'Leader') === true,
        voter: field(item, 'Voter') === true,
        protocolVersion: protocol !== undefined && /^\d{1,3}$/.test(protocol) ? Number(protocol) : undefined,
      }
    })
    if (!servers.every(server => server !== undefined)) return undefined
    return {index: logIndex(whole(field(json, 'Index')) ?? 0), servers}
  })
}

/**
 * `/v1/operator/autopilot/configuration` and, where it answered, `/v1/operator/autopilot/health` (it answers 429 with
 * the same body when unhealthy).
 */
export function parseAutopilot(configuration: Uint8Array, health: Uint8Array | undefined): Parsed<Autopilot> {
  const state = health === undefined ? undefined : parseJson(health)
  return withJson(configuration, json => {
    if (json === null || typeof json !== 'object' || isList(json)) return undefined
    const cleanup = field(json, 'CleanupDeadServers')
    const healthy = field(state, 'Healthy')
    return {
      healthy: typeof healthy === 'boolean' ? healthy : undefined,
      failureTolerance: whole(field(state, 'FailureTolerance')),
      cleanupDeadServers: typeof cleanup === 'boolean' ? cleanup : undefined,
      minQuorum: whole(field(json, 'MinQuorum')),
    }
  })
}

/**
 * The raft section of the agent's statistics, in which every value is a text. Undefined when it is not that section.
 * It comes over HTTP from Consul 0.7 on and over the agent's RPC port before 0.8.
 */
export function raftStats(value: (key: string) => string | undefined): RaftStats | undefined {
  const role = value('state')?.toLowerCase()
  const number = (key: string): number | undefined => {
    const text = value(key)
    return text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : undefined
  }
  const [lastIndex, lastTerm, current] = [number('last_log_index'), number('last_log_term'), number('term')]
  if (role !== 'leader' && role !== 'follower' && role !== 'candidate' && role !== 'shutdown')
    return undefined
  if (lastIndex === undefined || lastTerm === undefined || current === undefined) return undefined
  const configuration = value('latest_configuration')
  const configurationIndex = number('latest_configuration_index')
  const pending = number('fsm_pending')
  return {
    role,
    term: term(current),
    lastLogIndex: logIndex(lastIndex),
    lastLogTerm: term(lastTerm),
    commitIndex: logIndex(number('commit_index') ?? 0),
    appliedIndex: logIndex(number('applied_index') ?? 0),
    ...(pending === undefined ? {} : {fsmPending: pending}),
    snapshotIndex: logIndex(number('last_snapshot_index') ?? 0),
    snapshotTerm: term(number('last_snapshot_term') ?? 0),
    numPeers: number('num_peers') ?? 0,
    lastContactMs: parseGoDuration(value('last_contact') ?? 'never'),
    protocolVersion: number('protocol_version'),
    latestConfiguration: configuration === undefined ? undefined : {servers: goServers(configuration)},
    // From Consul 1.x on the index is always 0, which says nothing.
    latestConfigurationIndex:
      configurationIndex === undefined || configurationIndex === 0 ? undefined : logIndex(configurationIndex),
  }
}

/** A member of the gossip pool from its tags; `build` is `version:revision`, `port` is that of the Raft transport. */
export function memberFromTags(
  name: string,
  address: string,
  status: MemberStatus,
  tag: (name: string) => string | undefined,
): Member {
  const isServer = tag('role') === 'consul'
  const number = (key: string): number | undefined => {
    const text = tag(key)
    return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined
  }
  const port = number('port')
  const id = tag('id')
  const build = tag('build')?.split(':')[0]
  return {
    name,
    address,
    status,
    server: isServer,
    raftAddress: isServer && port !== undefined ? serverAddress(formatHostPort(address, port)) : undefined,
    id: id === undefined || id === '' ? undefined : serverId(id),
    datacenter: tag('dc'),
    version: build === '' ? undefined : build,
    raftProtocol: number('raft_vsn'),
    expect: number('expect'),
    bootstrap: tag('bootstrap') === '1',
    nonVoter: tag('nonvoter') === '1' || tag('read_replica') === '1',
  }
}

/** Status numbers of serf (serf/serf.go, MemberStatus). */
const MEMBER_STATUS: Readonly<Record<number, MemberStatus>> = {
  1: 'alive',
  2: 'leaving',
  3: 'left',
  4: 'failed',
}

/** The text of a Go slice of servers: `[{Suffrage:Voter ID:… Address:…} …]`. */
function goServers(text: string): readonly Server[] {
  const found = text.matchAll(/\{Suffrage:(\w+) ID:(\S*) Address:([^}\s]*)\}/g)
  return [...found].slice(0, SERVERS_MAX).map(match => ({
    id: serverId(match[2] ?? ''),
    address: serverAddress(match[3] ?? ''),
    suffrage: match[1] === 'Voter' ? ('voter' as const) : ('nonvoter' as const),
  }))
}

function withJson<T>(body: Uint8Array, take: (json: Json) => T | undefined): Parsed<T> {
  const json = parseJson(body)
  const value = json === undefined ? undefined : take(json)
  if (value !== undefined) return parsed(value)
  const head = new TextDecoder().decode(body.subarray(0, 120))
  return problemAt(`the answer is not what was asked for: ${printable(head, 80)}`, {line: 1, column: 1})
}

function parseJson(body: Uint8Array): Json | undefined {
  try {
    return JSON.parse(new TextDecoder('utf-8').decode(body)) as Json
  } catch {
    return undefined
  }
}

function isList(json: Json | undefined): json is readonly Json[] {
  return Array.isArray(json)
}

function field(json: Json | undefined, key: string): Json | undefined {
  if (json === null || typeof json !== 'object' || isList(json) || json === undefined) return undefined
  return Object.hasOwn(json, key) ? (json as {readonly [key: string]: Json})[key] : undefined
}

function textField(json: Json | undefined, key: string): string | undefined {
  const value = field(json, key)
  return typeof value === 'string' && value.length <= TEXT_MAX ? value : undefined
}

const TEXT_MAX = 64 * 1024

function whole(json: Json | undefined): number | undefined {
  return typeof json === 'number' && Number.isSafeInteger(json) ? json : undefined
}
