import {deregister, register} from './catalog.js'
import {applyKv, reapTombstones} from './kv.js'
import type {ApplyResult, AutopilotConfig, StateRestore, WatchTarget} from './messages.js'
import {CommandType, IGNORE_UNKNOWN} from './messages.js'
import {PackProblem, PackReader} from './pack-reader.js'
import {
  eachPair,
  NO_AUTOPILOT,
  readAutopilot,
  readDeregistration,
  readKvCommand,
  readRegistration,
  readSessionCommand,
} from './read-records.js'
import type {RestorePart} from './restore.js'
import {readRestorePart} from './restore.js'
import {applySession} from './sessions.js'
import type {Readers} from './write-records.js'
import {SnapshotReader, writeSnapshot} from './snapshot.js'
import type {Change, PendingRestore} from './tables.js'
import {Tables} from './tables.js'
import {applyTxn, readTxn} from './txn.js'
import {Watchers} from './watchers.js'

/**
 * The replicated state machine: what it is told, in the order of the log, decides all that it answers. It knows no
 * time: sessions expire and tombstones are reaped by commands of the leader.
 */
export class StateMachine {
  /**
   * Called when the end of a session takes a lock away, with the time until another session may have it. The delay is
   * for the leader to keep; it is no part of the state (`lockDelay`, consul agent/consul/state/delay.go).
   */
  onLockDelay: ((key: string, delayMs: number) => void) | undefined
  private current = new Tables()
  private applied = 0
  private readonly watchers = new Watchers()
  private incoming: {readonly parts: PendingRestore['parts']; readonly reader: SnapshotReader} | undefined
  private replaced = 0

  /** `readers` are those of its snapshots and of the commands that are made for it. */
  constructor(readonly readers: Readers = 'newer') {}

  /** Index of the last entry applied, or of the snapshot restored. */
  get lastIndex(): number {
    return this.applied
  }

  /** Grows when the whole state is replaced, by which indexes may go back: nobody must wait on the old ones. */
  get generation(): number {
    return this.replaced
  }

  /** The tables, for queries; only `apply` may change them. */
  get tables(): Tables {
    return this.current
  }

  /** Applies the command of entry `index`; the same entries give the same state and answers on every server. */
  apply(index: number, data: Uint8Array): ApplyResult {
    this.applied = index
    const change: Change = {tables: this.current, index, touched: [], lockDelays: []}
    try {
      return this.applyCommand(change, data)
    } catch (error) {
      if (!(error instanceof PackProblem)) throw error
      return {error: `failed to decode request: ${error.message}`}
    } finally {
      this.tell(change)
    }
  }

  /**
   * The state as it is at this call, in chunks of about 64 KiB; commands may be applied while it is being read.
   * To begin takes no time; each table node that changes meanwhile is copied once.
   */
  snapshot(): IterableIterator<Uint8Array> {
    return writeSnapshot(this.current.fork(), this.applied, this.readers)
  }

  /** Begins to receive a state in the form of `snapshot`, from a server of any age; see `StateRestore`. */
  restore(): StateRestore {
    const reader = new SnapshotReader()
    return {
      push: chunk => reader.push(chunk),
      finish: () => {
        const problem = reader.finish()
        if (problem !== undefined) return problem
        this.applied = reader.lastIndex ?? 0
        this.replace(reader.tables)
        return undefined
      },
    }
  }

  /** Calls `wake` once when something that `target` covers changes; the returned function takes that back. */
  watch(target: WatchTarget, wake: () => void): () => void {
    return this.watchers.add(target, wake)
  }

