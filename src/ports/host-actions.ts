import type {Configuration} from '../core/model/configuration.js'
import type {LogEnd} from '../core/model/ids.js'
import type {PlanHost} from '../core/model/plan.js'
import type {HostConnection} from './transport.js'

/**
 * Why an act was not done. `lost`: the connection broke and nobody knows whether it was. `barrier`: a server that
 * must be stopped runs, nothing was written. `locked`: another run of quorate holds the host. `no-space`: copies do
 * not fit. `changed`: what was to be replaced is not what the plan saw. `failed`: all else, in the host's words.
 */
export type ActFailure = 'lost' | 'barrier' | 'locked' | 'no-space' | 'changed' | 'failed'

/** How an act went. `already`: what it was to bring about was so before. `note` is one bounded, printable sentence. */
export type ActResult =
  | {readonly ok: true; readonly already: boolean; readonly note: string}
  | {readonly ok: false; readonly failure: ActFailure; readonly note: string}

/** An answer from the host, or why there is none. No answer is never a no. */
export type Answer<T> =
  | {readonly ok: true; readonly value: T}
  | {readonly ok: false; readonly failure: ActFailure; readonly note: string}

/** Whether a server is stopped by process list, listening sockets and store lock alike; `why` names what speaks against it. */
export interface StopProof {
  readonly stopped: boolean
  /** Whether the service manager is kept from starting it. */
  readonly held: boolean
  readonly why: string
}

/** The end of the log and the peer set, read again from the stopped server's disk. */
export interface RereadLog {
  readonly end: LogEnd
  /** Undefined when the search for membership entries went beyond its budget. */
  readonly configuration: Configuration | undefined
}

/**
 * How far a running server's log is committed. `whole`: to its end, for two looks in a row. `stuck`: it leads, and its
 * commit index has stood still below the end of its log. `open`: neither within the time given.
 */
export type Commitment = 'whole' | 'stuck' | 'open'

/** Who holds the lock of a host. */
export interface LockHolder {
  readonly plan: string
  readonly by: string
}

export interface FileToWrite {
  readonly path: string
  readonly text: string
  readonly sha256: string
  readonly mode: number
  readonly owner: {readonly uid: number; readonly gid: number}
  /** SHA-256 of what must be there now; undefined when nothing may be there. */
  readonly replaces: string | undefined
  /**
   * Checked on the host by the same script that writes, right before its rename: the server is stopped and its
   * manager held. There is then no window between the proof and the write.
   */
  readonly whileStopped: boolean
}

/**
 * What the executor may do to one server and ask of it. Every act is safe to run twice and resolves to a result;
 * nothing here throws for what the world does. Acts that write while servers are stopped check that once more on
 * the host itself.
 */
export interface HostActions {
  readonly host: PlanHost
  lock(): Promise<ActResult>
  unlock(): Promise<ActResult>
  /** Undefined when nobody holds it. */
  lockHolder(): Promise<Answer<LockHolder | undefined>>
  hold(): Promise<ActResult>
  release(): Promise<ActResult>
  stop(options: {readonly firstSignal: 'SIGTERM' | 'SIGKILL'; readonly graceMs: number}): Promise<ActResult>
  start(): Promise<ActResult>
  proveStopped(): Promise<Answer<StopProof>>
  /** Whether a process of the server runs. */
  running(): Promise<Answer<boolean>>
  readLog(): Promise<Answer<RereadLog>>
  /** Undefined when there is no such file. */
  sha256Of(path: string): Promise<Answer<string | undefined>>
  /** Whether a file or directory of this name is there. */
  exists(path: string): Promise<Answer<boolean>>
  /** Writes a file whole or not at all, and reads it back. */
  writeFile(file: FileToWrite): Promise<ActResult>
  /** Renames the raft directory within its file system. */
  fence(from: string, to: string): Promise<ActResult>
  /** Copies into `to`, which must not exist or be our own whole copy; checksums of both sides are compared. */
  copy(paths: readonly string[], to: string, needBytes: number): Promise<ActResult>
  /** Puts `paths` back as `copy` found them, owner and mode included; what is there now is kept aside. */
  restore(from: string, paths: readonly string[]): Promise<ActResult>
  moveAway(path: string, to: string, whileStopped: boolean): Promise<ActResult>
  join(addresses: readonly string[]): Promise<ActResult>
  removePeer(peer: {
    readonly id: string
    readonly address: string
    readonly byId: boolean
  }): Promise<ActResult>
  forceLeave(node: string): Promise<ActResult>
  /** The address of the leader that this server knows; empty when it knows none. */
  leader(): Promise<Answer<string>>
  /** The peer set as this running server reports it. */
  configuration(): Promise<Answer<Configuration['servers']>>
  /** Watches the server's commit index; `standsMs` without a move below the end of a leader's log is `stuck`. */
  commitment(times: {readonly standsMs: number; readonly withinMs: number}): Promise<Answer<Commitment>>
}

/** The part of the acts that reads stores and asks APIs; files and services are the other part. */
export type HostQuestions = Pick<
  HostActions,
  'readLog' | 'leader' | 'configuration' | 'commitment' | 'join' | 'removePeer' | 'forceLeave'
>

/** Reaches a host of a plan; a host that cannot be reached is an answer, not an exception. */
export type ActionsFor = (host: PlanHost) => Promise<Answer<HostActions>>

/** What the acts on one host are made of, besides what the machine that runs quorate adds. */
export interface HostActionsOrder {
  readonly connection: HostConnection
  readonly host: PlanHost
  /** The plan and who applies it, as locks and holds name them. */
  readonly holder: LockHolder
  readonly questions: HostQuestions
}

/** Makes the acts for a host; undefined where no service manager of the plan's kind is known. */
export type HostActionsMaker = (order: HostActionsOrder) => HostActions | undefined
