import type {Plan} from '../../core/model/plan.js'
import type {Check, Verdict} from '../../core/model/verdict.js'
import {printable} from '../../core/text.js'
import {padRight, wrap} from './text.js'
import {mark} from './theme.js'
import type {MarkName, Theme} from './theme.js'

const marks: Readonly<Record<Check['state'], MarkName>> = {
  ok: 'ok',
  pending: 'unknown',
  wrong: 'bad',
  unknown: 'warn',
}
const headings: Readonly<Record<Verdict['verdict'], string>> = {
  verified: 'VERIFIED. The cluster is as planned',
  converging: 'NOT VERIFIED YET. Nothing is wrong, and something is missing',
  failed: 'NOT AS PLANNED',
}

/** A verdict with every check it rests on, what is wrong first. */
export function renderVerdict(
  plan: Plan,
  verdict: Verdict,
  layout: {readonly theme: Theme; readonly width: number},
): string {
  const {theme, width} = layout
  const order: readonly Check['state'][] = ['wrong', 'pending', 'unknown', 'ok']
  const checks = order.flatMap(state => verdict.checks.filter(check => check.state === state))
  const hostWidth = Math.max(7, ...checks.map(check => printable(check.host ?? 'cluster', 40).length))
  const lines = checks.flatMap(check => {
    const who = padRight(printable(check.host ?? 'cluster', 40), hostWidth)
    const [first, ...rest] = wrap(printable(check.text, 400), width - hostWidth - 5)
    const margin = ' '.repeat(hostWidth + 5)
    return [
      `${mark(theme, marks[check.state])}  ${who}  ${first ?? ''}`,
      ...rest.map(line => `${margin}${line}`),
    ]
  })
  const heading = `${headings[verdict.verdict]}: plan ${plan.id}, ${printable(plan.cluster, 60)}.`
  return [theme.bold(heading), ...lines].join('\n')
}
