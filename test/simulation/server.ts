import type {Configuration} from '../../src/core/model/configuration.js'
import type {ServerAddress, ServerId} from '../../src/core/model/ids.js'
import {serverAddress, serverId} from '../../src/core/model/ids.js'
import type {LogEntry, RaftEffect, RaftEvent, RaftNews, SnapshotMeta} from '../../src/core/raft/messages.js'
import type {ConfigurationAt, RaftOptions, RaftStatus, Restored, TermRun} from '../../src/core/raft/types.js'
import type {Chance} from './chance.js'
import {Broken, fold} from './checks.js'
import type {Checks} from './checks.js'
import {SimulatedDisk} from './disk.js'
import type {DiskWrite, StateMark} from './disk.js'

/** The core under test: the real one, or one with a fault planted in it. */
export interface Core {
  readonly RaftNode: new (options: RaftOptions, restored: Restored) => Node
  /** The configuration that an entry sets; undefined for entries of other types. */
  readonly configurationOf: (entry: LogEntry) => Configuration | undefined
}

export interface Node {
  step(event: RaftEvent, nowMs: number): RaftEffect[]
  nextDeadlineMs(): number
  status(): RaftStatus
}

/** Ways in which a driver may be wrong, planted to see that the checks see them. */
export interface DriverFaults {
  /** Tells that a write is on disk as soon as it was handed to the disk. */
  readonly saysPersistedTooEarly?: boolean
  /** Loses the hard state of each write. */
  readonly forgetsHardState?: boolean
  /** Applies what it is given to a state machine that was not loaded from the snapshot. */
  readonly ignoresSnapshotState?: boolean
}

/** What a server asks of the world around it. */
export interface Surroundings {
  readonly checks: Checks
  readonly faults: DriverFaults
  /** Runs `act` after a time, unless the server has crashed by then. */
  readonly later: (server: SimulatedServer, delayMs: number, act: () => void) => void
  readonly send: (from: SimulatedServer, effect: Sending) => void
  readonly respond: (from: SimulatedServer, effect: Extract<RaftEffect, {do: 'respond'}>) => void
  readonly answered: (server: SimulatedServer, effect: Answered) => void
  readonly trace: (server: SimulatedServer, text: string) => void
}

export type Sending = Extract<RaftEffect, {do: 'send' | 'send-snapshot'}>
export type Answered = Extract<RaftEffect, {do: 'done' | 'refuse' | 'read-ready'}>

/** One server: a disk, a clock, a state machine and, while it runs, a node. */
export class SimulatedServer {
  readonly id: ServerId
  readonly address: ServerAddress
  readonly disk = new SimulatedDisk()
  node: Node | undefined
  state: StateMark = {index: 0, hash: 0}
  /** Counts starts: what was under way before a crash is not delivered after it. */
  life = 0
  leads = false
  /** Up to where the spread of what it commits as leader of a term over the disks was checked. */
  commitChecked = {term: 0, index: 0}
  /** Clock of this server: `offset + rate * worldMs`. */
  clockOffsetMs = 0
  clockRate = 1
  wakeAtMs = Infinity
  /** What the timeouts of a life are multiplied by. */
  pace: (life: number) => number = () => 1
  /** The heartbeat timeout of this life. */
  patienceMs = 0
  /** The longest promise to a leader that may still hold, kept on disk. */
  private promisedMs = 0
  /** What came in while the server is paused. */
  held: RaftEvent[] | undefined
  private syncing = false
  private syncWaits: {count: number; persistId: number}[] = []
  private tokens = 0

  constructor(
    readonly name: string,
    private readonly core: Core,
    private readonly options: Omit<RaftOptions, 'id' | 'address' | 'random'>,
    private readonly chance: Chance,
    private readonly world: Surroundings,
  ) {
    this.id = serverId(`id-${name}`)
    this.address = serverAddress(`${name}:8300`)
  }

  newToken(): number {
    this.tokens += 1
    return this.tokens
  }

  start(): void {
    this.life += 1
    this.syncing = false
    this.syncWaits = []
    const {snapshot} = this.disk
    this.state = snapshot === undefined ? {index: 0, hash: 0} : snapshot.state
    if (this.world.faults.ignoresSnapshotState === true) this.state = {index: this.state.index, hash: 0}
    if (this.state.index > 0) this.world.checks.restored(this.name, this.state)
    const chance = this.chance.fork()
    this.node = new this.core.RaftNode(
      {...this.options, ...this.timings(), id: this.id, address: this.address, random: chance.real},
      this.restoredState(),
    )
  }

