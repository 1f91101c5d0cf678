import type {MsgpackInput, MsgpackMap, MsgpackValue} from '../codec/msgpack.js'
import {decodeMsgpack} from '../codec/msgpack.js'
import {MsgpackSpan} from '../codec/msgpack-span.js'
import {MsgpackWriter} from '../codec/msgpack-writer.js'
import {ByteStore} from './byte-store.js'
import {Fields} from './fields.js'

/**
 * The calls of Consul's agents to one another (net/rpc with msgpack, net-rpc-msgpackrpc): a header `{ServiceMethod,
 * Seq}` and an argument, answered by `{ServiceMethod, Seq, Error}` and a body, on a stream of their own.
 */

/** No call or answer is larger: a forwarded request holds a whole value or transaction. Larger answers come in parts. */
export const RPC_BYTES_MAX = 64 << 20
const LIMITS = {valuesMax: 100_000, rawBytesMax: RPC_BYTES_MAX}
/** What is only passed on, or read record by record, may hold more: a list of all keys. */
const SPAN_LIMITS = {valuesMax: 10_000_000, rawBytesMax: RPC_BYTES_MAX}
const METHOD_MAX = 256

/** One value of MessagePack that is encoded already: stands for itself where a call or an answer is written. */
export class Encoded {
  constructor(readonly bytes: Uint8Array) {}
}

/** A call as it came in. */
export interface RpcCall {
  readonly method: string
  readonly seq: number
  /** One whole value of MessagePack. */
  readonly argument: Uint8Array
}

/**
 * What a call came to: one whole value of MessagePack, or an error, which is text for humans; some texts mean something
 * (`No cluster leader`).
 */
export type RpcResult =
  {readonly kind: 'value'; readonly body: Uint8Array} | {readonly kind: 'error'; readonly text: string}

/** An answer with the number of its call. */
export interface RpcAnswer {
  readonly seq: number
  readonly result: RpcResult
}

/** A call's bytes. */
export function encodeCall(method: string, seq: number, argument: MsgpackInput | Encoded): Uint8Array {
  const writer = new MsgpackWriter().map(2).text('Seq').unsigned(seq).text('ServiceMethod').text(method)
  return withBody(writer, argument)
}

/** An answer's bytes; with an error an empty map stands for the body, which is read all the same. */
export function encodeAnswer(
  {method, seq}: Pick<RpcCall, 'method' | 'seq'>,
  result:
    | {readonly kind: 'value'; readonly value: MsgpackInput | Encoded}
    | {readonly kind: 'error'; readonly text: string},
): Uint8Array {
  const error = result.kind === 'error' ? result.text || 'unknown error' : ''
  const writer = new MsgpackWriter().map(3).text('Error').text(error).text('Seq').unsigned(seq)
  writer.text('ServiceMethod').text(method)
  return withBody(writer, result.kind === 'value' ? result.value : {})
}

const withBody = (writer: MsgpackWriter, body: MsgpackInput | Encoded): Uint8Array =>
  (body instanceof Encoded ? writer.raw(body.bytes) : writer.value(body)).finish()

/** The value of an argument or a body; undefined when it is too large to be made one. */
export function decodeBody(bytes: Uint8Array): MsgpackValue | undefined {
  const decoded = decodeMsgpack(bytes, 0, LIMITS)
  return decoded.kind === 'value' ? decoded.value : undefined
}

/** What a stream holds next; a problem ends it. */
export type RpcRead<T> =
  {readonly kind: 'item'; readonly item: T} | {readonly kind: 'problem'; readonly text: string} | undefined

/** Takes pairs of a header and a body apart as bytes come in. */
class PairReader {
  private readonly store = new ByteStore()
  private span: MsgpackSpan | undefined

  /** Bytes that came in and were not given out yet. */
  get buffered(): number {
    return this.store.length
  }

  /** Adds bytes that came in. */
  push(chunk: Uint8Array): void {
    this.store.push(chunk)
  }

  protected nextPair(): RpcRead<{readonly header: Fields; readonly body: Uint8Array}> {
    if (this.store.length === 0) return undefined
    this.span ??= new MsgpackSpan(2, SPAN_LIMITS)
    const end = this.span.advance(this.store.bytes())
    if (end === undefined) {
      if (this.span.problem !== undefined) return {kind: 'problem', text: this.span.problem}
      if (this.store.length > RPC_BYTES_MAX) return {kind: 'problem', text: 'a call is too large'}
      return undefined
    }
    this.span = undefined
    const bytes = this.store.take(end)
    const header = decodeMsgpack(bytes, 0, LIMITS)
    if (header.kind !== 'value' || !(header.value instanceof Map))
      return {kind: 'problem', text: 'a call has no header'}
    const body = bytes.subarray(header.end)
    return {kind: 'item', item: {header: new Fields(header.value as MsgpackMap), body}}
  }
}

/** The calls that come in on a stream. */
export class RpcCallReader extends PairReader {
  next(): RpcRead<RpcCall> {
    const pair = this.nextPair()
    if (pair?.kind !== 'item') return pair
    const {header, body} = pair.item
    const call = {method: header.text('ServiceMethod', METHOD_MAX), seq: header.u64('Seq'), argument: body}
    return header.problem === undefined ? {kind: 'item', item: call} : {kind: 'problem', text: header.problem}
  }
}

/** The answers that come in on a stream. */
export class RpcAnswerReader extends PairReader {
  next(): RpcRead<RpcAnswer> {
    const pair = this.nextPair()
    if (pair?.kind !== 'item') return pair
    const {header, body} = pair.item
    const error = header.text('Error', 64 * 1024)
    const seq = header.u64('Seq')
    if (header.problem !== undefined) return {kind: 'problem', text: header.problem}
    const result: RpcResult = error === '' ? {kind: 'value', body} : {kind: 'error', text: error}
    return {kind: 'item', item: {seq, result}}
  }
}
