import type {AgentInfo, Joined, Member} from '../../client/membership.js'
import {printable} from '../../core/text.js'
import {renderTable} from './table.js'
import type {Theme} from './theme.js'

interface Layout {
  readonly theme: Theme
  readonly width: number
}

const cell = (text: string): string => printable(text, 200) || '-'

function paintStatus(theme: Theme, status: string): string {
  if (status === 'alive') return theme.ok(status)
  return status === 'failed' ? theme.bad(status) : theme.warn(cell(status))
}

const hostPort = ({address, port}: Member): string =>
  cell(address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`)

/** The members of a pool as a table, the columns of `consul members`. */
export function renderMembers(members: readonly Member[], {theme, width}: Layout): string {
  const rows = members.map(member => [
    cell(member.name),
    hostPort(member),
    paintStatus(theme, member.status),
    member.type,
    cell(member.build),
    cell(String(member.protocol)),
    cell(member.datacenter),
  ])
  const columns = [
    {header: 'node'},
    {header: 'address'},
    {header: 'status'},
    {header: 'type'},
    {header: 'build', leaves: 1},
    {header: 'protocol', leaves: 2},
    {header: 'dc', leaves: 3},
  ]
  return renderTable(columns, rows, {width, cutMark: theme.marks.cut, paintHeader: theme.dim}).join('\n')
}

/** The members with all their tags, as `consul members -detailed` shows them; lines are as long as they are. */
export function renderMembersDetailed(members: readonly Member[], theme: Theme): string {
  const rows = members.map(member => {
    const tags = Object.entries(member.tags).sort(([a], [b]) => (a < b ? -1 : 1))
    const text = tags.map(([name, value]) => `${name}=${value}`).join(',')
    return [
      cell(member.name),
      hostPort(member),
      paintStatus(theme, member.status),
      printable(text, 2000) || '-',
    ]
  })
  const columns = [{header: 'node'}, {header: 'address'}, {header: 'status'}, {header: 'tags'}]
  return renderTable(columns, rows, {paintHeader: theme.dim}).join('\n')
}

/** What an agent tells of itself, section by section, as `consul info` prints it. */
export function renderInfo(info: AgentInfo, theme: Theme): string {
  return Object.entries(info)
    .flatMap(([section, values]) => [
      theme.bold(`${printable(section, 80)}:`),
      ...Object.entries(values).map(
        ([name, value]) => `\t${printable(name, 80)} = ${printable(value, 2000)}`,
      ),
    ])
    .join('\n')
}

/** How many agents were reached by a join, and who was not. */
export function renderJoined({joined, failed}: Joined): string {
  const lines = failed.map(({why}) => printable(why, 500))
  return [
    ...lines,
    `Joined by contacting ${joined.length} of ${joined.length + failed.length} addresses.`,
  ].join('\n')
}
