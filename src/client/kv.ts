import {QuorateError} from '../errors.js'
import type {AgentApi} from '../ports/agent-api.js'
import {apiPath, demand, jsonOf, keyPath, listOf, numberField, refusal, textField} from './api-answers.js'

/** A key with all that the store keeps of it. */
export interface KeyValue {
  readonly key: string
  /** In base64, as the API gives it. */
  readonly value: string
  /** A number of 64 bits, in decimal. */
  readonly flags: string
  readonly createIndex: number
  readonly modifyIndex: number
  readonly lockIndex: number
  readonly session: string | undefined
}

/** How a read is asked: of any server (`stale`) or of the leader, of this datacenter or another. */
export interface ReadHow {
  readonly stale: boolean
  readonly datacenter: string | undefined
}

function keyedPath(key: string, query: Parameters<typeof apiPath>[1]): string {
  return apiPath(`/v1/kv/${keyPath(key.replace(/^\//, ''))}`, query)
}

/** All keys that begin with a prefix, or with `recurse: false` the one key. Empty when there is none. */
export async function readKeys(
  api: AgentApi,
  key: string,
  {recurse, stale, datacenter: dc}: ReadHow & {readonly recurse: boolean},
): Promise<readonly KeyValue[]> {
  const path = keyedPath(key, {recurse, stale, dc})
  const answer = await api.ask({method: 'GET', path, timeoutMs: 300_000})
  if (answer.status === 404) return []
  if (answer.status !== 200) throw refusal(answer, 'read the key')
  return listOf(jsonOf(api, answer)).map(fields => ({
    key: textField(fields, 'Key'),
    value: textField(fields, 'Value'),
    flags: String(fields['Flags'] ?? 0),
    createIndex: numberField(fields, 'CreateIndex'),
    modifyIndex: numberField(fields, 'ModifyIndex'),
    lockIndex: numberField(fields, 'LockIndex'),
    session: textField(fields, 'Session') || undefined,
  }))
}

/** Names of keys that begin with a prefix, up to the next separator after it. */
export async function listKeyNames(
  api: AgentApi,
  prefix: string,
  {separator, stale, datacenter: dc}: ReadHow & {readonly separator: string},
): Promise<readonly string[]> {
  const path = keyedPath(prefix, {keys: true, separator: separator || undefined, stale, dc})
  const answer = await api.ask({method: 'GET', path, timeoutMs: 300_000})
  if (answer.status === 404) return []
  if (answer.status !== 200) throw refusal(answer, 'list keys')
  const names = jsonOf(api, answer)
  return Array.isArray(names) ? (names as unknown[]).filter(name => typeof name === 'string') : []
}

/** What a write carries beside the value. */
export interface WriteHow {
  /** In decimal. */
  readonly flags?: string | undefined
  /** Writes only when the key was last changed at this index; 0 for a key that must not exist. */
  readonly cas?: number | undefined
  /** Session that takes the lock. */
  readonly acquire?: string | undefined
  /** Session that gives it back. */
  readonly release?: string | undefined
  readonly datacenter?: string | undefined
}

/** Writes a key. Throws CHECK_FAILED when the condition did not hold. */
export async function putKey(api: AgentApi, key: string, value: Uint8Array, how: WriteHow): Promise<void> {
  const {flags, cas, acquire, release, datacenter: dc} = how
  const path = keyedPath(key, {flags, cas, acquire, release, dc})
  const answer = await demand(api, {method: 'PUT', path, body: value}, 'write the key')
  if (jsonOf(api, answer) !== true) throw checkFailed(key, how)
}

/** Deletes a key, or all that begin with it. Deleting what there is not is no error, as in Consul. */
export async function deleteKey(
  api: AgentApi,
  key: string,
  how: {
    readonly recurse: boolean
    readonly cas?: number | undefined
    readonly datacenter?: string | undefined
  },
): Promise<void> {
  const path = keyedPath(key, {recurse: how.recurse, cas: how.cas, dc: how.datacenter})
  const answer = await demand(api, {method: 'DELETE', path}, 'delete the key')
  if (jsonOf(api, answer) !== true) throw checkFailed(key, how)
}

function checkFailed(key: string, how: WriteHow): QuorateError {
  const lock = how.acquire !== undefined || how.release !== undefined
  const why = lock
    ? 'its lock is not this session’s to take or give'
    : `it was not last changed at index ${how.cas ?? 0}`
  return new QuorateError('CHECK_FAILED', `${key} was left as it is: ${why}.`, {details: {key}})
}
