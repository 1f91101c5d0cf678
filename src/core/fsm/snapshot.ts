import type {Registration} from './catalog.js'
import {bareEntry} from './commands.js'
import type {KvEntry} from './messages.js'
import {CommandType} from './messages.js'
import {PackProblem, PackReader} from './pack-reader.js'
import {PackWriter} from './pack-writer.js'
import {eachPair, readAutopilot, readEntry, readRegistration, readSession} from './read-records.js'
import type {RestorePart} from './restore.js'
import {readRestorePart, writeRestorePart} from './restore.js'
import type {PendingRestore} from './tables.js'
import {SEPARATOR, Tables, nodeKey} from './tables.js'
import type {Readers} from './write-records.js'
import {writeAutopilot, writeEntry, writeRegistration, writeSession} from './write-records.js'

const CHUNK = 64 * 1024
const RECORD_MAX = 64 * 1024 * 1024

/**
 * The bytes of a state (`state.bin`): a header, then one record per row, its type before it, in the order of Consul's
 * `Persist` (agent/consul/fsm/snapshot_oss.go). Equal states give equal bytes.
 */
export function* writeSnapshot(
  tables: Tables,
  lastIndex: number,
  readers: Readers,
): IterableIterator<Uint8Array> {
  const to = new PackWriter(CHUNK * 2)
  to.mapHead(1).byteString('LastIndex').integer(lastIndex)
  for (const {value: node} of tables.nodes.from('')) {
    const prefix = nodeKey(node.node) + SEPARATOR
    writeNode(to, {node, skipNodeUpdate: false, service: undefined, checks: []})
    for (const {value: service} of tables.services.prefixed(prefix))
      writeNode(to, {node, skipNodeUpdate: false, service, checks: []})
    for (const {value: check} of tables.checks.prefixed(prefix))
      writeNode(to, {node, skipNodeUpdate: false, service: undefined, checks: [check]})
    if (to.length >= CHUNK) yield to.take()
  }
  for (const {value} of tables.sessions.from('')) {
    writeSession(to.byte(CommandType.session), value, readers)
    if (to.length >= CHUNK) yield to.take()
  }
  for (const entry of tables.kv.from('')) {
    writeEntry(to.byte(CommandType.kvs), entry)
    if (to.length >= CHUNK) yield to.take()
  }
  // Tombstones stand in snapshots as KV entries, as before Consul 0.6.
  for (const {key, value} of tables.tombstones.from('')) {
    writeEntry(to.byte(CommandType.tombstone), {...bareEntry(key), modifyIndex: value})
    if (to.length >= CHUNK) yield to.take()
  }
  if (tables.autopilot !== undefined) writeAutopilot(to.byte(CommandType.autopilot), tables.autopilot)
  // Consul before 1.2 refuses a snapshot that has them, and does without
  for (const {key, value} of readers === 'newer' ? tables.indexes.from('') : []) {
    to.byte(CommandType.index).mapHead(2)
    to.byteString('Key').text(key).byteString('Value').integer(value)
    if (to.length >= CHUNK) yield to.take()
  }
  if (tables.pending !== undefined) yield* writePending(to, tables.pending)
  for (const {type, bytes} of tables.opaque) {
    to.byte(type).verbatim(bytes)
    if (to.length >= CHUNK) yield to.take()
  }
  if (to.length > 0) yield to.take()
}

function* writePending(to: PackWriter, {id, index, parts}: PendingRestore): IterableIterator<Uint8Array> {
  const write = (op: string, data: Uint8Array) =>
    writeRestorePart(to.byte(CommandType.restore), {op, id, data, parts: 0, index})
  write('begin', new Uint8Array(0))
  for (const data of parts) {
    write('part', data)
    if (to.length >= CHUNK) yield to.take()
  }
}

function writeNode(to: PackWriter, registration: Registration): void {
  writeRegistration(to.byte(CommandType.register), registration)
}

/** Takes the bytes of a state in pieces and builds tables of them. */
export class SnapshotReader {
  readonly tables = new Tables()
  lastIndex: number | undefined
  private rest: Uint8Array = new Uint8Array(0)
  private problem: string | undefined
  /** Highest index seen on keys, for snapshots that do not tell the index of the table. */
  private kvIndex = 0
  private graveIndex = 0
  private indexed = false

  /**
   * With `indexMax` all indexes are brought down to it: for a state that comes from another log, where what is written
   * next must have a higher index than all that is there.
   */
  constructor(private readonly indexMax = Number.MAX_SAFE_INTEGER) {}

