/** Puts one role's colour around a text. */
export type Paint = (text: string) => string

/** The four roles of colour, and bold for headings. Nothing else is ever coloured. */
export interface Palette {
  readonly ok: Paint
  readonly bad: Paint
  readonly warn: Paint
  readonly dim: Paint
  readonly bold: Paint
}

/** One sign beside a word that says the same; a mark is never the only carrier of a meaning. */
export interface Marks {
  readonly ok: string
  readonly bad: string
  readonly warn: string
  readonly unknown: string
  readonly leaves: string
  readonly joins: string
  readonly changes: string
  readonly skipped: string
  /** Ends a text that was cut. */
  readonly cut: string
}

/** How a screen looks: decided once per stream by the terminal and handed to every view. */
export interface Theme extends Palette {
  readonly marks: Marks
}

export type MarkName = Exclude<keyof Marks, 'cut'>

const unicodeMarks: Marks = {
  ok: '✓',
  bad: '✗',
  warn: '!',
  unknown: '?',
  leaves: '-',
  joins: '+',
  changes: '~',
  skipped: '·',
  cut: '…',
}
const plainMarks: Marks = {...unicodeMarks, ok: 'ok', bad: 'x', skipped: '.', cut: '...'}

const same: Paint = text => text
const noPalette: Palette = {ok: same, bad: same, warn: same, dim: same, bold: same}

/** Makes a theme; without a palette nothing is coloured. */
export function makeTheme(options: {readonly unicode: boolean; readonly palette?: Palette}): Theme {
  return {...(options.palette ?? noPalette), marks: options.unicode ? unicodeMarks : plainMarks}
}

const markRoles: Record<MarkName, keyof Palette> = {
  ok: 'ok',
  bad: 'bad',
  warn: 'warn',
  unknown: 'warn',
  leaves: 'bad',
  joins: 'ok',
  changes: 'warn',
  skipped: 'dim',
}

/** A mark in its role's colour. */
export function mark(theme: Theme, name: MarkName): string {
  return theme[markRoles[name]](theme.marks[name])
}
