import type {Configuration, Server} from '../../src/core/model/configuration.js'
import type {LogEnd} from '../../src/core/model/ids.js'
import {logIndex, serverAddress, serverId, term} from '../../src/core/model/ids.js'
import type {
  ApiObservation,
  FleetObservation,
  JournalMatch,
  Member,
  PeersFile,
  ProductName,
  RaftStats,
  ServerConfig,
  ServerObservation,
  ServerProcess,
  Service,
  StoreState,
} from '../../src/core/model/observation.js'
import type {NotRead, Read, Reading, Source, Unread, Via} from '../../src/core/model/reading.js'
import {read, unread} from '../../src/core/model/reading.js'

/** What a test states of a server: plain values stand for readings of them, and what is left out is unread. */
export type Loose<T> = {readonly [K in keyof T]?: T[K] extends Reading<infer V> ? V | Reading<V> : T[K]}
export type ServerFacts = Omit<Loose<ServerObservation>, 'api' | 'host'> & {
  readonly api?: Loose<ApiObservation>
}

/** When every test fleet was observed: 2026-11-20 03:04:12Z. */
export const NOW_MS = Date.UTC(2026, 10, 20, 3, 4, 12)

const letterNumber = (host: string): number => {
  const digits = /(\d+)$/.exec(host)?.[1]
  return digits === undefined ? (host.charCodeAt(0) - 96 + 256) % 256 : Number(digits)
}
/** The IP address a test host has: `a` 10.0.0.1, `b` 10.0.0.2, `consul-3` 10.0.0.3. */
export const ipOf = (host: string): string => `10.0.0.${letterNumber(host)}`
/** The Raft address a test host has. */
export const addressOf = (host: string): string => `${ipOf(host)}:8300`
/** The node-id a test host has. */
export const idOf = (host: string): string =>
  `${letterNumber(host).toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`

/** A voter with the id of Raft protocol 3, from a test host's name. */
export const voter = (
  host: string,
  overrides: {readonly id?: string; readonly address?: string} = {},
): Server => ({
  id: serverId(overrides.id ?? idOf(host)),
  address: serverAddress(overrides.address ?? addressOf(host)),
  suffrage: 'voter',
})
/** The same as a nonvoter. */
export const nonvoter = (host: string): Server => ({...voter(host), suffrage: 'nonvoter'})
/** A voter whose id is its address, as up to Raft protocol 2. */
export const oldVoter = (host: string): Server => voter(host, {id: addressOf(host)})

/** A configuration of voters by host names, or of servers as given. */
export function peerSet(servers: readonly (string | Server)[], index?: number): Configuration {
  const list = servers.map(server => (typeof server === 'string' ? voter(server) : server))
  return index === undefined ? {servers: list} : {servers: list, index: logIndex(index)}
}
/** A configuration whose ids are addresses. */
export const oldPeerSet = (hosts: readonly string[], index?: number): Configuration =>
  peerSet(hosts.map(oldVoter), index)

/** `end(78, 13)` is a log that ends at index 78 with an entry of term 13. */
export const end = (index: number, atTerm: number): LogEnd => ({index: logIndex(index), term: term(atTerm)})

const source = (host: string, via: Via, what: string): Source => ({host, via, what})

/** A reading that says why there is none, for tests that care about the reason. */
export function missing(host: string, why: Unread, detail?: string): NotRead {
  return unread(why, source(host, 'host', 'test'), detail)
}

function isReading(value: unknown): value is Read<unknown> | NotRead {
  return (
    typeof value === 'object' &&
    value !== null &&
    'kind' in value &&
    (value.kind === 'read' || value.kind === 'unread') &&
    'source' in value
  )
}

