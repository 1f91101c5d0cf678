import {close, constants, fsync, ftruncate, open, read, write} from 'node:fs'
import {readdirSync, readSync, openSync, closeSync, fstatSync} from 'node:fs'
import {join} from 'node:path'
import {promisify} from 'node:util'
import {syncDirectory} from '../../adapters/durable-file.js'
import {AgentError} from '../agent-error.js'
import {StoreFault} from '../../core/store/requests.js'
import type {StoreReader, StoreReply, StoreRequest} from '../../core/store/requests.js'

const openFile = promisify(open)
const closeFile = promisify(close)
const writeFile = promisify(write)
const syncFile = promisify(fsync)
const resizeFile = promisify(ftruncate)
const readFile = promisify(read)

/** How far ahead of what is written a segment file is filled with zeros. */
const AHEAD_BYTES = 256 * 1024

/** An error with a code, as Node's file functions throw it. */
export const errorCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined

/** Runs a reader of stores on local files at once; its fault becomes an error that says what is wrong. */
export function readLocally<T>(directory: string, reader: StoreReader<T>): T {
  try {
    let step = reader.next()
    while (step.done !== true) step = reader.next(step.value.map(request => answer(directory, request)))
    return step.value
  } catch (error) {
    if (error instanceof StoreFault) throw damaged(directory, error.detail)
    throw error
  }
}

/** The error of a store that must not be started on. */
export const damaged = (directory: string, detail: string): AgentError =>
  new AgentError(`The Raft store in ${directory} cannot be used: ${detail}`)

function answer(directory: string, request: StoreRequest): StoreReply {
  try {
    if (request.kind === 'list') {
      const entries = readdirSync(join(directory, request.directory), {withFileTypes: true})
      return {
        kind: 'entries',
        entries: entries.map(entry => ({name: entry.name, directory: entry.isDirectory()})),
      }
    }
    const fd = openSync(join(directory, request.file), 'r')
    try {
      if (request.kind === 'size') return {kind: 'size', sizeBytes: fstatSync(fd).size}
      const bytes = new Uint8Array(request.length)
      let length = 0
      while (length < bytes.length) {
        const more = readSync(fd, bytes, length, bytes.length - length, request.offset + length)
        if (more === 0) break
        length += more
      }
      return {kind: 'bytes', bytes: bytes.subarray(0, length)}
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    const code = errorCode(error)
    if (code === undefined) throw error
    const why = code === 'ENOENT' ? 'absent' : code === 'EACCES' ? 'denied' : 'failed'
    return {kind: 'unread', why, detail: String(error)}
  }
}

/**
 * A segment file that is written to. It is opened with O_DSYNC, so that a write has reached the disk when it returns:
 * one trip through the thread pool instead of two for a write and its sync. Every so often a write takes zeros along
 * for the ones to come: where blocks are in place already, the file system has only data to sync, no journal of its own.
 */
export class SegmentFile {
  /** Shared by all who come while it is under way, so that there is one descriptor. */
  private opened: Promise<number> | undefined
  private users = 0
  private closing = false
  /** Up to where blocks are known to be in place. */
  private filledTo = 0
  constructor(
    private readonly directory: string,
    readonly name: string,
    private readonly sizeLimit: number,
  ) {}

  /** Writes and syncs; makes the file, at its full size and durably, if it is not there. */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    const fd = await this.open(true)
    const whole = this.filled(bytes, position)
    for (let done = 0; done < whole.length;) {
      const {bytesWritten} = await writeFile(fd, whole, done, whole.length - done, position + done)
      done += bytesWritten
    }
    this.filledTo = Math.max(this.filledTo, position + whole.length)
  }

  /** What to write at the end of all that is written: the bytes, and zeros where they come to new blocks. */
  private filled(bytes: Uint8Array, position: number): Uint8Array {
    const end = position + bytes.length
    const room = Math.min(this.sizeLimit - end, AHEAD_BYTES)
    if (end <= this.filledTo || room <= 0) return bytes
    const whole = new Uint8Array(bytes.length + room)
    whole.set(bytes)
    return whole
  }

  /** Fills a buffer from a position; rejects when the file ends before. */
  async read(bytes: Uint8Array, position: number): Promise<void> {
    this.users++
    try {
      const fd = await this.open(false)
      for (let done = 0; done < bytes.length;) {
        const {bytesRead} = await readFile(fd, bytes, done, bytes.length - done, position + done)
        if (bytesRead === 0) throw damaged(this.directory, `${this.name} ends at ${position + done}.`)
        done += bytesRead
      }
    } finally {
      this.users--
      if (this.closing) await this.close()
    }
  }

  /** Removes all bytes from a position on, durably; they read as zero afterwards. */
  async cut(position: number): Promise<void> {
    const fd = await this.open(true)
    this.filledTo = 0
    await resizeFile(fd, position)
    await syncFile(fd)
    await resizeFile(fd, Math.max(this.sizeLimit, position))
    await syncFile(fd)
  }

  /** Closes the file once nobody reads it any more. */
  async close(): Promise<void> {
    this.closing = true
    if (this.users > 0 || this.opened === undefined) return
    const {opened} = this
    this.opened = undefined
    await closeFile(await opened)
  }

  private open(make: boolean): Promise<number> {
    const opened = (this.opened ??= this.openOrMake(make))
    // One that failed is tried again by the next
    opened.catch(() => {
      if (this.opened === opened) this.opened = undefined
    })
    return opened
  }

  private async openOrMake(make: boolean): Promise<number> {
    const path = join(this.directory, this.name)
    const {O_RDWR, O_DSYNC, O_CREAT, O_EXCL} = constants
    try {
      return await openFile(path, O_RDWR | O_DSYNC)
    } catch (error) {
      if (!make || errorCode(error) !== 'ENOENT') throw error
    }
    const fd = await openFile(path, O_RDWR | O_DSYNC | O_CREAT | O_EXCL, 0o600)
    try {
      await resizeFile(fd, this.sizeLimit)
      await syncFile(fd)
      await syncDirectory(this.directory)
      return fd
    } catch (error) {
      await closeFile(fd)
      throw error
    }
  }
}
