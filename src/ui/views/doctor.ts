import type {Diagnosis, Verdict} from '../../core/diagnose/diagnose.js'
import type {ServerFacts} from '../../core/diagnose/server-facts.js'
import {gossipViews} from '../../core/diagnose/facts.js'
import type {Finding} from '../../core/model/finding.js'
import {valueOf} from '../../core/model/reading.js'
import {printable} from '../../core/text.js'
import type {Column} from './table.js'
import {renderTable} from './table.js'
import {displayWidth, formatBytes, formatDuration, formatLogEnd, formatTime, padRight, wrap} from './text.js'
import type {MarkName, Theme} from './theme.js'
import {mark} from './theme.js'

/** How a doctor screen is laid out. */
export interface DoctorLayout {
  readonly theme: Theme
  readonly width: number
  /** Shows the table and all evidence even where nothing is wrong. */
  readonly explain?: boolean
}

const productNames = {consul: 'Consul', nomad: 'Nomad', vault: 'Vault', rqlite: 'rqlite'} as const
const headings: Readonly<Record<Verdict, string>> = {
  healthy: 'HEALTHY',
  degraded: 'DEGRADED',
  'quorum-lost': 'QUORUM LOST',
  'no-leader': 'NO LEADER',
  inconclusive: 'INCONCLUSIVE',
}
const name = (text: string): string => printable(text, 40)

function titleLines({facts}: Diagnosis, width: number): string[] {
  const {fleet} = facts
  const versions = [...new Set(fleet.servers.flatMap(one => valueOf(one.version) ?? []))]
  const centres = [
    ...new Set(
      fleet.servers.flatMap(
        one => valueOf(one.api.self)?.datacenter ?? valueOf(one.config)?.datacenter ?? [],
      ),
    ),
  ]
  const version = versions.length === 0 ? '' : ` ${versions.map(name).join(', ')}`
  const left = [name(fleet.cluster), `${productNames[fleet.product]}${version}`, ...centres.map(name)].join(
    '   ',
  )
  const took = formatDuration(fleet.finishedAtMs - fleet.startedAtMs)
  const right = `observed ${formatTime(fleet.startedAtMs)}, ${took}`
  const room = width - displayWidth(left) - displayWidth(right)
  return room >= 3 ? [`${left}${' '.repeat(room)}${right}`] : [left, right]
}

function verdictLines(diagnosis: Diagnosis, {theme, width}: DoctorLayout): string[] {
  const heading = headings[diagnosis.verdict]
  const since =
    diagnosis.since === undefined
      ? ''
      : ` Since about ${formatTime(diagnosis.since.atMs)}, says ${name(diagnosis.since.source.what)} on ${name(diagnosis.since.source.host)}.`
  const indent = heading.length + 3
  // The heading is wrapped as one word of its full width, gap included, and put in place again afterwards.
  const lines = wrap(`${'_'.repeat(indent - 1)} ${diagnosis.sentence}${since}`, width, indent)
  const role = {
    healthy: 'ok',
    degraded: 'warn',
    inconclusive: 'warn',
    'quorum-lost': 'bad',
    'no-leader': 'bad',
  } as const
  const paint = theme[role[diagnosis.verdict]]
  return [`${theme.bold(paint(heading))}  ${(lines[0] ?? '').slice(indent - 1)}`, ...lines.slice(1)]
}

const columns: readonly Column[] = [
  {header: ''},
  {header: 'server'},
  {header: 'address', leaves: 1},
  {header: 'service'},
  {header: 'role', leaves: 3},
  {header: 'last log', leaves: 2},
  {header: 'member', leaves: 4},
  {header: 'free', align: 'right', leaves: 5},
]

function serviceWord({server, running}: ServerFacts): string {
  const state = valueOf(server.service)?.state
  if (state !== undefined && state !== 'unknown') return state
  if (running === 'yes') return 'running'
  if (running === 'no') return 'stopped'
  return server.reached.kind === 'read' ? '?' : 'no answer'
}

