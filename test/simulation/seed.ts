import type {Configuration} from '../../src/core/model/configuration.js'
import type {LogEntry} from '../../src/core/raft/messages.js'
import {DEFAULT_OPTIONS} from '../../src/core/raft/options.js'
import {Chance} from './chance.js'
import {Broken, fold} from './checks.js'
import type {Core, DriverFaults, SimulatedServer} from './server.js'
import {World} from './world.js'
import type {Weather} from './world.js'

/** What came of a seed. */
export interface SeedResult {
  readonly seed: number
  readonly weather: Weather
  readonly events: number
  readonly committed: number
  readonly counts: World['counts']
  /** The rule that was broken, or the invariant of the core that stopped it; undefined when all held. */
  readonly broken: string | undefined
  /** The last lines of what happened, for a failing seed. */
  readonly trail: readonly string[]
}

const FAULTS_MS = 12_000
const CALM_MS = 20_000

/** Draws a world's weather. Everything is drawn before the first event, so that a seed can be told in one line. */
export function drawWeather(chance: Chance): Weather {
  const inOrder = chance.happens(0.5)
  const rough = chance.real()
  const snapshots = chance.happens(0.7)
  const weather: Weather = {
    servers: chance.pick([1, 2, 3, 3, 3, 4, 5, 5]),
    spares: chance.pick([0, 0, 1, 2]),
    network: {
      loss: rough * 0.15,
      duplication: inOrder ? 0 : rough * 0.1,
      delayMinMs: 0.2,
      delayMaxMs: chance.pick([1, 5, 40]),
      clogging: rough * 0.05,
      clogMs: chance.pick([50, 500, 3000]),
      inOrder,
    },
    crashes: chance.below(10),
    partitions: chance.below(6),
    changes: chance.pick([0, 0, 4, 8, 40]),
    transfers: chance.below(3),
    reads: chance.below(40),
    drift: chance.happens(0.3) ? 0.02 : 0,
    recovery: chance.happens(0.15),
    pauses: chance.below(5),
    options: {
      ...DEFAULT_OPTIONS,
      heartbeatTimeoutMs: 300,
      electionTimeoutMs: 300,
      leaderLeaseMs: chance.pick([100, 150, 250]),
      commitTimeoutMs: 20,
      snapshotIntervalMs: snapshots ? 400 : 1e9,
      snapshotThreshold: chance.pick([4, 16, 64]),
      trailingEntries: chance.pick([0, 4, 32]),
      preVote: chance.happens(0.8),
      raftProtocol: 3,
      limits: {
        ...DEFAULT_OPTIONS.limits,
        appendEntriesMax: chance.pick([1, 4, 64]),
        appendBytesMax: chance.pick([16, 1024]),
        appendsInFlightMax: chance.pick([1, 2, 8]),
        cacheBytesMax: chance.pick([0, 64, 1 << 20]),
        applyEntriesMax: chance.pick([1, 8, 4096]),
      },
    },
    paces: [],
  }
  // Drawn last, so that what is drawn before stays the same. Without pre-votes the impatient may depose everybody, always
  if (!chance.happens(0.3) || !weather.options.preVote) return weather
  const paces = Array.from({length: 5}, () => chance.pick([1, 1, 3]))
  return {...weather, paces, options: {...weather.options, leaderLeaseMs: 250}}
}

/** Runs one seed: faults first, while nothing may go wrong, then calm weather, in which all must go well. */
export function runSeed(seed: number, core: Core, faults: DriverFaults = {}): SeedResult {
  const chance = new Chance(seed)
  const weather = drawWeather(chance.fork())
  const world = new World(chance.fork(), weather, core, faults)
  const result = (broken: string | undefined): SeedResult => ({
    seed,
    weather,
    events: world.events,
    committed: world.checks.committedIndex,
    counts: world.counts,
    broken,
    trail: broken === undefined ? [] : world.trail,
  })
  try {
    live(world, chance.fork())
    return result(undefined)
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return result(`${error.name}: ${error.message}`)
  }
}

function live(world: World, chance: Chance): void {
  const {weather} = world
  const members = world.servers.slice(0, weather.servers)
  const configuration: Configuration = {
    servers: members.map(server => ({id: server.id, address: server.address, suffrage: 'voter'})),
  }
  for (const server of world.servers) world.start(server)
  for (const server of members) world.other(server, token => ({on: 'bootstrap', token, configuration}))
  schedule(world, chance)
  world.run(FAULTS_MS)
  if (weather.recovery) recoverByFile(world, chance)
  settle(world)
}