  private applyCommand(change: Change, data: Uint8Array): ApplyResult {
    const first = data[0]
    if (first === undefined) return {error: 'failed to decode request: it is empty'}
    const reader = new PackReader(data, 1)
    switch (first & ~IGNORE_UNKNOWN) {
      case CommandType.kvs:
        return applyKv(change, readKvCommand(reader))
      case CommandType.register:
        return this.applyRegistration(change, reader)
      case CommandType.deregister:
        return deregister(change, readDeregistration(reader))
      case CommandType.session:
        return applySession(change, readSessionCommand(reader))
      case CommandType.tombstone:
        return applyReap(change, reader)
      case CommandType.txn:
        return this.applyTransaction(change, reader)
      case CommandType.autopilot:
        return applyAutopilot(change, reader)
      case CommandType.restore:
        return this.applyRestore(change, readRestorePart(reader))
      default:
        // Commands of other kinds belong to parts of Consul that are not here; they change nothing that is.
        return undefined
    }
  }

  private applyRegistration(change: Change, reader: PackReader): ApplyResult {
    const wanted = readRegistration(reader)
    const before = this.current.fork()
    const result = register(change, wanted)
    if (result !== undefined) this.takeBack(change, before)
    return result
  }

  private applyTransaction(change: Change, reader: PackReader): ApplyResult {
    const operations = readTxn(reader)
    const before = this.current.fork()
    const outcome = applyTxn(change, operations)
    if (outcome.errors.length > 0) this.takeBack(change, before)
    return outcome
  }

  private applyRestore({index}: Change, {op, id, data, parts}: RestorePart): ApplyResult {
    const {current} = this
    if (op === 'begin') {
      current.pending = {id, index, parts: []}
      this.incoming = undefined
      return undefined
    }
    const {pending} = current
    if (pending?.id !== id) return {error: 'another restore has taken the place of this one'}
    if (op === 'part') {
      const reader = this.incomingOf(pending)
      reader.push(data)
      current.pending = {...pending, parts: [...pending.parts, data]}
      this.incoming = {parts: current.pending.parts, reader}
      return undefined
    }
    const reader = this.incomingOf(pending)
    current.pending = undefined
    this.incoming = undefined
    const whole = op === 'end' && pending.parts.length === parts
    const problem = whole ? reader.finish() : 'the restore is not whole'
    if (problem !== undefined) return {error: problem}
    this.replace(reader.tables)
    return undefined
  }

  /** What the parts so far make; a server that did not see them come reads them again. */
  private incomingOf(pending: PendingRestore): SnapshotReader {
    if (this.incoming?.parts === pending.parts) return this.incoming.reader
    const reader = new SnapshotReader(pending.index)
    for (const part of pending.parts) reader.push(part)
    return reader
  }

  private replace(tables: Tables): void {
    this.current = tables
    this.replaced++
    this.watchers.wakeAll()
  }

  /** A command that was refused half-way leaves nothing behind. */
  private takeBack(change: Change, before: Tables): void {
    this.current = before
    change.touched.length = 0
    change.lockDelays.length = 0
  }

  private tell({touched, lockDelays}: Change): void {
    for (const target of touched) this.watchers.wake(target)
    for (const {key, delayNs} of lockDelays) this.onLockDelay?.(key, delayNs / 1e6)
  }
}

function applyReap(change: Change, reader: PackReader): ApplyResult {
  let [op, upTo] = ['', 0]
  eachPair(reader, key => {
    if (key === 'Op') op = reader.text()
    else if (key === 'ReapIndex') upTo = reader.number()
    else reader.skip()
  })
  if (op !== 'reap') return {error: `Invalid Tombstone operation '${op}'`}
  reapTombstones(change, upTo)
  return undefined
}

function applyAutopilot(change: Change, reader: PackReader): ApplyResult {
  let config: AutopilotConfig = NO_AUTOPILOT
  let cas = false
  eachPair(reader, key => {
    if (key === 'Config') config = readAutopilot(reader)
    else if (key === 'CAS') cas = reader.boolean()
    else reader.skip()
  })
  const {tables, index} = change
  if (cas && (tables.autopilot?.modifyIndex ?? 0) !== config.modifyIndex) return false
  tables.autopilot = {...config, createIndex: tables.autopilot?.createIndex ?? index, modifyIndex: index}
  tables.setIndex('autopilot-config', index)
  change.touched.push({table: 'autopilot-config'})
  return cas ? true : undefined
}
