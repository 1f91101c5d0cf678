import type {Configuration} from '../model/configuration.js'
import type {ServerAddress, ServerId} from '../model/ids.js'

/**
 * What an entry of the Raft log is for, numbered as on disk and on the wire (`LogType`, hashicorp/raft log.go).
 * The numbers are never to be changed.
 */
export const LogType = {
  command: 0,
  noop: 1,
  addPeer: 2,
  removePeer: 3,
  barrier: 4,
  configuration: 5,
} as const
export type LogType = (typeof LogType)[keyof typeof LogType]

/** One entry of the Raft log. */
export interface LogEntry {
  /** Position, counted from 1. */
  readonly index: number
  readonly term: number
  readonly type: LogType
  /** What is applied; for a configuration entry its msgpack form. Never changed after the entry was made. */
  readonly data: Uint8Array
  /** What a middleware of the leader put beside `data` (`Extensions`): kept and handed on as it is. */
  readonly extensions?: Uint8Array
}

/** What must be on disk before any answer that depends on it: the current term and who got our vote in it. */
export interface HardState {
  readonly term: number
  /** The candidate that got our vote in `term`, as its address; undefined when nobody did. */
  readonly votedFor: ServerAddress | undefined
}

/** What names a snapshot and the log prefix it stands for (`SnapshotMeta`, hashicorp/raft snapshot.go). */
export interface SnapshotMeta {
  /** Name of its directory, `TERM-INDEX-MILLISECONDS`. */
  readonly id: string
  readonly index: number
  readonly term: number
  readonly configuration: Configuration
  /** Index of the entry that set `configuration`. */
  readonly configurationIndex: number
  /** Bytes of the state that follows. */
  readonly size: number
}

/** A request between servers, as hashicorp/raft's NetworkTransport carries it (commands.go). */
export type RaftRequest = AppendRequest | VoteRequest | PreVoteRequest | SnapshotRequest | TimeoutNowRequest

export interface AppendRequest {
  readonly rpc: 'append'
  readonly term: number
  readonly leaderId: ServerId
  readonly leader: ServerAddress
  /** 0 for both in a heartbeat, which must not be taken for "cut the log at 0". */
  readonly prevIndex: number
  readonly prevTerm: number
  readonly entries: readonly LogEntry[]
  readonly leaderCommit: number
}

export interface VoteRequest {
  readonly rpc: 'vote'
  readonly term: number
  readonly candidateId: ServerId
  readonly candidate: ServerAddress
  readonly lastIndex: number
  readonly lastTerm: number
  /** Set by a server that was told to take over: voters then ignore that they know a leader. */
  readonly leadershipTransfer: boolean
}

/** A vote that changes nothing (Raft thesis 9.6): would we get a vote in `term`? */
export interface PreVoteRequest {
  readonly rpc: 'pre-vote'
  /** The proposed term: the candidate's own plus one. */
  readonly term: number
  readonly candidateId: ServerId
  readonly candidate: ServerAddress
  readonly lastIndex: number
  readonly lastTerm: number
}

/** The head of a snapshot transfer; the bytes themselves never pass through the core. */
export interface SnapshotRequest {
  readonly rpc: 'snapshot'
  readonly term: number
  readonly leaderId: ServerId
  readonly leader: ServerAddress
  readonly meta: SnapshotMeta
}

/** Tells the receiver to start an election at once (leadership transfer, Raft thesis 3.10). */
export interface TimeoutNowRequest {
  readonly rpc: 'timeout-now'
}

/** The answer to a request. */
export type RaftResponse =
  | {
      readonly rpc: 'append'
      readonly term: number
      /** Last index of the answerer's log, a hint for where to go on after a refusal. */
      readonly lastIndex: number
      readonly success: boolean
      /** Set on a gap: the leader may try again at once. */
      readonly noRetryBackoff: boolean
      /**
       * For how long the answerer, having followed the asker when the request came, votes for no other: its own
       * heartbeat timeout. Undefined where it does not say, as servers of others do not.
       */
      readonly loyalMs?: number
    }
  | {readonly rpc: 'vote'; readonly term: number; readonly granted: boolean}
  | {readonly rpc: 'pre-vote'; readonly term: number; readonly granted: boolean}
  | {readonly rpc: 'snapshot'; readonly term: number; readonly success: boolean}
  | {readonly rpc: 'timeout-now'}

