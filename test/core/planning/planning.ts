import {createHash} from 'node:crypto'
import type {Plan, PeersFixIntent, PlanResult, Step} from '../../../src/core/model/plan.js'
import type {ServerObservation} from '../../../src/core/model/observation.js'
import type {PlanContext} from '../../../src/core/planning/context.js'
import {planPeersFix} from '../../../src/core/planning/peers-fix.js'
import {NOW_MS, end, fleet, liveConsul, peerSet, storeOf, withFacts} from '../../helpers/fleet.js'
import type {ConsulParts, ServerFacts} from '../../helpers/fleet.js'

/** The planner's context in tests: the fleet's own time and real SHA-256. */
export const context: PlanContext = {
  nowMs: NOW_MS + 3000,
  sha256: text => createHash('sha256').update(text).digest('hex'),
}

/** An intent with what a test cares about. */
export const intent = (parts: Partial<PeersFixIntent> = {}): PeersFixIntent => ({
  remove: [],
  readdress: [],
  declaredDead: [],
  keep: [],
  history: undefined,
  ...parts,
})

const owner = {kind: 'file', sizeBytes: 131_072, mode: 0o600, uid: 997, gid: 996, mtimeMs: NOW_MS} as const

/** What a host must tell before it may be changed. */
export const actable: ServerFacts = {
  files: {
    dataDir: {...owner, path: '/var/consul', kind: 'directory', mode: 0o755},
    raftDir: {...owner, path: '/var/consul/raft', kind: 'directory', mode: 0o755},
    store: {...owner, path: '/var/consul/raft/raft.db'},
    peersJson: undefined,
    peersInfo: undefined,
    serviceUser: {uid: 997, gid: 996, name: 'consul'},
  },
  serfSnapshot: {members: [{name: 'other', address: '10.0.0.99:8301'}], left: false, clock: 7},
}

/** A server with everything a plan needs to know of it. */
export const ready = (
  make: (host: string, parts?: ConsulParts) => ServerObservation,
  host: string,
  parts: ConsulParts = {},
): ServerObservation => make(host, {...parts, facts: {...actable, ...parts.facts}})

/** Running survivors of a lost quorum, all with one log end. */
export const survivors = (
  hosts: readonly string[],
  of: readonly string[],
  parts: ConsulParts = {},
): ServerObservation[] =>
  hosts.map(host =>
    ready(liveConsul, host, {configuration: peerSet(of, 5), end: end(78, 13), leader: '', ...parts}),
  )

/** Gives a server's log other points and another end. */
export const withLog = (
  of: ServerObservation,
  index: number,
  atTerm: number,
  points: readonly (readonly [number, number])[] = [],
): ServerObservation => {
  const set = of.store.kind === 'read' ? of.store.value.configurations[0]?.configuration : undefined
  return withFacts(of, {
    store: storeOf({
      configuration: set,
      end: end(index, atTerm),
      terms: [...points.map(([i, term]) => end(i, term)), end(index, atTerm)],
    }),
  })
}

/** Plans for a fleet of these servers. */
export const plan = (
  servers: readonly ServerObservation[],
  parts: Partial<PeersFixIntent> = {},
): PlanResult => planPeersFix(fleet({servers}), intent(parts), context)

/** The plan, or a failure that shows what came instead. */
export function planned(result: PlanResult): Plan {
  if (result.kind !== 'plan') throw new Error(JSON.stringify(result))
  return result.plan
}

/** The code of a refusal, or what came instead. */
export const refusedWith = (result: PlanResult): string =>
  result.kind === 'refused'
    ? result.code
    : result.kind === 'plan'
      ? `plan ${result.plan.method}`
      : result.kind

/** The phases of a plan in a few words: name, then each step as host:action. */
export const outline = (of: Plan): string[] =>
  of.phases.map(
    phase => `${phase.name} ${phase.steps.map(step => `${step.host}:${step.action.do}`).join(' ')}`,
  )

/** All steps in their order. */
export const stepsOf = (of: Plan): readonly Step[] => of.phases.flatMap(phase => phase.steps)

/** The steps that note who was excluded without a fence. */
export const recordsOf = (of: Plan): readonly Step[] =>
  stepsOf(of).filter(
    ({action}) => action.do === 'write-file' && action.path.startsWith('/var/lib/quorate/excluded-'),
  )

/** The steps that write or take away what servers read: all but those records. */
export const writesOf = (of: Plan): readonly Step[] =>
  stepsOf(of).filter(
    step => ['write-file', 'move-away', 'fence'].includes(step.action.do) && !recordsOf(of).includes(step),
  )
