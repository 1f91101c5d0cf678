import type {ApplyResult} from '../core/fsm/messages.js'
import type {StateMachine} from '../core/fsm/state-machine.js'
import type {Configuration} from '../core/model/configuration.js'
import type {CallOptions, EncodedResult} from './rpc/call-pool.js'
import type {SnapshotMeta, Target} from '../core/raft/messages.js'

/** A whole HTTP request, as it came in or as it travels to another agent. */
export interface HttpRequest {
  readonly method: string
  /** Path and query as sent, percent-encoded: `/v1/kv/a%20b?raw`. */
  readonly target: string
  /** Headers by lower-case name; a forwarded request carries only those that change an answer. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** Calls back when the client went away; what still waits for it may stop. Absent when that cannot be known. */
  readonly onGone?: (callback: () => void) => void
}

/** A whole HTTP answer. A stream is only given where an answer may be large (snapshots) or endless (monitor). */
export interface HttpAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | AsyncIterable<Uint8Array>
}

/** Why something was not done, in the words that Consul's API gives its clients (`No cluster leader`). */
export interface Problem {
  readonly problem: string
}

/** Who this agent is; all of it is known at start and never changes, but for `advertise` after a reload. */
export interface AgentIdentity {
  readonly nodeName: string
  readonly nodeId: string
  readonly datacenter: string
  readonly server: boolean
  /** `1.2.3`, as in the build tag. */
  readonly version: string
  readonly revision: string
  /** The address that others reach this agent at. */
  readonly address: string
  readonly nodeMeta: Readonly<Record<string, string>>
}

/** The outcome of a command: applied as entry `index` with the state machine's answer, or why not. */
export type ApplyOutcome = {readonly index: number; readonly result: ApplyResult} | Problem

/** A member of a gossip pool as `/v1/agent/members` tells it; statuses are Serf's numbers (1 alive … 4 failed). */
export interface PoolMember {
  readonly name: string
  readonly address: string
  readonly port: number
  readonly tags: Readonly<Record<string, string>>
  readonly status: number
  readonly protocol: readonly [min: number, max: number, current: number]
  readonly delegate: readonly [min: number, max: number, current: number]
}

/** The versions that a member speaks, as `serf.Member` names them; the HTTP API and port 8400 alike. */
export const protocolsOf = ({protocol, delegate}: PoolMember) => ({
  ProtocolMin: protocol[0],
  ProtocolMax: protocol[1],
  ProtocolCur: protocol[2],
  DelegateMin: delegate[0],
  DelegateMax: delegate[1],
  DelegateCur: delegate[2],
})

/** What the leader knows of a server's health (`ServerHealth`, consul agent/structs/operator.go). */
export interface ServerHealth {
  readonly id: string
  readonly name: string
  readonly address: string
  /** `alive`, `leaving`, `left`, `failed` or `none`. */
  readonly serfStatus: string
  readonly version: string
  readonly leader: boolean
  /** Milliseconds since the leader heard of it; undefined when never. */
  readonly lastContactMs: number | undefined
  readonly lastTerm: number
  readonly lastIndex: number
  readonly healthy: boolean
  readonly voter: boolean
  readonly stableSinceMs: number
}

/** A user event as it travels through the LAN pool, with its place in Serf's time. */
export interface UserEventRecord {
  readonly id: string
  readonly name: string
  readonly payload: Uint8Array | null
  readonly nodeFilter: string
  readonly serviceFilter: string
  readonly tagFilter: string
  readonly version: number
  readonly lTime: number
}

/** One pool's answer to an operation on the keyring. */
export interface KeyringAnswer {
  readonly wan: boolean
  readonly datacenter: string
  readonly messages: Readonly<Record<string, string>>
  /** Number of nodes that hold a key, by the key in base64. */
  readonly keys: Readonly<Record<string, number>>
  readonly primaryKeys: Readonly<Record<string, number>>
  readonly nodes: number
  readonly error: string | undefined
}

/** What may be done with a gossip pool's keys. */
export type KeyringOperation =
  {readonly operation: 'list'} | {readonly operation: 'install' | 'use' | 'remove'; readonly key: string}

/** A snapshot on its way out: what names it, and the state machine's bytes (`meta.size` of them). */
export interface OutgoingSnapshot {
  readonly meta: SnapshotMeta
  readonly state: AsyncIterable<Uint8Array>
}

