import Table from 'cli-table3'
import {displayWidth} from './text.js'

/** A column of a table. */
export interface Column {
  readonly header: string
  readonly align?: 'left' | 'right'
  /** Whether the header is a name that keeps its case. */
  readonly exact?: boolean
  /** Columns with the highest number leave first when the table is too wide; 0, the default, never leaves. */
  readonly leaves?: number
}

export interface TableOptions {
  /** Cells a line may take; without it all columns stay. */
  readonly width?: number
  readonly indent?: number
  /** Ends a cell that had to be cut. */
  readonly cutMark?: string
  /** Paints the header line. */
  readonly paintHeader?: (text: string) => string
}

const gap = '  '

/** Every border blank: cli-table3 leaves out the lines that come to nothing. */
const noBorders = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: gap,
}

function totalWidth(widths: readonly number[], shown: readonly number[], indent: number): number {
  return (
    indent + shown.reduce((sum, index) => sum + (widths[index] ?? 0), 0) + gap.length * (shown.length - 1)
  )
}

const headerOf = (column: Column | undefined): string =>
  column?.exact === true ? column.header : (column?.header ?? '').toUpperCase()

/** The columns that stay, in their order: the least important leave until the rest fits. */
function chooseColumns(
  columns: readonly Column[],
  widths: readonly number[],
  options: {readonly width: number; readonly indent: number},
): number[] {
  let shown = columns.map((_, index) => index)
  while (totalWidth(widths, shown, options.indent) > options.width) {
    const next = shown.reduce((worst, index) => {
      const leaves = columns[index]?.leaves ?? 0
      return leaves > 0 && leaves >= (columns[worst]?.leaves ?? 0) ? index : worst
    }, shown[0] ?? 0)
    if ((columns[next]?.leaves ?? 0) === 0) break
    shown = shown.filter(index => index !== next)
  }
  return shown
}

/**
 * Lines of a table without borders: upper-case headers, two spaces between columns, no trailing spaces. Cells
 * never wrap: columns leave by their declared order, and only when those that must stay are still too wide is the
 * widest cut. An empty cell would lie; callers write `-` for does not apply and `?` for not known.
 */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  options: TableOptions = {},
): string[] {
  const indent = options.indent ?? 0
  const cell = (row: readonly string[], index: number): string => row[index] ?? '?'
  const widths = columns.map((column, index) =>
    Math.max(displayWidth(column.header), ...rows.map(row => displayWidth(cell(row, index)))),
  )
  const width = options.width ?? Number.POSITIVE_INFINITY
  const shown = chooseColumns(columns, widths, {width, indent})
  const excess = totalWidth(widths, shown, indent) - width
  let cut: number | undefined
  if (excess > 0) {
    const widest = shown.reduce((a, b) => ((widths[b] ?? 0) > (widths[a] ?? 0) ? b : a), shown[0] ?? 0)
    widths[widest] = Math.max(4, (widths[widest] ?? 0) - excess)
    cut = widest
  }
  const table = new Table({
    chars: noBorders,
    style: {head: [], border: [], 'padding-left': 0, 'padding-right': 0},
    // Only the column that is cut is told its width: the others fit their widest cell
    colWidths: shown.map(index => (index === cut ? (widths[index] ?? null) : null)),
    colAligns: shown.map(index => columns[index]?.align ?? 'left'),
    truncate: options.cutMark ?? '…',
  })
  table.push(
    shown.map(index => headerOf(columns[index])),
    ...rows.map(row => shown.map(index => cell(row, index))),
  )
  const [header = '', ...lines] = table
    .toString()
    .split('\n')
    .map(line => (' '.repeat(indent) + line).trimEnd())
  return [options.paintHeader === undefined ? header : options.paintHeader(header), ...lines]
}
