import {parseGoDuration} from '../../core/codec/go-duration.js'
import {encodeAutopilot} from '../../core/fsm/commands.js'
import type {AutopilotConfig} from '../../core/fsm/messages.js'
import {NO_AUTOPILOT} from '../../core/fsm/read-records.js'
import type {AgentBackend, HttpAnswer, KeyringAnswer, KeyringOperation, ServerHealth} from '../backend.js'
import {goDuration} from '../go-time.js'
import {Failure, emptyAnswer, jsonAnswer, truthAnswer} from './answers.js'
import {readFields} from './body.js'
import type {Context} from './context.js'
import {applied} from './context.js'
import {parseJson, sortedMap} from './json.js'
import type {ParsedRequest} from './request.js'

/** `GET /v1/operator/raft/configuration`; servers that gossip does not know are called `(unknown)`. */
export async function raftConfiguration(context: Context, parsed: ParsedRequest): Promise<HttpAnswer> {
  const elsewhere = await context.consistency.ask(parsed)
  if (elsewhere !== undefined) return elsewhere
  return jsonAnswer({Servers: raftServers(context.backend), Index: 0}, parsed.query)
}

/** The servers of the latest configuration as `/v1/operator/raft/configuration` and its call tell them. */
export function raftServers(backend: AgentBackend) {
  const members = new Map(
    backend
      .members('lan')
      .filter(member => member.tags['role'] === 'consul')
      .map(member => [`${bracketed(member.address)}:${member.tags['port'] ?? ''}`, member]),
  )
  const leader = backend.leader()?.address
  const indexes = new Map(backend.serverHealth().map(health => [health.id, health.lastIndex]))
  const own = backend.machine?.lastIndex ?? 0
  return backend.configuration().servers.map(server => {
    const member = members.get(server.address)
    return {
      ID: server.id,
      Node: member?.name ?? '(unknown)',
      Address: server.address,
      Leader: server.address === leader,
      ProtocolVersion: member?.tags['raft_vsn'] ?? 'unknown',
      Voter: server.suffrage === 'voter',
      LastIndex: indexes.get(server.id) ?? (server.id === backend.identity.nodeId ? own : 0),
    }
  })
}

const bracketed = (address: string): string => (address.includes(':') ? `[${address}]` : address)

/** `DELETE /v1/operator/raft/peer`. */
export async function raftPeer(context: Context, parsed: ParsedRequest): Promise<HttpAnswer> {
  const {query} = parsed
  const [id, address] = [query.get('id'), query.get('address')]
  if (id === '' && address === '')
    throw new Failure(
      400,
      `Must specify either ?id with the server's ID or ?address with IP:port of peer to remove`,
    )
  if (id !== '' && address !== '') throw new Failure(400, 'Must specify only one of ?id or ?address')
  const elsewhere = await context.consistency.write(parsed.request)
  if (elsewhere !== undefined) return elsewhere
  const {servers} = context.backend.configuration()
  if (!servers.some(server => (id === '' ? server.address === address : server.id === id)))
    throw new Failure(
      500,
      id === ''
        ? `address "${address}" was not found in the Raft configuration`
        : `id "${id}" was not found in the Raft configuration`,
    )
  const problem = await context.backend.removeServer(id === '' ? {address} : {id})
  if (problem !== undefined) throw new Failure(500, problem.problem)
  return emptyAnswer()
}

/** `POST /v1/operator/raft/transfer-leader`. */
export async function transferLeader(context: Context, parsed: ParsedRequest): Promise<HttpAnswer> {
  const elsewhere = await context.consistency.write(parsed.request)
  if (elsewhere !== undefined) return elsewhere
  const id = parsed.query.get('id')
  const {servers} = context.backend.configuration()
  if (id !== '' && !servers.some(server => server.id === id))
    throw new Failure(500, `Could not find address for server id ${id}`)
  const problem = await context.backend.transferLeadership(id === '' ? undefined : id)
  if (problem !== undefined) throw new Failure(500, problem.problem)
  return jsonAnswer({Success: true}, parsed.query)
}

/** Autopilot's settings as long as nobody has set any (`DefaultConfig`, consul agent/consul/config.go). */
export const AUTOPILOT_DEFAULTS: AutopilotConfig = {
  ...NO_AUTOPILOT,
  cleanupDeadServers: true,
  lastContactThresholdNs: 200e6,
  maxTrailingLogs: 250,
  serverStabilizationTimeNs: 10e9,
}

/** `GET` and `PUT /v1/operator/autopilot/configuration`. */
export async function autopilotConfiguration(context: Context, parsed: ParsedRequest): Promise<HttpAnswer> {
  const {query, request} = parsed
  if (request.method === 'GET') {
    const elsewhere = await context.consistency.ask(parsed)
    if (elsewhere !== undefined) return elsewhere
    return jsonAnswer(autopilotJson(context.backend.machine?.tables.autopilot ?? AUTOPILOT_DEFAULTS), query)
  }
  const wanted = readAutopilot(request.body)
  const cas = query.get('cas')
  if (query.has('cas') && !/^\d{1,15}$/.test(cas))
    throw new Failure(400, `Error parsing cas value: strconv.ParseUint: parsing "${cas}": invalid syntax`)
  const elsewhere = await context.consistency.change(request)
  if (elsewhere !== undefined) return elsewhere
  const config = {...wanted, modifyIndex: Number(cas)}
  const {datacenter} = context.backend.identity
  const result = await applied(context, encodeAutopilot(datacenter, config, query.has('cas')))
  return truthAnswer(!query.has('cas') || result === true, query)
}

