import {noLogSentences} from '../model/log-words.js'
import type {Finding, FindingCode} from '../model/finding.js'
import type {FleetObservation} from '../model/observation.js'
import {hasQuorum} from '../model/quorum.js'
import {assertNever} from '../assert.js'
import {openContentsWords} from './contents.js'
import type {Arithmetic, ClusterFacts, DiagnosisContext} from './facts.js'
import {clusterFacts} from './facts.js'
import type {RankedRemedy} from './order.js'
import {orderFindings, rankRemedies, symptoms} from './order.js'
import {RULES} from './rules/index.js'
import type {Since} from './since.js'
import {leaderlessSince} from './since.js'
import {arithmeticSentence} from './wording.js'

/** The judgement of an instant. `no-leader`: a quorum could be there, and still nobody leads. */
export type Verdict = 'healthy' | 'degraded' | 'quorum-lost' | 'no-leader' | 'inconclusive'

/** What doctor says of an observation: a value, printed by views and written as JSON. */
export interface Diagnosis {
  readonly verdict: Verdict
  /** Name of the exit status, as in the table of exit codes. */
  readonly exit: 'ok' | 'degraded' | 'quorum-lost' | 'inconclusive'
  /** The verdict in words, with the arithmetic in it. */
  readonly sentence: string
  readonly since: Since | undefined
  /** Causes before symptoms, the graver first. */
  readonly findings: readonly Finding[]
  readonly symptoms: ReadonlySet<FindingCode>
  readonly remedies: readonly RankedRemedy[]
  readonly facts: ClusterFacts
}

function isWrong(finding: Finding): boolean {
  return finding.severity === 'fatal' || finding.severity === 'error' || finding.code === 'QUORUM_AT_RISK'
}

function verdictOf(facts: ClusterFacts, findings: readonly Finding[]): Verdict {
  const codes = new Set(findings.map(finding => finding.code))
  if (codes.has('QUORUM_LOST')) return 'quorum-lost'
  if (codes.has('NO_LEADER') || codes.has('LEADER_NOT_ESTABLISHED')) return 'no-leader'
  if (facts.leader.exists === 'yes') return findings.some(isWrong) ? 'degraded' : 'healthy'
  if (facts.arithmetic !== undefined) return 'inconclusive'
  // No server has a peer set to count by: either nobody does, which is knowledge, or none was read.
  const nobodyCan = facts.servers.every(
    server => server.believed?.servers.length === 0 || server.running === 'no',
  )
  return codes.has('PEER_SET_EMPTY') && (facts.leader.exists === 'no' || nobodyCan)
    ? 'no-leader'
    : 'inconclusive'
}

function exitOf(verdict: Verdict): Diagnosis['exit'] {
  switch (verdict) {
    case 'healthy':
      return 'ok'
    case 'degraded':
      return 'degraded'
    case 'quorum-lost':
    case 'no-leader':
      return 'quorum-lost'
    case 'inconclusive':
      return 'inconclusive'
    default:
      return assertNever(verdict)
  }
}

function leaderWords(facts: ClusterFacts): string {
  const {server, address} = facts.leader
  const name = server?.host ?? address ?? '?'
  return server?.term === undefined ? `Leader ${name}.` : `Leader ${name}, term ${server.term}.`
}

function toleranceWords(tolerance: number): string {
  return tolerance > 0
    ? `Fault tolerance ${tolerance}.`
    : 'Fault tolerance 0: losing one more server stops the cluster.'
}

/** Two who lead make every count one side's count. */
function splitWords({leader: {claims}}: ClusterFacts): string {
  const [first] = claims
  return claims.length < 2 || first === undefined
    ? ''
    : `${claims.map(server => server.host).join(' and ')} each say that they lead; counted by the peer set of ${first.host}: `
}

function ledSentence(facts: ClusterFacts): string {
  return `${splitWords(facts)}${countedSentence(facts)}`
}

function countedSentence(facts: ClusterFacts): string {
  const of = facts.arithmetic
  if (of === undefined) return `${leaderWords(facts)} The peer set is not known.`
  if (of.unseen > 0) {
    const seen = hasQuorum(of.total, of.up)
      ? ''
      : ' A leader needs a quorum: either some of the unseen are up, or they went down a moment ago and it has not noticed. Look again in 15 s.'
    return `${of.up} of ${of.total} voters were seen up, ${of.unseen} ${of.unseen === 1 ? 'is' : 'are'} unseen; ${of.quorum} are needed.${seen} ${leaderWords(facts)}`
  }
  return `${arithmeticSentence(of)} ${toleranceWords(of.faultTolerance)} ${leaderWords(facts)}`
}

function inconclusiveSentence(facts: ClusterFacts): string {
  const of = facts.arithmetic
  const reached = facts.servers.filter(server => server.server.reached.kind === 'read').length
  if (of === undefined) {
    const said = `${reached} of ${facts.servers.length} hosts were reached, and none told the peer set: there is nothing to count by.`
    return `${said} ${noLogSentences(facts.servers.map(one => one.server))}`.trim()
  }
  const named = facts.leader.address
  const leader =
    named === undefined
      ? 'Whether there is a leader is not known.'
      : `${named} is named as leader, but was not seen to lead.`
  return `${of.up} of ${of.total} voters were seen up, ${of.unseen} ${of.unseen === 1 ? 'is' : 'are'} unseen; ${of.quorum} are needed. ${leader}`
}

/** Silence is not death: the unseen may be a working majority on the other side of a partition. */
function elsewhereWords(of: Arithmetic | undefined): string {
  return of !== undefined && hasQuorum(of.total, of.unseen)
    ? ` The ${of.unseen} unseen voters would be a quorum by themselves and may have a leader where we do not see it.`
    : ''
}

function sentenceOf(facts: ClusterFacts, verdict: Verdict): string {
  const of = facts.arithmetic
  switch (verdict) {
    case 'healthy':
    case 'degraded':
      return `${ledSentence(facts)} ${openContentsWords(facts)}`.trimEnd()
    case 'quorum-lost':
      return `${of === undefined ? '' : `${arithmeticSentence(of)} `}There is no leader: every write and every consistent read fails.${elsewhereWords(of)}`
    case 'no-leader':
      return of === undefined
        ? 'No server has a peer set to elect a leader with: every write and every consistent read fails.'
        : `${arithmeticSentence(of)} Yet no leader serves: every write and every consistent read fails.`
    case 'inconclusive':
      return inconclusiveSentence(facts)
    default:
      return assertNever(verdict)
  }
}

/**
 * Judges an observation: runs every rule and puts what they notice in order. Pure: the same observation and
 * context give the same diagnosis. It judges an instant; who wants to know that a cluster stays leaderless
 * observes again.
 */
export function diagnose(fleet: FleetObservation, context: DiagnosisContext): Diagnosis {
  const facts = clusterFacts(fleet, context)
  const found = Object.values(RULES).flatMap(rule => [...rule(facts)])
  const findings = orderFindings(found)
  const verdict = verdictOf(facts, findings)
  return {
    verdict,
    exit: exitOf(verdict),
    sentence: sentenceOf(facts, verdict),
    since: verdict === 'quorum-lost' || verdict === 'no-leader' ? leaderlessSince(facts) : undefined,
    findings,
    symptoms: symptoms(findings),
    remedies: rankRemedies(findings),
    facts,
  }
}
