import type {JournalEntry} from '../model/journal.js'
import {compareLogEnds} from '../model/ids.js'
import {believedState} from '../model/disk-state.js'
import type {FleetObservation, ServerObservation} from '../model/observation.js'
import type {Action, Phase, Plan, PlanHost, PlanResult, Step} from '../model/plan.js'
import {isAbsent, valueOf} from '../model/reading.js'
import {assemble} from './assemble.js'
import type {PlanContext} from './context.js'
import {nothingLost} from './data-statement.js'
import {checkActable} from './hosts.js'
import {leaveTrap} from './recovery-phases.js'
import type {Refusal} from './select.js'
import {refuse} from './select.js'
import type {Candidate, Situation} from './situation.js'
import {situationOf, withPeers} from './situation.js'
import type {StepDraft} from './steps.js'
import {
  PhaseList,
  barrierConditions,
  barrierPhases,
  copyDir,
  fencedDir,
  lockPhase,
  releasePhase,
  startSteps,
} from './steps.js'

/** A host of the plan with what is seen of it now. */
interface Back {
  readonly host: PlanHost
  readonly now: Candidate
}

/** What the journal says was begun; only that has to be taken back. */
interface Begun {
  readonly steps: readonly Step[]
  has(host: string, action: Action['do']): boolean
}

/**
 * Plans to take an earlier plan back: all its hosts under the barrier, our file moved away, what a server had taken
 * put back from its copy, fences undone, and those started again that ran before. Refused once a leader after the
 * recovery may have committed, for that would throw acknowledged writes away (safety rule S5), and refused while any
 * host is out of reach, for a file left on one host is taken at its next start.
 */
export function planBack(
  plan: Plan,
  entries: readonly JournalEntry[],
  fleet: FleetObservation,
  context: PlanContext,
): PlanResult {
  if (!['recovery-file', 'best-log-alone', 'live-list'].includes(plan.method))
    return refuse('BACK_IMPOSSIBLE', `A plan of method ${plan.method} is not taken back by quorate.`, [
      plan.method === 'online' ? 'quorate add-server   brings a removed server back' : 'quorate doctor',
    ])
  const situation = withPeers(situationOf(fleet), plan.before.servers)
  const begun = begunSteps(plan, entries)
  const touched = plan.hosts.filter(host => host.role === 'included' || host.role === 'set-aside')
  const hosts: Back[] = []
  for (const host of touched) {
    const now = situation.candidates.find(one => one.host === host.host)
    const refusal = now === undefined ? unreachable(host) : (hostRefusal(host, now) ?? undefined)
    if (refusal !== undefined) return refusal
    if (now !== undefined) hosts.push({host, now})
  }
  const committed = committedSince(plan, situation, hosts, begun)
  if (committed !== undefined) return committed
  const anew = fleet.servers.flatMap(server => begunAnew(plan, server) ?? [])[0]
  if (anew !== undefined) return refuse('BACK_IMPOSSIBLE', anew, ['quorate doctor'])
  const foreign = hosts.find(one => fileState(plan, one) === 'foreign')
  if (foreign !== undefined)
    return refuse('BACK_IMPOSSIBLE', `peers.json on ${foreign.host.host} is not the one this plan wrote.`, [
      `Look at ${foreign.host.raftDir}/peers.json before anything is started.`,
    ])
  if (begun.steps.length === 0) return {kind: 'nothing-to-do', why: `Plan ${plan.id} has changed nothing.`}
  return {kind: 'plan', plan: makeBack(plan, situation, hosts, begun, context), milder: []}
}

function begunSteps(plan: Plan, entries: readonly JournalEntry[]): Begun {
  const ids = new Set(entries.flatMap(entry => (entry.type === 'begin' ? [entry.step] : [])))
  const steps = plan.phases.flatMap(phase => phase.steps).filter(step => ids.has(step.id))
  return {
    steps,
    has: (host, action) => steps.some(step => step.host === host && step.action.do === action),
  }
}

function unreachable(host: PlanHost): Refusal {
  return refuse('UNREAD_FACT', `${host.host} is not among the hosts, and all must be taken back together.`)
}

function hostRefusal(host: PlanHost, now: Candidate): Refusal | undefined {
  if (!now.reached)
    return refuse(
      'UNREAD_FACT',
      `${host.host} does not answer; it may still hold ${host.raftDir}/peers.json and would take it at its next start.`,
      [`Bring ${host.host} back and ask again: all hosts are taken back together.`],
    )
  return checkActable(now)
}

