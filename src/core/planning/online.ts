import {atLeast, consulHas} from '../codec/version.js'
import type {Configuration, Server} from '../model/configuration.js'
import {voters} from '../model/configuration.js'
import type {Condition, OpenRisk, PeersFixIntent, Phase, PlanHost, PlanResult} from '../model/plan.js'
import {hasQuorum, quorumSize} from '../model/quorum.js'
import {valueOf} from '../model/reading.js'
import {assemble} from './assemble.js'
import type {PlanContext} from './context.js'
import {nothingLost} from './data-statement.js'
import {excludedOf, excludedStep} from './excluded.js'
import {checkActable, checkUnmasked, deadHost, planHost} from './hosts.js'
import {leaveTrap} from './recovery-phases.js'
import type {Refusal, Target} from './select.js'
import {isRefusal, refuse, selectAll, targetName} from './select.js'
import type {Candidate, Situation} from './situation.js'
import {answers, membersSeen} from './situation.js'
import type {StepDraft} from './steps.js'
import {
  PhaseList,
  awaitStep,
  barrierConditions,
  barrierPhases,
  fencePhase,
  lockPhase,
  releasePhase,
} from './steps.js'

const CHANGED_WITHIN_MS = 30_000
/** A leader's reconcile loop force-leaves and removes within a minute (Consul agent/consul/leader.go). */
const RECONCILED_WITHIN_MS = 90_000
const LEADER_WITHIN_MS = 60_000
const VERIFIED_WITHIN_MS = 150_000

/** A server to be removed, and how its leader is told. */
export interface Removal {
  readonly target: Target
  readonly peer: Server
  /** Reached: it is stopped and fenced, so that the leader does not add it again (safety rule S11). */
  readonly live: Candidate | undefined
  readonly how: 'operator-api' | 'force-leave'
  /** Its gossip name, for force-leave. */
  readonly node: string | undefined
}

/** How a dead server of Consul up to 0.6 can leave the list while there is a leader. */
export type OldWay = {readonly kind: 'force-leave'; readonly node: string} | {readonly kind: 'live-list'}

/**
 * Consul up to 0.6 has no removal of a peer; its leader drops a server that gossip has as failed once that is made
 * to leave. A peer that gossip does not know, or has as left already, cannot be reached that way.
 */
export function oldWay(situation: Situation, peer: Server): OldWay {
  const known = membersSeen(situation.fleet).find(
    ({member}) => member.raftAddress === peer.address && member.status === 'failed',
  )
  return known === undefined ? {kind: 'live-list'} : {kind: 'force-leave', node: known.member.name}
}

/**
 * Turns targets into removals in the order in which they are safe: the dead first, each a step of its own. Refuses
 * when the servers that are up would not make a quorum at any point on the way.
 */
export function planRemovals(
  situation: Situation,
  before: Configuration,
  targets: readonly Target[],
  upIds: ReadonlySet<string>,
): readonly Removal[] | Refusal {
  const removals: Removal[] = []
  for (const target of targets) {
    const removal = removalOf(situation, target)
    if (isRefusal(removal)) return removal
    removals.push(removal)
  }
  const live = removals.filter(one => one.live !== undefined)
  if (live.length > 1)
    return refuse(
      'BREAKS_QUORUM',
      `${live.map(one => targetName(one.target)).join(' and ')} are reached, and servers that live leave one at a time.`,
      live.map(one => `quorate peers fix --remove ${targetName(one.target)}`),
    )
  const inOrder = [...removals].sort((a, b) => Number(a.live?.runs === true) - Number(b.live?.runs === true))
  return checkArithmetic(before, inOrder, upIds) ?? inOrder
}

function removalOf(situation: Situation, target: Target): Removal | Refusal {
  const {peer, candidate} = target
  const name = targetName(target)
  if (peer === undefined)
    return refuse('UNKNOWN_SERVER', `${name} is not in the peer set.`, ['quorate peers list'])
  const live = candidate?.reached === true ? candidate : undefined
  const how = live === undefined ? answers(situation, peer) : undefined
  if (how !== undefined)
    return refuse(
      'DEAD_BUT_ANSWERS',
      `${name} does not answer us, but ${how}; the leader would add it again.`,
      [`Give quorate a way to reach ${name}, or stop it first.`],
    )
  const legacy = situation.candidates.some(one => one.legacy)
  if (!legacy) return {target, peer, live, how: 'operator-api', node: undefined}
  const way = oldWay(situation, peer)
  const node = way.kind === 'force-leave' ? way.node : candidate?.nodeName
  return {target, peer, live, how: 'force-leave', node}
}

