import {believedState, isLegacyConsul} from '../model/disk-state.js'
import type {ContentsComparison} from '../model/contents.js'
import type {FleetObservation, ServerObservation} from '../model/observation.js'
import {valueOf} from '../model/reading.js'
import type {Check} from '../model/verdict.js'
import {coverageWords, divergentKeyWords, sideWords} from './contents-words.js'
import type {Evidence, Judged} from './expectation.js'
import {pendingOrWrong} from './expectation.js'

const cluster = (name: string, state: Check['state'], text: string): Check => ({
  name,
  host: undefined,
  state,
  text,
})

/** The checks that compare servers with one another. */
export function checkCluster(evidence: Evidence): readonly Check[] {
  return [
    checkLeader(evidence),
    checkRoles(evidence),
    checkGossip(evidence),
    checkLogs(evidence),
    checkContents(evidence),
    checkWrites(evidence),
  ]
}

/** A leader that every server names, and that is in the planned peer set. */
function checkLeader(evidence: Evidence): Check {
  const named = new Map<string, string[]>()
  const silent: string[] = []
  for (const {host, seen} of evidence.servers) {
    const leader = valueOf(seen.api.leader)
    if (leader === undefined || leader === '') silent.push(host.host)
    else named.set(leader, [...(named.get(leader) ?? []), host.host])
  }
  if (named.size === 0) return cluster('leader', 'pending', 'no server knows a leader')
  if (named.size > 1)
    return cluster(
      'leader',
      pendingOrWrong(evidence),
      `several leaders are named: ${[...named].map(([leader, by]) => `${leader} by ${by.join(', ')}`).join('; ')}`,
    )
  const leader = [...named.keys()][0] ?? ''
  if (silent.length > 0) return cluster('leader', 'pending', `${silent.join(', ')} know no leader yet`)
  if (evidence.expectation.servers.some(server => String(server.address) === leader))
    return cluster('leader', 'ok', `every server names ${leader} as the leader`)
  return cluster('leader', pendingOrWrong(evidence), `the leader ${leader} is not in the planned peer set`)
}

/** One server says it leads and the rest say they follow. Up to Consul 0.6 only the RPC port tells; unread is no objection there. */
function checkRoles(evidence: Evidence): Check {
  const roles = evidence.servers.map(({host, seen}) => ({
    host: host.host,
    raft: valueOf(seen.api.self)?.raft,
  }))
  const unread = roles.filter(role => role.raft === undefined)
  const leaders = roles.filter(role => role.raft?.role === 'leader')
  if (leaders.length > 1) {
    const terms = new Set(leaders.map(role => role.raft?.term))
    const state = terms.size < leaders.length ? 'wrong' : pendingOrWrong(evidence)
    return cluster('roles', state, `${leaders.map(role => role.host).join(' and ')} both lead`)
  }
  if (unread.length > 0)
    return cluster(
      'roles',
      'pending',
      `the roles of ${unread.map(role => role.host).join(', ')} were not read`,
    )
  if (leaders.length === 0) return cluster('roles', 'pending', 'no server leads')
  const others = roles.filter(role => role.raft?.role !== 'leader' && role.raft?.role !== 'follower')
  if (others.length > 0)
    return cluster(
      'roles',
      'pending',
      `${others.map(role => `${role.host} is a ${role.raft?.role}`).join(', ')}`,
    )
  return cluster('roles', 'ok', `${leaders[0]?.host} leads, ${roles.length - 1} follow`)
}

/** How a server's gossip differs from its own peer set; undefined when they agree, a text when not or not known. */
function gossipGap(seen: ServerObservation): {readonly known: boolean; readonly text: string} | undefined {
  const {configuration} = believedState(seen)
  const members = valueOf(seen.api.members)
  if (configuration === undefined || members === undefined)
    return {known: false, text: 'gossip or peer set was not read'}
  const datacenter = valueOf(seen.api.self)?.datacenter
  const alive = new Set(
    members
      .filter(member => member.server && member.status === 'alive')
      .filter(
        member =>
          datacenter === undefined || member.datacenter === undefined || member.datacenter === datacenter,
      )
      .map(member => String(member.raftAddress)),
  )
  const peers = new Set(configuration.servers.map(server => String(server.address)))
  const missing = [...peers].filter(address => !alive.has(address))
  const extra = [...alive].filter(address => !peers.has(address))
  if (missing.length === 0 && extra.length === 0) return undefined
  const parts = [
    ...(missing.length > 0 ? [`${missing.join(', ')} in raft, not alive in serf`] : []),
    ...(extra.length > 0 ? [`${extra.join(', ')} alive in serf, not in raft`] : []),
  ]
  return {known: true, text: parts.join('; ')}
}

