import type {ApplyResult, KvEntry} from '../../../src/core/fsm/messages.js'

interface NaiveSession {
  readonly id: string
  readonly behavior: string
}

/** The KV store and its sessions as one would write them down first: a map, walked whole for every question. */
export class NaiveModel {
  readonly kv = new Map<string, KvEntry>()
  readonly sessions = new Map<string, NaiveSession>()
  private readonly stones: {readonly key: string; readonly index: number}[] = []
  private kvIndex = 0

  apply(index: number, op: string, entry: KvEntry): ApplyResult {
    const old = this.kv.get(entry.key)
    switch (op) {
      case 'set':
        return this.put(index, {...entry, session: old?.session ?? ''}) as undefined
      case 'cas':
        if ((old?.modifyIndex ?? 0) !== entry.modifyIndex) return false
        this.put(index, {...entry, session: old?.session ?? ''})
        return true
      case 'delete':
        return this.remove(index, [entry.key], entry.key) as undefined
      case 'delete-cas':
        if (old !== undefined && old.modifyIndex !== entry.modifyIndex) return false
        this.remove(index, [entry.key], entry.key)
        return true
      case 'delete-tree':
        return this.remove(
          index,
          [...this.kv.keys()].filter(key => key.startsWith(entry.key)),
          entry.key,
        ) as undefined
      case 'lock': {
        if (!this.sessions.has(entry.session)) return {error: `invalid session "${entry.session}"`}
        if (old !== undefined && old.session !== '' && old.session !== entry.session) return false
        const lockIndex = old?.session === entry.session ? old.lockIndex : (old?.lockIndex ?? 0) + 1
        this.put(index, {...entry, lockIndex})
        return true
      }
      default:
        if (old === undefined || old.session !== entry.session) return false
        this.put(index, {...entry, session: '', lockIndex: old.lockIndex})
        return true
    }
  }

  end(index: number, id: string): void {
    const session = this.sessions.get(id)
    if (session === undefined) return
    this.sessions.delete(id)
    for (const entry of [...this.kv.values()]) {
      if (entry.session !== id) continue
      if (session.behavior === 'delete') this.remove(index, [entry.key], entry.key)
      else this.put(index, {...entry, session: ''})
    }
  }

  list(prefix: string): {index: number; entries: readonly KvEntry[]} {
    const entries = [...this.kv.values()]
      .filter(entry => entry.key.startsWith(prefix))
      .sort((a, b) => (a.key < b.key ? -1 : 1))
    const indexes = [
      ...entries.map(entry => entry.modifyIndex),
      ...this.stones.filter(stone => stone.key.startsWith(prefix)).map(stone => stone.index),
    ]
    const index = prefix === '' || indexes.length === 0 ? this.kvIndex : Math.max(...indexes)
    return {index, entries}
  }

  private put(index: number, entry: KvEntry): void {
    const old = this.kv.get(entry.key)
    const plain = ({value, flags, lockIndex, session}: KvEntry) =>
      JSON.stringify([value ?? '', String(flags), lockIndex, session])
    if (old !== undefined && plain(old) === plain(entry)) return
    this.kv.set(entry.key, {...entry, createIndex: old?.createIndex ?? index, modifyIndex: index})
    this.kvIndex = index
  }

  private remove(index: number, keys: readonly string[], stone: string): void {
    const gone = keys.filter(key => this.kv.delete(key))
    if (gone.length === 0) return
    this.kvIndex = index
    if (stone === '') return
    // The newest stone of a key takes the place of an older one.
    const at = this.stones.findIndex(({key}) => key === stone)
    if (at >= 0) this.stones.splice(at, 1)
    this.stones.push({key: stone, index})
  }
}
