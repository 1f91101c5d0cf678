import {assertNever} from '../core/assert.js'
import type {ApplyResult} from '../core/fsm/messages.js'
import type {StateMachine} from '../core/fsm/state-machine.js'
import type {Configuration} from '../core/model/configuration.js'
import type {ServerId} from '../core/model/ids.js'
import {LogType} from '../core/raft/messages.js'
import type {
  Channel,
  ConfigurationChange,
  LogEntry,
  RaftEffect,
  RaftEvent,
  SnapshotRules,
  RaftNews,
  RaftRequest,
  RaftResponse,
  Refusal,
  SnapshotMeta,
  SnapshotRequest,
  Target,
} from '../core/raft/messages.js'
import {RaftNode} from '../core/raft/node.js'
import type {RaftOptions, RaftStatus, Restored} from '../core/raft/types.js'
import type {RaftStore, SnapshotWriter} from './store/raft-store.js'
import {loadSnapshot} from './store/recover-cluster.js'

/** A request that is not a snapshot's head. */
export type PlainRequest = Exclude<RaftRequest, SnapshotRequest>

/** What carries our requests to other servers. `done` is called once for each, with undefined when no answer came. */
export interface RaftCarrier {
  send(
    to: Target,
    channel: Channel,
    request: PlainRequest,
    done: (response: RaftResponse | undefined) => void,
  ): void
  sendSnapshot(
    to: Target,
    request: SnapshotRequest,
    state: AsyncIterable<Uint8Array>,
    done: (response: RaftResponse | undefined) => void,
  ): void
}

/** What came of a wish: done as entry `index`, with the state machine's answer to a command, or why not. */
export type WishOutcome =
  | {readonly ok: true; readonly index: number; readonly result: ApplyResult}
  | {readonly ok: false; readonly why: Refusal; readonly leader: Target | undefined}

/** What a driver works with. */
export interface RaftDriverDeps {
  readonly options: RaftOptions
  readonly store: RaftStore
  /** What the node begins with, where that is not what the store found. */
  readonly restored?: Restored
  readonly machine: StateMachine
  readonly carrier: RaftCarrier
  /** Told what changed, in order, before anything that follows from it. */
  readonly onNews: (news: RaftNews) => void
  /** Told once when this server can take no further part: its disk failed, or its state machine cannot be loaded. */
  readonly onFatal: (error: Error) => void
}

type Wish = RaftEvent & {readonly token: number; readonly on: string}
type WithoutToken<T> = T extends unknown ? Omit<T, 'token'> : never
type WishWords = WithoutToken<
  Extract<
    Wish,
    {
      readonly on:
        'propose' | 'read' | 'change-configuration' | 'transfer-leadership' | 'bootstrap' | 'take-snapshot'
    }
  >
>

const NO_BYTES = new Uint8Array(0)
/** A backlog of entries to apply is worked off in stretches of about this, with heartbeats answered in between. */
const TURN_MS = 10

/**
 * The loop around a RaftNode: events of one turn of the process go in together, effects are begun in their order.
 * Everything of Raft happens here, one step at a time.
 */
export class RaftDriver {
  private readonly node: RaftNode
  private events: RaftEvent[] = []
  private scheduled = false
  private stopped = false
  private nextToken = 1
  private readonly wishes = new Map<number, (outcome: WishOutcome) => void>()
  private readonly answers = new Map<number, (response: RaftResponse | undefined) => void>()
  /** Answers of the state machine to entries whose proposers may still be waiting. */
  private readonly results = new Map<number, ApplyResult>()
  private timer: NodeJS.Timeout | undefined
  private timerAtMs = Infinity
  /** The read that all who ask for one before the next step share: it begins after the last of them has asked. */
  private nextRead: Promise<WishOutcome> | undefined

  constructor(private readonly deps: RaftDriverDeps) {
    this.node = new RaftNode(deps.options, deps.restored ?? deps.store.found)
  }

  /** Begins; nothing happens before. */
  start(): void {
    this.feed({on: 'tick'})
  }

  status(): RaftStatus {
    return this.node.status()
  }

  /** When a leader was last heard of, on the monotonic clock. */
  lastContactMs(): number | undefined {
    return this.node.status().lastContactMs
  }

  /** Whether no other server can lead now, so that a read of the leader may be answered without asking others. */
  get holdsLease(): boolean {
    return performance.now() < this.node.leaseUntilMs()
  }

  /** Proposes a command; done when this server has applied it. */
  propose(data: Uint8Array): Promise<WishOutcome> {
    return this.wish({on: 'propose', type: LogType.command, data})
  }

