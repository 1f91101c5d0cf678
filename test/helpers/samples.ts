import {createHash} from 'node:crypto'
import {existsSync, readFileSync} from 'node:fs'
import path from 'node:path'
import {
  parseAgentSelf,
  parseMembers,
  parseRaftConfiguration,
  parseStatusLeader,
  parseStatusPeers,
} from '../../src/core/codec/consul-api.js'
import {matchLog} from '../../src/core/codec/log-match.js'
import {parseNodeId} from '../../src/core/codec/node-id.js'
import type {Parsed} from '../../src/core/codec/parse-problem.js'
import {parsePeersJson} from '../../src/core/codec/peers-json.js'
import {parseSerfSnapshot} from '../../src/core/codec/serf-snapshot.js'
import type {PeersFile, ServerObservation} from '../../src/core/model/observation.js'
import type {NotRead, Reading, Source} from '../../src/core/model/reading.js'
import {read, unread} from '../../src/core/model/reading.js'
import {readStore} from '../../src/core/store/read-store.js'
import type {StoreResult} from '../../src/core/store/requests.js'
import {readSnapshots} from '../../src/core/store/snapshots.js'
import type {ServerFacts} from './fleet.js'
import {configOf, missing, server, withFacts} from './fleet.js'
import type {Source as Files} from './store-files.js'
import {runReader, sample} from './store-files.js'

const utf8 = new TextEncoder()
const sourceOf = (host: string, what: string): Source => ({host, via: 'file', what})

/** The bytes of a file of a sample, or undefined when it has none. */
function bytesOf(...parts: string[]): Uint8Array | undefined {
  const name = sample(...parts)
  return existsSync(name) ? new Uint8Array(readFileSync(name)) : undefined
}

function fromStore<T>(result: StoreResult<T>, source: Source): Reading<T> {
  return result.kind === 'read' ? read(result.value, source) : unread(result.why, source, result.detail)
}

function fromParser<T>(
  bytes: Uint8Array | undefined,
  source: Source,
  parse: (bytes: Uint8Array) => Parsed<T>,
): Reading<T> {
  if (bytes === undefined) return unread('absent', source)
  const result = parse(bytes)
  return result.ok ? read(result.value, source) : unread('unparsable', source, result.problem.message)
}

/** A peers.json as it would be read from a host. */
export function peersFileOf(bytes: Uint8Array): PeersFile {
  return parsePeersJson(bytes, createHash('sha256').update(bytes).digest('hex'))
}

/** The facts that a raft directory tells, by the readers of the product. */
export function raftFacts(host: string, files: Files): Pick<ServerFacts, 'store' | 'snapshots'> {
  const store = runReader(readStore({byteBudget: 16 * 1024 * 1024}), files)
  const snapshots = runReader(readSnapshots({deep: true, source: sourceOf(host, 'snapshots')}), files)
  return {
    store: fromStore(store, {host, via: 'store', what: 'raft.db'}),
    snapshots: fromStore(snapshots, sourceOf(host, 'snapshots')),
  }
}

/** The version that made a sample, as its name tells. */
export function versionOf(name: string): string {
  const found = /(\d+\.\d+(?:\.\d+)?)/.exec(name)?.[1] ?? '1.8.19'
  return found === '1.8' ? '1.8.19' : found
}

/** The address a server of a sample had: it stands in its own gossip snapshot. */
function ipOfSample(bytes: Uint8Array | undefined, host: string): string {
  const text = bytes === undefined ? '' : new TextDecoder().decode(bytes)
  return new RegExp(`^alive: ${host} ([0-9.]+):`, 'm').exec(text)?.[1] ?? '127.0.1.51'
}

/** A stopped server of a sample directory: everything its files tell, and its own log for a journal. */
export function stoppedSample(name: string, host: string): ServerObservation {
  const version = versionOf(name)
  const serf = bytesOf(name, host, 'serf', 'local.snapshot')
  const peers = bytesOf(name, host, 'raft', 'peers.json')
  const log = bytesOf(name, `${host}.log`)
  const ip = ipOfSample(serf, host)
  return server(host, {
    address: ip,
    reached: {transport: 'local', user: 'root', root: 'root', sftp: false, forwarding: true},
    product: 'consul',
    version,
    hostAddresses: [ip],
    processes: [],
    config: configOf(host, {bindAddress: ip, advertiseAddress: undefined}),
    nodeId: fromParser(bytesOf(name, host, 'node-id'), sourceOf(host, 'node-id'), bytes =>
      parseNodeId(bytes, 'consul', version),
    ),
    peersFile: peers === undefined ? missing(host, 'absent') : peersFileOf(peers),
    peersInfo: existsSync(sample(name, host, 'raft', 'peers.info')),
    serfSnapshot: serf === undefined ? missing(host, 'absent') : parseSerfSnapshot(serf),
    ...raftFacts(host, sample(name, host, 'raft')),
    ...(log === undefined ? {} : {journal: matchLog(log)}),
  })
}

