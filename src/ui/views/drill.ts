import type {DrillReport} from '../../core/model/drill-report.js'
import {printable, shellCommand} from '../../core/text.js'
import {renderTable} from './table.js'
import {mark} from './theme.js'
import type {Theme} from './theme.js'
import {wrap} from './text.js'

interface Layout {
  readonly theme: Theme
  readonly width: number
}

const NAMED_MAX = 12

/** What is told when a drill begins. */
export function renderStory(
  drill: {
    readonly title: string
    readonly story: readonly string[]
    readonly cluster: string
    readonly servers: readonly {readonly name: string; readonly address: string}[]
    readonly auto: boolean
  },
  {theme, width}: Layout,
): string {
  const words = drill.story.flatMap(line => wrap(line, width))
  const where = drill.servers.map(({name, address}) => `${name} ${address}`).join('   ')
  const own = [
    '',
    'In another terminal:',
    `  ${shellCommand(['quorate', 'doctor', '--cluster', drill.cluster])}`,
    `  ${shellCommand(['quorate', 'cluster', 'status', '--name', drill.cluster])}`,
    'This terminal watches, and ends with a report when all is well again. Ctrl-C gives up.',
  ]
  return [
    '',
    theme.bold(`DRILL   ${drill.title}`),
    ...words,
    '',
    ...wrap(where, width),
    ...(drill.auto ? [] : own),
  ].join('\n')
}

const named = (keys: readonly string[]): string => {
  const shown = keys.slice(0, NAMED_MAX).map(key => printable(key, 60))
  return keys.length > NAMED_MAX
    ? `${shown.join(', ')} and ${keys.length - NAMED_MAX} more`
    : shown.join(', ')
}

const time = (seconds: number | null): string => (seconds === null ? 'never' : `${seconds.toFixed(1)} s`)

/** The scored report. */
export function renderDrillReport(report: DrillReport, lesson: string, {theme, width}: Layout): string {
  const {seconds, writes} = report
  const checks = report.checks.flatMap(check => {
    const sign = mark(theme, check.points === check.outOf ? 'ok' : check.points > 0 ? 'warn' : 'bad')
    const points = `${check.points}/${check.outOf}`.padStart(6)
    return wrap(check.sentence, width - 11).map((line, i) =>
      i === 0 ? `${sign} ${points}  ${line}` : `${' '.repeat(11)}${line}`,
    )
  })
  const lost = writes.lostWithServers.length
  const lines = [
    '',
    theme.bold(
      `REPORT   ${report.scenario}: ${report.solved ? 'solved' : 'not solved'}, ${report.score} of 100 points`,
    ),
    ...checks,
    '',
    `leader lost    ${seconds.untilLost === null ? 'never' : `${time(seconds.untilLost)} after the failure`}`,
    `leader back    ${seconds.untilLost === null ? 'was never lost' : seconds.untilLeader === null ? 'never' : `${time(seconds.untilLeader)} after the failure`}`,
    `writes again   ${seconds.untilWrites === null ? 'never' : `${time(seconds.untilWrites)} after the failure`}`,
    `writes         ${writes.acknowledged} acknowledged, ${writes.found} found again, ${lost} lost with their servers, ${writes.givenUp.length} given up`,
    ...(lost === 0 ? [] : wrap(`lost           ${named(writes.lostWithServers)}`, width, 15)),
    ...(writes.givenUp.length === 0 ? [] : wrap(`given up       ${named(writes.givenUp)}`, width, 15)),
  ]
  const runs = report.commands.map(run => [
    `${run.seconds.toFixed(1)} s`,
    run.exit === null ? '-' : String(run.exit),
    printable(`quorate ${run.line}`, 200),
  ])
  const columns = [
    {header: 'AFTER', align: 'right' as const},
    {header: 'EXIT', align: 'right' as const},
    {header: 'COMMAND'},
  ]
  const ran = runs.length === 0 ? [] : ['', ...renderTable(columns, runs, {width, cutMark: theme.marks.cut})]
  return [...lines, ...ran, '', ...wrap(lesson, width)].join('\n')
}

/** All scenarios. */
export function renderScenarios(
  scenarios: readonly {readonly name: string; readonly title: string; readonly playable: boolean}[],
  {theme, width}: Layout,
): string {
  const rows = scenarios.map(({name, title, playable}) => [name, playable ? title : `${title} (not here)`])
  return renderTable([{header: 'SCENARIO'}, {header: 'WHAT HAPPENS'}], rows, {
    width,
    cutMark: theme.marks.cut,
  }).join('\n')
}
