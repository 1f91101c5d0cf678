import type {Socket} from 'node:net'
import type {Channel, RaftRequest, RaftResponse, SnapshotRequest, Target} from '../core/raft/messages.js'
import {encodeRaftRequest} from '../core/wire/raft-rpc.js'
import {RaftAnswerReader} from '../core/wire/raft-stream.js'
import type {DialSettings} from './rpc/sockets.js'
import {Batcher, Carries, dial} from './rpc/sockets.js'

/** Told the answer to a request, once; undefined when none came. */
export type Answered = (response: RaftResponse | undefined) => void

/** How requests to other servers are carried. */
export interface RaftTransportSettings extends DialSettings {
  /** How long an answer may take, by what the request travels on. Snapshots get more, by their size. */
  readonly answerMs: Readonly<Record<Channel, number>>
  /** Told why a peer's connection was given up, in words for the log. */
  readonly onProblem: (address: string, text: string) => void
}

/** A connection that stands idle for so long is closed. */
const IDLE_MS = 120_000
/** More open requests than this on one channel are not sent: the peer is not answering any more. */
const OPEN_MAX = 4096
/** hashicorp/raft gives a snapshot ten seconds, and as many again for every 256 KiB of it (`TimeoutScale`). */
const SNAPSHOT_SCALE_BYTES = 256 * 1024

/**
 * Sends Raft requests to other servers, as hashicorp/raft's NetworkTransport does: each channel to each peer has a
 * connection of its own, on which requests are sent without waiting and answered in order.
 */
export class RaftTransport {
  private readonly lanes = new Map<string, Lane>()
  private readonly transfers = new Set<Socket>()
  private closed = false

  constructor(private readonly settings: RaftTransportSettings) {}

  /** Sends a request. `done` is called once, never before this returns. */
  send(to: Target, channel: Channel, request: Exclude<RaftRequest, SnapshotRequest>, done: Answered): void {
    if (this.closed) return void setImmediate(done, undefined)
    const key = `${channel} ${to.address}`
    let lane = this.lanes.get(key)
    if (lane === undefined || lane.gone) {
      lane = new Lane(to.address, this.settings.answerMs[channel], this.settings)
      this.lanes.set(key, lane)
    }
    lane.send(request, done)
  }

  /** Streams a snapshot, exactly `request.meta.size` bytes of `state`, on a connection of its own. */
  sendSnapshot(to: Target, request: SnapshotRequest, state: AsyncIterable<Uint8Array>, done: Answered): void {
    const socket = this.closed ? undefined : dial(to.address, Carries.raft, this.settings)
    if (socket === undefined) return void setImmediate(done, undefined)
    this.transfers.add(socket)
    const answerMs = this.settings.answerMs.snapshot
    const timeoutMs = Math.max(answerMs, (answerMs * request.meta.size) / SNAPSHOT_SCALE_BYTES)
    const timer = setTimeout(() => socket.destroy(), Math.min(timeoutMs, 2 ** 31 - 1))
    const reader = new RaftAnswerReader()
    let response: RaftResponse | undefined
    socket.on('data', (bytes: Uint8Array) => {
      reader.push(bytes)
      const read = reader.next('snapshot')
      if (read === undefined) return
      if (read.kind === 'answer' && read.answer.kind === 'response') response = read.answer.response
      else this.settings.onProblem(to.address, read.kind === 'problem' ? read.text : problemOf(read.answer))
      socket.destroy()
    })
    socket.once('close', () => {
      clearTimeout(timer)
      this.transfers.delete(socket)
      done(response)
    })
    const mayGo = (): boolean => this.settings.filter.allows(to.address)
    stream(socket, request, state, mayGo).catch((error: unknown) => {
      this.settings.onProblem(to.address, error instanceof Error ? error.message : String(error))
      socket.destroy()
    })
  }

  /** Ends all connections; what is open is told that no answer came. */
  close(): void {
    this.closed = true
    for (const lane of this.lanes.values()) lane.close()
    for (const socket of this.transfers) socket.destroy()
  }
}

