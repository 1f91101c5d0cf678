import type {Socket} from 'node:net'
import type {YamuxEvent} from '../../core/wire/yamux.js'
import {YamuxSession} from '../../core/wire/yamux.js'
import {Batcher} from './sockets.js'

/** Bytes that may wait on a stream before its writer should pause. */
const WAITING_BYTES_MAX = 1 << 20
/** A session on which calls wait is asked this often whether its peer is still there, and given so long to answer. */
const PING_EVERY_MS = 5_000

/** What happens on a stream. */
export interface StreamListener {
  /** Bytes came; they are given back as room at once, because the listener takes them in. */
  onBytes(bytes: Uint8Array): void
  /** The peer sends no more. */
  onEnd(): void
  /** The stream or its connection is gone. */
  onGone(): void
}

/** A stream of calls: one of a session's, or a whole connection. */
export interface CallStream {
  write(bytes: Uint8Array): void
  end(): void
  reset(): void
  /** Resolves when little enough waits to be sent, or when the stream is gone. */
  room(): Promise<void>
}

/** A yamux session on a connection. */
export class MuxConnection {
  /** Whether no stream can be opened any more. */
  gone = false
  private readonly session: YamuxSession
  private readonly out: Batcher
  private readonly listeners = new Map<number, StreamListener>()
  private waiters: (() => void)[] = []
  private readonly timer: NodeJS.Timeout
  private pinged = 0
  private ponged = 0

  /** `accept` gives the listener of a stream that the peer opens; without it the peer may open none. */
  constructor(
    private readonly socket: Socket,
    role: 'client' | 'server',
    private readonly accept: ((stream: CallStream) => StreamListener) | undefined,
    private readonly onProblem: (text: string) => void,
  ) {
    this.session = new YamuxSession(role, accept === undefined ? 0 : 1024)
    this.out = new Batcher(socket)
    this.timer = setInterval(() => this.ping(), PING_EVERY_MS)
    this.timer.unref()
    socket.once('close', () => this.end())
  }

  /** Streams that are not at their end. */
  get openStreams(): number {
    return this.listeners.size
  }

  /** Takes bytes of the connection. */
  receive(bytes: Uint8Array): void {
    for (const event of this.session.receive(bytes)) this.handle(event)
    this.flush()
    this.wakeWaiters()
  }

  /** Opens a stream. */
  open(listener: StreamListener): CallStream {
    const id = this.session.open()
    this.listeners.set(id, listener)
    this.flush()
    return this.stream(id)
  }

  /** Ends the connection and all streams on it. */
  close(): void {
    this.socket.destroy()
  }

  private stream(id: number): CallStream {
    return {
      write: bytes => {
        this.session.write(id, bytes)
        this.flush()
      },
      end: () => {
        this.session.end(id)
        this.flush()
      },
      reset: () => {
        this.session.reset(id)
        this.listeners.delete(id)
        this.flush()
      },
      room: () => this.room(id),
    }
  }

  private handle(event: YamuxEvent): void {
    switch (event.on) {
      case 'opened':
        if (this.accept === undefined) this.session.reset(event.stream)
        else this.listeners.set(event.stream, this.accept(this.stream(event.stream)))
        return
      case 'data':
        this.listeners.get(event.stream)?.onBytes(event.bytes)
        return this.session.consumed(event.stream, event.bytes.length)
      case 'ended':
        return this.listeners.get(event.stream)?.onEnd()
      case 'reset':
        this.listeners.get(event.stream)?.onGone()
        this.listeners.delete(event.stream)
        return
      case 'ponged':
        this.ponged = event.value
        return
      case 'gone-away':
        this.gone = true
        return
      case 'problem':
        this.onProblem(event.text)
        this.socket.destroy()
    }
  }

  private flush(): void {
    for (const bytes of this.session.takeOutput()) this.out.write(bytes)
    // Whose last byte has come and gone is told nothing more
    for (const id of this.session.takeFinished()) this.listeners.delete(id)
  }

  private ping(): void {
    if (this.openStreams === 0) return
    if (this.pinged !== this.ponged) return this.close()
    this.session.ping(++this.pinged)
    this.flush()
  }

  private async room(id: number): Promise<void> {
    while (!this.socket.destroyed && this.session.waitingBytes(id) > WAITING_BYTES_MAX)
      await new Promise<void>(resolve => this.waiters.push(resolve))
  }

  private wakeWaiters(): void {
    for (const wake of this.waiters.splice(0)) wake()
  }

  private end(): void {
    this.gone = true
    clearInterval(this.timer)
    for (const listener of this.listeners.values()) listener.onGone()
    this.listeners.clear()
    this.wakeWaiters()
  }
}
