import {mkdirSync, readdirSync, rmSync} from 'node:fs'
import {rm} from 'node:fs/promises'
import {join} from 'node:path'
import {syncDirectory} from '../../adapters/durable-file.js'
import type {HardState, LogEntry} from '../../core/raft/messages.js'
import type {TermRun} from '../../core/raft/types.js'
import {WalBatch, frameBytesMax, segmentHeader} from '../../core/store/wal-writer.js'
import {damaged, SegmentFile} from './wal-files.js'
import {NOT_SEALED, readWalMetaFile, writeWalMeta} from './wal-meta-file.js'
import type {SegmentInfo} from './wal-meta-file.js'
import {isSealed, lastOf, loadSegment, readEntries, segmentName} from './wal-segment-state.js'
import type {LoadedSegment, Segment} from './wal-segment-state.js'
import type {Persist} from './raft-store.js'

const BATCH_BYTES_MAX = 4 * 1024 * 1024

/** What opening a log found in it. */
export interface FoundLog {
  readonly termRuns: readonly TermRun[]
  /** Entries that set the peer set, oldest first. */
  readonly membership: readonly LogEntry[]
  /** Whether the traces of an interrupted write were cut off. */
  readonly torn: boolean
}

/** The Raft log and hard state in the layout of hashicorp/raft-wal. Its methods that write are called one at a time. */
export class WalLog {
  private readonly batch = new WalBatch()
  /** Offsets of entries in the batch, to be noted once it is written. */
  private fresh: number[] = []
  private txid = 1
  private constructor(
    private readonly directory: string,
    private readonly segmentBytes: number,
    private segments: Segment[],
    private hardState: HardState,
    private nextSegmentId: number,
  ) {}

  /** Opens the log of a raft directory, or makes an empty one. Throws when synced entries are damaged. */
  static async open(raftDirectory: string, segmentBytes: number): Promise<{log: WalLog; found: FoundLog}> {
    const directory = join(raftDirectory, 'wal')
    mkdirSync(directory, {recursive: true, mode: 0o755})
    const content = readWalMetaFile(raftDirectory)
    if (content === undefined && readdirSync(directory).some(name => name.endsWith('.wal')))
      throw damaged(directory, 'There are segment files, but wal-meta.db is missing.')
    const loaded = (content?.segments ?? []).map(info => loadSegment(directory, info))
    removeLeftovers(directory, loaded)
    const log = new WalLog(
      directory,
      segmentBytes,
      loaded.map(({segment}) => segment),
      content?.hardState ?? {term: 0, votedFor: undefined},
      content?.nextSegmentId ?? 0,
    )
    log.txid = content?.txid ?? 0
    const found = describe(loaded)
    const tail = loaded[loaded.length - 1]
    if (tail?.recovered.torn === true && !isSealed(tail.segment.info))
      await tail.segment.file.cut(tail.recovered.end)
    if (tail === undefined || isSealed(tail.segment.info)) await log.addTail(log.lastIndex + 1)
    else if (tail.recovered.indexStart !== undefined)
      await log.noteSealed(tail.segment, tail.recovered.indexStart)
    return {log, found}
  }

  get state(): HardState {
    return this.hardState
  }
  /** First index; one past the last when the log is empty. */
  get firstIndex(): number {
    return this.segments[0]?.info.MinIndex ?? 1
  }
  get lastIndex(): number {
    const last = this.segments[this.segments.length - 1]
    return last === undefined ? 0 : lastOf(last)
  }

  /** Does all of these in their order; when it resolves they are on disk. */
  async write(batch: readonly Persist[]): Promise<void> {
    const hardState = batch.reduce<HardState | undefined>(
      (state, what) => (what.do === 'persist' ? (what.hardState ?? state) : state),
      undefined,
    )
    if (hardState !== undefined && !sameState(hardState, this.hardState)) {
      this.hardState = hardState
      await this.writeMeta()
    }
    for (const what of batch) {
      if (what.do === 'reset-log') {
        await this.flush()
        await this.reset(what.nextIndex)
        continue
      }
      if (what.truncateFrom !== undefined) {
        await this.flush()
        await this.truncate(what.truncateFrom)
      }
      for (const entry of what.append) await this.add(entry)
    }
    await this.flush()
  }

  /** Reads entries that are on disk; at most `bytesMax` bytes, and not across the end of a segment. */
  async read(from: number, to: number, bytesMax: number): Promise<readonly LogEntry[]> {
    const segment = this.segments.find(({info}, i) => {
      const next = this.segments[i + 1]
      return from >= info.MinIndex && (next === undefined || from < next.info.MinIndex)
    })
    if (segment === undefined || from > lastOf(segment))
      throw new Error(`entry ${from} is not in the log (${this.firstIndex}..${this.lastIndex})`)
    return readEntries(segment, from, Math.min(to, lastOf(segment)), bytesMax)
  }

  /** Removes entries up to an index: whole segments with their files, of others only the note of where they begin. */
  async compact(upTo: number): Promise<void> {
    const first = Math.min(upTo, this.lastIndex) + 1
    if (first <= this.firstIndex) return
    const dropped = this.segments.filter(segment => isSealed(segment.info) && segment.info.MaxIndex < first)
    this.segments = this.segments.filter(segment => !dropped.includes(segment))
    const head = this.segments[0]
    if (head !== undefined) head.info = {...head.info, MinIndex: Math.max(first, head.info.MinIndex)}
    await this.writeMeta()
    await this.remove(dropped)
  }

  async close(): Promise<void> {
    for (const {file} of this.segments) await file.close()
  }

