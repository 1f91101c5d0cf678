import type {Diagnosis} from '../../core/diagnose/diagnose.js'
import type {ServerObservation} from '../../core/model/observation.js'
import type {Reading} from '../../core/model/reading.js'
import {printable} from '../../core/text.js'
import type {DoctorLayout} from './doctor.js'
import {renderDoctor} from './doctor.js'
import {renderTable} from './table.js'
import {wrap} from './text.js'

const basisWords = {
  leader: 'the leader’s own',
  agreed: 'that of a quorum of its own voters',
  only: 'the only one any server believes in',
  'best-log': 'that of the server with the best log; the servers disagree',
} as const

const isReading = (value: unknown): value is Reading<unknown> =>
  typeof value === 'object' && value !== null && 'kind' in value && 'source' in value

/** Every reading of a server, those of its API with their own names. */
function readingsOf(server: ServerObservation): readonly (readonly [string, Reading<unknown>])[] {
  const all = [...Object.entries(server), ...Object.entries(server.api)]
  return all.flatMap(([key, value]: [string, unknown]) => (isReading(value) ? [[key, value] as const] : []))
}

function readingWord(reading: Reading<unknown>): string {
  if (reading.kind === 'read') return 'read'
  return reading.detail === undefined ? reading.why : `${reading.why}: ${printable(reading.detail, 100)}`
}

function serverLines(server: ServerObservation, layout: DoctorLayout): string[] {
  const rows = readingsOf(server).map(([key, reading]) => [
    key,
    reading.source.via,
    printable(reading.source.what, 60),
    readingWord(reading),
  ])
  const columns = [
    {header: 'fact'},
    {header: 'via', leaves: 1},
    {header: 'where', leaves: 2},
    {header: 'reading'},
  ]
  return [
    '',
    layout.theme.bold(printable(`${server.host} (${server.address})`, 80)),
    ...renderTable(columns, rows, {
      width: layout.width,
      cutMark: layout.theme.marks.cut,
      paintHeader: layout.theme.dim,
    }),
  ]
}

/** The screen of `quorate doctor --explain`: the same, with all evidence, and where every reading came from. */
export function renderDoctorExplained(diagnosis: Diagnosis, layout: DoctorLayout): string {
  const {peerSet, fleet} = diagnosis.facts
  const basis =
    peerSet === undefined
      ? 'No peer set could be established.'
      : `Counted by the peer set that is ${basisWords[peerSet.basis]} (${peerSet.believers.map(one => printable(one.host, 40)).join(', ')}).`
  return [
    renderDoctor(diagnosis, {...layout, explain: true}),
    '',
    layout.theme.bold('WHERE EACH READING CAME FROM'),
    ...wrap(basis, layout.width),
    ...fleet.servers.flatMap(server => serverLines(server, layout)),
  ]
    .map(line => line.trimEnd())
    .join('\n')
}
