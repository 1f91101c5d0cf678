import {createHash} from 'node:crypto'
import type {Server} from '../../src/core/model/configuration.js'

/** An entry of a modelled log. */
export type Entry =
  | {readonly index: number; readonly term: number; readonly kind: 'noop'}
  | {
      readonly index: number
      readonly term: number
      readonly kind: 'put'
      readonly key: string
      readonly value: string
    }
  | {readonly index: number; readonly term: number; readonly kind: 'delete'; readonly key: string}
  | {
      readonly index: number
      readonly term: number
      readonly kind: 'peers'
      readonly servers: readonly Server[]
    }

/** Keys with the value and the index that last changed them. */
export type Contents = ReadonlyMap<string, {readonly value: string; readonly modified: number}>

/** What lies under a path. A store and a snapshot are single values: how their bytes look is not modelled. */
export type Node =
  | {readonly kind: 'text'; readonly text: string; readonly uid: number; readonly mode: number}
  | {readonly kind: 'store'; readonly entries: readonly Entry[]; readonly currentTerm: number}
  | {
      readonly kind: 'snapshot'
      readonly index: number
      readonly term: number
      readonly servers: readonly Server[]
      readonly contents: Contents
    }

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** The disk of a modelled host: whole paths to nodes, directories implied. Survives every kill. */
export class Disk {
  #nodes = new Map<string, Node>()
  /** Counts every change, so that tests can claim that none happened. */
  changes = 0

  get(path: string): Node | undefined {
    return this.#nodes.get(path)
  }
  text(path: string): string | undefined {
    const node = this.#nodes.get(path)
    return node?.kind === 'text' ? node.text : undefined
  }
  set(path: string, node: Node): void {
    this.#nodes.set(path, node)
    this.changes += 1
  }
  write(path: string, text: string, uid = 100, mode = 0o644): void {
    this.set(path, {kind: 'text', text, uid, mode})
  }
  /** Removes a file or everything below a directory. */
  remove(path: string): void {
    for (const name of this.below(path)) this.#nodes.delete(name)
    this.changes += 1
  }
  exists(path: string): boolean {
    return this.below(path).length > 0
  }
  below(path: string): readonly string[] {
    return [...this.#nodes.keys()].filter(name => name === path || name.startsWith(`${path}/`)).sort()
  }
  copy(from: string, to: string): void {
    for (const name of this.below(from)) {
      const node = this.#nodes.get(name)
      if (node !== undefined) this.#nodes.set(to + name.slice(from.length), node)
    }
    this.changes += 1
  }
  rename(from: string, to: string): void {
    this.copy(from, to)
    this.remove(from)
  }
  digest(path: string): string | undefined {
    const node = this.#nodes.get(path)
    if (node === undefined) return undefined
    return sha256(node.kind === 'text' ? node.text : this.fingerprint([path]))
  }
  /** All that lies below the paths, comparable. */
  fingerprint(paths: readonly string[]): string {
    const flat = (_: string, value: unknown): unknown => (value instanceof Map ? [...value] : value)
    return JSON.stringify(
      paths.flatMap(path => this.below(path).map(name => [name, this.#nodes.get(name)])),
      flat,
    )
  }
}

/** Where a modelled server keeps its things. */
export const paths = {
  data: '/var/consul',
  raft: '/var/consul/raft',
  store: '/var/consul/raft/raft.db',
  snapshots: '/var/consul/raft/snapshots',
  peers: '/var/consul/raft/peers.json',
  peersInfo: '/var/consul/raft/peers.info',
  nodeId: '/var/consul/node-id',
  serf: '/var/consul/serf/local.snapshot',
  config: '/etc/consul.d',
  lock: '/run/quorate.lock',
} as const

/** What a raft directory holds, as a server sees it at its start. */
export interface RaftState {
  readonly entries: readonly Entry[]
  readonly currentTerm: number
  readonly snapshot: Extract<Node, {kind: 'snapshot'}> | undefined
}

export function readRaft(disk: Disk): RaftState {
  const store = disk.get(paths.store)
  const newest = disk
    .below(paths.snapshots)
    .map(path => disk.get(path))
    .filter(node => node?.kind === 'snapshot')
    .sort((a, b) => b.term - a.term || b.index - a.index)[0]
  if (store?.kind !== 'store') return {entries: [], currentTerm: 0, snapshot: newest}
  return {entries: store.entries, currentTerm: store.currentTerm, snapshot: newest}
}

/** The end of log and snapshot together. */
export function endOf(state: RaftState): {readonly index: number; readonly term: number} {
  const last = state.entries.at(-1)
  if (last !== undefined) return last
  return {index: state.snapshot?.index ?? 0, term: state.snapshot?.term ?? 0}
}

/** The peer set that log and snapshot name. */
export function peersOf(state: RaftState): {readonly servers: readonly Server[]; readonly index: number} {
  for (const entry of [...state.entries].reverse())
    if (entry.kind === 'peers') return {servers: entry.servers, index: entry.index}
  // RecoverCluster writes configuration index 1 into its snapshot, whatever the log held.
  return {servers: state.snapshot?.servers ?? [], index: 1}
}

/** The contents after all entries up to `upTo`. */
export function contentsOf(state: RaftState, upTo: number): Contents {
  const contents = new Map(state.snapshot?.contents ?? [])
  for (const entry of state.entries) {
    if (entry.index > upTo) break
    if (entry.kind === 'put') contents.set(entry.key, {value: entry.value, modified: entry.index})
    if (entry.kind === 'delete') contents.delete(entry.key)
  }
  return contents
}
