import type {EntryHead} from './log-entry.js'
import {
  checkFileHeader,
  ENTRY_PREFIX_BYTES,
  FILE_HEADER_BYTES,
  ForwardReader,
  FRAME_HEADER_BYTES,
  parseFrame,
  parseWalEntry,
  rangeCrc,
} from './wal-frames.js'
import type {WalSegment} from './wal-meta.js'
import {corrupt, settle, StoreFault} from './requests.js'
import type {StoreIo, StoreReader} from './requests.js'

/** An entry of a segment: its head, and where its payload lies in the file. */
export interface WalEntry {
  readonly head: EntryHead
  readonly file: string
  readonly payloadAt: number
  readonly payloadLength: number
}

/** The part of a segment that is committed. */
export interface CommittedPart {
  /** Entries up to this index count; undefined when there are none. */
  readonly lastIndex: number | undefined
  /** Where the last commit frame that counts ends. */
  readonly end: number
  /** Whether the last commit frame was thrown away because its checksum is wrong. */
  readonly torn: boolean
}

interface Commit {
  readonly from: number
  readonly at: number
  readonly crc: number
  readonly lastIndex: number
}

/**
 * Goes over the frames of a segment from its beginning and calls `visit` for each entry, reading heads only and stepping
 * over large payloads. Follows the library's recovery (`recoverTail`): entries behind the last commit frame do not
 * count, and when the last frame is a commit with a wrong checksum, the commit before it is the last.
 * With `checkAll` every commit is checked, which reads every byte.
 */
export function* scanSegment(
  io: StoreIo,
  segment: WalSegment,
  options: {readonly byteBudget: number; readonly checkAll: boolean},
  visit: (entry: WalEntry) => void,
): StoreReader<CommittedPart> {
  const reader = new ForwardReader(io, segment.file)
  const header = yield* reader.peek(0, FILE_HEADER_BYTES)
  if (checkFileHeader(header, segment) === 'empty') return {lastIndex: undefined, end: 0, torn: false}
  const startBytes = io.bytesRead
  const commits: Commit[] = [] // the last two at most
  let next = segment.baseIndex
  let at = FILE_HEADER_BYTES
  let from = 0
  let endsInCommit = false
  for (;;) {
    if (io.bytesRead - startBytes > options.byteBudget)
      throw new StoreFault(
        'over-budget',
        `The tail ${segment.file} is too large to be scanned within the budget.`,
      )
    const bytes = yield* reader.peek(at, FRAME_HEADER_BYTES)
    const frame = bytes.length < FRAME_HEADER_BYTES ? ({kind: 'end'} as const) : parseFrame(bytes, at)
    if (frame.kind === 'end') break
    endsInCommit = frame.kind === 'commit'
    if (frame.kind === 'commit') {
      if (options.checkAll && (yield* rangeCrc(io, segment.file, from, at)) !== frame.crc) {
        const more = yield* reader.peek(frame.next, FRAME_HEADER_BYTES)
        if (more.length === FRAME_HEADER_BYTES && parseFrame(more, frame.next).kind !== 'end')
          throw corrupt(`${segment.file} has a batch with a wrong checksum before its end.`)
      }
      commits.push({from, at, crc: frame.crc, lastIndex: next - 1})
      if (commits.length > 2) commits.shift()
      from = frame.next
    } else if (frame.kind === 'entry') {
      const entry = yield* settle(readEntry(reader, segment, at, frame.length))
      if (entry.kind === 'unread' || entry.value.head.index !== next) break // garbage of an interrupted batch
      visit(entry.value)
      next++
    }
    at = frame.next
  }
  return yield* committed(io, segment, commits, endsInCommit)
}

function* readEntry(
  reader: ForwardReader,
  segment: WalSegment,
  at: number,
  length: number,
): StoreReader<WalEntry> {
  const payloadAt = at + FRAME_HEADER_BYTES
  const payload = yield* reader.peek(payloadAt, Math.min(length, ENTRY_PREFIX_BYTES + 256))
  return {head: parseWalEntry(payload), file: segment.file, payloadAt, payloadLength: length}
}

function* committed(
  io: StoreIo,
  segment: WalSegment,
  commits: readonly Commit[],
  endsInCommit: boolean,
): StoreReader<CommittedPart> {
  const last = commits[commits.length - 1]
  if (last === undefined) return {lastIndex: undefined, end: 0, torn: false}
  const torn = endsInCommit && (yield* rangeCrc(io, segment.file, last.from, last.at)) !== last.crc
  const kept = torn ? commits[commits.length - 2] : last
  if (kept === undefined) return {lastIndex: undefined, end: 0, torn}
  const lastIndex = kept.lastIndex >= segment.baseIndex ? kept.lastIndex : undefined
  return {lastIndex, end: kept.at + FRAME_HEADER_BYTES, torn}
}

const BLOCK_ENTRIES = 256

/** Reads the heads of entries `from` to `to` of a sealed segment by its index, both included, in one or two batches. */
export function* sealedEntries(
  io: StoreIo,
  segment: WalSegment,
  {from, to}: {readonly from: number; readonly to: number},
): StoreReader<readonly WalEntry[]> {
  const first = from - segment.baseIndex
  const count = to - from + 1
  if (first < 0 || count < 1 || count > BLOCK_ENTRIES) throw corrupt(`${segment.file} lacks entry ${from}.`)
  const [array] = yield* io.ranges(segment.file, [
    {offset: segment.indexStart + first * 4, length: count * 4},
  ])
  const view =
    array === undefined ? undefined : new DataView(array.buffer, array.byteOffset, array.byteLength)
  const offsets = Array.from({length: count}, (_, i) => view?.getUint32(i * 4, true) ?? 0)
  const heads = yield* io.ranges(
    segment.file,
    offsets.map(offset => ({
      offset,
      length: Math.max(0, Math.min(FRAME_HEADER_BYTES + ENTRY_PREFIX_BYTES, segment.indexStart - offset)),
    })),
  )
  return heads.map((bytes, i) => {
    const offset = offsets[i] ?? 0
    const frame = bytes.length < FRAME_HEADER_BYTES ? undefined : parseFrame(bytes, offset)
    if (frame?.kind !== 'entry') throw corrupt(`The index of ${segment.file} points to no entry.`)
    const payload = bytes.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + frame.length)
    const head = parseWalEntry(payload)
    if (head.index !== from + i)
      throw corrupt(`${segment.file} holds entry ${head.index} in the place of ${from + i}.`)
    return {head, file: segment.file, payloadAt: offset + FRAME_HEADER_BYTES, payloadLength: frame.length}
  })
}

/** How many entries `sealedEntries` takes at once. */
export const SEALED_BLOCK_ENTRIES = BLOCK_ENTRIES
