import type {WatchTarget} from './messages.js'

type Wake = () => void

/**
 * Who waits for what. A change of a key wakes those who watch the key and those who watch any prefix of it; the cost
 * of a change grows with the number of different lengths of watched prefixes, not with that of watchers.
 */
export class Watchers {
  private readonly keys = new Map<string, Set<Wake>>()
  private readonly prefixes = new Map<string, Set<Wake>>()
  private readonly tables = new Map<string, Set<Wake>>()
  /** How many different prefixes of a length are watched. */
  private readonly lengths = new Map<number, number>()

  /** Calls `wake` once at the next change; the returned function takes that back. */
  add(target: WatchTarget, wake: Wake): () => void {
    // A function of its own per watch, so that one caller may watch the same thing twice.
    const once = () => wake()
    if ('prefix' in target) return this.addPrefix(target.prefix, once)
    return 'key' in target ? add(this.keys, target.key, once) : add(this.tables, target.table, once)
  }

  /** Wakes those whom a change concerns. */
  wake(target: WatchTarget): void {
    if ('table' in target) return call(take(this.tables, target.table))
    const key = 'key' in target ? target.key : target.prefix
    if (this.keys.size > 0) call(take(this.keys, key))
    for (const length of [...this.lengths.keys()]) {
      if (length <= key.length) this.wakePrefix(key.slice(0, length))
    }
  }

  /** Wakes everybody: all is different now. */
  wakeAll(): void {
    for (const map of [this.keys, this.tables]) for (const name of [...map.keys()]) call(take(map, name))
    for (const prefix of [...this.prefixes.keys()]) this.wakePrefix(prefix)
  }

  private addPrefix(prefix: string, wake: Wake): () => void {
    if (!this.prefixes.has(prefix))
      this.lengths.set(prefix.length, (this.lengths.get(prefix.length) ?? 0) + 1)
    const cancel = add(this.prefixes, prefix, wake)
    return () => {
      const there = this.prefixes.has(prefix)
      cancel()
      if (there && !this.prefixes.has(prefix)) this.forgetLength(prefix.length)
    }
  }

  private wakePrefix(prefix: string): void {
    const set = take(this.prefixes, prefix)
    if (set === undefined) return
    this.forgetLength(prefix.length)
    call(set)
  }

  private forgetLength(length: number): void {
    const count = (this.lengths.get(length) ?? 1) - 1
    if (count === 0) this.lengths.delete(length)
    else this.lengths.set(length, count)
  }
}

function add(map: Map<string, Set<Wake>>, name: string, wake: Wake): () => void {
  let set = map.get(name)
  if (set === undefined) map.set(name, (set = new Set()))
  set.add(wake)
  return () => {
    const there = map.get(name)
    if (there?.delete(wake) === true && there.size === 0) map.delete(name)
  }
}

function take(map: Map<string, Set<Wake>>, name: string): Set<Wake> | undefined {
  const set = map.get(name)
  if (set !== undefined) map.delete(name)
  return set
}

function call(set: Set<Wake> | undefined): void {
  if (set !== undefined) for (const wake of set) wake()
}
