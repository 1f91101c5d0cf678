import type {Unread} from '../model/reading.js'

/**
 * What a reader of stores asks of whoever does the I/O. `file` and `directory` are relative to the raft directory
 * (`raft.db`, `wal/wal-meta.db`, `snapshots`); the empty directory is the raft directory itself.
 */
export type StoreRequest =
  | {readonly kind: 'read'; readonly file: string; readonly offset: number; readonly length: number}
  | {readonly kind: 'size'; readonly file: string}
  | {readonly kind: 'list'; readonly directory: string}

/** A name in a directory that was listed. */
export interface StoreEntry {
  readonly name: string
  readonly directory: boolean
}

/** The answer to one request. `bytes` is shorter than asked for only at the end of the file. */
export type StoreReply =
  | {readonly kind: 'bytes'; readonly bytes: Uint8Array}
  | {readonly kind: 'size'; readonly sizeBytes: number}
  | {readonly kind: 'entries'; readonly entries: readonly StoreEntry[]}
  | {readonly kind: 'unread'; readonly why: Unread; readonly detail: string}

/** A reader: it yields batches of requests, which may be served in parallel, and is given replies in their order. */
export type StoreReader<T> = Generator<readonly StoreRequest[], T, readonly StoreReply[]>

/** What a reader found out, or why it could not; fits into a `Reading` when a source is added. */
export type StoreResult<T> =
  | {readonly kind: 'read'; readonly value: T}
  | {readonly kind: 'unread'; readonly why: Unread; readonly detail: string}

/** Ends a reader early; `settle` turns it into a result, so that it never leaves this folder. */
export class StoreFault extends Error {
  override readonly name = 'StoreFault'
  constructor(
    readonly why: Unread,
    readonly detail: string,
  ) {
    super(detail)
  }
}

/** A fault for bytes that no writer of this format would have left. */
export const corrupt = (detail: string): StoreFault => new StoreFault('corrupt', detail)

/** Runs a reader to its result: a fault becomes `unread`. */
export function* settle<T>(reader: StoreReader<T>): StoreReader<StoreResult<T>> {
  try {
    return {kind: 'read', value: yield* reader}
  } catch (error) {
    if (error instanceof StoreFault) return {kind: 'unread', why: error.why, detail: error.detail}
    throw error
  }
}

/** A part of a file. */
export interface Range {
  readonly offset: number
  readonly length: number
}

/** Asks for bytes and sizes and counts what came. One for each run of a reader. */
export class StoreIo {
  /** Bytes of content received so far. */
  bytesRead = 0

  /** Takes the bytes out of a reply and counts them. */
  bytesOf(reply: StoreReply | undefined, what: string): Uint8Array {
    if (reply?.kind === 'unread') throw new StoreFault(reply.why, reply.detail)
    if (reply?.kind !== 'bytes') throw new StoreFault('failed', `There was no answer about ${what}.`)
    this.bytesRead += reply.bytes.length
    return reply.bytes
  }

  /** Reads parts of a file in one batch. A part that the file does not hold in full is a fault. */
  *ranges(file: string, ranges: readonly Range[]): StoreReader<readonly Uint8Array[]> {
    if (ranges.length === 0) return []
    const replies = yield ranges.map(range => ({kind: 'read', file, ...range}) as const)
    return ranges.map((range, i) => {
      const bytes = this.bytesOf(replies[i], file)
      if (bytes.length < range.length)
        throw corrupt(`${file} ends before byte ${range.offset + range.length}.`)
      return bytes.length === range.length ? bytes : bytes.subarray(0, range.length)
    })
  }

  /** Reads one part of a file; fewer bytes than asked for are the end of the file. */
  *upTo(file: string, offset: number, length: number): StoreReader<Uint8Array> {
    const [reply] = yield [{kind: 'read', file, offset, length}]
    return this.bytesOf(reply, file)
  }

  /** The size of a file and its first bytes, in one batch. */
  *sizeAndHead(file: string, length: number): StoreReader<{sizeBytes: number; head: Uint8Array}> {
    const [size, head] = yield [
      {kind: 'size', file},
      {kind: 'read', file, offset: 0, length},
    ]
    return {sizeBytes: sizeOf(size, file), head: this.bytesOf(head, file)}
  }

  /** The size of a file in bytes. */
  *size(file: string): StoreReader<number> {
    const [reply] = yield [{kind: 'size', file}]
    return sizeOf(reply, file)
  }
}

/** Takes the size out of a reply. */
export function sizeOf(reply: StoreReply | undefined, what: string): number {
  if (reply?.kind === 'unread') throw new StoreFault(reply.why, reply.detail)
  if (reply?.kind !== 'size') throw new StoreFault('failed', `There was no answer about ${what}.`)
  return reply.sizeBytes
}
