// What --json prints, as a structure: names and kinds of values, not the values.
import t from 'tap'
import {diagnose} from '../../src/core/diagnose/diagnose.js'
import type {Plan} from '../../src/core/model/plan.js'
import type {ServerObservation} from '../../src/core/model/observation.js'
import {doctorJson} from '../../src/ui/views/doctor-json.js'
import {peersListJson} from '../../src/ui/views/peers-list.js'
import {plan, planned, ready, survivors, withLog} from '../core/planning/planning.js'
import {NOW_MS, end, fleet, liveConsul, member, peerSet, silent, stoppedConsul} from '../helpers/fleet.js'
import {matchesGolden} from '../helpers/golden.js'

type Shape = Map<string, Set<string>>

/** Notes at each path the kinds of values seen there; `[]` stands for any element. */
function note(shape: Shape, path: string, value: unknown): void {
  const kind = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value
  shape.set(path, (shape.get(path) ?? new Set()).add(kind))
  if (Array.isArray(value)) for (const one of value) note(shape, `${path}[]`, one)
  else if (typeof value === 'object' && value !== null)
    for (const [key, one] of Object.entries(value)) note(shape, `${path}.${key}`, one)
}

function shapeOf(values: readonly unknown[]): string {
  const shape: Shape = new Map()
  for (const value of values) note(shape, '', JSON.parse(JSON.stringify(value)))
  const lines = [...shape].map(([path, kinds]) => `${path || '.'}: ${[...kinds].sort().join(' | ')}`)
  return `${lines.sort().join('\n')}\n`
}

const abc = ['a', 'b', 'c']
const configuration = peerSet(abc, 5)
const members = [member('a'), member('b'), member('c', {status: 'failed'})]
const fleets: readonly (readonly ServerObservation[])[] = [
  [
    ready(liveConsul, 'a', {configuration, leader: 'a', role: 'leader', end: end(90, 4), term: 4, members}),
    ready(liveConsul, 'b', {configuration, leader: 'a', end: end(90, 4), term: 4, members}),
    silent('c'),
  ],
  [...survivors(['a'], abc), ready(stoppedConsul, 'b', {configuration, end: end(70, 3)}), silent('c')],
  [silent('a')],
]
const diagnoses = fleets.map(servers =>
  diagnose(fleet({servers}), {nowMs: NOW_MS, ourVersion: '0.1.0', invocation: []}),
)

t.test('doctor --json keeps its structure', async t => {
  matchesGolden(t, shapeOf(diagnoses.map(doctorJson)), 'schemas/doctor.txt')
})

t.test('peers list --json keeps its structure', async t => {
  const results = diagnoses.map(({facts}) => peersListJson(facts))
  matchesGolden(t, shapeOf(results), 'schemas/peers-list.txt')
})

t.test('a plan, on screen, in a file and in peers fix --dry-run --json, keeps its structure', async t => {
  const seven = [...abc, 'd', 'e', 'f', 'g']
  const logs = survivors(abc, seven).map((one, at) => withLog(one, at === 0 ? 80 : 78, 13, [[76, 13]]))
  const up = ['a', 'b', 'c', 'e'].map(host =>
    ready(liveConsul, host, {configuration: peerSet([...abc, 'd', 'e'], 5), leader: 'b'}),
  )
  const plans: readonly Plan[] = [
    planned(plan([...survivors(['a'], abc), silent('b'), silent('c')], {remove: ['b', 'c']})),
    planned(plan([...logs, ...['d', 'e', 'f', 'g'].map(silent)], {remove: ['d', 'e', 'f', 'g']})),
    planned(plan([...up, silent('d')], {remove: ['d']})),
  ]
  matchesGolden(t, shapeOf(plans), 'schemas/plan.txt')
})