  /** Timeouts of this life, and what may be left of a promise that was given with those of the life before. */
  private timings(): Pick<
    RaftOptions,
    'heartbeatTimeoutMs' | 'electionTimeoutMs' | 'leaderLeaseMs' | 'loyalAtStartMs'
  > {
    const pace = this.pace(this.life)
    const heartbeatTimeoutMs = this.options.heartbeatTimeoutMs * pace
    this.patienceMs = heartbeatTimeoutMs
    const loyalAtStartMs = Math.max(this.promisedMs, heartbeatTimeoutMs)
    this.promisedMs = loyalAtStartMs
    this.world.later(this, loyalAtStartMs * 1.1, () => (this.promisedMs = heartbeatTimeoutMs))
    return {
      heartbeatTimeoutMs,
      electionTimeoutMs: this.options.electionTimeoutMs * pace,
      leaderLeaseMs: this.options.leaderLeaseMs * pace,
      loyalAtStartMs,
    }
  }

  crash(): void {
    this.life += 1
    this.node = undefined
    this.held = undefined
    this.leads = false
    this.commitChecked = {term: 0, index: 0}
    this.wakeAtMs = Infinity
    this.disk.crash(this.chance)
  }

  private restoredState(): Restored {
    const {durable, snapshot} = this.disk
    const termRuns: TermRun[] = []
    const configurations: ConfigurationAt[] = []
    for (const entry of durable.entries) {
      if (termRuns.at(-1)?.term !== entry.term) termRuns.push({firstIndex: entry.index, term: entry.term})
      const configuration = this.core.configurationOf(entry)
      if (configuration !== undefined) configurations.push({index: entry.index, configuration})
    }
    return {
      hardState: durable.hardState,
      firstIndex: durable.firstIndex,
      lastIndex: durable.lastIndex,
      termRuns,
      snapshot: snapshot?.meta,
      configurations,
    }
  }

  clock(worldMs: number): number {
    return this.clockOffsetMs + this.clockRate * worldMs
  }

  worldTime(clockMs: number): number {
    return (clockMs - this.clockOffsetMs) / this.clockRate
  }

  step(event: RaftEvent, worldMs: number): void {
    const {node} = this
    if (node === undefined) return
    const effects = node.step(event, this.clock(worldMs))
    for (const effect of effects) this.carryOut(effect)
    if (this.node !== node) return
    // Never a rounding error early, for a tick that comes too soon asks for the same tick again
    this.wakeAtMs = Math.max(worldMs, this.worldTime(node.nextDeadlineMs())) + 0.001
  }

  private carryOut(effect: RaftEffect): void {
    switch (effect.do) {
      case 'persist':
        return this.persist(effect)
      case 'reset-log':
        return this.write([{write: 'reset', nextIndex: effect.nextIndex}], effect.persistId)
      case 'compact-log':
        return this.compact(effect.upTo)
      case 'read-log':
        return this.readLog(effect)
      case 'send':
      case 'send-snapshot':
        return this.world.send(this, effect)
      case 'respond':
        return this.world.respond(this, effect)
      case 'apply':
        return this.apply(effect.entries)
      case 'take-snapshot':
        return this.takeSnapshot(effect)
      case 'restore-snapshot':
        return this.restore(effect.meta)
      case 'discard-snapshot':
        this.disk.received.delete(effect.meta.id)
        return
      case 'done':
      case 'read-ready':
      case 'refuse':
        return this.world.answered(this, effect)
      case 'tell':
        return this.hear(effect.news)
    }
  }

  private persist(effect: Extract<RaftEffect, {do: 'persist'}>): void {
    const writes: DiskWrite[] = []
    if (effect.hardState !== undefined && this.world.faults.forgetsHardState !== true)
      writes.push({write: 'hard-state', hardState: effect.hardState})
    if (effect.truncateFrom !== undefined) {
      const {snapshot} = this.disk
      if (effect.truncateFrom <= (snapshot?.meta.index ?? 0))
        throw new Broken(`${this.name} cuts its log at ${effect.truncateFrom}, below its snapshot`)
      if (effect.truncateFrom <= this.state.index)
        throw new Broken(`${this.name} cuts its log at ${effect.truncateFrom}, which it has applied`)
      writes.push({write: 'truncate', from: effect.truncateFrom})
    }
    for (const entry of effect.append) writes.push({write: 'append', entry})
    this.write(writes, effect.persistId)
    for (const entry of effect.append) {
      const before = this.disk.seen.at(entry.index - 1)?.term
      const {meta} = this.disk.snapshot ?? {}
      const prev =
        entry.index === 1 ? 0 : (before ?? (meta?.index === entry.index - 1 ? meta.term : undefined))
      this.world.checks.entry(this.name, entry, prev)
    }
  }

