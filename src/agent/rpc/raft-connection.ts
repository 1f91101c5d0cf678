import type {Socket} from 'node:net'
import type {ServerAddress} from '../../core/model/ids.js'
import type {RaftRequest, RaftResponse, SnapshotRequest} from '../../core/raft/messages.js'
import type {RaftAnswer, ReceivedRequest} from '../../core/wire/raft-rpc.js'
import {encodeRaftAnswer, RAFT_PROTOCOL, UNSUPPORTED_PROTOCOL} from '../../core/wire/raft-rpc.js'
import {RaftRequestReader} from '../../core/wire/raft-stream.js'
import {ByteChannel} from './byte-channel.js'
import {Batcher} from './sockets.js'

/** What answers the requests of other servers. */
export interface RaftHandler {
  /** `respond` is called once, with undefined when there is no answer. */
  request(
    request: Exclude<RaftRequest, SnapshotRequest>,
    respond: (response: RaftResponse | undefined) => void,
  ): void
  /** Stores a snapshot, exactly `request.meta.size` bytes; rejects when it cannot or when the sender breaks off. */
  receiveSnapshot(
    request: SnapshotRequest,
    state: AsyncIterable<Uint8Array>,
  ): Promise<RaftResponse | undefined>
  /** The addresses of the configuration, for candidates of Consul 0.6. */
  peers(): readonly ServerAddress[]
}

/** What may be on a connection at a time. */
export interface RaftConnectionLimits {
  /** Requests read and not yet answered; a leader's pipeline has 128 at most. */
  readonly openRequestsMax: number
  /** Bytes of a snapshot that wait for the disk. */
  readonly bodyBytesMax: number
  /** How long a message or a snapshot may stand still in its midst. */
  readonly stallMs: number
  /** The oldest version of the protocol whose requests are taken: 0 for Consul 0.6, which has none. */
  readonly protocolOldest: number
}

/** Limits that suit servers of protocol 3, which take no requests of less than 2 (`checkRPCHeader`, raft.go). */
export const RAFT_CONNECTION_LIMITS: RaftConnectionLimits = {
  openRequestsMax: 256,
  bodyBytesMax: 4 << 20,
  stallMs: 30_000,
  protocolOldest: RAFT_PROTOCOL - 1,
}

/** The place of an answer in the order of requests. */
interface Slot {
  bytes: Uint8Array | undefined
}

/**
 * Serves Raft on a connection. Requests are handed over as they come, so that several appends may share one sync, and
 * answered in their order, because the other side tells answers apart by nothing else.
 */
export class RaftConnection {
  private readonly reader = new RaftRequestReader()
  private readonly slots: Slot[] = []
  private readonly out: Batcher
  private body: ByteChannel | undefined

  constructor(
    private readonly socket: Socket,
    private readonly handler: RaftHandler,
    private readonly limits: RaftConnectionLimits,
    /** Told why the connection was closed, where its peer is to blame. */
    private readonly onProblem: (text: string) => void,
  ) {
    this.out = new Batcher(socket)
    socket.setTimeout(limits.stallMs)
    socket.on('timeout', () => {
      // Between messages a leader of an idle cluster may be silent; a snapshot may wait for our own disk.
      if (this.reader.partial && !this.held()) this.fail('the peer stopped within a message')
    })
    socket.on('close', () => this.body?.fail(new Error('the connection ended within a snapshot')))
  }

  /** Takes bytes that came in. */
  receive(bytes: Uint8Array): void {
    this.reader.push(bytes)
    this.advance()
  }

  private held(): boolean {
    return this.slots.length >= this.limits.openRequestsMax || this.body?.full === true
  }

  private advance(): void {
    while (!this.socket.destroyed && !this.held()) {
      const read = this.reader.next()
      if (read === undefined) break
      if (read.kind === 'problem') return this.fail(read.text)
      if (read.kind === 'body') this.takeBody(read.bytes, read.last)
      else if (read.kind === 'snapshot') this.beginSnapshot(read.received, read.request)
      else this.handle(read.received)
    }
    if (this.held()) this.socket.pause()
    else this.socket.resume()
  }

  private handle({protocolVersion, request}: ReceivedRequest): void {
    const slot = this.newSlot()
    if (request.rpc === 'snapshot') return
    if (this.refuses(protocolVersion)) return this.answer(slot, UNSUPPORTED)
    this.handler.request(request, response => {
      // No answer means that this server stops: the connection ends, and the sender tries again elsewhere or later.
      if (response === undefined) return void this.socket.destroy()
      const peers =
        response.rpc === 'vote' && protocolVersion === undefined ? this.handler.peers() : undefined
      this.answer(slot, {kind: 'response', response}, peers)
    })
  }

  private refuses(version: number | undefined): boolean {
    return (version ?? 0) > RAFT_PROTOCOL || (version ?? 0) < this.limits.protocolOldest
  }

  private beginSnapshot({protocolVersion}: ReceivedRequest, request: SnapshotRequest): void {
    const slot = this.newSlot()
    const body = new ByteChannel(this.limits.bodyBytesMax, () => this.advance())
    this.body = body
    if (this.refuses(protocolVersion)) {
      // The bytes come all the same, and the answer only behind them.
      void body.discard().then(() => this.answer(slot, UNSUPPORTED))
    } else void this.receiveSnapshot(slot, request, body)
    if (request.meta.size === 0) this.takeBody(new Uint8Array(0), true)
  }

  private async receiveSnapshot(slot: Slot, request: SnapshotRequest, body: ByteChannel): Promise<void> {
    let answer: RaftAnswer | undefined
    try {
      const response = await this.handler.receiveSnapshot(request, body)
      if (response !== undefined) answer = {kind: 'response', response}
    } catch (error) {
      answer = {kind: 'error', text: error instanceof Error ? error.message : String(error)}
    }
    await body.discard()
    if (answer === undefined) this.socket.destroy()
    else this.answer(slot, answer)
  }

  private takeBody(bytes: Uint8Array, last: boolean): void {
    this.body?.push(bytes)
    if (!last) return
    this.body?.end()
    this.body = undefined
  }

  private newSlot(): Slot {
    const slot: Slot = {bytes: undefined}
    this.slots.push(slot)
    return slot
  }

  private answer(slot: Slot, answer: RaftAnswer, peers?: readonly ServerAddress[]): void {
    slot.bytes = encodeRaftAnswer(answer, peers)
    const wasHeld = this.held()
    for (let first = this.slots[0]; first?.bytes !== undefined; first = this.slots[0]) {
      this.out.write(first.bytes)
      this.slots.shift()
    }
    if (wasHeld && !this.held()) this.advance()
  }

  private fail(text: string): void {
    this.onProblem(text)
    this.socket.destroy()
  }
}

const UNSUPPORTED: RaftAnswer = {kind: 'error', text: UNSUPPORTED_PROTOCOL}