/** What the HTTP API asks of the agent around it. Nothing here throws for a reason that a client should be told. */
export interface AgentBackend {
  readonly identity: AgentIdentity
  /** The state machine of a server, live; undefined on a client. */
  readonly machine: StateMachine | undefined

  /** Whether this server leads and has applied the first entry of its term. */
  leads(): boolean
  /** Whether no other server can lead now: a read may then be answered without asking others. */
  holdsLease(): boolean
  /** The leader as this agent knows it; undefined when it knows none. */
  leader(): Target | undefined
  /** Milliseconds since this server heard of a leader: 0 when it leads, undefined when it never did. */
  lastContactMs(): number | undefined
  /** Resolves true as soon as a leader is known (or this server leads), false after the time is over. */
  awaitLeader(timeoutMs: number): Promise<boolean>
  /** Whether a client agent knows any server; always true on a server. */
  knowsServers(): boolean

  /** Proposes a command and waits until this server has applied it. Only where `leads()`. */
  apply(command: Uint8Array): Promise<ApplyOutcome>
  /** Resolves when the state machine may serve a linearizable read (ReadIndex). Only on the leader. */
  readBarrier(): Promise<Problem | undefined>
  /** Hands a whole request to the leader, or from a client to any server, and brings back its answer. */
  forward(to: 'leader' | 'any-server', request: HttpRequest): Promise<HttpAnswer | Problem>

  /**
   * The server of another make that a request must be asked for call by call, because it takes no whole ones: on a
   * server the leader, on a client any server where there is none of ours. Undefined where there is no need of it.
   */
  stranger(): string | undefined
  /** Calls a method of the server at `address`; argument and answer are one whole value of MessagePack each. */
  call(address: string, method: string, argument: Uint8Array, options: CallOptions): Promise<EncodedResult>

  /** Addresses of the voters and nonvoters, as `/v1/status/peers` tells them. */
  peers(): readonly string[]
  /** The latest configuration with its index. */
  configuration(): Configuration
  removeServer(target: {readonly id: string} | {readonly address: string}): Promise<Problem | undefined>
  /** Hands leadership to `id`, or to the most caught-up voter. */
  transferLeadership(id: string | undefined): Promise<Problem | undefined>
  /** The health of all servers; only on the leader. */
  serverHealth(): readonly ServerHealth[]

  members(pool: 'lan' | 'wan'): readonly PoolMember[]
  /** Joins; tells how many were reached, or why none was. */
  join(addresses: readonly string[], pool: 'lan' | 'wan'): Promise<number | Problem>
  /** Leaves gracefully; the agent ends soon after this resolves. */
  leave(): Promise<Problem | undefined>
  forceLeave(
    node: string,
    options: {readonly prune: boolean; readonly wan: boolean},
  ): Promise<Problem | undefined>
  reload(): Promise<Problem | undefined>
  keyring(operation: KeyringOperation): Promise<readonly KeyringAnswer[] | Problem>

  /** Sends a user event through the LAN pool; resolves to it as `events()` will list it. */
  fireEvent(event: Omit<UserEventRecord, 'id' | 'version' | 'lTime'>): Promise<UserEventRecord | Problem>
  /** The last events seen, oldest first, at most 256. */
  events(): readonly UserEventRecord[]
  /** Calls back once at the next event; the returned function takes that back. */
  watchEvents(wake: () => void): () => void

  /** A snapshot of now; on the leader after a barrier. */
  saveSnapshot(): Promise<OutgoingSnapshot | Problem>

  /** The sections of `consul info`: section, key, value, all texts. */
  stats(): Readonly<Record<string, Readonly<Record<string, string>>>>
  /** What `/v1/agent/self` shows as DebugConfig; no secrets. */
  debugConfig(): Readonly<Record<string, unknown>>
  /** Sends log lines of at least this level to `sink` until the returned function is called. */
  monitor(level: string, sink: (line: string) => void): () => void

  /** Milliseconds of a monotonic clock, wall clock milliseconds, and a number in [0, 1). */
  monotonicMs(): number
  nowMs(): number
  chance(): number
  /** A fresh UUID in lower case. */
  uuid(): string
}
