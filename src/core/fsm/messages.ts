/** First bytes of the commands that this state machine takes (`MessageType`, consul agent/structs/structs.go). */
export const CommandType = {
  register: 0,
  deregister: 1,
  kvs: 2,
  session: 3,
  tombstone: 5,
  /** Changes nothing here. */
  coordinates: 6,
  txn: 8,
  autopilot: 9,
  index: 16,
  /** Ours alone: a state that is brought in by a client, in parts. Consul numbers its types from below. */
  restore: 120,
} as const

/** Added to a first byte by newer writers: a server that does not know the type may skip the command. */
export const IGNORE_UNKNOWN = 0x80

/**
 * What applying a command answers: nothing, whether a conditional change was made, the id of a new session, the
 * outcome of a transaction, or why the command was refused. All servers give the same answer to the same entry.
 */
export type ApplyResult = undefined | boolean | string | TxnOutcome | Refused

/** A command that the state machine refused. */
export interface Refused {
  readonly error: string
}

/** Whether a command was refused. */
export const isRefused = (result: ApplyResult): result is Refused =>
  typeof result === 'object' && 'error' in result

/** What a transaction answers: the results of its operations, or, when any failed, why; then nothing was changed. */
export interface TxnOutcome {
  readonly results: readonly TxnResult[]
  readonly errors: readonly TxnProblem[]
}

/** One result of a transaction; the value of a KV entry is left out where the operation does not return it. */
export type TxnResult =
  | {readonly kv: KvEntry; readonly withValue: boolean}
  | {readonly node: CatalogNode}
  | {readonly service: CatalogService}
  | {readonly check: CatalogCheck}

/** Why an operation of a transaction failed. */
export interface TxnProblem {
  readonly opIndex: number
  readonly what: string
}

/**
 * A key with all that belongs to it. Key and value are byte strings, one character per byte: so their order is that of
 * the bytes, any bytes can be a key, and a small value takes a third of the memory of an array. Immutable.
 */
export interface KvEntry {
  readonly key: string
  /** null is what an empty body of a PUT leaves behind. */
  readonly value: string | null
  /** An unsigned 64-bit number; bigint beyond 2^53. */
  readonly flags: number | bigint
  readonly createIndex: number
  readonly modifyIndex: number
  readonly lockIndex: number
  /** Id of the session that holds the lock, or empty. */
  readonly session: string
}

/** A session; durations are in nanoseconds, as in the log. Immutable. */
export interface Session {
  readonly id: string
  readonly name: string
  readonly node: string
  readonly lockDelayNs: number
  /** `release` or `delete`: what becomes of keys whose lock the session holds when it ends. */
  readonly behavior: string
  /** A Go duration, or empty for a session that does not expire. */
  readonly ttl: string
  readonly nodeChecks: readonly string[]
  readonly serviceChecks: readonly string[] | null
  readonly createIndex: number
  readonly modifyIndex: number
}

/** Text to text, as node and service meta are. */
export type TextMap = Readonly<Record<string, string>>

/** A node of the catalog. Immutable. */
export interface CatalogNode {
  readonly id: string
  readonly node: string
  readonly address: string
  readonly datacenter: string
  readonly taggedAddresses: TextMap | null
  readonly meta: TextMap | null
  readonly createIndex: number
  readonly modifyIndex: number
}

/** A service on a node. Immutable. */
export interface CatalogService {
  readonly node: string
  readonly id: string
  readonly service: string
  readonly kind: string
  readonly tags: readonly string[] | null
  readonly address: string
  readonly taggedAddresses: Readonly<Record<string, {readonly address: string; readonly port: number}>> | null
  readonly meta: TextMap | null
  readonly port: number
  readonly weights: {readonly passing: number; readonly warning: number}
  readonly enableTagOverride: boolean
  readonly createIndex: number
  readonly modifyIndex: number
}

/** A health check of a node or of one of its services. Immutable. */
export interface CatalogCheck {
  readonly node: string
  readonly checkId: string
  readonly name: string
  /** `passing`, `warning`, `critical`. */
  readonly status: string
  readonly notes: string
  readonly output: string
  readonly serviceId: string
  readonly serviceName: string
  readonly serviceTags: readonly string[] | null
  readonly type: string
  readonly createIndex: number
  readonly modifyIndex: number
}

/** Autopilot's settings (`AutopilotConfig`, consul agent/structs/operator.go); durations in nanoseconds. */
export interface AutopilotConfig {
  readonly cleanupDeadServers: boolean
  readonly lastContactThresholdNs: number
  readonly maxTrailingLogs: number
  readonly minQuorum: number
  readonly serverStabilizationTimeNs: number
  readonly redundancyZoneTag: string
  readonly disableUpgradeMigration: boolean
  readonly upgradeVersionTag: string
  readonly createIndex: number
  readonly modifyIndex: number
}

/** What a query depends on; a change of it wakes those who watch. Keys and prefixes are byte strings. */
export type WatchTarget =
  | {readonly key: string}
  | {readonly prefix: string}
  | {readonly table: 'nodes' | 'services' | 'checks' | 'sessions' | 'autopilot-config'}

/** Receives a state in pieces of any size; the state machine keeps its own until `finish`. */
export interface StateRestore {
  push(chunk: Uint8Array): void
  /** Puts the received state in place of the old one and wakes all who watch; or says why it is not whole. */
  finish(): string | undefined
}
