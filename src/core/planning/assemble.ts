import type {Configuration} from '../model/configuration.js'
import {voters} from '../model/configuration.js'
import type {DataStatement, Method, OpenRisk, PeersFixIntent, Phase, Plan, PlanHost} from '../model/plan.js'
import {quorumSize} from '../model/quorum.js'
import {consentFor} from './consent.js'
import type {PlanContext} from './context.js'
import {canonicalJson, expectedServers, fingerprintOf} from './fingerprint.js'
import type {Situation} from './situation.js'

const LIFE_MS = 15 * 60_000
const ID_DIGITS = 8
const ID_PLACEHOLDER = '{plan}'

/** A plan before it has its id, fingerprint and expiry. */
export interface PlanDraft {
  readonly method: Method
  readonly because: string
  readonly intent: PeersFixIntent
  readonly before: Configuration
  readonly after: Configuration
  readonly data: DataStatement
  readonly hosts: readonly PlanHost[]
  readonly ranking?: Plan['ranking']
  readonly risks: readonly OpenRisk[]
  readonly checks: readonly string[]
  readonly of?: string
  /** How many voters of `after` are expected to be up. */
  readonly upAfter: number
  /** Makes the phases once the plan's id is known, for paths that carry it. */
  readonly phases: (plan: string) => readonly Phase[]
}

/** Gives a draft its id, consent, fingerprint and expiry. The id is a digest of everything else in the plan. */
export function assemble(situation: Situation, draft: PlanDraft, context: PlanContext): Plan {
  const {fleet} = situation
  const expected = expectedServers(fleet, context)
  const datacenter = situation.candidates.find(one => one.datacenter !== undefined)?.datacenter
  const identity = {
    datacenter,
    serverIds: draft.before.servers.map(server => String(server.id)).sort(),
  }
  const votersAfter = voters(draft.after).length
  const consent = consentFor({
    method: draft.method,
    risks: draft.risks,
    data: draft.data,
    readdress: draft.intent.readdress.length > 0,
    toleranceAfter: draft.upAfter - quorumSize(votersAfter),
  })
  const rest = {
    format: 1 as const,
    cluster: fleet.cluster,
    product: fleet.product,
    madeAtMs: context.nowMs,
    expiresAtMs: context.nowMs + (context.lifeMs ?? LIFE_MS),
    method: draft.method,
    because: draft.because,
    intent: draft.intent,
    identity,
    before: draft.before,
    after: draft.after,
    data: draft.data,
    hosts: draft.hosts,
    ranking: draft.ranking ?? [],
    risks: draft.risks,
    checks: draft.checks,
    consent,
    expected,
    fingerprint: fingerprintOf(expected, identity, context),
    of: draft.of,
  }
  const digest = context.sha256(canonicalJson({...rest, phases: draft.phases(ID_PLACEHOLDER)}))
  const id = digest.slice(0, ID_DIGITS)
  return {...rest, id, phases: draft.phases(id)}
}
