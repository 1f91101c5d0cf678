import {Chance} from './chance.js'
import type {PoolMember, PoolWeather} from './gossip-pool.js'
import {GossipPool, PoolBroken} from './gossip-pool.js'

/** Nothing is lost and all is fast. */
export const calm: PoolWeather = {loss: 0, duplication: 0, delayMinMs: 0.2, delayMaxMs: 2}

/** A pool in calm weather whose members have all joined by way of the first; `weather` comes after that. */
export function joinedPool(chance: Chance, weather: PoolWeather, size: number): GossipPool {
  const pool = new GossipPool(chance, calm, size)
  gather(pool, chance)
  pool.weather = weather
  return pool
}

function gather(pool: GossipPool, chance: Chance): void {
  for (const member of pool.members) pool.at(chance.between(0, 500), () => pool.start(member))
  pool.run(600)
  const [first, ...others] = pool.members
  if (first === undefined) return
  for (const member of others) pool.at(600 + chance.between(0, 2000), () => join(pool, member, first))
  pool.run(600 + 8000)
}

/** Makes a member join by way of another. */
export function join(pool: GossipPool, member: PoolMember, by: PoolMember): void {
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
export function disagreement(pool: GossipPool): string | undefined {
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

/** Waits until all agree, and tells how long that took; throws when it takes too long. */
export function awaitAgreement(pool: GossipPool, withinMs: number): number {
  const startMs = pool.nowMs
  for (const endMs = startMs + withinMs; pool.nowMs < endMs; pool.run(pool.nowMs + 250))
    if (disagreement(pool) === undefined) return pool.nowMs - startMs
  const why = disagreement(pool)
  if (why !== undefined) throw new PoolBroken(`no agreement within ${withinMs} ms: ${why}`)
  return withinMs
}

/** Nobody is ever told that a member left which neither did nor was given up. */
export function checkNoFalseLeave(pool: GossipPool): void {
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

/** Makes a member leave. */
export function leave(pool: GossipPool, member: PoolMember): void {
  if (member.fate !== 'up') return
  leavers.set(pool, (leavers.get(pool) ?? new Set<string>()).add(member.name))
  pool.leave(member)
}

/** What came of a seed: the rule that was broken, if any, and what happened before. */
export interface SeedResult {
  readonly pool: GossipPool
  readonly broken: string | undefined
}

/** One seed: faults of all kinds, then calm weather, in which all must come to agree. */
export function runSeed(seed: number): SeedResult {
  const chance = new Chance(seed)
  const rough = chance.real()
  const size = chance.pick([3, 3, 4, 5, 5, 7, 9, 12, 20])
  const weather: PoolWeather = {
    loss: rough * 0.25,
    duplication: rough * 0.1,
    delayMinMs: 0.2,
    delayMaxMs: chance.pick([2, 20, 150]),
  }
  const pool = new GossipPool(chance.fork(), calm, size)
  try {
    gather(pool, chance)
    leaveInCalm(pool)
    pool.weather = weather
    live(pool, chance)
    return {pool, broken: undefined}
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return {pool, broken: `${error.name}: ${error.message}`}
  }
}

/** While all hear each other, one who leaves has left and at no time failed; then it comes back. */
function leaveInCalm(pool: GossipPool): void {
  const [anchor, ...rest] = pool.members
  const member = rest[rest.length - 1]
  if (anchor === undefined || member === undefined) return
  const before = pool.told.length
  leave(pool, member)
  pool.run(pool.nowMs + 12_000)
  if (member.fate !== 'left') throw new PoolBroken(`${member.name} was not done with leaving after 12 s`)
  for (const {effect, observer} of pool.told.slice(before))
    if (effect.do === 'member-changed' && effect.change === 'failed')
      throw new PoolBroken(`${observer} was told that ${effect.member.name} failed, in calm weather`)
  // Whom the news miss, which happens to one in fifty, an exchange tells
  awaitAgreement(pool, 70_000)
  pool.start(member)
  join(pool, member, anchor)
  awaitAgreement(pool, 70_000)
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
    pool.at(pool.nowMs + chance.between(20_000, 80_000), () => {
      if (member.fate !== 'left' || anchor === undefined) return
      pool.start(member)
      join(pool, member, anchor)
    })
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
