import type {Configuration} from '../model/configuration.js'
import {sameServers, voters} from '../model/configuration.js'
import {compareLogEnds} from '../model/ids.js'
import type {PeersFixIntent, Phase, PlanHost, PlanResult} from '../model/plan.js'
import {hasQuorum, quorumSize} from '../model/quorum.js'
import {isAbsent, valueOf} from '../model/reading.js'
import {assemble} from './assemble.js'
import type {PlanContext} from './context.js'
import {nothingLost} from './data-statement.js'
import {historiesOf} from './histories.js'
import {checkActable, checkUnmasked, needsJoin, planHost} from './hosts.js'
import type {Removal} from './online.js'
import {planRemovals, removalPhases, removalTargets} from './online.js'
import {believedSet, loggedSets} from './peer-sets.js'
import {gossipAddresses, settlePhase} from './recovery-phases.js'
import type {Refusal} from './select.js'
import {isRefusal, sameTarget, targetName} from './select.js'
import type {Candidate, Situation} from './situation.js'
import {membersSeen} from './situation.js'
import {PhaseList, awaitStep, lockPhase, releasePhase} from './steps.js'
import {rankSurvivors} from './survivors.js'

const LEADER_WITHIN_MS = 60_000
const CONFIGURED_WITHIN_MS = 180_000
const VERIFIED_WITHIN_MS = 150_000
const ROOM_TO_START_BYTES = 16 << 20

/** Whether a stopped server would come up by a plain start and be the voter it was. */
export function isOnlyStopped(candidate: Candidate, before: Configuration): boolean {
  if (!candidate.reached || candidate.runs !== false || candidate.blank || candidate.end === undefined)
    return false
  if (candidate.replaced || checkActable(candidate) !== undefined) return false
  const {seen} = candidate
  const service = valueOf(seen.service)
  if (service === undefined || service.masked || service.state === 'restarting') return false
  const disk = valueOf(seen.disk)
  if (disk !== undefined && (disk.readOnly || disk.freeBytes < ROOM_TO_START_BYTES)) return false
  if (valueOf(seen.traces)?.some(trace => trace.kind === 'fenced') === true) return false
  if (!candidate.legacy && !isAbsent(seen.peersFile)) return false
  const set = believedSet(candidate)
  return set !== undefined && sharesQuorum(set, before)
}

/** Whether a server's own peer set lets it take part in an election of the peer set before. */
function sharesQuorum(set: Configuration, before: Configuration): boolean {
  if (sameServers(set, before)) return true
  const ids = new Set(voters(set).map(server => String(server.id)))
  return voters(before).every(server => ids.has(String(server.id)))
}

/** The servers of a fleet that lack a leader only because some of them are stopped; undefined when that is not so. */
export function transientLoss(
  situation: Situation,
  before: Configuration,
  leaveOut: ReadonlySet<string>,
): {readonly up: readonly Candidate[]; readonly startable: readonly Candidate[]} | undefined {
  const members = voters(before).flatMap(server => {
    const one = situation.candidates.find(candidate => candidate.peer?.id === server.id)
    return one === undefined || leaveOut.has(one.host) ? [] : [one]
  })
  const up = members.filter(one => {
    const set = believedSet(one)
    return one.runs === true && !one.blank && !one.replaced && set !== undefined && sharesQuorum(set, before)
  })
  const startable = members.filter(one => isOnlyStopped(one, before))
  if (startable.length === 0 || !hasQuorum(voters(before).length, up.length + startable.length))
    return undefined
  return historiesOf([...up, ...startable]).length === 1 ? {up, startable} : undefined
}

