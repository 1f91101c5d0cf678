import {CursorProblem, MsgpackCursor} from '../codec/msgpack-cursor.js'
import {MsgpackWriter} from '../codec/msgpack-writer.js'
import type {Configuration} from '../model/configuration.js'
import type {ServerAddress} from '../model/ids.js'
import {serverAddress, serverId} from '../model/ids.js'
import {configurationData, peersData, readConfigurationEntry} from '../raft/configuration-entry.js'
import type {
  AppendRequest,
  LogEntry,
  PreVoteRequest,
  RaftRequest,
  RaftResponse,
  SnapshotRequest,
  VoteRequest,
} from '../raft/messages.js'
import {LogType} from '../raft/messages.js'
import type {Decoded} from './fields.js'
import {decoded, undecodable} from './fields.js'

/**
 * The requests and responses of hashicorp/raft's NetworkTransport (net_transport.go, commands.go): a request is a byte
 * for its type and a map, a response an error text and a map. The fields of `RPCHeader` stand flat in each map.
 */

/** The first byte of a request (net_transport.go). */
export const RaftRpc = {append: 0, vote: 1, snapshot: 2, 'timeout-now': 3, 'pre-vote': 4} as const

/** What we speak: hashicorp/raft's protocol of servers with ids (`ProtocolVersion` 3, config.go). */
export const RAFT_PROTOCOL = 3
/** What a receiver of protocol 3 says to a request of a version that it does not take (api.go). */
export const UNSUPPORTED_PROTOCOL = 'operation not supported with current protocol version'
/** What a receiver says to a request of a type that it does not know (raft.go). */
export const UNEXPECTED_COMMAND = 'unexpected command'

const TEXT_MAX = 1024

/** A request as it came, with what its sender said of itself. */
export interface ReceivedRequest {
  /** Undefined from Consul 0.6 and older, whose library had none. */
  readonly protocolVersion: number | undefined
  readonly request: RaftRequest
}

/**
 * A request with its type byte; a snapshot's bytes are to follow it, exactly `meta.size` of them. Entries are given
 * without the time of their appending, which means "unknown" to all versions.
 */
export function encodeRaftRequest(request: RaftRequest): Uint8Array {
  switch (request.rpc) {
    case 'append':
      return encodeAppend(request)
    case 'vote':
      return encodeVote(request)
    case 'pre-vote':
      return encodePreVote(request)
    case 'snapshot':
      return encodeSnapshot(request)
    case 'timeout-now': {
      const writer = new MsgpackWriter(32).byte(RaftRpc['timeout-now']).map(1)
      return writer.text('ProtocolVersion').unsigned(RAFT_PROTOCOL).finish()
    }
  }
}

function encodeAppend(request: AppendRequest): Uint8Array {
  const {entries} = request
  let size = 256
  for (const {data, extensions} of entries)
    size += data.length + 48 + (extensions === undefined ? 0 : extensions.length + 16)
  const writer = new MsgpackWriter(size).byte(RaftRpc.append).map(9)
  writer.text('Addr').text(request.leader).text('Entries')
  // A heartbeat has nil where an append has a list, be it empty.
  if (isHeartbeat(request)) writer.nil()
  else writer.array(entries.length)
  for (const entry of entries) {
    const {extensions} = entry
    writer
      .map(extensions === undefined ? 4 : 5)
      .text('Data')
      .bytesOrNil(entry.data)
    if (extensions !== undefined) writer.text('Extensions').bytes(extensions)
    writer.text('Index').unsigned(entry.index).text('Term').unsigned(entry.term)
    writer.text('Type').unsigned(entry.type)
  }
  writer.text('ID').text(request.leaderId).text('Leader').text(request.leader)
  writer.text('LeaderCommitIndex').unsigned(request.leaderCommit)
  writer.text('PrevLogEntry').unsigned(request.prevIndex)
  writer.text('PrevLogTerm').unsigned(request.prevTerm)
  writer.text('ProtocolVersion').unsigned(RAFT_PROTOCOL)
  return writer.text('Term').unsigned(request.term).finish()
}

const isHeartbeat = ({entries, prevIndex, prevTerm, leaderCommit}: AppendRequest): boolean =>
  entries.length === 0 && prevIndex === 0 && prevTerm === 0 && leaderCommit === 0