/** All that clients, operators and bad luck do in the first phase. */
function schedule(world: World, chance: Chance): void {
  const {weather, servers} = world
  const some = (): SimulatedServer => chance.pick(servers)
  const target = (): SimulatedServer => (chance.happens(0.8) ? (world.leader() ?? some()) : some())
  const often = (times: number, act: () => void): void => {
    for (let i = 0; i < times; i++) world.at(chance.between(300, FAULTS_MS), act)
  }
  for (let atMs = 300; atMs < FAULTS_MS; atMs += chance.between(5, 120))
    world.at(atMs, () => {
      for (let n = chance.pick([1, 1, 1, 3, 12]); n > 0; n--) world.put(target())
    })
  often(weather.reads, () => world.read(target(), weather.drift <= 0.02 && chance.happens(0.3)))
  often(weather.transfers, () =>
    world.other(target(), token => ({on: 'transfer-leadership', token, to: undefined})),
  )
  often(2, () => world.other(some(), token => ({on: 'take-snapshot', token})))
  often(weather.changes, () => {
    // Sometimes two operators at once
    for (let n = chance.pick([1, 1, 3]); n > 0; n--) changeMembers(world, chance, target())
  })
  often(weather.crashes, () => {
    const server = chance.happens(0.4) ? target() : some()
    world.crash(server)
    world.at(world.nowMs + chance.between(1, 2500), () => world.start(server))
  })
  often(weather.pauses, () => {
    const server = target()
    world.pause(server, chance.between(20, 2500))
    // Somebody asks it for something meanwhile
    world.at(world.nowMs + chance.between(0, 2000), () => world.read(server, chance.happens(0.5)))
  })
  often(weather.partitions, () => {
    const names = servers.map(server => server.name)
    const side = chance.some(names, 1 + chance.below(Math.max(1, names.length - 1)))
    const other = names.filter(name => !side.includes(name))
    world.trace(`partition ${side.join(',')} | ${other.join(',')}`)
    world.network.partition(side, other, chance.happens(0.3))
    world.at(world.nowMs + chance.between(50, 3000), () => world.network.heal())
  })
  if (weather.paces.length > 0)
    for (let atMs = 1000; atMs < FAULTS_MS - 2000; atMs += 1700)
      world.at(atMs, () => deposeUnseen(world, chance))
}

/** The most patient voter is made leader, and then cut off. */
function deposeUnseen(world: World, chance: Chance): void {
  const before = world.leader()
  const members = before?.node?.status().latest.configuration.servers ?? []
  const voters = world.servers.filter(({id}) =>
    members.some(one => one.id === id && one.suffrage === 'voter'),
  )
  const [first] = voters
  if (before === undefined || first === undefined) return
  const to = voters.reduce((a, b) => (b.patienceMs > a.patienceMs ? b : a), first).id
  world.other(before, token => ({on: 'transfer-leadership', token, to}))
  world.at(world.nowMs + chance.between(100, 500), () => cutOff(world, chance))
}

/**
 * The leader is cut off from all others, which may also be started anew with other timeouts. Whoever takes itself for
 * the leader meanwhile is asked what was written.
 */
function cutOff(world: World, chance: Chance): void {
  const leader = world.leader()
  if (leader === undefined) return
  const others = world.servers.filter(server => server !== leader)
  world.trace(`${leader.name} is cut off`)
  const names = others.map(server => server.name)
  world.network.partition([leader.name], names, false)
  if (chance.happens(0.5))
    for (const server of others) {
      world.crash(server)
      world.at(world.nowMs + chance.between(1, 30), () => world.start(server))
    }
  world.at(world.nowMs + chance.between(800, 1100), () => world.network.heal())
  for (let inMs = 20; inMs < 800; inMs += 20)
    world.at(world.nowMs + inMs, () => {
      const newest = world.leader()
      if (newest !== undefined) world.put(newest)
      for (const server of world.servers) if (server.leads) world.read(server, true)
    })
}

