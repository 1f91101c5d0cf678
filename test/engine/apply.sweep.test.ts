import t from 'tap'
import type {Plan} from '../../src/core/model/plan.js'
import {planFor, killAt, MemoryJournal, run} from '../model/rehearsal.js'
import type {Rehearsal} from '../model/rehearsal.js'
import type {Identity} from '../model/server.js'
import {Killed, World} from '../model/world.js'

interface Scenario {
  readonly title: string
  readonly make: () => World
  readonly dead: readonly string[]
  readonly kept: readonly string[]
  readonly method: Plan['method']
  /** The last key that a kept server holds. */
  readonly lastKey: number
}

/** A datacenter whose `dead` servers are gone; with `led` they died while it worked, else before it was started. */
function scene(
  version: Identity['version'],
  upTo: Readonly<Record<string, number>>,
  dead: readonly string[],
  led = false,
): () => World {
  const names = Object.keys(upTo)
  return () => {
    const world = new World(version, names)
    world.seed(names, upTo)
    for (const name of names) if (led || !dead.includes(name)) world.start(name)
    if (led) world.pass(10_000)
    for (const name of dead) world.destroy(name)
    world.pass(20_000)
    return world
  }
}

const scenarios: readonly Scenario[] = [
  {
    title: '3 servers with 2 dead',
    make: scene('1.8.19', {a: 9, b: 9, c: 9}, ['b', 'c']),
    dead: ['b', 'c'],
    kept: ['a'],
    method: 'recovery-file',
    lastKey: 9,
  },
  {
    title: '5 servers with 3 dead',
    make: scene('0.7.5', {a: 9, b: 9, c: 9, d: 9, e: 9}, ['c', 'd', 'e']),
    dead: ['c', 'd', 'e'],
    kept: ['a', 'b'],
    method: 'recovery-file',
    lastKey: 9,
  },
  {
    title: 'best log alone, two behind are set aside',
    make: scene('1.8.19', {a: 10, b: 8, c: 8, d: 10, e: 10, f: 10, g: 10}, ['d', 'e', 'f', 'g']),
    dead: ['d', 'e', 'f', 'g'],
    kept: ['a', 'b', 'c'],
    method: 'best-log-alone',
    lastKey: 10,
  },
  {
    title: 'live lists of 0.6 edited while there is a leader',
    make: scene('0.6.4', {a: 9, b: 9, c: 9, d: 9}, ['d'], true),
    dead: ['d'],
    kept: ['a', 'b', 'c'],
    method: 'live-list',
    lastKey: 9,
  },
  {
    title: 'live lists of 0.6, 5 servers with 3 dead',
    make: scene('0.6.4', {a: 9, b: 9, c: 9, d: 9, e: 9}, ['c', 'd', 'e']),
    dead: ['c', 'd', 'e'],
    kept: ['a', 'b'],
    method: 'recovery-file',
    lastKey: 9,
  },
  {
    title: 'the single survivor of 0.6 with a one-time bootstrap_expect',
    make: scene('0.6.4', {a: 9, b: 9, c: 9}, ['b', 'c']),
    dead: ['b', 'c'],
    kept: ['a'],
    method: 'recovery-file',
    lastKey: 9,
  },
]

/** Whether the run ended by its kill. */
async function dies(running: Promise<unknown>): Promise<boolean> {
  try {
    await running
    return false
  } catch (error) {
    if (error instanceof Killed) return true
    throw error
  }
}

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
    const plan = planFor(calm.world, {remove: scenario.dead, declaredDead: scenario.dead})
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
