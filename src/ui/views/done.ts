import {printable} from '../../core/text.js'

/** One sentence on what was done, fit for a terminal whatever names are in it. */
export function renderDone(sentence: string): string {
  return printable(sentence, 2000)
}

/** Lines of names or ids, one each. */
export function renderLines(lines: readonly string[]): string {
  return lines.map(line => printable(line, 2000)).join('\n')
}
