import t from 'tap'
import {suspicionMinMs, PROFILES} from '../../src/core/gossip/profile.js'
import {Chance} from './chance.js'
import type {PoolMember, PoolWeather} from './gossip-pool.js'
import {GossipPool, PoolBroken} from './gossip-pool.js'

// QUORATE_SEED=4711 runs one seed and prints what happened; QUORATE_SEEDS=1000 runs as many as that.
const only = process.env['QUORATE_SEED']
const count = Number(process.env['QUORATE_SEEDS'] ?? '60')

const calm: PoolWeather = {loss: 0, duplication: 0, delayMinMs: 0.2, delayMaxMs: 2}

/** A pool in calm weather whose members have all joined by way of the first. */
function joinedPool(chance: Chance, weather: PoolWeather, size: number): GossipPool {
  const pool = new GossipPool(chance, calm, size)
  for (const member of pool.members) pool.at(chance.between(0, 500), () => pool.start(member))
  pool.run(600)
  const [first, ...others] = pool.members
  if (first === undefined) return pool
  for (const member of others) pool.at(600 + chance.between(0, 2000), () => join(pool, member, first))
  pool.run(600 + 8000)
  pool.weather = weather
  return pool
}

function join(pool: GossipPool, member: PoolMember, by: PoolMember): void {
  pool.ask(member, token => ({on: 'join', token, to: [by.endpoint], ignoreOldEvents: true}))
}

const WANTED = {
  up: ['alive'],
  down: ['failed'],
  leaving: ['leaving'],
  // One that left while nobody could hear it has failed, as far as all others know
  left: ['left', 'failed'],
  forced: ['left'],
} as const

/** Why not all that are up see the truth, and the same; undefined when they do. */
function disagreement(pool: GossipPool): string | undefined {
  for (const member of pool.members) {
    let agreed: string | undefined
    for (const observer of pool.up()) {
      const view = pool.view(observer, member.name)
      // One that came after another was gone need not know of it
      if (view === undefined && member.node === undefined) continue
      const status = view?.status ?? 'unknown'
      const wanted: readonly string[] = WANTED[member.fate]
      if (!wanted.includes(status) || (agreed !== undefined && status !== agreed))
        return `${observer.name} sees ${member.name} as ${status}, which is ${member.fate}`
      agreed = status
      if (member.node !== undefined && view?.tags['v'] !== member.tags['v'])
        return `${observer.name} knows old tags of ${member.name}`
    }
  }
  return undefined
}

function awaitAgreement(pool: GossipPool, withinMs: number): number {
  const startMs = pool.nowMs
  for (const endMs = startMs + withinMs; pool.nowMs < endMs; pool.run(pool.nowMs + 250))
    if (disagreement(pool) === undefined) return pool.nowMs - startMs
  const why = disagreement(pool)
  if (why !== undefined) throw new PoolBroken(`no agreement within ${withinMs} ms: ${why}`)
  return withinMs
}

/** Nobody is ever told that a member left which neither did nor was given up. */
function checkNoFalseLeave(pool: GossipPool): void {
  for (const {effect, observer} of pool.told) {
    if (effect.do !== 'member-changed' || effect.change !== 'leave') continue
    const member = pool.byName(effect.member.name)
    if (member !== undefined && !leavers.get(pool)?.has(member.name))
      throw new PoolBroken(`${observer} was told that ${member.name} left, and it did not`)
  }
}

/** Nobody is told of the same event twice in one life, but for what a restart cannot remember. */
function checkEventsOnce(pool: GossipPool): void {
  const seen = new Map<string, number>()
  for (const {effect, observer} of pool.told) {
    if (effect.do !== 'user-event') continue
    const key = `${observer} ${effect.lamportTime} ${effect.name}`
    seen.set(key, (seen.get(key) ?? 0) + 1)
  }
  for (const [key, times] of seen) {
    const lives = pool.byName(key.split(' ')[0] ?? '')?.life ?? 1
    if (times > lives) throw new PoolBroken(`${key} was told ${times} times in ${lives} lives`)
  }
}

/** Members that ever left or were given up, by pool. */
const leavers = new WeakMap<GossipPool, Set<string>>()

function leave(pool: GossipPool, member: PoolMember): void {
  if (member.fate !== 'up') return
  leavers.set(pool, (leavers.get(pool) ?? new Set<string>()).add(member.name))
  pool.leave(member)
}