  private write(writes: readonly DiskWrite[], persistId: number): void {
    this.disk.write(writes)
    this.syncWaits.push({count: this.disk.pending, persistId})
    if (this.world.faults.saysPersistedTooEarly === true)
      this.world.later(this, 0, () => this.deliver({on: 'persisted', persistId}))
    this.sync()
  }

  /** One sync at a time; it takes in all that waits when it begins, as a group commit does. */
  private sync(): void {
    if (this.syncing || this.syncWaits.length === 0) return
    this.syncing = true
    const last = this.syncWaits.at(-1) as {count: number; persistId: number}
    const slow = this.chance.happens(0.02) ? 40 : 3
    this.world.later(this, this.chance.between(0.05, slow), () => {
      this.syncing = false
      this.disk.sync(last.count)
      this.syncWaits = this.syncWaits
        .filter(wait => wait.persistId > last.persistId)
        .map(wait => ({...wait, count: wait.count - last.count}))
      const {hardState} = this.disk.durable
      if (hardState !== undefined) this.world.checks.hardState(this.name, hardState.term, hardState.votedFor)
      if (this.world.faults.saysPersistedTooEarly !== true)
        this.deliver({on: 'persisted', persistId: last.persistId})
      this.sync()
    })
  }

  private compact(upTo: number): void {
    if (upTo > (this.disk.snapshot?.meta.index ?? 0))
      throw new Broken(`${this.name} throws away entries up to ${upTo} that no snapshot holds`)
    this.disk.write([{write: 'compact', upTo}])
  }

  private readLog(effect: Extract<RaftEffect, {do: 'read-log'}>): void {
    const delay = this.chance.between(0.1, 5)
    this.world.later(this, delay, () => {
      const entries: LogEntry[] = []
      let bytes = 0
      for (let index = effect.from; index <= effect.to; index++) {
        const entry = this.disk.seen.at(index)
        if (entry === undefined || (entries.length > 0 && bytes + entry.data.length > effect.bytesMax)) break
        entries.push(entry)
        bytes += entry.data.length
      }
      this.deliver({on: 'log-read', readId: effect.readId, entries})
    })
  }

  private apply(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      if (entry.index !== this.state.index + 1)
        throw new Broken(`${this.name} applies ${entry.index} after ${this.state.index}`)
      this.state = {index: entry.index, hash: fold(this.state.hash, entry)}
      this.world.checks.applied(this.name, entry, this.state)
    }
    const index = this.state.index
    this.world.later(this, this.chance.between(0, 2), () => this.deliver({on: 'applied', index}))
  }

  private takeSnapshot(effect: Extract<RaftEffect, {do: 'take-snapshot'}>): void {
    const {index, term, configuration, configurationIndex} = effect
    const {state} = this
    if (state.index !== index)
      throw new Broken(`${this.name} snapshots ${index} while it has applied ${state.index}`)
    this.world.later(this, this.chance.between(1, 60), () => {
      if (this.chance.happens(0.05)) {
        this.deliver({on: 'snapshot-taken', meta: undefined})
        return
      }
      const id = `${term}-${index}-${this.life}`
      const meta: SnapshotMeta = {id, index, term, configuration, configurationIndex, size: 64}
      if (index > (this.disk.snapshot?.meta.index ?? 0)) this.disk.snapshot = {meta, state}
      this.deliver({on: 'snapshot-taken', meta})
    })
  }

  private restore(meta: SnapshotMeta): void {
    const stored = this.disk.received.get(meta.id)
    if (stored === undefined)
      throw new Broken(`${this.name} restores a snapshot it does not have: ${meta.id}`)
    this.disk.received.delete(meta.id)
    if (meta.index < this.state.index)
      throw new Broken(`${this.name} goes back from ${this.state.index} to a snapshot of ${meta.index}`)
    this.disk.snapshot = stored
    this.state = stored.state
    this.world.checks.restored(this.name, stored.state)
    this.world.later(this, this.chance.between(0.5, 30), () => this.deliver({on: 'snapshot-restored', meta}))
  }

  private hear(news: RaftNews): void {
    if (news.news === 'log') return
    this.world.trace(this, JSON.stringify(news))
    if (news.news !== 'role') return
    this.leads = news.role === 'leader'
    if (!this.leads) return
    this.world.checks.leader(this.name, news.term, (index, term) => {
      const {meta} = this.disk.snapshot ?? {}
      if (meta !== undefined && meta.index >= index) return true
      return this.disk.seen.at(index)?.term === term
    })
  }

  /** Set by the world: takes an event at its present time. */
  deliver: (event: RaftEvent) => void = () => undefined
}
