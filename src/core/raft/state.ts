import {assert} from '../assert.js'
import type {ServerId} from '../model/ids.js'
import {voters} from '../model/configuration.js'
import {quorumSize} from '../model/quorum.js'
import {printable} from '../text.js'
import {Disk} from './disk.js'
import {RaftLog} from './log.js'
import {Configurations, isVoter} from './membership.js'
import type {
  Channel,
  HardState,
  RaftEffect,
  RaftNews,
  RaftRequest,
  RaftResponse,
  RaftRole,
  Refusal,
  SnapshotMeta,
  SnapshotRequest,
  Target,
} from './messages.js'
import {PendingQueue} from './pending.js'
import type {Progress} from './progress.js'
import type {RaftOptions, Restored} from './types.js'

/**
 * No group gets to such a term by elections. Whoever reaches our port can claim any, and the highest would stay: past
 * the largest number there is no next one.
 */
export const TERM_MAX = 2 ** 50

const LOG_LINE_MAX = 300

/** A request of ours that has not been answered. */
export interface Outstanding {
  readonly rpc: RaftRequest['rpc']
  readonly peer: ServerId
  readonly channel: Channel
  /** Our term when it was sent; answers to requests of older terms are not looked at. */
  readonly term: number
  readonly sentMs: number
  readonly epoch: number
  /** Of an append: the entry before, and the last one sent. Of a snapshot: its index twice. */
  readonly prevIndex: number
  readonly lastIndex: number
}

/** A read that waits: for word from a quorum that we lead, and for the state machine. */
export interface PendingRead {
  readonly token: number
  readonly index: number
  /** A quorum has to answer requests from this one on; 0 when it needs no word. */
  readonly requestId: number
}

/** What only a leader has. */
export interface Leadership {
  /** Index of its first entry. Nothing is known to be committed before this one is. */
  readonly startIndex: number
  readonly peers: Map<ServerId, Progress>
  established: boolean
  /** Reads that wait for a quorum, oldest first. */
  reads: PendingRead[]
  uncommittedBytes: number
  /** No lease for the rest of the term: somebody was told to take over and may do so at any time. */
  leaseBroken: boolean
  /** Until when a quorum that is silent is forgiven, because we ourselves were not running. */
  graceUntilMs: number
  transfer:
    {readonly token: number; readonly to: ServerId; readonly untilMs: number; told: boolean} | undefined
}

/** What only a candidate has. */
export interface Campaign {
  readonly transfer: boolean
  /** The persist after which our own vote counts and others are asked. */
  readonly persistId: number
  asked: boolean
  readonly granted: Set<ServerId>
  readonly refused: Set<ServerId>
}

/** All that a node holds. The rules are in the files beside this one, as functions over it. */
export class RaftState {
  nowMs = 0
  term: number
  votedFor: HardState['votedFor']
  role: RaftRole = 'follower'
  leader: Target | undefined = undefined
  commitIndex: number
  appliedIndex: number
  /** Last index given out by `apply`. */
  handedOut: number
  handedOutBytes: {readonly index: number; readonly bytes: number}[] = []
  applyBytes = 0
  applyReadId: number | undefined = undefined
  readonly log: RaftLog
  readonly disk: Disk
  readonly configurations: Configurations
  snapshot: SnapshotMeta | undefined
  /** A snapshot that the state machine is being loaded with. */
  installing: {readonly token: number; readonly meta: SnapshotMeta} | undefined = undefined
  takingSnapshot = false
  /** Who waits for a snapshot, and what it has to hold at least. */
  snapshotTokens: {readonly token: number; readonly index: number}[] = []
  snapshotDueMs = 0
  compactDue = 0
  /** When a leader was last heard, and until when that forbids us to vote for another. */
  lastContactMs: number | undefined = undefined
  loyalUntilMs = -Infinity
  electionDueMs = 0
  leadership: Leadership | undefined = undefined
  campaign: Campaign | undefined = undefined
  /** Proposals and changes in the log that are not applied, oldest first. */
  readonly pending = new PendingQueue()
  /** Reads that a quorum has confirmed and the state machine has not reached. */
  readsToServe: PendingRead[] = []
  readonly requests = new Map<number, Outstanding>()
  nextRequestId = 1
  nextReadId = 1
  /** Reads of the log under way, by the first index asked for. */
  readonly logReads = new Map<number, number>()
  committedConfigurationTold: number
  effects: RaftEffect[] = []

