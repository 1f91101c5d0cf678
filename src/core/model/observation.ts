import type {Configuration} from './configuration.js'
import type {ContentsComparison, ContentsDigest} from './contents.js'
import type {LogEnd, LogIndex, ServerAddress, ServerId, Term} from './ids.js'
import type {Reading} from './reading.js'

/** The products whose servers agree by hashicorp/raft. OpenBao is `vault`. */
export type ProductName = 'consul' | 'nomad' | 'vault' | 'rqlite'

/** Everything collected from one cluster in one pass. Immutable; the only input of a diagnosis and of a plan. */
export interface FleetObservation {
  readonly cluster: string
  readonly product: ProductName
  readonly startedAtMs: number
  readonly finishedAtMs: number
  readonly servers: readonly ServerObservation[]
  /** What comparing the contents of servers came to; undefined where fewer than two were read (S16). */
  readonly contents?: ContentsComparison
}

/** All that is known about one server: its host, its process, its files, its API. */
export interface ServerObservation {
  /** The name the operator uses for the host; unique in a fleet and the key of plans and journals. */
  readonly host: string
  /** The network address by which quorate reaches it. */
  readonly address: string
  /** Read when a connection stood and the probe ran. Unread says why; it never means that the server is dead. */
  readonly reached: Reading<Access>
  readonly product: Reading<ProductName>
  readonly version: Reading<string>
  /** The host's clock minus ours, in milliseconds, half the round trip taken off. */
  readonly clockOffsetMs: Reading<number>
  readonly hostAddresses: Reading<readonly string[]>
  /** Processes of the product on this host; an empty list is the knowledge that none runs. */
  readonly processes: Reading<readonly ServerProcess[]>
  readonly service: Reading<Service>
  readonly sockets: Reading<readonly ListeningSocket[]>
  readonly config: Reading<ServerConfig>
  readonly disk: Reading<DataDisk>
  readonly files: Reading<RaftFiles>
  /** Content of the node-id file, trimmed and lower-cased as the product does it. */
  readonly nodeId: Reading<string>
  /** `raft/peers.json`; `absent` when there is none. */
  readonly peersFile: Reading<PeersFile>
  /** Whether `raft/peers.info` exists. Without it Consul and Nomad delete peers.json unread (`setupRaft`). */
  readonly peersInfo: Reading<boolean>
  /** When the server was last alive, from `server_metadata.json`. */
  readonly lastSeenUnix: Reading<number>
  readonly snapshots: Reading<readonly SnapshotMeta[]>
  readonly serfSnapshot: Reading<SerfSnapshot>
  readonly keyring: Reading<Keyring>
  readonly store: Reading<StoreState>
  /** The process that holds the store's lock, from /proc/locks; `pid: undefined` is the knowledge that nobody does. */
  readonly storeLock: Reading<{readonly pid: number | undefined}>
  readonly api: ApiObservation
  readonly journal: Reading<JournalObservation>
  /** Leftovers of quorate itself: fenced raft directories, locks, holds. */
  readonly traces: Reading<readonly Trace[]>
}

/** How we got in, and what we may do there. */
export interface Access {
  readonly transport: 'local' | 'ssh' | 'openssh'
  readonly user: string
  /** How root is reached: we are root, by sudo, or not at all. */
  readonly root: 'root' | 'sudo' | 'none'
  readonly sftp: boolean
  readonly forwarding: boolean
}

/** A running process of the product. */
export interface ServerProcess {
  readonly pid: number
  readonly ppid: number
  readonly user: string
  readonly argv: readonly string[]
  readonly executable: string | undefined
  readonly startedAtMs: number | undefined
  /** Kernel state letter: R S D T Z. A stopped (T) process holds its locks and is not stopped in our sense. */
  readonly state: string
  readonly dataDir: string | undefined
}