function encodeVote(request: VoteRequest): Uint8Array {
  const writer = new MsgpackWriter().byte(RaftRpc.vote).map(8)
  writer.text('Addr').text(request.candidate).text('Candidate').text(request.candidate)
  writer.text('ID').text(request.candidateId)
  writer.text('LastLogIndex').unsigned(request.lastIndex).text('LastLogTerm').unsigned(request.lastTerm)
  writer.text('LeadershipTransfer').bool(request.leadershipTransfer)
  writer.text('ProtocolVersion').unsigned(RAFT_PROTOCOL)
  return writer.text('Term').unsigned(request.term).finish()
}

function encodePreVote(request: PreVoteRequest): Uint8Array {
  const writer = new MsgpackWriter().byte(RaftRpc['pre-vote']).map(6)
  writer.text('Addr').text(request.candidate).text('ID').text(request.candidateId)
  writer.text('LastLogIndex').unsigned(request.lastIndex).text('LastLogTerm').unsigned(request.lastTerm)
  writer.text('ProtocolVersion').unsigned(RAFT_PROTOCOL)
  return writer.text('Term').unsigned(request.term).finish()
}

function encodeSnapshot(request: SnapshotRequest): Uint8Array {
  const {meta} = request
  const writer = new MsgpackWriter(512).byte(RaftRpc.snapshot).map(12)
  writer.text('Addr').text(request.leader)
  writer.text('Configuration').bytes(configurationData(meta.configuration))
  writer.text('ConfigurationIndex').unsigned(meta.configurationIndex)
  writer.text('ID').text(request.leaderId)
  writer.text('LastLogIndex').unsigned(meta.index).text('LastLogTerm').unsigned(meta.term)
  writer.text('Leader').text(request.leader)
  writer.text('Peers').bytes(peersData(meta.configuration))
  writer.text('ProtocolVersion').unsigned(RAFT_PROTOCOL)
  writer.text('Size').unsigned(meta.size).text('SnapshotVersion').unsigned(1)
  return writer.text('Term').unsigned(request.term).finish()
}

/** The fields of every request, gathered in one pass whatever their order. */
interface Gathered {
  protocolVersion: number | undefined
  address: string
  id: string
  term: number
  leader: string
  candidate: string
  prevIndex: number
  prevTerm: number
  entries: readonly LogEntry[]
  leaderCommit: number
  lastIndex: number
  lastTerm: number
  transfer: boolean
  size: number
  peers: Uint8Array
  configuration: Uint8Array
  configurationIndex: number
}

type Gather = (to: Gathered, cursor: MsgpackCursor) => void

const GATHER: ReadonlyMap<string, Gather> = new Map<string, Gather>([
  ['ProtocolVersion', (to, c) => (to.protocolVersion = c.unsigned())],
  ['Addr', (to, c) => (to.address = c.text(TEXT_MAX))],
  ['ID', (to, c) => (to.id = c.text(TEXT_MAX))],
  ['Term', (to, c) => (to.term = c.unsigned())],
  ['Leader', (to, c) => (to.leader = c.text(TEXT_MAX))],
  ['Candidate', (to, c) => (to.candidate = c.text(TEXT_MAX))],
  ['PrevLogEntry', (to, c) => (to.prevIndex = c.unsigned())],
  ['PrevLogTerm', (to, c) => (to.prevTerm = c.unsigned())],
  ['Entries', (to, c) => (to.entries = readEntries(c))],
  ['LeaderCommitIndex', (to, c) => (to.leaderCommit = c.unsigned())],
  ['LastLogIndex', (to, c) => (to.lastIndex = c.unsigned())],
  ['LastLogTerm', (to, c) => (to.lastTerm = c.unsigned())],
  ['LeadershipTransfer', (to, c) => (to.transfer = c.bool())],
  ['Size', (to, c) => (to.size = c.unsigned())],
  ['Peers', (to, c) => (to.peers = c.raw())],
  ['Configuration', (to, c) => (to.configuration = c.raw())],
  ['ConfigurationIndex', (to, c) => (to.configurationIndex = c.unsigned())],
])

const NO_BYTES = new Uint8Array(0)

