import {demandUnchanged, openBolt} from './bolt-file.js'
import type {BoltFile} from './bolt-file.js'
import type {LogSlot} from './bolt-tree.js'
import {readHeads} from './log-tree.js'
import type {LeafCursor} from './log-tree.js'
import {openRaftDb} from './raft-db.js'
import {detectStore} from './read-store.js'
import {corrupt, StoreFault, StoreIo} from './requests.js'
import type {StoreReader} from './requests.js'
import {fetchAll} from './sparse-bytes.js'
import {makeRecord} from './scan.js'
import type {LogRecord, ScanOptions, StoreScan} from './scan.js'
import {WalScan} from './scan-wal.js'

/** Opens the log of a raft directory for a scan. */
export function* openScan(options: ScanOptions): StoreReader<StoreScan> {
  const kind = yield* detectStore()
  const io = new StoreIo()
  if (kind === 'raft-wal') return yield* WalScan.open(io, options)
  if (kind === 'lmdb')
    throw new StoreFault('unsupported', 'The log is an LMDB database of Consul up to 0.5.0.')
  const bolt = yield* openBolt(io, 'raft.db')
  const {log} = yield* openRaftDb(bolt)
  return new BoltScan(
    bolt,
    yield* log.cursor(options.from <= 1 ? 'first' : options.from, 'forwards'),
    options,
  )
}

const LEAVES = 16

class BoltScan implements StoreScan {
  private previous = 0
  constructor(
    private readonly bolt: BoltFile,
    private readonly cursor: LeafCursor,
    private readonly options: ScanOptions,
  ) {}

  *next(): StoreReader<readonly LogRecord[]> {
    for (;;) {
      if (this.previous >= this.options.to) return []
      const leaves = yield* this.cursor.next(LEAVES)
      if (leaves.length === 0) return []
      const slots = leaves.flatMap(leaf => leaf.slots)
      for (const slot of slots) this.check(slot)
      const wanted = slots.filter(({index}) => index >= this.options.from && index <= this.options.to)
      if (wanted.length > 0) return yield* this.records(wanted)
    }
  }

  *finish(): StoreReader<void> {
    yield* demandUnchanged(this.bolt)
  }

  private check({index, bytes}: LogSlot): void {
    if (index <= this.previous && this.previous > 0)
      throw corrupt(`Entry ${index} stands behind ${this.previous}.`)
    this.previous = index
    if (this.options.deep && bytes.offset + bytes.length > this.bolt.sizeBytes)
      throw corrupt(`Entry ${index} lies in a page that reaches beyond the end of ${this.bolt.file}.`)
  }

  private *records(slots: readonly LogSlot[]): StoreReader<readonly LogRecord[]> {
    const heads = yield* readHeads(this.bolt, slots)
    const firstBytes = slots.flatMap((slot, i) => {
      const head = heads[i]
      if (head === undefined || head.dataLength === 0) return []
      return [{sparse: slot.bytes, part: {offset: slot.at + head.dataAt, length: 1}}]
    })
    yield* fetchAll(this.bolt.io, firstBytes)
    return heads.map((head, i) => {
      const slot = slots[i]
      const first = head.dataLength === 0 ? undefined : slot?.bytes.get(slot.at + head.dataAt, 1)?.[0]
      return makeRecord(head, first)
    })
  }
}
