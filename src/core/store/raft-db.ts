import type {ConfigurationEntry, LogGap, StoreState} from '../model/observation.js'
import type {LogEnd} from '../model/ids.js'
import {logIndex, term} from '../model/ids.js'
import {viewOf} from './bolt-page.js'
import {readBolt} from './bolt-file.js'
import type {BoltFile} from './bolt-file.js'
import {findInBucket, openBucket} from './bolt-tree.js'
import type {Bucket, LogSlot} from './bolt-tree.js'
import {entryConfiguration, setsPeers} from './log-entry.js'
import type {EntryHead} from './log-entry.js'
import {LogTree, readHeads} from './log-tree.js'
import {corrupt} from './requests.js'
import type {StoreIo, StoreReader} from './requests.js'
import type {TermRuns} from './term-runs.js'

/** What to read of a store, and how much it may cost. */
export interface ReadStoreOptions {
  /** Index of the newest snapshot; membership entries up to it are of no interest. */
  readonly snapshotIndex: number
  /** Bytes that reading the store may cost; the search for membership entries stops before it is spent. */
  readonly byteBudget: number
  /** Bytes that finding the end of a raft-wal may cost: its tail has to be scanned. */
  readonly tailByteBudget: number
  /** Indexes whose terms are wanted, to compare histories between servers. */
  readonly termsAt: readonly number[]
  /** Told the term of every entry whose head is read, wanted or not. */
  readonly seen?: TermRuns
}

const CONFIGURATION_BYTES = 1024 * 1024
const GAPS_MAX = 16
const LEAVES_MAX = 32 // leaves of one batch
const RESERVE_BYTES = 1024 // for reading the metas again

/** Opens both buckets of a raft.db (raft-boltdb creates them together, bolt_store.go `initialize`). */
export function* openRaftDb(bolt: BoltFile): StoreReader<{readonly conf: Bucket; readonly log: LogTree}> {
  const conf = yield* openBucket(bolt, 'conf')
  const logs = yield* openBucket(bolt, 'logs')
  if (conf === undefined || logs === undefined)
    throw corrupt(`${bolt.file} lacks its bucket ${logs === undefined ? 'logs' : 'conf'}.`)
  // Both roots in one batch; who reads them next finds them read
  yield* bolt.pages([conf, logs].flatMap(bucket => (bucket.kind === 'tree' ? [bucket.root] : [])))
  return {conf, log: new LogTree(bolt, logs)}
}

/** Reads the state in a raft.db; safe while a server writes to it. */
export function* readRaftDb(io: StoreIo, file: string, options: ReadStoreOptions): StoreReader<StoreState> {
  const state = yield* readBolt(io, file, bolt => readState(bolt, options))
  return {...state, bytesRead: io.bytesRead}
}

/** Reads a 64-bit number of the conf bucket; 0 when it was never set. */
function* readNumber(bolt: BoltFile, conf: Bucket, key: string): StoreReader<number> {
  const value = yield* findInBucket(bolt, conf, key)
  if (value === undefined) return 0
  if (value.length !== 8) throw corrupt(`${key} in ${bolt.file} is not 8 bytes long.`)
  const number = Number(viewOf(value).getBigUint64(0))
  if (!Number.isSafeInteger(number)) throw corrupt(`${key} in ${bolt.file} is no term.`)
  return number
}

function* readState(bolt: BoltFile, options: ReadStoreOptions): StoreReader<StoreState> {
  const {conf, log} = yield* openRaftDb(bolt)
  const currentTerm = yield* readNumber(bolt, conf, 'CurrentTerm')
  const lastVoteTerm = yield* readNumber(bolt, conf, 'LastVoteTerm')
  const candidate = yield* findInBucket(bolt, conf, 'LastVoteCand')
  const [first, last, ...others] = yield* log.locate(['first', 'last', ...options.termsAt])
  const wanted = [last, ...others].filter(slot => slot !== undefined)
  const heads = yield* readHeads(bolt, wanted)
  const lastHead = last === undefined ? undefined : heads[0]
  const search = yield* searchConfigurations(bolt, log, options)
  const firstIndex = first?.index ?? 0
  return {
    kind: 'boltdb',
    path: bolt.file,
    sizeBytes: bolt.sizeBytes,
    currentTerm: term(currentTerm),
    lastVoteTerm: term(lastVoteTerm),
    lastVoteCandidate: new TextDecoder().decode((candidate ?? new Uint8Array(0)).subarray(0, 300)),
    firstIndex: logIndex(firstIndex),
    lastIndex: logIndex(lastHead?.index ?? 0),
    lastTerm: term(lastHead?.term ?? 0),
    configurations: search.entries,
    configurationsKnownFrom: logIndex(search.lowest <= firstIndex ? 0 : search.lowest),
    configurationsComplete: search.lowest <= Math.max(firstIndex, options.snapshotIndex + 1),
    terms: last === undefined ? [] : heads.slice(1).map(endOf),
    txid: bolt.meta.txid,
    bytesRead: bolt.io.bytesRead,
    gaps: search.gaps,
    damage: metaDamage(bolt),
  }
}

