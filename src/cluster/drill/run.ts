import {randomBytes} from 'node:crypto'
import {readdir, readFile, stat} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import type {DrillReport} from '../../core/model/drill-report.js'
import {LocalCluster} from '../cluster.js'
import {commandRuns, recordCommands, recordedCommands} from '../command-record.js'
import {findAgent} from '../process.js'
import {clusterDirectory, clustersDirectory} from '../state.js'
import type {AgentProgram} from '../state.js'
import {clusterDown, clusterUp} from '../up-down.js'
import {keysOnDisk} from './held.js'
import {Load, readKeys} from './load.js'
import {peerSets, strayServers} from './peers.js'
import type {DrillWorld, RepairStep, Scenario} from './scenario.js'
import {sameNames, scoreDrill} from './score.js'
import type {DrillFacts} from './score.js'
import {currentLeader, Watch} from './watch.js'

type Environment = Readonly<Record<string, string | undefined>>

/** What happens during a drill, for whoever shows it. */
export type DrillEvent =
  | {readonly type: 'raised'; readonly cluster: LocalCluster; readonly leader: string}
  | {readonly type: 'written'; readonly count: number}
  | {readonly type: 'failed'; readonly cluster: LocalCluster}
  | {readonly type: 'step'; readonly step: RepairStep}
  | {readonly type: 'settling'}

/** How a drill is to be played. */
export interface DrillOrder {
  readonly scenario: Scenario
  readonly name: string
  readonly program: AgentProgram
  /** Repairs by itself instead of waiting for the operator. */
  readonly auto: boolean
  /** Leaves the cluster as it is in the end. */
  readonly keep: boolean
  readonly limitMs: number
  /** Runs one command of quorate in the foreground and gives its exit status. */
  readonly runCommand: (words: readonly string[]) => Promise<number>
  readonly onEvent: (event: DrillEvent) => void
  /** Aborted when the operator gives up. */
  readonly signal: AbortSignal
}

const LEADER_MS = 30_000
const WRITES_MS = 30_000
const SETTLE_MS = 30_000
/** A cluster counts as repaired when it was so for this long. */
const STABLE_MS = 2000
const POLL_MS = 250

/** Plays a drill from the first server to the report. What it raised is gone afterwards, however it ends. */
export async function runDrill(env: Environment, order: DrillOrder): Promise<DrillReport> {
  const {name, scenario} = order
  await clusterDown(env, name)
  try {
    return await new Drill(env, order).play()
  } finally {
    if (!order.keep) {
      const cluster = await LocalCluster.open(env, name).catch(() => undefined)
      if (cluster !== undefined) await scenario.cleanUp?.(cluster)
      await clusterDown(env, name)
    }
  }
}

class Drill {
  #cluster: LocalCluster | undefined
  #failedAtMs = 0
  readonly #load: Load
  readonly #watch: Watch

  constructor(
    private readonly env: Environment,
    private readonly order: DrillOrder,
  ) {
    this.#load = new Load(`drill/${randomBytes(4).toString('hex')}`, () => this.#reachable())
    this.#watch = new Watch(() => this.#current())
  }

