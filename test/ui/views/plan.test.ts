import t from 'tap'
import type {Plan} from '../../../src/core/model/plan.js'
import {renderPlan} from '../../../src/ui/views/plan.js'
import {displayWidth} from '../../../src/ui/views/text.js'
import {makeTheme} from '../../../src/ui/views/theme.js'
import {plan, planned, ready, survivors, withLog} from '../../core/planning/planning.js'
import {end, liveConsul, peerSet, silent, stoppedConsul} from '../../helpers/fleet.js'
import {matchesGolden} from '../../helpers/golden.js'

const abc = ['a', 'b', 'c']
const abcde = ['a', 'b', 'c', 'd', 'e']
const seven = [...abcde, 'f', 'g']
const theme = makeTheme({unicode: true})

const twoDead = (): Plan =>
  planned(plan([...survivors(['a'], abc), silent('b'), silent('c')], {remove: ['10.0.0.2', '10.0.0.3']}))

const behind = (): Plan => {
  const [a, b, c] = survivors(['a', 'b', 'c'], seven)
  if (a === undefined || b === undefined || c === undefined) throw new Error('three survivors')
  const logs = [
    withLog(a, 80, 13, [[76, 13]]),
    withLog(b, 78, 13, [[76, 13]]),
    withLog(c, 78, 13, [[76, 13]]),
  ]
  return planned(plan([...logs, ...['d', 'e', 'f', 'g'].map(silent)], {remove: ['d', 'e', 'f', 'g']}))
}

const online = (): Plan => {
  const configuration = peerSet(abcde, 5)
  const up = ['a', 'b', 'c', 'e'].map(host => ready(liveConsul, host, {configuration, leader: 'b'}))
  return planned(plan([...up, silent('d')], {remove: ['10.0.0.4']}))
}

const start = (): Plan => {
  const configuration = peerSet(abc, 5)
  return planned(
    plan([
      ready(liveConsul, 'a', {configuration, leader: '', end: end(184_467, 42)}),
      ready(stoppedConsul, 'b', {configuration, end: end(184_460, 42)}),
      silent('c'),
    ]),
  )
}

for (const [name, make] of Object.entries({'two-dead': twoDead, 'best-log-alone': behind, online, start})) {
  t.test(`the plan screen of ${name}`, async t => {
    const screen = renderPlan(make(), [], theme, 80)
    matchesGolden(t, screen, `plan/${name}.txt`)
    for (const line of screen.split('\n')) if (displayWidth(line) > 80) t.fail(`wider than 80: ${line}`)
  })
}

t.test('a milder way stands first, with its commands', async t => {
  const milder = [
    {title: 'start consul-3', risk: 'availability', commands: ['ssh consul-3 systemctl start consul']},
  ] as const
  const screen = renderPlan(twoDead(), milder, makeTheme({unicode: false}), 80)
  t.match(screen, /^There is a less drastic way: start consul-3\n {2}ssh consul-3/)
  matchesGolden(t, screen, 'plan/milder-without-unicode.txt')
})

t.test('names and logs cannot reach the terminal raw', async t => {
  const made = twoDead()
  const hostile: Plan = {...made, cluster: 'x\u001b[2Jy', because: 'z\u0007', checks: ['\u001b]0;t\u0007']}
  const screen = renderPlan(hostile, [], theme, 80)
  t.notMatch(screen, /[\u001b\u0007]/)
})