const endOf = (head: EntryHead): LogEnd => ({index: logIndex(head.index), term: term(head.term)})

/** What a bad meta page means: old bolt (Consul up to 0.6) refuses to start, newer ones fall back to the other. */
export function metaDamage(bolt: BoltFile): readonly string[] {
  const bad = bolt.metas.findIndex(meta => meta === undefined)
  if (bad === -1) return []
  return [
    `Meta page ${bad} of ${bolt.file} is damaged; if it was the newer one, the last transaction is lost, ` +
      'and Consul up to 0.6 refuses to start on it.',
  ]
}

interface Search {
  readonly entries: readonly ConfigurationEntry[]
  /** The lowest index that was looked at; 0 for an empty log. */
  readonly lowest: number
  readonly gaps: readonly LogGap[]
}

/** Looks for membership entries above the snapshot, from the end of the log backwards, until the budget is spent. */
function* searchConfigurations(bolt: BoltFile, log: LogTree, options: ReadStoreOptions): StoreReader<Search> {
  const entries: ConfigurationEntry[] = []
  const gaps: LogGap[] = []
  const cursor = yield* log.cursor('last', 'backwards')
  const left = () => options.byteBudget - RESERVE_BYTES - bolt.io.bytesRead
  let lowest = Number.POSITIVE_INFINITY
  for (let batch = 4; lowest > options.snapshotIndex + 1; batch = Math.min(batch * 2, LEAVES_MAX)) {
    const affordable = Math.floor(left() / bolt.meta.pageSize)
    if (affordable < 1 && Number.isFinite(lowest)) break
    const leaves = yield* cursor.next(Math.max(1, Math.min(batch, affordable)))
    if (leaves.length === 0) break
    const slots = leaves
      .flatMap(leaf => [...leaf.slots].reverse())
      .filter(slot => slot.index > options.snapshotIndex)
    const room = affordableHeads(slots, left())
    const heads = yield* readHeads(bolt, room)
    room.forEach(({index}, i) => options.seen?.add(index, heads[i]?.term ?? 0))
    const found = room.filter((_, i) => heads[i] !== undefined && setsPeers(heads[i]))
    for (const slot of found) entries.unshift(yield* readConfiguration(bolt, slot))
    for (const slot of room) {
      if (Number.isFinite(lowest) && slot.index + 1 !== lowest && gaps.length < GAPS_MAX)
        gaps.unshift({before: logIndex(slot.index), after: logIndex(lowest)})
      lowest = slot.index
    }
    if (slots.length === 0 && leaves.some(leaf => leaf.slots.length > 0))
      lowest = Math.min(lowest, options.snapshotIndex + 1)
    if (room.length < slots.length) break
  }
  return {entries, lowest: Number.isFinite(lowest) ? lowest : 0, gaps}
}

/** The first of the slots whose heads fit into the budget; a head outside its page costs two reads. */
function affordableHeads(slots: readonly LogSlot[], leftBytes: number): readonly LogSlot[] {
  let left = leftBytes
  for (const [i, slot] of slots.entries()) {
    if (slot.bytes.get(slot.at, slot.length) === undefined) left -= 128
    if (left < 0 && i > 0) return slots.slice(0, i)
  }
  return slots
}

function* readConfiguration(bolt: BoltFile, slot: LogSlot): StoreReader<ConfigurationEntry> {
  const [head] = yield* readHeads(bolt, [slot])
  if (head?.type === undefined) throw corrupt(`Entry ${slot.index} of ${bolt.file} is of no known type.`)
  if (head.dataLength > CONFIGURATION_BYTES)
    throw corrupt(`Entry ${slot.index} of ${bolt.file} holds a peer set larger than any can be.`)
  const part = {offset: slot.at + head.dataAt, length: head.dataLength}
  yield* slot.bytes.fetch(bolt.io, [part])
  const data = slot.bytes.get(part.offset, part.length) ?? new Uint8Array(0)
  const configuration = {...entryConfiguration(head.type, data), index: logIndex(head.index)}
  return {index: logIndex(head.index), term: term(head.term), configuration}
}