function endWord(server: ServerFacts): string {
  if (server.hasData === 'no') return 'none'
  return server.end === undefined ? '?' : formatLogEnd(server.end)
}

/** A member's status as another server sees it; its own view of itself is always alive. */
function memberWord(diagnosis: Diagnosis, server: ServerFacts): string {
  const views = gossipViews(diagnosis.facts)
  const others = views.filter(view => view.server !== server)
  for (const view of others.length > 0 ? others : views) {
    const member = view.members.find(
      one => (one.id !== undefined && one.id === server.nodeId) || one.raftAddress === server.raftAddress,
    )
    const byAddress = member ?? view.members.find(one => one.address === server.server.address)
    if (byAddress !== undefined) return byAddress.status
  }
  return '?'
}

function serverRow(diagnosis: Diagnosis, server: ServerFacts, theme: Theme): string[] {
  const marks: Readonly<Record<ServerFacts['running'], MarkName>> = {yes: 'ok', no: 'bad', unknown: 'unknown'}
  const role = server.running === 'yes' ? (server.role ?? '?') : server.running === 'no' ? '-' : '?'
  const disk = valueOf(server.server.disk)
  return [
    mark(theme, marks[server.running]),
    name(server.host),
    name(server.server.address),
    serviceWord(server),
    role,
    endWord(server),
    memberWord(diagnosis, server),
    disk === undefined ? '?' : formatBytes(disk.freeBytes),
  ]
}

/** Voters of the peer set that none of the hosts is; they count, so they are shown. */
function strangerRows({facts}: Diagnosis, theme: Theme): string[][] {
  return facts.voters
    .filter(voter => voter.server === undefined)
    .map(voter => {
      const member = gossipViews(facts)
        .flatMap(view => view.members)
        .find(one => one.id === voter.peer.id || one.raftAddress === voter.peer.address)
      return [
        mark(theme, 'unknown'),
        name(member?.name ?? '?'),
        name(voter.peer.address),
        'not asked',
        '?',
        '?',
        member?.status ?? '?',
        '?',
      ]
    })
}

function tableLines(diagnosis: Diagnosis, {theme, width}: DoctorLayout): string[] {
  const rows = [
    ...diagnosis.facts.servers.map(server => serverRow(diagnosis, server, theme)),
    ...strangerRows(diagnosis, theme),
  ]
  return renderTable(columns, rows, {width, cutMark: theme.marks.cut, paintHeader: theme.dim})
}

function findingMark(finding: Finding): MarkName {
  if (finding.code === 'UNREACHABLE') return 'unknown'
  if (finding.severity === 'fatal' || finding.severity === 'error') return 'bad'
  return finding.severity === 'warning' ? 'warn' : 'skipped'
}

const NARROWEST_TEXT = 24

/** A text with a code at the right edge of its first line, or on a line of its own where there is no room. */
function withCode(text: string, code: string, width: number): string[] {
  const room = width - code.length - 2
  if (room < NARROWEST_TEXT) return [...wrap(text, width), code]
  const [first = '', ...rest] = wrap(text, room)
  return [`${padRight(first, room)}  ${code}`, ...rest]
}

function findingLines(finding: Finding, layout: DoctorLayout): string[] {
  const {theme, width, explain} = layout
  const sign = findingMark(finding)
  const lead = 3
  const [first = '', ...rest] = withCode(finding.summary, finding.code, width - lead)
  const lines = [`${padRight(mark(theme, sign), lead)}${first}`, ...rest.map(line => ' '.repeat(lead) + line)]
  lines.push(...wrap(finding.explanation, width - lead).map(line => ' '.repeat(lead) + line))
  if (explain === true)
    lines.push(
      ...finding.evidence.flatMap(({source, value}) =>
        wrap(`${name(source.host)}, ${printable(source.what, 120)}: ${value}`, width - lead - 2, 2).map(
          line => theme.dim(`${' '.repeat(lead)}${line}`),
        ),
      ),
    )
  return lines
}

