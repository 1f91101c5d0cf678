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
    const head = `${padRight(printable(check.host ?? 'cluster', 40), hostWidth)}  ${printable(check.text, 400)}`
    const [first, ...rest] = wrap(head, width - 3, hostWidth + 2)
    return [`${mark(theme, marks[check.state])}  ${first ?? ''}`, ...rest.map(line => `   ${line}`)]
  })
  return [
    theme.bold(`${headings[verdict.verdict]}: plan ${plan.id}, ${printable(plan.cluster, 60)}.`),
    ...lines,
  ].join('\n')
}
