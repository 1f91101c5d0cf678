import {ByteStore} from './byte-store.js'

/**
 * hashicorp/yamux (spec.md): many streams on one connection, each with a window of what its receiver will take. The
 * session is stepped: bytes go in and events come out, and what is to be sent is taken off it.
 */

const FrameType = {data: 0, windowUpdate: 1, ping: 2, goAway: 3} as const
const Flag = {syn: 1, ack: 2, fin: 4, reset: 8} as const

const HEADER_BYTES = 12
/** What either side of a new stream may send before it is given more (`initialStreamWindow`, yamux const.go). */
export const WINDOW_BYTES = 256 * 1024
/** Frames of ours are not longer, so that a large answer on one stream does not hold up the others for long. */
const DATA_BYTES_MAX = 64 * 1024
const JOINED_BYTES_MAX = 4096
/** No honest window grows beyond this, and no frame is longer than a window. */
const WINDOW_BYTES_MAX = 2 ** 31

/** What a session's bytes come to. */
export type YamuxEvent =
  /** The peer opened a stream. */
  | {readonly on: 'opened'; readonly stream: number}
  /** Bytes on a stream. They count against its window until `consumed` is told. */
  | {readonly on: 'data'; readonly stream: number; readonly bytes: Uint8Array}
  /** The peer sends no more on a stream. */
  | {readonly on: 'ended'; readonly stream: number}
  /** A stream is gone. */
  | {readonly on: 'reset'; readonly stream: number}
  /** A ping of ours came back. */
  | {readonly on: 'ponged'; readonly value: number}
  /** The peer opens and takes no more streams. */
  | {readonly on: 'gone-away'}
  /** The peer broke the rules: the connection is to be closed. */
  | {readonly on: 'problem'; readonly text: string}

interface Stream {
  /** What may still be sent. */
  sendWindow: number
  /** What the peer may still send. */
  receiveWindow: number
  /** Taken by the application and not yet given back as window. */
  owed: number
  waiting: Uint8Array[]
  waitingBytes: number
  /** We have said, or will say behind what waits, that no more comes. */
  ending: boolean
  sentFin: boolean
  gotFin: boolean
}

/** One side of a session. */
export class YamuxSession {
  private readonly store = new ByteStore()
  private readonly streams = new Map<number, Stream>()
  private output: Uint8Array[] = []
  private finished: number[] = []
  private nextId: number
  private broken = false

  /** `streamsMax` bounds the streams that the peer may have open. */
  constructor(
    private readonly role: 'client' | 'server',
    private readonly streamsMax = 1024,
  ) {
    this.nextId = role === 'client' ? 1 : 2
  }

  /** Streams that are open. */
  get openStreams(): number {
    return this.streams.size
  }

  /** What is to be sent now, in order; the next call does not give it again. */
  takeOutput(): readonly Uint8Array[] {
    const {output} = this
    this.output = []
    return output
  }

  /** Streams that have come to their end since the last call because both sides have said that no more comes. */
  takeFinished(): readonly number[] {
    const {finished} = this
    this.finished = []
    return finished
  }

  /** Bytes that wait for the peer to make room for them. */
  waitingBytes(stream: number): number {
    return this.streams.get(stream)?.waitingBytes ?? 0
  }

  /** Opens a stream and gives its id. */
  open(): number {
    const id = this.nextId
    this.nextId += 2
    this.streams.set(id, newStream())
    this.frame(FrameType.windowUpdate, Flag.syn, id, 0)
    return id
  }

  /** Sends bytes on a stream as far as its window goes; the rest waits. On a stream that is gone they are dropped. */
  write(id: number, bytes: Uint8Array): void {
    const stream = this.streams.get(id)
    if (stream === undefined || stream.ending || bytes.length === 0) return
    stream.waiting.push(bytes)
    stream.waitingBytes += bytes.length
    this.flush(id, stream)
  }

  /** Says that no more comes on a stream, once what waits is sent. */
  end(id: number): void {
    const stream = this.streams.get(id)
    if (stream === undefined || stream.ending) return
    stream.ending = true
    this.flush(id, stream)
  }

  /** Gives a stream up. */
  reset(id: number): void {
    if (this.streams.delete(id)) this.frame(FrameType.windowUpdate, Flag.reset, id, 0)
  }

  /** The application is done with bytes of a stream: the peer may send as many again. */
  consumed(id: number, count: number): void {
    const stream = this.streams.get(id)
    if (stream === undefined || stream.gotFin) return
    stream.owed += count
    if (stream.owed < WINDOW_BYTES / 2) return
    this.frame(FrameType.windowUpdate, 0, id, stream.owed)
    stream.receiveWindow += stream.owed
    stream.owed = 0
  }

  ping(value: number): void {
    this.frame(FrameType.ping, Flag.syn, 0, value >>> 0)
  }