  push(chunk: Uint8Array): void {
    if (this.problem !== undefined) return
    const bytes = this.rest.length === 0 ? chunk : joined(this.rest, chunk)
    const reader = new PackReader(bytes)
    let end = 0
    try {
      for (; reader.at < bytes.length; end = reader.at) this.record(reader)
    } catch (error) {
      if (!(error instanceof PackProblem)) throw error
      if (!error.short) this.problem = `the snapshot is damaged: ${error.message}`
    }
    this.rest = bytes.slice(end)
    if (this.rest.length > RECORD_MAX) this.problem = 'the snapshot has a record that is too large'
  }

  /** Undefined when all that was pushed makes a whole state. */
  finish(): string | undefined {
    if (this.problem !== undefined) return this.problem
    if (this.lastIndex === undefined) return 'the snapshot has no header'
    if (this.rest.length > 0) return 'the snapshot ends within a record'
    this.deriveIndexes(Math.min(this.lastIndex, this.indexMax))
    return undefined
  }

  private record(reader: PackReader): void {
    if (this.lastIndex === undefined) return this.header(reader)
    const type = reader.bytes[reader.at]!
    reader.at++
    switch (type) {
      case CommandType.register:
        return this.registration(readRegistration(reader))
      case CommandType.session:
        return this.tables.putSession(this.bounded(readSession(reader)))
      case CommandType.kvs:
        return this.entry(this.bounded(readEntry(reader)))
      case CommandType.tombstone: {
        const {key, modifyIndex} = this.bounded(readEntry(reader))
        if (modifyIndex > this.graveIndex) this.graveIndex = modifyIndex
        return void this.tables.tombstones.set({key, value: modifyIndex})
      }
      case CommandType.autopilot:
        this.tables.autopilot = this.bounded(readAutopilot(reader))
        return
      case CommandType.index:
        return this.indexRecord(reader)
      case CommandType.restore:
        return this.restorePart(readRestorePart(reader))
      default: {
        const start = reader.at
        reader.skip()
        const bytes = reader.bytes.slice(start, reader.at)
        this.tables.opaque.push({type, bytes})
      }
    }
  }

  private restorePart({op, id, index, data}: RestorePart): void {
    const parts = op === 'begin' ? [] : [...(this.tables.pending?.parts ?? []), data]
    this.tables.pending = {id, index, parts}
  }

  private header(reader: PackReader): void {
    let lastIndex = 0
    eachPair(reader, key => {
      if (key === 'LastIndex') lastIndex = reader.number()
      else reader.skip()
    })
    this.lastIndex = lastIndex
  }

  private registration({node, service, checks}: Registration): void {
    const index = this.lastIndex ?? 0
    const at = {createIndex: node.createIndex || index, modifyIndex: node.modifyIndex || index}
    this.tables.nodes.set({key: nodeKey(node.node), value: this.bounded({...node, ...at})})
    if (service !== undefined) this.tables.putService(this.bounded({...service, node: node.node}))
    for (const check of checks) {
      const value = this.bounded(check.node === '' ? {...check, node: node.node} : check)
      this.tables.checks.set({key: nodeKey(value.node) + SEPARATOR + check.checkId, value})
    }
  }

  private bounded<T extends Indexed>(value: T): T {
    const {indexMax} = this
    if (value.createIndex <= indexMax && value.modifyIndex <= indexMax) return value
    const createIndex = Math.min(value.createIndex, indexMax)
    return {...value, createIndex, modifyIndex: Math.min(value.modifyIndex, indexMax)}
  }

  private entry(entry: KvEntry): void {
    this.tables.putKv(entry)
    if (entry.modifyIndex > this.kvIndex) this.kvIndex = entry.modifyIndex
  }

  private indexRecord(reader: PackReader): void {
    let [key, value] = ['', 0]
    eachPair(reader, name => {
      if (name === 'Key') key = reader.text()
      else if (name === 'Value') value = reader.number()
      else reader.skip()
    })
    this.tables.indexes.set({key, value: Math.min(value, this.indexMax)})
    this.indexed = true
  }

  /** Snapshots of old Consuls have no index records; what is in them tells the least that indexes must be. */
  private deriveIndexes(lastIndex: number): void {
    const {tables} = this
    if (tables.kv.size > 0 && (tables.index('kvs') ?? 0) < this.kvIndex) tables.setIndex('kvs', this.kvIndex)
    if (this.indexed) return
    if (this.graveIndex > 0) tables.setIndex('tombstones', this.graveIndex)
    for (const name of ['nodes', 'services', 'checks', 'sessions'] as const)
      if (tables[name].size > 0) tables.setIndex(name, lastIndex)
    for (const {value} of tables.services.from(''))
      if (tables.index(`service.${value.service}`) === undefined)
        tables.setIndex(`service.${value.service}`, lastIndex)
  }
}

interface Indexed {
  readonly createIndex: number
  readonly modifyIndex: number
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(a.length + b.length)
  bytes.set(a)
  bytes.set(b, a.length)
  return bytes
}