/** Plans the start of servers that are only stopped, and after it the removals asked for, through the new leader. */
export function planStart(
  situation: Situation,
  before: Configuration,
  found: {readonly up: readonly Candidate[]; readonly startable: readonly Candidate[]},
  intent: PeersFixIntent,
  context: PlanContext,
): PlanResult {
  const serving = [...found.up, ...found.startable]
  const removals = removalsAfterStart(situation, before, serving, intent)
  if (isRefusal(removals)) return removals
  const gone = new Set(removals.map(one => String(one.peer.id)))
  const staying: Configuration = {servers: before.servers.filter(server => !gone.has(String(server.id)))}
  const left = found.up.length > 0 ? [] : leftBefore(situation, before, found.startable, intent)
  const after: Configuration = {servers: [...staying.servers, ...setOf(left).servers]}
  const hosts = [...serving, ...left].map(one => planHost(situation, one, 'witness'))
  const names = found.startable.map(one => one.host).join(', ')
  const all = voters(before).length
  const via = serving[0]
  const phases = (id: string): readonly Phase[] => {
    const list = new PhaseList()
    lockPhase(list, hosts)
    list.add(
      'start',
      found.startable.map(one => startStep(one)),
    )
    list.add('join', joinAll(situation, serving, found.startable.filter(needsJoin)))
    const everyone = serving.map(one => one.host)
    list.add('verify', [awaitStep('', {is: 'leader', hosts: everyone}, LEADER_WITHIN_MS)])
    if (serving.length > 1 && serving.some(one => one.legacy)) settlePhase(list, everyone)
    if (via !== undefined)
      removalPhases(list, {id, removals, before, witnesses: serving, via, situation}, [], context)
    if (via !== undefined)
      takeIn(list, situation, {via, joined: serving, rest: left, servers: staying.servers})
    list.add('verify', [awaitStep('', {is: 'verified'}, VERIFIED_WITHIN_MS)])
    releasePhase(list, hosts)
    return list.phases
  }
  const plan = assemble(
    situation,
    {
      method: 'start',
      because: `${found.up.length} of ${all} voters are up and ${quorumSize(all)} are a quorum; ${names} only ${found.startable.length === 1 ? 'needs' : 'need'} to be started${leftWords(left)}`,
      intent,
      before,
      after,
      data: nothingLost('Nothing is lost: stopped servers are started on the data they have.'),
      hosts,
      ranking: ranking(serving),
      risks: [],
      checks: [
        `${names}: stopped, with data, and a peer set that fits`,
        ...leftForLater(situation, removals, intent),
      ],
      upAfter: serving.filter(one => !gone.has(String(one.peer?.id))).length + left.length,
      phases,
    },
    context,
  )
  return {kind: 'plan', plan, milder: []}
}

const leftWords = (left: readonly Candidate[]): string =>
  left.length === 0
    ? ''
    : `; ${left.map(one => one.host).join(', ')} left before them and ${left.length === 1 ? 'joins' : 'join'} them again`

/**
 * Where every server left gracefully, those who left first are in no peer set of the last ones any more, and yet
 * belong to them. A server that is stopped beside others which never left may have been taken out for good.
 */
function leftBefore(
  situation: Situation,
  before: Configuration,
  startable: readonly Candidate[],
  intent: PeersFixIntent,
): readonly Candidate[] {
  const gracefully = (one: Candidate): boolean => valueOf(one.seen.serfSnapshot)?.left === true
  if (!startable.every(gracefully)) return []
  const targets = removalTargets(situation, intent)
  const out = isRefusal(targets) ? [] : targets.map(target => target.candidate?.host)
  const named = (set: Configuration, one: Candidate): boolean =>
    set.servers.some(server => server.id === one.id || server.address === one.address)
  return situation.candidates.filter(
    one =>
      one.reached &&
      one.runs === false &&
      !one.blank &&
      !one.legacy &&
      !one.replaced &&
      gracefully(one) &&
      one.id !== undefined &&
      one.address !== undefined &&
      !out.includes(one.host) &&
      !named(before, one) &&
      loggedSets(one).some(set => named(set, one)) &&
      checkActable(one) === undefined &&
      checkUnmasked(one) === undefined &&
      historiesOf([...startable, one]).length === 1,
  )
}

function removalsAfterStart(
  situation: Situation,
  before: Configuration,
  serving: readonly Candidate[],
  intent: PeersFixIntent,
): readonly Removal[] | Refusal {
  const targets = removalTargets(situation, intent)
  if (isRefusal(targets)) return targets
  const dead = targets.filter(target => target.candidate?.reached !== true && target.peer !== undefined)
  if (situation.candidates.some(one => one.legacy)) return []
  const upIds = new Set(serving.map(one => String(one.peer?.id)))
  return planRemovals(situation, before, dead, upIds)
}

