// An operator at a real terminal: what is asked, what an answer does, and what Ctrl-C does.
import {isWhole, scenario} from './scenario.js'
import {gone} from './steps.js'
import type {Scene} from './scenario.js'

const twoDead = async ({lab}: Scene): Promise<void> => {
  await lab.kill(2, 3)
  await lab.bereaved([1])
}

scenario(
  'at a terminal a plan is shown and asked for: a wrong name changes nothing, the right one recovers',
  {servers: 3, manager: 'runit', suits: () => false},
  async scene => {
    const {t, operator} = scene
    await twoDead(scene)
    const words = ['peers', 'fix', '--cluster', 'lab', ...gone(operator, 2, 3)]

    const slip = operator.atTerminal(...words)
    await slip.sees("Type the cluster's name")
    slip.types('prod\r')
    t.equal(await slip.ends(), 10, 'a wrong name is a no')
    t.match(slip.screen, /Nothing was changed/)
    t.same(operator.plans(), [], 'no journal was begun')

    const stopped = operator.atTerminal(...words)
    await stopped.sees("Type the cluster's name")
    stopped.types('\u0003')
    t.not(await stopped.ends(), 0, 'Ctrl-C at the question is a no')
    t.same(operator.plans(), [], 'no journal was begun')

    const fix = operator.atTerminal(...words)
    await fix.sees("Type the cluster's name")
    fix.types('lab\r')
    await fix.sees('Open risks')
    const phrase = /Type '([^']+)'/.exec(fix.screen.slice(fix.screen.lastIndexOf('Open risks')))?.[1]
    fix.types(`${phrase ?? ''}\r`)
    t.equal(await fix.ends(), 0, fix.screen.slice(-3000))
    t.match(fix.screen, /\u001b\[\d*[AKJ]/, 'progress is redrawn in place')
    await isWhole(scene, [1])
    t.match(
      operator.journal().map(line => line.type),
      ['opened', 'begin'],
    )
  },
)
