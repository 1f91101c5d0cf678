import {printable} from '../../core/text.js'
import type {Theme} from './theme.js'
import {wrap} from './text.js'

/** An error as its screen needs it. */
export interface ErrorScreen {
  /** One sentence: what is so. */
  readonly message: string
  /** Code of the catalogue. */
  readonly code: string
  readonly exit: number
  readonly exitName: string
  /** What to type or do, each complete enough to paste. */
  readonly hints: readonly string[]
  /** The library's own words, from the outermost cause inwards. */
  readonly causes: readonly string[]
  /** Where the manual tells more. */
  readonly manual: string | undefined
}

const textMax = 2000

/**
 * The screen of a command that cannot go on. Hints are never wrapped, because they are there to be pasted, and
 * nothing on it may move the cursor, because names and answers of hosts end up in messages.
 */
export function renderError(error: ErrorScreen, layout: {theme: Theme; width: number}): string {
  const {theme, width} = layout
  const [first = '', ...rest] = wrap(`Error: ${printable(error.message, textMax)}`, width)
  const lines = [first.replace(/^Error:/, theme.bad('Error:')), ...rest]
  const manual = error.manual === undefined ? '' : theme.dim(`  (${error.manual})`)
  lines.push(`Code: ${error.code}, exit ${error.exit} ${error.exitName}${manual}`)
  if (error.hints.length > 0)
    lines.push('Try this:', ...error.hints.map(hint => `  ${printable(hint, textMax)}`))
  for (const cause of error.causes) {
    // Most messages quote their cause already
    if (!error.message.includes(cause))
      lines.push(...wrap(`Caused by: ${printable(cause, textMax)}`, width, 2))
  }
  return lines.join('\n')
}
