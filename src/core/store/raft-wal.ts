import type {ConfigurationEntry, StoreState} from '../model/observation.js'
import type {LogEnd} from '../model/ids.js'
import {logIndex, term} from '../model/ids.js'
import {entryConfiguration, setsPeers} from './log-entry.js'
import {metaDamage} from './raft-db.js'
import type {ReadStoreOptions} from './raft-db.js'
import {corrupt, settle, StoreFault} from './requests.js'
import type {StoreIo, StoreReader} from './requests.js'
import {readWalMeta} from './wal-meta.js'
import type {WalMeta, WalSegment} from './wal-meta.js'
import {scanSegment, SEALED_BLOCK_ENTRIES, sealedEntries} from './wal-segment.js'
import type {WalEntry} from './wal-segment.js'

const CONFIGURATION_BYTES = 1024 * 1024
const BYTES_PER_ENTRY = 52 // of a sealed segment: its index and the head of an entry

/** Reads the state in a raft-wal directory. Segments only grow, so a list that stays the same is enough to trust it. */
export function* readRaftWal(io: StoreIo, options: ReadStoreOptions): StoreReader<StoreState> {
  const meta = yield* readWalMeta(io)
  const result = yield* settle(readState(io, meta, options))
  if (result.kind === 'read') return {...result.value, bytesRead: io.bytesRead}
  const again = yield* readWalMeta(io)
  if (again.txid !== meta.txid)
    throw new StoreFault('changed', 'Segments were added or removed while they were read.')
  throw new StoreFault(result.why, result.detail)
}

interface Tail {
  readonly configurations: readonly WalEntry[]
  readonly wanted: readonly WalEntry[]
  readonly last: WalEntry | undefined
  readonly torn: boolean
}

/** Scans the tail; its file may be missing after a crash, which is an empty tail. */
function* scanTail(io: StoreIo, segment: WalSegment, options: ReadStoreOptions): StoreReader<Tail> {
  const none: Tail = {configurations: [], wanted: [], last: undefined, torn: false}
  const configurations: WalEntry[] = []
  const wanted: WalEntry[] = []
  const recent: WalEntry[] = [] // the last batch may not count, and the entry before it is wanted then
  const scan = yield* settle(
    scanSegment(io, segment, {byteBudget: options.tailByteBudget, checkAll: false}, entry => {
      if (setsPeers(entry.head)) configurations.push(entry)
      if (options.termsAt.includes(entry.head.index)) wanted.push(entry)
      recent.push(entry)
      if (recent.length > 4096) recent.splice(0, 2048)
    }),
  )
  if (scan.kind === 'unread') {
    if (scan.why === 'absent') return none
    throw new StoreFault(scan.why, scan.detail)
  }
  const {lastIndex, torn} = scan.value
  if (lastIndex === undefined) return {...none, torn}
  const counts = (entry: WalEntry) => entry.head.index <= lastIndex && entry.head.index >= segment.minIndex
  const last = recent.find(entry => entry.head.index === lastIndex)
  if (last === undefined) throw corrupt(`${segment.file} has an interrupted batch that is too large.`)
  return {configurations: configurations.filter(counts), wanted: wanted.filter(counts), last, torn}
}

