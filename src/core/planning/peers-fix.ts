import type {Configuration} from '../model/configuration.js'
import {voters} from '../model/configuration.js'
import type {FleetObservation} from '../model/observation.js'
import type {PeersFixIntent, PlanResult} from '../model/plan.js'
import {hasQuorum, quorumSize} from '../model/quorum.js'
import type {PlanContext} from './context.js'
import {checkDoubles} from './doubtful.js'
import {lastLeaver, missingFromGossip, planJoin, planLastLeaver, planStart, transientLoss} from './gentle.js'
import {planLiveList} from './live-list.js'
import {rejoinAgeExceeded} from './hosts.js'
import {lookAlike} from './look-alike.js'
import {oldWay, planOnline, planRemovals, removalTargets} from './online.js'
import type {PeerSetBefore} from './peer-sets.js'
import {believedSet, peerSetBefore} from './peer-sets.js'
import {planReaddress} from './readdress.js'
import {planRecovery} from './recovery.js'
import {isRefusal, refuse, selectAll} from './select.js'
import type {Candidate, Situation} from './situation.js'
import {situationOf, votersUp} from './situation.js'
import {rankSurvivors} from './survivors.js'

/**
 * Plans what the operator asked of the peer set, in the least drastic way that works: nothing, a start of what is
 * only stopped, a gossip join, a removal through the leader, an edit of the live lists, one recovery file for all,
 * the best log alone. The way is chosen from evidence and named in the plan; a safety rule that says no refuses.
 */
export function planPeersFix(
  fleet: FleetObservation,
  intent: PeersFixIntent,
  context: PlanContext,
): PlanResult {
  if (fleet.product !== 'consul' && fleet.product !== 'nomad')
    return refuse('UNSUPPORTED_PRODUCT', `quorate does not change the peer set of ${fleet.product} yet.`)
  const situation = situationOf(fleet)
  const doubles = checkDoubles(situation)
  if (doubles !== undefined) return doubles
  const words = [...intent.remove, ...intent.declaredDead, ...intent.keep]
  if (intent.readdress.length > 0 && words.length > 0)
    return refuse('MIXED_CHANGE', 'Addresses and members cannot be changed by the same plan.', [
      'Plan the new addresses first, and removals after it has a leader.',
    ])
  const known = selectAll(situation, words)
  if (isRefusal(known)) {
    // A server may be known only to old log entries when the live lists are empty; recovery reads those.
    if (situation.leader.kind !== 'none' || !situation.candidates.some(one => one.legacy)) return known
  }
  switch (situation.leader.kind) {
    case 'unsure':
      return refuse('LEADER_UNSURE', situation.leader.why, [
        'After a leader died the others name it for up to 15 s. Wait, and plan again.',
      ])
    case 'leads':
      return planWithLeader(situation, intent, context)
    case 'none':
      return planWithoutLeader(situation, intent, context)
  }
}

/** The peer set of the leader, or of whoever follows it. */
function leaderSet(situation: Situation): Configuration | undefined {
  const {leader} = situation
  if (leader.kind !== 'leads') return undefined
  const via = situation.candidates.find(one => one.host === leader.via)
  return via === undefined ? undefined : believedSet(via)
}

function planWithLeader(situation: Situation, intent: PeersFixIntent, context: PlanContext): PlanResult {
  const like = lookAlike(situation)
  if (like !== undefined) return like
  const before = leaderSet(situation)
  if (before === undefined)
    return refuse('PEER_SET_UNKNOWN', 'There is a leader, and its peer set was not read.')
  const name = situation.leader.kind === 'leads' ? (situation.leader.host ?? situation.leader.address) : ''
  if (intent.keep.length > 0 || intent.readdress.length > 0)
    return refuse('QUORUM_PRESENT', `${name} leads; a recovery would only do harm.`, [
      'quorate peers fix --remove HOST   removes a server through the leader',
    ])
  const targets = removalTargets(situation, intent)
  if (isRefusal(targets)) return targets
  if (targets.length === 0) return nothingAsked(situation, before, intent, context, name)
  const named = targets.filter(target => before.servers.some(server => server.id === target.peer?.id))
  if (named.length === 0)
    return {
      kind: 'nothing-to-do',
      why: `${name} leads, and its peer set does not hold what is to be removed.`,
    }
  const upIds = new Set(votersUp(situation, before).map(one => String(one.peer?.id)))
  const leaderPeer = before.servers.find(
    server => situation.leader.kind === 'leads' && String(server.address) === situation.leader.address,
  )
  if (leaderPeer !== undefined) upIds.add(String(leaderPeer.id))
  const removals = planRemovals(situation, before, named, upIds)
  if (isRefusal(removals)) return removals
  const stuck = removals.some(
    one =>
      one.how === 'force-leave' && one.live === undefined && oldWay(situation, one.peer).kind === 'live-list',
  )
  return stuck
    ? planLiveList(situation, before, named, intent, context)
    : planOnline(situation, before, removals, intent, context)
}