  /** Waits until everything that was committed by now is applied, by an entry of our own. */
  barrier(): Promise<WishOutcome> {
    return this.wish({on: 'propose', type: LogType.barrier, data: NO_BYTES})
  }

  /** Done when a linearizable read may be served. */
  read(): Promise<WishOutcome> {
    return (this.nextRead ??= this.wish({on: 'read', lease: false}))
  }

  changeConfiguration(change: ConfigurationChange, prevIndex = 0): Promise<WishOutcome> {
    return this.wish({on: 'change-configuration', change, prevIndex})
  }

  transferLeadership(to: ServerId | undefined): Promise<WishOutcome> {
    return this.wish({on: 'transfer-leadership', to})
  }

  bootstrap(configuration: Configuration): Promise<WishOutcome> {
    return this.wish({on: 'bootstrap', configuration})
  }

  /** Makes snapshots by other rules from now on. */
  setSnapshots(rules: SnapshotRules): void {
    this.feed({on: 'set-snapshots', rules})
  }

  takeSnapshot(): Promise<WishOutcome> {
    return this.wish({on: 'take-snapshot'})
  }

  /** A request of another server; `respond` is called once, with undefined when there is no answer. */
  request(request: PlainRequest, respond: (response: RaftResponse | undefined) => void): void {
    if (this.stopped) return respond(undefined)
    const token = this.nextToken++
    this.answers.set(token, respond)
    this.feed({on: 'request', token, request})
  }

  /** A snapshot that another server sends; resolves to our answer. Rejects when it breaks off or cannot be stored. */
  async receiveSnapshot(
    request: SnapshotRequest,
    state: AsyncIterable<Uint8Array>,
  ): Promise<RaftResponse | undefined> {
    const {id: _id, size: _size, ...head} = request.meta
    const writer = await this.deps.store.snapshots.receive(head)
    let meta: SnapshotMeta
    try {
      for await (const chunk of state) await writer.write(chunk)
      meta = await writer.finish()
    } catch (error) {
      await writer.abort()
      throw error
    }
    if (this.stopped) return undefined
    return new Promise(resolve => {
      const token = this.nextToken++
      this.answers.set(token, resolve)
      this.feed({on: 'snapshot-received', token, request: {...request, meta}})
    })
  }

  /** Ends all that waits and closes the store. Nothing is said to others. */
  async stop(): Promise<void> {
    this.halt()
    await this.deps.store.close()
  }

  private halt(): void {
    this.stopped = true
    clearTimeout(this.timer)
    this.nextRead = undefined
    for (const settle of this.wishes.values()) settle({ok: false, why: 'shutting-down', leader: undefined})
    this.wishes.clear()
    for (const respond of this.answers.values()) respond(undefined)
    this.answers.clear()
  }

  private wish(words: WishWords): Promise<WishOutcome> {
    return new Promise(resolve => {
      if (this.stopped) return resolve({ok: false, why: 'shutting-down', leader: undefined})
      const token = this.nextToken++
      this.wishes.set(token, resolve)
      this.feed({...words, token} as RaftEvent)
    })
  }

  /** Takes an event; all that come in one turn of the process are stepped together. */
  private feed(event: RaftEvent): void {
    if (this.stopped) return
    this.events.push(event)
    this.schedule()
  }

  private turn(): void {
    this.scheduled = false
    try {
      const yieldMs = performance.now() + TURN_MS
      while (this.events.length > 0 && !this.stopped && performance.now() < yieldMs) {
        const events = this.events
        this.events = []
        this.nextRead = undefined
        for (const effect of this.node.stepAll(events, performance.now())) this.perform(effect)
        const applied = events.findLast(event => event.on === 'applied')
        if (applied !== undefined) this.forgetResults(applied.index)
      }
    } catch (error) {
      this.fail(error)
    }
    if (this.stopped) return
    if (this.events.length > 0) this.schedule()
    this.arm()
  }

