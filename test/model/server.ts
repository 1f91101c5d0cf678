import type {Server} from '../../src/core/model/configuration.js'
import {serverAddress, serverId} from '../../src/core/model/ids.js'
import type {Contents, Disk, Entry, RaftState} from './disk.js'
import {contentsOf, endOf, paths, peersOf, readRaft} from './disk.js'

/** What a modelled server believes while it runs; gone when it is killed. */
export interface Running {
  role: 'leader' | 'follower'
  /** Peers by the live list (Consul up to 0.6) or by log and snapshot. */
  peers: readonly Server[]
  peersIndex: number
  leader: string | undefined
  commit: number
  /** Names of hosts whose gossip it shares. */
  gossip: Set<string>
  mayElectAlone: boolean
  expect: number
}

/** How a start went: it runs, or exits with its own words. */
export type Started = {readonly running: Running} | {readonly exits: string}

export interface Identity {
  readonly name: string
  readonly address: string
  readonly nodeId: string
  readonly version: '0.6.4' | '0.7.5' | '1.8.19'
}

export const isLegacy = (identity: Identity): boolean => identity.version === '0.6.4'

/** The id a server has in the peer set: its address up to Raft protocol 2, its node-id with protocol 3. */
export const raftId = (identity: Identity): string =>
  identity.version === '1.8.19' ? identity.nodeId : identity.address

export const asVoter = (identity: Identity): Server => ({
  id: serverId(raftId(identity)),
  address: serverAddress(identity.address),
  suffrage: 'voter',
})

export const asAddress = (address: string): Server => ({
  id: serverId(address),
  address: serverAddress(address),
  suffrage: 'voter',
})

/** The config files merged in the product's order: lexical, later files win. */
export function readConfig(disk: Disk): Readonly<Record<string, unknown>> {
  const merged: Record<string, unknown> = {}
  for (const path of disk.below(paths.config))
    if (path.endsWith('.json')) Object.assign(merged, JSON.parse(disk.text(path) ?? '{}'))
  return merged
}

/**
 * Starts a server on what is on its disk, as `setupRaft` (agent/consul/server.go) and `RecoverCluster`
 * (hashicorp/raft, api.go) do from Consul 0.7 on, and by its live list before.
 */
export function startServer(identity: Identity, disk: Disk): Started {
  const config = readConfig(disk)
  const expect = Number(config['bootstrap_expect'] ?? 0)
  const base = {
    role: 'follower' as const,
    leader: undefined,
    commit: readRaft(disk).snapshot?.index ?? 0,
    gossip: new Set([identity.name]),
    expect,
  }
  if (isLegacy(identity)) {
    const list = parseList(disk.text(paths.peers))
    if (typeof list === 'string') return {exits: `failed to get list of peers: ${list}`}
    const mayElectAlone = config['bootstrap'] === true || expect === 1
    const servers = list.map(asAddress)
    return {running: {...base, peers: servers, peersIndex: 0, mayElectAlone}}
  }
  const refusal = ingest(identity, disk)
  if (refusal !== undefined) return {exits: refusal}
  const {servers, index} = peersOf(readRaft(disk))
  return {running: {...base, peers: servers, peersIndex: index, mayElectAlone: false}}
}

/** The recovery file at a start from Consul 0.7 on; an answer is the reason why the start fails. */
function ingest(identity: Identity, disk: Disk): string | undefined {
  const text = disk.text(paths.peers)
  if (!disk.exists(paths.peersInfo)) {
    disk.write(paths.peersInfo, 'As of Consul 0.7.0 …')
    if (text !== undefined) disk.remove(paths.peers)
    return undefined
  }
  if (text === undefined) return undefined
  const servers = identity.version === '1.8.19' ? parseObjects(text) : parseList(text)
  if (typeof servers === 'string') return `recovery failed to parse peers.json: ${servers}`
  const voters = servers.map(entry => (typeof entry === 'string' ? asAddress(entry) : entry))
  if (voters.length === 0) return 'recovery failed: Need at least one voter in configuration'
  const state = readRaft(disk)
  if (state.currentTerm === 0 && endOf(state).index === 0)
    return 'recovery failed: refused to recover cluster with no initial state'
  const end = endOf(state)
  disk.set(`${paths.snapshots}/${end.term}-${end.index}-recovered`, {
    kind: 'snapshot',
    ...{index: end.index, term: end.term},
    servers: voters,
    contents: contentsOf(state, end.index),
  })
  disk.set(paths.store, {kind: 'store', entries: [], currentTerm: state.currentTerm})
  disk.remove(paths.peers)
  return undefined
}

function parseList(text: string | undefined): readonly string[] | string {
  if (text === undefined || text === '') return []
  const value: unknown = JSON.parse(text)
  if (value === null) return []
  if (!Array.isArray(value)) return 'json: cannot unmarshal object into Go value of type []string'
  if (value.some(item => typeof item !== 'string'))
    return 'json: cannot unmarshal object into Go value of type string'
  return value as string[]
}

function parseObjects(text: string): readonly Server[] | string {
  const value: unknown = JSON.parse(text)
  if (!Array.isArray(value) || value.some(item => typeof item !== 'object'))
    return 'json: cannot unmarshal string into Go value of type raft.configEntry'
  return (value as {id: string; address: string; non_voter?: boolean}[]).map(item => ({
    id: serverId(item.id),
    address: serverAddress(item.address),
    suffrage: item.non_voter === true ? 'nonvoter' : 'voter',
  }))
}

/** A host with its disk, its service manager and, perhaps, a running server. */
export interface ModelHost {
  readonly identity: Identity
  readonly disk: Disk
  running: Running | undefined
  /** The last words of a server that exited by itself. */
  exited: string | undefined
  held: boolean
  /** What the manager was told last; with `restart` it starts the server again by itself. */
  wanted: boolean
  restart: boolean
  reachable: boolean
  /** Until it is stopped as often as this it commits nothing while it leads (Consul up to 0.6). */
  vain?: number
  lock: {plan: string; by: string} | undefined
}

export const raftOf = (host: ModelHost): RaftState => readRaft(host.disk)
export const contentsNow = (host: ModelHost): Contents => contentsOf(raftOf(host), host.running?.commit ?? 0)

/** Appends entries to a host's log. */
export function appendEntries(host: ModelHost, entries: readonly Entry[], term: number): void {
  const state = raftOf(host)
  host.disk.set(paths.store, {
    kind: 'store',
    entries: [...state.entries, ...entries],
    currentTerm: Math.max(state.currentTerm, term),
  })
}