/** Removals that the plan does not carry out; with a leader they are planned by their own arithmetic. */
function leftForLater(
  situation: Situation,
  removals: readonly Removal[],
  intent: PeersFixIntent,
): readonly string[] {
  const targets = removalTargets(situation, intent)
  if (isRefusal(targets)) return []
  const later = targets.filter(target => !removals.some(one => sameTarget(one.target, target)))
  if (later.length === 0) return []
  return [
    `${later.map(targetName).join(', ')} stay in the peer set for now: ask again once there is a leader`,
  ]
}

const startStep = (one: Candidate) => ({
  host: one.host,
  action: {do: 'start-service'} as const,
  requires: [{is: 'locked', hosts: [one.host]} as const],
  undo: 'stopping it without a leave',
})

function joinAll(situation: Situation, all: readonly Candidate[], lonely: readonly Candidate[]) {
  return lonely
    .filter(() => all.length > 1)
    .map(one => {
      const others = all.filter(other => other !== one)
      const placed = others.map(candidate => ({candidate, host: planHost(situation, candidate, 'witness')}))
      return {
        host: one.host,
        action: {do: 'join', addresses: gossipAddresses(placed)} as const,
        undo: 'nothing to take back',
      }
    })
}

const ranking = (candidates: readonly Candidate[]) =>
  rankSurvivors(candidates).map(({candidate, end, reason}) => ({host: candidate.host, end, reason}))

/**
 * From Consul 0.7 on, after all servers left gracefully one after another, the last one holds a peer set of itself
 * alone and the best log. It can lead at once; the others join it. Undefined when the fleet is not in that state.
 */
export function lastLeaver(situation: Situation): Candidate | undefined {
  const reached = situation.candidates.filter(one => one.reached && !one.blank && one.end !== undefined)
  if (reached.length < 2 || reached.some(one => one.legacy) || historiesOf(reached).length !== 1)
    return undefined
  const best = rankSurvivors(reached)[0]?.candidate
  if (best === undefined || best.runs === undefined || !isAbsent(best.seen.peersFile)) return undefined
  const set = believedSet(best)
  const alone = set?.servers.length === 1 && set.servers[0]?.id === best.id
  const shrunk = loggedSets(best).some(one => one.servers.length > 1)
  const behind = reached.every(
    one =>
      one === best ||
      (best.end !== undefined && one.end !== undefined && compareLogEnds(one.end, best.end) <= 0),
  )
  return alone && shrunk && behind ? best : undefined
}

/** Plans to let the last leaver lead and to join the rest to it; no recovery file. */
export function planLastLeaver(
  situation: Situation,
  last: Candidate,
  intent: PeersFixIntent,
  context: PlanContext,
): PlanResult {
  const targets = removalTargets(situation, intent)
  if (isRefusal(targets)) return targets
  const out = new Set(
    targets.flatMap(target => (target.candidate === undefined ? [] : [target.candidate.host])),
  )
  const isServer = (one: Candidate): boolean => valueOf(one.seen.config)?.server !== false
  const rest = situation.candidates.filter(
    one =>
      one !== last &&
      one.reached &&
      isServer(one) &&
      !one.legacy &&
      !out.has(one.host) &&
      one.id !== undefined,
  )
  const all = [last, ...rest]
  for (const one of all) {
    const refusal = checkActable(one) ?? (one.runs === false ? checkUnmasked(one) : undefined)
    if (refusal !== undefined) return refusal
  }
  const hosts = all.map(one => planHost(situation, one, 'witness'))
  const plan = assemble(
    situation,
    {
      method: 'start',
      because: `every server left gracefully; ${last.host} left last, holds a peer set of itself alone, and can lead at once`,
      intent,
      before: believedSet(last) ?? {servers: []},
      after: setOf(all),
      data: nothingLost(`Nothing is lost: ${last.host} holds the best log and leads; the others follow it.`),
      hosts,
      ranking: ranking(all),
      risks: [],
      checks: [`${last.host} holds a peer set of itself alone and the best log`],
      upAfter: all.length,
      phases: () => lastLeaverPhases(situation, last, rest, hosts),
    },
    context,
  )
  return {kind: 'plan', plan, milder: []}
}

