import type {PhaseName, Step} from './plan.js'

/** Something that happened while a plan is applied, for screens; the journal holds the same more durably. */
export type ApplyEvent =
  | {readonly type: 'phase'; readonly name: PhaseName; readonly number: number; readonly atMs: number}
  | {
      readonly type: 'begin'
      readonly step: Step
      readonly place: Place
      readonly atMs: number
      readonly withinMs: number | undefined
    }
  | {
      readonly type: 'waiting'
      readonly step: Step
      readonly atMs: number
      readonly missing: readonly string[]
    }
  | {
      readonly type: 'done'
      readonly step: Step
      readonly place: Place
      readonly atMs: number
      readonly elapsedMs: number
      readonly note: string
    }
  | {
      readonly type: 'failed'
      readonly step: Step
      readonly place: Place
      readonly atMs: number
      readonly elapsedMs: number
      readonly error: string
    }

/** The how-manieth step of how many. */
export interface Place {
  readonly number: number
  readonly of: number
}

/** Why a plan stopped part-way; each is in the error catalogue. */
export type StopCode =
  | 'BARRIER_BROKEN'
  | 'STEP_FAILED'
  | 'CONNECTION_LOST'
  | 'STOPPED_BY_OPERATOR'
  | 'BACK_INCOMPLETE'
  | 'LOCKED'
  | 'PLAN_STALE'
  | 'UNVERIFIED'
  | 'VERIFY_FAILED'

/** In what state a plan left the hosts, as far as its steps tell. */
export interface HostsLeft {
  /** Stopped by the plan and not started again. */
  readonly stopped: readonly string[]
  /** Whose service manager is still kept from starting the server. */
  readonly held: readonly string[]
  /** Locked by the plan. */
  readonly locked: readonly string[]
  /** Where a file of the plan was written, or may have been. */
  readonly written: readonly string[]
  /** Whose raft directory was set aside, or may have been. */
  readonly fenced: readonly string[]
}

/** How applying a plan ended. */
export type ApplyOutcome =
  | {
      readonly kind: 'finished'
      readonly outcome: 'verified' | 'taken-back' | 'done'
      readonly elapsedMs: number
      readonly notes: readonly string[]
    }
  | {
      readonly kind: 'stopped'
      readonly code: StopCode
      readonly why: string
      readonly at: Step | undefined
      readonly place: Place
      readonly done: readonly string[]
      readonly notDone: readonly string[]
      readonly left: HostsLeft
      /** Whether everything was put back as it was before the plan. */
      readonly asBefore: boolean
      readonly elapsedMs: number
    }