/** Why it is too late: someone leads, or a log has grown beyond the end it had before the recovery. */
function committedSince(
  plan: Plan,
  situation: Situation,
  hosts: readonly Back[],
  begun: Begun,
): Refusal | undefined {
  const started = hosts.filter(one => mayHaveStarted(plan, one, begun))
  if (started.length === 0) return undefined
  const {leader} = situation
  if (leader.kind !== 'none')
    return tooLate(plan, leader.kind === 'leads' ? `${leader.host ?? leader.address} leads` : leader.why)
  for (const {host, now} of started) {
    if (now.end === undefined)
      return refuse(
        'UNREAD_FACT',
        `The log of ${host.host} was not read, so it cannot be told whether a leader has committed since.`,
      )
    if (host.end !== undefined && host.role === 'included' && compareLogEnds(now.end, host.end) > 0)
      return tooLate(
        plan,
        `the log of ${host.host} ends at ${now.end.index} @ ${now.end.term}, and it was ${host.end.index} @ ${host.end.term}`,
      )
  }
  return undefined
}

/**
 * Whether a server may have run on what the plan wrote: we started it, or its machine came back by itself, which
 * forgets what holds it, and the file it was given has been taken.
 */
function mayHaveStarted(plan: Plan, one: Back, begun: Begun): boolean {
  const {host} = one.host
  if (begun.has(host, 'start-service')) return true
  return wroteFile(plan, one, begun) && (one.now.runs !== false || fileState(plan, one) === 'absent')
}

/** Whether the file of the plan may have been written on a host. */
function wroteFile(plan: Plan, {host}: Back, begun: Begun): boolean {
  const path = writtenFile(plan, host)?.path
  return begun.steps.some(
    step => step.host === host.host && step.action.do === 'write-file' && step.action.path === path,
  )
}

/**
 * What stands against going on, or back, over a fenced server that came up by itself: a log of its own that it has begun
 * since, for what is in it may have been acknowledged. An empty one is no matter. Undefined when there is none.
 */
export function begunAnew(plan: Plan, server: ServerObservation): string | undefined {
  const host = plan.hosts.find(one => one.host === server.host && one.role === 'set-aside')
  const {end} = believedState(server)
  if (host === undefined || end === undefined || end.index === 0) return undefined
  const path = fencedDir(host, plan.id)
  if (valueOf(server.traces)?.some(trace => trace.kind === 'fenced' && trace.path === path) !== true)
    return undefined
  return `${host.host} was fenced and has since begun a log of its own, up to ${end.index} @ ${end.term}, in ${host.raftDir}.`
}

function tooLate(plan: Plan, why: string): Refusal {
  return refuse(
    'BACK_IMPOSSIBLE',
    `Plan ${plan.id} can no longer be taken back: ${why}; acknowledged writes would be lost.`,
    [`quorate resume ${plan.id}   goes on with it`, 'quorate doctor'],
  )
}

type FileState = 'ours' | 'foreign' | 'absent'

function writtenFile(plan: Plan, host: PlanHost): Extract<Action, {do: 'write-file'}> | undefined {
  const actions = plan.phases.flatMap(phase =>
    phase.steps.filter(step => step.host === host.host).map(step => step.action),
  )
  return actions.find(
    (action): action is Extract<Action, {do: 'write-file'}> =>
      action.do === 'write-file' && action.path === `${host.raftDir}/peers.json`,
  )
}

function fileState(plan: Plan, one: Back): FileState {
  const written = writtenFile(plan, one.host)
  if (written === undefined || isAbsent(one.now.seen.peersFile)) return 'absent'
  const there = valueOf(one.now.seen.peersFile)?.sha256
  if (there === written.sha256 || there === written.replaces) return 'ours'
  // A live list of Consul up to 0.6 is rewritten by the server itself once it runs.
  return plan.method === 'live-list' || one.now.legacy ? 'ours' : 'foreign'
}

function makeBack(
  plan: Plan,
  situation: Situation,
  hosts: readonly Back[],
  begun: Begun,
  context: PlanContext,
): Plan {
  const running = hosts.filter(one => one.host.service?.wasRunning === true)
  return assemble(
    situation,
    {
      method: 'back',
      because: `plan ${plan.id} is taken back, and no leader has committed since`,
      intent: plan.intent,
      before: plan.after,
      after: plan.before,
      data: nothingLost(
        'Nothing is lost: no leader has committed since, and every server gets back what it had.',
      ),
      hosts: hosts.map(one => one.host),
      risks: [],
      checks: [
        'no leader, and no log has grown since the recovery',
        `every host is reached: ${hosts.map(one => one.host.host).join(', ')}`,
      ],
      of: plan.id,
      upAfter: running.length,
      phases: () => backPhases(plan, hosts, begun),
    },
    context,
  )
}