/** One real start with a peers.json, of `peers-json-variants`. */
export interface Variant {
  readonly version: string
  readonly case: string
  readonly peersJson: string | null
  readonly extraFlags: readonly string[]
  readonly outcome: string
  readonly electionState: string | null
}

/** All recorded variants. */
export function variants(): readonly Variant[] {
  return JSON.parse(readFileSync(sample('peers-json-variants', 'variants.json'), 'utf8')) as Variant[]
}

/** The record holds a byte order mark as three Latin-1 letters. */
function variantBytes(text: string): Uint8Array {
  return text.startsWith('\u00ef\u00bb\u00bf')
    ? Uint8Array.from(text, letter => letter.charCodeAt(0))
    : utf8.encode(text)
}

/** What the variants with other changes to the data directory changed, as their names and the README say. */
function otherChanges(variant: Variant, base: ServerObservation): ServerFacts {
  switch (variant.case) {
    case 'nopeersinfo':
      return {peersInfo: false}
    case 'freshstate':
      return {store: missing('s1', 'absent'), snapshots: []}
    case 'snapshots-corrupt': {
      const bad = read(false, sourceOf('s1', 'state.bin'))
      return base.snapshots.kind === 'read'
        ? {snapshots: base.snapshots.value.map(one => ({...one, intact: bad}))}
        : {}
    }
    case 'missing':
      return {peersFile: missing('s1', 'absent')}
    default:
      return {}
  }
}

/** The server of a variant as it stood before the start. */
export function variantServer(variant: Variant): ServerObservation {
  const base = stoppedSample(`consul-${variant.version === '1.8.19' ? '1.8' : variant.version}-cluster`, 's1')
  const {extraFlags, peersJson} = variant
  const expect = extraFlags.find(flag => flag.startsWith('-bootstrap-expect='))?.split('=')[1]
  const config = configOf('s1', {
    bindAddress: base.address,
    advertiseAddress: undefined,
    bootstrap: extraFlags.includes('-bootstrap') ? true : undefined,
    bootstrapExpect: expect === undefined ? undefined : Number(expect),
    bootstrapSource: extraFlags.length > 0 ? 'flag' : undefined,
    raftProtocol: extraFlags.includes('-raft-protocol=2') ? 2 : undefined,
  })
  return withFacts(base, {
    config,
    journal: missing('s1', 'not-asked'),
    ...(peersJson === null ? {} : {peersFile: peersFileOf(variantBytes(peersJson))}),
    ...otherChanges(variant, base),
  })
}

interface Answer {
  readonly path: string
  readonly status: number
  readonly json?: unknown
  readonly body?: string
}

/** A running agent as its recorded HTTP answers show it. */
export function answeringSample(name: string, label: string): ServerObservation {
  const answers = JSON.parse(readFileSync(sample(name, `${label}.http.json`), 'utf8')) as Answer[]
  const ask = <T>(url: string, parse: (bytes: Uint8Array) => Parsed<T>): Reading<T> | NotRead => {
    const source: Source = {host: 's1', via: 'api', what: url}
    const answer = answers.find(one => one.path === url)
    if (answer === undefined || answer.status === 404) return unread('unsupported', source)
    if (answer.status !== 200) return unread('failed', source, answer.body ?? `status ${answer.status}`)
    return fromParser(utf8.encode(JSON.stringify(answer.json)), source, parse)
  }
  const self = ask('/v1/agent/self', parseAgentSelf)
  return server('s1', {
    reached: {transport: 'local', user: 'root', root: 'root', sftp: false, forwarding: true},
    product: 'consul',
    version: versionOf(name),
    api: {
      leader: ask('/v1/status/leader', parseStatusLeader) as Reading<never>,
      statusPeers: ask('/v1/status/peers', parseStatusPeers),
      self,
      members: ask('/v1/agent/members', parseMembers),
      raftConfiguration: ask('/v1/operator/raft/configuration?stale', parseRaftConfiguration),
    },
  })
}

/** A server of which only a log store is known. */
export function storeSample(host: string, files: Files): ServerObservation {
  return server(host, {
    // Of documentation's own range, so that no peer of the store is taken for this host.
    address: '192.0.2.1',
    reached: {transport: 'local', user: 'root', root: 'root', sftp: false, forwarding: true},
    product: 'consul',
    processes: [],
    ...raftFacts(host, files),
  })
}

/** A server of which only a recorded log is known. */
export function logSample(file: string): ServerObservation {
  const bytes = new Uint8Array(readFileSync(sample('log-signatures', file)))
  return server(path.basename(file, '.log'), {journal: matchLog(bytes)})
}
