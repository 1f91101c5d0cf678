import type {Configuration} from '../model/configuration.js'
import type {FleetObservation} from '../model/observation.js'
import type {ExpectedServer, Plan} from '../model/plan.js'
import type {PlanContext} from './context.js'
import {shutDoor} from './doubtful.js'
import type {Candidate, Situation} from './situation.js'
import {answers, situationOf} from './situation.js'

/** A short, order-free text of a peer set: the same text, the same set. */
export function peerSetKey(configuration: Configuration): string {
  return configuration.servers
    .map(server => `${server.id} ${server.address} ${server.suffrage}`)
    .sort()
    .join('\n')
}

/** JSON with the keys of every object in order, so that equal values give equal texts. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (inner === null || typeof inner !== 'object' || Array.isArray(inner)) return inner
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}

function expectedOf(candidate: Candidate, context: PlanContext): ExpectedServer {
  const {configuration, configurationKnown} = candidate.believed
  const known = configurationKnown && configuration !== undefined
  return {
    host: candidate.host,
    reachable: candidate.reached,
    running: candidate.runs,
    end: candidate.end,
    peerSet: known ? context.sha256(peerSetKey(configuration)) : undefined,
  }
}

/** What a plan made now expects to find again, per server. */
export function expectedServers(fleet: FleetObservation, context: PlanContext): readonly ExpectedServer[] {
  return situationOf(fleet).candidates.map(one => expectedOf(one, context))
}

/** SHA-256 over what is expected and over the cluster's identity. */
export function fingerprintOf(
  expected: readonly ExpectedServer[],
  identity: Plan['identity'],
  context: PlanContext,
): string {
  return context.sha256(canonicalJson({expected, identity}))
}

const restsOnLogs = (plan: Plan): boolean =>
  plan.method === 'recovery-file' || plan.method === 'best-log-alone' || plan.method === 'back'

/**
 * What has changed since the plan was made, of all it rests on; empty when nothing has. A risen current term is no
 * drift: every lost election raises it and no data moves. While a leader serves, log ends move, so they count only
 * for plans that rest on them.
 */
export function driftOf(plan: Plan, fleet: FleetObservation, context: PlanContext): readonly string[] {
  const now = situationOf(fleet)
  const drift = [...identityDrift(plan, now), ...driftOfDead(plan, fleet, now)]
  for (const before of plan.expected) drift.push(...serverDrift(plan, before, now, context))
  if (restsOnLogs(plan) && plan.method !== 'back' && now.leader.kind === 'leads')
    drift.push(`${now.leader.host ?? now.leader.address} leads now; there was no leader.`)
  if (plan.method === 'online' && now.leader.kind !== 'leads') drift.push('There is no leader any more.')
  return drift
}

/** Servers that a plan counts as dead and that answer after all (safety rule S14). */
export function driftOfDead(
  plan: Plan,
  fleet: FleetObservation,
  now: Situation = situationOf(fleet),
): readonly string[] {
  return plan.hosts
    .filter(one => one.role === 'dead')
    .flatMap(host => {
      const candidate = now.candidates.find(one => one.host === host.host)
      const peer = plan.before.servers.find(server => String(server.id) === host.id)
      const shut = plan.method === 'online' ? undefined : shutDoor(candidate)
      const how = (peer === undefined ? undefined : answers(now, peer)) ?? shut
      if (how !== undefined) return [`${host.host} was declared dead, and ${how}.`]
      return candidate?.reached === true ? [`${host.host} was declared dead, and its host answers.`] : []
    })
}

function identityDrift(plan: Plan, now: Situation): readonly string[] {
  const datacenters = new Set(now.candidates.map(one => one.datacenter).filter(one => one !== undefined))
  const {datacenter} = plan.identity
  if (datacenter === undefined || datacenters.size === 0) return []
  const others = [...datacenters].filter(one => one !== datacenter)
  return others.length === 0 ? [] : [`The datacenter is ${others.join(', ')}; the plan is for ${datacenter}.`]
}

function serverDrift(plan: Plan, before: ExpectedServer, now: Situation, context: PlanContext): string[] {
  const host = plan.hosts.find(one => one.host === before.host)
  if (host === undefined || host.role === 'dead') return []
  const candidate = now.candidates.find(one => one.host === before.host)
  if (candidate === undefined) return [`${before.host} is no longer among the hosts.`]
  const after = expectedOf(candidate, context)
  if (before.reachable && !after.reachable) return [`${before.host} does not answer any more.`]
  const drift: string[] = []
  const endKey = (one: ExpectedServer): string =>
    one.end === undefined ? 'unread' : `${one.end.index} @ ${one.end.term}`
  if (restsOnLogs(plan) && endKey(before) !== endKey(after))
    drift.push(`The log of ${before.host} ends at ${endKey(after)}; it was ${endKey(before)}.`)
  if (before.peerSet !== after.peerSet) drift.push(`The peer set of ${before.host} has changed.`)
  return drift
}