  constructor(
    public options: RaftOptions,
    restored: Restored,
  ) {
    assert(
      options.leaderLeaseMs <= options.heartbeatTimeoutMs,
      'a lease ends before followers look elsewhere',
    )
    this.term = restored.hardState?.term ?? 0
    this.votedFor = restored.hardState?.votedFor
    this.snapshot = restored.snapshot
    const index = restored.snapshot?.index ?? 0
    this.commitIndex = index
    this.appliedIndex = index
    this.handedOut = index
    this.log = new RaftLog(restored, options.limits.cacheBytesMax)
    this.disk = new Disk(this.log)
    this.configurations = new Configurations(restored)
    this.committedConfigurationTold = this.configurations.asOf(index).index
    assert(this.log.lastTerm <= this.term, 'the term on disk is not behind the log')
  }

  get hardState(): HardState {
    return {term: this.term, votedFor: this.votedFor}
  }

  /**
   * Whether we may stand for election: as a voter, and also while the entry that took our vote is not known to be
   * committed, for we may be the only one who can commit it (Raft thesis 4.2.2).
   */
  get standing(): boolean {
    const {latest, previous} = this.configurations
    const {id} = this.options
    if (isVoter(latest.configuration, id)) return true
    return latest.index > this.commitIndex && previous !== undefined && isVoter(previous.configuration, id)
  }

  setTerm(term: number): void {
    assert(term > this.term, 'terms only rise')
    this.term = term
    this.votedFor = undefined
    this.disk.touchHardState()
  }

  setVote(candidate: Target['address']): void {
    assert(this.votedFor === undefined, 'there is one vote in a term')
    this.votedFor = candidate
    this.disk.touchHardState()
  }

  /** A time from now on of one to two of `baseMs`. */
  jitter(baseMs: number): number {
    return baseMs + this.options.random() * baseMs
  }

  tell(news: RaftNews): void {
    this.effects.push({do: 'tell', news})
  }

  /** A line for the log. It may quote what others say of themselves, which is made safe to show here. */
  logLine(level: 'debug' | 'info' | 'warn' | 'error', text: string): void {
    this.tell({news: 'log', level, text: printable(text, LOG_LINE_MAX)})
  }

  refuse(token: number, why: Refusal): void {
    this.effects.push({do: 'refuse', token, why, leader: this.leader})
  }

  /** Answers a request once the given persist and the hard state are on disk. */
  respond(token: number, response: RaftResponse, needs = 0): void {
    const persistId = Math.max(needs, this.disk.hardStateNeeds)
    this.disk.after(persistId, {do: 'respond', token, response}, this.effects)
  }

  /** Sends a request and notes what its answer will be about. Returns its id. */
  send(
    to: Target,
    channel: Channel,
    request: RaftRequest,
    about: {readonly epoch: number; readonly prevIndex: number; readonly lastIndex: number},
  ): number {
    const requestId = this.nextRequestId++
    this.requests.set(requestId, {
      rpc: request.rpc,
      peer: to.id,
      channel,
      term: this.term,
      sentMs: this.nowMs,
      ...about,
    })
    this.effects.push(
      request.rpc === 'snapshot'
        ? {do: 'send-snapshot', requestId, to, request: request satisfies SnapshotRequest}
        : {do: 'send', requestId, to, channel, request},
    )
    return requestId
  }

  /** Asks for entries from disk; returns the id of the read. */
  readLog(from: number, to: number, bytesMax: number): number {
    const readId = this.nextReadId++
    this.logReads.set(readId, from)
    this.effects.push({do: 'read-log', readId, from, to, bytesMax})
    return readId
  }

  /**
   * The highest value that a quorum of the voters has reached: what `of` says of each peer, and `own` of us when we
   * are a voter. With -Infinity when there is no voter.
   */
  quorumValue(own: number, of: (peer: Progress) => number): number {
    const values: number[] = []
    for (const server of voters(this.configurations.latest.configuration)) {
      if (server.id === this.options.id) values.push(own)
      else {
        const peer = this.leadership?.peers.get(server.id)
        values.push(peer === undefined ? -Infinity : of(peer))
      }
    }
    values.sort((a, b) => b - a)
    return values[quorumSize(values.length) - 1] ?? -Infinity
  }
}
