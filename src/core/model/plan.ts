import type {Configuration} from './configuration.js'
import type {LogEnd} from './ids.js'
import type {ProductName, ServiceManagerName} from './observation.js'
import type {Risk} from './finding.js'

/**
 * How a plan reaches its goal, least drastic first.
 * `start`: start what is only stopped. `join`: gossip join of servers that do not find each other.
 * `online`: removal through the leader. `live-list`: planned stop and edit of the live lists of Consul up to 0.6
 * while there is a leader. `recovery-file`: the same file for all survivors. `best-log-alone`: the best log
 * recovers by itself, the others are set aside and rejoin blank. `back`: takes an earlier plan back.
 */
export type Method = 'start' | 'join' | 'online' | 'live-list' | 'recovery-file' | 'best-log-alone' | 'back'

/** What the operator asked `peers fix` or `recover` for. Hosts are named by address, id, or name; `declaredDead` likewise. */
export interface PeersFixIntent {
  readonly remove: readonly string[]
  readonly readdress: readonly {readonly from: string; readonly to: string}[]
  /** Servers the operator says are gone for ever. `--remove` of a silent server declares it dead as well. */
  readonly declaredDead: readonly string[]
  /** Keep only these (recover); empty means all that are not removed. */
  readonly keep: readonly string[]
  /** The history the operator chose when there are several: a host that holds it. */
  readonly history: string | undefined
}

/** What a server is in a plan. */
export type PlanRole =
  /** Stopped and given the recovery file under the barrier. */
  | 'included'
  /** Reachable, stopped and fenced under the barrier; rejoins blank after verification when `rejoins`. */
  | 'set-aside'
  /** Declared dead by the operator and not seen. */
  | 'dead'
  /** Runs and only takes part in verification or asks its leader (online). */
  | 'witness'

/** All the executor needs to know of one host; paths are absolute on that host. */
export interface PlanHost {
  readonly host: string
  readonly role: PlanRole
  readonly rejoins: boolean
  readonly id: string
  readonly address: string
  readonly nodeName: string | undefined
  readonly version: string | undefined
  readonly service:
    | {
        readonly manager: ServiceManagerName
        readonly unit: string
        readonly enabled: boolean | undefined
        readonly masked: boolean
        readonly wasRunning: boolean
      }
    | undefined
  readonly dataDir: string
  readonly raftDir: string
  readonly storePath: string
  readonly executable: string | undefined
  readonly configFiles: readonly string[]
  readonly configDir: string | undefined
  /** Numeric owner of the store, for files we create beside it. */
  readonly owner: {readonly uid: number; readonly gid: number} | undefined
  readonly httpPort: number | undefined
  readonly raftPort: number
  readonly end: LogEnd | undefined
}

/** The names and order of phases; hosts run in parallel inside each. */
export type PhaseName =
  | 'lock'
  | 'hold'
  | 'stop'
  | 'prove'
  | 'reread'
  | 'fence'
  | 'copy'
  | 'write'
  | 'read-back'
  | 'start'
  | 'join'
  | 'change'
  | 'verify'
  | 'rejoin'
  | 'release'

export interface Phase {
  readonly name: PhaseName
  /** A second phase of the same name has another number: `start` of the best log, then `start` of the others. */
  readonly number: number
  readonly steps: readonly Step[]
}

/** One action on one host (`host` is empty for the cluster as a whole). */
export interface Step {
  /** Unique in the plan and stable: `<phase number>.<host>.<action>`. */
  readonly id: string
  readonly host: string
  readonly action: Action
  /** Checked again the instant before the step runs; a false one stops the plan. */
  readonly requires: readonly Condition[]
  /** How it is taken back, in words, or why it cannot be. */
  readonly undo: string
}

/** What one step does. A closed set: executor and views switch on it. Every action is safe to run twice. */
export type Action =
  | {readonly do: 'lock'}
  | {readonly do: 'unlock'}
  /** Keeps the service manager from starting the server again, without touching its enablement on disk. */
  | {readonly do: 'hold-service'}
  /** Gives the manager its old state back; does not start. */
  | {readonly do: 'release-service'}
  /** Ends the process without a leave: SIGTERM only where it cannot leave, SIGKILL after `graceMs`. */
  | {readonly do: 'stop-service'; readonly graceMs: number; readonly firstSignal: 'SIGTERM' | 'SIGKILL'}
  | {readonly do: 'prove-stopped'}
  /** Log end and peer set are read again from disk; anything but `end` stops the plan (S9). */
  | {readonly do: 'reread-log'; readonly end: LogEnd; readonly configuration: Configuration | undefined}
  /** Renames the raft directory so that no start can use it (S10). */
  | {readonly do: 'fence'; readonly from: string; readonly to: string}
  /** Copies with checksums into a new generation; never overwrites one. */
  | {readonly do: 'copy'; readonly paths: readonly string[]; readonly to: string; readonly needBytes: number}
  /** Temporary, fsync, rename, fsync, with the owner and mode given. `replaces`: SHA-256 of what is there now. */
  | {
      readonly do: 'write-file'
      readonly path: string
      readonly text: string
      readonly sha256: string
      readonly mode: number
      readonly owner: {readonly uid: number; readonly gid: number}
      readonly replaces: string | undefined
    }
  | {readonly do: 'read-back'; readonly path: string; readonly sha256: string}
  /** Moves a file away, keeping it: `to` lies in the plan's copies. */
  | {readonly do: 'move-away'; readonly path: string; readonly to: string}
  /** Puts copied paths back as they were (only in a plan of method `back`). */
  | {readonly do: 'restore-copy'; readonly from: string; readonly paths: readonly string[]}
  | {readonly do: 'start-service'}
  /**
   * Waits until the server's log is committed to its end. A leader whose commit index stands still for `standsMs` is
   * killed and started again, so that another is elected; only Consul up to 0.6 needs that.
   */
  | {readonly do: 'settle'; readonly standsMs: number; readonly withinMs: number}
  | {readonly do: 'join'; readonly addresses: readonly string[]}
  | {readonly do: 'remove-peer'; readonly id: string; readonly address: string; readonly byId: boolean}
  | {readonly do: 'force-leave'; readonly node: string}
  | {readonly do: 'await'; readonly condition: Condition; readonly withinMs: number}

