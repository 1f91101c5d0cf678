import {parseHostPort} from './codec/address.js'
import type {ServerObservation} from './model/observation.js'
import {valueOf} from './model/reading.js'

/** A host that another server named, and what named it. */
export interface DiscoveredHost {
  /** Without a port: where ssh is tried. */
  readonly address: string
  /** One phrase per source, such as `raft configuration, voter 192.168.1.12:8300`. */
  readonly why: readonly string[]
}

/**
 * The other servers that one server knows of, from the surest source to the weakest: the peer set in its API, its log
 * and its snapshots, peers.json, the gossip pool, the gossip snapshot, and the addresses it joins by. The server's own
 * addresses are left out. Members of the gossip pool that are no servers are not named.
 */
export function discoverHosts(server: ServerObservation): readonly DiscoveredHost[] {
  const own = new Set([server.address, ...(valueOf(server.hostAddresses) ?? [])])
  const found = new Map<string, string[]>()
  const add = (address: string, why: string): void => {
    const host = parseHostPort(address)?.host ?? address.replace(/^\[([^\]]*)\]$/, '$1')
    if (host === '' || own.has(host) || isNowhere(host, server.address)) return
    const reasons = found.get(host) ?? []
    if (!reasons.includes(why)) reasons.push(why)
    found.set(host, reasons)
  }
  for (const {address, why} of namedBy(server)) add(address, why)
  return [...found].map(([address, why]) => ({address, why}))
}

interface Named {
  readonly address: string
  readonly why: string
}

function* namedBy(server: ServerObservation): Generator<Named> {
  for (const peer of valueOf(server.api.raftConfiguration)?.servers ?? [])
    yield {
      address: peer.address,
      why: `raft configuration by API, ${peer.voter ? 'voter' : 'nonvoter'} ${peer.node}`.trim(),
    }
  for (const address of valueOf(server.api.statusPeers) ?? []) yield {address, why: 'raft peers by API'}
  for (const peer of valueOf(server.api.self)?.raft?.latestConfiguration?.servers ?? [])
    yield {address: peer.address, why: `raft statistics, ${peer.suffrage}`}
  for (const entry of valueOf(server.store)?.configurations ?? []) {
    for (const peer of entry.configuration.servers)
      yield {address: peer.address, why: `log entry ${entry.index}, ${peer.suffrage}`}
  }
  for (const snapshot of valueOf(server.snapshots) ?? []) {
    for (const peer of snapshot.configuration?.servers ?? [])
      yield {address: peer.address, why: `snapshot ${snapshot.id}, ${peer.suffrage}`}
  }
  for (const peer of valueOf(server.peersFile)?.servers ?? [])
    yield {address: peer.address, why: 'peers.json'}
  for (const member of valueOf(server.api.members) ?? [])
    if (member.server) yield {address: member.address, why: `gossip, ${member.name} is ${member.status}`}
  for (const member of valueOf(server.serfSnapshot)?.members ?? [])
    yield {address: member.address, why: `gossip snapshot, ${member.name}`}
  const config = valueOf(server.config)
  for (const address of config?.retryJoin ?? []) if (isAddress(address)) yield {address, why: 'retry_join'}
  for (const address of config?.startJoin ?? []) if (isAddress(address)) yield {address, why: 'start_join'}
}

/** Cloud auto-join (`provider=aws …`) and templates are no addresses. */
function isAddress(text: string): boolean {
  return text !== '' && !/[\s={}]/.test(text)
}

/** Addresses that mean "here" or "anywhere" lead to no other host, unless the server that names them is here itself. */
function isNowhere(host: string, seed: string): boolean {
  if (/^127\.\d+\.\d+\.\d+$/.test(host)) return !seed.startsWith('127.')
  return /^(0\.0\.0\.0|::1?|localhost)$/i.test(host)
}