function changeMembers(world: World, chance: Chance, at: SimulatedServer): void {
  const server = chance.pick(world.servers)
  const {id, address} = server
  const change = chance.pick([
    {change: 'add-voter', id, address},
    {change: 'add-nonvoter', id, address},
    {change: 'demote-voter', id},
    {change: 'remove-server', id},
  ] as const)
  world.counts.changes += 1
  world.other(at, token => ({on: 'change-configuration', token, change, prevIndex: 0}))
}

/**
 * What an operator does with peers.json: all servers stopped, the best log of those that are kept taken as it is with a
 * new configuration (hashicorp/raft `RecoverCluster`, api.go), the others begun anew and added again.
 */
function recoverByFile(world: World, chance: Chance): void {
  for (const server of world.servers) world.crash(server)
  const holding = world.servers.filter(server => server.disk.durable.lastIndex > 0 || server.disk.snapshot)
  if (holding.length === 0) return
  const kept = chance.some(holding, 1 + chance.below(holding.length))
  const end = (server: SimulatedServer): readonly [number, number] => {
    const {durable, snapshot} = server.disk
    const last = durable.at(durable.lastIndex)
    if (last !== undefined && last.index >= (snapshot?.meta.index ?? 0)) return [last.term, last.index]
    return [snapshot?.meta.term ?? 0, snapshot?.meta.index ?? 0]
  }
  const best = kept.reduce((a, b) => {
    const [x, y] = [end(a), end(b)]
    return y[0] - x[0] || y[1] - x[1] ? (y[0] > x[0] || (y[0] === x[0] && y[1] > x[1]) ? b : a) : a
  })
  const {disk} = best
  const base = disk.snapshot?.state ?? {index: 0, hash: 0}
  const tail: LogEntry[] = disk.durable.entries.filter(entry => entry.index > base.index)
  world.checks.newHistory(tail, base)
  world.acknowledged = 0
  const [term, index] = end(best)
  const state = tail.reduce((s, entry) => ({index: entry.index, hash: fold(s.hash, entry)}), base)
  const configuration: Configuration = {servers: [{id: best.id, address: best.address, suffrage: 'voter'}]}
  disk.snapshot = {
    meta: {id: `recovered-${term}-${index}`, index, term, configuration, configurationIndex: 1, size: 64},
    state,
  }
  disk.write([{write: 'reset', nextIndex: index + 1}])
  disk.sync(1)
  for (const server of world.servers)
    if (server !== best) {
      server.disk.wipe()
      world.checks.forget(server.name)
    }
  world.counts.recoveries += 1
  world.trace(`recovered from ${best.name} at ${index} @ ${term}`)
  world.start(best)
  const others = kept.filter(server => server !== best)
  world.run(world.nowMs + 3000)
  for (const server of others) {
    world.start(server)
    const {id, address} = server
    const change = {change: 'add-voter', id, address} as const
    world.other(world.leader() ?? best, token => ({on: 'change-configuration', token, change, prevIndex: 0}))
    world.run(world.nowMs + 3000)
  }
}

/** Calm weather: every server up, nothing lost. There must be a leader, it must commit, and all must agree. */
function settle(world: World): void {
  world.network.calmDown()
  for (const server of world.servers) world.start(server)
  const until = world.nowMs + CALM_MS
  let before = world.acknowledged
  while (world.nowMs < until) {
    world.run(world.nowMs + 500)
    const leader = world.leader()
    if (leader === undefined) continue
    before = world.acknowledged
    world.put(leader)
    world.run(world.nowMs + 1000)
    if (world.acknowledged > before && agreed(world)) return
  }
  const roles = world.servers.map(server => {
    const status = server.node?.status()
    return `${server.name}: ${status === undefined ? 'down' : `${status.role} ${status.term} last ${status.lastIndex} commit ${status.commitIndex} applied ${server.state.index}`}`
  })
  throw new Broken(`no agreement in calm weather: ${roles.join('; ')}`)
}

/** All members of the newest configuration have applied the same up to the leader's commit. */
function agreed(world: World): boolean {
  const leader = world.leader()
  const status = leader?.node?.status()
  if (leader === undefined || status === undefined) return false
  return status.latest.configuration.servers.every(member => {
    const server = world.byId(member.id)
    if (server?.node === undefined) return false
    return server.state.index === leader.state.index && server.state.hash === leader.state.hash
  })
}
