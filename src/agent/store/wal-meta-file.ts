import {existsSync} from 'node:fs'
import {join} from 'node:path'
import {writeDurably} from '../../adapters/durable-file.js'
import {serverAddress} from '../../core/model/ids.js'
import type {HardState} from '../../core/raft/messages.js'
import {readBolt} from '../../core/store/bolt-file.js'
import {findInBucket, openBucket} from '../../core/store/bolt-tree.js'
import {boltFile} from '../../core/store/bolt-writer.js'
import type {BoltItem} from '../../core/store/bolt-writer.js'
import {StoreIo} from '../../core/store/requests.js'
import type {StoreReader} from '../../core/store/requests.js'
import {readWalMeta} from '../../core/store/wal-meta.js'
import {readLocally} from './wal-files.js'

const FILE = 'wal-meta.db'
/** How raft-wal writes the time at which a segment that is still written to was sealed. */
export const NOT_SEALED = '0001-01-01T00:00:00Z'

/** One segment as wal-meta.db lists it (`types.SegmentInfo`, hashicorp/raft-wal). */
export interface SegmentInfo {
  readonly ID: number
  readonly BaseIndex: number
  readonly MinIndex: number
  /** 0 for the tail. */
  readonly MaxIndex: number
  readonly Codec: 1
  readonly IndexStart: number
  readonly CreateTime: string
  readonly SealTime: string
  readonly SizeLimit: number
}

/** All that wal-meta.db holds. */
export interface WalMetaContent {
  readonly hardState: HardState
  readonly nextSegmentId: number
  readonly segments: readonly SegmentInfo[]
  readonly txid: number
}

const littleEndian = (value: number): Uint8Array => {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true)
  return bytes
}

/** The bytes of a wal-meta.db. */
export function walMetaBytes(content: WalMetaContent): Uint8Array {
  const {hardState, nextSegmentId, segments, txid} = content
  const utf8 = new TextEncoder()
  const json = JSON.stringify({NextSegmentID: nextSegmentId, Segments: segments})
  const stable: BoltItem[] = [{key: 'CurrentTerm', value: littleEndian(hardState.term)}]
  if (hardState.votedFor !== undefined)
    stable.push(
      {key: 'LastVoteTerm', value: littleEndian(hardState.term)},
      {key: 'LastVoteCand', value: utf8.encode(hardState.votedFor)},
    )
  return boltFile(
    [
      {name: 'wal-meta', items: [{key: 'm', value: utf8.encode(json)}]},
      {name: 'stable', items: stable},
    ],
    txid,
  )
}

/** Writes a wal-meta.db whole: after a crash there is the old one or the new one. */
export const writeWalMeta = (directory: string, content: WalMetaContent): Promise<void> =>
  writeDurably(join(directory, FILE), walMetaBytes(content))

function* readTimes(): StoreReader<ReadonlyMap<number, Partial<SegmentInfo>>> {
  const json = yield* readBolt(new StoreIo(), `wal/${FILE}`, function* (bolt): StoreReader<string> {
    const bucket = yield* openBucket(bolt, 'wal-meta')
    const value = bucket === undefined ? undefined : yield* findInBucket(bolt, bucket, 'm')
    return new TextDecoder().decode(value ?? new TextEncoder().encode('{}'))
  })
  const {Segments} = JSON.parse(json) as {readonly Segments?: readonly Partial<SegmentInfo>[] | null}
  return new Map((Segments ?? []).map(segment => [segment.ID ?? 0, segment]))
}

/** Reads the wal-meta.db of a raft directory with the checks of the reader; undefined when there is none. */
export function readWalMetaFile(raftDirectory: string): WalMetaContent | undefined {
  if (!existsSync(join(raftDirectory, 'wal', FILE))) return undefined
  const meta = readLocally(raftDirectory, readWalMeta(new StoreIo()))
  const times = readLocally(raftDirectory, readTimes())
  const segments = meta.segments.map((segment): SegmentInfo => {
    const {CreateTime, SealTime, SizeLimit} = times.get(segment.id) ?? {}
    return {
      ID: segment.id,
      BaseIndex: segment.baseIndex,
      MinIndex: segment.minIndex,
      MaxIndex: segment.maxIndex ?? 0,
      Codec: 1,
      IndexStart: segment.indexStart,
      CreateTime: typeof CreateTime === 'string' ? CreateTime : NOT_SEALED,
      SealTime: typeof SealTime === 'string' ? SealTime : NOT_SEALED,
      SizeLimit: typeof SizeLimit === 'number' ? SizeLimit : 0,
    }
  })
  const voted = meta.lastVoteTerm === meta.currentTerm && meta.lastVoteCandidate !== ''
  return {
    hardState: {
      term: meta.currentTerm,
      votedFor: voted ? serverAddress(meta.lastVoteCandidate) : undefined,
    },
    nextSegmentId: Math.max(0, ...segments.map(segment => segment.ID + 1)),
    segments,
    txid: meta.txid,
  }
}
