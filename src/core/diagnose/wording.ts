import type {Arithmetic, ClusterFacts, VoterFacts, VoterState} from './facts.js'
import {voterName} from './facts.js'
import {listWords} from './findings.js'

/** `2 of 4 voters are up; 3 are needed.` */
export function arithmeticSentence(of: Arithmetic): string {
  const verb = of.total === 1 ? 'voter is' : of.up === 1 ? 'voters is' : 'voters are'
  return `${of.up} of ${of.total} ${verb} up; ${of.quorum} ${of.quorum === 1 ? 'is' : 'are'} needed.`
}

/** Voters that are in one of these states. */
export function votersIn(facts: ClusterFacts, ...states: readonly VoterState[]): readonly VoterFacts[] {
  return facts.voters.filter(voter => states.includes(voter.state))
}

/** Names of voters as a list in words. */
export function namesOf(facts: ClusterFacts, voters: readonly VoterFacts[]): string {
  return listWords(voters.map(voter => voterName(facts, voter)))
}
