import {existsSync} from 'node:fs'
import {mkdir} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {syncDirectory} from '../../adapters/durable-file.js'
import type {LogEntry, SnapshotMeta} from '../../core/raft/messages.js'
import type {ConfigurationAt, Restored} from '../../core/raft/types.js'
import {ENTRY_TYPES, entryConfiguration} from '../../core/store/log-entry.js'
import {StoreFault} from '../../core/store/requests.js'
import {AgentError} from '../agent-error.js'
import {damaged} from './wal-files.js'
import {WalLog} from './wal-log.js'
import type {FoundLog} from './wal-log.js'
import {FileSnapshots} from './snapshot-files.js'
import type {Persist, RaftStore, SnapshotReader, StoreListener} from './raft-store.js'

const SEGMENT_BYTES = 16 * 1024 * 1024

/** How a store is kept. */
export interface StoreOptions {
  /** Size of a segment file of the log. */
  readonly segmentBytes?: number
  /** Time of day in milliseconds, for the names of snapshots. */
  readonly nowMs?: () => number
  /**
   * Loads a snapshot into the state machine. When it throws, for one because the state is damaged, the next older
   * snapshot is tried; the one that loads is the one that counts.
   */
  readonly restore?: (reader: SnapshotReader) => Promise<void>
  readonly log?: (level: 'info' | 'warn' | 'error', text: string) => void
}

/**
 * Opens the Raft store of a `raft` directory, or makes one. What an interrupted write left behind is cut off; throws
 * when something that had been synced is damaged, and where another product's raft.db lies, which would be the truth.
 */
export async function openRaftStore(
  directory: string,
  listener: StoreListener,
  options: StoreOptions = {},
): Promise<RaftStore> {
  const made = await mkdir(join(directory, 'wal'), {recursive: true, mode: 0o755})
  if (made !== undefined) {
    await syncDirectory(directory)
    await syncDirectory(dirname(directory))
  }
  if (existsSync(join(directory, 'raft.db')))
    throw damaged(
      directory,
      'There is a raft.db of Consul; this agent keeps its log in wal and would not see it.',
    )
  const snapshots = new FileSnapshots(directory, options.nowMs ?? Date.now)
  await snapshots.removeTemporary()
  const snapshot = await restoreNewest(snapshots, options)
  const {log, found} = await WalLog.open(directory, options.segmentBytes ?? SEGMENT_BYTES)
  const state = await settle(directory, log, found, snapshot)
  return new WalStore(log, snapshots, state, listener)
}

/** Loads the newest snapshot that can be (`restoreSnapshot`, hashicorp/raft api.go). */
async function restoreNewest(
  snapshots: FileSnapshots,
  {restore, log}: StoreOptions,
): Promise<SnapshotMeta | undefined> {
  const metas = await snapshots.listUsable()
  for (const meta of metas) {
    try {
      if (restore !== undefined) await restore(await snapshots.open(meta.id))
      log?.('info', `restored from snapshot: id=${meta.id}`)
      return meta
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      log?.('error', `failed to restore snapshot: id=${meta.id} error=${JSON.stringify(why)}`)
    }
  }
  if (metas.length > 0) throw new AgentError('failed to load any existing snapshots')
  return undefined
}

/** Makes log and snapshot fit: a log that the snapshot has replaced, before or beside it, is thrown away. */
async function settle(
  directory: string,
  log: WalLog,
  found: FoundLog,
  snapshot: SnapshotMeta | undefined,
): Promise<Restored> {
  const index = snapshot?.index ?? 0
  const empty = log.lastIndex < log.firstIndex
  // An empty log, too: entries of before were acknowledged, and a snapshot that cannot be read today may be tomorrow
  if (log.firstIndex > index + 1)
    throw damaged(
      directory,
      `The log begins at ${log.firstIndex}, but the newest whole snapshot ends at ${index}.`,
    )
  const termThere = found.termRuns.filter(run => run.firstIndex <= index).at(-1)?.term
  const replaced =
    snapshot !== undefined &&
    (log.lastIndex < index ||
      (termThere !== undefined && index >= log.firstIndex && termThere !== snapshot.term))
  if (replaced || (empty && log.firstIndex !== index + 1))
    await log.write([{do: 'reset-log', persistId: 0, nextIndex: index + 1}])
  const kept = replaced ? [] : found.membership
  return {
    hardState: log.state.term === 0 ? undefined : log.state,
    firstIndex: log.firstIndex,
    lastIndex: log.lastIndex,
    termRuns: replaced ? [] : found.termRuns,
    configurations: kept.map(entry => configurationOf(directory, entry)),
    snapshot,
  }
}

function configurationOf(directory: string, entry: LogEntry): ConfigurationAt {
  try {
    const type = ENTRY_TYPES[entry.type]
    return {index: entry.index, configuration: entryConfiguration(type, entry.data)}
  } catch (error) {
    if (error instanceof StoreFault) throw damaged(directory, `entry ${entry.index}: ${error.detail}`)
    throw error
  }
}

class WalStore implements RaftStore {
  private queue: Persist[] = []
  private compactTo = 0
  private failed = false
  private working: Promise<void> | undefined
  constructor(
    private readonly log: WalLog,
    readonly snapshots: FileSnapshots,
    readonly found: Restored,
    private readonly listener: StoreListener,
  ) {}

  persist(what: Persist): void {
    this.queue.push(what)
    this.begin()
  }

  compact(upTo: number): void {
    this.compactTo = Math.max(this.compactTo, upTo)
    this.begin()
  }

  async read(from: number, to: number, bytesMax: number): Promise<readonly LogEntry[]> {
    if (from > this.log.lastIndex) await this.working
    return this.log.read(from, to, bytesMax)
  }

  async close(): Promise<void> {
    await this.working
    await this.log.close()
  }

  private begin(): void {
    if (this.failed) return
    this.working ??= this.work()
  }

  /** Puts batch after batch on disk, each with all that was taken while the one before it was written. */
  private async work(): Promise<void> {
    try {
      await Promise.resolve() // what is taken in the same turn shares the batch
      while (this.queue.length > 0 || this.compactTo > 0) {
        const batch = this.queue
        this.queue = []
        if (batch.length > 0) await this.log.write(batch)
        const last = batch[batch.length - 1]
        if (last !== undefined) this.listener.onPersisted(last.persistId)
        // Also while more waits: under a load that never ends nothing would ever be removed
        if (this.compactTo > 0) {
          const upTo = this.compactTo
          this.compactTo = 0
          await this.log.compact(upTo)
        }
      }
    } catch (error) {
      this.failed = true
      this.listener.onFailure(error instanceof Error ? error : new Error(String(error)))
    } finally {
      this.working = undefined
    }
  }
}