/** `cluster` is quorate itself, for the servers of a local cluster. */
export type ServiceManagerName =
  'systemd' | 'upstart' | 'sysv' | 'supervisor' | 'runit' | 'custom' | 'cluster'

/** What the service manager says about the unit that runs the server. */
export interface Service {
  readonly manager: ServiceManagerName
  readonly unit: string
  readonly state: 'running' | 'stopped' | 'failed' | 'starting' | 'stopping' | 'restarting' | 'unknown'
  readonly mainPid: number | undefined
  /** Whether it starts at boot; undefined when the manager does not say. */
  readonly enabled: boolean | undefined
  /** systemd's own words (UnitFileState: enabled, disabled, masked, masked-runtime, static); others their nearest. */
  readonly enablement: string | undefined
  readonly masked: boolean
  readonly restart: string | undefined
  readonly restarts: number | undefined
  readonly killSignal: string | undefined
  readonly execStart: readonly string[]
  readonly execStop: readonly string[]
  readonly stopTimeoutMs: number | undefined
  readonly exitCode: number | undefined
  readonly result: string | undefined
  /** When it entered its present state. */
  readonly sinceMs: number | undefined
}

export interface ListeningSocket {
  readonly protocol: 'tcp' | 'udp'
  readonly address: string
  readonly port: number
  readonly pid: number | undefined
}

/** What we need of the server's settings, merged from its config files and flags in the product's order. */
export interface ServerConfig {
  readonly sources: readonly string[]
  readonly server: boolean | undefined
  readonly nodeName: string | undefined
  readonly nodeId: string | undefined
  readonly datacenter: string | undefined
  readonly dataDir: string | undefined
  readonly bindAddress: string | undefined
  readonly advertiseAddress: string | undefined
  readonly clientAddress: string | undefined
  readonly httpAddress: string | undefined
  readonly ports: {
    readonly server: number | undefined
    readonly serfLan: number | undefined
    readonly http: number | undefined
    readonly https: number | undefined
    readonly rpc: number | undefined
  }
  readonly bootstrap: boolean | undefined
  readonly bootstrapExpect: number | undefined
  /** Where bootstrap or bootstrap_expect is set: a file's path, or `flag`. */
  readonly bootstrapSource: string | undefined
  readonly raftProtocol: number | undefined
  readonly leaveOnTerminate: boolean | undefined
  readonly skipLeaveOnInterrupt: boolean | undefined
  readonly rejoinAfterLeave: boolean | undefined
  readonly retryJoin: readonly string[]
  readonly startJoin: readonly string[]
  readonly nonVoter: boolean | undefined
  readonly encrypted: boolean | undefined
  readonly tls: boolean | undefined
  readonly aclEnabled: boolean | undefined
  readonly rejoinAgeMaxMs: number | undefined
  readonly performanceMultiplier: number | undefined
  readonly logFile: string | undefined
  /** Settings that could not be read because they are templates or of the wrong type: key and why. */
  readonly problems: readonly string[]
}

export interface DataDisk {
  readonly dataDir: string
  readonly fileSystem: string
  readonly sizeBytes: number
  readonly freeBytes: number
  readonly freeInodes: number | undefined
  /** Bytes below the raft directory. */
  readonly raftBytes: number | undefined
  readonly readOnly: boolean
}

/** Owner and mode of one file; `uid`/`gid` numeric. */
export interface FileFacts {
  readonly path: string
  readonly kind: 'file' | 'directory' | 'link' | 'other'
  readonly sizeBytes: number
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly mtimeMs: number
}

/** Owner and mode of what the service must read, write and delete. */
export interface RaftFiles {
  readonly dataDir: FileFacts | undefined
  readonly raftDir: FileFacts | undefined
  readonly store: FileFacts | undefined
  readonly peersJson: FileFacts | undefined
  readonly peersInfo: FileFacts | undefined
  /** The user that runs the service, when known: numeric id and name. */
  readonly serviceUser: {readonly uid: number; readonly gid: number; readonly name: string} | undefined
}

