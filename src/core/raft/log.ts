import {assert} from '../assert.js'
import type {LogEntry} from './messages.js'
import type {Restored, TermRun} from './types.js'

const ENTRY_OVERHEAD_BYTES = 64
const CACHE_GAP_MAX = 4096

/** What an entry costs in memory and on the wire, about. */
export const entryBytes = ({data, extensions}: LogEntry): number =>
  data.length + (extensions?.length ?? 0) + ENTRY_OVERHEAD_BYTES

/** What has changed in the log since the last persist effect. */
export interface LogChange {
  readonly truncateFrom: number | undefined
  readonly append: readonly LogEntry[]
}

/**
 * The log as the core knows it: the term of every entry, the entries that are not yet on disk, and a bounded number
 * of recent ones. All others are on disk and read from there when they are needed.
 */
export class RaftLog {
  /** Index and term before the first entry; the term is undefined when the log begins below the snapshot. */
  private baseIndex: number
  private baseTerm: number | undefined
  private runs: TermRun[]
  private last: number
  private persisted: number
  private cache: (LogEntry | undefined)[] = []
  private cacheHead = 0
  private cacheFirst: number
  private cacheBytes = 0
  private unpersisted: LogEntry[] = []
  private truncateFrom: number | undefined
  private snapshotIndexKnown: number
  private snapshotTermKnown: number

  constructor(
    restored: Restored,
    private readonly cacheBytesMax: number,
  ) {
    const {firstIndex, lastIndex, termRuns, snapshot} = restored
    this.snapshotIndexKnown = snapshot?.index ?? 0
    this.snapshotTermKnown = snapshot?.term ?? 0
    assert(firstIndex >= 1 && lastIndex >= firstIndex - 1, 'a log ends before it begins')
    assert(lastIndex < firstIndex || termRuns[0]?.firstIndex === firstIndex, 'the runs begin with the log')
    assert(
      lastIndex < firstIndex || firstIndex <= this.snapshotIndexKnown + 1,
      'entries between the snapshot and the log are missing',
    )
    this.runs = lastIndex < firstIndex ? [] : [...termRuns]
    this.baseIndex = firstIndex - 1
    this.baseTerm = this.baseIndex === this.snapshotIndexKnown ? this.snapshotTermKnown : undefined
    this.last = lastIndex
    this.persisted = lastIndex
    this.cacheFirst = lastIndex + 1
  }

  get firstIndex(): number {
    return this.baseIndex + 1
  }
  get lastIndex(): number {
    return this.last
  }
  get lastTerm(): number {
    return this.runs[this.runs.length - 1]?.term ?? this.baseTerm ?? 0
  }
  get snapshotIndex(): number {
    return this.snapshotIndexKnown
  }
  get snapshotTerm(): number {
    return this.snapshotTermKnown
  }
  /** The last index that is on disk, with all before it. */
  get persistedIndex(): number {
    return this.persisted
  }

  /** The term of an entry; 0 at index 0; undefined past the end and where the log has been compacted away. */
  termAt(index: number): number | undefined {
    if (index > this.last) return undefined
    if (index <= this.baseIndex) {
      if (index === this.baseIndex && this.baseTerm !== undefined) return this.baseTerm
      if (index === this.snapshotIndexKnown) return this.snapshotTermKnown
      return index === 0 ? 0 : undefined
    }
    return this.runOf(index).term
  }

  /** The term of an entry that the log itself holds, whatever a snapshot says. */
  termOnDisk(index: number): number | undefined {
    if (index === this.baseIndex) return this.baseTerm
    return index < this.baseIndex || index > this.last ? undefined : this.runOf(index).term
  }

  /** First index of the stretch of one term that holds `index`, which must be in the log. */
  runStart(index: number): number {
    return this.runOf(index).firstIndex
  }

