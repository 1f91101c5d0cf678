import type {LogRecord, ScanOptions, StoreScan} from './scan.js'
import {corrupt, settle, StoreFault} from './requests.js'
import type {StoreIo, StoreReader} from './requests.js'
import {
  ENTRY_PREFIX_BYTES,
  FILE_HEADER_BYTES,
  ForwardReader,
  FRAME_HEADER_BYTES,
  parseFrame,
  parseWalEntry,
} from './wal-frames.js'
import {readWalMeta} from './wal-meta.js'
import type {WalMeta, WalSegment} from './wal-meta.js'
import {scanSegment} from './wal-segment.js'

const BLOCK = 512
const WHOLE_BYTES = 64 * 1024 // payloads up to this are read whole; of larger ones only both ends
const TAIL_BYTES = 4096 // extensions and time behind large data

/** Goes over the segments of a raft-wal, oldest first. */
export class WalScan implements StoreScan {
  private segment:
    {reader: ForwardReader; info: WalSegment; at: number; next: number; last: number} | undefined
  private constructor(
    private readonly io: StoreIo,
    private readonly meta: WalMeta,
    private readonly left: WalSegment[],
    private readonly options: ScanOptions,
  ) {}

  /** Reads the list of segments and begins before the first that is wanted. */
  static *open(io: StoreIo, options: ScanOptions): StoreReader<WalScan> {
    const meta = yield* readWalMeta(io)
    const wanted = meta.segments.filter(
      ({minIndex, maxIndex}) =>
        minIndex <= options.to && (maxIndex ?? Number.MAX_SAFE_INTEGER) >= options.from,
    )
    return new WalScan(io, meta, [...wanted], options)
  }

  *next(): StoreReader<readonly LogRecord[]> {
    for (;;) {
      this.segment ??= yield* this.begin()
      if (this.segment === undefined) return []
      const records = yield* this.block(this.segment)
      if (this.segment.next > this.segment.last) this.segment = undefined
      const wanted = records.filter(({index}) => index >= this.options.from && index <= this.options.to)
      if (wanted.length > 0) return wanted
    }
  }

  *finish(): StoreReader<void> {
    const again = yield* readWalMeta(this.io)
    const removed = this.meta.segments.some(
      segment =>
        !again.segments.some(other => other.file === segment.file && other.minIndex === segment.minIndex),
    )
    if (removed) throw new StoreFault('changed', 'Segments were removed while they were read.')
  }

  /** Opens the next segment that holds anything; in deep scans all its checksums are checked first. */
  private *begin(): StoreReader<WalScan['segment']> {
    for (let info = this.left.shift(); info !== undefined; info = this.left.shift()) {
      let last = info.maxIndex
      if (last === undefined || this.options.deep) {
        const part = yield* settle(
          scanSegment(this.io, info, {byteBudget: Infinity, checkAll: this.options.deep}, () => undefined),
        )
        if (part.kind === 'unread' && !(part.why === 'absent' && last === undefined))
          throw new StoreFault(part.why, part.detail)
        const committed = part.kind === 'read' ? part.value.lastIndex : undefined
        if (last !== undefined && (committed ?? 0) < last)
          throw corrupt(`${info.file} ends at entry ${committed ?? 0}, but should reach ${last}.`)
        last ??= committed
      }
      if (last === undefined) continue
      const reader = new ForwardReader(this.io, info.file)
      return {reader, info, at: FILE_HEADER_BYTES, next: info.baseIndex, last}
    }
    return undefined
  }

  private *block(segment: NonNullable<WalScan['segment']>): StoreReader<readonly LogRecord[]> {
    const records: LogRecord[] = []
    const {reader, info} = segment
    for (let read = 0; read < BLOCK && segment.next <= segment.last;) {
      const header = yield* reader.peek(segment.at, FRAME_HEADER_BYTES)
      const frame = header.length < FRAME_HEADER_BYTES ? undefined : parseFrame(header, segment.at)
      if (frame === undefined || frame.kind === 'end')
        throw corrupt(`${info.file} ends before entry ${segment.next}, but should reach ${segment.last}.`)
      if (frame.kind === 'entry') {
        const record = yield* this.record(segment, frame.length)
        if (record.index >= info.minIndex) records.push(record)
        segment.next++
        read++
      }
      segment.at = frame.next
    }
    return records
  }

  private *record(segment: NonNullable<WalScan['segment']>, length: number): StoreReader<LogRecord> {
    const at = segment.at + FRAME_HEADER_BYTES
    const whole = length <= WHOLE_BYTES
    const payload = yield* segment.reader.peek(at, whole ? length : ENTRY_PREFIX_BYTES)
    if (whole && payload.length < length)
      throw corrupt(`${segment.info.file} ends inside entry ${segment.next}.`)
    const head = parseWalEntry(payload)
    if (head.index !== segment.next)
      throw corrupt(`${segment.info.file} holds entry ${head.index} in the place of ${segment.next}.`)
    const behind = head.dataAt + head.dataLength
    let appendedAt = head.appendedAt
    if (!whole && length - behind > 0 && length - behind <= TAIL_BYTES) {
      const [tail] = yield* this.io.ranges(segment.info.file, [
        {offset: at + behind, length: length - behind},
      ])
      // The bytes behind the data are those of an entry that has none: its extensions and its time
      if (tail !== undefined) appendedAt = parseWalEntry(Uint8Array.of(1, 1, 0, 0, ...tail)).appendedAt
    }
    return {
      index: head.index,
      term: head.term,
      type: head.type,
      typeNumber: head.typeNumber,
      firstByte: head.dataLength === 0 ? undefined : payload[head.dataAt],
      dataBytes: head.dataLength,
      appendedAt,
    }
  }
}
