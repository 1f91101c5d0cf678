import type {MsgpackMap, MsgpackValue} from './msgpack.js'
import {decodeMsgpack, encodeMsgpack, msgpackText} from './msgpack.js'
import type {MsgpackInput} from './msgpack.js'

/**
 * The server's side of the command line protocol of Consul up to 0.7 (port 8400, command/agent/rpc.go): msgpack values
 * one after another; a request is a header `{Command, Seq}` and, for some commands, a body.
 */

/** One request; fields that its body lacks have the zero value of their kind. */
export interface CliRequest {
  readonly command: string
  readonly seq: number
  readonly body: CliBody
}

/** The fields of all bodies together. */
export interface CliBody {
  readonly version: number
  readonly existing: readonly string[]
  readonly wan: boolean
  readonly node: string
  readonly logLevel: string
  readonly stop: number
  readonly key: string
}

const WITH_BODY: ReadonlySet<string> = new Set([
  'handshake',
  'join',
  'force-leave',
  'monitor',
  'stop',
  'install-key',
  'use-key',
  'remove-key',
])
const LIMITS = {rawBytesMax: 64 * 1024, valuesMax: 10_000, depthMax: 4}
/** A request is never longer; more bytes without an end are no request. */
const BYTES_MAX = 256 * 1024
const TEXTS_MAX = 1000
const NOTHING = new Uint8Array(0)

/** Takes requests off a stream of bytes. Total: what is no request is a problem, after which it takes nothing more. */
export class CliRequestReader {
  private bytes: Uint8Array = NOTHING
  private broken = false

  /** The requests that are whole now; undefined when the stream cannot be understood any more. */
  feed(chunk: Uint8Array): readonly CliRequest[] | undefined {
    if (this.broken) return undefined
    const whole = new Uint8Array(this.bytes.length + chunk.length)
    whole.set(this.bytes)
    whole.set(chunk, this.bytes.length)
    const requests: CliRequest[] = []
    let at = 0
    for (;;) {
      const taken = takeRequest(whole, at)
      if (taken === 'more') break
      if (taken === 'broken') {
        this.broken = true
        return undefined
      }
      if (taken.request !== undefined) requests.push(taken.request)
      at = taken.end
    }
    this.bytes = whole.slice(at)
    this.broken = this.bytes.length > BYTES_MAX
    return this.broken ? undefined : requests
  }
}

function takeRequest(
  bytes: Uint8Array,
  start: number,
): 'more' | 'broken' | {readonly request: CliRequest | undefined; readonly end: number} {
  if (start >= bytes.length) return 'more'
  const header = decodeMsgpack(bytes, start, LIMITS)
  if (header.kind !== 'value') return header.kind === 'more' ? 'more' : 'broken'
  const fields = mapOf(header.value)
  // From 0.7.2 on list-keys has a body, which says nothing that 0.6 would not have left out
  if (fields?.has('RelayFactor') === true && !fields.has('Command'))
    return {request: undefined, end: header.end}
  const command = msgpackText(fields?.get('Command'))
  const seq = fields?.get('Seq')
  if (command === undefined || typeof seq !== 'number' || !Number.isSafeInteger(seq) || seq < 0)
    return 'broken'
  if (!WITH_BODY.has(command)) return {request: {command, seq, body: bodyOf(undefined)}, end: header.end}
  if (header.end >= bytes.length) return 'more'
  const body = decodeMsgpack(bytes, header.end, LIMITS)
  if (body.kind !== 'value') return body.kind === 'more' ? 'more' : 'broken'
  const map = mapOf(body.value)
  return map === undefined ? 'broken' : {request: {command, seq, body: bodyOf(map)}, end: body.end}
}

function bodyOf(map: MsgpackMap | undefined): CliBody {
  const number = (name: string): number => {
    const value = map?.get(name)
    return typeof value === 'number' ? value : 0
  }
  const text = (name: string): string => msgpackText(map?.get(name)) ?? ''
  const existing = map?.get('Existing')
  return {
    version: number('Version'),
    existing: Array.isArray(existing)
      ? (existing as readonly MsgpackValue[]).slice(0, TEXTS_MAX).flatMap(one => msgpackText(one) ?? [])
      : [],
    wan: map?.get('WAN') === true,
    node: text('Node'),
    logLevel: text('LogLevel'),
    stop: number('Stop'),
    key: text('Key'),
  }
}

function mapOf(value: MsgpackValue): MsgpackMap | undefined {
  return value instanceof Map ? (value as MsgpackMap) : undefined
}

/** A reply: its header, and the body of commands that have one, which is read even where there was an error. */
export function encodeCliReply(seq: number, error: string, body?: MsgpackInput): Uint8Array {
  const header = encodeMsgpack({Seq: seq, Error: error})
  if (body === undefined) return header
  const second = encodeMsgpack(body)
  const whole = new Uint8Array(header.length + second.length)
  whole.set(header)
  whole.set(second, header.length)
  return whole
}
