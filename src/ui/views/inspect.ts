import type {Configuration} from '../../core/model/configuration.js'
import type {SnapshotMeta, StoreState} from '../../core/model/observation.js'
import type {Reading} from '../../core/model/reading.js'
import type {DiskState} from '../../core/model/disk-state.js'
import type {ScanTally} from '../../core/store/scan.js'
import {printable} from '../../core/text.js'
import {renderTable} from './table.js'
import {formatBytes, formatLogEnd} from './text.js'
import type {Theme} from './theme.js'

/** What the screen of `inspect` shows. */
export interface InspectScreen {
  readonly directory: string
  readonly store: Reading<StoreState>
  readonly snapshots: Reading<readonly SnapshotMeta[]>
  readonly state: DiskState
  readonly peersJson: Reading<string>
  readonly peersInfo: Reading<boolean>
  readonly tally: Reading<ScanTally>
}

const LABEL = 16
const SERVERS_SHOWN = 50
const ENTRIES_SHOWN = 10

const line = (label: string, value: string): string => `  ${label.padEnd(LABEL)}${value}`
const unreadText = (reading: Reading<unknown>): string =>
  reading.kind === 'read'
    ? ''
    : reading.why === 'absent'
      ? 'none'
      : `? ${printable(reading.detail ?? reading.why)}`

/** The screen of `quorate inspect`: the log, the snapshots, and the peer set that a server would start with. */
export function renderInspection(inspection: InspectScreen, theme: Theme, width: number): string {
  return [
    theme.bold(printable(inspection.directory)),
    ...logLines(inspection.store, theme),
    ...tallyLines(inspection.tally, theme),
    '',
    ...snapshotLines(inspection.snapshots, theme, width),
    '',
    ...stateLines(inspection.state, theme, width),
    '',
    ...peersFileLines(inspection),
  ].join('\n')
}

function logLines(store: Reading<StoreState>, theme: Theme): readonly string[] {
  if (store.kind === 'unread')
    return [line('log', store.why === 'absent' ? 'none' : theme.bad(unreadText(store)))]
  const state = store.value
  const vote =
    state.lastVoteCandidate === ''
      ? 'none'
      : `${printable(state.lastVoteCandidate, 60)} in term ${state.lastVoteTerm}`
  const shown = state.configurations.slice(-ENTRIES_SHOWN)
  return [
    line('log', `${printable(state.path)}, ${formatBytes(state.sizeBytes)}`),
    line('indexes', state.lastIndex === 0 ? 'empty' : `${state.firstIndex} to ${state.lastIndex}`),
    line('last log', formatLogEnd({index: state.lastIndex, term: state.lastTerm})),
    line('term', String(state.currentTerm)),
    line('vote', vote),
    ...shown.map(entry =>
      line(
        'peer set set by',
        `${formatLogEnd(entry)}: ${entry.configuration.servers.slice(0, SERVERS_SHOWN).map(nameOf).join(', ')}`,
      ),
    ),
    ...(state.configurationsComplete
      ? []
      : [
          line('', theme.warn(`Membership entries are known only from ${state.configurationsKnownFrom} on.`)),
        ]),
    ...(state.gaps ?? []).map(gap => line('gap', theme.bad(`after ${gap.before}, before ${gap.after}`))),
    ...(state.damage ?? []).map(text => line('damage', theme.bad(printable(text)))),
    line('read', formatBytes(state.bytesRead)),
  ]
}

const nameOf = ({id, address}: {readonly id: string; readonly address: string}): string =>
  id === address ? printable(address, 80) : `${printable(id, 60)} ${printable(address, 80)}`

function tallyLines(tally: Reading<ScanTally>, theme: Theme): readonly string[] {
  if (tally.kind === 'unread') {
    if (tally.why === 'not-asked') return []
    return [line('every page', theme.bad(unreadText(tally)))]
  }
  const {entries, types, dataBytes, largestBytes, gaps, termsFalling} = tally.value
  const kinds = Object.entries(types).map(([type, count]) => `${count} ${type}`)
  return [
    line('every page', `${entries} entries read: ${kinds.length === 0 ? 'none' : kinds.join(', ')}`),
    line('data', `${formatBytes(dataBytes)}, the largest entry ${formatBytes(largestBytes)}`),
    ...gaps.map(gap => line('gap', theme.bad(`after ${gap.before}, before ${gap.after}`))),
    ...termsFalling.map(index => line('term falls', theme.bad(`at ${index}`))),
  ]
}

function snapshotLines(
  snapshots: Reading<readonly SnapshotMeta[]>,
  theme: Theme,
  width: number,
): readonly string[] {
  if (snapshots.kind === 'unread') return [line('snapshots', unreadText(snapshots))]
  if (snapshots.value.length === 0) return [line('snapshots', 'none')]
  const rows = snapshots.value.map(snapshot => [
    printable(snapshot.id, 60),
    formatLogEnd(snapshot),
    formatBytes(snapshot.sizeBytes),
    String(snapshot.configuration?.servers.length ?? '?'),
    snapshot.temporary ? 'unfinished' : intactText(snapshot.intact),
  ])
  const columns = [
    {header: 'SNAPSHOT'},
    {header: 'LAST LOG', align: 'right'},
    {header: 'SIZE', align: 'right'},
    {header: 'PEERS', align: 'right'},
    {header: 'CONTENT'},
  ] as const
  return renderTable(columns, rows, {width, indent: 2, cutMark: theme.marks.cut, paintHeader: theme.dim})
}

function intactText(intact: Reading<boolean>): string {
  if (intact.kind === 'read') return intact.value ? 'intact' : 'damaged'
  return intact.why === 'not-asked' ? 'not checked' : '?'
}

function stateLines(state: DiskState, theme: Theme, width: number): readonly string[] {
  const end =
    state.end === undefined ? '?' : state.end.index === 0 ? 'none, it is blank' : formatLogEnd(state.end)
  const configuration = state.configuration
  return [
    line('starts from', end),
    ...state.problems.map(problem => line('', theme.warn(printable(problem)))),
    ...(configuration === undefined
      ? [line('peer set', state.configurationKnown ? 'none' : '?')]
      : peerSetLines(configuration, theme, width)),
  ]
}

function peerSetLines(configuration: Configuration, theme: Theme, width: number): readonly string[] {
  const columns = [{header: 'PEER SET'}, {header: 'ADDRESS'}, {header: 'SUFFRAGE'}] as const
  const shown = configuration.servers.slice(0, SERVERS_SHOWN)
  const rows = shown.map(({id, address, suffrage}) => [printable(id, 60), printable(address, 80), suffrage])
  const more = configuration.servers.length - shown.length
  return [
    ...renderTable(columns, rows, {width, indent: 2, cutMark: theme.marks.cut, paintHeader: theme.dim}),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ]
}

function peersFileLines({peersJson, peersInfo}: InspectScreen): readonly string[] {
  const info = peersInfo.kind === 'read' ? (peersInfo.value ? 'there' : 'none') : unreadText(peersInfo)
  return [
    line('peers.json', peersJson.kind === 'read' ? printable(peersJson.value, 400) : unreadText(peersJson)),
    line('peers.info', info),
    ...(peersJson.kind === 'read' && peersInfo.kind === 'read' && !peersInfo.value
      ? ['  Consul up to 0.6 starts with the list in peers.json; newer servers delete it unread.']
      : []),
  ]
}