/** The three dialects of peers.json. `list`: strings; `objects`: id, address, non_voter; `empty`: null, [] or no bytes. */
export type PeersDialect = 'list' | 'objects' | 'empty'

/** What a peers.json holds, as Go's decoder would see it, and what a human got wrong in it. */
export interface PeersFile {
  readonly text: string
  readonly sha256: string
  readonly dialect: PeersDialect | 'unparsable'
  readonly servers: readonly PeersFileServer[]
  readonly problems: readonly PeersProblem[]
}
export interface PeersFileServer {
  readonly id: string
  readonly address: string
  readonly nonVoter: boolean
}
export interface PeersProblem {
  readonly kind:
    | 'syntax'
    | 'byte-order-mark'
    | 'trailing-text'
    | 'unknown-key'
    | 'wrong-type'
    | 'mixed-dialects'
    | 'empty-id'
    | 'empty-address'
    | 'duplicate-id'
    | 'duplicate-address'
    | 'no-voter'
    | 'scheme'
    | 'no-port'
    | 'host-name'
  readonly line: number
  readonly column: number
  readonly text: string
}

export interface SnapshotMeta {
  readonly id: string
  readonly index: LogIndex
  readonly term: Term
  readonly configuration: Configuration | undefined
  readonly sizeBytes: number
  /** Only with `--deep`: whether state.bin has the size and CRC that meta.json names. */
  readonly intact: Reading<boolean>
  readonly temporary: boolean
}

/** The gossip view as written to disk. */
export interface SerfSnapshot {
  readonly members: readonly {readonly name: string; readonly address: string}[]
  /** Whether the last word in the file is a graceful leave. */
  readonly left: boolean
  readonly clock: number
}

/** Gossip keys by fingerprint only: first 12 hex digits of SHA-256 of the key bytes. The first is primary. */
export interface Keyring {
  readonly fingerprints: readonly string[]
}

/** A membership entry of the log. */
export interface ConfigurationEntry {
  readonly index: LogIndex
  readonly term: Term
  readonly configuration: Configuration
}

/** What the log store says. Positions of an empty log are 0. */
export interface StoreState {
  readonly kind: 'boltdb' | 'raft-wal'
  readonly path: string
  readonly sizeBytes: number
  readonly currentTerm: Term
  readonly lastVoteTerm: Term
  readonly lastVoteCandidate: string
  readonly firstIndex: LogIndex
  readonly lastIndex: LogIndex
  readonly lastTerm: Term
  /** Membership entries found in (snapshot index, last index], oldest first. */
  readonly configurations: readonly ConfigurationEntry[]
  /** The log was searched for membership entries from its end down to this index; 0 when all of it was. */
  readonly configurationsKnownFrom: LogIndex
  /** Whether the search reached the snapshot or the start of the log. When false the peer set is unknown. */
  readonly configurationsComplete: boolean
  /** Terms read at chosen indexes, to compare histories between servers. */
  readonly terms: readonly LogEnd[]
  /** Highest transaction id of the store when it was read; undefined for WAL segments. */
  readonly txid: number | undefined
  readonly bytesRead: number
  /** Places where indexes are missing inside the log, as far as it was read; a user restore may leave one. */
  readonly gaps?: readonly LogGap[]
  /** What is wrong with the store although it could be read, such as one of two meta pages; one sentence each. */
  readonly damage?: readonly string[]
}

/** Indexes that a log lacks: the last one before and the first one behind them. */
export interface LogGap {
  readonly before: LogIndex
  readonly after: LogIndex
}

export interface ApiObservation {
  /** `/v1/status/leader`; the empty text is the knowledge that this server knows no leader. */
  readonly leader: Reading<ServerAddress | ''>
  readonly statusPeers: Reading<readonly string[]>
  readonly self: Reading<AgentSelf>
  readonly members: Reading<readonly Member[]>
  readonly raftConfiguration: Reading<ApiRaftConfiguration>
  readonly autopilot: Reading<Autopilot>
  /** Digest of the key-value contents as this server sees them; asked only where contents are compared (S16). */
  readonly contents: Reading<ContentsDigest>
}

