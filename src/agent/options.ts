import type {LogLevel} from '../core/codec/agent-log-line.js'

/** How an agent was told to be started: complete and checked, with every default filled in. */
export interface AgentOptions {
  /** Takes part in consensus; otherwise a client that forwards to servers. */
  readonly server: boolean
  /** A server that never votes (`non_voting_server`, `read_replica`). */
  readonly nonVoter: boolean
  /** `-dev`: alone, leader at once; `dataDir` is a fresh directory that its caller removes afterwards. */
  readonly dev: boolean
  /** Absolute. */
  readonly dataDir: string
  readonly nodeName: string
  /** Overrides and replaces what the `node-id` file says. */
  readonly nodeId: string | undefined
  readonly nodeMeta: Readonly<Record<string, string>>
  /** Lower case, as Consul makes it. */
  readonly datacenter: string
  /** The server founds a cluster of its own where it has no state. */
  readonly bootstrap: boolean
  /** Servers to wait for before the cluster is founded; 0 for none, never 1 (that is `bootstrap`). */
  readonly bootstrapExpect: number
  readonly addresses: AgentAddresses
  readonly ports: AgentPorts
  readonly join: {readonly lan: JoinOptions; readonly wan: JoinOptions}
  readonly encryption: EncryptionOptions
  /** `true`: SIGTERM makes the agent leave. */
  readonly leaveOnTerminate: boolean
  /** `true`: SIGINT stops the agent without leaving. */
  readonly skipLeaveOnInterrupt: boolean
  /** How long a leaving server goes on answering after it has left (`leave_drain_time`). */
  readonly leaveDrainMs: number
  readonly rejoinAfterLeave: boolean
  /** How long failed members are kept before they are reaped (`reconnect_timeout`). */
  readonly reconnectTimeoutMs: {readonly lan: number; readonly wan: number}
  readonly gossip: {readonly lan: GossipTimings; readonly wan: GossipTimings}
  readonly raft: RaftSettings
  readonly autopilot: AutopilotSettings
  /** Wait of a blocking query that names none, and the longest that may be asked for. */
  readonly queryTimeMs: {readonly default: number; readonly max: number}
  readonly limits: AgentLimits
  readonly logLevel: LogLevel
  readonly logJson: boolean
  /** A copy of the log is appended here. */
  readonly logFile: string | undefined
  readonly pidFile: string | undefined
  /** Files that the settings came from, in merge order; shown at start. */
  readonly sources: readonly string[]
  /** The addresses refused for as long as they stand in this file, one per line (`watchPeerFilter`). */
  readonly blockedPeersFile: string | undefined
}

/** What one client may ask for (`limits`). */
export interface AgentLimits {
  /** Largest value that the KV store takes, in bytes. */
  readonly kvValueBytesMax: number
  /** Bytes of all values of an HTTP transaction. */
  readonly txnBytesMax: number
  /** Connections to the HTTP API that one address may have; Infinity for no limit. */
  readonly httpConnectionsMax: number
}

/** Consul's (agent/config/default.go). */
export const DEFAULT_LIMITS: AgentLimits = {
  kvValueBytesMax: 512 * 1024,
  txnBytesMax: 512 * 1024,
  httpConnectionsMax: 200,
}

/** Where an agent listens and what it tells others; all numeric addresses. */
export interface AgentAddresses {
  /** Of the Raft and RPC port. */
  readonly bind: string
  readonly serfLanBind: string
  readonly serfWanBind: string
  /** Never the unspecified address. */
  readonly advertise: string
  readonly advertiseWan: string
  /** Of the HTTP API; empty when its port is off. */
  readonly http: readonly Listener[]
  /** Of the older command line protocol on port 8400; empty when its port is off. */
  readonly cli: readonly Listener[]
}

/** A place to listen at. */
export type Listener =
  | {readonly kind: 'tcp'; readonly host: string; readonly port: number}
  | {
      readonly kind: 'unix'
      readonly path: string
      /** Octal mode of the socket, and its owner and group, where they were set (`unix_sockets`). */
      readonly mode: number | undefined
      readonly user: string | undefined
      readonly group: string | undefined
    }

/** Ports; -1 means that nothing listens. */
export interface AgentPorts {
  readonly server: number
  readonly serfLan: number
  readonly serfWan: number
  readonly http: number
  readonly cli: number
}

/** Whom to join at start. */
export interface JoinOptions {
  /** `host`, `host:port` or `[v6]:port`. Joined once; the agent does not start when none answers (`start_join`). */
  readonly once: readonly string[]
  /** Tried again until one answers (`retry_join`). */
  readonly retry: readonly string[]
  readonly retryIntervalMs: number
  /** Attempts after which the agent gives up and ends; 0 for never. */
  readonly retryMax: number
}

/** Gossip encryption. */
export interface EncryptionOptions {
  /** 16, 24 or 32 bytes; undefined for plain gossip unless a keyring file says otherwise. */
  readonly key: Uint8Array | undefined
  readonly verifyIncoming: boolean
  readonly verifyOutgoing: boolean
  /** Keep keys in memory only (`disable_keyring_file`). */
  readonly disableKeyringFile: boolean
}

/** Timings of one gossip pool (memberlist `DefaultLANConfig` and `DefaultWANConfig`). */
export interface GossipTimings {
  readonly gossipIntervalMs: number
  readonly gossipNodes: number
  readonly probeIntervalMs: number
  readonly probeTimeoutMs: number
  readonly suspicionMultiplier: number
  readonly retransmitMultiplier: number
}

/** Which of Raft's dialects the server speaks and how fast it is. */
export interface RaftSettings {
  readonly protocol: 0 | 1 | 2 | 3
  /** What `performance.raft_multiplier` said; the timings below are already multiplied. */
  readonly multiplier: number
  readonly heartbeatTimeoutMs: number
  readonly electionTimeoutMs: number
  readonly leaderLeaseTimeoutMs: number
  readonly commitTimeoutMs: number
  /** Entries since the last snapshot after which another is made. */
  readonly snapshotThreshold: number
  /** How often that is looked at. */
  readonly snapshotIntervalMs: number
  /** Entries kept behind a snapshot. */
  readonly trailingLogs: number
}

/** What autopilot starts with where the cluster has no settings of its own yet. */
export interface AutopilotSettings {
  readonly cleanupDeadServers: boolean
  readonly lastContactThresholdMs: number
  readonly maxTrailingLogs: number
  readonly minQuorum: number
  readonly serverStabilizationMs: number
}