  private schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    setImmediate(() => this.turn())
  }

  /** Lets a timer stand that rings early: it costs less than to set one for every step. */
  private arm(): void {
    const deadlineMs = this.node.nextDeadlineMs()
    if (this.timer !== undefined && this.timerAtMs <= deadlineMs) return
    clearTimeout(this.timer)
    this.timerAtMs = deadlineMs
    const delayMs = Math.min(3_600_000, Math.max(0, Math.ceil(deadlineMs - performance.now())))
    this.timer = setTimeout(() => {
      this.timer = undefined
      this.feed({on: 'tick'})
    }, delayMs)
  }

  private fail(error: unknown): void {
    if (this.stopped) return
    this.halt()
    this.deps.onFatal(error instanceof Error ? error : new Error(String(error)))
  }

  private perform(effect: RaftEffect): void {
    const {store, carrier} = this.deps
    switch (effect.do) {
      case 'persist':
      case 'reset-log':
        return store.persist(effect)
      case 'read-log':
        return void this.readLog(effect)
      case 'compact-log':
        return store.compact(effect.upTo)
      case 'send':
        return carrier.send(effect.to, effect.channel, effect.request, response =>
          this.feed({on: 'response', requestId: effect.requestId, response}),
        )
      case 'send-snapshot':
        return void this.sendSnapshot(effect)
      case 'respond':
        this.answers.get(effect.token)?.(effect.response)
        this.answers.delete(effect.token)
        return
      case 'apply':
        return this.apply(effect.entries)
      case 'take-snapshot':
        return void this.writeSnapshot(effect)
      case 'restore-snapshot':
        return void this.restoreSnapshot(effect.meta)
      case 'discard-snapshot':
        return void store.snapshots.discard(effect.meta).catch((error: unknown) => this.fail(error))
      case 'done':
        return this.settle(effect.token, {
          ok: true,
          index: effect.index,
          result: this.results.get(effect.index),
        })
      case 'read-ready':
        return this.settle(effect.token, {ok: true, index: effect.index, result: undefined})
      case 'refuse':
        return this.settle(effect.token, {ok: false, why: effect.why, leader: effect.leader})
      case 'tell':
        return this.deps.onNews(effect.news)
      default:
        return assertNever(effect)
    }
  }

  /** All persists up to this id are on disk: for the store's listener. */
  persisted(persistId: number): void {
    this.feed({on: 'persisted', persistId})
  }

  /** The disk has failed: for the store's listener. */
  diskFailed(error: Error): void {
    this.fail(error)
  }

  private settle(token: number, outcome: WishOutcome): void {
    this.wishes.get(token)?.(outcome)
    this.wishes.delete(token)
  }

  private apply(entries: readonly LogEntry[]): void {
    const {machine} = this.deps
    const wanted = this.wishes.size > 0
    let index = 0
    for (const entry of entries) {
      index = entry.index
      if (entry.type !== LogType.command) continue
      const result = machine.apply(index, entry.data)
      if (wanted) this.results.set(index, result)
    }
    this.events.push({on: 'applied', index})
  }

  private forgetResults(upTo: number): void {
    for (const index of this.results.keys()) {
      if (index > upTo) break
      this.results.delete(index)
    }
  }

  private async readLog({readId, from, to, bytesMax}: RaftEffect & {readonly do: 'read-log'}): Promise<void> {
    let entries: readonly LogEntry[] = []
    try {
      entries = await this.deps.store.read(from, to, bytesMax)
    } catch (error) {
      const {firstIndex, lastIndex} = this.node.status()
      // What was cut or compacted meanwhile is rightly gone; anything else is a disk that cannot be read
      if (from >= firstIndex && from <= lastIndex) return this.fail(error)
    }
    this.feed({on: 'log-read', readId, entries})
  }

  private async sendSnapshot(effect: RaftEffect & {readonly do: 'send-snapshot'}): Promise<void> {
    const done = (response: RaftResponse | undefined): void =>
      this.feed({on: 'response', requestId: effect.requestId, response})
    try {
      const reader = await this.deps.store.snapshots.open(effect.request.meta.id)
      this.deps.carrier.sendSnapshot(effect.to, effect.request, reader.chunks(), done)
    } catch {
      done(undefined) // a newer snapshot has taken its place; the core will send that one
    }
  }

  /** The state is taken now, at once; writing it takes its time. */
  private async writeSnapshot(effect: RaftEffect & {readonly do: 'take-snapshot'}): Promise<void> {
    const {do: _do, ...head} = effect
    const chunks = this.deps.machine.snapshot()
    let writer: SnapshotWriter | undefined
    try {
      writer = await this.deps.store.snapshots.create(head)
      for (const chunk of chunks) await writer.write(chunk)
      this.feed({on: 'snapshot-taken', meta: await writer.finish()})
    } catch (error) {
      await writer?.abort().catch(() => undefined) // what is left of it goes at the next start
      const text = `failed to write a snapshot: ${error instanceof Error ? error.message : String(error)}`
      this.deps.onNews({news: 'log', level: 'error', text})
      this.feed({on: 'snapshot-taken', meta: undefined})
    }
  }

  private async restoreSnapshot(meta: SnapshotMeta): Promise<void> {
    const {store, machine} = this.deps
    try {
      await store.snapshots.install(meta)
      await loadSnapshot(machine, await store.snapshots.open(meta.id))
      this.feed({on: 'snapshot-restored', meta})
    } catch (error) {
      this.fail(error)
    }
  }
}