  async play(): Promise<DrillReport> {
    const {scenario, onEvent} = this.order
    const leader = await this.#raise()
    onEvent({type: 'raised', cluster: this.#current(), leader})
    const writers = scenario.writers?.(this.#current()).map(member => member.address)
    await this.#load.write(scenario.writes, WRITES_MS, writers === undefined ? undefined : () => writers)
    onEvent({type: 'written', count: this.#load.acknowledged.length})
    this.#load.start()
    this.#watch.start()
    try {
      this.#failedAtMs = Date.now()
      await scenario.inject(this.#world())
      const settledAtMs = Date.now()
      await this.#reopen()
      const held = await this.#held()
      await recordCommands(this.#current().directory)
      onEvent({type: 'failed', cluster: this.#current()})
      if (this.order.auto) await this.#repair()
      onEvent({type: 'settling'})
      await this.#awaitRepaired(this.order.auto ? SETTLE_MS : this.order.limitMs)
      return scoreDrill(await this.#facts(settledAtMs, held))
    } finally {
      await Promise.all([this.#load.stop(), this.#watch.stop()])
    }
  }

  async #raise(): Promise<string> {
    const {name, program, scenario} = this.order
    const {cluster, leader} = await clusterUp(this.env, {
      ...{name, program, servers: scenario.servers, clients: 0},
      nonvoters: scenario.nonvoters ?? 0,
      raftProtocol: scenario.raftProtocol,
      encrypt: false,
      leaderWithinMs: LEADER_MS,
      ...(scenario.settings === undefined ? {} : {settings: scenario.settings}),
      ...(scenario.prepare === undefined ? {} : {prepare: scenario.prepare}),
      ...(scenario.writers === undefined ? {} : {awaited: scenario.writers}),
    })
    this.#cluster = cluster
    return leader
  }

  #current(): LocalCluster {
    if (this.#cluster === undefined) throw new Error('the cluster is not raised yet')
    return this.#cluster
  }

  /** Scenarios and operators change members and addresses: those are read again. */
  async #reopen(): Promise<void> {
    this.#cluster = await LocalCluster.open(this.env, this.order.name)
  }

  #reachable(): readonly string[] {
    const cluster = this.#current()
    const servers = this.order.scenario.writers?.(cluster) ?? cluster.servers
    return servers
      .filter(member => findAgent(cluster.files(member))?.paused === false)
      .map(member => member.address)
  }

  #world(): DrillWorld {
    const sleep = async (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
    return {
      cluster: this.#current(),
      load: this.#load,
      sleep,
      auto: this.order.auto,
      failing: () => {
        this.#watch.reset()
        this.#failedAtMs = Date.now()
      },
      until: async (what, condition, withinMs = 20_000) => {
        const end = Date.now() + withinMs
        while (!(await condition())) {
          if (Date.now() > end) throw new Error(`Not within ${withinMs / 1000} s: ${what}.`)
          await sleep(POLL_MS / 5)
        }
      },
    }
  }

  async #held(): Promise<ReadonlySet<string>> {
    const cluster = this.#current()
    const sets = await Promise.all(
      cluster.servers.map(async member =>
        keysOnDisk(join(cluster.files(member).data, 'raft'), this.#load.prefix),
      ),
    )
    return new Set(sets.flatMap(set => [...set]))
  }

  async #repair(): Promise<void> {
    for (const step of this.order.scenario.repair(this.#current())) {
      if (this.order.signal.aborted) return
      this.order.onEvent({type: 'step', step})
      if ('run' in step) await this.order.runCommand(step.run)
      else await step.act(this.#world())
      await this.#reopen()
    }
  }

  /** Whether all is as it should be right now. */
  async #isRepaired(): Promise<boolean> {
    await this.#reopen()
    const cluster = this.#current()
    if ((await currentLeader(cluster)) === undefined) return false
    const {peers} = this.order.scenario.goal
    const sets = await peerSets(cluster)
    const agreed =
      peers.every(name => sets.has(name)) && [...sets.values()].every(set => sameNames(set, peers))
    if (!agreed || (await this.#strays()).length > 0) return false
    this.#load.resume()
    return true
  }

  /** Servers whose contents are not those of the others. */
  async #strays(): Promise<readonly string[]> {
    const {acknowledged, prefix} = this.#load
    return strayServers(
      this.#current(),
      prefix,
      [...acknowledged].map(({key}) => key),
    )
  }

  async #awaitRepaired(withinMs: number): Promise<void> {
    const end = Date.now() + withinMs
    let since: number | undefined
    while (Date.now() < end && !this.order.signal.aborted) {
      const good = await this.#isRepaired()
      const now = Date.now()
      since = good ? (since ?? now) : undefined
      const writes = this.#load.acknowledged.some(one => since !== undefined && one.atMs > since)
      const stable = since !== undefined && now - since >= STABLE_MS && writes
      // An operator who is still at work is not interrupted: a plan may be in the middle of its verification
      if (stable && !(await commandRuns(this.#current().directory))) return
      await new Promise(resolve => setTimeout(resolve, POLL_MS))
    }
  }

  async #facts(settledAtMs: number, held: ReadonlySet<string>): Promise<DrillFacts> {
    const failedAtMs = this.#failedAtMs
    const {scenario, name} = this.order
    const endedAtMs = Date.now()
    await this.#load.stop()
    const cluster = this.#current()
    const {acknowledged, refusedAtMs} = this.#load
    const {lostAtMs, backAtMs} = this.#watch.sightings
    // Writes that were acknowledged before the leader was lost are none that came back
    const barMs = Math.max(failedAtMs, ...refusedAtMs, lostAtMs === undefined ? 0 : (backAtMs ?? 0))
    return {
      scenario: scenario.name,
      failedAtMs,
      settledAtMs,
      endedAtMs,
      leaderLostAtMs: lostAtMs,
      leaderBackAtMs: backAtMs,
      writesBackAtMs: acknowledged.find(one => one.atMs > barMs)?.atMs,
      acknowledged,
      held,
      found: await readKeys(this.#reachable(), this.#load.prefix),
      peerSets: await peerSets(cluster),
      strays: await this.#strays(),
      expectedPeers: scenario.goal.peers,
      plansAreWrong: scenario.goal.plansAreWrong,
      plansApplied: await plansApplied(this.env, name, failedAtMs),
      commands: await recordedCommands(clusterDirectory(this.env, name)),
    }
  }
}

/** Plans that wrote to servers of a cluster since a moment, by the journals of this machine. */
async function plansApplied(env: Environment, cluster: string, sinceMs: number): Promise<number> {
  const directory = join(dirname(clustersDirectory(env)), 'journal')
  const names = await readdir(directory).catch(() => [])
  let applied = 0
  for (const name of names.filter(one => one.endsWith('.jsonl'))) {
    if ((await stat(join(directory, name))).mtimeMs < sinceMs) continue
    const text = await readFile(join(directory, name.replace(/jsonl$/, 'plan.json')), 'utf8').catch(
      () => '{}',
    )
    const plan = JSON.parse(text) as {readonly cluster?: string; readonly method?: string}
    if (plan.cluster === cluster && plan.method !== 'start' && plan.method !== 'join') applied++
  }
  return applied
}
