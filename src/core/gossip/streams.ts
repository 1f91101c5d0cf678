import type {StreamMessage} from '../wire/gossip-stream.js'
import type {Endpoint} from './member.js'
import type {StepContext} from './step-context.js'

/** What a stream that we opened ends in: the other side's message, or why there is none. */
export type StreamOutcome =
  {readonly ok: true; readonly message: StreamMessage} | {readonly ok: false; readonly why: string}

/** The streams that we opened and that are not answered yet. */
export class Streams {
  private readonly waiting = new Map<number, (outcome: StreamOutcome) => void>()
  private nextId = 1

  constructor(private readonly context: StepContext) {}

  /** Opens a stream with one message and calls `ended` exactly once. */
  open(to: Endpoint, bytes: Uint8Array, ended: (outcome: StreamOutcome) => void): void {
    const streamId = this.nextId++
    this.waiting.set(streamId, ended)
    this.context.emit({
      do: 'open-stream',
      streamId,
      to: {ip: to.ip, port: to.port},
      bytes,
      timeoutMs: this.context.profile.streamTimeoutMs,
    })
  }

  /** What became of a stream; unknown ids are ignored. */
  end(streamId: number, outcome: StreamOutcome): void {
    const ended = this.waiting.get(streamId)
    this.waiting.delete(streamId)
    ended?.(outcome)
  }
}
