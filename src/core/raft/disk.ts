import {assert} from '../assert.js'
import type {RaftLog} from './log.js'
import type {HardState, RaftEffect} from './messages.js'

interface Issued {
  readonly persistId: number
  /** Last index on disk once this persist is. Lowered when the log is cut meanwhile. */
  lastIndex: number
}

/**
 * What is on its way to disk, and what waits for it. Ids are given out in order; a change that has not been handed
 * out yet will have the next id.
 */
export class Disk {
  private lastId = 0
  private doneId = 0
  private issued: Issued[] = []
  private waiting: {readonly persistId: number; readonly effect: RaftEffect}[] = []
  private hardStateChanged = false
  private hardStateId = 0

  constructor(private readonly log: RaftLog) {}

  /** The hard state has changed. */
  touchHardState(): void {
    this.hardStateChanged = true
    this.hardStateId = this.lastId + 1
  }

  /** The persist after which the current hard state is on disk. */
  get hardStateNeeds(): number {
    return this.hardStateId
  }

  /** The persist after which the log up to `index` is on disk, as it is now. */
  logNeeds(index: number): number {
    if (index <= this.log.persistedIndex) return 0
    return this.issued.find(one => one.lastIndex >= index)?.persistId ?? this.lastId + 1
  }

  /** Whether a persist is done. */
  isDone(persistId: number): boolean {
    return persistId <= this.doneId
  }

  /** The log is about to be cut from `index` on: persists under way no longer vouch for what comes there. */
  cut(index: number): void {
    for (const one of this.issued) one.lastIndex = Math.min(one.lastIndex, index - 1)
  }

  /** Gives out an effect once a persist is done, at once when it is. */
  after(persistId: number, effect: RaftEffect, effects: RaftEffect[]): void {
    if (this.isDone(persistId)) effects.push(effect)
    else this.waiting.push({persistId, effect})
  }

  /** Hands out all changes as one persist effect, if there are any. */
  flush(hardState: HardState, effects: RaftEffect[]): void {
    if (!this.hardStateChanged && !this.log.changed) return
    const persistId = ++this.lastId
    const {truncateFrom, append} = this.log.takeChange()
    effects.push({
      do: 'persist',
      persistId,
      hardState: this.hardStateChanged ? hardState : undefined,
      truncateFrom,
      append,
    })
    this.hardStateChanged = false
    this.issued.push({persistId, lastIndex: this.log.lastIndex})
  }

  /**
   * Hands out the throwing away of the log, which the caller has done in memory, behind all earlier changes. Returns
   * its id.
   */
  resetLog(nextIndex: number, effects: RaftEffect[]): number {
    assert(!this.log.changed && !this.hardStateChanged, 'changes are handed out before the log is reset')
    const persistId = ++this.lastId
    effects.push({do: 'reset-log', persistId, nextIndex})
    this.issued.push({persistId, lastIndex: nextIndex - 1})
    return persistId
  }

  /** All persists up to `persistId` are on disk: what waited for them is given out. */
  persisted(persistId: number, effects: RaftEffect[]): void {
    assert(persistId <= this.lastId, 'only what was handed out can be on disk')
    if (persistId <= this.doneId) return
    this.doneId = persistId
    let index = 0
    let count = 0
    for (const one of this.issued) {
      if (one.persistId > persistId) break
      index = Math.max(index, one.lastIndex)
      count++
    }
    this.issued.splice(0, count)
    this.log.markPersisted(index)
    if (this.waiting.length === 0) return
    const still: typeof this.waiting = []
    for (const one of this.waiting)
      if (one.persistId <= persistId) effects.push(one.effect)
      else still.push(one)
    this.waiting = still
  }
}
