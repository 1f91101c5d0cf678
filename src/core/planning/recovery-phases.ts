import type {Configuration} from '../model/configuration.js'
import type {Condition, Phase, PlanHost} from '../model/plan.js'
import {valueOf} from '../model/reading.js'
import type {PlanContext} from './context.js'
import type {Excluded} from './excluded.js'
import {excludedStep} from './excluded.js'
import {copyBytes, copyPaths, needsJoin, rejoinAgeExceeded} from './hosts.js'
import type {Candidate} from './situation.js'
import {hostPart} from './situation.js'
import type {StepDraft} from './steps.js'
import {
  PhaseList,
  awaitStep,
  barrierConditions,
  barrierPhases,
  copyDir,
  fencePhase,
  lockPhase,
  overridePath,
  releasePhase,
  startSteps,
} from './steps.js'

/** A server of a recovery with what was seen of it. */
export interface Placed {
  readonly candidate: Candidate
  readonly host: PlanHost
}

/** Everything a recovery's phases are made from. */
export interface RecoveryShape {
  readonly plan: string
  readonly included: readonly Placed[]
  readonly setAside: readonly Placed[]
  /** The peer set in the file. */
  readonly configuration: Configuration
  readonly fileText: string
  /** Consul up to 0.6: the file is the live list, stays on disk, and has no peers.info beside it. */
  readonly legacy: boolean
  /** The single survivor of Consul up to 0.6 elects itself only with a one-time bootstrap setting (safety rule S12). */
  readonly bootstrapOnce: boolean
  readonly needsPeersInfo: boolean
  /** Servers that are out of reach and so cannot be fenced; noted on every included host. */
  readonly excluded: Excluded | undefined
}

const OVERRIDE_MODE = 0o644
/** Consul up to 0.6 writes its list with this mode itself. */
const LIVE_LIST_MODE = 0o755
const RECOVERY_FILE_MODE = 0o644
/** More servers than any cluster has, so that a blank server can never found one of its own (safety rule S4). */
const EXPECT_NEVER = 999
const LEADER_WITHIN_MS = 60_000
const TAKEN_WITHIN_MS = 60_000
const CONFIGURED_WITHIN_MS = 60_000
const VERIFIED_WITHIN_MS = 150_000
const REJOINED_WITHIN_MS = 180_000
/** The note stands where the product's own would stand; only its existence counts (`setupRaft`). */
const PEERS_INFO_TEXT =
  'This file marks that a peers.json beside it is read at start and deleted after a recovery. Keep it.\n'

const OWNER_UNKNOWN = {uid: 0, gid: 0}
const ownerOf = (host: PlanHost): {readonly uid: number; readonly gid: number} => host.owner ?? OWNER_UNKNOWN

/** The phases of a recovery, live-list edit or readdress: all under one barrier, nothing written before it stands. */
export function recoveryPhases(shape: RecoveryShape, context: PlanContext): readonly Phase[] {
  const list = new PhaseList()
  const all = [...shape.included, ...shape.setAside]
  const hosts = all.map(one => one.host)
  const fenced = shape.setAside.filter(one => !rafterless(one)).map(one => one.host)
  lockPhase(list, hosts)
  barrierPhases(list, hosts, host => leaveTrap(all.find(one => one.host === host)?.candidate))
  list.add('reread', all.flatMap(rereadStep))
  fencePhase(list, fenced, barrierConditions(hosts, []), shape.plan)
  const barrier = barrierConditions(hosts, fenced)
  list.add(
    'copy',
    shape.included.map(one => copyStep(one, shape.plan)),
  )
  list.add(
    'write',
    shape.included.flatMap(one => writeSteps(one, shape, barrier, context)),
  )
  list.add(
    'read-back',
    shape.included.map(one => readBackStep(one, shape, context)),
  )
  list.add(
    'start',
    shape.included.flatMap(one => startSteps(one.host, [])),
  )
  list.add('join', joinSteps(shape.included))
  verifyPhases(list, shape)
  rejoinPhases(list, shape, context)
  releasePhase(list, hosts)
  return list.phases
}

/** Whether there is no raft directory to fence: a blank server that never wrote one. */
const rafterless = (one: Placed): boolean =>
  one.host.raftDir === '' || (one.candidate.blank && valueOf(one.candidate.seen.files)?.raftDir === undefined)

/** Why SIGTERM must not be sent to a server; undefined when it cannot make it leave. */
export function leaveTrap(candidate: Candidate | undefined): string | undefined {
  const config = candidate === undefined ? undefined : valueOf(candidate.seen.config)
  if (config === undefined) return 'its settings were not read'
  return config.leaveOnTerminate === true ? 'leave_on_terminate is on' : undefined
}