/** The arithmetic of every step (safety rule S11): after each removal the servers that are up must make a quorum. */
export function checkArithmetic(
  before: Configuration,
  removals: readonly Removal[],
  upIds: ReadonlySet<string>,
): Refusal | undefined {
  let ids = voters(before).map(server => String(server.id))
  let up = ids.filter(id => upIds.has(id))
  for (const removal of removals) {
    const id = String(removal.peer.id)
    if (!ids.includes(id)) continue
    const name = targetName(removal.target)
    const stopped = up.filter(one => one !== id)
    if (stopped.length < up.length && !hasQuorum(ids.length, stopped.length))
      return breaksQuorum(name, `with ${name} stopped`, stopped.length, ids.length)
    ids = ids.filter(one => one !== id)
    up = stopped
    if (!hasQuorum(ids.length, up.length)) return breaksQuorum(name, 'afterwards', up.length, ids.length)
  }
  return undefined
}

function breaksQuorum(name: string, when: string, up: number, all: number): Refusal {
  return refuse(
    'BREAKS_QUORUM',
    `Removing ${name} would break the quorum: ${when} ${up} of ${all} voters are up, and ${quorumSize(all)} are needed.`,
    ['Remove dead servers first, or bring others back before.'],
  )
}

/** Plans removals through the leader that is there. */
export function planOnline(
  situation: Situation,
  before: Configuration,
  removals: readonly Removal[],
  intent: PeersFixIntent,
  context: PlanContext,
): PlanResult {
  const {leader} = situation
  if (leader.kind !== 'leads') return refuse('LEADER_UNSURE', 'There is no leader to ask.')
  const noApi = removals.some(one => one.how === 'operator-api') && operatorApiMissing(situation)
  if (noApi)
    return refuse('UNSUPPORTED_PRODUCT', 'This version has no way to remove a peer through its leader.')
  for (const {live} of removals) {
    const refusal = live === undefined ? undefined : (checkActable(live) ?? checkUnmasked(live))
    if (refusal !== undefined) return refusal
  }
  const gone = new Set(removals.map(one => String(one.peer.id)))
  const after: Configuration = {servers: before.servers.filter(server => !gone.has(String(server.id)))}
  const removedHosts = new Set(removals.flatMap(one => (one.live === undefined ? [] : [one.live.host])))
  const witnesses = situation.candidates.filter(
    one => one.reached && one.runs === true && one.peer !== undefined && !removedHosts.has(one.host),
  )
  const via = witnesses.find(one => one.host === leader.host) ?? witnesses[0]
  if (via === undefined)
    return refuse('UNREAD_FACT', 'No running server was reached that could ask the leader.')
  const upAfter = voters(after).filter(server => witnesses.some(one => one.peer?.id === server.id)).length
  const hosts: PlanHost[] = [
    ...witnesses.map(one => planHost(situation, one, 'witness')),
    ...removals.map(one =>
      one.live === undefined
        ? deadHost(situation, one.peer, one.target.candidate)
        : planHost(situation, one.live, 'set-aside'),
    ),
  ]
  const plan = assemble(
    situation,
    {
      method: 'online',
      because: `there is a leader (${leader.host ?? leader.address}), and it removes servers itself`,
      intent,
      before,
      after,
      data: nothingLost('Nothing is lost: the leader stays or hands over by Raft, and no log is touched.'),
      hosts,
      risks: onlineRisks(after, upAfter),
      checks: onlineChecks(before, after, removals, upAfter),
      upAfter,
      phases: id => onlinePhases({id, removals, before, witnesses, via, hosts, situation}, context),
    },
    context,
  )
  return {kind: 'plan', plan, milder: []}
}

function operatorApiMissing(situation: Situation): boolean {
  const {product} = situation.fleet
  const versions = situation.candidates.map(one => valueOf(one.seen.version)).filter(one => one !== undefined)
  if (product === 'consul') return versions.some(version => consulHas('operator-raft', version) === false)
  return product !== 'nomad' || versions.some(version => atLeast(version, '0.5.5') === false)
}

function onlineRisks(after: Configuration, up: number): readonly OpenRisk[] {
  const tolerance = up - quorumSize(voters(after).length)
  if (tolerance > 0) return []
  const text = `${up} of ${voters(after).length} voters are up afterwards: losing one more loses the quorum.`
  return [{code: 'NO_FAULT_TOLERANCE', text, mustAccept: false}]
}