  private runOf(index: number): TermRun {
    let low = 0
    let high = this.runs.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      const run = this.runs[middle]
      if (run !== undefined && run.firstIndex <= index) low = middle
      else high = middle - 1
    }
    const run = this.runs[low]
    assert(run !== undefined && run.firstIndex <= index, 'an entry of the log has a term')
    return run
  }

  /** Adds an entry behind the last one, in memory; it is persisted with the next persist effect. */
  append(entry: LogEntry): void {
    assert(entry.index === this.last + 1, 'an entry is appended behind the last one')
    assert(entry.term >= this.lastTerm, 'terms never fall along the log')
    if (this.runs.length === 0 || entry.term > this.lastTerm)
      this.runs.push({firstIndex: entry.index, term: entry.term})
    this.last = entry.index
    if (this.cache.length === this.cacheHead) this.cacheFirst = entry.index
    this.cache.push(entry)
    this.cacheBytes += entryBytes(entry)
    this.unpersisted.push(entry)
  }

  /** Removes all entries from `index` on. */
  truncate(index: number): void {
    assert(index > this.snapshotIndexKnown && index > this.baseIndex, 'a snapshot is never cut')
    if (index > this.last) return
    const firstUnpersisted = this.unpersisted[0]?.index ?? this.last + 1
    while ((this.runs[this.runs.length - 1]?.firstIndex ?? 0) >= index) this.runs.pop()
    this.last = index - 1
    this.persisted = Math.min(this.persisted, this.last)
    const keep = Math.max(this.cacheHead, this.cacheHead + index - this.cacheFirst)
    for (let at = keep; at < this.cache.length; at++)
      this.cacheBytes -= entryBytes(this.cache[at] as LogEntry)
    this.cache.length = Math.min(this.cache.length, keep)
    if (this.cache.length === this.cacheHead) this.cacheFirst = this.last + 1
    this.unpersisted.length = Math.max(0, Math.min(this.unpersisted.length, index - firstUnpersisted))
    if (index < firstUnpersisted) this.truncateFrom = Math.min(this.truncateFrom ?? index, index)
  }

  /** Whether there is something to persist. */
  get changed(): boolean {
    return this.unpersisted.length > 0 || this.truncateFrom !== undefined
  }

  /** Hands out what is to be persisted next. */
  takeChange(): LogChange {
    const change = {truncateFrom: this.truncateFrom, append: this.unpersisted}
    this.truncateFrom = undefined
    this.unpersisted = []
    return change
  }

  /** All entries up to `index` are on disk. */
  markPersisted(index: number): void {
    assert(index <= this.last, 'only what is in the log can be on disk')
    this.persisted = Math.max(this.persisted, index)
    this.evict()
  }

  /** Forgets entries up to `index`, which a snapshot covers. */
  compact(index: number): void {
    assert(
      index <= this.snapshotIndexKnown && index <= this.persisted,
      'only what a snapshot holds is dropped',
    )
    if (index <= this.baseIndex) return
    this.baseTerm = this.termAt(index)
    this.baseIndex = index
    while ((this.runs[1]?.firstIndex ?? Infinity) <= index + 1) this.runs.shift()
    const first = this.runs[0]
    if (index >= this.last) this.runs = []
    else if (first !== undefined && first.firstIndex <= index)
      this.runs[0] = {firstIndex: index + 1, term: first.term}
    while (this.cacheFirst <= index && this.cacheHead < this.cache.length) this.dropOldest()
  }

  /** A snapshot is in place that the log agrees with, or that `reset` follows for. */
  setSnapshot(index: number, term: number): void {
    this.snapshotIndexKnown = index
    this.snapshotTermKnown = term
  }

  /** Empties the log, which goes on behind the snapshot. */
  reset(): void {
    this.baseIndex = this.snapshotIndexKnown
    this.baseTerm = this.snapshotTermKnown
    this.runs = []
    this.last = this.baseIndex
    this.persisted = this.baseIndex
    this.cache = []
    this.cacheHead = 0
    this.cacheFirst = this.last + 1
    this.cacheBytes = 0
    this.unpersisted = []
    this.truncateFrom = undefined
  }

  /** The entry at `index` when it is in memory. */
  cached(index: number): LogEntry | undefined {
    return index < this.cacheFirst ? undefined : this.cache[this.cacheHead + index - this.cacheFirst]
  }

  /**
   * The entries from `from` to at most `to` that are in memory, as many as the limits allow but at least one;
   * undefined when `from` is not in memory.
   */
  slice(from: number, to: number, entriesMax: number, bytesMax: number): readonly LogEntry[] | undefined {
    if (from < this.cacheFirst || from > this.last) return undefined
    const start = this.cacheHead + from - this.cacheFirst
    const endMax = Math.min(this.cacheHead + to - this.cacheFirst + 1, start + entriesMax, this.cache.length)
    let bytes = 0
    let end = start
    while (end < endMax) {
      bytes += entryBytes(this.cache[end] as LogEntry)
      if (bytes > bytesMax && end > start) break
      end++
    }
    return this.cache.slice(start, end) as LogEntry[]
  }

  /** Whether entries read from disk are still those of this log. */
  holds(entries: readonly LogEntry[]): boolean {
    return entries.every(
      entry =>
        entry.index > this.baseIndex && entry.index <= this.last && this.termAt(entry.index) === entry.term,
    )
  }

  private evict(): void {
    while (this.cacheBytes > this.cacheBytesMax && this.cacheFirst <= this.persisted) this.dropOldest()
  }

  private dropOldest(): void {
    const entry = this.cache[this.cacheHead]
    assert(entry !== undefined, 'the cache holds what it counts')
    this.cacheBytes -= entryBytes(entry)
    this.cache[this.cacheHead] = undefined
    this.cacheHead++
    this.cacheFirst++
    if (this.cacheHead < CACHE_GAP_MAX || this.cacheHead * 2 < this.cache.length) return
    this.cache.splice(0, this.cacheHead)
    this.cacheHead = 0
  }
}
