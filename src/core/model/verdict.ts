/** One thing that verification looks at, and how it stands. */
export interface Check {
  /** What is looked at, for screens and JSON. */
  readonly name: string
  readonly host: string | undefined
  readonly state: 'ok' | 'pending' | 'wrong' | 'unknown'
  /** One sentence, present tense. */
  readonly text: string
}

/**
 * Whether a cluster is as its plan promised. `converging`: nothing is wrong and something is missing yet. `failed`:
 * something is wrong that time does not cure.
 */
export interface Verdict {
  readonly verdict: 'verified' | 'converging' | 'failed'
  readonly checks: readonly Check[]
}

/** What is missing or wrong, in sentences. */
export function shortcomings(verdict: Verdict): readonly string[] {
  const order = {wrong: 0, pending: 1, unknown: 2, ok: 3}
  return verdict.checks
    .filter(check => check.state !== 'ok')
    .sort((a, b) => order[a.state] - order[b.state])
    .map(check => (check.host === undefined ? check.text : `${check.host}: ${check.text}`))
}

/** What a verification that succeeded has seen; what could not be looked at is said, never counted as seen. */
export function verifiedNote(verdict: Verdict): string {
  const compared = verdict.checks.some(check => check.name === 'contents' && check.state === 'ok')
  const seen = ['one leader', 'one peer set', ...(compared ? ['one state'] : [])]
  const unknown = verdict.checks.filter(check => check.state === 'unknown').map(check => check.text)
  return [seen.join(', '), ...unknown].join('; ')
}