  /** Takes bytes of the connection in. Data in the events is not touched again. */
  receive(chunk: Uint8Array): readonly YamuxEvent[] {
    const events: YamuxEvent[] = []
    if (this.broken) return events
    this.store.push(chunk)
    while (!this.broken && this.store.length >= HEADER_BYTES) {
      const bytes = this.store.bytes()
      const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES)
      const type = view.getUint8(1)
      const frame = {flags: view.getUint16(2), id: view.getUint32(4), length: view.getUint32(8)}
      if (view.getUint8(0) !== 0 || type > FrameType.goAway)
        this.fail(events, 'a frame has no such version or type')
      else if (type !== FrameType.data) {
        this.store.drop(HEADER_BYTES)
        this.control(events, type, frame)
      } else if (!this.data(events, frame)) break
    }
    return events
  }

  private control(events: YamuxEvent[], type: number, {flags, id, length}: Frame): void {
    if (type === FrameType.goAway) events.push({on: 'gone-away'})
    else if (type === FrameType.ping) {
      if (flags & Flag.syn) this.frame(FrameType.ping, Flag.ack, 0, length)
      else if (flags & Flag.ack) events.push({on: 'ponged', value: length})
    } else {
      const stream = this.admit(events, id, flags)
      if (stream === undefined) return
      stream.sendWindow += length
      if (stream.sendWindow > WINDOW_BYTES_MAX) return this.fail(events, 'a window is too large')
      this.flush(id, stream)
      this.settle(events, id, stream, flags)
    }
  }

  /** Takes a data frame; false while it is not whole. */
  private data(events: YamuxEvent[], {flags, id, length}: Frame): boolean {
    const known = this.streams.get(id)
    const window = known?.receiveWindow ?? WINDOW_BYTES
    if (length > window) {
      this.fail(events, 'a frame is larger than the window')
      return false
    }
    if (this.store.length < HEADER_BYTES + length) return false
    this.store.drop(HEADER_BYTES)
    const bytes = this.store.take(length)
    const stream = this.admit(events, id, flags)
    if (stream === undefined) return true
    stream.receiveWindow -= length
    if (length > 0) events.push({on: 'data', stream: id, bytes})
    this.settle(events, id, stream, flags)
    return true
  }

  /** The stream of a frame, opened by it where it says so. Frames of streams that are gone mean nothing. */
  private admit(events: YamuxEvent[], id: number, flags: number): Stream | undefined {
    if (!(flags & Flag.syn)) return this.streams.get(id)
    const theirs = id % 2 === (this.role === 'client' ? 0 : 1)
    if (!theirs || id === 0 || this.streams.has(id)) {
      this.fail(events, 'a stream is opened with an id that it cannot have')
      return undefined
    }
    if (this.streams.size >= this.streamsMax) {
      this.frame(FrameType.windowUpdate, Flag.reset, id, 0)
      return undefined
    }
    const stream = newStream()
    this.streams.set(id, stream)
    this.frame(FrameType.windowUpdate, Flag.ack, id, 0)
    events.push({on: 'opened', stream: id})
    return stream
  }

  private settle(events: YamuxEvent[], id: number, stream: Stream, flags: number): void {
    if (flags & Flag.reset) {
      this.streams.delete(id)
      events.push({on: 'reset', stream: id})
    } else if (flags & Flag.fin && !stream.gotFin) {
      stream.gotFin = true
      events.push({on: 'ended', stream: id})
      this.forget(id, stream)
    }
  }

  /** Sends what the window allows. */
  private flush(id: number, stream: Stream): void {
    while (stream.waiting.length > 0 && stream.sendWindow > 0) {
      const [first = EMPTY] = stream.waiting
      const length = Math.min(first.length, stream.sendWindow, DATA_BYTES_MAX)
      if (length === first.length) stream.waiting.shift()
      else stream.waiting[0] = first.subarray(length)
      stream.waitingBytes -= length
      stream.sendWindow -= length
      this.frame(FrameType.data, 0, id, length, first.subarray(0, length))
    }
    if (!stream.ending || stream.sentFin || stream.waiting.length > 0) return
    stream.sentFin = true
    this.frame(FrameType.windowUpdate, Flag.fin, id, 0)
    this.forget(id, stream)
  }

  private forget(id: number, stream: Stream): void {
    if (stream.sentFin && stream.gotFin && this.streams.delete(id)) this.finished.push(id)
  }

  private fail(events: YamuxEvent[], text: string): void {
    this.broken = true
    events.push({on: 'problem', text})
  }

  private frame(type: number, flags: number, id: number, length: number, body: Uint8Array = EMPTY): void {
    // A small body travels with its head: one buffer costs less than two.
    const joined = body.length <= JOINED_BYTES_MAX
    const bytes = new Uint8Array(joined ? HEADER_BYTES + body.length : HEADER_BYTES)
    bytes[1] = type
    bytes[3] = flags
    const view = new DataView(bytes.buffer)
    view.setUint32(4, id)
    view.setUint32(8, length)
    if (joined) bytes.set(body, HEADER_BYTES)
    this.output.push(bytes)
    if (!joined) this.output.push(body)
  }
}

interface Frame {
  readonly flags: number
  readonly id: number
  readonly length: number
}

const EMPTY = new Uint8Array(0)

const newStream = (): Stream => ({
  sendWindow: WINDOW_BYTES,
  receiveWindow: WINDOW_BYTES,
  owed: 0,
  waiting: [],
  waitingBytes: 0,
  ending: false,
  sentFin: false,
  gotFin: false,
})