/** A change of the configuration by a single server (`configurationChangeRequest`, hashicorp/raft configuration.go). */
export type ConfigurationChange =
  | {readonly change: 'add-voter'; readonly id: ServerId; readonly address: ServerAddress}
  | {readonly change: 'add-nonvoter'; readonly id: ServerId; readonly address: ServerAddress}
  | {readonly change: 'demote-voter'; readonly id: ServerId}
  | {readonly change: 'remove-server'; readonly id: ServerId}

/** Why a caller's wish was not done. Only `lost-leadership` leaves open whether it will still be committed. */
export type Refusal =
  | 'not-leader'
  | 'lost-leadership'
  | 'no-quorum-contact'
  | 'transfer-in-progress'
  | 'configuration-in-progress'
  | 'illegal-configuration'
  | 'previous-index-mismatch'
  | 'too-many-in-flight'
  | 'shutting-down'
  | 'timed-out'
  /** Bootstrap of a server that has a term, a log or a snapshot already. */
  | 'has-existing-state'
  | 'snapshot-failed'

/**
 * What happens to a node. Every event comes with the time of a monotonic clock in milliseconds; the node never
 * asks for the time. `token` is chosen by the driver and comes back in the effect that answers the event;
 * `requestId` is chosen by the node.
 */
export type RaftEvent =
  /** Time passed: sent at or after `nextDeadlineMs()`. */
  | {readonly on: 'tick'}
  /** A request came in. */
  | {readonly on: 'request'; readonly token: number; readonly request: Exclude<RaftRequest, SnapshotRequest>}
  /** A snapshot came in and lies complete and synced on disk under `request.meta.id`, not yet in use. */
  | {readonly on: 'snapshot-received'; readonly token: number; readonly request: SnapshotRequest}
  /**
   * The answer to our request, or that none came (connection refused, closed, timed out). Exactly one for each
   * request. A peer that answers a pre-vote with the error "unexpected command" is given here as having granted it.
   */
  | {readonly on: 'response'; readonly requestId: number; readonly response: RaftResponse | undefined}
  /** All persist effects up to and with `persistId` are on disk. */
  | {readonly on: 'persisted'; readonly persistId: number}
  /**
   * Entries asked for by `read-log`. Shorter than asked when the byte limit was reached; empty only when they are
   * gone, because the log was cut or reset since.
   */
  | {readonly on: 'log-read'; readonly readId: number; readonly entries: readonly LogEntry[]}
  /** The state machine has applied all entries up to `index`. */
  | {readonly on: 'applied'; readonly index: number}
  /** A snapshot asked for by `take-snapshot` is synced and in place; undefined when it failed. */
  | {readonly on: 'snapshot-taken'; readonly meta: SnapshotMeta | undefined}
  /** The state machine holds the snapshot of a `restore-snapshot` effect. */
  | {readonly on: 'snapshot-restored'; readonly meta: SnapshotMeta}
  /** A client's command, or a barrier. */
  | {readonly on: 'propose'; readonly token: number; readonly type: 0 | 4; readonly data: Uint8Array}
  /** A linearizable read (ReadIndex, Raft thesis 6.4), or with `lease` one that trusts the leader's lease. */
  | {readonly on: 'read'; readonly token: number; readonly lease: boolean}
  /** A change of the configuration; `prevIndex` above 0 demands that the configuration is still that of `prevIndex`. */
  | {
      readonly on: 'change-configuration'
      readonly token: number
      readonly change: ConfigurationChange
      readonly prevIndex: number
    }
  /** Hand leadership to `to`, or to the most caught-up voter. */
  | {readonly on: 'transfer-leadership'; readonly token: number; readonly to: ServerId | undefined}
  /** First configuration of an empty server: entry 1 of term 1 (`BootstrapCluster`, hashicorp/raft api.go). */
  | {readonly on: 'bootstrap'; readonly token: number; readonly configuration: Configuration}
  /** From now on snapshots are made, and entries kept behind them, by these rules (`ReloadConfig`, api.go). */
  | {readonly on: 'set-snapshots'; readonly rules: SnapshotRules}
  /** Take a snapshot now, whatever the thresholds say. */
  | {readonly on: 'take-snapshot'; readonly token: number}

/** When snapshots are made, and what is kept behind them; the only options that can change while a node runs. */
export interface SnapshotRules {
  /** How often, once to twice this, in milliseconds, it is asked whether a snapshot is due (`SnapshotInterval`). */
  readonly snapshotIntervalMs: number
  /** Entries applied since the last snapshot that make one due (`SnapshotThreshold`). */
  readonly snapshotThreshold: number
  /** Entries kept behind a snapshot for followers that lag (`TrailingLogs`). */
  readonly trailingEntries: number
}

