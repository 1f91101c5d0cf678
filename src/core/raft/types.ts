import type {Configuration} from '../model/configuration.js'
import type {ServerId} from '../model/ids.js'
import type {HardState, RaftRole, SnapshotMeta, SnapshotRules, Target} from './messages.js'

/**
 * The bounds of everything a node keeps or sends. All of them are hard: past them a wish is refused, an append is
 * cut, or a transfer waits.
 */
export interface RaftLimits {
  /** Entries of one append request. hashicorp/raft sends at most 64 (`MaxAppendEntries`). */
  readonly appendEntriesMax: number
  /** Bytes of entry data in one append request; one entry alone may exceed it. */
  readonly appendBytesMax: number
  /** Append requests to one peer that may be unanswered at a time, heartbeats not counted. */
  readonly appendsInFlightMax: number
  /** Proposals and reads that may be under way at a time. */
  readonly proposalsInFlightMax: number
  readonly readsInFlightMax: number
  /** Bytes of proposals that are not yet committed. */
  readonly uncommittedBytesMax: number
  /** Bytes of recent entries kept in memory; entries not yet on disk are kept beyond it. */
  readonly cacheBytesMax: number
  /** Entries and bytes given out by `apply` and not yet applied. */
  readonly applyEntriesMax: number
  readonly applyBytesMax: number
}

/** What a node is built from. Times are in milliseconds. */
export interface RaftOptions extends SnapshotRules {
  readonly id: ServerId
  /** Our own address, as other servers have it in their configuration. */
  readonly address: Target['address']
  /** Chance: a number in [0, 1) at each call. The only source of jitter. */
  readonly random: () => number
  /** A follower that heard nothing for one to two of these looks for a new leader (`HeartbeatTimeout`). */
  readonly heartbeatTimeoutMs: number
  /**
   * How long a promise to vote for no other, given before this start, may still hold: the longest `heartbeatTimeoutMs`
   * that this server had of late. What is less than today's changes nothing.
   */
  readonly loyalAtStartMs: number
  /** A candidate tries again after one to two of these (`ElectionTimeout`). */
  readonly electionTimeoutMs: number
  /** A leader without contact to a quorum for this long steps down; at most `heartbeatTimeoutMs`, better half of it. */
  readonly leaderLeaseMs: number
  /** How soon followers are told of a commit when no entries carry the news (`CommitTimeout`). */
  readonly commitTimeoutMs: number
  /** Whether to ask before standing for election. Peers of before hashicorp/raft 1.7 refuse the question by hanging up. */
  readonly preVote: boolean
  /**
   * How membership goes into the log: 0 and 1 as a list of addresses (`AddPeer`, `RemovePeer`), with 0 also as first
   * entry of a leader; 2 and 3 as configurations.
   */
  readonly raftProtocol: 0 | 1 | 2 | 3
  readonly limits: RaftLimits
}

/** A stretch of the log whose entries have one term. It ends before the next run, or with the log. */
export interface TermRun {
  readonly firstIndex: number
  readonly term: number
}

/** A configuration with the index of the entry that set it. */
export interface ConfigurationAt {
  readonly index: number
  readonly configuration: Configuration
}

/**
 * What the store found at the start. The state machine has been loaded with `snapshot`, when there is one, before
 * the node is made.
 */
export interface Restored {
  /** Undefined when this server never had a term. */
  readonly hardState: HardState | undefined
  /** First index held by the log; in an empty log the index of the entry that comes next. */
  readonly firstIndex: number
  /** Last index held by the log; in an empty log `firstIndex - 1`. */
  readonly lastIndex: number
  /** The runs of the log in order; the first begins at `firstIndex`. Empty for an empty log. */
  readonly termRuns: readonly TermRun[]
  /** The newest snapshot in place. */
  readonly snapshot: SnapshotMeta | undefined
  /** All configurations set by entries of the log, oldest first. The one of the snapshot is known from it. */
  readonly configurations: readonly ConfigurationAt[]
}

/** How a leader sees a peer. */
export interface PeerStatus {
  readonly peer: Target
  readonly voter: boolean
  readonly matchIndex: number
  readonly nextIndex: number
  readonly sending: 'probe' | 'pipeline' | 'snapshot'
  /** When the peer last answered us in this term, on the clock of the events; undefined when it never did. */
  readonly lastContactMs: number | undefined
}

/** What a node knows of itself and its group. */
export interface RaftStatus {
  readonly role: RaftRole
  readonly term: number
  readonly votedFor: HardState['votedFor']
  readonly leader: Target | undefined
  /** Of a leader: its first entry of the term is applied. */
  readonly established: boolean
  readonly firstIndex: number
  readonly lastIndex: number
  readonly lastTerm: number
  /** Last index known to be on our own disk. */
  readonly persistedIndex: number
  readonly commitIndex: number
  readonly appliedIndex: number
  readonly snapshotIndex: number
  readonly snapshotTerm: number
  /** The newest configuration in the log, which is the one that counts, and the newest committed one. */
  readonly latest: ConfigurationAt
  readonly committed: ConfigurationAt
  /** When a leader was last heard of, on the clock of the events; undefined when never, or when we lead. */
  readonly lastContactMs: number | undefined
  /** Of a leader, by server; else empty. */
  readonly peers: readonly PeerStatus[]
  /** Of a leader that hands over: to whom. */
  readonly transferTo: ServerId | undefined
}
