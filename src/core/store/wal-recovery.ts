import {crc32c} from '../codec/checksums.js'
import {viewOf} from './bolt-page.js'
import {corrupt, StoreFault} from './requests.js'
import {
  checkFileHeader,
  FILE_HEADER_BYTES,
  FRAME_HEADER_BYTES,
  parseFrame,
  parseWalEntry,
} from './wal-frames.js'

/** What a segment file holds that counts. */
export interface RecoveredSegment {
  /** Where the frame of each entry begins, from the first one on. */
  readonly offsets: readonly number[]
  /** The term of each entry. */
  readonly terms: readonly number[]
  /** Positions in `offsets` of entries that set the peer set. */
  readonly membership: readonly number[]
  /** Where the last commit frame that counts ends; 0 when there is none. */
  readonly end: number
  /** Where the array of offsets begins, when the segment was sealed. */
  readonly indexStart: number | undefined
  /** Whether anything lies behind `end`: the traces of a batch whose write was interrupted. */
  readonly torn: boolean
}

const EMPTY: RecoveredSegment = {
  offsets: [],
  terms: [],
  membership: [],
  end: 0,
  indexStart: undefined,
  torn: false,
}
const MEMBERSHIP: readonly number[] = [2, 3, 5]

/**
 * Reads a whole segment file as it was left by a crash. Each batch was synced before the next was written, so only
 * the last can be torn: what follows the last commit frame with a right checksum is cut. Faults with `corrupt` when a
 * batch is damaged and another one behind it is whole, for then entries that were acknowledged are lost, and cutting
 * them off in silence would let the server vote as if it had never had them.
 */
export function recoverSegment(
  bytes: Uint8Array,
  segment: {readonly baseIndex: number; readonly id: number; readonly file: string},
): RecoveredSegment {
  const whole = wholeBatches(bytes, segment)
  const rest = bytes.subarray(whole.end)
  const torn = !isZero(rest)
  if (torn && holdsLaterBatch(rest))
    throw corrupt(`${segment.file} is damaged behind byte ${whole.end}, before the end of what was synced.`)
  return {...whole, torn}
}

function wholeBatches(
  bytes: Uint8Array,
  segment: {readonly baseIndex: number; readonly id: number; readonly file: string},
): RecoveredSegment {
  if (!headerIsRight(bytes, segment)) return EMPTY
  const found = {...EMPTY, offsets: [] as number[], terms: [] as number[], membership: [] as number[]}
  let kept = {entries: 0, membership: 0, end: 0, indexStart: undefined as number | undefined}
  let from = 0
  let indexStart: number | undefined
  for (let at = FILE_HEADER_BYTES; at + FRAME_HEADER_BYTES <= bytes.length;) {
    const frame = parseFrame(bytes.subarray(at, at + FRAME_HEADER_BYTES), at)
    if (frame.kind === 'end' || frame.next > bytes.length) break
    if (frame.kind === 'commit') {
      if (crc32c(bytes.subarray(from, at)) !== frame.crc) break
      from = frame.next
      const {offsets, membership} = found
      kept = {entries: offsets.length, membership: membership.length, end: from, indexStart}
    } else if (frame.kind === 'index') indexStart = at + FRAME_HEADER_BYTES
    else if (!noteEntry(bytes, at, frame.length, segment.baseIndex, found)) break
    at = frame.next
  }
  return {
    offsets: found.offsets.slice(0, kept.entries),
    terms: found.terms.slice(0, kept.entries),
    membership: found.membership.slice(0, kept.membership),
    end: kept.end,
    indexStart: kept.indexStart,
    torn: false,
  }
}

function headerIsRight(
  bytes: Uint8Array,
  segment: {readonly baseIndex: number; readonly id: number},
): boolean {
  try {
    return checkFileHeader(bytes.subarray(0, FILE_HEADER_BYTES), segment) === 'good'
  } catch (error) {
    if (error instanceof StoreFault) return false // a torn first batch; whether it was synced is found out later
    throw error
  }
}

function noteEntry(
  bytes: Uint8Array,
  at: number,
  length: number,
  baseIndex: number,
  found: {offsets: number[]; terms: number[]; membership: number[]},
): boolean {
  const start = at + FRAME_HEADER_BYTES
  const payload = bytes.subarray(start, start + length)
  let head: ReturnType<typeof parseWalEntry>
  try {
    head = parseWalEntry(payload)
  } catch (error) {
    if (error instanceof StoreFault) return false
    throw error
  }
  if (head.index !== baseIndex + found.offsets.length || head.dataAt + head.dataLength > length) return false
  if (MEMBERSHIP.includes(head.typeNumber)) found.membership.push(found.offsets.length)
  found.offsets.push(at)
  found.terms.push(head.term)
  return true
}

/** Whether all bytes are zero. */
function isZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) if (bytes[at] !== 0) return false
  return true
}

/**
 * Whether a batch that is whole lies anywhere behind what is damaged: from a commit frame, or from a place where
 * frames can be followed again, up to another commit frame the checksum is right. `bytes` begins at a multiple of 8 in
 * the file. A torn batch alone never looks so, because its checksum counts from its own beginning.
 */
function holdsLaterBatch(bytes: Uint8Array): boolean {
  const view = viewOf(bytes)
  const commitAt = (at: number, from: number): boolean =>
    at > from && crc32c(bytes.subarray(from, at)) === view.getUint32(at + 4, true)
  let from: number | undefined
  for (let at = 0; at + FRAME_HEADER_BYTES <= bytes.length; at += FRAME_HEADER_BYTES) {
    if (view.getUint32(at, true) !== 3) continue
    if (from !== undefined && commitAt(at, from)) return true
    from = at + FRAME_HEADER_BYTES
  }
  let start: number | undefined
  for (let at = 0; at + FRAME_HEADER_BYTES <= bytes.length;) {
    const frame = parseFrame(bytes.subarray(at, at + FRAME_HEADER_BYTES), at)
    if (frame.kind === 'end' || frame.next > bytes.length) {
      at += FRAME_HEADER_BYTES
      start = at
    } else {
      if (frame.kind === 'commit') {
        if (start !== undefined && commitAt(at, start)) return true
        start = frame.next
      }
      at = frame.next
    }
  }
  return false
}
