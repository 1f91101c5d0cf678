import type {LogEntry, RaftEffect, SnapshotMeta} from '../../core/raft/messages.js'
import type {Restored} from '../../core/raft/types.js'

/** Something that has to be on disk before it is told. */
export type Persist = Extract<RaftEffect, {readonly do: 'persist' | 'reset-log'}>

/** The Raft log, term and vote, and snapshots of one server, in its `raft` directory. */
export interface RaftStore {
  readonly found: Restored
  readonly snapshots: SnapshotStore
  /**
   * Takes something to be put on disk. All that is taken while a sync is under way shares the next one; then
   * `onPersisted` is told the highest id. Never throws: a disk that fails is told to `onFailure`, once, and nothing
   * is told persisted from then on.
   */
  persist(what: Persist): void
  /** Entries `from`..`to`, at most `bytesMax` of data but at least one. Rejects when the first is not there. */
  read(from: number, to: number, bytesMax: number): Promise<readonly LogEntry[]>
  /** Lets go of entries up to an index, where whole segments can go. */
  compact(upTo: number): void
  /** Waits until all that was taken is on disk and closes the files. */
  close(): Promise<void>
}

/** What a store tells its driver. */
export interface StoreListener {
  /** All persists up to this id are on disk. */
  readonly onPersisted: (persistId: number) => void
  readonly onFailure: (error: Error) => void
}

/** A snapshot without what its file tells: its name and size. */
export type SnapshotHead = Omit<SnapshotMeta, 'id' | 'size'>

/** A snapshot being written. After `finish` or `abort` it takes nothing more. */
export interface SnapshotWriter {
  write(chunk: Uint8Array): Promise<void>
  /** Syncs all and, for our own snapshot, puts it in place; returns what it is called. */
  finish(): Promise<SnapshotMeta>
  abort(): Promise<void>
}

/** An open snapshot. */
export interface SnapshotReader {
  readonly meta: SnapshotMeta
  /** The state in chunks; throws at the end when size or checksum are not those of meta.json. */
  chunks(): AsyncGenerator<Uint8Array, void, void>
}

/** The snapshots of a server (`FileSnapshotStore`, hashicorp/raft file_snapshot.go). */
export interface SnapshotStore {
  /** Begins a snapshot of our own state machine. `finish` puts it in place and removes those beyond two. */
  create(head: SnapshotHead): Promise<SnapshotWriter>
  /** Begins one that a leader sends. `finish` leaves it synced under a temporary name until `install` or `discard`. */
  receive(head: SnapshotHead): Promise<SnapshotWriter>
  /** Puts a received snapshot in place; does nothing when it is there already. */
  install(meta: SnapshotMeta): Promise<void>
  /** Removes a received snapshot. */
  discard(meta: SnapshotMeta): Promise<void>
  /** Opens a snapshot, in place or received. */
  open(id: string): Promise<SnapshotReader>
  /** Whole snapshots in place, newest first. */
  list(): Promise<readonly SnapshotMeta[]>
}
