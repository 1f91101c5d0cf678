import type {MsgpackInput} from '../../core/codec/msgpack.js'
import type {Encoded, RpcCall} from '../../core/wire/consul-rpc.js'
import {encodeAnswer, RpcCallReader} from '../../core/wire/consul-rpc.js'
import type {CallStream, StreamListener} from './mux.js'

/** A failure that the caller is told as it stands. Of any other only that there was one. */
export class RpcError extends Error {
  override readonly name = 'RpcError'
}

/** Who calls. */
export interface Caller {
  /** Numeric address of the other end. */
  readonly address: string
  /** Calls back when the caller went away before the answer. */
  onGone(callback: () => void): void
}

/**
 * Answers a call, whose argument is one whole value of MessagePack; with several values where the answer comes in
 * parts, which the caller knows by the first.
 */
export type RpcMethod = (
  argument: Uint8Array,
  caller: Caller,
) => Promise<MsgpackInput | Encoded> | AsyncIterable<MsgpackInput>

/** The methods that a server has, by name (`Status.Ping`). */
export type RpcMethods = ReadonlyMap<string, RpcMethod>

/** A caller that sends more than this before its call is answered is cut off. */
const AHEAD_BYTES_MAX = 4 << 20

/** Serves the calls of one stream, one after another, as net/rpc's callers of Consul expect on a stream. */
export class CallServer implements StreamListener {
  private readonly reader = new RpcCallReader()
  private busy = false
  private gone = false
  private ended = false
  private onCallerGone: (() => void)[] = []

  constructor(
    private readonly methods: RpcMethods,
    private readonly stream: CallStream,
    private readonly address: string,
    /** Told of calls that failed for a reason that is ours. */
    private readonly onFailure: (method: string, error: unknown) => void,
  ) {}

  onBytes(bytes: Uint8Array): void {
    this.reader.push(bytes)
    this.advance()
    if (this.busy && this.reader.buffered > AHEAD_BYTES_MAX) this.stream.reset()
  }

  onEnd(): void {
    this.ended = true
    if (!this.busy) this.stream.end()
  }

  onGone(): void {
    this.gone = true
    for (const callback of this.onCallerGone.splice(0)) callback()
  }

  private advance(): void {
    if (this.busy || this.gone) return
    const read = this.reader.next()
    if (read === undefined) return
    if (read.kind === 'problem') return this.stream.reset()
    this.busy = true
    void this.serve(read.item).then(() => {
      this.busy = false
      this.onCallerGone = []
      if (this.ended) this.stream.end()
      else this.advance()
    })
  }

  private async serve(call: RpcCall): Promise<void> {
    try {
      const method = this.methods.get(call.method)
      if (method === undefined) throw new RpcError(unknownMethod(this.methods, call.method))
      const answer = method(call.argument, {
        address: this.address,
        onGone: callback => void this.onCallerGone.push(callback),
      })
      if (answer instanceof Promise) this.write(call, await answer)
      else for await (const part of answer) await this.writePart(call, part)
    } catch (error) {
      if (!(error instanceof RpcError)) this.onFailure(call.method, error)
      const text = error instanceof RpcError ? error.message : 'internal error'
      if (!this.gone) this.stream.write(encodeAnswer(call, {kind: 'error', text}))
    }
  }

  private write(call: RpcCall, value: MsgpackInput | Encoded): void {
    if (!this.gone) this.stream.write(encodeAnswer(call, {kind: 'value', value}))
  }

  private async writePart(call: RpcCall, value: MsgpackInput): Promise<void> {
    if (this.gone) throw new RpcError('the caller is gone')
    this.write(call, value)
    await this.stream.room()
  }
}

/** The words of net/rpc, by which Consul's callers know an older server. */
function unknownMethod(methods: RpcMethods, name: string): string {
  const dot = name.lastIndexOf('.')
  if (dot < 0) return `rpc: service/method request ill-formed: ${name}`
  const service = name.slice(0, dot + 1)
  for (const known of methods.keys()) if (known.startsWith(service)) return `rpc: can't find method ${name}`
  return `rpc: can't find service ${name}`
}
