import type {MsgpackInput, MsgpackValue} from '../../core/codec/msgpack.js'
import type {RpcResult} from '../../core/wire/consul-rpc.js'
import {decodeBody, Encoded, encodeCall, RpcAnswerReader} from '../../core/wire/consul-rpc.js'
import type {CallStream, StreamListener} from './mux.js'
import {MuxConnection} from './mux.js'
import type {DialSettings} from './sockets.js'
import {Carries, dial} from './sockets.js'

/** What a call came to; `unreachable` when the connection could not be made, broke, or the answer took too long. */
export type CallResult =
  | {readonly kind: 'value'; readonly value: MsgpackValue}
  | {readonly kind: 'error'; readonly text: string}
  | Unreachable

/** As `CallResult`, with the answer as the bytes that came. */
export type EncodedResult = RpcResult | Unreachable

interface Unreachable {
  readonly kind: 'unreachable'
}

/** How a call is made. */
export interface CallOptions {
  /** How long the answer, or the next part of it, may take. */
  readonly timeoutMs: number
  /** Hands over what gives the call up. */
  readonly onStart?: (abandon: () => void) => void
}

/** Streams that are kept for the next call, per server. */
const IDLE_STREAMS_MAX = 64
const UNREACHABLE: Unreachable = {kind: 'unreachable'}

/** Calls methods of other servers: a yamux session to each, and a stream for each call that is open. */
export class CallPool {
  private readonly servers = new Map<string, ServerSession>()
  private closed = false

  constructor(
    private readonly settings: DialSettings & {readonly onProblem: (address: string, text: string) => void},
  ) {}

  /** Calls a method of the server at `address` (`host:port`) and gives its answer. Never rejects. */
  async call(
    address: string,
    method: string,
    argument: MsgpackInput,
    options: CallOptions,
  ): Promise<CallResult> {
    for await (const result of this.parts(address, method, argument, options, () => false)) return result
    return UNREACHABLE
  }

  /** As `call`, with argument and answer as they are on the wire: one whole value of MessagePack each. */
  async callEncoded(
    address: string,
    method: string,
    argument: Uint8Array,
    options: CallOptions,
  ): Promise<EncodedResult> {
    const results = this.results(address, method, new Encoded(argument), options, () => false)
    for await (const result of results) return result
    return UNREACHABLE
  }

  /** The parts of an answer, for as long as `hasMore` says of one that another follows. Never rejects. */
  async *parts(
    address: string,
    method: string,
    argument: MsgpackInput,
    options: CallOptions,
    hasMore: (part: MsgpackValue) => boolean,
  ): AsyncGenerator<CallResult, void, void> {
    let value: MsgpackValue | undefined
    const results = this.results(address, method, argument, options, body => {
      value = decodeBody(body)
      return value !== undefined && hasMore(value)
    })
    for await (const result of results) {
      if (result.kind !== 'value') yield result
      else if (value === undefined) return yield UNREACHABLE
      else yield {kind: 'value', value}
    }
  }

  private async *results(
    address: string,
    method: string,
    argument: MsgpackInput | Encoded,
    options: CallOptions,
    hasMore: (body: Uint8Array) => boolean,
  ): AsyncGenerator<EncodedResult, void, void> {
    const session = this.session(address)
    const stream = session?.stream()
    if (session === undefined || stream === undefined) return yield UNREACHABLE
    let open = true
    // Once the answer is there the stream may already serve another call.
    options.onStart?.(() => {
      if (open) stream.abandon()
    })
    let whole = false
    try {
      stream.ask(method, argument)
      for (;;) {
        const result = await stream.answer(options.timeoutMs)
        whole = result.kind === 'error' || (result.kind === 'value' && !hasMore(result.body))
        yield result
        if (result.kind !== 'value' || whole) return
      }
    } finally {
      open = false
      // A stream on which an answer is still to come cannot be used for another call.
      if (whole) session.giveBack(stream)
      else stream.abandon()
    }
  }

  /** Ends all sessions; calls that are open come to `unreachable`. */
  close(): void {
    this.closed = true
    for (const session of this.servers.values()) session.close()
  }

  private session(address: string): ServerSession | undefined {
    if (this.closed || !this.settings.filter.allows(address)) {
      this.servers.get(address)?.close()
      return undefined
    }
    const known = this.servers.get(address)
    if (known !== undefined && !known.gone) return known
    const socket = dial(address, Carries.yamux, this.settings)
    if (socket === undefined) return undefined
    const mux = new MuxConnection(socket, 'client', undefined, text => this.settings.onProblem(address, text))
    socket.on('data', (bytes: Uint8Array) => {
      if (this.settings.filter.allows(address)) mux.receive(bytes)
      else socket.destroy()
    })
    const session = new ServerSession(mux)
    this.servers.set(address, session)
    socket.once('close', () => {
      if (this.servers.get(address) === session) this.servers.delete(address)
    })
    return session
  }
}

/** The session to one server, and its streams that wait for a call. */
class ServerSession {
  private readonly idle: ClientStream[] = []

  constructor(private readonly mux: MuxConnection) {}

  get gone(): boolean {
    return this.mux.gone
  }

  stream(): ClientStream | undefined {
    for (let stream = this.idle.pop(); stream !== undefined; stream = this.idle.pop())
      if (!stream.gone) return stream
    return this.mux.gone ? undefined : new ClientStream(this.mux)
  }

  giveBack(stream: ClientStream): void {
    if (stream.gone) return
    if (this.idle.length < IDLE_STREAMS_MAX) this.idle.push(stream)
    else stream.abandon()
  }

  close(): void {
    this.mux.close()
  }
}

/** A stream on which one call at a time is made. */
class ClientStream implements StreamListener {
  gone = false
  private readonly reader = new RpcAnswerReader()
  private readonly stream: CallStream
  private readonly results: RpcResult[] = []
  private wake: (() => void) | undefined
  private seq = 0

  constructor(mux: MuxConnection) {
    this.stream = mux.open(this)
  }

  ask(method: string, argument: MsgpackInput | Encoded): void {
    this.seq++
    this.stream.write(encodeCall(method, this.seq, argument))
  }

  /** The next answer to the call, or part of it. */
  async answer(timeoutMs: number): Promise<EncodedResult> {
    if (this.results.length === 0 && !this.gone) {
      let timer: NodeJS.Timeout | undefined
      await new Promise<void>(resolve => {
        this.wake = resolve
        timer = setTimeout(resolve, Math.min(timeoutMs, 2 ** 31 - 1))
      })
      clearTimeout(timer)
      this.wake = undefined
    }
    return this.results.shift() ?? UNREACHABLE
  }

  abandon(): void {
    if (!this.gone) this.stream.reset()
    this.onGone()
  }

  onBytes(bytes: Uint8Array): void {
    this.reader.push(bytes)
    for (let read = this.reader.next(); read !== undefined; read = this.reader.next()) {
      if (read.kind === 'problem' || read.item.seq !== this.seq) return this.abandon()
      this.results.push(read.item.result)
    }
    if (this.results.length > 0) this.wake?.()
  }

  onEnd(): void {
    this.abandon()
  }

  onGone(): void {
    this.gone = true
    this.wake?.()
  }
}
