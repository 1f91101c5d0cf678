import {printable} from '../core/text.js'
import type {StoreEntry, StoreReader, StoreReply, StoreRequest, StoreResult} from '../core/store/requests.js'
import type {Clock} from '../ports/clock.js'
import type {RandomFile} from '../ports/transport.js'
import {TransportError} from '../ports/transport.js'

/** Access to the files of one raft directory; names are relative to it. Throws `TransportError`. */
export interface StoreFiles {
  open(file: string): Promise<RandomFile>
  list(directory: string): Promise<readonly StoreEntry[]>
}

/** How long and how often a reader is driven. */
export interface DriveOptions {
  readonly clock: Clock
  /** When to give up, by the clock; the reader then ends with `timed-out`. */
  readonly deadlineMs: number
  /** How often to begin anew when a live store changed under the reading; the pause doubles each time. */
  readonly retriesMax?: number
}

/** What driving a reader to its end gave, and what it cost over all tries. */
export interface Driven<T> {
  readonly result: StoreResult<T>
  readonly bytesRead: number
  readonly tries: number
}

const RETRIES_MAX = 8
const PAUSE_MS = 20
const READ_BYTES_MAX = 4 * 1024 * 1024 // of one read; a larger one is served in parts

/**
 * Runs a reader of stores against real files: batches in parallel, files kept open for the whole run, begun anew
 * (and opened anew, since a store can be replaced) with growing pauses while the answer is `changed`. The reader is
 * told which attempt it is, from 1 on, so that it can ask for less.
 */
export async function driveStore<T>(
  makeReader: (attempt: number) => StoreReader<StoreResult<T>>,
  files: StoreFiles,
  options: DriveOptions,
): Promise<Driven<T>> {
  const {clock, deadlineMs, retriesMax = RETRIES_MAX} = options
  let bytesRead = 0
  for (let tries = 1; ; tries++) {
    const run = new StoreRun(files, clock, deadlineMs)
    const result = await run.drive(makeReader(tries))
    bytesRead += run.bytesRead
    const again = result.kind === 'unread' && result.why === 'changed' && tries <= retriesMax
    const pauseMs = PAUSE_MS * 2 ** (tries - 1)
    if (!again || clock.nowMs() + pauseMs > deadlineMs) return {result, bytesRead, tries}
    await clock.sleep(pauseMs)
  }
}

/** One run over the files of a store, for callers that drive several readers over one transaction. */
export class StoreRun {
  bytesRead = 0
  private readonly opened = new Map<string, Promise<RandomFile>>()
  constructor(
    private readonly files: StoreFiles,
    private readonly clock: Clock,
    private readonly deadlineMs: number,
  ) {}

  /** Drives a reader to its end, then closes the files. */
  async drive<T>(reader: StoreReader<StoreResult<T>>): Promise<StoreResult<T>> {
    try {
      return await this.pull(reader)
    } finally {
      await this.close()
    }
  }

  /** Drives a reader to its end and keeps the files open. */
  async pull<T>(reader: StoreReader<StoreResult<T>>): Promise<StoreResult<T>> {
    let step = reader.next()
    while (step.done !== true) {
      if (this.clock.nowMs() > this.deadlineMs)
        return {kind: 'unread', why: 'timed-out', detail: 'Reading the store took too long.'}
      step = reader.next(await Promise.all(step.value.map(request => this.serve(request))))
    }
    return step.value
  }

  /** Closes what was opened. */
  async close(): Promise<void> {
    const opened = [...this.opened.values()]
    this.opened.clear()
    for (const result of await Promise.allSettled(opened))
      if (result.status === 'fulfilled') await Promise.allSettled([result.value.close()])
  }

  private async serve(request: StoreRequest): Promise<StoreReply> {
    try {
      if (request.kind === 'list') return {kind: 'entries', entries: await this.files.list(request.directory)}
      const file = await this.file(request.file)
      if (request.kind === 'size') return {kind: 'size', sizeBytes: file.sizeBytes}
      return {kind: 'bytes', bytes: await this.read(file, request.offset, request.length)}
    } catch (error) {
      if (!(error instanceof TransportError)) throw error
      const why = error.why === 'lost' ? 'failed' : error.why
      return {kind: 'unread', why, detail: printable(error.message)}
    }
  }

  private file(name: string): Promise<RandomFile> {
    const known = this.opened.get(name)
    if (known !== undefined) return known
    const opening = this.files.open(name)
    this.opened.set(name, opening)
    return opening
  }

  private async read(file: RandomFile, offset: number, length: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = []
    for (let at = 0; at < length; at += READ_BYTES_MAX) {
      const wanted = Math.min(READ_BYTES_MAX, length - at)
      const part = await file.read(offset + at, wanted)
      this.bytesRead += part.length
      parts.push(part)
      if (part.length < wanted) break
    }
    const [only] = parts
    if (parts.length === 1 && only !== undefined) return only
    return concatenate(parts)
  }
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