function gather(cursor: MsgpackCursor): Gathered {
  const to: Gathered = {
    protocolVersion: undefined,
    address: '',
    id: '',
    term: 0,
    leader: '',
    candidate: '',
    prevIndex: 0,
    prevTerm: 0,
    entries: [],
    leaderCommit: 0,
    lastIndex: 0,
    lastTerm: 0,
    transfer: false,
    size: 0,
    peers: NO_BYTES,
    configuration: NO_BYTES,
    configurationIndex: 0,
  }
  for (let left = cursor.map(); left > 0; left--) {
    const read = GATHER.get(cursor.key())
    if (read === undefined) cursor.skip()
    else read(to, cursor)
  }
  return to
}

function readEntries(cursor: MsgpackCursor): readonly LogEntry[] {
  const entries: LogEntry[] = []
  for (let left = cursor.array(); left > 0; left--) entries.push(readEntry(cursor))
  return entries
}

function readEntry(cursor: MsgpackCursor): LogEntry {
  let index = 0
  let term = 0
  let type = 0
  let data: Uint8Array = NO_BYTES
  let extensions: Uint8Array = NO_BYTES
  for (let left = cursor.map(); left > 0; left--) {
    const key = cursor.key()
    if (key === 'Index') index = cursor.unsigned()
    else if (key === 'Term') term = cursor.unsigned()
    else if (key === 'Type') type = cursor.unsigned()
    else if (key === 'Data') data = cursor.raw()
    else if (key === 'Extensions') extensions = cursor.raw()
    // The time of appending is not kept: nothing is decided by it.
    else cursor.skip()
  }
  if (type > LogType.configuration) throw new CursorProblem('an entry is of an unknown type')
  const entry = {index, term, type: type as LogType, data}
  return extensions.length === 0 ? entry : {...entry, extensions}
}

/** A request with its type byte. Data of entries is a part of `bytes`. A snapshot's bytes are not part of it. */
export function decodeRaftRequest(bytes: Uint8Array): Decoded<ReceivedRequest> {
  try {
    const fields = gather(new MsgpackCursor(bytes, 1))
    const request = requestOf(bytes[0], fields)
    return typeof request === 'string'
      ? undecodable(request)
      : decoded({protocolVersion: fields.protocolVersion, request})
  } catch (error) {
    if (error instanceof CursorProblem) return undecodable(error.message)
    throw error
  }
}

/** The request, or why there is none. The header's address counts more than the older fields (raft 1.3.7). */
function requestOf(type: number | undefined, fields: Gathered): RaftRequest | string {
  const {term, lastIndex, lastTerm} = fields
  switch (type) {
    case RaftRpc.append:
      return {
        rpc: 'append',
        term,
        leaderId: serverId(fields.id),
        leader: serverAddress(fields.address || fields.leader),
        prevIndex: fields.prevIndex,
        prevTerm: fields.prevTerm,
        entries: fields.entries,
        leaderCommit: fields.leaderCommit,
      }
    case RaftRpc.vote: {
      const candidate = serverAddress(fields.address || fields.candidate)
      const {transfer: leadershipTransfer} = fields
      const candidateId = serverId(fields.id)
      return {rpc: 'vote', term, candidateId, candidate, lastIndex, lastTerm, leadershipTransfer}
    }
    case RaftRpc['pre-vote']: {
      const candidate = serverAddress(fields.address)
      return {rpc: 'pre-vote', term, candidateId: serverId(fields.id), candidate, lastIndex, lastTerm}
    }
    case RaftRpc['timeout-now']:
      return {rpc: 'timeout-now'}
    case RaftRpc.snapshot: {
      const configuration = snapshotConfiguration(fields)
      if (configuration === undefined) return 'the configuration of the snapshot does not parse'
      return {
        rpc: 'snapshot',
        term,
        leaderId: serverId(fields.id),
        leader: serverAddress(fields.address || fields.leader),
        meta: {
          id: '',
          index: lastIndex,
          term: lastTerm,
          configuration,
          configurationIndex: fields.configurationIndex,
          size: fields.size,
        },
      }
    }
    default:
      return UNEXPECTED_COMMAND
  }
}

/** The configuration that comes with a snapshot; from libraries before versions a bare list of addresses. */
function snapshotConfiguration({configuration, peers}: Gathered): Configuration | undefined {
  return configuration.length > 0
    ? readConfigurationEntry(LogType.configuration, configuration)
    : readConfigurationEntry(LogType.addPeer, peers.length > 0 ? peers : Uint8Array.of(0xc0))
}

