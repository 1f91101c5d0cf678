import {viewOf, uint64} from './bolt-page.js'
import {readBolt} from './bolt-file.js'
import type {BoltFile} from './bolt-file.js'
import {findInBucket, openBucket} from './bolt-tree.js'
import {corrupt} from './requests.js'
import type {StoreIo, StoreReader} from './requests.js'

const FILE = 'wal/wal-meta.db'
const SEGMENTS_MAX = 100_000

/** One segment file of a raft-wal as wal-meta.db lists it (`types.SegmentInfo`). */
export interface WalSegment {
  readonly file: string
  readonly id: number
  readonly baseIndex: number
  readonly minIndex: number
  /** Last valid index of a sealed segment; undefined for the tail, which is still written to. */
  readonly maxIndex: number | undefined
  /** Where the array of frame offsets begins, in a sealed segment. */
  readonly indexStart: number
}

/** What wal-meta.db holds: the list of segments, and the stable values, little-endian here. */
export interface WalMeta {
  readonly segments: readonly WalSegment[]
  readonly currentTerm: number
  readonly lastVoteTerm: number
  readonly lastVoteCandidate: string
  readonly txid: number
  readonly bolt: BoltFile
}

/** Reads wal-meta.db; safe while a server writes to it. */
export function* readWalMeta(io: StoreIo): StoreReader<WalMeta> {
  return yield* readBolt(io, FILE, readMeta)
}

function* readMeta(bolt: BoltFile): StoreReader<WalMeta> {
  const list = yield* openBucket(bolt, 'wal-meta')
  const stable = yield* openBucket(bolt, 'stable')
  if (list === undefined || stable === undefined) throw corrupt(`${FILE} lacks a bucket.`)
  const json = yield* findInBucket(bolt, list, 'm')
  const candidate = yield* findInBucket(bolt, stable, 'LastVoteCand')
  return {
    segments: json === undefined ? [] : parseSegments(json),
    currentTerm: stableNumber(yield* findInBucket(bolt, stable, 'CurrentTerm'), 'CurrentTerm'),
    lastVoteTerm: stableNumber(yield* findInBucket(bolt, stable, 'LastVoteTerm'), 'LastVoteTerm'),
    lastVoteCandidate: new TextDecoder().decode((candidate ?? new Uint8Array(0)).subarray(0, 300)),
    txid: bolt.meta.txid,
    bolt,
  }
}

function stableNumber(value: Uint8Array | undefined, key: string): number {
  if (value === undefined) return 0
  const number = value.length === 8 ? uint64(viewOf(value), 0) : Number.NaN
  if (!Number.isSafeInteger(number)) throw corrupt(`${key} in ${FILE} is no term.`)
  return number
}

function parseSegments(bytes: Uint8Array): readonly WalSegment[] {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder().decode(bytes))
  } catch (error) {
    if (error instanceof SyntaxError) throw corrupt(`The list of segments in ${FILE} does not parse.`)
    throw error
  }
  const list = (json as {Segments?: unknown} | null)?.Segments ?? []
  if (!Array.isArray(list) || list.length > SEGMENTS_MAX) throw corrupt(`${FILE} lists no segments.`)
  const segments = (list as readonly unknown[]).map((item, i) => parseSegment(item, i === list.length - 1))
  segments.forEach((segment, i) => {
    const before = segments[i - 1]
    if (before !== undefined && segment.baseIndex <= (before.maxIndex ?? before.baseIndex))
      throw corrupt(`${FILE} lists segments that overlap.`)
  })
  return segments
}

function parseSegment(item: unknown, last: boolean): WalSegment {
  const fields = (item ?? {}) as Readonly<Record<string, unknown>>
  const number = (key: string): number => {
    const value = fields[key] ?? 0
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
      throw corrupt(`${FILE} lists a segment without a usable ${key}.`)
    return value
  }
  const sealed =
    typeof fields['SealTime'] === 'string' && !fields['SealTime'].startsWith('0001-01-01T00:00:00')
  const segment = {
    id: number('ID'),
    baseIndex: number('BaseIndex'),
    minIndex: number('MinIndex'),
    maxIndex: sealed ? number('MaxIndex') : undefined,
    indexStart: number('IndexStart'),
  }
  if (!sealed && !last) throw corrupt(`${FILE} lists an unsealed segment before others.`)
  if (number('Codec') !== 1) throw corrupt(`${FILE} lists a segment in an unknown codec.`)
  if (segment.maxIndex !== undefined && segment.maxIndex < segment.minIndex)
    throw corrupt(`${FILE} lists a segment that ends before it begins.`)
  const name = `${String(segment.baseIndex).padStart(20, '0')}-${segment.id.toString(16).padStart(16, '0')}.wal`
  return {...segment, file: `wal/${name}`}
}