function onlineChecks(
  before: Configuration,
  after: Configuration,
  removals: readonly Removal[],
  up: number,
): readonly string[] {
  const n = voters(after).length
  return [
    `${voters(before).length} voters now, ${n} afterwards: quorum ${quorumSize(n)}, ${up} up`,
    removals.length === 1
      ? 'one server is removed'
      : `${removals.length} servers are removed one at a time, the dead first`,
    ...removals
      .filter(one => one.live !== undefined)
      .map(
        one =>
          `${targetName(one.target)} is stopped and fenced first, so that the leader does not add it again`,
      ),
  ]
}

interface OnlineParts {
  readonly id: string
  readonly removals: readonly Removal[]
  readonly before: Configuration
  readonly witnesses: readonly Candidate[]
  readonly via: Candidate
  readonly hosts: readonly PlanHost[]
  readonly situation: Situation
}

function onlinePhases(parts: OnlineParts, context: PlanContext): readonly Phase[] {
  const list = new PhaseList()
  const fenced = parts.hosts.filter(one => one.role === 'set-aside')
  const locked = parts.hosts.filter(one => one.role === 'set-aside' || one.host === parts.via.host)
  lockPhase(list, locked)
  removalPhases(list, parts, fenced, context)
  list.add('verify', [awaitStep('', {is: 'verified'}, VERIFIED_WITHIN_MS)])
  releasePhase(list, locked)
  return list.phases
}

/**
 * One change phase per removal; a live server is stopped and fenced right before its own removal. Those that are gone
 * cannot be fenced and are noted on the servers that remain.
 */
export function removalPhases(
  list: PhaseList,
  parts: Omit<OnlineParts, 'id' | 'hosts'> & {readonly id: string},
  fenced: readonly PlanHost[],
  context: PlanContext,
): void {
  const names = parts.witnesses.map(one => one.host)
  let servers = parts.before.servers
  for (const removal of parts.removals) {
    const host = fenced.find(one => one.host === removal.live?.host)
    if (host !== undefined) {
      barrierPhases(list, [host], () => leaveTrap(removal.live))
      fencePhase(list, [host], barrierConditions([host], []), parts.id)
    }
    servers = servers.filter(server => server.id !== removal.peer.id)
    const leading: readonly Condition[] = [{is: 'leader', hosts: names}]
    const settled = removal.how === 'force-leave' ? RECONCILED_WITHIN_MS : CHANGED_WITHIN_MS
    if (host !== undefined)
      list.add('verify', [awaitStep('', {is: 'leader', hosts: names}, LEADER_WITHIN_MS)])
    list.add('change', [
      {host: parts.via.host, ...removeAction(removal), requires: leading},
      ...names.map(name => awaitStep(name, {is: 'configuration', host: name, servers}, settled)),
    ])
  }
  list.add('write', excludedSteps(parts, context))
}

/** On every server that remains and where we may write; it is no part of the change, so that none is required. */
function excludedSteps(
  parts: Pick<OnlineParts, 'id' | 'removals' | 'before' | 'witnesses' | 'situation'>,
  context: PlanContext,
): readonly StepDraft[] {
  const dead = parts.removals
    .filter(one => one.live === undefined)
    .map(one => deadHost(parts.situation, one.peer, one.target.candidate))
  const excluded = excludedOf(parts.situation.fleet.cluster, parts.before, dead)
  if (excluded === undefined) return []
  return parts.witnesses
    .filter(one => (valueOf(one.seen.reached)?.root ?? 'none') !== 'none')
    .map(one => excludedStep(one.host, excluded, parts.id, context))
}

function removeAction(removal: Removal): Pick<StepDraft, 'action' | 'undo'> {
  const {peer} = removal
  if (removal.how === 'force-leave')
    return {
      action: {do: 'force-leave', node: removal.node ?? String(peer.address)},
      undo: 'starting the server again with empty data: it joins as a new one',
    }
  const byId = String(peer.id) !== String(peer.address)
  return {
    action: {do: 'remove-peer', id: String(peer.id), address: String(peer.address), byId},
    undo: 'quorate add-server',
  }
}

/** Resolves the words of an intent to targets of a removal. */
export function removalTargets(situation: Situation, intent: PeersFixIntent): readonly Target[] | Refusal {
  return selectAll(situation, [...intent.remove, ...intent.declaredDead])
}
