import type {Action, Condition, Phase, PhaseName, PlanHost, Step} from '../model/plan.js'

/** A step before it has its id. */
export interface StepDraft {
  readonly host: string
  readonly action: Action
  readonly requires?: readonly Condition[]
  readonly undo: string
}

/** Collects phases and numbers them; empty ones are left out. */
export class PhaseList {
  readonly phases: Phase[] = []

  /** Adds a phase; hosts run in parallel inside it, the steps of one host in their order. */
  add(name: PhaseName, drafts: readonly StepDraft[]): void {
    if (drafts.length === 0) return
    const number = this.phases.length + 1
    const used = new Map<string, number>()
    const steps: Step[] = drafts.map(draft => {
      const base = `${number}.${draft.host === '' ? 'cluster' : draft.host}.${draft.action.do}`
      const times = (used.get(base) ?? 0) + 1
      used.set(base, times)
      return {
        id: times === 1 ? base : `${base}-${times}`,
        host: draft.host,
        action: draft.action,
        requires: draft.requires ?? [],
        undo: draft.undo,
      }
    })
    this.phases.push({name, number, steps})
  }
}

const NOTHING_TO_UNDO = 'nothing to take back'

/** Where copies of a plan lie, on every host alike. */
export function copyDir(plan: string): string {
  return `/var/backups/quorate/${plan}`
}

/** Where a fenced raft directory is moved to. */
export function fencedDir(host: PlanHost, plan: string): string {
  return `${host.raftDir}.fenced-${plan}`
}

/** The settings file that carries a one-time bootstrap setting; last in the order in which a directory is read. */
export function overridePath(host: PlanHost, plan: string): string | undefined {
  return host.configDir === undefined ? undefined : `${host.configDir}/zz-quorate-${plan}.json`
}

/** Locks every host that the plan acts on. */
export function lockPhase(list: PhaseList, hosts: readonly PlanHost[]): void {
  list.add(
    'lock',
    hosts.map(host => ({host: host.host, action: {do: 'lock'}, undo: 'unlocking'})),
  )
}

/**
 * The time a server has after SIGTERM before SIGKILL. Without a leader it would linger for 5 to 10 s for nothing, and
 * what it acknowledged is on disk already: killed servers of every version lost nothing.
 */
const GRACE_MS = 500

/** Holds the managers, stops the servers without a leave, and proves every one of them stopped (the barrier). */
export function barrierPhases(
  list: PhaseList,
  hosts: readonly PlanHost[],
  trapOf: (host: PlanHost) => string | undefined,
): void {
  const names = hosts.map(host => host.host)
  list.add(
    'hold',
    hosts.map(host => ({
      host: host.host,
      action: {do: 'hold-service'},
      undo: 'releasing the service',
    })),
  )
  list.add(
    'stop',
    hosts.map(host => ({
      host: host.host,
      action: {
        do: 'stop-service',
        graceMs: GRACE_MS,
        firstSignal: trapOf(host) === undefined ? 'SIGTERM' : 'SIGKILL',
      },
      requires: [{is: 'held', hosts: [host.host]}],
      undo: 'starting it',
    })),
  )
  list.add(
    'prove',
    names.map(host => ({host, action: {do: 'prove-stopped'}, undo: NOTHING_TO_UNDO})),
  )
}

/** What must hold at every write: all hosts of the barrier stopped, held and locked, those set aside fenced. */
export function barrierConditions(
  hosts: readonly PlanHost[],
  fenced: readonly PlanHost[],
): readonly Condition[] {
  const names = hosts.map(host => host.host)
  return [
    {is: 'locked', hosts: names},
    {is: 'held', hosts: names},
    {is: 'stopped', hosts: names},
    ...fenced.map(host => ({is: 'file-absent', host: host.host, path: host.raftDir}) as const),
  ]
}

/** Renames the raft directories of what is set aside, so that no start can use them (safety rule S10). */
export function fencePhase(
  list: PhaseList,
  fenced: readonly PlanHost[],
  requires: readonly Condition[],
  plan: string,
): void {
  list.add(
    'fence',
    fenced.map(host => ({
      host: host.host,
      action: {do: 'fence', from: host.raftDir, to: fencedDir(host, plan)},
      requires,
      undo: 'renaming it back',
    })),
  )
}

/** Unlocks every host at the end. */
export function releasePhase(
  list: PhaseList,
  hosts: readonly PlanHost[],
  before: readonly StepDraft[] = [],
): void {
  list.add('release', [
    ...before,
    ...hosts.map(host => ({host: host.host, action: {do: 'unlock'} as const, undo: NOTHING_TO_UNDO})),
  ])
}

/** Gives the manager its state back and starts the server. */
export function startSteps(host: PlanHost, requires: readonly Condition[]): readonly StepDraft[] {
  return [
    {host: host.host, action: {do: 'release-service'}, requires, undo: 'holding it again'},
    {host: host.host, action: {do: 'start-service'}, undo: 'stopping it without a leave'},
  ]
}

/** An await that changes nothing. */
export function awaitStep(host: string, condition: Condition, withinMs: number): StepDraft {
  return {host, action: {do: 'await', condition, withinMs}, undo: NOTHING_TO_UNDO}
}
