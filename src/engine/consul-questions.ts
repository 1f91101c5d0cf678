import type {ContentsDigest} from '../core/model/contents.js'
import type {
  AgentSelf,
  ApiObservation,
  ApiRaftConfiguration,
  Autopilot,
  Member,
} from '../core/model/observation.js'
import type {NotRead, Reading, Source, Unread} from '../core/model/reading.js'
import {read, unread, valueOf} from '../core/model/reading.js'
import {unreadApi} from '../core/model/unread-server.js'
import {
  parseAgentSelf,
  parseAutopilot,
  parseMembers,
  parseRaftConfiguration,
  parseStatusLeader,
  parseStatusPeers,
} from '../core/codec/consul-api.js'
import type {Parsed} from '../core/codec/parse-problem.js'
import {consulHas} from '../core/codec/version.js'
import type {ServerAddress} from '../core/model/ids.js'
import {printableBytes} from '../core/text.js'
import type {Clock} from '../ports/clock.js'
import type {HttpAnswer, HttpClient, HttpTls} from '../ports/http.js'
import type {ForwardTarget, HostConnection} from '../ports/transport.js'
import {askAgentRpc} from './agent-rpc.js'

/** Everything needed to put questions to one server's API. */
export interface ConsulApi {
  readonly host: string
  readonly connection: HostConnection
  readonly http: HttpClient
  readonly target: ForwardTarget
  readonly tls: HttpTls | undefined
  readonly token: string | undefined
  /** For each question by itself. */
  readonly timeoutMs: number
  /** The agent's RPC port, which only Consul before 0.8 has. */
  readonly rpc: ForwardTarget
  readonly clock: Clock
}

const SMALL_BYTES = 1024 * 1024
const MEMBERS_BYTES = 16 * 1024 * 1024

/**
 * What a server says of itself and of the cluster. What never waits is asked first, all at once: without a leader,
 * Consul from 0.7 on holds the caller of everything that goes through a leader for seven seconds (`rpc_hold_timeout`),
 * so those questions are not put then. Each view is the server's own (`stale`), never the leader's.
 */
export async function askConsul(
  api: ConsulApi,
  version: string | undefined,
  /** Reads the contents beside the later questions, where there is a leader; they are not read without it. */
  readContents?: (self: AgentSelf) => Promise<Reading<ContentsDigest>>,
): Promise<ApiObservation> {
  const [leader, statusPeers, httpSelf, members] = await Promise.all([
    ask(api, '/v1/status/leader', SMALL_BYTES, parseStatusLeader),
    ask(api, '/v1/status/peers', SMALL_BYTES, parseStatusPeers),
    ask(api, '/v1/agent/self', SMALL_BYTES, parseAgentSelf),
    ask(api, '/v1/agent/members', MEMBERS_BYTES, parseMembers),
  ])
  if (leader.kind === 'unread' && isSilent(leader.why))
    return unreadApi(api.host, {why: leader.why, detail: leader.detail ?? ''})
  const runs = valueOf(httpSelf)?.version ?? version
  const older = consulHas('rpc-8400', runs) === true && valueOf(httpSelf)?.raft === undefined
  const rpc = older ? await askAgentRpc(api) : undefined
  const self: Reading<AgentSelf> =
    httpSelf.kind === 'read' && rpc?.raft !== undefined
      ? {...httpSelf, value: {...httpSelf.value, raft: rpc.raft}}
      : httpSelf
  const hasLeader = leader.kind === 'read' && leader.value !== ''
  const known = valueOf(self)
  const [raftConfiguration, autopilot, contents] = await Promise.all([
    askRaftConfiguration(api, {hasLeader, version: runs, self: valueOf(self)}),
    askAutopilot(api, hasLeader, runs),
    hasLeader && known !== undefined ? readContents?.(known) : undefined,
  ])
  return {
    leader: leader as Reading<ServerAddress | ''>,
    statusPeers,
    self,
    members: members.kind === 'unread' && rpc?.members !== undefined ? rpcMembers(api, rpc.members) : members,
    raftConfiguration,
    autopilot,
    contents: contents ?? notAsked(api, '/v1/kv', 'Contents are only compared where that is asked for.'),
  }
}