function readAutopilot(body: Uint8Array): AutopilotConfig {
  const json = parseJson(body)
  if ('problem' in json) throw new Failure(400, `Error parsing autopilot config: ${json.problem}`)
  const fields = readFields(json.value)
  const nanoseconds = (name: string, otherwise: number): number => {
    const value = fields.value(name)
    if (value === undefined) return otherwise
    const ms = typeof value === 'number' ? value / 1e6 : parseGoDuration(String(value))
    if (ms === undefined)
      throw new Failure(400, `Error parsing autopilot config: time: invalid duration "${String(value)}"`)
    return Math.max(0, Math.min(Math.round(ms * 1e6), Number.MAX_SAFE_INTEGER))
  }
  const defaults = AUTOPILOT_DEFAULTS
  const whole = (name: string, otherwise: number) => (fields.has(name) ? fields.number(name) : otherwise)
  return {
    ...defaults,
    cleanupDeadServers: fields.has('CleanupDeadServers')
      ? fields.boolean('CleanupDeadServers')
      : defaults.cleanupDeadServers,
    lastContactThresholdNs: nanoseconds('LastContactThreshold', defaults.lastContactThresholdNs),
    maxTrailingLogs: whole('MaxTrailingLogs', defaults.maxTrailingLogs),
    minQuorum: whole('MinQuorum', defaults.minQuorum),
    serverStabilizationTimeNs: nanoseconds('ServerStabilizationTime', defaults.serverStabilizationTimeNs),
    redundancyZoneTag: fields.text('RedundancyZoneTag'),
    disableUpgradeMigration: fields.boolean('DisableUpgradeMigration'),
    upgradeVersionTag: fields.text('UpgradeVersionTag'),
  }
}

const autopilotJson = (config: AutopilotConfig) => ({
  CleanupDeadServers: config.cleanupDeadServers,
  LastContactThreshold: goDuration(config.lastContactThresholdNs / 1e6),
  MaxTrailingLogs: config.maxTrailingLogs,
  MinQuorum: config.minQuorum,
  ServerStabilizationTime: goDuration(config.serverStabilizationTimeNs / 1e6),
  RedundancyZoneTag: config.redundancyZoneTag,
  DisableUpgradeMigration: config.disableUpgradeMigration,
  UpgradeVersionTag: config.upgradeVersionTag,
  CreateIndex: config.createIndex,
  ModifyIndex: config.modifyIndex,
})

/** `GET /v1/operator/autopilot/health`; 429 when a server is not healthy. */
export async function autopilotHealth(context: Context, parsed: ParsedRequest): Promise<HttpAnswer> {
  const elsewhere = await context.consistency.write(parsed.request)
  if (elsewhere !== undefined) return elsewhere
  const servers = context.backend.serverHealth()
  const healthy = servers.length > 0 && servers.every(server => server.healthy)
  const voters = servers.filter(server => server.voter)
  const up = voters.filter(server => server.healthy).length
  const tolerance = Math.max(0, up - (Math.floor(voters.length / 2) + 1))
  const json = {Healthy: healthy, FailureTolerance: tolerance, Servers: servers.map(healthJson)}
  return jsonAnswer(json, parsed.query, undefined, healthy ? 200 : 429)
}

const healthJson = (server: ServerHealth) => ({
  ID: server.id,
  Name: server.name,
  Address: server.address,
  SerfStatus: server.serfStatus,
  Version: server.version,
  Leader: server.leader,
  LastContact: server.lastContactMs === undefined ? '-1ns' : goDuration(server.lastContactMs),
  LastTerm: server.lastTerm,
  LastIndex: server.lastIndex,
  Healthy: server.healthy,
  Voter: server.voter,
  StableSince: new Date(server.stableSinceMs).toISOString().replace(/\.\d+Z/, 'Z'),
})

/** `/v1/operator/keyring`: lists, installs, uses and removes keys of both pools. */
export async function operatorKeyring(context: Context, parsed: ParsedRequest): Promise<HttpAnswer> {
  const {method} = parsed.request
  const answers = await context.backend.keyring(keyringOperation(parsed))
  if ('problem' in answers) throw new Failure(500, answers.problem)
  const errors = answers.flatMap(keyringErrors)
  if (errors.length > 0) {
    const noun = errors.length === 1 ? 'error' : 'errors'
    throw new Failure(
      500,
      `${errors.length} ${noun} occurred:\n${errors.map(line => `\t* ${line}\n`).join('')}\n`,
    )
  }
  return method === 'GET' ? jsonAnswer(answers.map(keyringJson), parsed.query) : emptyAnswer()
}

function keyringOperation({request}: ParsedRequest): KeyringOperation {
  if (request.method === 'GET') return {operation: 'list'}
  const json = parseJson(request.body)
  if ('problem' in json) throw new Failure(400, `Request decode failed: ${json.problem}`)
  const key = readFields(json.value).text('Key')
  const operation = request.method === 'POST' ? 'install' : request.method === 'PUT' ? 'use' : 'remove'
  return {operation, key}
}

function keyringErrors({wan, datacenter, error, messages}: KeyringAnswer): readonly string[] {
  if (error === undefined) return []
  const pool = wan ? 'WAN' : `${datacenter} (LAN)`
  return [`${pool} error: ${error}`, ...Object.entries(messages).map(([node, text]) => `${node}: ${text}`)]
}

const keyringJson = (answer: KeyringAnswer) => ({
  WAN: answer.wan,
  Datacenter: answer.datacenter,
  Messages: sortedMap(answer.messages),
  Keys: sortedMap(answer.keys),
  PrimaryKeys: sortedMap(answer.primaryKeys),
  NumNodes: answer.nodes,
})
