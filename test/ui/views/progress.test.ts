import t from 'tap'
import type {Plan} from '../../../src/core/model/plan.js'
import type {ApplyOutcome} from '../../../src/core/model/progress.js'
import {hostWidthOf, renderEvent, renderOutcome, renderRunning} from '../../../src/ui/views/progress.js'
import {renderHistory, renderPlanHistory, standing} from '../../../src/ui/views/history.js'
import {renderVerdict} from '../../../src/ui/views/verify.js'
import {displayWidth} from '../../../src/ui/views/text.js'
import {makeTheme} from '../../../src/ui/views/theme.js'
import {replay} from '../../../src/core/model/journal.js'
import type {Moment, Rehearsal} from '../../model/rehearsal.js'
import {killAt, MemoryJournal, planFor, run} from '../../model/rehearsal.js'
import {dies, scenarios} from '../../model/scenes.js'

const layout = {theme: makeTheme({unicode: true}), width: 80}

/** Runs the recovery of 5 servers with 3 dead, with faults. */
async function rehearse(moment?: Moment): Promise<{plan: Plan; rehearsal: Rehearsal; outcome: ApplyOutcome}> {
  const [, scenario] = scenarios
  if (scenario === undefined) throw new Error('no scenario')
  const rehearsal: Rehearsal = {world: scenario.make(), journal: new MemoryJournal(), events: []}
  const plan = planFor(rehearsal.world, {declaredDead: scenario.dead})
  const outcome = await run(plan, moment === undefined ? rehearsal : {...rehearsal, moment})
  return {plan, rehearsal, outcome}
}

t.test(
  'every step that ends leaves one line, with its number, host and duration, within the width',
  async t => {
    const {plan, rehearsal} = await rehearse()
    const steps = plan.phases.flatMap(phase => phase.steps)
    const lines = rehearsal.events
      .filter(event => event.type !== 'phase')
      .map(event => renderEvent(event, hostWidthOf(plan), layout))
      .filter(line => line !== undefined)
    t.equal(lines.length, steps.length)
    t.equal(lines[0], ` 1/${steps.length}  a        ✓ locked${' '.repeat(48)}    0 ms`)
    t.ok(lines.every(line => displayWidth(line) <= 80))
    t.match(lines.join('\n'), /cluster {2}✓ one leader, one peer set, one state {2,}\S+ s/)
  },
)

t.test('the running line tells the limit of a wait and what is missing', async t => {
  const {plan} = await rehearse()
  const step = plan.phases.flatMap(phase => phase.steps).find(one => one.action.do === 'await')
  if (step === undefined) return t.fail('no wait')
  const running = {step, sinceMs: 1000, withinMs: 60_000, missing: ['a: knows no leader']}
  t.equal(
    renderRunning(running, 4100, layout),
    `     ${step.host}  await, 3.1 s of 60.0 s: a: knows no leader`,
  )
  return undefined
})

t.test('the last screen of a plan that is done names what must never come back', async t => {
  const {plan, outcome} = await rehearse()
  const screen = renderOutcome(plan, outcome, layout)
  t.match(screen, /^DONE in \S+ s\. The quorum is back and verified: 2 voters in the peer set\.\n/)
  t.match(screen, /!\s+c, d, e must never come back with the data they have\./)
  t.match(screen, new RegExp(`journal: quorate history ${plan.id}$`))
  const asked = renderOutcome({...plan, method: 'online'}, outcome, layout)
  t.match(asked, /^DONE in \S+ s\. The cluster is as planned and verified: 2 voters/, 'no quorum was lost')
  t.notMatch(screen, /next boot/)
  const aside = plan.hosts.map(host => (host.host === 'b' ? {...host, role: 'set-aside' as const} : host))
  const left = renderOutcome({...plan, hosts: aside}, outcome, layout)
  t.match(left, /!\s+b stays stopped only until the next boot/, 'a hold ends with a reboot')
})

t.test('a plan that stopped says what is done, not done, left, kept, and what to type', async t => {
  const {plan, outcome} = await rehearse(place => (place === 'before writeFile on b' ? 'lost' : undefined))
  const screen = renderOutcome(plan, outcome, layout)
  t.match(
    screen,
    /^STOPPED at step \d+ of \d+: the connection to a host broke\.\n {3}✗ b: the connection was lost/,
  )
  t.match(screen, /\n {3}done {7}1 to 13\n {3}not done {3}14 to \d+\n/)
  t.match(screen, /\n {3}left {7}a, b: the server is stopped\n/)
  t.match(screen, /\n {3}left {7}a, b: the service manager is held\n/)
  t.match(screen, /\n {3}left {7}a, b: files of the plan were written\n/)
  t.match(screen, /\n {3}kept {7}all copies; nothing is undone by itself\n/)
  for (const command of [`resume ${plan.id}`, `resume ${plan.id} --back`, `history ${plan.id}`])
    t.match(screen, new RegExp(` quorate ${command}(\n|$)`))
  t.ok(screen.split('\n').every(line => displayWidth(line) <= 80))
})

t.test('a plan that was refused at its lock says that nothing changed', async t => {
  const [, scenario] = scenarios
  if (scenario === undefined) return t.fail('no scenario')
  const rehearsal: Rehearsal = {world: scenario.make(), journal: new MemoryJournal(), events: []}
  const plan = planFor(rehearsal.world, {declaredDead: scenario.dead})
  rehearsal.world.host('b').lock = {plan: 'other', by: 'eve\u001b[31m@desk'}
  const screen = renderOutcome(plan, await run(plan, rehearsal), layout)
  t.match(screen, /somebody else works on these hosts/)
  t.match(screen, /state {6}everything is as it was before; nothing was written/)
  t.notMatch(screen, /\u001b/, 'what hosts say cannot steer the terminal')
  return undefined
})

t.test('history tells how each plan stands, and one plan line by line', async t => {
  const [, scenario] = scenarios
  if (scenario === undefined) return t.fail('no scenario')
  const rehearsal: Rehearsal = {world: scenario.make(), journal: new MemoryJournal(), events: []}
  const plan = planFor(rehearsal.world, {declaredDead: scenario.dead})
  const item = () => ({plan, entries: rehearsal.journal.lines, progress: replay(rehearsal.journal.lines)})
  t.equal(standing(item()), 'not applied')
  await dies(run(plan, {...rehearsal, moment: killAt(rehearsal.world, 41).moment}))
  const total = plan.phases.flatMap(phase => phase.steps).length
  t.match(standing(item()), new RegExp(`^in flight, \\d+ of ${total} steps$`))
  t.match(renderPlanHistory(item(), layout.theme), /in flight when it ended: \S+/)
  rehearsal.world.killed = false
  await run(plan, rehearsal)
  t.equal(standing(item()), 'verified')
  t.match(renderHistory([item()], layout), /^PLAN .*STANDING\n\w{8}  .*recovery-file  verified$/)
  t.equal(renderHistory([], layout), 'No plan was applied from this machine.')
  return undefined
})

t.test('a verdict shows what is wrong first', async t => {
  const {plan} = await rehearse()
  const checks = [
    {name: 'up', host: 'a', state: 'ok', text: 'it runs and answers'},
    {name: 'write', host: undefined, state: 'wrong', text: 'the leader cannot write: 500'},
  ] as const
  const screen = renderVerdict(plan, {verdict: 'failed', checks}, layout)
  t.same(screen.split('\n').slice(1), [
    '✗  cluster  the leader cannot write: 500',
    '✓  a        it runs and answers',
  ])
})