const serverFields: readonly (readonly [
  Exclude<keyof ServerObservation, 'host' | 'address' | 'api'>,
  Via,
  string,
])[] = [
  ['reached', 'transport', 'ssh'],
  ['product', 'process', 'command line'],
  ['version', 'process', 'version'],
  ['clockOffsetMs', 'host', 'date'],
  ['hostAddresses', 'host', 'ip addr'],
  ['processes', 'process', '/proc'],
  ['service', 'service-manager', 'systemctl show consul.service'],
  ['sockets', 'host', '/proc/net'],
  ['config', 'config', '/etc/consul.d'],
  ['disk', 'host', 'df'],
  ['files', 'host', 'stat'],
  ['nodeId', 'file', '/var/consul/node-id'],
  ['peersFile', 'file', '/var/consul/raft/peers.json'],
  ['peersInfo', 'file', '/var/consul/raft/peers.info'],
  ['lastSeenUnix', 'file', '/var/consul/server_metadata.json'],
  ['snapshots', 'file', '/var/consul/raft/snapshots'],
  ['serfSnapshot', 'file', '/var/consul/serf/local.snapshot'],
  ['keyring', 'file', '/var/consul/serf/local.keyring'],
  ['store', 'store', '/var/consul/raft/raft.db'],
  ['storeLock', 'host', '/proc/locks'],
  ['journal', 'journal', 'consul.service'],
  ['traces', 'file', '/var/lib/quorate'],
]
const apiFields: readonly (readonly [keyof ApiObservation, string])[] = [
  ['leader', '/v1/status/leader'],
  ['statusPeers', '/v1/status/peers'],
  ['self', '/v1/agent/self'],
  ['members', '/v1/agent/members'],
  ['raftConfiguration', '/v1/operator/raft/configuration'],
  ['autopilot', '/v1/operator/autopilot/health'],
  ['contents', '/v1/kv/?recurse'],
]

function makeReadings(
  host: string,
  facts: Readonly<Record<string, unknown>>,
  fields: readonly (readonly [string, Via, string])[],
): Record<string, Reading<unknown>> {
  const made: Record<string, Reading<unknown>> = {}
  for (const [name, via, what] of fields) {
    const value = facts[name]
    if (value === undefined) made[name] = unread('not-asked', source(host, via, what))
    else made[name] = isReading(value) ? value : read(value, source(host, via, what))
  }
  return made
}

/** A server of which nothing is known but what `facts` states. */
export function server(host: string, facts: ServerFacts = {}): ServerObservation {
  const apiReadings = makeReadings(
    host,
    {...facts.api},
    apiFields.map(([name, what]) => [name, 'api', what] as const),
  )
  return {
    host,
    address: facts.address ?? ipOf(host),
    ...makeReadings(host, {...facts}, serverFields),
    api: apiReadings as unknown as ApiObservation,
  } as ServerObservation
}

/** A fleet as observed at NOW_MS. */
export function fleet(parts: {
  readonly servers: readonly ServerObservation[]
  readonly product?: ProductName
  readonly cluster?: string
}): FleetObservation {
  return {
    cluster: parts.cluster ?? 'test',
    product: parts.product ?? 'consul',
    startedAtMs: NOW_MS,
    finishedAtMs: NOW_MS + 2100,
    servers: parts.servers,
  }
}

/** Changes facts of a server that a preset made. */
export function withFacts(of: ServerObservation, facts: ServerFacts): ServerObservation {
  const {api, ...rest} = facts
  return {
    ...server(of.host, {
      ...(of as ServerFacts),
      ...rest,
      api: {...(of.api as Loose<ApiObservation>), ...api},
    }),
  }
}

/** A store that holds `configuration` and ends at `last`. */
export function storeOf(
  parts: {
    readonly configuration?: Configuration | undefined
    readonly end?: LogEnd | undefined
    readonly term?: number | undefined
    readonly configurations?: readonly (readonly [number, number, Configuration])[]
    readonly terms?: readonly LogEnd[]
  } = {},
): StoreState {
  const last = parts.end ?? end(0, 0)
  const entries =
    parts.configurations ??
    (parts.configuration === undefined
      ? []
      : [[Number(parts.configuration.index ?? 1), 1, parts.configuration]])
  return {
    kind: 'boltdb',
    path: '/var/consul/raft/raft.db',
    sizeBytes: 131072,
    currentTerm: term(parts.term ?? last.term),
    lastVoteTerm: term(last.term),
    lastVoteCandidate: '',
    firstIndex: logIndex(last.index === 0 ? 0 : 1),
    lastIndex: last.index,
    lastTerm: last.term,
    configurations: entries.map(([index, atTerm, configuration]) => ({
      index: logIndex(index),
      term: term(atTerm),
      configuration: {servers: configuration.servers, index: logIndex(index)},
    })),
    configurationsKnownFrom: logIndex(0),
    configurationsComplete: true,
    terms: parts.terms ?? (last.index === 0 ? [] : [last]),
    txid: 104,
    bytesRead: 24576,
  }
}