const setOf = (all: readonly Candidate[]): Configuration => ({
  servers: all.flatMap(({id, address}) =>
    id === undefined || address === undefined ? [] : [{id, address, suffrage: 'voter' as const}],
  ),
})

/** Starts servers that left and joins them to those that lead, one after another, until the peer set has each. */
function takeIn(
  list: PhaseList,
  situation: Situation,
  who: {
    readonly via: Candidate
    readonly joined: readonly Candidate[]
    readonly rest: readonly Candidate[]
    readonly servers: Configuration['servers']
  },
): void {
  const joined = [...who.joined]
  let {servers} = who
  for (const one of who.rest) {
    if (one.runs === false) list.add('start', [startStep(one)])
    joined.push(one)
    servers = [...servers, ...setOf([one]).servers]
    list.add('join', [
      ...joinAll(situation, joined, [one]),
      awaitStep(one.host, {is: 'configuration', host: who.via.host, servers}, CONFIGURED_WITHIN_MS),
    ])
  }
}

function lastLeaverPhases(
  situation: Situation,
  last: Candidate,
  rest: readonly Candidate[],
  hosts: readonly PlanHost[],
): readonly Phase[] {
  const list = new PhaseList()
  lockPhase(list, hosts)
  if (last.runs === false) list.add('start', [startStep(last)])
  list.add('verify', [awaitStep('', {is: 'leader', hosts: [last.host]}, LEADER_WITHIN_MS)])
  takeIn(list, situation, {via: last, joined: [last], rest, servers: setOf([last]).servers})
  list.add('verify', [awaitStep('', {is: 'verified'}, VERIFIED_WITHIN_MS)])
  releasePhase(list, hosts)
  return list.phases
}

/** Running servers of the peer set that the leader's gossip does not have as alive. */
export function missingFromGossip(situation: Situation): readonly Candidate[] {
  const {leader} = situation
  if (leader.kind !== 'leads') return []
  const seen = membersSeen(situation.fleet).filter(({by}) => by === leader.via)
  if (seen.length === 0) return []
  return situation.candidates.filter(
    one =>
      one.runs === true &&
      one.peer !== undefined &&
      one.host !== leader.via &&
      !seen.some(({member}) => member.status === 'alive' && member.raftAddress === one.peer?.address),
  )
}

/** Plans a gossip join of servers that agree in Raft and do not find each other in gossip (safety rule S6). */
export function planJoin(
  situation: Situation,
  before: Configuration,
  lonely: readonly Candidate[],
  intent: PeersFixIntent,
  context: PlanContext,
): PlanResult {
  const {leader} = situation
  const via = situation.candidates.find(one => leader.kind === 'leads' && one.host === leader.via)
  const all = via === undefined ? lonely : [via, ...lonely]
  const hosts = all.map(one => planHost(situation, one, 'witness'))
  const names = lonely.map(one => one.host).join(', ')
  const plan = assemble(
    situation,
    {
      method: 'join',
      because: `Raft has a leader and its peers, but gossip does not know ${names}; the leader would remove what it does not see`,
      intent,
      before,
      after: before,
      data: nothingLost('Nothing is lost: servers are made to find each other, and nothing else.'),
      hosts,
      risks: [],
      checks: [`${names}: in the peer set, running, and not alive in the leader's gossip`],
      upAfter: all.length,
      phases: () => {
        const list = new PhaseList()
        lockPhase(list, hosts)
        list.add('join', joinAll(situation, all, lonely))
        list.add('verify', [awaitStep('', {is: 'verified'}, VERIFIED_WITHIN_MS)])
        releasePhase(list, hosts)
        return list.phases
      },
    },
    context,
  )
  return {kind: 'plan', plan, milder: []}
}
