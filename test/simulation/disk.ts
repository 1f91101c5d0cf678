import type {HardState, LogEntry, SnapshotMeta} from '../../src/core/raft/messages.js'
import type {Chance} from './chance.js'

/** What a state machine has become: the index it has applied, and a hash over everything applied up to there. */
export interface StateMark {
  readonly index: number
  readonly hash: number
}

/** A snapshot in place: what names it, and the state it stands for. */
export interface StoredSnapshot {
  readonly meta: SnapshotMeta
  readonly state: StateMark
}

/** One write of the store, before it is synced. */
export type DiskWrite =
  | {readonly write: 'hard-state'; readonly hardState: HardState}
  | {readonly write: 'truncate'; readonly from: number}
  | {readonly write: 'append'; readonly entry: LogEntry}
  | {readonly write: 'compact'; readonly upTo: number}
  | {readonly write: 'reset'; readonly nextIndex: number}

/** A log and a hard state, as some prefix of all writes makes them. */
export class StoreImage {
  hardState: HardState | undefined
  /** Index of `entries[0]`; in an empty log the index of the entry that comes next. */
  firstIndex = 1
  entries: LogEntry[] = []

  get lastIndex(): number {
    return this.firstIndex + this.entries.length - 1
  }

  at(index: number): LogEntry | undefined {
    return this.entries[index - this.firstIndex]
  }

  do(write: DiskWrite): void {
    switch (write.write) {
      case 'hard-state':
        this.hardState = write.hardState
        return
      case 'truncate':
        this.entries.length = Math.max(0, Math.min(this.entries.length, write.from - this.firstIndex))
        return
      case 'append':
        if (write.entry.index !== this.lastIndex + 1)
          throw new Error(`entry ${write.entry.index} appended to a log that ends at ${this.lastIndex}`)
        this.entries.push(write.entry)
        return
      case 'compact': {
        const upTo = Math.min(write.upTo, this.lastIndex)
        if (upTo < this.firstIndex) return
        this.entries = this.entries.slice(upTo + 1 - this.firstIndex)
        this.firstIndex = upTo + 1
        return
      }
      case 'reset':
        this.entries = []
        this.firstIndex = write.nextIndex
    }
  }
}

/**
 * A disk whose writes are lost or torn by a crash until they are synced. `seen` is what the running process reads, all
 * its writes included; `durable` is what a crash leaves.
 */
export class SimulatedDisk {
  seen = new StoreImage()
  durable = new StoreImage()
  /** Newest snapshot in place; received ones that are not yet in use lie in `received`. */
  snapshot: StoredSnapshot | undefined
  readonly received = new Map<string, StoredSnapshot>()
  private unsynced: DiskWrite[] = []

  /** Writes; the result is the number to give to `sync`. */
  write(writes: readonly DiskWrite[]): void {
    for (const write of writes) {
      this.seen.do(write)
      this.unsynced.push(write)
    }
  }

  /** How many writes wait for a sync. */
  get pending(): number {
    return this.unsynced.length
  }

  /** Makes the first `count` writes durable. */
  sync(count: number): void {
    for (const write of this.unsynced.splice(0, count)) this.durable.do(write)
  }

  /** Loses what was not synced, all but a prefix that happened to reach the disk: the rest is cut at the next start. */
  crash(chance: Chance): void {
    this.sync(chance.happens(0.5) ? 0 : chance.below(this.unsynced.length + 1))
    this.unsynced = []
    const image = new StoreImage()
    image.hardState = this.durable.hardState
    image.firstIndex = this.durable.firstIndex
    image.entries = [...this.durable.entries]
    this.seen = image
    this.received.clear()
  }

  /** A disk that is taken out and replaced by a blank one. */
  wipe(): void {
    this.seen = new StoreImage()
    this.durable = new StoreImage()
    this.snapshot = undefined
    this.received.clear()
    this.unsynced = []
  }
}
