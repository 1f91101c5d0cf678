import type {ServerFacts} from '../../../helpers/fleet.js'
import {liveConsul, peerSet, stoppedConsul} from '../../../helpers/fleet.js'
import type {ContentsComparison} from '../../../../src/core/model/contents.js'
import type {ServerObservation} from '../../../../src/core/model/observation.js'

/** Fleets on which a rule must speak, and near misses on which it must not; each named by what it is. */
export interface RuleCases {
  readonly fires: Readonly<Record<string, readonly ServerObservation[]>>
  readonly silent: Readonly<Record<string, readonly ServerObservation[]>>
  /** What comparing their contents came to, where it was done; for a case by its name. */
  readonly contents?: Readonly<Record<string, ContentsComparison>>
}

export const abc = peerSet(['a', 'b', 'c'], 1)

/** Three servers that follow a; `changes` are facts of single hosts. */
export function led(changes: Readonly<Record<string, ServerFacts>> = {}): ServerObservation[] {
  return ['a', 'b', 'c'].map(host =>
    liveConsul(host, {
      configuration: abc,
      leader: 'a',
      ...(changes[host] === undefined ? {} : {facts: changes[host]}),
    }),
  )
}

/** Three servers that run and know no leader. */
export function leaderless(changes: Readonly<Record<string, ServerFacts>> = {}): ServerObservation[] {
  return ['a', 'b', 'c'].map(host =>
    liveConsul(host, {
      configuration: abc,
      leader: '',
      ...(changes[host] === undefined ? {} : {facts: changes[host]}),
    }),
  )
}

/** Three stopped servers with their data. */
export function stopped(changes: Readonly<Record<string, ServerFacts>> = {}): ServerObservation[] {
  return ['a', 'b', 'c'].map(host =>
    stoppedConsul(host, {configuration: abc, ...(changes[host] === undefined ? {} : {facts: changes[host]})}),
  )
}