/** The live list of Consul up to 0.6 (or a recovery list) with these addresses; an empty one is `null`. */
export function peersList(addresses: readonly string[]): PeersFile {
  const text = addresses.length === 0 ? 'null\n' : `${JSON.stringify(addresses)}\n`
  return {
    text,
    sha256: `sha256 of ${text}`,
    dialect: addresses.length === 0 ? 'empty' : 'list',
    servers: addresses.map(address => ({id: address, address, nonVoter: false})),
    problems: [],
  }
}
/** A recovery file of objects. */
export function peersObjects(servers: readonly Server[]): PeersFile {
  const entries = servers.map(one => ({
    id: one.id,
    address: one.address,
    non_voter: one.suffrage === 'nonvoter',
  }))
  const text = JSON.stringify(entries)
  return {
    text,
    sha256: `sha256 of ${text}`,
    dialect: 'objects',
    servers: entries.map(entry => ({id: entry.id, address: entry.address, nonVoter: entry.non_voter})),
    problems: [],
  }
}

/** A gossip member that is a server. */
export function member(host: string, parts: Partial<Member> = {}): Member {
  return {
    name: host,
    address: ipOf(host),
    status: 'alive',
    server: true,
    raftAddress: serverAddress(addressOf(host)),
    id: serverId(idOf(host)),
    datacenter: 'dc1',
    version: '1.8.19',
    raftProtocol: 3,
    expect: undefined,
    bootstrap: false,
    nonVoter: false,
    ...parts,
  }
}

/** Settings with the product's usual values. */
export function configOf(host: string, parts: Partial<ServerConfig> = {}): ServerConfig {
  return {
    sources: ['/etc/consul.d/server.json'],
    server: true,
    nodeName: host,
    nodeId: undefined,
    datacenter: 'dc1',
    dataDir: '/var/consul',
    bindAddress: ipOf(host),
    advertiseAddress: ipOf(host),
    clientAddress: undefined,
    httpAddress: undefined,
    ports: {server: 8300, serfLan: 8301, http: 8500, https: undefined, rpc: undefined},
    bootstrap: undefined,
    bootstrapExpect: undefined,
    bootstrapSource: undefined,
    raftProtocol: undefined,
    leaveOnTerminate: undefined,
    skipLeaveOnInterrupt: undefined,
    rejoinAfterLeave: undefined,
    retryJoin: [],
    startJoin: [],
    nonVoter: undefined,
    encrypted: undefined,
    tls: undefined,
    aclEnabled: undefined,
    rejoinAgeMaxMs: undefined,
    performanceMultiplier: undefined,
    logFile: undefined,
    problems: [],
    ...parts,
  }
}

/** A systemd unit as the packages make it. */
export function serviceOf(parts: Partial<Service> = {}): Service {
  return {
    manager: 'systemd',
    unit: 'consul.service',
    state: 'running',
    mainPid: 412,
    enabled: true,
    enablement: 'enabled',
    masked: false,
    restart: 'on-failure',
    restarts: 0,
    killSignal: 'SIGTERM',
    execStart: ['/usr/bin/consul', 'agent', '-config-dir=/etc/consul.d'],
    execStop: [],
    stopTimeoutMs: 90_000,
    exitCode: undefined,
    result: 'success',
    sinceMs: NOW_MS - 3_600_000,
    ...parts,
  }
}

/** A running agent process. */
export function processOf(parts: Partial<ServerProcess> = {}): ServerProcess {
  return {
    pid: 412,
    ppid: 1,
    user: 'consul',
    argv: ['/usr/bin/consul', 'agent', '-config-dir=/etc/consul.d'],
    executable: '/usr/bin/consul',
    startedAtMs: NOW_MS - 3_600_000,
    state: 'S',
    dataDir: '/var/consul',
    ...parts,
  }
}

/** A match of a journal signature. */
export function match(signature: string, parts: Partial<JournalMatch> = {}): JournalMatch {
  return {
    signature,
    count: 1,
    firstAtMs: NOW_MS - 60_000,
    lastAtMs: NOW_MS - 1_000,
    text: signature,
    groups: [],
    ...parts,
  }
}