/** A server's files are at rest when it is stopped itself; that all are is proved before the first write. */
const atRest = (one: Placed): readonly Condition[] => [{is: 'stopped', hosts: [one.host.host]}]

function rereadStep(one: Placed): readonly StepDraft[] {
  const {end, disk} = one.candidate
  if (end === undefined) return []
  const configuration = disk.configurationKnown ? disk.configuration : undefined
  return [
    {
      host: one.host.host,
      action: {do: 'reread-log', end, configuration},
      requires: atRest(one),
      undo: 'nothing to take back',
    },
  ]
}

function copyStep(one: Placed, plan: string): StepDraft {
  return {
    host: one.host.host,
    action: {
      do: 'copy',
      paths: copyPaths(one.candidate, one.host),
      to: copyDir(plan),
      needBytes: copyBytes(one.candidate),
    },
    requires: atRest(one),
    undo: 'copies are kept',
  }
}

const peersPath = (host: PlanHost): string => `${host.raftDir}/peers.json`

function readBackStep(one: Placed, shape: RecoveryShape, context: PlanContext): StepDraft {
  return {
    host: one.host.host,
    action: {do: 'read-back', path: peersPath(one.host), sha256: context.sha256(shape.fileText)},
    undo: 'nothing to take back',
  }
}

function writeStep(
  host: PlanHost,
  file: {
    readonly path: string
    readonly text: string
    readonly mode: number
    readonly replaces?: string | undefined
  },
  requires: readonly Condition[],
  context: PlanContext,
): StepDraft {
  return {
    host: host.host,
    action: {
      do: 'write-file',
      path: file.path,
      text: file.text,
      sha256: context.sha256(file.text),
      mode: file.mode,
      owner: ownerOf(host),
      replaces: file.replaces,
    },
    requires,
    undo: file.replaces === undefined ? 'moving it away' : 'putting the copy of the old file back',
  }
}

function writeSteps(
  one: Placed,
  shape: RecoveryShape,
  requires: readonly Condition[],
  context: PlanContext,
): readonly StepDraft[] {
  const {host, candidate} = one
  // First, so that no server runs on the new peer set without a record of who is missing from it
  const record =
    shape.excluded === undefined ? [] : [excludedStep(host.host, shape.excluded, shape.plan, context)]
  const steps: StepDraft[] = [...record, ...rejoinAgeSteps(one, shape.plan, requires, context)]
  if (shape.needsPeersInfo && valueOf(candidate.seen.peersInfo) !== true) {
    const info = {path: `${host.raftDir}/peers.info`, text: PEERS_INFO_TEXT, mode: RECOVERY_FILE_MODE}
    steps.push(writeStep(host, info, requires, context))
  }
  const override = overridePath(host, shape.plan)
  if (shape.bootstrapOnce && override !== undefined) {
    const once = {path: override, text: '{"bootstrap_expect": 1}\n', mode: OVERRIDE_MODE}
    steps.push(writeStep(host, once, requires, context))
  }
  const mode = shape.legacy ? LIVE_LIST_MODE : RECOVERY_FILE_MODE
  const replaces = valueOf(candidate.seen.peersFile)?.sha256
  steps.push(
    writeStep(host, {path: peersPath(host), text: shape.fileText, mode, replaces}, requires, context),
  )
  return steps
}

/** A server that was away too long refuses to start; the file that says so is moved away, never data. */
function rejoinAgeSteps(
  one: Placed,
  plan: string,
  requires: readonly Condition[],
  context: PlanContext,
): readonly StepDraft[] {
  if (!rejoinAgeExceeded(one.candidate, context)) return []
  const path = `${one.host.dataDir}/server_metadata.json`
  return [
    {
      host: one.host.host,
      action: {do: 'move-away', path, to: `${copyDir(plan)}/moved/server_metadata.json`},
      requires,
      undo: 'moving it back',
    },
  ]
}

/** Joins by the gossip addresses of the others; on every server that would not find them by itself. */
function joinSteps(included: readonly Placed[]): readonly StepDraft[] {
  if (included.length < 2) return []
  return included
    .filter(one => needsJoin(one.candidate))
    .map(one => ({
      host: one.host.host,
      action: {do: 'join', addresses: gossipAddresses(included.filter(other => other !== one))} as const,
      undo: 'nothing to take back',
    }))
}