/** What must hold; read from the hosts, never from memory. */
export type Condition =
  | {readonly is: 'stopped'; readonly hosts: readonly string[]}
  | {readonly is: 'held'; readonly hosts: readonly string[]}
  | {readonly is: 'locked'; readonly hosts: readonly string[]}
  | {readonly is: 'file-absent'; readonly host: string; readonly path: string}
  | {readonly is: 'running'; readonly host: string}
  /** The server itself reports exactly these servers. */
  | {readonly is: 'configuration'; readonly host: string; readonly servers: Configuration['servers']}
  | {readonly is: 'leader'; readonly hosts: readonly string[]}
  | {readonly is: 'verified'}

/** The data statement in three parts; `sentences` are what the operator reads, computed, never written by hand. */
export interface DataStatement {
  readonly kept: {readonly all: boolean; readonly upTo: LogEnd | undefined; readonly why: string}
  /** Entries that become committed though perhaps never acknowledged: (from, to]. */
  readonly added: {readonly from: number; readonly to: number} | undefined
  readonly lost: 'nothing' | 'nothing-committed' | 'unknown'
  readonly sentences: readonly string[]
}

/** A risk that stays open and must be accepted by code. */
export interface OpenRisk {
  readonly code:
    | 'DATA_LOSS'
    | 'UNFENCED_MAJORITY'
    | 'DIVERGENT_TAIL'
    | 'NONVOTER_PROMOTION'
    | 'NO_FAULT_TOLERANCE'
    | 'UNREAD_LOG'
    | 'PEER_SET_UNKNOWN'
    | 'HOST_NAMES'
  readonly text: string
  /** Whether `--accept CODE` or the typed phrase is needed. */
  readonly mustAccept: boolean
}

/** none; `y`/`--yes`; the cluster's name/`--confirm NAME`; the name and each open risk by `--accept CODE`. */
export type Consent = 'none' | 'yes' | 'name' | 'name-and-accept'

/** What a plan expects to find again when it is applied, per server. A risen term alone is no drift. */
export interface ExpectedServer {
  readonly host: string
  readonly reachable: boolean
  readonly running: boolean | undefined
  readonly end: LogEnd | undefined
  /** Digest over the peer set as this server believes it. */
  readonly peerSet: string | undefined
}

/** A plan is a value: printed, saved, reviewed, and applied exactly. */
export interface Plan {
  readonly format: 1
  readonly id: string
  readonly cluster: string
  readonly product: ProductName
  readonly madeAtMs: number
  readonly expiresAtMs: number
  readonly method: Method
  /** Why this method and not a milder one: one sentence. */
  readonly because: string
  readonly intent: PeersFixIntent
  readonly identity: {readonly datacenter: string | undefined; readonly serverIds: readonly string[]}
  readonly before: Configuration
  readonly after: Configuration
  readonly data: DataStatement
  readonly hosts: readonly PlanHost[]
  /** Survivors in rank order with the reason each stands where it does. */
  readonly ranking: readonly {
    readonly host: string
    readonly end: LogEnd | undefined
    readonly reason: string
  }[]
  readonly risks: readonly OpenRisk[]
  readonly checks: readonly string[]
  readonly consent: Consent
  readonly expected: readonly ExpectedServer[]
  /** SHA-256 over `expected` and identity. */
  readonly fingerprint: string
  readonly phases: readonly Phase[]
  /** For method `back`: the plan it takes back. */
  readonly of: string | undefined
}

/** A milder way the operator should consider first. */
export interface MilderWay {
  readonly title: string
  readonly risk: Risk
  readonly commands: readonly string[]
}

export type PlanResult =
  | {readonly kind: 'plan'; readonly plan: Plan; readonly milder: readonly MilderWay[]}
  | {readonly kind: 'nothing-to-do'; readonly why: string}
  | {
      readonly kind: 'refused'
      readonly code: RefusalCode
      readonly why: string
      readonly hints: readonly string[]
    }

/** Safety rules that say no; each is in the error catalogue with exit `refused`. */
export type RefusalCode =
  | 'QUORUM_PRESENT'
  | 'DEAD_BUT_ANSWERS'
  | 'MISSING_UNDECLARED'
  | 'MAJORITY_ELSEWHERE'
  | 'LOOK_ALIKE'
  | 'SEVERAL_HISTORIES'
  | 'PEER_SET_UNKNOWN'
  | 'NO_SURVIVOR'
  | 'BLANK_SURVIVOR'
  | 'UNREAD_FACT'
  | 'BREAKS_QUORUM'
  | 'REMOVES_BEST_LOG'
  | 'UNKNOWN_SERVER'
  | 'ILLEGAL_PEER_SET'
  | 'DUPLICATE_SERVER'
  | 'NO_ROOT'
  | 'NO_SPACE'
  | 'NO_SERVICE_MANAGER'
  | 'UNSUPPORTED_PRODUCT'
  | 'UNSUPPORTED_STORE'
  | 'MIXED_CHANGE'
  | 'LEADER_UNSURE'
  | 'BOOTSTRAP_SET'
  | 'BACK_IMPOSSIBLE'
