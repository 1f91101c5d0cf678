import type {Server} from '../model/configuration.js'
import type {PlanResult} from '../model/plan.js'
import type {Candidate, Situation} from './situation.js'
import {candidateFor, hostPart} from './situation.js'
import {printable} from '../text.js'

/** The planner's no; nothing was changed. */
export type Refusal = Extract<PlanResult, {readonly kind: 'refused'}>

/** Makes a refusal. */
export function refuse(code: Refusal['code'], why: string, hints: readonly string[] = []): Refusal {
  return {kind: 'refused', code, why, hints}
}

/** What an operator's word stands for: an entry of the peer set, a host of the fleet, or both. */
export interface Target {
  readonly peer: Server | undefined
  readonly candidate: Candidate | undefined
}

/** How we name a server to the operator: its host where it has one, else its address. */
export function targetName(target: Target): string {
  if (target.candidate !== undefined) return target.candidate.host
  return printable(String(target.peer?.address ?? '?'), 80)
}

/** Every server that a word may stand for: the peers with their hosts, then hosts outside the peer set. */
export function targetsOf(situation: Situation): readonly Target[] {
  const peers = situation.peers.map(peer => ({peer, candidate: candidateFor(situation, peer)}))
  const others = situation.candidates
    .filter(candidate => !peers.some(target => target.candidate?.host === candidate.host))
    .map(candidate => ({peer: undefined, candidate}))
  return [...peers, ...others]
}

const ID_PREFIX_MIN = 8

/** The names that stand for a target exactly. */
function namesOf(situation: Situation, target: Target): readonly string[] {
  const {peer, candidate} = target
  const members = situation.fleet.servers.flatMap(server =>
    server.api.members.kind === 'read' ? server.api.members.value : [],
  )
  const gossip = members
    .filter(member => peer !== undefined && (member.id === peer.id || member.raftAddress === peer.address))
    .map(member => member.name)
  const names = [
    candidate?.host,
    candidate?.nodeName,
    candidate?.id,
    candidate?.address,
    candidate?.seen.address,
    candidate?.address === undefined ? undefined : hostPart(candidate.address),
    peer?.id,
    peer?.address,
    peer === undefined ? undefined : hostPart(peer.address),
    ...gossip,
  ]
  return [...new Set(names.filter(name => name !== undefined && name !== '').map(name => String(name)))]
}

function standsFor(word: string, names: readonly string[], peer: Server | undefined): boolean {
  const wanted = word.toLowerCase()
  if (names.some(name => name.toLowerCase() === wanted)) return true
  return wanted.length >= ID_PREFIX_MIN && peer !== undefined && peer.id.toLowerCase().startsWith(wanted)
}

/**
 * Finds the one server that a word stands for: host, node name, address with or without port, id, or the first
 * eight or more characters of an id. Nothing is guessed: no match and several matches are refused.
 */
export function select(situation: Situation, word: string): Target | Refusal {
  const targets = targetsOf(situation)
  const found = targets.filter(target => standsFor(word, namesOf(situation, target), target.peer))
  const [one, second] = found
  if (one !== undefined && second === undefined) return one
  const shown = printable(word, 80)
  if (found.length > 1) {
    const which = found.map(target => `${targetName(target)} (${target.peer?.id ?? 'not in the peer set'})`)
    return refuse('UNKNOWN_SERVER', `'${shown}' stands for several servers: ${which.join(', ')}.`, [
      'Name it by its full id or by address and port.',
    ])
  }
  const near = nearNames(
    word,
    targets.flatMap(target => namesOf(situation, target)),
  )
  return refuse(
    'UNKNOWN_SERVER',
    `No server '${shown}' is in the peer set or among the hosts.`,
    near.length > 0 ? [`Near: ${near.map(name => printable(name, 80)).join(', ')}`] : ['quorate peers list'],
  )
}

/** Whether something is a refusal. */
export function isRefusal(value: object): value is Refusal {
  return 'kind' in value && value.kind === 'refused'
}

/** Selects for every word, in order, without doubles; the first refusal stands for all. */
export function selectAll(situation: Situation, words: readonly string[]): readonly Target[] | Refusal {
  const targets: Target[] = []
  for (const word of words) {
    const target = select(situation, word)
    if (isRefusal(target)) return target
    if (!targets.some(other => sameTarget(other, target))) targets.push(target)
  }
  return targets
}

/** Whether two targets are the same server. */
export function sameTarget(a: Target, b: Target): boolean {
  if (a.peer !== undefined && b.peer !== undefined) return a.peer.id === b.peer.id
  return a.candidate !== undefined && a.candidate.host === b.candidate?.host
}

function nearNames(word: string, names: readonly string[]): string[] {
  const wanted = word.slice(0, 64).toLowerCase()
  const ranked = names
    .filter(name => name.length <= 64)
    .map(name => ({name, distance: editDistance(wanted, name.toLowerCase())}))
    .filter(({name, distance}) => distance <= Math.max(2, Math.floor(name.length / 4)))
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
  return ranked.slice(0, 3).map(({name}) => name)
}

/** Levenshtein distance of two short texts. */
function editDistance(a: string, b: string): number {
  let row = Array.from({length: b.length + 1}, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