function backPhases(plan: Plan, hosts: readonly Back[], begun: Begun): readonly Phase[] {
  const list = new PhaseList()
  const planHosts = hosts.map(one => one.host)
  lockPhase(list, planHosts)
  barrierPhases(list, planHosts, host => leaveTrap(hosts.find(one => one.host === host)?.now))
  list.add('reread', hosts.flatMap(rereadAgain))
  const requires = barrierConditions(planHosts, [])
  const put = (drafts: readonly Omit<StepDraft, 'requires' | 'undo'>[]): StepDraft[] =>
    drafts.map(draft => ({...draft, requires, undo: 'applying the plan again'}))
  list.add('write', put(hosts.flatMap(one => takeAway(plan, one, begun))))
  list.add('copy', put(hosts.flatMap(one => putBack(plan, one, begun))))
  list.add('fence', put(hosts.flatMap(one => unfence(plan, one, begun))))
  list.add(
    'start',
    hosts.flatMap(({host}) =>
      host.service?.wasRunning === true
        ? startSteps(host, [])
        : [{host: host.host, action: {do: 'release-service'} as const, undo: 'holding it again'}],
    ),
  )
  releasePhase(list, planHosts)
  return list.phases
}

/**
 * A leader may be elected, and commit, between the look that this plan rests on and the stop: somebody types the
 * cluster's name meanwhile. The logs are read again behind the barrier, and one that has grown stops the way back.
 */
function rereadAgain({host, now}: Back): readonly StepDraft[] {
  if (host.role !== 'included' || now.end === undefined) return []
  return [
    {
      host: host.host,
      action: {do: 'reread-log', end: now.end, configuration: undefined},
      requires: [{is: 'stopped', hosts: [host.host]}],
      undo: 'nothing to take back',
    },
  ]
}

type Draft = Omit<StepDraft, 'requires' | 'undo'>

/** Our files go: the recovery file where it was not there before, and settings that only the plan needed. */
function takeAway(plan: Plan, one: Back, begun: Begun): readonly Draft[] {
  const {host} = one
  const moved = new Set(
    begun.steps.flatMap(step =>
      step.host === host.host && step.action.do === 'move-away' ? [step.action.path] : [],
    ),
  )
  const written = begun.steps.flatMap(step =>
    step.host === host.host && step.action.do === 'write-file' ? [step.action] : [],
  )
  return written
    .filter(action => action.replaces === undefined && !moved.has(action.path))
    .filter(action => action.path !== `${host.raftDir}/peers.json` || fileState(plan, one) === 'ours')
    .map(action => ({
      host: host.host,
      action: {
        do: 'move-away',
        path: action.path,
        to: `${copyDir(plan.id)}/taken-back/${action.path.slice(action.path.lastIndexOf('/') + 1)}`,
      },
    }))
}

/** What is put back from the copies: the raft directory once its server took the file, else what was replaced or moved. */
function putBack(plan: Plan, one: Back, begun: Begun): readonly Draft[] {
  const {host, now} = one
  if (!begun.has(host.host, 'copy')) return []
  const written = writtenFile(plan, host)
  const wroteIt = wroteFile(plan, one, begun)
  const taken = !now.legacy && mayHaveStarted(plan, one, begun)
  const paths = [
    ...(taken ? [host.raftDir] : wroteIt && written?.replaces !== undefined ? [written.path] : []),
    ...begun.steps.flatMap(step =>
      step.host === host.host &&
      step.action.do === 'move-away' &&
      step.action.path === `${host.dataDir}/server_metadata.json`
        ? [step.action.path]
        : [],
    ),
  ]
  if (paths.length === 0) return []
  return [{host: host.host, action: {do: 'restore-copy', from: copyDir(plan.id), paths}}]
}

function unfence(plan: Plan, one: Back, begun: Begun): readonly Draft[] {
  const {host} = one
  if (!begun.has(host.host, 'fence')) return []
  return [{host: host.host, action: {do: 'fence', from: fencedDir(host, plan.id), to: host.raftDir}}]
}
