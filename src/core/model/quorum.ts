import {assert} from '../assert.js'
import type {Configuration} from './configuration.js'
import {voters} from './configuration.js'
import type {ServerId} from './ids.js'

/** How many of `voterCount` voters make a quorum: ⌊n/2⌋+1. */
export function quorumSize(voterCount: number): number {
  return Math.floor(voterCount / 2) + 1
}

/** How many more voters may fail while `up` of `voterCount` are up; negative when the quorum is lost. */
export function faultTolerance(voterCount: number, up: number): number {
  return up - quorumSize(voterCount)
}

/** Whether `up` voters of `voterCount` can elect a leader. */
export function hasQuorum(voterCount: number, up: number): boolean {
  return voterCount > 0 && up >= quorumSize(voterCount)
}

/** What is kept, of all that was committed, by a peer set forced through a recovery file. */
export type CommitsKept = 'all' | 'all-in-best-log' | 'unknown'

/**
 * What a peer set of `votersAfter` voters, all of them voters of the `votersBefore` before, keeps of what was
 * committed. A commit is on a quorum of the set before. It outlives the change for certain when no quorum after
 * can be formed without one of its holders; when that fails, the best log kept still has every commit as long as
 * the servers given up are too few to have been a quorum by themselves. Assumes intact logs and one agreed set
 * before; the caller answers 'unknown' when it cannot assume so.
 */
export function commitsKept(votersBefore: number, votersAfter: number): CommitsKept {
  assert(votersAfter >= 0 && votersAfter <= votersBefore, 'the set after must be part of the set before')
  const quorumBefore = quorumSize(votersBefore)
  if (quorumSize(votersAfter) + quorumBefore > votersBefore) return 'all'
  return votersAfter > votersBefore - quorumBefore ? 'all-in-best-log' : 'unknown'
}

/**
 * Whether voters outside `accounted` are enough to be a working majority somewhere else (safety rule S2).
 * `accounted` holds the voters that get the recovery file under the barrier, are fenced, or were declared dead;
 * whoever is unseen, excluded without a fence, or left untouched is not in it.
 */
export function majorityMayLiveElsewhere(before: Configuration, accounted: ReadonlySet<ServerId>): boolean {
  const all = voters(before)
  const elsewhere = all.filter(server => !accounted.has(server.id)).length
  return all.length > 0 && elsewhere >= quorumSize(all.length)
}
