import type {Configuration, Server} from '../model/configuration.js'
import {voters} from '../model/configuration.js'
import type {PeersFixIntent} from '../model/plan.js'
import {majorityMayLiveElsewhere, quorumSize} from '../model/quorum.js'
import {shutDoor} from './doubtful.js'
import type {Refusal, Target} from './select.js'
import {isRefusal, refuse, sameTarget, selectAll, targetName} from './select.js'
import type {Candidate, Situation} from './situation.js'
import {answers, candidateFor} from './situation.js'

/** What the operator's words make of the servers, before any strategy. */
export interface Declared {
  /** Named by the operator and reached: to be stopped and fenced. */
  readonly setAside: readonly Target[]
  /** Declared dead by the operator, and not seen by anything. */
  readonly dead: readonly Target[]
  /** Neither reached nor declared dead. */
  readonly undeclared: readonly Target[]
  /** Reached and not named: what may be kept. */
  readonly kept: readonly Candidate[]
}

/**
 * Sorts every server by what the operator declared and what was observed, for a recovery. Silence is never taken
 * for death: only the operator declares it, and a declared dead server that answers is refused. `--remove` of a
 * silent server declares it dead; of a server that is reached, it sets it aside.
 */
export function declare(situation: Situation, intent: PeersFixIntent): Declared | Refusal {
  const removed = selectAll(situation, intent.remove)
  if (isRefusal(removed)) return removed
  const declaredDead = selectAll(situation, intent.declaredDead)
  if (isRefusal(declaredDead)) return declaredDead
  const keep = selectAll(situation, intent.keep)
  if (isRefusal(keep)) return keep
  for (const target of declaredDead) {
    const refusal = deadButAnswers(situation, target)
    if (refusal !== undefined) return refusal
  }
  const setAside: Target[] = []
  const dead: Target[] = []
  for (const target of [...removed, ...declaredDead]) {
    if ([...setAside, ...dead].some(one => sameTarget(one, target))) continue
    if (target.candidate?.reached === true) setAside.push(target)
    else {
      const refusal = deadButAnswers(situation, target)
      if (refusal !== undefined) return refusal
      dead.push(target)
    }
  }
  return sortRest(situation, {setAside, dead}, keep)
}

function sortRest(
  situation: Situation,
  named: {readonly setAside: Target[]; readonly dead: Target[]},
  keep: readonly Target[],
): Declared {
  const {setAside, dead} = named
  const taken = (peer: Server): boolean => [...setAside, ...dead].some(target => target.peer?.id === peer.id)
  const undeclared: Target[] = []
  const kept: Candidate[] = []
  for (const peer of situation.peers) {
    if (taken(peer)) continue
    const candidate = candidateFor(situation, peer)
    const wanted = keep.length === 0 || keep.some(target => target.peer?.id === peer.id)
    if (candidate === undefined || !candidate.reached) undeclared.push({peer, candidate})
    else if (wanted) kept.push(candidate)
    else setAside.push({peer, candidate})
  }
  return {setAside, dead, undeclared, kept}
}

function deadButAnswers(situation: Situation, target: Target): Refusal | undefined {
  if (target.peer === undefined) return undefined
  const how = answers(situation, target.peer) ?? shutDoor(target.candidate)
  if (how === undefined) return undefined
  const name = targetName(target)
  return refuse('DEAD_BUT_ANSWERS', `${name} was declared dead, but ${how}.`, [
    target.candidate?.reached === true
      ? `quorate peers fix --remove ${name}   takes it out while it is reachable: it is stopped and fenced`
      : `Give quorate a way to reach ${name}, or stop it and wait until gossip has it as failed.`,
  ])
}

/**
 * Refuses when someone is silent and not declared dead. When so many are unaccounted for that they could be a
 * majority leading out of our sight, that is what is said (safety rule S2); else which declarations are missing
 * (S14). `untouched` are reached servers that the plan would leave as they are.
 */
export function checkAccounted(
  before: Configuration,
  declared: Declared,
  untouched: readonly Target[] = [],
): Refusal | undefined {
  const open = [...declared.undeclared, ...untouched]
  if (open.length === 0) return undefined
  const openIds = new Set(open.flatMap(target => (target.peer === undefined ? [] : [target.peer.id])))
  const accounted = new Set(before.servers.map(server => server.id).filter(id => !openIds.has(id)))
  const names = open.map(targetName)
  const hints = [
    `Bring ${names.length === 1 ? 'it' : 'them'} back, or declare what is gone for ever:`,
    `quorate peers fix ${names.map(name => `--remove ${name}`).join(' ')}`,
  ]
  if (majorityMayLiveElsewhere(before, accounted)) {
    const count = voters(before).filter(server => openIds.has(server.id)).length
    const all = voters(before).length
    return refuse(
      'MAJORITY_ELSEWHERE',
      `${count} of ${all} voters (${names.join(', ')}) are out of sight and not declared dead; ` +
        `${quorumSize(all)} are a quorum, so a leader may live among them.`,
      hints,
    )
  }
  return refuse(
    'MISSING_UNDECLARED',
    `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} missing and not declared dead.`,
    hints,
  )
}