/** What came of a seed: the rule that was broken, if any, and what happened before. */
interface SeedResult {
  readonly pool: GossipPool
  readonly broken: string | undefined
}

/** One seed: faults of all kinds, then calm weather, in which all must come to agree. */
function runSeed(seed: number): SeedResult {
  const chance = new Chance(seed)
  const rough = chance.real()
  const size = chance.pick([3, 3, 4, 5, 5, 7, 9, 12, 20])
  const weather: PoolWeather = {
    loss: rough * 0.25,
    duplication: rough * 0.1,
    delayMinMs: 0.2,
    delayMaxMs: chance.pick([2, 20, 150]),
  }
  const pool = joinedPool(chance.fork(), weather, size)
  try {
    live(pool, chance)
    return {pool, broken: undefined}
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return {pool, broken: `${error.name}: ${error.message}`}
  }
}

function live(pool: GossipPool, chance: Chance): void {
  const [anchor, ...rest] = pool.members
  const endMs = pool.nowMs + 90_000
  const whenever = (): number => chance.between(pool.nowMs, endMs - 20_000)
  for (let i = chance.below(5); i > 0; i--) {
    const member = chance.pick(rest)
    pool.at(whenever(), () => {
      pool.kill(member)
      pool.at(pool.nowMs + chance.between(100, 30_000), () => {
        if (member.fate === 'down') pool.start(member)
      })
    })
  }
  for (let i = chance.below(3); i > 0; i--) {
    const member = chance.pick(rest)
    pool.at(whenever(), () => leave(pool, member))
  }
  for (let i = chance.below(3); i > 0; i--) {
    const side = new Set(chance.some(pool.members, 1 + chance.below(rest.length)).map(({name}) => name))
    pool.at(whenever(), () => {
      pool.partition(side)
      pool.at(pool.nowMs + chance.between(500, 25_000), () => pool.partition(undefined))
    })
  }
  for (let i = 0; i < 6; i++) pool.at(whenever(), () => speak(pool, chance.pick(pool.members), i))
  pool.run(endMs)
  pool.partition(undefined)
  pool.weather = calm
  // All come back: by their snapshots alone, but for those whose snapshot says that they left
  for (const member of pool.members) {
    if (member.fate === 'down') pool.start(member)
    const forgot = leavers.get(pool)?.has(member.name) === true && member.fate === 'up'
    if (forgot && anchor !== undefined) join(pool, member, anchor)
  }
  awaitAgreement(pool, 240_000)
  checkNoFalseLeave(pool)
  checkEventsOnce(pool)
}

/** A member says something: new tags, or an event. */
function speak(pool: GossipPool, member: PoolMember, i: number): void {
  if (member.node === undefined || member.fate !== 'up') return
  if (i % 2 === 0) {
    member.tags = {...member.tags, v: String(i)}
    pool.feed(member, {on: 'set-tags', tags: member.tags})
  } else pool.feed(member, {on: 'user-event', name: `e${i}`, payload: Uint8Array.of(i), coalesce: false})
}

if (only !== undefined)
  t.test(`seed ${only} holds`, t => {
    const {pool, broken} = runSeed(Number(only))
    for (const line of pool.trail) t.comment(line)
    t.equal(broken, undefined)
    t.end()
  })
