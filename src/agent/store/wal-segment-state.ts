import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {viewOf} from '../../core/store/bolt-page.js'
import {StoreFault} from '../../core/store/requests.js'
import {FRAME_HEADER_BYTES, parseWalEntry} from '../../core/store/wal-frames.js'
import {recoverSegment} from '../../core/store/wal-recovery.js'
import type {RecoveredSegment} from '../../core/store/wal-recovery.js'
import type {LogEntry, LogType} from '../../core/raft/messages.js'
import {damaged, errorCode, SegmentFile} from './wal-files.js'
import {NOT_SEALED} from './wal-meta-file.js'
import type {SegmentInfo} from './wal-meta-file.js'

/** A segment of the log in memory: where its entries lie. */
export interface Segment {
  info: SegmentInfo
  readonly file: SegmentFile
  /** Where the frame of each entry begins, dead ones included; the first is of entry `BaseIndex`. */
  readonly offsets: number[]
  /** Where the next batch goes. */
  end: number
}

/** The name of a segment's file. */
export const segmentName = ({BaseIndex, ID}: Pick<SegmentInfo, 'BaseIndex' | 'ID'>): string =>
  `${String(BaseIndex).padStart(20, '0')}-${ID.toString(16).padStart(16, '0')}.wal`

/** Whether a segment takes no more entries. */
export const isSealed = (info: SegmentInfo): boolean => info.SealTime !== NOT_SEALED

/** The last index of a segment that counts; `MinIndex` minus one when it holds none. */
export const lastOf = ({info, offsets}: Segment): number =>
  isSealed(info) ? info.MaxIndex : Math.max(info.BaseIndex + offsets.length, info.MinIndex) - 1

/** A segment read from disk, with what its recovery found out. */
export interface LoadedSegment {
  readonly segment: Segment
  readonly recovered: RecoveredSegment
  /** Its entries that count and set the peer set, with bytes of their own. */
  readonly membership: readonly LogEntry[]
}

/** Reads a segment whole. Throws when entries that were synced are damaged or missing. */
export function loadSegment(directory: string, info: SegmentInfo): LoadedSegment {
  const name = segmentName(info)
  const bytes = readOrEmpty(join(directory, name), !isSealed(info))
  let recovered: RecoveredSegment
  try {
    recovered = recoverSegment(bytes, {baseIndex: info.BaseIndex, id: info.ID, file: name})
  } catch (error) {
    if (error instanceof StoreFault) throw damaged(directory, error.detail)
    throw error
  }
  const last = info.BaseIndex + recovered.offsets.length - 1
  if (isSealed(info) && last < info.MaxIndex)
    throw damaged(directory, `${name} ends at entry ${last}, but should reach ${info.MaxIndex}.`)
  const file = new SegmentFile(directory, name, info.SizeLimit)
  const segment = {info, file, offsets: [...recovered.offsets], end: recovered.end}
  const membership = recovered.membership
    .map(position => entryAt(bytes, recovered.offsets[position] ?? 0))
    .filter(entry => entry.index >= info.MinIndex && entry.index <= lastOf(segment))
    .map(withOwnBytes)
  return {segment, recovered, membership}
}

const withOwnBytes = (entry: LogEntry): LogEntry => ({
  ...entry,
  data: entry.data.slice(),
  ...(entry.extensions === undefined ? {} : {extensions: entry.extensions.slice()}),
})

function readOrEmpty(path: string, mayBeMissing: boolean): Uint8Array {
  try {
    return readFileSync(path)
  } catch (error) {
    if (mayBeMissing && errorCode(error) === 'ENOENT') return new Uint8Array(0)
    throw error
  }
}

/** Reads the entry whose frame begins at a position. */
export function entryAt(bytes: Uint8Array, at: number): LogEntry {
  const length = viewOf(bytes).getUint32(at + 4, true)
  const start = at + FRAME_HEADER_BYTES
  const payload = bytes.subarray(start, start + length)
  const {index, term, typeNumber, dataAt, dataLength, extensionsAt, extensionsLength} = parseWalEntry(payload)
  const data = payload.subarray(dataAt, dataAt + dataLength)
  const entry = {index, term, type: typeNumber as LogType, data}
  if (extensionsLength === 0) return entry
  return {...entry, extensions: payload.subarray(extensionsAt, extensionsAt + extensionsLength)}
}

/** Reads entries `from`..`to` of a segment, at most `bytesMax` bytes of frames but at least one entry. */
export async function readEntries(
  segment: Segment,
  from: number,
  to: number,
  bytesMax: number,
): Promise<readonly LogEntry[]> {
  const {info, offsets, end, file} = segment
  const frameEnd = (index: number): number =>
    offsets[index - info.BaseIndex + 1] ?? endOfEntries(segment, end)
  const start = offsets[from - info.BaseIndex] ?? 0
  let last = from
  while (last < to && frameEnd(last + 1) - start <= bytesMax) last++
  const positions = offsets.slice(from - info.BaseIndex, last - info.BaseIndex + 1)
  const bytes = new Uint8Array(frameEnd(last) - start)
  await file.read(bytes, start)
  return positions.map((position, i) => {
    const entry = entryAt(bytes, position - start)
    if (entry.index !== from + i)
      throw new Error(`${file.name} holds entry ${entry.index} in the place of ${from + i}`)
    return entry
  })
}

/** Where the frames of entries end at the latest: in a sealed segment its index follows. */
const endOfEntries = ({info}: Segment, end: number): number =>
  info.IndexStart > 0 ? info.IndexStart - FRAME_HEADER_BYTES : end
