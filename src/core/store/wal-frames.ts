import {crc32c} from '../codec/checksums.js'
import {viewOf} from './bolt-page.js'
import {ENTRY_TYPES, parseTime} from './log-entry.js'
import type {EntryHead} from './log-entry.js'
import {corrupt} from './requests.js'
import type {StoreIo, StoreReader} from './requests.js'

/**
 * Frames of raft-wal segment files (hashicorp/raft-wal, segment/format.go): an 8-byte header (type, three zero bytes,
 * length or checksum), payload, padding to 8. Everything is little-endian.
 */

/** Bytes of the header of a segment file. */
export const FILE_HEADER_BYTES = 32
/** Bytes of the header of a frame. */
export const FRAME_HEADER_BYTES = 8
const MAGIC = 0x58eb6b0d
const PAYLOAD_BYTES_MAX = 64 * 1024 * 1024
const CHUNK_BYTES = 256 * 1024

/** A frame of a segment file; `next` is where the one behind it begins. */
export type Frame =
  | {readonly kind: 'end'}
  | {readonly kind: 'entry' | 'index'; readonly length: number; readonly next: number}
  | {readonly kind: 'commit'; readonly crc: number; readonly next: number}

/** Reads the frame header at `offset` of a file; what is no frame ends the data, as in an interrupted batch. */
export function parseFrame(header: Uint8Array, offset: number): Frame {
  const view = viewOf(header)
  const word = view.getUint32(0, true)
  const value = view.getUint32(4, true)
  if (word === 3) return {kind: 'commit', crc: value, next: offset + FRAME_HEADER_BYTES}
  if ((word !== 1 && word !== 2) || value > PAYLOAD_BYTES_MAX) return {kind: 'end'}
  const next = offset + FRAME_HEADER_BYTES + Math.ceil(value / 8) * 8
  return {kind: word === 1 ? 'entry' : 'index', length: value, next}
}

/** Whether a segment file begins as it should; an all-zero header is that of a segment without any batch. */
export function checkFileHeader(
  header: Uint8Array,
  expected: {baseIndex: number; id: number},
): 'good' | 'empty' {
  if (header.length < FILE_HEADER_BYTES || header.every(byte => byte === 0)) return 'empty'
  const view = viewOf(header)
  const good =
    view.getUint32(0, true) === MAGIC &&
    view.getUint8(7) === 0 &&
    view.getBigUint64(8, true) === BigInt(expected.baseIndex) &&
    view.getBigUint64(16, true) === BigInt(expected.id) &&
    view.getBigUint64(24, true) === 1n
  if (!good) throw corrupt('A segment file does not carry the header that its list promises.')
  return 'good'
}

/** Bytes of a payload that are enough for the head of any entry: three uvarints and the length of the data. */
export const ENTRY_PREFIX_BYTES = 40

/**
 * Reads the head of an entry in codec 1 (raft-wal, codec.go): index, term and type as uvarints, data, extensions, time.
 * `payload` may be cut; the time is then undefined.
 */
export function parseWalEntry(payload: Uint8Array): EntryHead {
  const cursor = {at: 0}
  const index = uvarint(payload, cursor)
  const term = uvarint(payload, cursor)
  const typeNumber = uvarint(payload, cursor)
  const dataLength = uvarint(payload, cursor)
  const dataAt = cursor.at
  cursor.at += dataLength
  const whole = cursor.at < payload.length
  const extensionsLength = whole ? uvarint(payload, cursor) : 0
  const extensionsAt = cursor.at
  cursor.at += extensionsLength
  const time = payload.subarray(cursor.at, cursor.at + 15)
  return {
    index,
    term,
    type: ENTRY_TYPES[typeNumber],
    typeNumber,
    dataAt,
    dataLength,
    extensionsAt,
    extensionsLength,
    appendedAt: whole && time.length === 15 ? parseTime(time) : undefined,
  }
}

function uvarint(bytes: Uint8Array, cursor: {at: number}): number {
  let value = 0
  for (let factor = 1; factor <= 2 ** 49; factor *= 128) {
    const byte = bytes[cursor.at++]
    if (byte === undefined) break
    value += (byte & 0x7f) * factor
    if (byte < 0x80) return value
  }
  throw corrupt('An entry of a segment has a number that does not end.')
}

/** A file read forwards through one buffer; what is stepped over is not read. */
export class ForwardReader {
  private buffer = new Uint8Array(0)
  private from = 0
  constructor(
    private readonly io: StoreIo,
    private readonly file: string,
    private readonly chunkBytes = CHUNK_BYTES,
  ) {}

  /** Up to `length` bytes at a position; fewer at the end of the file. */
  *peek(at: number, length: number): StoreReader<Uint8Array> {
    const have = at >= this.from && at + length <= this.from + this.buffer.length
    if (!have) {
      this.buffer = new Uint8Array(yield* this.io.upTo(this.file, at, Math.max(length, this.chunkBytes)))
      this.from = at
    }
    return this.buffer.subarray(at - this.from, at - this.from + length)
  }
}

/** CRC-32C of a part of a file, read in chunks; undefined when the file ends before. */
export function* rangeCrc(
  io: StoreIo,
  file: string,
  from: number,
  to: number,
): StoreReader<number | undefined> {
  let crc = 0
  for (let at = from; at < to; at += CHUNK_BYTES) {
    const length = Math.min(CHUNK_BYTES, to - at)
    const bytes = yield* io.upTo(file, at, length)
    if (bytes.length < length) return undefined
    crc = crc32c(bytes, crc)
  }
  return crc
}
