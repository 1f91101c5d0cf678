import {assertNever} from '../assert.js'
import type {PeersFile, PeersFileServer, ProductName} from '../model/observation.js'
import {parseHostPort} from './address.js'
import type {JsonNode} from './json-scan.js'
import {sameKey, scanJson} from './json-scan.js'
import type {ExpectedDialect} from './peers-dialect.js'
import {atLeast, hasPeersInfoRule} from './version.js'

/** What else decides what a start with this file does. Undefined is unknown; the outcome then assumes nothing bad. */
export interface StartContext {
  readonly product: ProductName
  readonly version: string | undefined
  /** The server's own id, as in its node-id file. */
  readonly ownId?: string | undefined
  /** The address the server advertises, with the port of its Raft transport. */
  readonly ownAddress?: string | undefined
  /** Whether raft/peers.info exists. */
  readonly peersInfo?: boolean | undefined
  /** Whether there is a term, a log or a snapshot. */
  readonly hasState?: boolean | undefined
  /** Whether a snapshot, if there are any, can be restored. */
  readonly snapshotsIntact?: boolean | undefined
  /** Whether the service's user may read the file. */
  readonly readable?: boolean | undefined
  /** Whether the service's user may delete the file. */
  readonly deletable?: boolean | undefined
  /** Whether the server is started with bootstrap or bootstrap_expect=1. */
  readonly bootstrap?: boolean | undefined
}

/** What a start with this file would do. */
export interface StartOutcome {
  readonly starts: boolean
  /** The file is taken as the new peer set (and, from Consul 0.7, deleted). */
  readonly ingests: boolean
  /** The file is deleted unread, because peers.info is missing. */
  readonly discards: boolean
  /**
   * `alone`: this server can elect itself. `with-others`: it needs votes of others it lists. `impossible`: it
   * cannot become leader by this file. `unknown`: the file does not decide it.
   */
  readonly leader: 'alone' | 'with-others' | 'impossible' | 'unknown'
  /** The peer set the server would believe in after the start; undefined when the file does not set it. */
  readonly servers: readonly PeersFileServer[] | undefined
  /** The server's own words for a refusal, as in its log. */
  readonly error: string | undefined
  readonly reason: string
}

type Decoded =
  | {readonly ok: true; readonly servers: readonly PeersFileServer[]}
  | {readonly ok: false; readonly message: string}

const STARTS = {starts: true, ingests: false, discards: false, servers: undefined, error: undefined} as const

/**
 * Predicts what a server that expects `expected` makes of a peers.json at its next start, in the order of `setupRaft`
 * in agent/consul/server.go and of `RecoverCluster` in hashicorp/raft: peers.info, reading, decoding, legality, state,
 * snapshots, deletion. A missing file is `undefined`.
 */
export function judgePeersFile(
  file: PeersFile | undefined,
  expected: ExpectedDialect,
  context: StartContext,
): StartOutcome {
  if (expected === 'live-list') return judgeLive(file, context)
  if (file === undefined)
    return {...STARTS, leader: 'unknown', reason: 'there is no recovery file; the log decides the peer set'}
  const needsPeersInfo = hasPeersInfoRule(context.product, context.version) === true
  if (needsPeersInfo && context.peersInfo === false)
    return {
      ...STARTS,
      discards: true,
      leader: 'unknown',
      reason: 'peers.info is missing, so the file is deleted unread and the old peer set stays in force',
    }
  const parse = 'recovery failed to parse peers.json: '
  if (context.readable === false) return refused(`${parse}open peers.json: permission denied`)
  const decoded = expected === 'list' ? decodeList(file.text, false) : decodeObjects(file.text)
  if (!decoded.ok) return refused(parse + decoded.message)
  const illegal = firstIllegal(decoded.servers)
  if (illegal !== undefined) return refused(parse + inWordsOf(illegal, context))
  if (context.hasState === false && context.product !== 'rqlite')
    return refused(
      'recovery failed: refused to recover cluster with no initial state, this is probably an operator error',
    )
  if (context.snapshotsIntact === false)
    return refused('recovery failed: failed to restore any of the available snapshots')
  if (context.deletable === false && context.product !== 'rqlite')
    return {
      ...refused('recovery failed to delete peers.json, please delete manually (see peers.info for details)'),
      ingests: true,
      servers: decoded.servers,
    }
  return judgeIngested(decoded.servers, expected, context)
}

function refused(error: string): StartOutcome {
  return {
    starts: false,
    ingests: false,
    discards: false,
    leader: 'impossible',
    servers: undefined,
    error,
    reason: `the server does not start: ${error}`,
  }
}

/** Consul up to 0.6: the list is the peer set; the library takes the own address out and adds itself to the count. */
function judgeLive(file: PeersFile | undefined, context: StartContext): StartOutcome {
  if (file !== undefined && context.readable === false)
    return refused('failed to get list of peers: open peers.json: permission denied')
  const decoded: Decoded = file === undefined ? {ok: true, servers: []} : decodeList(file.text, true)
  if (!decoded.ok) return refused(`failed to get list of peers: ${decoded.message}`)
  const {servers} = decoded
  const base = {...STARTS, ingests: true, servers}
  if (context.ownAddress === undefined)
    return {...base, leader: 'unknown', reason: 'the own address of the server is unknown'}
  const others = servers.filter(server => server.address !== context.ownAddress)
  if (others.length === 0) {
    if (context.bootstrap === true)
      return {...base, leader: 'alone', reason: 'it knows no other peer and is allowed to elect itself'}
    if (context.hasState !== false)
      return {
        ...base,
        leader: 'impossible',
        reason: 'it knows no other peer and, without bootstrap, does not hold an election',
      }
    return {...base, leader: 'unknown', reason: 'it is new and waits for servers to bootstrap with'}
  }
  const needed = Math.floor((others.length + 1) / 2) + 1
  return {...base, ...byVotes(1 + others.filter(isDialable).length, needed)}
}