/** Findings that the verdict has said already. */
const saidByVerdict: readonly string[] = ['QUORUM_LOST', 'NO_LEADER', 'QUORUM_AT_RISK']

function wrongLines(diagnosis: Diagnosis, layout: DoctorLayout): string[] {
  const shown = diagnosis.findings.filter(
    finding => layout.explain === true || !saidByVerdict.includes(finding.code),
  )
  if (shown.length === 0) return []
  return ['', layout.theme.bold('WHAT IS WRONG'), ...shown.flatMap(finding => findingLines(finding, layout))]
}

const riskWords = {
  nothing: undefined,
  availability: undefined,
  'unacknowledged-writes': 'Puts writes at risk that were never acknowledged.',
  'acknowledged-writes': 'Puts acknowledged writes at risk.',
} as const

function remedyLines(diagnosis: Diagnosis, {theme, width}: DoctorLayout): string[] {
  if (diagnosis.remedies.length === 0) return []
  return [
    '',
    theme.bold('WAYS OUT, least drastic first'),
    ...diagnosis.remedies.flatMap(remedy => {
      const lead = 3
      const [first = '', ...rest] = wrap(printable(remedy.title, 400), width - lead)
      const risk = riskWords[remedy.risk]
      return [
        `${padRight(String(remedy.rank), lead)}${first}`,
        ...rest.map(line => ' '.repeat(lead) + line),
        ...wrap(printable(remedy.detail, 600), width - lead).map(line => ' '.repeat(lead) + line),
        ...(risk === undefined ? [] : [' '.repeat(lead) + theme.warn(risk)]),
        ...remedy.commands.map(command => `     ${printable(command, 2000)}`),
      ]
    }),
  ]
}

/** The screen of `quorate doctor`: the verdict with its arithmetic, the servers, what is wrong, the ways out. */
export function renderDoctor(diagnosis: Diagnosis, layout: DoctorLayout): string {
  const calm = diagnosis.verdict === 'healthy' && diagnosis.findings.length === 0
  const lines = [
    ...titleLines(diagnosis, layout.width),
    '',
    ...verdictLines(diagnosis, layout),
    ...(calm && layout.explain !== true ? [] : ['', ...tableLines(diagnosis, layout)]),
    ...wrongLines(diagnosis, layout),
    ...remedyLines(diagnosis, layout),
    ...(diagnosis.verdict === 'healthy' && diagnosis.remedies.length === 0 ? ['', 'Nothing to do.'] : []),
    ...(diagnosis.verdict === 'healthy' || layout.explain === true
      ? []
      : ['', layout.theme.dim('Where each reading came from: quorate doctor --explain')]),
  ]
  return lines.map(line => line.trimEnd()).join('\n')
}

/** One line and the status that Nagios and its kin expect: 0 ok, 1 warning, 2 critical, 3 unknown. */
export function renderNagios(diagnosis: Diagnosis): {readonly line: string; readonly status: 0 | 1 | 2 | 3} {
  const states = {
    healthy: ['OK', 0],
    degraded: ['WARNING', 1],
    'quorum-lost': ['CRITICAL', 2],
    'no-leader': ['CRITICAL', 2],
    inconclusive: ['UNKNOWN', 3],
  } as const
  const [word, status] = states[diagnosis.verdict]
  const of = diagnosis.facts.arithmetic
  const codes = [...new Set(diagnosis.findings.map(finding => finding.code))]
  // A bar starts performance data in that protocol, so none may stand in the text.
  const text = `${diagnosis.sentence}${codes.length === 0 ? '' : ` ${codes.join(' ')}`}`.replaceAll('|', '/')
  const data =
    of === undefined
      ? ''
      : ` | voters=${of.total} up=${of.up} quorum=${of.quorum} tolerance=${of.faultTolerance}`
  return {line: printable(`QUORATE ${word}: ${text}${data}`, 1000), status}
}