else {
  t.test('in any weather nobody is said to have left who did not, and in calm all agree', t => {
    let events = 0
    for (let seed = 1; seed <= count; seed++) {
      const {pool, broken} = runSeed(seed)
      events += pool.events
      const again = `QUORATE_SEED=${seed} npx tap test/simulation/gossip.test.ts`
      if (broken !== undefined) t.fail(`seed ${seed}: ${broken}`, {again, trail: pool.trail.slice(-60)})
    }
    t.comment(`${count} seeds, ${events} events`)
    t.ok(events > count * 1000, 'enough happened')
    t.end()
  })

  t.test('without loss nobody is ever suspected to death, in pools of 3 to 50', t => {
    for (const size of [3, 8, 20, 50]) {
      const pool = joinedPool(new Chance(size), calm, size)
      t.equal(disagreement(pool), undefined, `${size} have found each other`)
      const before = pool.told.length
      pool.run(pool.nowMs + 60_000)
      t.same(
        pool.told.slice(before).filter(({effect}) => effect.do === 'member-changed'),
        [],
        `${size} members keep quiet for a minute`,
      )
    }
    t.end()
  })

  t.test('a killed member is failed for all within a probe cycle and the longest suspicion', t => {
    for (const size of [3, 5, 10, 30]) {
      const times: number[] = []
      for (let seed = 1; seed <= 4; seed++) {
        const pool = joinedPool(new Chance(seed * 1000 + size), calm, size)
        const victim = pool.members[1]
        if (victim === undefined) continue
        pool.kill(victim)
        const {probeIntervalMs, suspicionMult, suspicionMaxTimeoutMult} = PROFILES.lan
        const longest = suspicionMaxTimeoutMult * suspicionMinMs(suspicionMult, size, probeIntervalMs)
        const took = awaitAgreement(pool, 2 * size * probeIntervalMs + longest)
        t.ok(
          took >= suspicionMinMs(suspicionMult, size, probeIntervalMs),
          'and never before the shortest one',
        )
        times.push(took)
      }
      t.comment(`${size} members: failed after ${times.map(ms => (ms / 1000).toFixed(1)).join(', ')} s`)
      t.ok(Math.max(...times) <= 15_000, `in a pool of ${size} within 15 s`)
    }
    t.end()
  })

  t.test('a member that is cut off for a while refutes its death and is taken back by itself', t => {
    for (let seed = 1; seed <= 5; seed++) {
      const pool = joinedPool(new Chance(seed), calm, 5)
      pool.partition(new Set(['n3']))
      pool.run(pool.nowMs + 25_000)
      const seen = pool.view(pool.members[0] as PoolMember, 'n3')
      t.equal(seen?.status, 'failed', 'it is failed meanwhile')
      pool.partition(undefined)
      awaitAgreement(pool, 90_000)
      checkNoFalseLeave(pool)
    }
    t.end()
  })

  t.test('loss of a quarter of all packets kills nobody for good', t => {
    const pool = joinedPool(new Chance(7), {...calm, loss: 0.25, delayMaxMs: 50}, 10)
    pool.run(pool.nowMs + 120_000)
    pool.weather = calm
    awaitAgreement(pool, 60_000)
    t.pass('all agree')
    t.end()
  })

  t.test('those who leave have left, for all, at once too; and are not come back after a restart', t => {
    const pool = joinedPool(new Chance(11), calm, 6)
    for (const member of pool.members.slice(1, 4)) leave(pool, member)
    pool.run(pool.nowMs + 15_000)
    t.same(
      pool.members.map(({fate}) => fate),
      ['up', 'left', 'left', 'left', 'up', 'up'],
    )
    t.equal(disagreement(pool), undefined)
    const gone = pool.members[1] as PoolMember
    pool.start(gone)
    pool.run(pool.nowMs + 5000)
    t.equal(pool.view(pool.members[0] as PoolMember, gone.name)?.status, 'left')
    t.equal(gone.node?.members().length, 1, 'it knows nobody')
    join(pool, gone, pool.members[0] as PoolMember)
    awaitAgreement(pool, 5000)
    checkNoFalseLeave(pool)
    t.end()
  })

  t.test('a failed member that is given up is left for all, and with prune forgotten', t => {
    const pool = joinedPool(new Chance(13), calm, 6)
    const [first, second, third] = pool.members as [PoolMember, PoolMember, PoolMember]
    pool.kill(second)
    pool.kill(third)
    awaitAgreement(pool, 30_000)
    const token = pool.ask(first, token => ({on: 'force-leave', token, name: 'n2', prune: false}))
    second.fate = 'forced'
    awaitAgreement(pool, 5000)
    t.match(pool.done.get(token), {found: true})
    pool.ask(first, token => ({on: 'force-leave', token, name: 'n3', prune: true}))
    pool.run(pool.nowMs + 5000)
    for (const observer of pool.up()) t.equal(pool.view(observer, 'n3'), undefined)
    t.end()
  })

  t.test('an event is told once to each, those that were away included', t => {
    const pool = joinedPool(new Chance(17), {...calm, loss: 0.1, duplication: 0.2}, 8)
    const away = pool.members[5] as PoolMember
    pool.partition(new Set([away.name]))
    pool.feed(pool.members[0] as PoolMember, {
      on: 'user-event',
      name: 'deploy',
      payload: Uint8Array.of(1),
      coalesce: false,
    })
    pool.run(pool.nowMs + 5000)
    pool.partition(undefined)
    pool.run(pool.nowMs + 120_000)
    const told = pool.told.filter(({effect}) => effect.do === 'user-event').map(({observer}) => observer)
    t.same(told.sort(), pool.members.map(({name}) => name).sort())
    t.end()
  })
}
