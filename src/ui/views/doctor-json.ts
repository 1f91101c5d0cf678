import type {Diagnosis, Verdict} from '../../core/diagnose/diagnose.js'
import type {RankedRemedy} from '../../core/diagnose/order.js'
import type {Finding} from '../../core/model/finding.js'
import type {FleetObservation} from '../../core/model/observation.js'

/** The result of `quorate doctor --json`. Things are added to it, never renamed. */
export interface DoctorJson {
  readonly verdict: Verdict
  readonly sentence: string
  readonly voters: {
    readonly total: number
    readonly quorum: number
    readonly up: number
    readonly startable: number
    readonly unseen: number
    readonly faultTolerance: number
  } | null
  readonly leader: {
    readonly address: string | null
    readonly host: string | null
    readonly term: number | null
  } | null
  readonly since: {
    readonly atMs: number
    readonly host: string
    readonly via: string
    readonly what: string
  } | null
  readonly peerSet: {
    readonly basis: string
    readonly index: number | null
    readonly servers: readonly {
      readonly id: string
      readonly address: string
      readonly suffrage: string
      readonly host: string | null
      readonly state: string | null
    }[]
    readonly believers: readonly string[]
  } | null
  readonly findings: readonly Finding[]
  readonly remedies: readonly RankedRemedy[]
  readonly observation: FleetObservation
}

/** The diagnosis as JSON: every number of the screen, every finding, and the observation it was made from. */
export function doctorJson(diagnosis: Diagnosis): DoctorJson {
  const {facts, since} = diagnosis
  const {leader, peerSet} = facts
  return {
    verdict: diagnosis.verdict,
    sentence: diagnosis.sentence,
    voters: facts.arithmetic ?? null,
    leader:
      leader.exists === 'yes'
        ? {
            address: leader.address ?? null,
            host: leader.server?.host ?? null,
            term: leader.server?.term ?? null,
          }
        : null,
    since: since === undefined ? null : {atMs: since.atMs, ...since.source},
    peerSet:
      peerSet === undefined
        ? null
        : {
            basis: peerSet.basis,
            index: peerSet.configuration.index ?? null,
            servers: peerSet.configuration.servers.map(peer => {
              const voter = facts.voters.find(one => one.peer === peer)
              return {...peer, host: voter?.server?.host ?? null, state: voter?.state ?? null}
            }),
            believers: peerSet.believers.map(one => one.host),
          },
    findings: diagnosis.findings,
    remedies: diagnosis.remedies,
    observation: facts.fleet,
  }
}
