import {crc32c} from '../codec/checksums.js'
import type {LogEntry} from '../raft/messages.js'
import {viewOf} from './bolt-page.js'
import {FILE_HEADER_BYTES, FRAME_HEADER_BYTES} from './wal-frames.js'

/** Writes what wal-frames.ts reads: the frames of raft-wal segment files (hashicorp/raft-wal, segment/format.go). */

const MAGIC = 0x58eb6b0d
const CODEC = 1n
const FIRST_BYTES = 64 * 1024
const KEPT_BYTES_MAX = 4 * 1024 * 1024
// The zero time in Go's binary form: entries here carry no time of their own
const ZERO_TIME = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff)
const UVARINT_BYTES_MAX = 8
const NO_BYTES = new Uint8Array(0)

/** The header of a segment file; it is written with the first batch and counts into its checksum. */
export function segmentHeader(baseIndex: number, id: number): Uint8Array {
  const header = new Uint8Array(FILE_HEADER_BYTES)
  const view = viewOf(header)
  view.setUint32(0, MAGIC, true)
  view.setBigUint64(8, BigInt(baseIndex), true)
  view.setBigUint64(16, BigInt(id), true)
  view.setBigUint64(24, CODEC, true)
  return header
}

/** Bytes that the frame of an entry takes at most. */
export const frameBytesMax = (entry: LogEntry): number =>
  FRAME_HEADER_BYTES +
  5 * UVARINT_BYTES_MAX +
  entry.data.length +
  (entry.extensions?.length ?? 0) +
  ZERO_TIME.length +
  8

/** Frames of one batch in one buffer, which is used again for the next. */
export class WalBatch {
  private bytes: Uint8Array = new Uint8Array(FIRST_BYTES)
  private view = viewOf(this.bytes)
  private length = 0

  /** Bytes so far. */
  get size(): number {
    return this.length
  }

  /** Begins anew. */
  clear(): void {
    if (this.bytes.length > KEPT_BYTES_MAX) this.use(new Uint8Array(FIRST_BYTES))
    this.length = 0
  }

  /** Appends bytes as they are. */
  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.bytes.set(bytes, this.length)
    this.length += bytes.length
  }

  /** Appends the frame of an entry in codec 1 and returns where it begins in the batch. */
  entry(entry: LogEntry): number {
    this.reserve(frameBytesMax(entry))
    const start = this.length
    let at = start + FRAME_HEADER_BYTES
    at = this.uvarint(at, entry.index)
    at = this.uvarint(at, entry.term)
    at = this.uvarint(at, entry.type)
    at = this.uvarint(at, entry.data.length)
    this.bytes.set(entry.data, at)
    at += entry.data.length
    const {extensions = NO_BYTES} = entry
    at = this.uvarint(at, extensions.length)
    this.bytes.set(extensions, at)
    at += extensions.length
    this.bytes.set(ZERO_TIME, at)
    at += ZERO_TIME.length
    this.frame(start, 1, at - start - FRAME_HEADER_BYTES)
    this.pad(at)
    return start
  }

  /** Appends the index frame that seals a segment; returns where its array begins in the batch. */
  index(offsets: ArrayLike<number>): number {
    const length = offsets.length * 4
    this.reserve(FRAME_HEADER_BYTES + length + 8)
    const start = this.length
    this.frame(start, 2, length)
    for (let i = 0; i < offsets.length; i++)
      this.view.setUint32(start + FRAME_HEADER_BYTES + i * 4, offsets[i] ?? 0, true)
    this.pad(start + FRAME_HEADER_BYTES + length)
    return start + FRAME_HEADER_BYTES
  }

  /** Appends the commit frame of all bytes in the batch so far, and returns the whole batch. */
  commit(): Uint8Array {
    this.reserve(FRAME_HEADER_BYTES)
    this.frame(this.length, 3, crc32c(this.bytes.subarray(0, this.length)))
    this.length += FRAME_HEADER_BYTES
    return this.bytes.subarray(0, this.length)
  }

  private frame(at: number, type: number, value: number): void {
    this.view.setUint32(at, type, true)
    this.view.setUint32(at + 4, value, true)
  }

  private uvarint(at: number, value: number): number {
    let rest = value
    while (rest >= 0x80) {
      this.bytes[at++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.bytes[at++] = rest
    return at
  }

  private pad(at: number): void {
    this.length = Math.ceil(at / 8) * 8
    this.bytes.fill(0, at, this.length)
  }

  private reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.length + more))
    larger.set(this.bytes.subarray(0, this.length))
    this.use(larger)
  }

  private use(bytes: Uint8Array): void {
    this.bytes = bytes
    this.view = viewOf(bytes)
  }
}
