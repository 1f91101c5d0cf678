import type {Diagnosis} from '../../core/diagnose/diagnose.js'
import type {ContentsComparison} from '../../core/model/contents.js'
import type {ServerObservation} from '../../core/model/observation.js'
import {printable} from '../../core/text.js'
import type {DoctorLayout} from './doctor.js'
import {renderDoctor} from './doctor.js'
import {explainObservation} from './explain.js'
import {truncate, wrap} from './text.js'

const basisWords = {
  leader: 'the leader’s own',
  agreed: 'that of a quorum of its own voters',
  only: 'the only one any server believes in',
  'best-log': 'that of the server with the best log; the servers disagree',
} as const

/** How every fact of a server was come by, its name in bold before it. */
function serverLines(server: ServerObservation, {theme, width}: DoctorLayout): string[] {
  const [head, ...facts] = explainObservation(server).map(line => truncate(line, width, theme.marks.cut))
  return ['', theme.bold(head ?? ''), ...facts]
}

/** What of the contents of which servers was compared, in numbers; nothing where it was not done. */
function contentsLines(contents: ContentsComparison | undefined, width: number): readonly string[] {
  if (contents === undefined) return []
  const {hosts, same, keys, upTo, moving, doubtful, divergent} = contents
  const counts = [
    `${same} of ${keys} keys are the same`,
    `${moving} changed meanwhile`,
    `${doubtful} are doubtful`,
    `${divergent?.keys ?? 0} differ`,
  ]
  const names = hosts.map(host => printable(host, 40)).join(', ')
  return wrap(`Contents of ${names}, compared up to index ${upTo}: ${counts.join(', ')}.`, width)
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
    ...contentsLines(fleet.contents, layout.width),
    ...fleet.servers.flatMap(server => serverLines(server, layout)),
  ]
    .map(line => line.trimEnd())
    .join('\n')
}
