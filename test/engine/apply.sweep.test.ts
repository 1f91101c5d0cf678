import t from 'tap'
import {planFor, killAt, MemoryJournal, run} from '../model/rehearsal.js'
import type {Rehearsal} from '../model/rehearsal.js'
import {dies, scenarios} from '../model/scenes.js'
import type {Scenario} from '../model/scenes.js'
import type {World} from '../model/world.js'

/** What must be so after a recovery, whatever happened on the way. */
function shortfalls(world: World, scenario: Scenario): readonly string[] {
  const wrong: string[] = []
  world.pass(5000)
  const leaders = world.hosts.filter(host => host.running?.role === 'leader')
  if (leaders.length !== 1) wrong.push(`${leaders.length} leaders`)
  for (const name of scenario.kept) {
    const host = world.host(name)
    const contents = world.allContents(name)
    for (let key = 2; key <= scenario.lastKey; key++)
      if (contents.get(`k${key}`)?.value !== `v${key}`) wrong.push(`${name} lost k${key}`)
    if (host.running === undefined) wrong.push(`${name} does not run`)
    if (host.held) wrong.push(`${name} is held`)
    if (host.lock !== undefined) wrong.push(`${name} is locked`)
    const peers = (host.running?.peers ?? []).map(peer => String(peer.address)).sort()
    const planned = scenario.kept.map(kept => world.host(kept).identity.address).sort()
    if (peers.join() !== planned.join()) wrong.push(`${name} has the peer set ${peers.join(', ')}`)
    const leftover = host.disk.below('/etc/consul.d').filter(path => path.includes('quorate'))
    if (leftover.length > 0) wrong.push(`${name} keeps ${leftover.join(', ')}`)
  }
  if (!world.put('after', 'x')) wrong.push('the leader cannot write')
  return wrong
}

for (const scenario of scenarios) {
  void t.test(`${scenario.title}: killed at any moment, resume ends in the planned state`, async t => {
    const fresh = (): Rehearsal => ({world: scenario.make(), journal: new MemoryJournal(), events: []})
    const calm = fresh()
    const plan = planFor(calm.world, {remove: scenario.dead})
    t.equal(plan.method, scenario.method)
    const never = killAt(calm.world, 0)
    const outcome = await run(plan, {...calm, moment: never.moment})
    t.match(outcome, {kind: 'finished', outcome: 'verified'})
    t.same(shortfalls(calm.world, scenario), [])

    let killed = 0
    const bad: string[] = []
    for (let n = 1; n <= never.seen(); n++) {
      const rehearsal = fresh()
      const kill = killAt(rehearsal.world, n)
      if (await dies(run(plan, {...rehearsal, moment: kill.moment}))) killed += 1
      rehearsal.world.killed = false
      rehearsal.world.pass(10_000)
      const resumed = await run(plan, rehearsal)
      if (resumed.kind !== 'finished') bad.push(`${n} ${kill.at()}: ${resumed.code} ${resumed.why}`)
      else bad.push(...shortfalls(rehearsal.world, scenario).map(wrong => `${n} ${kill.at()}: ${wrong}`))
    }
    t.same(bad, [])
    t.equal(killed, never.seen(), `points killed = points possible = ${never.seen()}`)
    t.comment(`${scenario.title}: killed at ${killed} of ${never.seen()} points`)
  })
}
