import type {Configuration, Server} from '../../core/model/configuration.js'
import {voters} from '../../core/model/configuration.js'
import type {Method, MilderWay, Phase, Plan, PlanHost, Step} from '../../core/model/plan.js'
import {quorumSize} from '../../core/model/quorum.js'
import {deadArithmetic} from '../../core/planning/recovery-risks.js'
import {printable} from '../../core/text.js'
import {describeAction} from './step.js'
import {renderTable} from './table.js'
import {formatLogEnd, formatTime, wrap} from './text.js'
import type {MarkName, Theme} from './theme.js'
import {mark} from './theme.js'

const LABEL_WIDTH = 14

const methodNames: Readonly<Record<Method, string>> = {
  start: 'start what is stopped',
  join: 'gossip join',
  online: 'online',
  'live-list': 'edit of the live lists',
  'recovery-file': 'recovery file',
  'best-log-alone': 'best log alone',
  back: 'taking back',
}

const list = (names: readonly string[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`

/** A label and a text that wraps under itself. */
function labelled(label: string, text: string, width: number): string[] {
  const lines = wrap(text, width - LABEL_WIDTH)
  return lines.map((line, place) => `${(place === 0 ? label : '').padEnd(LABEL_WIDTH)}${line}`)
}

/**
 * The screen of a plan, complete and in the order in which an operator decides: a milder way, what it does and why,
 * what happens to data, the peer set before and after, whose log is kept, the phases, checks, risks, and the dead.
 */
export function renderPlan(plan: Plan, milder: readonly MilderWay[], theme: Theme, width: number): string {
  const blocks = [
    milderLines(milder, width),
    headLines(plan, theme, width),
    peerSetLines(plan, theme, width),
    rankingLines(plan, theme, width),
    phaseLines(plan, theme, width),
    checkLines(plan, theme, width),
    riskLines(plan, theme, width),
    deadLines(plan, width),
  ]
  return `${blocks
    .filter(lines => lines.length > 0)
    .map(lines => lines.join('\n'))
    .join('\n\n')}\n`
}

function milderLines(milder: readonly MilderWay[], width: number): string[] {
  return milder.flatMap(way => [
    ...wrap(`There is a less drastic way: ${printable(way.title)}`, width),
    ...way.commands.map(command => `  ${printable(command)}`),
  ])
}

/** What a plan does, in a few words. */
export function planTitle(plan: Plan): string {
  if (plan.method === 'back') return `take back plan ${plan.of ?? '?'}`
  const name = (server: Server): string => printable(hostOf(plan, server) ?? server.address, 60)
  const after = new Set(plan.after.servers.map(server => String(server.id)))
  const gone = plan.before.servers.filter(server => !after.has(String(server.id)) && !movedTo(plan, server))
  if (plan.intent.readdress.length > 0) return 'give servers their new addresses'
  if (gone.length === 0) return plan.method === 'start' ? 'bring the quorum back' : 'bring a leader back'
  return `take ${list(gone.map(name))} out of the peer set`
}

const hostFor = (plan: Plan, server: Server): PlanHost | undefined =>
  plan.hosts.find(host => host.id === String(server.id) || host.address === String(server.address))
const hostOf = (plan: Plan, server: Server): string | undefined => hostFor(plan, server)?.host
const movedTo = (plan: Plan, server: Server): boolean => {
  const role = hostFor(plan, server)?.role
  return role === 'included' || role === 'witness'
}

function headLines(plan: Plan, theme: Theme, width: number): string[] {
  const stopped = plan.hosts.filter(host => stepsOn(plan, host.host).includes('stop-service'))
  const names = stopped.map(host => printable(host.host, 60))
  const [first, ...rest] = plan.data.sentences
  return [
    theme.bold(`PLAN ${plan.id}   ${printable(plan.cluster, 60)}: ${planTitle(plan)}`),
    ...labelled('method', `${methodNames[plan.method]}, because ${printable(plan.because, 600)}`, width),
    ...labelled('stops', names.length === 0 ? 'nothing' : list(names), width),
    ...labelled('data', printable(first ?? '?', 600), width),
    ...rest.flatMap(sentence => labelled('', printable(sentence, 600), width)),
    ...labelled(
      'expires',
      `${formatTime(plan.expiresAtMs)}, ${Math.round((plan.expiresAtMs - plan.madeAtMs) / 60_000)} min after it was made`,
      width,
    ),
  ]
}

const stepsOn = (plan: Plan, host: string): readonly string[] =>
  plan.phases.flatMap(phase => phase.steps.filter(step => step.host === host).map(step => step.action.do))

const entryText = (server: Server | undefined): string =>
  server === undefined ? '-' : `${server.suffrage} ${printable(server.address, 60)}`

/** What becomes of a server, in the place of its new entry. */
function afterText(host: PlanHost | undefined, after: Server | undefined): string {
  if (after !== undefined)
    return host?.rejoins === true ? `blank, then ${entryText(after)}` : entryText(after)
  if (host?.role === 'dead') return 'declared dead'
  return host?.role === 'set-aside' ? 'set aside, stopped until next boot' : '-'
}

function peerSetLines(plan: Plan, theme: Theme, width: number): string[] {
  const rows: string[][] = []
  const seen = new Set<Server>()
  for (const server of plan.before.servers) {
    const host = hostFor(plan, server)
    const after = plan.after.servers.find(
      one => one.id === server.id || (host !== undefined && hostFor(plan, one) === host),
    )
    if (after !== undefined) seen.add(after)
    const sign: MarkName | undefined =
      after === undefined
        ? 'leaves'
        : entryText(after) === entryText(server) && host?.rejoins !== true
          ? undefined
          : 'changes'
    const name = printable(host?.host ?? '?', 40)
    rows.push([sign === undefined ? ' ' : theme.marks[sign], name, entryText(server), afterText(host, after)])
  }
  for (const server of plan.after.servers.filter(one => !seen.has(one)))
    rows.push([theme.marks.joins, printable(hostOf(plan, server) ?? '?', 40), '-', entryText(server)])
  const table = renderTable(
    [{header: ' '}, {header: 'server'}, {header: 'now'}, {header: 'after'}],
    [...rows, [' ', ' ', sizeText(plan.before), sizeText(plan.after)]],
    {width, cutMark: theme.marks.cut, paintHeader: theme.bold},
  )
  return table.map(line => paintSign(line, theme))
}

function sizeText(configuration: Configuration): string {
  const count = voters(configuration).length
  return `${count} ${count === 1 ? 'voter' : 'voters'}, quorum ${quorumSize(count)}`
}

function paintSign(line: string, theme: Theme): string {
  const sign = (['leaves', 'joins', 'changes'] as const).find(name =>
    line.startsWith(`${theme.marks[name]} `),
  )
  return sign === undefined ? line : `${mark(theme, sign)}${line.slice(theme.marks[sign].length)}`
}

function rankingLines(plan: Plan, theme: Theme, width: number): string[] {
  if (plan.ranking.length === 0) return []
  const rows = plan.ranking.map((one, place) => [
    String(place + 1),
    printable(one.host, 40),
    one.end === undefined ? '?' : formatLogEnd(one.end),
    one.reason,
  ])
  return renderTable(
    [{header: '#', align: 'right'}, {header: 'log of'}, {header: 'last log'}, {header: 'why it stands here'}],
    rows,
    {width, cutMark: theme.marks.cut, paintHeader: theme.bold},
  )
}

/** Steps with one text for several hosts: `a, b` once instead of the same line twice. */
function gathered(
  phase: Phase,
  plan: Plan,
): readonly {readonly hosts: readonly string[]; readonly what: string; readonly undo: string}[] {
  const rows: {hosts: string[]; what: string; undo: string}[] = []
  for (const step of phase.steps) {
    const what = describeAction(step, plan)
    const same = rows.find(row => row.what === what && row.undo === step.undo)
    const host = hostText(step)
    if (same !== undefined) same.hosts.push(host)
    else rows.push({hosts: [host], what, undo: step.undo})
  }
  return rows
}

const hostText = (step: Step): string => (step.host === '' ? 'cluster' : printable(step.host, 40))

function phaseLines(plan: Plan, theme: Theme, width: number): string[] {
  const numberWidth = String(plan.phases.length).length
  const margin = numberWidth + 2
  const lines = [theme.bold('STEPS, in each all hosts at once; after each line how it is taken back')]
  for (const phase of plan.phases) {
    gathered(phase, plan).forEach((row, place) => {
      const number = place === 0 ? String(phase.number).padStart(numberWidth) : ' '.repeat(numberWidth)
      const undo = row.undo === 'nothing to take back' ? '' : ` [${printable(row.undo, 120)}]`
      const text = `${list(row.hosts)}: ${row.what}${undo}`
      const wrapped = wrap(text, width - margin)
      wrapped.forEach((line, index) =>
        lines.push(index === 0 ? `${number}  ${line}` : ' '.repeat(margin) + line),
      )
    })
  }
  return lines
}

function marked(theme: Theme, name: MarkName, text: string, width: number): string[] {
  const sign = mark(theme, name)
  const margin = theme.marks[name].length + 2
  return wrap(text, width - margin).map((line, place) =>
    place === 0 ? `${sign}  ${line}` : ' '.repeat(margin) + line,
  )
}

function checkLines(plan: Plan, theme: Theme, width: number): string[] {
  if (plan.checks.length === 0) return []
  const lines = plan.checks.flatMap(check => marked(theme, 'ok', printable(check, 400), width))
  return [theme.bold('CHECKED, and checked again when it is applied'), ...lines]
}

function riskLines(plan: Plan, theme: Theme, width: number): string[] {
  if (plan.risks.length === 0) return []
  const lines = plan.risks.flatMap(risk =>
    marked(theme, risk.mustAccept ? 'bad' : 'warn', `${risk.code}: ${printable(risk.text, 600)}`, width),
  )
  return [theme.bold('RISKS that stay open'), ...lines]
}

function deadLines(plan: Plan, width: number): string[] {
  const dead = plan.hosts.filter(host => host.role === 'dead')
  if (dead.length === 0) return []
  const names = list(dead.map(host => printable(host.host, 60)))
  const many = dead.length > 1
  const text =
    `${names} must never come back with the data ${many ? 'they have' : 'it has'}. quorate cannot reach ` +
    `${many ? 'them' : 'it'} to see to that: destroy ${many ? 'the machines' : 'the machine'}, or delete the raft ` +
    'directory before the server starts.'
  const arithmetic =
    plan.method === 'online' || plan.method === 'start'
      ? ''
      : ` ${deadArithmetic(plan.before, new Set(dead.map(host => host.id)))}`
  return wrap(text + arithmetic, width)
}