/** Puts one question; every status but the expected one is a reason. */
export async function ask<T>(
  api: ConsulApi,
  path: string,
  maxBytes: number,
  parse: (body: Uint8Array) => Parsed<T>,
): Promise<Reading<T>> {
  const answer = await request(api, path, maxBytes)
  const source = sourceOf(api, path)
  const trouble = troubleOf(answer)
  if (trouble !== undefined) return unread(trouble.why, source, trouble.detail)
  const parsed = answer.kind === 'answered' ? parse(answer.body) : undefined
  if (parsed?.ok === true) return read(parsed.value, source)
  return unread('unparsable', source, parsed?.problem.message ?? '')
}

function request(api: ConsulApi, path: string, maxBytes: number): Promise<HttpAnswer> {
  const {target, token, tls, timeoutMs} = api
  return api.http.request(api.connection, {method: 'GET', path, target, token, tls, timeoutMs, maxBytes})
}

/** Why an answer is none; undefined for a whole answer with status 200. */
export function troubleOf(answer: HttpAnswer): {why: Unread; detail: string} | undefined {
  if (answer.kind === 'failed')
    return {why: answer.why === 'lost' ? 'failed' : answer.why, detail: answer.detail}
  const words = printableBytes(answer.body, 160)
  switch (answer.status) {
    case 200:
      return answer.truncated
        ? {why: 'over-budget', detail: 'The answer was longer than is read.'}
        : undefined
    case 401:
    case 403:
      return {why: 'denied', detail: words === '' ? 'The token does not permit it.' : words}
    case 404:
      return {why: 'unsupported', detail: 'This version does not have it.'}
    default:
      return {why: 'failed', detail: `status ${answer.status}: ${words}`}
  }
}

async function askRaftConfiguration(
  api: ConsulApi,
  known: {
    readonly hasLeader: boolean
    readonly version: string | undefined
    readonly self: AgentSelf | undefined
  },
): Promise<Reading<ApiRaftConfiguration>> {
  const path = '/v1/operator/raft/configuration?stale'
  if (consulHas('operator-raft', known.version) === false)
    return unread('unsupported', sourceOf(api, path), 'This version does not have it.')
  // From 1.2.3 on a server that has not heard of a leader since its start refuses stale reads, after seven seconds.
  const cold = !known.hasLeader && known.self?.raft?.lastContactMs === undefined
  if (cold && consulHas('stale-refused-when-cold', known.version) !== false)
    return notAsked(api, path, 'Without a leader since its start the server would hold the question.')
  return ask(api, path, SMALL_BYTES, parseRaftConfiguration)
}

async function askAutopilot(
  api: ConsulApi,
  hasLeader: boolean,
  version: string | undefined,
): Promise<Reading<Autopilot>> {
  const path = '/v1/operator/autopilot/configuration'
  if (consulHas('autopilot', version) === false)
    return unread('unsupported', sourceOf(api, path), 'This version does not have it.')
  if (!hasLeader) return notAsked(api, path, 'Without a leader the server would hold the question.')
  const [configuration, health] = await Promise.all([
    request(api, path, SMALL_BYTES),
    request(api, '/v1/operator/autopilot/health', SMALL_BYTES),
  ])
  const trouble = troubleOf(configuration)
  if (trouble !== undefined) return unread(trouble.why, sourceOf(api, path), trouble.detail)
  // An unhealthy cluster answers 429 with the same body.
  const told = health.kind === 'answered' && (health.status === 200 || health.status === 429)
  const parsed = parseAutopilot(
    configuration.kind === 'answered' ? configuration.body : new Uint8Array(),
    told ? health.body : undefined,
  )
  return parsed.ok
    ? read(parsed.value, sourceOf(api, path))
    : unread('unparsable', sourceOf(api, path), parsed.problem.message)
}

function rpcMembers(api: ConsulApi, members: readonly Member[]): Reading<readonly Member[]> {
  return read(members, {host: api.host, via: 'rpc', what: 'members-lan'})
}

/** Nobody answers: one reason for all questions, and no more of them. */
function isSilent(why: Unread): boolean {
  return why === 'refused' || why === 'timed-out' || why === 'no-route' || why === 'unsupported'
}

function notAsked(api: ConsulApi, path: string, why: string): NotRead {
  return unread('not-asked', sourceOf(api, path), why)
}

function sourceOf(api: ConsulApi, path: string): Source {
  return {host: api.host, via: 'api', what: path}
}
