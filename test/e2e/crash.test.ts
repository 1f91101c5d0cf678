// Quorate is killed, or loses its connections, at every record of its journal. `resume` must end in the planned
// state and `resume --back`, while it may, in the old one; no key is lost either way.
import type {Test} from 'tap'
import {realConsuls, reference} from '../lab/binaries.js'
import {labTest} from '../lab/permit.js'
import {Stage, type CrashPoint} from './crash.js'
import type {JournalLine, Operator} from './operator.js'
import {endedWell} from './steps.js'

const setting = {
  servers: 3,
  config: {performance: {raft_multiplier: 0.3, leave_drain_time: '100ms'}},
} as const
/** Most of a run is waiting for verification: several labs at a time. */
const WORKERS = 4
const wanted = process.env['QUORATE_CRASH_POINTS'] ?? '10'

/** Every point of a run: after each record but the last, and inside each step that lasted. */
function everyPoint(records: readonly (JournalLine & {readonly atMs?: number})[]): CrashPoint[] {
  const points: CrashPoint[] = []
  records.slice(0, -1).forEach((line, index) => {
    const record = index + 1
    points.push({record, how: 'kill', delayMs: 0}, {record, how: 'cut', delayMs: 0})
    const end = records.find((other, at) => at > index && other.step === line.step && other.type === 'done')
    const lasted = (end?.atMs ?? 0) - (line.atMs ?? 0)
    if (line.type === 'begin' && end !== undefined && lasted >= 4)
      points.push({record, how: 'kill', delayMs: Math.floor(lasted * 0.8)})
  })
  return points
}

/** All points, or as many as asked for, spread evenly. */
function chosen(points: readonly CrashPoint[]): readonly CrashPoint[] {
  if (wanted === 'all' || Number(wanted) >= points.length) return points
  const step = points.length / Number(wanted)
  return Array.from({length: Number(wanted)}, (_, i) => points[Math.floor((i + 0.5) * step)]).filter(
    point => point !== undefined,
  )
}

const title = (point: CrashPoint, way: string): string =>
  `${point.how} at record ${point.record} + ${point.delayMs} ms, ${way}`

async function forward(t: Test, stage: Stage, operator: Operator): Promise<void> {
  endedWell(t, await operator.run('resume', operator.plans().at(-1) ?? '', ...stage.consents))
  await stage.isPlanned(t)
}

async function back(t: Test, stage: Stage, operator: Operator, started: boolean): Promise<void> {
  const plan = operator.plans().at(-1) ?? ''
  const ended = await operator.run('resume', plan, '--back', ...stage.consents)
  if (ended.exitCode === 3 && started) {
    t.match(ended.stderr, /BACK_IMPOSSIBLE/, 'refused for the writes that would be lost')
    await forward(t, stage, operator)
    return
  }
  endedWell(t, ended)
  await stage.isOld(t)
}

async function cutShort(t: Test, stage: Stage, point: CrashPoint, way: 'forward' | 'back'): Promise<boolean> {
  const operator = await stage.again()
  const cut = await stage.crash(operator, await stage.command(operator), point)
  t.comment(`${title(point, way)}: ${cut.records.length} records, in flight: ${cut.inFlight.join(' ')}`)
  const ended = cut.records.some(line => line.type === 'finished')
  const started = cut.records.some(line => line.step?.includes('start-service') === true)
  if (ended) await stage.isPlanned(t)
  else if (way === 'forward') await forward(t, stage, operator)
  else await back(t, stage, operator, started)
  return cut.hit
}

/** Plays every point forward and back, on as many stages at a time as there are; claims that each was met. */
async function playAll(
  t: Test,
  stages: readonly Stage[],
  points: readonly CrashPoint[],
  of: string,
): Promise<void> {
  const queue = points.flatMap(point => [
    {point, way: 'forward' as const},
    {point, way: 'back' as const},
  ])
  let hit = 0
  await Promise.all(
    stages.map(async stage => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const {point, way} = next
        const met = await cutShort(t, stage, point, way).catch((error: unknown) => {
          t.fail(title(point, way), {error: String(error)})
          return false
        })
        if (met) hit++
      }
    }),
  )
  const possible = 2 * points.length
  t.comment(
    `crash runs: killed ${hit} ${hit === possible ? '=' : '≠'} possible ${possible}: ${points.length} ${of}, each forward and back`,
  )
  t.equal(hit, possible, 'every point tried was met')
}

/** A run that nothing cuts short, with its records. */
async function whole(t: Test, stage: Stage): Promise<readonly JournalLine[]> {
  const operator = await stage.again()
  endedWell(t, await operator.run(...(await stage.command(operator))))
  await stage.isPlanned(t)
  return operator.journal()
}

labTest('a run cut short anywhere ends well: forward as planned, back as before', async t => {
  const binary = await reference()
  const stages = await Promise.all(
    Array.from({length: WORKERS}, async () => Stage.set(t, setting, binary, {dead: [2, 3]})),
  )
  const [first] = stages
  if (first === undefined) return
  const points = everyPoint(await whole(t, first))
  await playAll(t, stages, chosen(points), `of the ${points.length} points of a run`)
})

/** An action of each phase that a plan with a server to be set aside has, in their order. */
const phaseActions = [
  'hold-service',
  'stop-service',
  'prove-stopped',
  'reread-log',
  'fence',
  'copy',
  'write-file',
  'start-service',
  'await',
]

/** One point in each phase: the first record of its first step. */
function onePerPhase(t: Test, records: readonly JournalLine[]): CrashPoint[] {
  return phaseActions.flatMap(action => {
    const index = records.findIndex(
      line => line.type === 'begin' && line.step?.split('.').at(-1)?.replace(/-\d+$/, '') === action,
    )
    t.ok(index >= 0, `the plan has a step ${action}`)
    return index < 0 ? [] : [{record: index + 1, how: 'kill' as const, delayMs: 0}]
  })
}

for (const binary of realConsuls())
  labTest(
    `a run cut short in any phase ends well on Consul ${binary.version}: forward as planned, back as before`,
    async t => {
      const stages: Stage[] = []
      // One after another: their servers are busy only while they are raised.
      for (let i = 0; i < 3; i++)
        stages.push(await Stage.set(t, {servers: 4, manager: 'systemd'}, binary, {dead: [3, 4], alone: true}))
      const [first] = stages
      if (first === undefined) return
      const points = onePerPhase(t, await whole(t, first))
      await playAll(t, stages, points, 'points, one in each phase')
    },
  )
