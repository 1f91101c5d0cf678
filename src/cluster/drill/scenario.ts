import type {LocalCluster} from '../cluster.js'
import type {ClusterMember} from '../state.js'
import type {Load} from './load.js'

/** What a scenario's failure is made with. */
export interface DrillWorld {
  readonly cluster: LocalCluster
  readonly load: Load
  /** Waits until a condition holds; throws with `what` when it does not in time. */
  readonly until: (what: string, condition: () => Promise<boolean>, withinMs?: number) => Promise<void>
  readonly sleep: (ms: number) => Promise<void>
  /** Whether no operator is there, who would want some time to think. */
  readonly auto: boolean
  /** Says that the failure begins now, where something was prepared for it first. */
  readonly failing: () => void
}

/** One command of `--auto`: arguments of quorate, or a repair that no command of quorate is there for. */
export type RepairStep =
  | {readonly run: readonly string[]}
  | {readonly by: string; readonly act: (world: DrillWorld) => Promise<void>}

/** How the cluster should be in the end. */
export interface Goal {
  /** Names of the servers that should make the peer set, all of them running. */
  readonly peers: readonly string[]
  /** Whether a plan that writes was the wrong answer. */
  readonly plansAreWrong: boolean
}

/** A failure to practise on. */
export interface Scenario {
  readonly name: string
  /** One line for the list. */
  readonly title: string
  /** What the operator is told, as somebody who was called at night would be. */
  readonly story: readonly string[]
  /** What the right answer was and why; told afterwards. */
  readonly lesson: string
  readonly servers: number
  readonly nonvoters?: number
  readonly raftProtocol: number
  /** Writes acknowledged before the failure. */
  readonly writes: number
  /** Settings of single members, beside those that every local cluster has. */
  readonly settings?: (member: ClusterMember) => Readonly<Record<string, unknown>>
  /** Changes the machine before the servers are started. */
  readonly prepare?: (cluster: LocalCluster) => Promise<void>
  /** The servers that take the writes and must agree on a leader at first; all when undefined. */
  readonly writers?: (cluster: LocalCluster) => readonly ClusterMember[]
  /** Why it cannot be played here; undefined when it can. */
  readonly unplayable?: () => string | undefined
  readonly inject: (world: DrillWorld) => Promise<void>
  /** Gives back what the failure took outside the cluster's directory. */
  readonly cleanUp?: (cluster: LocalCluster) => Promise<void>
  readonly goal: Goal
  readonly repair: (cluster: LocalCluster) => readonly RepairStep[]
}
