import type {Evidence, Finding, FindingCode, Remedy, Risk, Severity, Subject} from '../model/finding.js'
import type {JournalMatch} from '../model/observation.js'
import type {Reading, Source} from '../model/reading.js'
import {valueOf} from '../model/reading.js'
import {printable} from '../text.js'
import type {ClusterFacts} from './facts.js'
import type {ServerFacts} from './server-facts.js'

/** Looks at the facts and says what it notices. Rules are independent of each other and of order. */
export type Rule = (facts: ClusterFacts) => readonly Finding[]

/** The parts of a finding; what is left out is empty. */
export interface FindingParts {
  readonly code: FindingCode
  readonly severity: Severity
  /** A server's host name; without it the finding is about the cluster. */
  readonly on?: ServerFacts | string
  readonly subject?: Subject
  readonly summary: string
  readonly explanation: string
  readonly evidence?: readonly Evidence[]
  readonly remedies?: readonly Remedy[]
  readonly causes?: readonly FindingCode[]
}

/** Makes a finding; its summary is fit for a terminal whatever hosts have put into it. */
export function makeFinding(parts: FindingParts): Finding {
  const on = typeof parts.on === 'string' ? parts.on : parts.on?.host
  return {
    code: parts.code,
    severity: parts.severity,
    subject: parts.subject ?? (on === undefined ? {kind: 'cluster'} : {kind: 'server', host: on}),
    summary: printable(parts.summary, 400),
    explanation: printable(parts.explanation, 1200),
    evidence: parts.evidence ?? [],
    remedies: parts.remedies ?? [],
    causes: parts.causes ?? [],
  }
}

/** Evidence with a bounded, printable value. */
export function evidenceOf(source: Source, value: unknown): Evidence {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'undefined')
  return {source, value: printable(text, 300)}
}

/** A reading as evidence: its value, or why there is none. */
export function readingEvidence<T>(reading: Reading<T>, show: (value: T) => string = String): Evidence {
  if (reading.kind === 'read') return evidenceOf(reading.source, show(reading.value))
  const detail = reading.detail === undefined ? '' : `: ${reading.detail}`
  return evidenceOf(reading.source, `not read, ${reading.why}${detail}`)
}

/** Makes a remedy. */
export function remedy(risk: Risk, title: string, detail: string, commands: readonly string[] = []): Remedy {
  return {risk, title, detail, commands}
}

/** A match of a signature in a server's journal. */
export interface ServerMatch {
  readonly server: ServerFacts
  readonly match: JournalMatch
  readonly source: Source
}

const settled: readonly string[] = ['leader', 'won']

/** When a server's journal last told of a leader. */
function leaderSeenAt(server: ServerFacts): number | undefined {
  const times = (valueOf(server.server.journal)?.matches ?? [])
    .filter(match => settled.includes(match.signature))
    .flatMap(match => (match.lastAtMs === undefined ? [] : [match.lastAtMs]))
  return times.length === 0 ? undefined : Math.max(...times)
}

/**
 * Matches of signatures in the journals of all servers. With `current`, only those after which the same journal
 * tells of no leader: what was cured since is history.
 */
export function journalMatches(
  facts: ClusterFacts,
  signatures: readonly string[],
  options: {readonly current: boolean} = {current: false},
): readonly ServerMatch[] {
  return facts.servers.flatMap(server => {
    const {journal} = server.server
    const cured = options.current ? leaderSeenAt(server) : undefined
    return (valueOf(journal)?.matches ?? [])
      .filter(match => signatures.includes(match.signature))
      .filter(match => cured === undefined || match.lastAtMs === undefined || match.lastAtMs > cured)
      .map(match => ({server, match, source: journal.source}))
  })
}

/** A journal line as evidence. */
export function matchEvidence(found: ServerMatch): Evidence {
  return evidenceOf(found.source, found.match.text)
}

/** Distinct servers of several matches, in the order of the fleet. */
export function serversOf(matches: readonly ServerMatch[]): readonly ServerFacts[] {
  return [...new Set(matches.map(found => found.server))]
}

/** `a`, `a and b`, `a, b and c`. */
export function listWords(words: readonly string[]): string {
  if (words.length <= 1) return words[0] ?? 'none'
  return `${words.slice(0, -1).join(', ')} and ${words.at(-1) ?? ''}`
}

/** `1 voter is`, `2 voters are`: the words for a count. */
export function count(n: number, one: string, many: string): string {
  return `${n} ${n === 1 ? one : many}`
}