/** Which of a peer's connections a request travels on: a slow append must never hold up a heartbeat. */
export type Channel = 'heartbeat' | 'replicate' | 'vote' | 'snapshot'

/** Where a request goes. */
export interface Target {
  readonly id: ServerId
  readonly address: ServerAddress
}

/**
 * What a node asks of its driver. Effects of one step are to be begun in the order given. The driver may begin the
 * effects of the next event while a persist is under way: whatever depends on a persist is only given out after
 * its `persisted` event, so the driver needs no rule of its own, and several persists may share one sync.
 */
export type RaftEffect =
  /**
   * Put on disk, in this order: the hard state, the cut, the entries; then tell `persisted`. Persists complete in
   * the order of their ids, and one may be told for all before it.
   */
  | {
      readonly do: 'persist'
      readonly persistId: number
      readonly hardState: HardState | undefined
      /** Remove all entries from this index on, before appending. */
      readonly truncateFrom: number | undefined
      readonly append: readonly LogEntry[]
    }
  /** Read entries `from`..`to` from disk, at most `bytesMax` of data but at least one entry. */
  | {
      readonly do: 'read-log'
      readonly readId: number
      readonly from: number
      readonly to: number
      readonly bytesMax: number
    }
  /** Entries up to `index` are no longer needed (they are in the snapshot). May be done late. */
  | {readonly do: 'compact-log'; readonly upTo: number}
  /** Throw away the whole log: a snapshot that is past its end has replaced it. The next entry is `nextIndex`. */
  | {readonly do: 'reset-log'; readonly persistId: number; readonly nextIndex: number}
  /** Send to a peer; answer with `response`. Requests of one channel to one peer are to be answered in order. */
  | {
      readonly do: 'send'
      readonly requestId: number
      readonly to: Target
      readonly channel: Channel
      readonly request: Exclude<RaftRequest, SnapshotRequest>
    }
  /** Stream the snapshot `request.meta.id` to a peer; answer with `response`. */
  | {
      readonly do: 'send-snapshot'
      readonly requestId: number
      readonly to: Target
      readonly request: SnapshotRequest
    }
  /** Answer the request of this token. */
  | {readonly do: 'respond'; readonly token: number; readonly response: RaftResponse}
  /** These entries are committed: apply them in order, then tell `applied`. */
  | {readonly do: 'apply'; readonly entries: readonly LogEntry[]}
  /**
   * Make a snapshot of the state machine as it is now that all `apply` effects before this one are done, which is
   * after `index`, with this configuration; tell `snapshot-taken`. Later entries may be applied while it is written.
   */
  | {
      readonly do: 'take-snapshot'
      readonly index: number
      readonly term: number
      readonly configuration: Configuration
      readonly configurationIndex: number
    }
  /** Put a received snapshot in use and load it into the state machine; tell `snapshot-restored`. */
  | {readonly do: 'restore-snapshot'; readonly meta: SnapshotMeta}
  /** A received snapshot is not wanted: remove it. */
  | {readonly do: 'discard-snapshot'; readonly meta: SnapshotMeta}
  /** A proposal, change, bootstrap or barrier is committed and applied as entry `index` (0 where there is none). */
  | {readonly do: 'done'; readonly token: number; readonly index: number}
  /** A read may be served from the state machine now: it has applied at least `index`. */
  | {readonly do: 'read-ready'; readonly token: number; readonly index: number}
  /** The wish of this token was not done. */
  | {
      readonly do: 'refuse'
      readonly token: number
      readonly why: Refusal
      readonly leader: Target | undefined
    }
  /** Something changed that the agent acts on or logs. */
  | {readonly do: 'tell'; readonly news: RaftNews}

export type RaftRole = 'follower' | 'pre-candidate' | 'candidate' | 'leader'

/** What the agent is told. */
export type RaftNews =
  | {readonly news: 'role'; readonly role: RaftRole; readonly term: number}
  | {readonly news: 'leader'; readonly leader: Target | undefined; readonly term: number}
  /** The leader's first entry of its term is applied: it may serve (`establishLeadership`, consul leader.go). */
  | {readonly news: 'established'; readonly term: number}
  | {readonly news: 'configuration'; readonly configuration: Configuration; readonly committed: boolean}
  | {readonly news: 'peer-lost'; readonly peer: Target; readonly sinceMs: number}
  | {readonly news: 'peer-back'; readonly peer: Target}
  /** A line for the log, in the field's words. */
  | {readonly news: 'log'; readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly text: string}