export interface AgentSelf {
  readonly nodeName: string
  readonly nodeId: string | undefined
  readonly datacenter: string
  readonly version: string
  readonly server: boolean
  readonly raft: RaftStats | undefined
}

/** The raft section of the agent's statistics. */
export interface RaftStats {
  readonly role: 'leader' | 'follower' | 'candidate' | 'shutdown'
  readonly term: Term
  readonly lastLogIndex: LogIndex
  readonly lastLogTerm: Term
  readonly commitIndex: LogIndex
  /** For how long a leader was watched without its commit index moving towards the end of its log, in milliseconds. */
  readonly commitStandsMs?: number
  /** Entries handed to the state machine, which has yet to take the last `fsmPending` lots of them. */
  readonly appliedIndex: LogIndex
  readonly fsmPending?: number
  readonly snapshotIndex: LogIndex
  readonly snapshotTerm: Term
  /** Other voters, as the server counts them. */
  readonly numPeers: number
  /** Milliseconds since it heard the leader; undefined for never. */
  readonly lastContactMs: number | undefined
  readonly protocolVersion: number | undefined
  readonly latestConfiguration: Configuration | undefined
  readonly latestConfigurationIndex: LogIndex | undefined
}

export type MemberStatus = 'alive' | 'leaving' | 'left' | 'failed' | 'none'

export interface Member {
  readonly name: string
  readonly address: string
  readonly status: MemberStatus
  readonly server: boolean
  /** Gossip address plus the `port` tag: where its Raft transport listens. */
  readonly raftAddress: ServerAddress | undefined
  readonly id: ServerId | undefined
  readonly datacenter: string | undefined
  readonly version: string | undefined
  readonly raftProtocol: number | undefined
  readonly expect: number | undefined
  readonly bootstrap: boolean
  readonly nonVoter: boolean
}

export interface ApiRaftConfiguration {
  readonly index: LogIndex
  readonly servers: readonly {
    readonly id: ServerId
    readonly address: ServerAddress
    readonly node: string
    readonly leader: boolean
    readonly voter: boolean
    readonly protocolVersion: number | undefined
  }[]
}

export interface Autopilot {
  readonly healthy: boolean | undefined
  readonly failureTolerance: number | undefined
  readonly cleanupDeadServers: boolean | undefined
  readonly minQuorum: number | undefined
}

/** Recent log lines matched against known signatures. */
export interface JournalObservation {
  readonly lines: number
  readonly fromMs: number | undefined
  readonly toMs: number | undefined
  readonly matches: readonly JournalMatch[]
}
export interface JournalMatch {
  /** Id of the signature, e.g. `no-peers-old`. */
  readonly signature: string
  readonly count: number
  readonly firstAtMs: number | undefined
  readonly lastAtMs: number | undefined
  /** The latest line that matched: printable, at most 300 characters. */
  readonly text: string
  readonly groups: readonly string[]
}

/** Something an earlier run of quorate left on the host. */
export interface Trace {
  readonly kind: 'fenced' | 'lock' | 'hold' | 'copy' | 'excluded'
  readonly plan: string
  readonly path: string
  readonly text: string
  /** What a trace of kind `excluded` says; absent when it could not be understood. */
  readonly excluded?: ExcludedRecord
}

/** Servers that a plan excluded without fencing them: nobody could reach them, and their disks are as they were. */
export interface ExcludedRecord {
  readonly plan: string
  readonly cluster: string
  readonly servers: readonly {readonly id: string; readonly address: string; readonly name?: string}[]
  /** How they stood against the quorum of the peer set before (safety rule S2), in one sentence. */
  readonly arithmetic: string
}
