import {printable, shellCommand} from '../../core/text.js'
import {renderTable} from './table.js'
import {mark} from './theme.js'
import type {Theme} from './theme.js'
import {wrap} from './text.js'

/** A member of a local cluster as commands print it. */
export interface MemberJson {
  readonly name: string
  readonly kind: 'server' | 'nonvoter' | 'client'
  readonly address: string
  readonly http: string
  readonly state: 'running' | 'paused' | 'stopped' | 'gone'
  readonly pid: number | null
  readonly heldBy: string | null
  readonly role: string | null
  /** The Raft address of the leader that it knows; empty when it knows none, null when it does not answer. */
  readonly leader: string | null
  readonly lastIndex: number | null
  readonly refuses: readonly string[]
  readonly log: string
}

/** A local cluster as commands print it. */
export interface ClusterJson {
  readonly name: string
  readonly directory: string
  readonly raftProtocol: number
  readonly encrypted: boolean
  readonly version: string | null
  /** The leader that most of the members that answer name; null when none does. */
  readonly leader: string | null
  readonly members: readonly MemberJson[]
}

interface Layout {
  readonly theme: Theme
  readonly width: number
}

function stateOf(member: MemberJson): string {
  return member.heldBy === null ? member.state : `${member.state}, held`
}

function leaderName(cluster: ClusterJson): string {
  const member = cluster.members.find(({address}) => cluster.leader?.startsWith(`${address}:`) === true)
  return member?.name ?? cluster.leader ?? 'none'
}

const named = (name: string): readonly string[] => (name === 'local' ? [] : ['--name', name])

/** Every member with its state. */
export function renderClusterStatus(cluster: ClusterJson, {theme, width}: Layout): string {
  const rows = cluster.members.map(member => [
    mark(theme, member.state === 'running' ? 'ok' : member.state === 'paused' ? 'warn' : 'bad'),
    member.name,
    member.address,
    stateOf(member),
    member.role ?? (member.kind === 'client' ? 'client' : '-'),
    member.lastIndex === null ? '-' : String(member.lastIndex),
    member.pid === null ? '-' : String(member.pid),
  ])
  const columns = [
    {header: ' '},
    {header: 'MEMBER'},
    {header: 'ADDRESS'},
    {header: 'STATE'},
    {header: 'ROLE', leaves: 2},
    {header: 'LAST LOG', align: 'right' as const, leaves: 1},
    {header: 'PID', align: 'right' as const, leaves: 3},
  ]
  const cut = cluster.members.filter(member => member.refuses.length > 0)
  const words = cut.map(
    member => `${member.name} refuses ${member.refuses.map(one => printable(one, 60)).join(', ')}.`,
  )
  const held = cluster.members.filter(member => member.heldBy !== null)
  const holds = held.map(
    member => `${member.name} is kept from being started by plan ${member.heldBy ?? ''}.`,
  )
  const head = `${theme.bold(cluster.name)}   ${cluster.leader === null ? 'no leader' : `leader ${leaderName(cluster)}`}`
  const notes = [...words, ...holds].flatMap(line => wrap(line, width, 3))
  return [
    head,
    '',
    ...renderTable(columns, rows, {width, cutMark: theme.marks.cut}),
    ...(notes.length === 0 ? [] : ['', ...notes]),
  ].join('\n')
}

/** A cluster that has just come up, and what to do with it. */
export function renderClusterUp(
  cluster: ClusterJson,
  {resumed}: {readonly resumed: boolean},
  layout: Layout,
): string {
  const rows = cluster.members.map(member => [member.name, `http://${member.http}`, member.log])
  const first = cluster.members[0]
  const servers = cluster.members.filter(member => member.kind === 'server').map(member => member.name)
  // One more than it can lose
  const doomed = servers.slice(-Math.ceil(servers.length / 2))
  const commands: readonly (readonly [string, string])[] = [
    ['Look', shellCommand(['quorate', 'doctor', '--cluster', cluster.name])],
    ['Use', shellCommand(['quorate', 'members', '--cluster', cluster.name])],
    ['', `CONSUL_HTTP_ADDR=${first?.http ?? ''} consul members`],
    ['Break', shellCommand(['quorate', 'cluster', 'kill', ...doomed, ...named(cluster.name)])],
    ['End', shellCommand(['quorate', 'cluster', 'down', ...named(cluster.name)])],
  ]
  const table = renderTable([{header: 'MEMBER'}, {header: 'HTTP API'}, {header: 'LOG', leaves: 1}], rows, {
    width: layout.width,
    cutMark: layout.theme.marks.cut,
  })
  return [
    `${layout.theme.bold(cluster.name)}   ${resumed ? 'was there, and ' : ''}has a leader: ${leaderName(cluster)}`,
    '',
    ...table,
    '',
    ...commands.map(([word, line]) => `${word.padEnd(7)}${line}`),
  ].join('\n')
}

/** The clusters of this machine. */
export function renderClusterList(clusters: readonly ClusterJson[], {theme, width}: Layout): string {
  if (clusters.length === 0) return 'There is no local cluster.   quorate cluster up'
  const rows = clusters.map(cluster => [
    cluster.name,
    `${cluster.members.filter(member => member.state === 'running').length} of ${cluster.members.length}`,
    cluster.leader === null ? 'none' : leaderName(cluster),
    cluster.members[0]?.address.replace(/\.\d+$/, '.0/24') ?? '-',
  ])
  const columns = [
    {header: 'CLUSTER'},
    {header: 'RUNNING'},
    {header: 'LEADER'},
    {header: 'NETWORK', leaves: 1},
  ]
  return renderTable(columns, rows, {width, cutMark: theme.marks.cut}).join('\n')
}
