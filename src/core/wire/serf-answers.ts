import type {MsgpackMap} from '../codec/msgpack.js'
import {decodeMsgpack} from '../codec/msgpack.js'
import {MsgpackWriter} from '../codec/msgpack-writer.js'
import type {Decoded} from './fields.js'
import {decoded, Fields, structAt, undecodable} from './fields.js'
import type {Versions} from './memberlist.js'
import {ipBytes} from './memberlist.js'
import {SerfType} from './serf.js'

/** What Serf's own queries (names that begin with `_serf_`) carry and are answered with (serf/internal_query.go). */

/** A member's status as its number (`MemberStatus`, serf/serf.go). */
export const SERF_STATUS = ['none', 'alive', 'leaving', 'left', 'failed'] as const
export type SerfStatus = (typeof SERF_STATUS)[number]

/** A member as an answer to `_serf_conflict` tells it. */
export interface SerfMember extends Versions {
  readonly name: string
  readonly ip: string
  readonly port: number
  readonly tags: ReadonlyMap<string, string>
  readonly status: SerfStatus
}

/** The answer to `_serf_conflict`: the member as we know it, nil when we do not. */
export function encodeConflictResponse(member: SerfMember | undefined): Uint8Array {
  const writer = new MsgpackWriter().byte(SerfType.conflictResponse)
  if (member === undefined) return writer.nil().finish()
  writer.map(11).text('Addr').bytes(ipBytes(member.ip))
  writer.text('DelegateCur').unsigned(member.delegateCur)
  writer.text('DelegateMax').unsigned(member.delegateMax)
  writer.text('DelegateMin').unsigned(member.delegateMin)
  writer.text('Name').text(member.name).text('Port').unsigned(member.port)
  writer.text('ProtocolCur').unsigned(member.protocolCur)
  writer.text('ProtocolMax').unsigned(member.protocolMax)
  writer.text('ProtocolMin').unsigned(member.protocolMin)
  writer.text('Status').unsigned(SERF_STATUS.indexOf(member.status))
  writer.text('Tags').map(member.tags.size)
  for (const [key, value] of member.tags) writer.text(key).text(value)
  return writer.finish()
}

/** What the payload of an answer to `_serf_conflict` says; undefined inside when the answerer knows no such member. */
export function decodeConflictResponse(payload: Uint8Array): Decoded<SerfMember | undefined> {
  if (payload[0] !== SerfType.conflictResponse) return undecodable('the answer is of another type')
  const result = decodeMsgpack(payload, 1, {depthMax: 4, valuesMax: 2000})
  if (result.kind !== 'value') return undecodable('the answer does not parse')
  if (result.value === null) return decoded(undefined)
  if (!(result.value instanceof Map)) return undecodable('the answer is not a map')
  const fields = new Fields(result.value as MsgpackMap)
  const tagFields = fields.mapOf('Tags')
  const tags = new Map<string, string>()
  const tagReader = new Fields(tagFields)
  for (const key of tagFields.keys()) tags.set(key, tagReader.text(key))
  if (tagReader.problem !== undefined) fields.wrong('Tags', undefined)
  const status = SERF_STATUS[fields.u8('Status')] ?? fields.wrong('Status', 'none')
  return fields.result({
    name: fields.text('Name'),
    ip: fields.ip('Addr') || fields.wrong('Addr', ''),
    port: fields.u16('Port'),
    tags,
    status,
    protocolMin: fields.u8('ProtocolMin'),
    protocolMax: fields.u8('ProtocolMax'),
    protocolCur: fields.u8('ProtocolCur'),
    delegateMin: fields.u8('DelegateMin'),
    delegateMax: fields.u8('DelegateMax'),
    delegateCur: fields.u8('DelegateCur'),
  })
}

/** The payload of `_serf_install-key`, `-use-key` and `-remove-key`; of `-list-keys` with no key. */
export function encodeKeyRequest(key: Uint8Array): Uint8Array {
  return new MsgpackWriter().byte(SerfType.keyRequest).map(1).text('Key').bytesOrNil(key).finish()
}

/** The key in the payload of a key query; empty for `_serf_list-keys`. It is secret. */
export function decodeKeyRequest(payload: Uint8Array): Decoded<Uint8Array> {
  if (payload[0] !== SerfType.keyRequest) return undecodable('the request is of another type')
  const struct = structAt(payload, 1)
  if (!struct.ok) return struct
  return struct.value.fields.result(struct.value.fields.bytes('Key', 64))
}

/** An answer to a key query. Keys are in base64. */
export interface KeyResponse {
  readonly ok: boolean
  readonly message: string
  readonly keys: readonly string[]
  /** Empty from libraries before 0.9. */
  readonly primaryKey: string
}

/** The payload of an answer to a key query. */
export function encodeKeyResponse(response: KeyResponse): Uint8Array {
  const writer = new MsgpackWriter().byte(SerfType.keyResponse).map(4).text('Keys')
  if (response.keys.length === 0) writer.nil()
  else {
    writer.array(response.keys.length)
    for (const key of response.keys) writer.text(key)
  }
  writer.text('Message').text(response.message).text('PrimaryKey').text(response.primaryKey)
  return writer.text('Result').bool(response.ok).finish()
}

/** What the payload of an answer to a key query says. */
export function decodeKeyResponse(payload: Uint8Array): Decoded<KeyResponse> {
  if (payload[0] !== SerfType.keyResponse) return undecodable('the answer is of another type')
  const struct = structAt(payload, 1)
  if (!struct.ok) return struct
  const {fields} = struct.value
  return fields.result({
    ok: fields.bool('Result'),
    message: fields.text('Message', 4096),
    keys: fields.texts('Keys', 64),
    primaryKey: fields.text('PrimaryKey', 64),
  })
}
