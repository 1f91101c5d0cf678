// Ctrl-C while a plan is carried out: once, and twice when a host hangs. `resume` goes on from both.
import type {Test} from 'tap'
import {reference} from '../lab/binaries.js'
import {labTest} from '../lab/permit.js'
import {Stage, stepsInFlight, untilRecord} from './crash.js'
import type {Answer, Operator} from './operator.js'
import {endedWell} from './steps.js'

const sleep = async (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

const outage = async (t: Test): Promise<Stage> =>
  Stage.set(t, {servers: 3, manager: 'runit'}, await reference(), {dead: [2, 3]})

async function goesOn(t: Test, stage: Stage, operator: Operator): Promise<void> {
  t.equal(operator.plans().length, 1, 'one plan was begun')
  endedWell(t, await operator.run('resume', operator.plans()[0] ?? '', ...stage.consents))
  t.match(operator.journal().at(-1), {type: 'finished', outcome: 'verified'})
  await stage.isPlanned(t)
}

labTest('one Ctrl-C lets the step that runs end and stops there; resume finishes the plan', async t => {
  const stage = await outage(t)
  const operator = await stage.again()
  const run = operator.start([...(await stage.command(operator)), '--json'])
  t.ok(await untilRecord(operator, run, 4), 'the plan is under way')
  run.signal('SIGINT')
  const {exitCode, stdout, stderr} = await run.ended
  t.equal(exitCode, 8, stderr)
  t.match(stderr, /Stopping after the step that runs/)
  const answer = JSON.parse(stdout) as Answer<{outcome: {kind: string; code: string}}>
  t.match(answer.result?.outcome, {kind: 'stopped', code: 'STOPPED_BY_OPERATOR'})
  t.same(stepsInFlight(operator.journal()), [], 'every step that was begun has ended')
  t.match(operator.journal().at(-1), {type: 'stopped'})
  await goesOn(t, stage, operator)
})

labTest('a second Ctrl-C leaves a plan at once whose host hangs; resume finishes it', async t => {
  const stage = await outage(t)
  const operator = await stage.again()
  const run = operator.start(await stage.command(operator))
  t.ok(await untilRecord(operator, run, 4), 'the plan is under way')
  await stage.scene.lab.partition('ops', ...stage.kept)
  run.signal('SIGINT')
  await sleep(300)
  t.notOk(run.over(), 'after one it waits for the step that runs')
  const asked = Date.now()
  run.signal('SIGINT')
  const {exitCode, stderr} = await run.ended
  const tookMs = Date.now() - asked
  t.equal(exitCode, 130, stderr)
  t.ok(tookMs < 2000, `it ended within ${String(tookMs)} ms`)
  t.notMatch(operator.journal().at(-1), {type: 'stopped'}, 'nothing more was written down')
  await stage.scene.lab.heal()
  await goesOn(t, stage, operator)
})