const problemOf = (answer: {readonly kind: string; readonly text?: string}): string =>
  answer.text ?? 'the answer is of another kind'

async function stream(
  socket: Socket,
  request: SnapshotRequest,
  state: AsyncIterable<Uint8Array>,
  mayGo: () => boolean,
): Promise<void> {
  socket.write(encodeRaftRequest(request))
  let left = request.meta.size
  for await (const chunk of state) {
    if (!mayGo()) socket.destroy()
    if (socket.destroyed) return
    left -= chunk.length
    if (left < 0) throw new Error('the snapshot is longer than its head says')
    if (!socket.write(chunk)) await drained(socket)
  }
  if (left > 0) throw new Error('the snapshot is shorter than its head says')
}

function drained(socket: Socket): Promise<void> {
  return new Promise(resolve => {
    const settle = (): void => {
      socket.off('drain', settle)
      socket.off('close', settle)
      resolve()
    }
    socket.on('drain', settle)
    socket.on('close', settle)
  })
}

interface Open {
  readonly rpc: RaftRequest['rpc']
  readonly done: Answered
  readonly sentAtMs: number
}

/** One channel to one peer: a connection and the requests on it that are not answered. Gone with its connection. */
class Lane {
  gone = false
  private readonly open: Open[] = []
  private readonly reader = new RaftAnswerReader()
  private readonly socket: Socket | undefined
  private readonly out: Batcher | undefined
  private timer: NodeJS.Timeout | undefined
  private usedAtMs = performance.now()

  constructor(
    private readonly address: string,
    private readonly answerMs: number,
    private readonly settings: RaftTransportSettings,
  ) {
    this.socket = dial(address, Carries.raft, settings)
    if (this.socket === undefined) {
      this.gone = true
      return
    }
    this.out = new Batcher(this.socket)
    this.socket.on('data', (bytes: Uint8Array) => this.receive(bytes))
    this.socket.once('close', () => this.end())
    this.watch(IDLE_MS)
  }

  send(request: Exclude<RaftRequest, SnapshotRequest>, done: Answered): void {
    if (this.out === undefined || this.open.length >= OPEN_MAX) return void setImmediate(done, undefined)
    if (!this.settings.filter.allows(this.address)) this.socket?.destroy()
    if (this.socket?.destroyed === true) return void setImmediate(done, undefined)
    this.usedAtMs = performance.now()
    this.open.push({rpc: request.rpc, done, sentAtMs: this.usedAtMs})
    if (this.open.length === 1) this.watch(this.answerMs)
    this.out.write(encodeRaftRequest(request))
  }

  close(): void {
    this.socket?.destroy()
  }

  private receive(bytes: Uint8Array): void {
    if (!this.settings.filter.allows(this.address)) return this.close()
    this.reader.push(bytes)
    for (let first = this.open[0]; first !== undefined; first = this.open[0]) {
      const read = this.reader.next(first.rpc)
      if (read === undefined) return
      if (read.kind === 'problem') return this.giveUp(read.text)
      this.open.shift()
      if (read.answer.kind === 'response') first.done(read.answer.response)
      else {
        this.settings.onProblem(this.address, read.answer.text)
        first.done(undefined)
      }
    }
    if (!this.reader.idle) this.giveUp('an answer came that nothing was asked for')
  }

  private giveUp(text: string): void {
    this.settings.onProblem(this.address, text)
    this.close()
  }

  /** Looks at the oldest open request again; one timer serves them all. */
  private watch(inMs: number): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => {
      const [oldest] = this.open
      const dueInMs =
        oldest === undefined
          ? this.usedAtMs + IDLE_MS - performance.now()
          : oldest.sentAtMs + this.answerMs - performance.now()
      if (dueInMs > 0) return this.watch(dueInMs)
      if (oldest === undefined) return this.close()
      this.giveUp('no answer came in time')
    }, Math.ceil(inMs))
  }

  private end(): void {
    this.gone = true
    clearTimeout(this.timer)
    for (const {done} of this.open.splice(0)) done(undefined)
  }
}
