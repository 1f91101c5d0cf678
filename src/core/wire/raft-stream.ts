import {MsgpackSpan} from '../codec/msgpack-span.js'
import type {RaftRequest, SnapshotRequest} from '../raft/messages.js'
import {ByteStore} from './byte-store.js'
import type {RaftAnswer, ReceivedRequest} from './raft-rpc.js'
import {decodeRaftAnswer, decodeRaftRequest, RaftRpc} from './raft-rpc.js'

/**
 * The two directions of a Raft connection, taken apart as bytes come in. There are no lengths and no numbers: requests
 * and answers follow one another in the same order, and whoever loses the place must close the connection.
 */

/** No append is larger: 64 entries of the largest value that Consul's KV store takes (512 KiB), and what is around. */
export const RAFT_MESSAGE_BYTES_MAX = 64 << 20
const LIMITS = {valuesMax: 2_000_000, rawBytesMax: RAFT_MESSAGE_BYTES_MAX}
const ANSWER_LIMITS = {valuesMax: 1000, rawBytesMax: 64 * 1024}

/** What came in on a connection that requests come on. `body` is a part of the snapshot announced before. */
export type RequestRead =
  | {readonly kind: 'request'; readonly received: ReceivedRequest}
  | {readonly kind: 'snapshot'; readonly received: ReceivedRequest; readonly request: SnapshotRequest}
  | {readonly kind: 'body'; readonly bytes: Uint8Array; readonly last: boolean}
  | {readonly kind: 'problem'; readonly text: string}

/** Takes requests apart. After a problem nothing more is read. */
export class RaftRequestReader {
  private readonly store = new ByteStore()
  private span: MsgpackSpan | undefined
  private bodyLeft = 0
  private broken = false

  /** Adds bytes that came in. */
  push(chunk: Uint8Array): void {
    if (!this.broken) this.store.push(chunk)
  }

  /** Whether something has begun that is not whole yet. */
  get partial(): boolean {
    return this.store.length > 0 || this.bodyLeft > 0
  }

  /** The next whole thing, if it is there. */
  next(): RequestRead | undefined {
    if (this.broken || this.store.length === 0) return undefined
    if (this.bodyLeft > 0) return this.nextBody()
    const bytes = this.store.bytes()
    if ((bytes[0] ?? 255) > RaftRpc['pre-vote']) return this.fail('a request is of an unknown type')
    this.span ??= new MsgpackSpan(1, LIMITS)
    const end = this.span.advance(bytes.subarray(1))
    if (end === undefined) {
      if (this.span.problem !== undefined) return this.fail(this.span.problem)
      return bytes.length > RAFT_MESSAGE_BYTES_MAX ? this.fail('a request is too large') : undefined
    }
    this.span = undefined
    const result = decodeRaftRequest(this.store.take(1 + end))
    if (!result.ok) return this.fail(result.problem)
    const {request} = result.value
    if (request.rpc !== 'snapshot') return {kind: 'request', received: result.value}
    this.bodyLeft = request.meta.size
    return {kind: 'snapshot', received: result.value, request}
  }

  private nextBody(): RequestRead {
    const bytes = this.store.take(Math.min(this.bodyLeft, this.store.length))
    this.bodyLeft -= bytes.length
    return {kind: 'body', bytes, last: this.bodyLeft === 0}
  }

  private fail(text: string): RequestRead {
    this.broken = true
    this.store.drop(this.store.length)
    return {kind: 'problem', text}
  }
}

/** What came in on a connection that answers come on. */
export type AnswerRead =
  {readonly kind: 'answer'; readonly answer: RaftAnswer} | {readonly kind: 'problem'; readonly text: string}

/** Takes answers apart. */
export class RaftAnswerReader {
  private readonly store = new ByteStore()
  private span: MsgpackSpan | undefined

  push(chunk: Uint8Array): void {
    this.store.push(chunk)
  }

  /** Whether bytes are there that no request was sent for, if none is open. */
  get idle(): boolean {
    return this.store.length === 0
  }

  /** The answer to the oldest open request, which was of the kind `rpc`; undefined while it is not whole. */
  next(rpc: RaftRequest['rpc']): AnswerRead | undefined {
    if (this.store.length === 0) return undefined
    this.span ??= new MsgpackSpan(2, ANSWER_LIMITS)
    const end = this.span.advance(this.store.bytes())
    if (end === undefined)
      return this.span.problem === undefined ? undefined : {kind: 'problem', text: this.span.problem}
    this.span = undefined
    const result = decodeRaftAnswer(this.store.take(end), rpc)
    return result.ok ? {kind: 'answer', answer: result.value} : {kind: 'problem', text: result.problem}
  }
}
