import type {StoreState} from '../model/observation.js'
import {readRaftDb} from './raft-db.js'
import type {ReadStoreOptions} from './raft-db.js'
import {readRaftWal} from './raft-wal.js'
import {settle, StoreFault, StoreIo} from './requests.js'
import type {StoreReader, StoreReply, StoreResult} from './requests.js'

export type {ReadStoreOptions} from './raft-db.js'

/** The cost of a store that no caller minds: 256 KiB for raft.db, 8 MiB for the tail of a raft-wal. */
export const DEFAULT_READ_STORE: ReadStoreOptions = {
  snapshotIndex: 0,
  byteBudget: 256 * 1024,
  tailByteBudget: 8 * 1024 * 1024,
  termsAt: [],
}

/** Which log store a raft directory holds. */
export type StoreKind = 'boltdb' | 'raft-wal' | 'lmdb'

const absent = (reply: StoreReply | undefined): boolean => reply?.kind === 'unread' && reply.why === 'absent'

/**
 * Tells which store a raft directory holds; a fault `absent` when it holds none. raft.db wins over wal/, as in Consul
 * (`setupRaft` ignores the wal back end when raft.db exists).
 */
export function* detectStore(): StoreReader<StoreKind> {
  const replies = yield [
    {kind: 'size', file: 'raft.db'},
    {kind: 'size', file: 'wal/wal-meta.db'},
    {kind: 'size', file: 'mdb/data.mdb'},
  ]
  const kinds: readonly StoreKind[] = ['boltdb', 'raft-wal', 'lmdb']
  for (const [i, kind] of kinds.entries()) {
    const reply = replies[i]
    if (reply?.kind === 'unread' && !absent(reply)) throw new StoreFault(reply.why, reply.detail)
    if (reply?.kind === 'size') return kind
  }
  throw new StoreFault('absent', 'There is no log store.')
}

const PATIENT_ATTEMPTS = 3
const LEAST_BYTES = 48 * 1024 // metas, both buckets and the way down to both ends of any log

/**
 * Reads the log store of a raft directory, whichever it holds. Never throws for what the world does. A store that is
 * written to all the time is only read if the reading fits between two transactions, so from the fourth attempt on
 * the search for membership entries gets a smaller and smaller part of the budget.
 */
export function readStore(
  options: Partial<ReadStoreOptions> = {},
  attempt = 1,
): StoreReader<StoreResult<StoreState>> {
  const wanted = {...DEFAULT_READ_STORE, ...options}
  const late = attempt - PATIENT_ATTEMPTS
  const share =
    late <= 0 ? wanted.byteBudget : Math.max(LEAST_BYTES, DEFAULT_READ_STORE.byteBudget / 2 ** late)
  return settle(readAny({...wanted, byteBudget: Math.min(wanted.byteBudget, share)}))
}

function* readAny(options: ReadStoreOptions): StoreReader<StoreState> {
  const kind = yield* detectStore()
  const io = new StoreIo()
  if (kind === 'boltdb') return yield* readRaftDb(io, 'raft.db', options)
  if (kind === 'raft-wal') return yield* readRaftWal(io, options)
  throw new StoreFault(
    'unsupported',
    'The log is an LMDB database of Consul up to 0.5.0, which quorate does not read.',
  )
}
