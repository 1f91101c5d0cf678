import type {JournalEntry, Progress} from '../../core/model/journal.js'
import type {Plan} from '../../core/model/plan.js'
import {printable} from '../../core/text.js'
import {renderTable} from './table.js'
import {formatTime} from './text.js'
import type {Theme} from './theme.js'

/** One plan with what its journal tells. */
export interface HistoryItem {
  readonly plan: Plan
  readonly entries: readonly JournalEntry[]
  readonly progress: Progress
}

/** How a plan stands, in one word or two. */
export function standing(item: HistoryItem): string {
  const {outcome, done} = item.progress
  if (outcome !== undefined) return outcome
  if (item.entries.length === 0) return 'not applied'
  const all = item.plan.phases.flatMap(phase => phase.steps).length
  const forward = [...done].filter(id => !id.includes('/') && !id.startsWith('put-back')).length
  const last = item.entries.at(-1)
  return `${last?.type === 'stopped' ? 'stopped' : 'in flight'}, ${forward} of ${all} steps`
}

/** All plans of this machine, newest first. */
export function renderHistory(
  items: readonly HistoryItem[],
  layout: {readonly theme: Theme; readonly width: number},
): string {
  if (items.length === 0) return 'No plan was applied from this machine.'
  const rows = items.map(item => [
    item.plan.id,
    formatTime(item.plan.madeAtMs),
    printable(item.plan.cluster, 40),
    item.plan.method,
    standing(item),
  ])
  const columns = [
    {header: 'PLAN'},
    {header: 'MADE', leaves: 2},
    {header: 'CLUSTER'},
    {header: 'METHOD', leaves: 1},
    {header: 'STANDING'},
  ]
  return renderTable(columns, rows, {width: layout.width, cutMark: layout.theme.marks.cut}).join('\n')
}

function describe(entry: JournalEntry): string {
  switch (entry.type) {
    case 'opened': {
      const accepted = entry.accepted.length === 0 ? '' : `, accepted ${entry.accepted.join(', ')}`
      return `opened by ${entry.by}, consent: ${entry.consent}${accepted}`
    }
    case 'begin':
      return `begin   ${entry.step}`
    case 'done':
      return `done    ${entry.step}: ${entry.note}`
    case 'failed':
      return `failed  ${entry.step}: ${entry.error}`
    case 'stopped':
      return `stopped: ${entry.why}`
    case 'resumed':
      return entry.back ? 'resumed, taking back' : 'resumed'
    case 'finished':
      return `finished: ${entry.outcome}`
  }
}

/** One plan and everything its journal holds, a line for each entry. */
export function renderPlanHistory(item: HistoryItem, theme: Theme): string {
  const {plan, entries} = item
  const lines = [
    theme.bold(`PLAN ${plan.id}   ${printable(plan.cluster, 60)}: ${plan.method}`),
    `made      ${formatTime(plan.madeAtMs)}`,
    `because   ${printable(plan.because, 300)}`,
    `standing  ${standing(item)}`,
    '',
    ...entries.map(entry => `${formatTime(entry.atMs)}  ${printable(describe(entry), 300)}`),
  ]
  if (item.progress.inFlight.size > 0)
    lines.push(
      '',
      `in flight when it ended: ${[...item.progress.inFlight].map(id => printable(id, 80)).join(', ')}`,
    )
  return lines.join('\n')
}
