import type {AgentApi} from '../ports/agent-api.js'
import {QuorateError} from '../errors.js'
import {apiPath, demand, fieldsOf, jsonOf, listOf, numberField, refusal, textField} from './api-answers.js'

/** A member of a gossip pool as operators see it. */
export interface Member {
  readonly name: string
  readonly address: string
  readonly port: number
  readonly status: string
  readonly type: 'server' | 'client' | 'unknown'
  readonly build: string
  readonly protocol: number
  readonly datacenter: string
  readonly tags: Readonly<Record<string, string>>
}

/** Serf's numbers (serf `MemberStatus`). */
const STATUSES = ['none', 'alive', 'leaving', 'left', 'failed']

/** The members of the LAN or WAN pool as the agent sees them, by name. */
export async function members(api: AgentApi, wan: boolean): Promise<readonly Member[]> {
  const path = apiPath('/v1/agent/members', {wan: wan ? '1' : undefined})
  const answer = await demand(api, {method: 'GET', path}, 'tell its members')
  return listOf(jsonOf(api, answer))
    .map(memberOf)
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
}

function memberOf(fields: Readonly<Record<string, unknown>>): Member {
  const tags = Object.fromEntries(
    Object.entries(fieldsOf(fields['Tags'])).map(([name, value]) => [name, String(value)]),
  )
  const role = tags['role']
  return {
    name: textField(fields, 'Name'),
    address: textField(fields, 'Addr'),
    port: numberField(fields, 'Port'),
    status: STATUSES[numberField(fields, 'Status')] ?? 'unknown',
    type: role === 'consul' ? 'server' : role === 'node' ? 'client' : 'unknown',
    build: (tags['build'] ?? '').split(':')[0] ?? '',
    protocol: Number(tags['vsn'] ?? 0),
    datacenter: tags['dc'] ?? '',
    tags,
  }
}

/** The sections of an agent's own account: section, name, value. */
export type AgentInfo = Readonly<Record<string, Readonly<Record<string, string>>>>

/** What the agent tells of its own state. */
export async function agentInfo(api: AgentApi): Promise<AgentInfo> {
  const answer = await demand(api, {method: 'GET', path: '/v1/agent/self'}, 'tell its state')
  const sections = Object.entries(fieldsOf(fieldsOf(jsonOf(api, answer))['Stats']))
  const sorted = sections.sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(
    sorted.map(([name, values]) => {
      const rows = Object.entries(fieldsOf(values)).map(([key, value]) => [key, String(value)] as const)
      return [name, Object.fromEntries(rows.sort(([a], [b]) => (a < b ? -1 : 1)))]
    }),
  )
}

/** How a join went: who was reached, and why others were not. */
export interface Joined {
  readonly joined: readonly string[]
  readonly failed: readonly {readonly address: string; readonly why: string}[]
}

/** Makes the agent join each address. Throws API_REFUSED when none could be joined. */
export async function join(api: AgentApi, addresses: readonly string[], wan: boolean): Promise<Joined> {
  const joined: string[] = []
  const failed: {address: string; why: string}[] = []
  let last: QuorateError | undefined
  for (const address of addresses) {
    const path = apiPath(`/v1/agent/join/${encodeURIComponent(address)}`, {wan: wan ? '1' : undefined})
    const answer = await api.ask({method: 'PUT', path})
    if (answer.status === 200) joined.push(address)
    else {
      last = refusal(answer, `join ${address}`)
      failed.push({address, why: last.message})
    }
  }
  if (joined.length > 0) return {joined, failed}
  throw last ?? new QuorateError('USAGE', 'No address to join was given.')
}

/** How long a graceful leave may take: its drain and its removal from Raft. */
const LEAVE_MS = 60_000

/** Makes the agent leave gracefully and end. */
export async function leave(api: AgentApi): Promise<void> {
  await demand(api, {method: 'PUT', path: '/v1/agent/leave', timeoutMs: LEAVE_MS}, 'leave')
}

/** Declares a failed node left, and with `prune` forgets it. */
export async function forceLeave(
  api: AgentApi,
  node: string,
  options: {readonly prune: boolean; readonly wan: boolean},
): Promise<void> {
  const path = apiPath(`/v1/agent/force-leave/${encodeURIComponent(node)}`, {
    prune: options.prune ? '1' : undefined,
    wan: options.wan ? '1' : undefined,
  })
  await demand(api, {method: 'PUT', path}, `declare ${node} left`)
}

/** A user event that was fired. */
export interface FiredEvent {
  readonly id: string
  readonly name: string
}

/** Fires a user event through the gossip pool. */
export async function fireEvent(
  api: AgentApi,
  event: {
    readonly name: string
    readonly payload: Uint8Array
    readonly node: string | undefined
    readonly service: string | undefined
    readonly tag: string | undefined
    readonly datacenter: string | undefined
  },
): Promise<FiredEvent> {
  const {name, payload, node, service, tag, datacenter: dc} = event
  const path = apiPath(`/v1/event/fire/${encodeURIComponent(name)}`, {node, service, tag, dc})
  const answer = await demand(api, {method: 'PUT', path, body: payload}, 'fire the event')
  return {id: textField(fieldsOf(jsonOf(api, answer)), 'ID'), name}
}

/** Hands on the agent's log as it comes, until the agent ends. */
export async function monitor(
  api: AgentApi,
  level: string,
  onChunk: (bytes: Uint8Array) => void,
): Promise<void> {
  const path = apiPath('/v1/agent/monitor', {loglevel: level})
  await demand(api, {method: 'GET', path, onChunk}, 'show its log')
}
