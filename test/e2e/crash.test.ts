// Quorate is killed, or loses its connections, at every record of its journal. `resume` must end in the planned
// state and `resume --back`, while it may, in the old one; no key is lost either way.
import type {Test} from 'tap'
import {reference} from '../lab/binaries.js'
import {labTest} from '../lab/permit.js'
import {Stage, type CrashPoint} from './crash.js'
import type {JournalLine, Operator} from './operator.js'

const setting = {
  servers: 3,
  config: {performance: {raft_multiplier: 0.3, leave_drain_time: '100ms'}},
} as const
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

async function forward(t: Test, stage: Stage, operator: Operator): Promise<void> {
  const plan = operator.plans().at(-1) ?? ''
  const {exitCode, stdout, stderr} = await operator.run('resume', plan, '--confirm', 'lab')
  t.equal(exitCode, 0, `resume: ${stdout}\n${stderr}`)
  await stage.isPlanned(t)
}

async function back(t: Test, stage: Stage, operator: Operator, started: boolean): Promise<void> {
  const plan = operator.plans().at(-1) ?? ''
  const {exitCode, stdout, stderr} = await operator.run('resume', plan, '--back', '--confirm', 'lab')
  if (exitCode === 3 && started) {
    t.match(stderr + stdout, /BACK_IMPOSSIBLE|committed/i, 'refused for the writes that would be lost')
    await forward(t, stage, operator)
    return
  }
  t.equal(exitCode, 0, `resume --back: ${stdout}\n${stderr}`)
  await stage.isOld(t)
}

labTest('a run cut short anywhere ends well: forward as planned, back as before', async t => {
  const stage = await Stage.set(t, setting, await reference(), [2, 3])
  const first = await stage.again()
  const whole = await first.run(...(await stage.command(first)))
  t.equal(whole.exitCode, 0, `${whole.stdout}\n${whole.stderr}`)
  await stage.isPlanned(t)
  const points = everyPoint(first.journal())
  const tried = chosen(points)
  let hit = 0
  for (const point of tried) {
    const name = `${point.how} at record ${String(point.record)} + ${String(point.delayMs)} ms`
    await t.test(name, async t => {
      for (const way of ['forward', 'back'] as const) {
        const operator = await stage.again()
        const cut = await stage.crash(operator, await stage.command(operator), point)
        if (cut.hit && way === 'forward') hit++
        t.comment(`${way}: ${String(cut.records.length)} records, in flight: ${cut.inFlight.join(' ')}`)
        const ended = cut.records.some(line => line.type === 'finished')
        const started = cut.records.some(line => line.step?.includes('start-service') === true)
        if (ended) await stage.isPlanned(t)
        else if (way === 'forward') await forward(t, stage, operator)
        else await back(t, stage, operator, started)
      }
    })
  }
  t.comment(
    `crash points: ${String(hit)} cut of ${String(tried.length)} tried, ${String(points.length)} possible`,
  )
  t.equal(hit, tried.length, 'every point tried was met')
})