  private async add(entry: LogEntry): Promise<void> {
    let tail = this.tail()
    const last = tail.info.BaseIndex + tail.offsets.length + this.fresh.length - 1
    if (entry.index !== last + 1)
      throw new Error(`entry ${entry.index} does not follow the last one of the log, ${last}`)
    const used = tail.end + this.batch.size
    const indexBytes = 4 * (tail.offsets.length + this.fresh.length + 1)
    if (used > 0 && used + frameBytesMax(entry) + indexBytes + 64 > tail.info.SizeLimit) {
      await this.seal(tail)
      await this.addTail(entry.index)
      tail = this.tail()
    } else if (this.batch.size > BATCH_BYTES_MAX) await this.flush()
    if (tail.end === 0 && this.batch.size === 0)
      this.batch.raw(segmentHeader(tail.info.BaseIndex, tail.info.ID))
    this.fresh.push(tail.end + this.batch.entry(entry))
  }

  /** Writes the batch and its commit frame. */
  private async flush(): Promise<void> {
    if (this.batch.size === 0) return
    const tail = this.tail()
    const bytes = this.batch.commit()
    await tail.file.write(bytes, tail.end)
    for (const offset of this.fresh) tail.offsets.push(offset)
    tail.end += bytes.length
    this.fresh = []
    this.batch.clear()
  }

  /** Writes the index of the tail, with what is in the batch, and takes no more entries into it. */
  private async seal(tail: Segment): Promise<void> {
    if (tail.end === 0 && this.batch.size === 0)
      this.batch.raw(segmentHeader(tail.info.BaseIndex, tail.info.ID))
    const start = tail.end + this.batch.index([...tail.offsets, ...this.fresh])
    await this.flush()
    tail.info = {
      ...tail.info,
      MaxIndex: tail.info.BaseIndex + tail.offsets.length - 1,
      IndexStart: start,
      SealTime: new Date().toISOString(),
    }
  }

  /** Finishes a sealing that a crash interrupted between the index and the list of segments. */
  private async noteSealed(tail: Segment, indexStart: number): Promise<void> {
    const MaxIndex = lastOf(tail)
    tail.info = {...tail.info, MaxIndex, IndexStart: indexStart, SealTime: new Date().toISOString()}
    await this.addTail(MaxIndex + 1)
  }

  /** Lists a new tail. Its file is made when the first batch is written. */
  private async addTail(baseIndex: number): Promise<void> {
    const info: SegmentInfo = {
      ID: this.nextSegmentId++,
      BaseIndex: baseIndex,
      MinIndex: baseIndex,
      MaxIndex: 0,
      Codec: 1,
      IndexStart: 0,
      CreateTime: new Date().toISOString(),
      SealTime: NOT_SEALED,
      SizeLimit: this.segmentBytes,
    }
    const file = new SegmentFile(this.directory, segmentName(info), info.SizeLimit)
    this.segments.push({info, file, offsets: [], end: 0})
    await this.writeMeta()
  }

  private async truncate(from: number): Promise<void> {
    if (from > this.lastIndex) return
    if (from <= this.firstIndex) return this.reset(from)
    const dropped = this.segments.filter(({info}) => info.MinIndex >= from)
    this.segments = this.segments.filter(segment => !dropped.includes(segment))
    const last = this.tail()
    if (!isSealed(last.info)) await this.seal(last)
    last.info = {...last.info, MaxIndex: from - 1}
    await this.addTail(from)
    await this.remove(dropped)
  }

  private async reset(nextIndex: number): Promise<void> {
    const dropped = this.segments
    this.segments = []
    await this.addTail(nextIndex)
    await this.remove(dropped)
  }

  private tail(): Segment {
    const tail = this.segments[this.segments.length - 1]
    if (tail === undefined) throw new Error('the log has no tail')
    return tail
  }

  private async remove(segments: readonly Segment[]): Promise<void> {
    if (segments.length === 0) return
    for (const {file} of segments) {
      await file.close()
      await rm(join(this.directory, file.name), {force: true})
    }
    await syncDirectory(this.directory)
  }

  private writeMeta(): Promise<void> {
    this.txid++
    return writeWalMeta(this.directory, {
      hardState: this.hardState,
      nextSegmentId: this.nextSegmentId,
      segments: this.segments.map(({info}) => info),
      txid: this.txid,
    })
  }
}

const sameState = (a: HardState, b: HardState): boolean => a.term === b.term && a.votedFor === b.votedFor

/** Removes files that a crash left behind and that wal-meta.db does not list. */
function removeLeftovers(directory: string, loaded: readonly LoadedSegment[]): void {
  const listed = new Set(loaded.map(({segment}) => segment.file.name))
  for (const name of readdirSync(directory))
    if ((name.endsWith('.wal') && !listed.has(name)) || name.endsWith('.tmp'))
      rmSync(join(directory, name), {force: true})
}

function describe(loaded: readonly LoadedSegment[]): FoundLog {
  const termRuns: TermRun[] = []
  for (const {segment, recovered} of loaded) {
    const {MinIndex, BaseIndex} = segment.info
    for (let index = MinIndex; index <= lastOf(segment); index++) {
      const term = recovered.terms[index - BaseIndex] ?? 0
      if (termRuns[termRuns.length - 1]?.term !== term) termRuns.push({firstIndex: index, term})
    }
  }
  return {
    termRuns,
    membership: loaded.flatMap(({membership}) => membership),
    torn: loaded.some(({segment, recovered}) => recovered.torn && !isSealed(segment.info)),
  }
}
