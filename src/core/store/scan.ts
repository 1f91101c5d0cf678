import {logIndex} from '../model/ids.js'
import type {LogGap} from '../model/observation.js'
import type {EntryHead, EntryType, StoredTime} from './log-entry.js'
import type {StoreReader} from './requests.js'

/** One entry of a log, without its data. */
export interface LogRecord {
  readonly index: number
  readonly term: number
  readonly type: EntryType | undefined
  readonly typeNumber: number
  /** First byte of the data, which names the message in most products; undefined without data. */
  readonly firstByte: number | undefined
  readonly dataBytes: number
  readonly appendedAt: StoredTime | undefined
}

/** Which entries a scan gives, and how much it checks. */
export interface ScanOptions {
  /** Only entries from this index on. */
  readonly from: number
  /** Only entries up to this index. */
  readonly to: number
  /** Check whatever can be checked: every page of the log, every checksum of segments. */
  readonly deep: boolean
}

/** Goes over all entries of a log in order, in constant memory: `next` until it gives none, then `finish`. */
export interface StoreScan {
  next(): StoreReader<readonly LogRecord[]>
  /** Faults with `changed` when the store was written to in a way that makes the scan worthless. */
  finish(): StoreReader<void>
}

/** A record from the head of an entry and the first byte of its data. */
export const makeRecord = (head: EntryHead, firstByte: number | undefined): LogRecord => ({
  index: head.index,
  term: head.term,
  type: head.type,
  typeNumber: head.typeNumber,
  firstByte,
  dataBytes: head.dataLength,
  appendedAt: head.appendedAt,
})

/** What a scan over a whole log adds up to. */
export interface ScanTally {
  readonly entries: number
  readonly firstIndex: number
  readonly lastIndex: number
  readonly lastTerm: number
  readonly dataBytes: number
  readonly largestBytes: number
  readonly types: Readonly<Record<string, number>>
  readonly gaps: readonly LogGap[]
  /** Places where the term falls from one entry to the next, which no server writes. */
  readonly termsFalling: readonly number[]
}

const LISTED_MAX = 100

/** Begins a tally. */
export const emptyTally: ScanTally = {
  entries: 0,
  firstIndex: 0,
  lastIndex: 0,
  lastTerm: 0,
  dataBytes: 0,
  largestBytes: 0,
  types: {},
  gaps: [],
  termsFalling: [],
}

/** Adds records to a tally. Lists in it stay short however long the log is. */
export function addToTally(tally: ScanTally, records: readonly LogRecord[]): ScanTally {
  const types: Record<string, number> = {...tally.types}
  const gaps = [...tally.gaps]
  const termsFalling = [...tally.termsFalling]
  let {entries, lastIndex, lastTerm, dataBytes, largestBytes} = tally
  for (const record of records) {
    const type = record.type ?? `type-${record.typeNumber}`
    types[type] = (types[type] ?? 0) + 1
    if (entries > 0 && record.index !== lastIndex + 1 && gaps.length < LISTED_MAX)
      gaps.push({before: logIndex(lastIndex), after: logIndex(record.index)})
    if (record.term < lastTerm && termsFalling.length < LISTED_MAX) termsFalling.push(record.index)
    entries++
    lastIndex = record.index
    lastTerm = record.term
    dataBytes += record.dataBytes
    largestBytes = Math.max(largestBytes, record.dataBytes)
  }
  const firstIndex = tally.entries === 0 ? (records[0]?.index ?? 0) : tally.firstIndex
  return {entries, firstIndex, lastIndex, lastTerm, dataBytes, largestBytes, types, gaps, termsFalling}
}