/** What a request came to: its response, or the text of an error, after which the connection stays in use. */
export type RaftAnswer =
  | {readonly kind: 'response'; readonly response: RaftResponse}
  | {readonly kind: 'error'; readonly text: string}

/**
 * The answer to a request. `peers` are told to a candidate whose library has no versions: it panics when a vote
 * names none.
 */
export function encodeRaftAnswer(answer: RaftAnswer, peers?: readonly ServerAddress[]): Uint8Array {
  const writer = new MsgpackWriter(160)
  if (answer.kind === 'error') return writer.text(answer.text).nil().finish()
  const {response} = answer
  writer.text('')
  switch (response.rpc) {
    case 'append':
      // hashicorp/raft passes over fields that it does not know; it has none for this promise
      writer
        .map(response.loyalMs === undefined ? 5 : 6)
        .text('LastLog')
        .unsigned(response.lastIndex)
      if (response.loyalMs !== undefined) writer.text('LoyalMs').unsigned(response.loyalMs)
      writer.text('NoRetryBackoff').bool(response.noRetryBackoff)
      writer.text('ProtocolVersion').unsigned(RAFT_PROTOCOL)
      return writer.text('Success').bool(response.success).text('Term').unsigned(response.term).finish()
    case 'vote':
      writer.map(4).text('Granted').bool(response.granted).text('Peers')
      if (peers === undefined) writer.nil()
      else writer.bytes(peersOf(peers))
      writer.text('ProtocolVersion').unsigned(RAFT_PROTOCOL)
      return writer.text('Term').unsigned(response.term).finish()
    case 'pre-vote':
      writer.map(3).text('Granted').bool(response.granted)
      writer.text('ProtocolVersion').unsigned(RAFT_PROTOCOL)
      return writer.text('Term').unsigned(response.term).finish()
    case 'snapshot':
      writer.map(3).text('ProtocolVersion').unsigned(RAFT_PROTOCOL)
      return writer.text('Success').bool(response.success).text('Term').unsigned(response.term).finish()
    case 'timeout-now':
      return writer.map(1).text('ProtocolVersion').unsigned(RAFT_PROTOCOL).finish()
  }
}

function peersOf(peers: readonly ServerAddress[]): Uint8Array {
  const writer = new MsgpackWriter().array(peers.length)
  for (const peer of peers) writer.text(peer)
  return writer.finish()
}

/** The answer to a request of the kind `rpc`, whole: the error text and the map behind it. */
export function decodeRaftAnswer(bytes: Uint8Array, rpc: RaftRequest['rpc']): Decoded<RaftAnswer> {
  try {
    const cursor = new MsgpackCursor(bytes)
    const text = cursor.text(64 * 1024)
    if (text !== '') return decoded({kind: 'error', text})
    return decoded({kind: 'response', response: readResponse(cursor, rpc)})
  } catch (error) {
    if (error instanceof CursorProblem) return undecodable(error.message)
    throw error
  }
}

function readResponse(cursor: MsgpackCursor, rpc: RaftRequest['rpc']): RaftResponse {
  let term = 0
  let lastIndex = 0
  let success = false
  let granted = false
  let noRetryBackoff = false
  let promise: {readonly loyalMs?: number} = {}
  for (let left = cursor.map(); left > 0; left--) {
    const key = cursor.key()
    if (key === 'Term') term = cursor.unsigned()
    else if (key === 'LastLog') lastIndex = cursor.unsigned()
    else if (key === 'Success') success = cursor.bool()
    else if (key === 'Granted') granted = cursor.bool()
    else if (key === 'NoRetryBackoff') noRetryBackoff = cursor.bool()
    else if (key === 'LoyalMs') promise = {loyalMs: cursor.unsigned()}
    else cursor.skip()
  }
  switch (rpc) {
    case 'append':
      return {rpc, term, lastIndex, success, noRetryBackoff, ...promise}
    case 'vote':
    case 'pre-vote':
      return {rpc, term, granted}
    case 'snapshot':
      return {rpc, term, success}
    case 'timeout-now':
      return {rpc}
  }
}