function* readState(io: StoreIo, meta: WalMeta, options: ReadStoreOptions): StoreReader<StoreState> {
  const tailSegment = meta.segments.find(segment => segment.maxIndex === undefined)
  const sealed = meta.segments.filter(segment => segment.maxIndex !== undefined)
  const tail = tailSegment === undefined ? undefined : yield* scanTail(io, tailSegment, options)
  const lastSealed = sealed[sealed.length - 1]
  const last =
    tail?.last ??
    (lastSealed?.maxIndex === undefined ? undefined : yield* sealedEntry(io, lastSealed, lastSealed.maxIndex))
  const firstIndex = last === undefined ? 0 : (meta.segments[0]?.minIndex ?? 0)
  const terms: LogEnd[] = (tail?.wanted ?? []).map(endOf)
  for (const index of options.termsAt) {
    const segment = sealed.find(item => item.minIndex <= index && index <= (item.maxIndex ?? 0))
    if (segment !== undefined) terms.push(endOf(yield* sealedEntry(io, segment, index)))
  }
  const search = yield* searchSealed(io, sealed, options)
  const entries: ConfigurationEntry[] = []
  for (const entry of [...search.found, ...(tail?.configurations ?? [])])
    if (entry.head.index > options.snapshotIndex) entries.push(yield* readConfiguration(io, entry))
  const lowest = search.lowest ?? tailSegment?.minIndex ?? 0
  return {
    kind: 'raft-wal',
    path: 'wal',
    sizeBytes: yield* totalSize(io, meta),
    currentTerm: term(meta.currentTerm),
    lastVoteTerm: term(meta.lastVoteTerm),
    lastVoteCandidate: meta.lastVoteCandidate,
    firstIndex: logIndex(firstIndex),
    lastIndex: logIndex(last?.head.index ?? 0),
    lastTerm: term(last?.head.term ?? 0),
    configurations: entries,
    configurationsKnownFrom: logIndex(lowest <= firstIndex ? 0 : lowest),
    configurationsComplete: lowest <= Math.max(firstIndex, options.snapshotIndex + 1),
    terms,
    txid: undefined,
    bytesRead: io.bytesRead,
    gaps: [],
    damage: [
      ...metaDamage(meta.bolt),
      ...(tail?.torn === true ? ['The last batch of the tail is torn; a server drops it at its start.'] : []),
    ],
  }
}

const endOf = ({head}: WalEntry): LogEnd => ({index: logIndex(head.index), term: term(head.term)})

function* sealedEntry(io: StoreIo, segment: WalSegment, index: number): StoreReader<WalEntry> {
  const [entry] = yield* sealedEntries(io, segment, {from: index, to: index})
  if (entry === undefined) throw corrupt(`${segment.file} lacks entry ${index}.`)
  return entry
}

interface Search {
  /** Membership entries found, oldest first. */
  readonly found: readonly WalEntry[]
  /** The lowest index that was looked at; undefined when no sealed segment was. */
  readonly lowest: number | undefined
}

/** Looks for membership entries in sealed segments, newest first, until the snapshot is reached or the budget is spent. */
function* searchSealed(
  io: StoreIo,
  sealed: readonly WalSegment[],
  options: ReadStoreOptions,
): StoreReader<Search> {
  const found: WalEntry[] = []
  let left = options.byteBudget
  let lowest: number | undefined
  for (const segment of [...sealed].reverse()) {
    const floor = Math.max(segment.minIndex, options.snapshotIndex + 1)
    let to = segment.maxIndex ?? 0
    while (to >= floor) {
      const count = Math.min(SEALED_BLOCK_ENTRIES, to - floor + 1, Math.floor(left / BYTES_PER_ENTRY))
      if (count < 1) return {found, lowest: lowest ?? (segment.maxIndex ?? 0) + 1}
      const entries = yield* sealedEntries(io, segment, {from: to - count + 1, to})
      found.unshift(...entries.filter(entry => setsPeers(entry.head)))
      left -= count * BYTES_PER_ENTRY
      to -= count
      lowest = to + 1
    }
    lowest ??= floor
    if (floor > segment.minIndex) break
  }
  return {found, lowest}
}

function* readConfiguration(io: StoreIo, {head, file, payloadAt}: WalEntry): StoreReader<ConfigurationEntry> {
  if (head.type === undefined || head.dataLength > CONFIGURATION_BYTES)
    throw corrupt(`Entry ${head.index} of ${file} holds a peer set larger than any can be.`)
  const [data] = yield* io.ranges(file, [{offset: payloadAt + head.dataAt, length: head.dataLength}])
  const configuration = entryConfiguration(head.type, data ?? new Uint8Array(0))
  return {
    index: logIndex(head.index),
    term: term(head.term),
    configuration: {...configuration, index: logIndex(head.index)},
  }
}

function* totalSize(io: StoreIo, meta: WalMeta): StoreReader<number> {
  let total = meta.bolt.sizeBytes
  const listed = meta.segments.slice(-64) // enough for any store in use; not worth thousands of questions
  const replies =
    listed.length === 0 ? [] : yield listed.map(segment => ({kind: 'size', file: segment.file}) as const)
  for (const reply of replies) if (reply.kind === 'size') total += reply.sizeBytes
  return total
}
