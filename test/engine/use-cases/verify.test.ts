import t from 'tap'
import type {Session} from '../../../src/engine/session.js'
import {verify} from '../../../src/engine/use-cases/verify.js'
import {MemoryJournal, planFor, run} from '../../model/rehearsal.js'
import {World} from '../../model/world.js'

const dead = ['c', 'd', 'e']

t.test(
  'a plan that stopped before its writes is not called failed: there is nothing to verify yet',
  async t => {
    const names = ['a', 'b', 'c', 'd', 'e']
    const world = new World('0.7.5', names)
    world.seed(names, {a: 9, b: 9, c: 9, d: 9, e: 9})
    for (const name of ['a', 'b']) world.start(name)
    for (const name of dead) world.destroy(name)
    world.pass(20_000)
    const journal = new MemoryJournal()
    const plan = planFor(world, {declaredDead: dead})
    await journal.savePlan(plan)
    let steps = 0
    await run(plan, {world, journal, events: [], stopRequested: () => ++steps > 6})
    // No host may be looked at for this: the session has nothing but the journal.
    const session = {deps: {journal}} as unknown as Session
    await t.rejects(verify(session, plan.id, {times: {}, onMissing: () => undefined}), {
      code: 'PLAN_UNFINISHED',
      message: /stopped before step \d+ of \d+; there is nothing to verify yet/,
      hints: [`quorate resume ${plan.id}`, `quorate resume ${plan.id} --back`, `quorate history ${plan.id}`],
    })
  },
)
