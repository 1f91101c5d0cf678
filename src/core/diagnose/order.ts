import type {Finding, FindingCode, Remedy, Risk, Severity} from '../model/finding.js'

const severityRank: Readonly<Record<Severity, number>> = {fatal: 0, error: 1, warning: 2, info: 3}
const riskRank: Readonly<Record<Risk, number>> = {
  nothing: 0,
  availability: 1,
  'unacknowledged-writes': 2,
  'acknowledged-writes': 3,
}

/** Codes that another finding of the same diagnosis explains: symptoms. */
export function symptoms(findings: readonly Finding[]): ReadonlySet<FindingCode> {
  const present = new Set(findings.map(finding => finding.code))
  return new Set(
    findings.flatMap(finding => finding.causes.filter(code => code !== finding.code && present.has(code))),
  )
}

/** Codes from which each present code follows. */
function causesOf(findings: readonly Finding[]): ReadonlyMap<FindingCode, ReadonlySet<FindingCode>> {
  const map = new Map<FindingCode, Set<FindingCode>>()
  for (const finding of findings) {
    for (const effect of finding.causes) {
      if (effect === finding.code) continue
      const known = map.get(effect) ?? new Set()
      map.set(effect, known.add(finding.code))
    }
  }
  return map
}

/**
 * Orders findings for reading: a cause stands before what it explains, otherwise the graver first, otherwise as
 * they were found. Rules that name each other in a circle are left in order of severity.
 */
export function orderFindings(findings: readonly Finding[]): readonly Finding[] {
  const causes = causesOf(findings)
  const left = [...findings].sort((a, b) => severityRank[a.severity] - severityRank[b.severity])
  const ordered: Finding[] = []
  while (left.length > 0) {
    const open = new Set(left.map(finding => finding.code))
    const at = left.findIndex(finding => ![...(causes.get(finding.code) ?? [])].some(code => open.has(code)))
    ordered.push(...left.splice(Math.max(0, at), 1))
  }
  return ordered
}

/** A way out and the findings that it answers. */
export interface RankedRemedy extends Remedy {
  readonly rank: number
  readonly answers: readonly FindingCode[]
}

/** Whether all that a remedy does is done by another one, at the same risk. */
function isPartOf(remedy: Remedy, other: Remedy): boolean {
  return (
    remedy.risk === other.risk &&
    remedy.commands.length > 0 &&
    remedy.commands.length < other.commands.length &&
    remedy.commands.every(command => other.commands.includes(command))
  )
}

/** The remedies of all findings, each once, those that put least at risk first. */
export function rankRemedies(findings: readonly Finding[]): readonly RankedRemedy[] {
  const merged = new Map<string, {remedy: Remedy; answers: FindingCode[]}>()
  for (const finding of findings) {
    for (const remedy of finding.remedies) {
      const key = remedy.commands.length > 0 ? remedy.commands.join('\n') : remedy.title
      const known = merged.get(key)
      if (known === undefined) merged.set(key, {remedy, answers: [finding.code]})
      else {
        if (!known.answers.includes(finding.code)) known.answers.push(finding.code)
        // Of two ways to say the same, the one that says more.
        if (remedy.title.length > known.remedy.title.length)
          known.remedy = {...remedy, risk: known.remedy.risk}
      }
    }
  }
  const list = [...merged.values()]
  return list
    .filter(({remedy}) => !list.some(other => isPartOf(remedy, other.remedy)))
    .sort((a, b) => riskRank[a.remedy.risk] - riskRank[b.remedy.risk])
    .map(({remedy, answers}, index) => ({...remedy, rank: index + 1, answers}))
}
