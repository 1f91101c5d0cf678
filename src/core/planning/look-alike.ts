import {valueOf} from '../model/reading.js'
import type {Refusal} from './select.js'
import {refuse} from './select.js'
import type {Situation} from './situation.js'

/** Signatures of a leader that was elected and cannot establish itself; a recovery file cures none of them. */
const NOT_ESTABLISHED = /^establish-/

/**
 * Whether a leader is there by Raft's rules and yet useless, because it fails to set up its certificate authority
 * or its ACL system (`establishLeadership`, Consul agent/consul/leader.go). To clients this looks like no leader.
 */
export function lookAlike(situation: Situation): Refusal | undefined {
  for (const {seen, host} of situation.candidates) {
    const found = valueOf(seen.journal)?.matches.find(match => NOT_ESTABLISHED.test(match.signature))
    const leads = valueOf(seen.api.self)?.raft?.role === 'leader'
    if (
      found !== undefined &&
      (leads || situation.leader.kind === 'none') &&
      isRecent(found.lastAtMs, situation)
    )
      return refuse(
        'LOOK_ALIKE',
        `${host} is elected and cannot establish its leadership; the peer set is not what stands in the way: ${found.text}`,
        ['quorate doctor   names the setting that fails'],
      )
  }
  return undefined
}

const RECENT_MS = 10 * 60_000

const isRecent = (atMs: number | undefined, situation: Situation): boolean =>
  atMs === undefined || situation.fleet.finishedAtMs - atMs < RECENT_MS