function nothingAsked(
  situation: Situation,
  before: Configuration,
  intent: PeersFixIntent,
  context: PlanContext,
  leader: string,
): PlanResult {
  const lonely = missingFromGossip(situation)
  if (lonely.length > 0) return planJoin(situation, before, lonely, intent, context)
  const up = votersUp(situation, before).length
  const all = voters(before).length
  return {
    kind: 'nothing-to-do',
    why: `${leader} leads: ${up} of ${all} voters are up and ${quorumSize(all)} are a quorum.`,
  }
}

function planWithoutLeader(situation: Situation, intent: PeersFixIntent, context: PlanContext): PlanResult {
  if (intent.readdress.length > 0) return planReaddress(situation, intent, context)
  const last = lastLeaver(situation)
  if (last !== undefined) return planLastLeaver(situation, last, intent, context)
  const known = bestSet(situation)
  if (known === undefined) return planRecovery(situation, intent, context)
  const before = known.configuration
  const targets = removalTargets(situation, intent)
  const leaveOut = new Set<string>()
  if (!isRefusal(targets))
    for (const target of targets) if (target.candidate !== undefined) leaveOut.add(target.candidate.host)
  if (intent.keep.length === 0 && known.agreed) {
    const found = transientLoss(situation, before, leaveOut)
    if (found !== undefined) return planStart(situation, before, found, intent, context)
  }
  const like = lookAlike(situation) ?? quorumWithoutLeader(situation, before, context)
  return like ?? planRecovery(situation, intent, context)
}

function bestSet(situation: Situation): PeerSetBefore | undefined {
  const holders = situation.candidates.filter(one => one.reached && !one.blank)
  return peerSetBefore(rankSurvivors(holders).map(one => one.candidate))
}

/**
 * Enough voters run, with data and with the right peer set, and still there is no leader: something else stands in
 * the way, and a recovery file would only cost time (safety rule S15).
 */
function quorumWithoutLeader(
  situation: Situation,
  before: Configuration,
  context: PlanContext,
): PlanResult | undefined {
  const fit = votersUp(situation, before).filter(one => !one.replaced && knows(one, before))
  const all = voters(before).length
  if (!hasQuorum(all, fit.length)) return undefined
  const moved = fit.filter(
    one => one.peer !== undefined && one.address !== undefined && one.peer.address !== one.address,
  )
  if (moved.length > 0)
    return refuse(
      'LOOK_ALIKE',
      `${fit.length} of ${all} voters run, but the peer set has old addresses for ${moved.map(one => one.host).join(', ')}.`,
      [
        `quorate peers fix ${moved.map(one => `--readdress ${one.peer?.address ?? ''}=${one.address ?? ''}`).join(' ')}`,
      ],
    )
  // Such a server waits for a while before it gives up, and answers nobody in that time.
  const tooOld = fit.filter(one => one.seen.api.leader.kind === 'unread' && rejoinAgeExceeded(one, context))
  if (tooOld.length > 0)
    return refuse(
      'LOOK_ALIKE',
      `${tooOld.map(one => one.host).join(', ')} refuse to join again because they were away for too long (server_rejoin_age_max); ` +
        'the peer set is not what stands in the way.',
      ['quorate doctor   prints the lines that set server_metadata.json aside; the data stays'],
    )
  return refuse(
    'LOOK_ALIKE',
    `${fit.length} of ${all} voters run with their data and the same peer set, which is a quorum (${quorumSize(all)}), and still none leads: ` +
      'the peer set is not what stands in the way.',
    ['quorate doctor   looks for the network, TLS, gossip or settings that keep them apart'],
  )
}

function knows(candidate: Candidate, before: Configuration): boolean {
  const set = believedSet(candidate)
  if (set === undefined) return false
  const ids = new Set(set.servers.map(server => String(server.id)))
  return before.servers.every(server => ids.has(String(server.id)) || server.id === candidate.peer?.id)
}