const judgedIn = (evidence: Evidence, sample: FleetObservation): readonly Judged[] =>
  evidence.expectation.hosts.flatMap(host => {
    const seen = sample.servers.find(server => server.host === host.host)
    return seen === undefined ? [] : [{host, seen}]
  })

/**
 * Raft and serf agree on every server, and have done so for one reconcile interval: a leader removes, at its next
 * round, peers that its gossip does not know (`reconcile` in agent/consul/leader.go; safety rule S6).
 */
function checkGossip(evidence: Evidence): Check {
  const {reconcileMs} = evidence.context
  const agreed = (sample: FleetObservation): boolean => {
    const judged = judgedIn(evidence, sample)
    return (
      judged.length === evidence.expectation.hosts.length &&
      judged.every(({seen}) => gossipGap(seen) === undefined)
    )
  }
  const gaps = evidence.servers.flatMap(({host, seen}) => {
    const gap = gossipGap(seen)
    return gap === undefined ? [] : [{...gap, text: `${host.host}: ${gap.text}`}]
  })
  if (gaps.length > 0) {
    const state = gaps.some(gap => gap.known) ? pendingOrWrong(evidence) : 'pending'
    return cluster('raft = serf', state, gaps.map(gap => gap.text).join('; '))
  }
  let since = evidence.latest.startedAtMs
  for (const sample of [...evidence.samples].reverse()) {
    if (!agreed(sample)) break
    since = sample.startedAtMs
  }
  const forMs = evidence.latest.finishedAtMs - since
  const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`
  if (forMs >= reconcileMs)
    return cluster('raft = serf', 'ok', `raft and serf name the same servers, for ${seconds(forMs)}`)
  return cluster(
    'raft = serf',
    'pending',
    `raft and serf name the same servers, for ${seconds(forMs)} of ${seconds(reconcileMs)}`,
  )
}

/** Followers keep up: each now holds what the leader held at an earlier sample, or at this one. */
function checkLogs(evidence: Evidence): Check {
  const raftOf = (judged: Judged) => valueOf(judged.seen.api.self)?.raft
  const leader = evidence.servers.find(judged => raftOf(judged)?.role === 'leader')
  if (leader === undefined) return cluster('logs', 'pending', 'there is no leader to compare logs with')
  const earlier = evidence.samples.at(-2)?.servers.find(server => server.host === leader.host.host)
  const then = earlier === undefined ? undefined : valueOf(earlier.api.self)?.raft
  const goal = Number((then?.role === 'leader' ? then : raftOf(leader))?.lastLogIndex ?? 0)
  const behind = evidence.servers.filter(judged => Number(raftOf(judged)?.lastLogIndex ?? 0) < goal)
  if (behind.length === 0) return cluster('logs', 'ok', `every log reaches ${goal}`)
  return cluster(
    'logs',
    pendingOrWrong(evidence),
    behind
      .map(
        ({host, seen}) =>
          `${host.host} is at ${valueOf(seen.api.self)?.raft?.lastLogIndex ?? '?'} of ${goal}`,
      )
      .join('; '),
  )
}

/** Why contents may stay unread for good: asking again meets the same obstacle. */
const closed: readonly string[] = ['denied', 'unsupported', 'over-budget']

/**
 * The same contents on every server: one leader, one peer set and accepted writes do not prove one state (safety rule
 * S16). What the cluster had committed when the verification began must have been compared; a key that was changed
 * since is told with the numbers.
 */
function checkContents(evidence: Evidence): Check {
  const name = 'contents'
  if (evidence.servers.length < 2) return cluster(name, 'ok', 'there is one server, so one content')
  const [latest] = evidence.samples.flatMap(({contents}) => contents ?? []).slice(-1)
  if (latest?.divergent !== undefined) return cluster(name, 'wrong', divergentWords(evidence, latest))
  const denied = evidence.servers.filter(
    ({seen: {api}}) => api.contents.kind === 'unread' && closed.includes(api.contents.why),
  )
  if (denied.length > 0)
    return cluster(
      name,
      'unknown',
      `the contents of ${denied.map(({host}) => host.host).join(', ')} may not be read by us, so they were not compared`,
    )
  const left = evidence.servers.filter(({host}) => latest?.hosts.includes(host.host) !== true)
  if (latest === undefined || left.length > 0)
    return cluster(
      name,
      'pending',
      `the contents of ${left.map(({host}) => host.host).join(', ')} were not compared yet`,
    )
  if (latest.doubtful > 0)
    return cluster(
      name,
      'pending',
      `${latest.doubtful} of ${latest.keys} keys look different, and no second reading has decided it yet`,
    )
  if (latest.same === latest.keys)
    return cluster(name, 'ok', `the contents, ${latest.keys} keys, are the same on every server`)
  const goal = committedAtStart(evidence)
  if (latest.upTo < goal || latest.same === 0)
    return cluster(name, 'pending', `${coverageWords(latest)} could be compared; ${goal} was committed`)
  return cluster(
    name,
    'ok',
    `${coverageWords(latest)} are the same on every server; the others changed while they were compared`,
  )
}

/** The highest index that any server called committed in the first sample. */
function committedAtStart({samples}: Evidence): number {
  const raft = samples[0]?.servers.map(server => valueOf(server.api.self)?.raft?.commitIndex ?? 0) ?? []
  return Math.max(0, ...raft)
}

function divergentWords({servers}: Evidence, {divergent, keys, upTo}: ContentsComparison): string {
  if (divergent === undefined) return ''
  const keysOf = (name: string): number | undefined => {
    const judged = servers.find(({host}) => host.host === name)
    return judged === undefined ? undefined : valueOf(judged.seen.api.contents)?.keys
  }
  const [example] = divergent.examples
  return [
    `the contents differ in ${divergent.keys} of ${keys} keys up to index ${upTo}: ${sideWords(divergent.sides, keysOf)}`,
    ...(example === undefined ? [] : [`for example, ${divergentKeyWords(example)}`]),
  ].join('; ')
}

/** A test key is written, read back and removed; a leader that cannot write leads nothing. */
function checkWrites(evidence: Evidence): Check {
  const last = evidence.context.writes.at(-1)
  if (last === undefined) return cluster('write', 'pending', 'no test key was written yet')
  if (last.result === 'ok') return cluster('write', 'ok', 'a test key was written, read back and removed')
  if (last.result === 'not-allowed')
    return cluster('write', 'unknown', `a test key could not be tried: ${last.note}`)
  return cluster(
    'write',
    pendingOrWrong(evidence),
    `the leader cannot write: ${last.note}${stuckWords(evidence)}`,
  )
}

/**
 * What is known of a leader that leads in vain: its commit index stood still over two samples. Up to Consul 0.6 that
 * happens after an election over old peer lists in the log, and another election may end it.
 */
function stuckWords({samples, servers}: Evidence): string {
  const raftIn = (sample: FleetObservation | undefined, host: string) =>
    sample?.servers.flatMap(server => (server.host === host ? [valueOf(server.api.self)?.raft] : []))[0]
  for (const {host, seen} of servers) {
    const now = raftIn(samples.at(-1), host.host)
    const before = raftIn(samples.at(-2), host.host)
    if (now?.role !== 'leader' || now.commitIndex >= now.lastLogIndex) continue
    if (before?.commitIndex !== now.commitIndex) continue
    const again = isLegacyConsul(seen) ? '; restart it, for another election may end that' : ''
    return `; the log of ${host.host} ends at ${now.lastLogIndex} and stays committed at ${now.commitIndex}${again}`
  }
  return ''
}
