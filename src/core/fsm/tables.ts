import type {
  AutopilotConfig,
  CatalogCheck,
  CatalogNode,
  CatalogService,
  KvEntry,
  Session,
  WatchTarget,
} from './messages.js'
import type {Keyed} from './ordered-map.js'
import {OrderedMap} from './ordered-map.js'

/** A value under a key that is not the value's own. */
export interface Filed<T> extends Keyed {
  readonly value: T
}

/** A record of a kind that is not ours to understand, kept so that a snapshot gives back all that it was given. */
export interface OpaqueRecord {
  readonly type: number
  readonly bytes: Uint8Array
}

/** A state that is being brought in by a client: what came of it so far. */
export interface PendingRestore {
  readonly id: string
  /** Index of the entry that began it; no row of the state gets a higher one. */
  readonly index: number
  readonly parts: readonly Uint8Array[]
}

/** Names in the table of indexes. */
export type IndexName =
  | 'nodes'
  | 'services'
  | 'checks'
  | 'sessions'
  | 'kvs'
  | 'tombstones'
  | 'autopilot-config'
  | `service.${string}`

/** Where the index is kept at which a service last lost its last instance. */
export const LAST_EXTINCTION = 'service_last_extinction'

/** Separates the parts of a composed key; sorts before all that a name may hold. */
export const SEPARATOR = '\0'

/** All tables of the state machine. A fork is a consistent picture that costs nothing to take. */
export class Tables {
  readonly kv: OrderedMap<KvEntry>
  /** Keys and prefixes that were deleted, with the index of that, until they are reaped. */
  readonly tombstones: OrderedMap<Filed<number>>
  readonly sessions: OrderedMap<Filed<Session>>
  /** By lower-case name. */
  readonly nodes: OrderedMap<Filed<CatalogNode>>
  /** By lower-case node, separator, service id. */
  readonly services: OrderedMap<Filed<CatalogService>>
  /** By lower-case node, separator, check id. */
  readonly checks: OrderedMap<Filed<CatalogCheck>>
  readonly indexes: OrderedMap<Filed<number>>
  /** Session id, separator, key whose lock it holds. Derived. */
  readonly locks: OrderedMap<Keyed>
  /** Lower-case node, separator, session id. Derived. */
  readonly nodeSessions: OrderedMap<Keyed>
  /** Service name, separator, key in `services`. Derived. */
  readonly serviceNames: OrderedMap<Keyed>
  autopilot: AutopilotConfig | undefined
  readonly opaque: OpaqueRecord[]
  pending: PendingRestore | undefined

  constructor(from?: Tables) {
    this.kv = from?.kv.fork() ?? new OrderedMap()
    this.tombstones = from?.tombstones.fork() ?? new OrderedMap()
    this.sessions = from?.sessions.fork() ?? new OrderedMap()
    this.nodes = from?.nodes.fork() ?? new OrderedMap()
    this.services = from?.services.fork() ?? new OrderedMap()
    this.checks = from?.checks.fork() ?? new OrderedMap()
    this.indexes = from?.indexes.fork() ?? new OrderedMap()
    this.locks = from?.locks.fork() ?? new OrderedMap()
    this.nodeSessions = from?.nodeSessions.fork() ?? new OrderedMap()
    this.serviceNames = from?.serviceNames.fork() ?? new OrderedMap()
    this.autopilot = from?.autopilot
    this.opaque = from?.opaque.slice() ?? []
    this.pending = from?.pending
  }

  /** A picture of all tables as they are now. */
  fork(): Tables {
    return new Tables(this)
  }

  index(name: IndexName | typeof LAST_EXTINCTION): number | undefined {
    return this.indexes.get(name)?.value
  }

  setIndex(name: IndexName | typeof LAST_EXTINCTION, value: number): void {
    this.indexes.set({key: name, value})
  }

  /** The highest of several tables' indexes; 0 when none was ever written. */
  maxIndex(...names: readonly IndexName[]): number {
    let max = 0
    for (const name of names) max = Math.max(max, this.index(name) ?? 0)
    return max
  }

  /** Puts an entry in place and keeps the derived table of locks right. */
  putKv(entry: KvEntry): void {
    const old = this.kv.set(entry)
    const held = old?.session ?? ''
    if (held === entry.session) return
    if (held !== '') this.locks.delete(held + SEPARATOR + entry.key)
    if (entry.session !== '') this.locks.set({key: entry.session + SEPARATOR + entry.key})
  }

  removeKv(key: string): KvEntry | undefined {
    const old = this.kv.delete(key)
    if (old !== undefined && old.session !== '') this.locks.delete(old.session + SEPARATOR + key)
    return old
  }

  putSession(session: Session): void {
    this.sessions.set({key: session.id, value: session})
    this.nodeSessions.set({key: nodeKey(session.node) + SEPARATOR + session.id})
  }

  putService(service: CatalogService): void {
    const key = partKey(service.node, service.id)
    const old = this.services.set({key, value: service})?.value
    if (old !== undefined && old.service !== service.service)
      this.serviceNames.delete(old.service + SEPARATOR + key)
    this.serviceNames.set({key: service.service + SEPARATOR + key})
  }

  removeService(service: CatalogService): void {
    const key = partKey(service.node, service.id)
    this.services.delete(key)
    this.serviceNames.delete(service.service + SEPARATOR + key)
  }
}

/** A change as its application runs: where to write, at which index, and who is to be told afterwards. */
export interface Change {
  readonly tables: Tables
  readonly index: number
  readonly touched: WatchTarget[]
  /** Keys whose lock was taken away, with the delay in nanoseconds until another session may have it. */
  readonly lockDelays: {readonly key: string; readonly delayNs: number}[]
}

/** The key of a node: its name in lower case, because names are compared so. */
export const nodeKey = (node: string): string => node.toLowerCase()
/** The key of a service or check of a node. */
export const partKey = (node: string, id: string): string => nodeKey(node) + SEPARATOR + id
/** The values under a prefix as a list: what may be changed while it is walked. */
export function listed<T>(map: OrderedMap<Filed<T>>, prefix: string): readonly T[] {
  const values: T[] = []
  for (const filed of map.prefixed(prefix)) values.push(filed.value)
  return values
}
