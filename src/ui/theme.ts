import type {Terminal} from './terminal.js'
import {makeTheme as makePlainTheme} from './views/theme.js'
import type {Theme} from './views/theme.js'

/** The theme of a terminal. Chalk is loaded only where there is colour, and told its level: it ignores NO_COLOR. */
export async function makeTheme(terminal: Terminal): Promise<Theme> {
  if (!terminal.colour) return makePlainTheme({unicode: terminal.unicode})
  const {Chalk} = await import('chalk')
  const chalk = new Chalk({level: 1})
  const palette = {ok: chalk.green, bad: chalk.red, warn: chalk.yellow, dim: chalk.dim, bold: chalk.bold}
  return makePlainTheme({unicode: terminal.unicode, palette})
}