/** From 0.7 on the server must find itself as a voter: by address up to Raft protocol 2, by id from 3. */
function judgeIngested(
  servers: readonly PeersFileServer[],
  expected: 'list' | 'objects',
  context: StartContext,
): StartOutcome {
  const base = {...STARTS, ingests: true, servers}
  const own = expected === 'list' ? context.ownAddress : context.ownId
  if (own === undefined)
    return {...base, leader: 'unknown', reason: 'the own id or address of the server is unknown'}
  const self = servers.find(server => server.id === own)
  if (self === undefined)
    return {
      ...base,
      leader: 'impossible',
      reason: 'the file is taken, but does not name this server as it knows itself',
    }
  if (self.nonVoter) return {...base, leader: 'impossible', reason: 'the file makes this server a nonvoter'}
  const voters = servers.filter(server => !server.nonVoter)
  if (voters.length === 1) return {...base, leader: 'alone', reason: 'it is the only voter'}
  const needed = Math.floor(voters.length / 2) + 1
  return {...base, ...byVotes(1 + voters.filter(voter => voter !== self && isDialable(voter)).length, needed)}
}

function byVotes(most: number, needed: number): Pick<StartOutcome, 'leader' | 'reason'> {
  return most >= needed
    ? {leader: 'with-others', reason: `it needs ${needed} votes, its own among them`}
    : {leader: 'impossible', reason: `it needs ${needed} votes and only ${most} could ever be cast`}
}

const isDialable = (server: PeersFileServer): boolean => parseHostPort(server.address) !== undefined

/** Go's `[]string`. The live list of old may have no bytes at all (`JSONPeers.Peers`). */
function decodeList(text: string, emptyIsFine: boolean): Decoded {
  if (text === '' && emptyIsFine) return {ok: true, servers: []}
  return decodeItems(text, '[]string', item => {
    if (item.kind !== 'string' && item.kind !== 'null') return cannot(item, 'value', 'string')
    const address = item.kind === 'string' ? item.value : ''
    return {id: address, address, nonVoter: false}
  })
}

/** Go's `[]configEntry`. */
function decodeObjects(text: string): Decoded {
  return decodeItems(text, '[]raft.configEntry', item => {
    const server = {id: '', address: '', nonVoter: false}
    if (item.kind === 'null') return server
    if (item.kind !== 'object') return cannot(item, 'value', 'raft.configEntry')
    for (const {key, value} of item.members) {
      if (value.kind === 'null') continue
      if (sameKey(key, 'non_voter')) {
        if (value.kind !== 'bool') return cannot(value, 'struct field configEntry.non_voter', 'bool')
        server.nonVoter = value.value
      } else if (sameKey(key, 'id') || sameKey(key, 'address')) {
        const field = sameKey(key, 'id') ? 'id' : 'address'
        if (value.kind !== 'string') return cannot(value, `struct field configEntry.${field}`, 'string')
        server[field] = value.value
      }
    }
    return server
  })
}

function decodeItems(
  text: string,
  type: string,
  decode: (item: JsonNode) => PeersFileServer | string,
): Decoded {
  const scan = scanJson(text)
  if (!scan.ok) return {ok: false, message: scan.message}
  const {node} = scan
  if (node.kind === 'null') return {ok: true, servers: []}
  if (node.kind !== 'array') return {ok: false, message: cannot(node, 'value', type)}
  const servers: PeersFileServer[] = []
  for (const item of node.items) {
    const server = decode(item)
    // Go goes on decoding after a wrong type, but what it reports is the first.
    if (typeof server === 'string') return {ok: false, message: server}
    servers.push(server)
  }
  return {ok: true, servers}
}

function cannot(node: JsonNode, where: string, type: string): string {
  return `json: cannot unmarshal ${node.kind} into Go ${where} of type ${type}`
}

/** `checkConfiguration` of hashicorp/raft in its order and words; the first letter is small from raft 1.3.0 on. */
function firstIllegal(servers: readonly PeersFileServer[]): string | undefined {
  const ids = new Set<string>()
  const addresses = new Set<string>()
  for (const server of servers) {
    if (server.id === '') return `Empty ID in configuration: ${goConfiguration(servers)}`
    if (server.address === '') return `Empty address in configuration: ${goServer(server)}`
    if (ids.has(server.id)) return `Found duplicate ID in configuration: ${server.id}`
    if (addresses.has(server.address)) return `Found duplicate address in configuration: ${server.address}`
    ids.add(server.id)
    addresses.add(server.address)
  }
  if (!servers.some(server => !server.nonVoter))
    return `Need at least one voter in configuration: ${goConfiguration(servers)}`
  return undefined
}

const goServer = (server: PeersFileServer): string =>
  `{${server.nonVoter ? 'Nonvoter' : 'Voter'} ${server.id} ${server.address}}`
const goConfiguration = (servers: readonly PeersFileServer[]): string =>
  `{[${servers.map(goServer).join(' ')}]}`

function inWordsOf(message: string, context: StartContext): string {
  return capitalised(context) ? message : message.charAt(0).toLowerCase() + message.slice(1)
}

function capitalised({product, version}: StartContext): boolean {
  switch (product) {
    case 'consul':
      return atLeast(version, '1.10.0') === false
    case 'nomad':
      return atLeast(version, '1.3.0') === false
    case 'vault':
    case 'rqlite':
      return false
    default:
      return assertNever(product)
  }
}