/** Where the gossip of the servers listens. */
export function gossipAddresses(placed: readonly Placed[]): readonly string[] {
  return placed.map(one => {
    const port = valueOf(one.candidate.seen.config)?.ports.serfLan
    const host = hostPart(one.host.address)
    if (port === undefined || port === 8301) return host
    return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  })
}

function verifyPhases(list: PhaseList, shape: RecoveryShape): void {
  const names = shape.included.map(one => one.host.host)
  const taken = shape.legacy
    ? []
    : shape.included.map(one =>
        awaitStep(
          one.host.host,
          {is: 'file-absent', host: one.host.host, path: peersPath(one.host)},
          TAKEN_WITHIN_MS,
        ),
      )
  list.add('verify', [...taken, awaitStep('', {is: 'leader', hosts: names}, LEADER_WITHIN_MS)])
  if (shape.legacy && shape.included.length > 1) settlePhase(list, names)
  if (shape.bootstrapOnce)
    list.add(
      'change',
      shape.included.flatMap(one => dropOverride(one, shape.plan)),
    )
  const {servers} = shape.configuration
  list.add(
    'verify',
    names.map(host => awaitStep(host, {is: 'configuration', host, servers}, CONFIGURED_WITHIN_MS)),
  )
  list.add('verify', [awaitStep('', {is: 'verified'}, VERIFIED_WITHIN_MS)])
}

/** For how long a leader's commit index must stand still; a sound one is done within a second. */
const STANDS_MS = 5000
const SETTLED_WITHIN_MS = 20_000

/**
 * Consul up to 0.6: the first leader after a full stop replays every peer list in its log and may end up leading
 * without ever committing (`processLog` of hashicorp/raft before its versioned protocol).
 */
export function settlePhase(list: PhaseList, hosts: readonly string[]): void {
  list.add(
    'change',
    hosts.map(host => ({
      host,
      action: {do: 'settle', standsMs: STANDS_MS, withinMs: SETTLED_WITHIN_MS} as const,
      undo: 'nothing to take back',
    })),
  )
}

function dropOverride(one: Placed, plan: string): readonly StepDraft[] {
  const path = overridePath(one.host, plan)
  if (path === undefined) return []
  const to = `${copyDir(plan)}/moved/zz-quorate-${plan}.json`
  return [{host: one.host.host, action: {do: 'move-away', path, to}, undo: 'not needed: it was ours'}]
}

/** Blank servers come back one at a time, after the recovered leader is verified (safety rule S4). */
function rejoinPhases(list: PhaseList, shape: RecoveryShape, context: PlanContext): void {
  const names = shape.included.map(one => one.host.host)
  const joined = [...shape.included]
  let servers = shape.configuration.servers
  for (const one of shape.setAside.filter(placed => placed.host.rejoins)) {
    const {peer, id} = one.candidate
    const entry = {...(peer ?? {suffrage: 'voter' as const}), id, address: one.candidate.address}
    if (entry.id === undefined || entry.address === undefined) continue
    servers = [...servers, {id: entry.id, address: entry.address, suffrage: entry.suffrage}]
    const leading: readonly Condition[] = [{is: 'leader', hosts: names}]
    const override = overridePath(one.host, shape.plan)
    const guarded = expectsOthers(one.candidate) && override !== undefined
    const never = {path: override ?? '', text: `{"bootstrap_expect": ${EXPECT_NEVER}}\n`, mode: OVERRIDE_MODE}
    const first = names[0] ?? ''
    list.add('rejoin', [
      ...(guarded ? [writeStep(one.host, never, leading, context)] : []),
      ...rejoinAgeSteps(one, shape.plan, leading, context),
      ...startSteps(one.host, leading),
      {
        host: one.host.host,
        action: {do: 'join', addresses: gossipAddresses(joined)},
        undo: 'nothing to take back',
      },
      awaitStep(one.host.host, {is: 'configuration', host: first, servers}, REJOINED_WITHIN_MS),
      awaitStep(one.host.host, {is: 'configuration', host: one.host.host, servers}, REJOINED_WITHIN_MS),
      ...(guarded ? dropOverride(one, shape.plan) : []),
    ])
    joined.push(one)
  }
  if (joined.length > shape.included.length)
    list.add('verify', [awaitStep('', {is: 'verified'}, VERIFIED_WITHIN_MS)])
}

/** Whether the server would bootstrap together with others once it sees enough of them. */
const expectsOthers = (candidate: Candidate): boolean =>
  (valueOf(candidate.seen.config)?.bootstrapExpect ?? 0) > 0