/** What a preset server is like. */
export interface ConsulParts {
  readonly version?: string
  readonly configuration?: Configuration
  readonly end?: LogEnd
  readonly term?: number
  readonly role?: RaftStats['role']
  /** Host name of the leader this server knows; the empty text for none. */
  readonly leader?: string
  readonly members?: readonly Member[]
  readonly facts?: ServerFacts
}

const isLegacy = (version: string): boolean => /^0\.[0-6]\./.test(version)

function diskFacts(host: string, parts: ConsulParts): ServerFacts {
  const version = parts.version ?? '1.8.19'
  const legacy = isLegacy(version)
  const configuration = parts.configuration
  const list = configuration?.servers.map(one => String(one.address)) ?? []
  return {
    reached: {transport: 'ssh', user: 'root', root: 'root', sftp: true, forwarding: true},
    product: 'consul',
    version,
    clockOffsetMs: 12,
    hostAddresses: [ipOf(host)],
    config: configOf(host),
    disk: {
      dataDir: '/var/consul',
      fileSystem: 'ext4',
      sizeBytes: 20 * 2 ** 30,
      freeBytes: 6 * 2 ** 30,
      freeInodes: 1_000_000,
      raftBytes: 1_000_000,
      readOnly: false,
    },
    nodeId: legacy ? missing(host, 'absent') : idOf(host),
    peersFile: legacy ? peersList(list) : missing(host, 'absent'),
    peersInfo: legacy ? false : true,
    snapshots: [],
    keyring: missing(host, 'absent'),
    store: storeOf({configuration, end: parts.end ?? end(78, 13), term: parts.term}),
    traces: [],
  }
}

/** A running Consul server that answers; follower unless `role` says otherwise. */
export function liveConsul(host: string, parts: ConsulParts = {}): ServerObservation {
  const version = parts.version ?? '1.8.19'
  const last = parts.end ?? end(78, 13)
  const role = parts.role ?? (parts.leader === host ? 'leader' : 'follower')
  const peers = parts.configuration?.servers ?? []
  const raft: RaftStats = {
    role,
    term: term(parts.term ?? last.term),
    lastLogIndex: last.index,
    lastLogTerm: last.term,
    commitIndex: last.index,
    appliedIndex: last.index,
    snapshotIndex: logIndex(0),
    snapshotTerm: term(0),
    numPeers: Math.max(0, peers.filter(one => one.suffrage === 'voter').length - 1),
    lastContactMs: role === 'leader' ? 0 : parts.leader === undefined || parts.leader === '' ? 60_000 : 20,
    protocolVersion: isLegacy(version) ? undefined : 3,
    latestConfiguration: isLegacy(version) ? undefined : parts.configuration,
    latestConfigurationIndex: undefined,
  }
  const leader = parts.leader === undefined || parts.leader === '' ? '' : addressOf(parts.leader)
  const made = server(host, {
    ...diskFacts(host, parts),
    processes: [processOf()],
    service: serviceOf(),
    storeLock: {pid: 412},
    api: {
      leader: serverAddress(leader),
      statusPeers: peers.map(one => String(one.address)),
      self: {
        nodeName: host,
        nodeId: isLegacy(version) ? undefined : idOf(host),
        datacenter: 'dc1',
        version,
        server: true,
        raft,
      },
      ...(parts.members === undefined ? {} : {members: parts.members}),
    },
  })
  return parts.facts === undefined ? made : withFacts(made, parts.facts)
}

/** A Consul server whose host is reached, whose process is stopped, and whose data is there. */
export function stoppedConsul(host: string, parts: ConsulParts = {}): ServerObservation {
  const made = server(host, {
    ...diskFacts(host, parts),
    processes: [],
    service: serviceOf({state: 'stopped', mainPid: undefined}),
    storeLock: {pid: undefined},
    api: {leader: missing(host, 'not-asked')},
  })
  return parts.facts === undefined ? made : withFacts(made, parts.facts)
}

/** A host that does not answer. */
export function silent(host: string): ServerObservation {
  return server(host, {reached: missing(host, 'timed-out', 'ssh: connection timed out')})
}
