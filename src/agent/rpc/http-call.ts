import type {MsgpackInput, MsgpackMap} from '../../core/codec/msgpack.js'
import {decodeBody} from '../../core/wire/consul-rpc.js'
import {Fields} from '../../core/wire/fields.js'
import type {HttpAnswer, HttpRequest} from '../backend.js'
import type {CallPool} from './call-pool.js'
import type {RpcMethod} from './call-server.js'
import {RpcError} from './call-server.js'

/** The call by which an agent hands a whole HTTP request to another: `{Method, Path, Headers, Body}`. */
export const HTTP_METHOD = 'Quorate.Http'

const HEADERS_MAX = 200
const HEADER_BYTES_MAX = 64 * 1024
const NO_BYTES = new Uint8Array(0)

/** Answers forwarded requests with what `handle` makes of them; large answers in parts. */
export const httpMethod =
  (handle: (request: HttpRequest) => Promise<HttpAnswer>): RpcMethod =>
  (argument, caller) =>
    answerParts(handle({...requestOf(argument), onGone: callback => caller.onGone(callback)}))

async function* answerParts(answer: Promise<HttpAnswer>): AsyncGenerator<MsgpackInput, void, void> {
  const {status, headers, body} = await answer
  if (body instanceof Uint8Array) return yield {Status: status, Headers: headers, Body: body, More: false}
  yield {Status: status, Headers: headers, Body: NO_BYTES, More: true}
  for await (const chunk of body) yield {Body: chunk, More: true}
  yield {Body: NO_BYTES, More: false}
}

function requestOf(argument: Uint8Array): HttpRequest {
  const map = decodeBody(argument)
  if (!(map instanceof Map)) throw new RpcError('the request is not a map')
  const fields = new Fields(map as MsgpackMap)
  const request = {
    method: fields.text('Method', 32),
    target: fields.text('Path', HEADER_BYTES_MAX),
    headers: textsOf(fields, 'Headers'),
    body: fields.bytes('Body'),
  }
  if (fields.problem !== undefined) throw new RpcError(fields.problem)
  return request
}

function textsOf(fields: Fields, name: string): Readonly<Record<string, string>> {
  const map = fields.mapOf(name)
  const texts = new Fields(map)
  const entries = Array.from(map.keys(), key => [key, texts.text(key, HEADER_BYTES_MAX)] as const)
  if (texts.problem !== undefined || entries.length > HEADERS_MAX) fields.wrong(name, undefined)
  return Object.fromEntries(entries)
}

/**
 * Hands a request to the server at `address`. Undefined when it could not be reached or did not answer in time; a
 * request that changes something may have been done all the same. The body of a large answer comes as it arrives.
 */
export async function forwardHttp(
  pool: CallPool,
  address: string,
  request: HttpRequest,
  timeoutMs: number,
): Promise<HttpAnswer | undefined> {
  const {method, target, headers, body} = request
  const argument = {Method: method, Path: target, Headers: headers, Body: body}
  const parts = pool.parts(
    address,
    HTTP_METHOD,
    argument,
    {timeoutMs, onStart: abandon => request.onGone?.(abandon)},
    part => part instanceof Map && (part as MsgpackMap).get('More') === true,
  )
  const first = await parts.next()
  const result = first.done === true ? undefined : first.value
  if (result?.kind !== 'value') {
    await parts.return()
    return result?.kind === 'error' ? failure(result.text) : undefined
  }
  const fields = new Fields(result.value instanceof Map ? (result.value as MsgpackMap) : new Map())
  const answer = {status: fields.unsigned('Status', 999), headers: textsOf(fields, 'Headers')}
  const start = fields.bytes('Body')
  const hasMore = fields.bool('More')
  if (fields.problem !== undefined || answer.status === 0) {
    await parts.return()
    return failure('the answer does not parse')
  }
  if (hasMore) return {...answer, body: rest(start, parts)}
  // The stream is only given back for the next call when the generator has run to its end.
  await parts.next()
  return {...answer, body: start}
}

const failure = (text: string): HttpAnswer => ({
  status: 500,
  headers: {},
  body: new TextEncoder().encode(`rpc error: ${text}`),
})

async function* rest(
  start: Uint8Array,
  parts: ReturnType<CallPool['parts']>,
): AsyncGenerator<Uint8Array, void, void> {
  if (start.length > 0) yield start
  for await (const part of parts) {
    if (part.kind !== 'value' || !(part.value instanceof Map)) throw new Error('the answer broke off')
    const bytes = (part.value as MsgpackMap).get('Body')
    if (bytes instanceof Uint8Array && bytes.length > 0) yield bytes
  }
}
