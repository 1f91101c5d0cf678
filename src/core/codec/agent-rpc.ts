import type {Member, MemberStatus, RaftStats} from '../model/observation.js'
import {formatIp} from './address-bytes.js'
import {memberFromTags, raftStats} from './consul-api.js'
import type {MsgpackMap, MsgpackValue} from './msgpack.js'
import {decodeMsgpack, encodeMsgpack, msgpackText} from './msgpack.js'

/**
 * The agent's RPC of Consul up to 0.7 (port 8400): msgpack values one after another, no framing. A request is a
 * header `{Command, Seq}` and, for some commands, a body; a reply is a header `{Seq, Error}` and a body.
 */

/** The bytes that open a session; the reply is a header alone. */
export function rpcHandshake(): Uint8Array {
  return join(encodeMsgpack({Command: 'handshake', Seq: 0}), encodeMsgpack({Version: 1}))
}

/** A command without a body. */
export function rpcCommand(command: 'stats' | 'members-lan', seq: number): Uint8Array {
  return encodeMsgpack({Command: command, Seq: seq})
}

/** What is in the bytes received so far. `end` is where the next reply begins. */
export type RpcReply =
  | {readonly kind: 'more'}
  | {readonly kind: 'problem'; readonly text: string}
  | {
      readonly kind: 'reply'
      readonly error: string
      readonly body: MsgpackValue | undefined
      readonly end: number
    }

/** Takes one reply off the bytes at `start`. A reply with an error has no body. */
export function readRpcReply(bytes: Uint8Array, start: number, hasBody: boolean): RpcReply {
  const limits = {rawBytesMax: 1 << 20, valuesMax: 200_000}
  const header = decodeMsgpack(bytes, start, limits)
  if (header.kind !== 'value') return header
  if (!(header.value instanceof Map)) return {kind: 'problem', text: 'the reply has no header'}
  const error = msgpackText(header.value.get('Error') as MsgpackValue | undefined) ?? ''
  if (error !== '' || !hasBody) return {kind: 'reply', error, body: undefined, end: header.end}
  const body = decodeMsgpack(bytes, header.end, limits)
  if (body.kind !== 'value') return body
  return {kind: 'reply', error, body: body.value, end: body.end}
}

/** The raft section of the body of `stats`. */
export function raftStatsOfRpc(body: MsgpackValue | undefined): RaftStats | undefined {
  const raft = mapOf(mapOf(body)?.get('raft'))
  return raft === undefined ? undefined : raftStats(key => msgpackText(raft.get(key)))
}

/** The members in the body of `members-lan`; undefined when it is not such a body. */
export function membersOfRpc(body: MsgpackValue | undefined): readonly Member[] | undefined {
  const list = mapOf(body)?.get('Members')
  if (list === null) return []
  if (!Array.isArray(list)) return undefined
  const members: Member[] = []
  for (const item of list as readonly MsgpackValue[]) {
    const fields = mapOf(item)
    const name = msgpackText(fields?.get('Name'))
    const address = fields?.get('Addr')
    if (name === undefined || !(address instanceof Uint8Array)) return undefined
    const tags = mapOf(fields?.get('Tags'))
    const status = msgpackText(fields?.get('Status')) ?? ''
    members.push(
      memberFromTags(name, formatIp(address), STATUS.has(status) ? (status as MemberStatus) : 'none', key =>
        msgpackText(tags?.get(key)),
      ),
    )
  }
  return members
}

const STATUS: ReadonlySet<string> = new Set(['alive', 'leaving', 'left', 'failed'])

function mapOf(value: MsgpackValue | undefined): MsgpackMap | undefined {
  return value instanceof Map ? (value as MsgpackMap) : undefined
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const whole = new Uint8Array(a.length + b.length)
  whole.set(a)
  whole.set(b, a.length)
  return whole
}
