import type {ApplyResult, KvEntry} from './messages.js'
import type {Change, Tables} from './tables.js'

/** What a client wants of a key; absent parts of an entry count as zero. */
export interface KvCommand {
  readonly op: string
  readonly entry: KvEntry
}

/** Applies a command on the KV store (`applyKVSOperation`, consul agent/consul/fsm/commands_oss.go). */
export function applyKv(change: Change, {op, entry}: KvCommand): ApplyResult {
  switch (op) {
    case 'set':
      putKv(change, entry, false)
      return undefined
    case 'delete':
      deleteKv(change, entry.key)
      return undefined
    case 'delete-cas':
      return deleteCas(change, entry)
    case 'delete-tree':
      deleteTree(change, entry.key)
      return undefined
    case 'cas':
      return putCas(change, entry) !== undefined
    case 'lock':
      return lock(change, entry)
    case 'unlock':
      return unlock(change, entry)
    default:
      return {error: `Invalid KVS operation '${op}'`}
  }
}

/**
 * Writes an entry (`kvsSetTxn`, consul agent/consul/state/kvs.go): the lock stays as it was unless `session` says that
 * it is part of the change; nothing at all happens, and no index moves, when everything is as before.
 */
export function putKv(change: Change, entry: KvEntry, session: boolean): KvEntry {
  const {tables, index} = change
  const old = tables.kv.get(entry.key)
  const next: KvEntry = {
    key: entry.key,
    value: entry.value,
    flags: entry.flags,
    createIndex: old?.createIndex ?? index,
    modifyIndex: index,
    lockIndex: entry.lockIndex,
    session: session ? entry.session : (old?.session ?? ''),
  }
  if (old !== undefined && sameEntry(old, next)) return old
  tables.putKv(next)
  tables.setIndex('kvs', index)
  change.touched.push({key: entry.key})
  return next
}

/** Writes an entry if its ModifyIndex is still that of the request, 0 meaning that there must be none. */
export function putCas(change: Change, entry: KvEntry): KvEntry | undefined {
  const old = change.tables.kv.get(entry.key)
  if (entry.modifyIndex !== (old?.modifyIndex ?? 0)) return undefined
  return putKv(change, entry, false)
}

/** Deletes a key, leaving a tombstone so that the index of what is left does not go back. */
export function deleteKv(change: Change, key: string): void {
  const {tables, index} = change
  if (tables.removeKv(key) === undefined) return
  bury(change, key)
  tables.setIndex('kvs', index)
  change.touched.push({key})
}

/** Deletes a key that has the wanted ModifyIndex; a key that is not there counts as deleted. */
export function deleteCas(change: Change, entry: KvEntry): boolean {
  const old = change.tables.kv.get(entry.key)
  if (old === undefined) return true
  if (old.modifyIndex !== entry.modifyIndex) return false
  deleteKv(change, entry.key)
  return true
}

/** Deletes all keys under a prefix; one tombstone stands for them. */
export function deleteTree(change: Change, prefix: string): void {
  const {tables, index} = change
  const keys: string[] = []
  for (const entry of tables.kv.prefixed(prefix)) keys.push(entry.key)
  if (keys.length === 0) return
  for (const key of keys) {
    tables.removeKv(key)
    change.touched.push({key})
  }
  if (prefix !== '') bury(change, prefix)
  tables.setIndex('kvs', index)
}

/** Takes the lock of a key for a session, or renews the entry of the session that holds it. */
export function lock(change: Change, entry: KvEntry): boolean | {readonly error: string} {
  return lockEntry(change, entry) !== undefined ? true : refusedLock(change, entry)
}

/** As `lock`, giving the entry; undefined when another session holds the lock or there is no such session. */
export function lockEntry(change: Change, entry: KvEntry): KvEntry | undefined {
  const {tables} = change
  if (entry.session === '' || tables.sessions.get(entry.session) === undefined) return undefined
  const old = tables.kv.get(entry.key)
  if (old !== undefined && old.session !== '' && old.session !== entry.session) return undefined
  const lockIndex = old?.session === entry.session ? old.lockIndex : (old?.lockIndex ?? 0) + 1
  return putKv(change, {...entry, lockIndex}, true)
}

function refusedLock({tables}: Change, entry: KvEntry): false | {readonly error: string} {
  if (entry.session === '') return {error: 'missing session'}
  return tables.sessions.get(entry.session) === undefined
    ? {error: `invalid session "${entry.session}"`}
    : false
}

/** Gives the lock of a key back, with the entry's new value; false when the session does not hold it. */
export function unlock(change: Change, entry: KvEntry): boolean | {readonly error: string} {
  if (entry.session === '') return {error: 'missing session'}
  return unlockEntry(change, entry) !== undefined
}

/** As `unlock`, giving the entry. */
export function unlockEntry(change: Change, entry: KvEntry): KvEntry | undefined {
  const old = change.tables.kv.get(entry.key)
  if (old === undefined || entry.session === '' || old.session !== entry.session) return undefined
  return putKv(change, {...entry, session: '', lockIndex: old.lockIndex}, true)
}

/** Removes tombstones up to an index (`ReapTombstones`, consul agent/consul/state/kvs.go). */
export function reapTombstones(change: Change, upTo: number): void {
  const {tables} = change
  const keys: string[] = []
  for (const stone of tables.tombstones.from('')) if (stone.value <= upTo) keys.push(stone.key)
  for (const key of keys) tables.tombstones.delete(key)
  if (keys.length > 0) tables.setIndex('tombstones', change.index)
}

/** One entry and the index to wait on: its own, or for a missing one that of the whole store. */
export function getKv(
  tables: Tables,
  key: string,
): {readonly index: number; readonly entry: KvEntry | undefined} {
  const entry = tables.kv.get(key)
  return {index: entry?.modifyIndex ?? tables.maxIndex('kvs', 'tombstones'), entry}
}

/**
 * All entries under a prefix and the index to wait on: the highest among them and the tombstones under the prefix, or
 * that of the whole store when there is neither (`kvsListTxn`, consul agent/consul/state/kvs.go).
 */
export function listKv(
  tables: Tables,
  prefix: string,
): {readonly index: number; readonly entries: readonly KvEntry[]} {
  const whole = tables.maxIndex('kvs', 'tombstones')
  const entries: KvEntry[] = []
  let index = 0
  for (const entry of tables.kv.prefixed(prefix)) {
    entries.push(entry)
    if (entry.modifyIndex > index) index = entry.modifyIndex
  }
  if (prefix === '') return {index: whole, entries}
  for (const stone of tables.tombstones.prefixed(prefix)) if (stone.value > index) index = stone.value
  return {index: index === 0 ? whole : index, entries}
}

/** Keys up to the first separator behind the prefix, each once. */
export function foldedKeys(entries: readonly KvEntry[], from: number, separator: string): readonly string[] {
  if (separator === '') return entries.map(entry => entry.key)
  const names: string[] = []
  for (const {key} of entries) {
    const at = key.indexOf(separator, from)
    const name = at < 0 ? key : key.slice(0, at + separator.length)
    if (names.at(-1) !== name) names.push(name)
  }
  return names
}

function bury(change: Change, key: string): void {
  change.tables.tombstones.set({key, value: change.index})
  change.tables.setIndex('tombstones', change.index)
}

function sameEntry(a: KvEntry, b: KvEntry): boolean {
  return (
    a.flags === b.flags &&
    a.lockIndex === b.lockIndex &&
    a.session === b.session &&
    (a.value ?? '') === (b.value ?? '')
  )
}
