import {QuorateError} from '../../../errors.js'
import type {Scenario} from '../scenario.js'
import {silentDivergence} from './divergence.js'
import {allLeft, majorityDead, oneSurvivorBehind, onlyNonvoters} from './losses.js'
import {
  addressesChanged,
  diskFull,
  rollingRestart,
  stalePeer,
  twoBootstrap,
  wrongDialect,
} from './mistakes.js'
import {partition} from './patience.js'

/** Every scenario, the usual one first. */
export const SCENARIOS: readonly Scenario[] = [
  majorityDead,
  allLeft,
  addressesChanged,
  stalePeer,
  oneSurvivorBehind,
  wrongDialect,
  twoBootstrap,
  diskFull,
  rollingRestart,
  onlyNonvoters,
  partition,
  silentDivergence,
]

/** The scenario of a name. Throws USAGE for none, and where it cannot be played on this machine. */
export function scenarioOf(name: string): Scenario {
  const found = SCENARIOS.find(scenario => scenario.name === name)
  if (found === undefined)
    throw new QuorateError('USAGE', `There is no scenario '${name.slice(0, 60)}'.`, {
      hints: ['quorate drill --list'],
    })
  const why = found.unplayable?.()
  if (why === undefined) return found
  throw new QuorateError('NOT_PLAYABLE', `${name} cannot be played here: ${why}.`, {
    hints: ['quorate drill --list'],
  })
}
