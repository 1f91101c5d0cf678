import {LogType} from '../../../src/core/raft/messages.js'
import type {
  LogEntry,
  RaftEffect,
  RaftEvent,
  RaftNews,
  RaftResponse,
  SnapshotMeta,
} from '../../../src/core/raft/messages.js'
import {DEFAULT_OPTIONS} from '../../../src/core/raft/options.js'
import {RaftNode} from '../../../src/core/raft/node.js'
import {readConfigurationEntry, setsConfiguration} from '../../../src/core/raft/configuration-entry.js'
import type {
  ConfigurationAt,
  RaftLimits,
  RaftOptions,
  Restored,
  TermRun,
} from '../../../src/core/raft/types.js'
import type {Configuration, Server} from '../../../src/core/model/configuration.js'
import {serverAddress, serverId} from '../../../src/core/model/ids.js'

/** A small repeatable source of chance (mulberry32). */
export function chance(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

export const voter = (name: string): Server => ({
  id: serverId(name),
  address: serverAddress(`${name}:8300`),
  suffrage: 'voter',
})
export const nonvoter = (name: string): Server => ({...voter(name), suffrage: 'nonvoter'})
export const configurationOf = (...names: string[]): Configuration => ({servers: names.map(voter)})

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const text = (data: Uint8Array): string => new TextDecoder().decode(data)

/** What a server has on disk, as a store would find it. */
export interface Stored {
  term: number
  votedFor: string | undefined
  hasHardState: boolean
  firstIndex: number
  entries: LogEntry[]
  snapshot: SnapshotMeta | undefined
  snapshotState: readonly string[]
}

export const emptyDisk = (): Stored => ({
  term: 0,
  votedFor: undefined,
  hasHardState: false,
  firstIndex: 1,
  entries: [],
  snapshot: undefined,
  snapshotState: [],
})

export function restoredFrom(disk: Stored): Restored {
  const runs: TermRun[] = []
  const configurations: ConfigurationAt[] = []
  for (const entry of disk.entries) {
    if (runs[runs.length - 1]?.term !== entry.term) runs.push({firstIndex: entry.index, term: entry.term})
    if (!setsConfiguration(entry.type)) continue
    const configuration = readConfigurationEntry(entry.type, entry.data)
    if (configuration !== undefined) configurations.push({index: entry.index, configuration})
  }
  return {
    hardState: disk.hasHardState
      ? {term: disk.term, votedFor: disk.votedFor === undefined ? undefined : serverAddress(disk.votedFor)}
      : undefined,
    firstIndex: disk.firstIndex,
    lastIndex: disk.firstIndex + disk.entries.length - 1,
    termRuns: runs,
    snapshot: disk.snapshot,
    configurations,
  }
}

/** Options of a server that differ from the usual ones. */
export type ClusterOptions = Partial<Omit<RaftOptions, 'limits'>> & {
  readonly limits?: Partial<RaftLimits>
}

interface Late {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
}

/** Servers in one process: a clock that is moved by hand, a network with a fixed delay, disks that take a while. */
export class Cluster {
  nowMs = 0
  readonly servers = new Map<string, ClusterServer>()
  networkMs = 1
  diskMs = 1
  private late: Late[] = []
  private order = 0
  /** Pairs `from>to` that nothing gets through. */
  readonly cut = new Set<string>()
  readonly committed = new Map<number, string>()
  readonly leaders = new Map<number, string>()
  private token = 1
  readonly outcomes = new Map<number, RaftEffect>()

  constructor(readonly seed = 1) {}

  add(name: string, options: ClusterOptions = {}): ClusterServer {
    const server = new ClusterServer(this, name, options, chance(this.seed * 1000 + this.servers.size))
    this.servers.set(name, server)
    server.start()
    return server
  }

  /** Servers that know themselves as one configuration. */
  static of(names: readonly string[], options: ClusterOptions = {}, seed = 1): Cluster {
    const cluster = new Cluster(seed)
    for (const name of names) cluster.add(name, options)
    for (const name of names) cluster.bootstrap(name, configurationOf(...names))
    return cluster
  }

  bootstrap(name: string, configuration: Configuration): number {
    return this.wish(name, token => ({on: 'bootstrap', token, configuration}))
  }

  wish(name: string, make: (token: number) => RaftEvent): number {
    const token = this.token++
    this.server(name).take([make(token)])
    return token
  }

  propose(name: string, command: string): number {
    return this.wish(name, token => ({on: 'propose', token, type: LogType.command, data: bytes(command)}))
  }

  server(name: string): ClusterServer {
    const server = this.servers.get(name)
    if (server === undefined) throw new Error(`no server ${name}`)
    return server
  }

  later(ms: number, run: () => void): void {
    this.late.push({atMs: this.nowMs + ms, order: this.order++, run})
  }

  /** Lets time pass until nothing more is due within `ms`. */
  run(ms: number): void {
    const untilMs = this.nowMs + ms
    for (;;) {
      let next: Late | undefined
      for (const one of this.late)
        if (next === undefined || one.atMs < next.atMs || (one.atMs === next.atMs && one.order < next.order))
          next = one
      let dueMs = next?.atMs ?? Infinity
      let ticking: ClusterServer | undefined
      for (const server of this.servers.values()) {
        const due = Math.max(this.nowMs, server.node?.nextDeadlineMs() ?? Infinity)
        if (due < dueMs) {
          dueMs = due
          ticking = server
        }
      }
      if (dueMs > untilMs) break
      this.nowMs = dueMs
      if (ticking !== undefined) ticking.take([{on: 'tick'}])
      else if (next !== undefined) {
        this.late.splice(this.late.indexOf(next), 1)
        next.run()
      }
      this.check()
    }
    this.nowMs = untilMs
  }

  /** Lets time pass until `holds`, at most `ms`. */
  until(holds: () => boolean, ms = 30_000): boolean {
    const endMs = this.nowMs + ms
    while (!holds()) {
      if (this.nowMs >= endMs) return false
      this.run(5)
    }
    return true
  }

  leader(): string | undefined {
    let best: ClusterServer | undefined
    for (const server of this.servers.values()) {
      if (server.node?.status().role !== 'leader') continue
      if (best === undefined || server.term > best.term) best = server
    }
    return best?.name
  }

  /** Waits for a leader that has applied an entry of its term. */
  elect(): string {
    const established = () => {
      const leader = this.leader()
      return leader !== undefined && this.server(leader).node?.status().established === true
    }
    if (!this.until(established)) throw new Error('no leader was elected')
    return this.leader() as string
  }

  isolate(name: string): void {
    for (const other of this.servers.keys())
      if (other !== name) this.cut.add(`${name}>${other}`).add(`${other}>${name}`)
  }

  /** One leader in a term, and one entry at a committed index. */
  private check(): void {
    for (const server of this.servers.values()) {
      const status = server.node?.status()
      if (status?.role !== 'leader') continue
      const known = this.leaders.get(status.term)
      if (known !== undefined && known !== server.name)
        throw new Error(`${known} and ${server.name} both lead term ${status.term}`)
      this.leaders.set(status.term, server.name)
    }
  }

  outcome(token: number): string {
    const effect = this.outcomes.get(token)
    if (effect === undefined) return 'open'
    return effect.do === 'refuse' ? effect.why : effect.do
  }
}

/** One server: the node with a driver around it, and a disk that outlives it. */
export class ClusterServer {
  node: RaftNode | undefined
  disk = emptyDisk()
  applied: string[] = []
  appliedIndex = 0
  news: RaftNews[] = []
  effects: RaftEffect[] = []
  life = 0

  constructor(
    readonly cluster: Cluster,
    readonly name: string,
    readonly options: ClusterOptions,
    private readonly random: () => number,
  ) {}

  get term(): number {
    return this.node?.status().term ?? 0
  }

  start(): void {
    this.life++
    this.applied = [...this.disk.snapshotState]
    this.appliedIndex = this.disk.snapshot?.index ?? 0
    const {id, address} = voter(this.name)
    this.node = new RaftNode(
      {
        ...DEFAULT_OPTIONS,
        ...this.options,
        id,
        address,
        random: this.random,
        limits: {...DEFAULT_OPTIONS.limits, ...this.options.limits},
      },
      restoredFrom(this.disk),
    )
  }

  crash(): void {
    this.life++
    this.node = undefined
    for (const hangUp of this.answers.values()) hangUp(undefined)
    this.answers.clear()
  }

  take(events: readonly RaftEvent[]): void {
    if (this.node === undefined) return
    const effects = this.node.stepAll(events, this.cluster.nowMs)
    this.effects.push(...effects)
    for (const effect of effects) this.carryOut(effect)
  }

  private soon(ms: number, run: () => void): void {
    const {life} = this
    this.cluster.later(ms, () => {
      if (this.life === life) run()
    })
  }

  private diskFreeMs = 0

  /** Does something on disk once everything before it is done. */
  private onDisk(run: () => void): void {
    this.diskFreeMs = Math.max(this.diskFreeMs, this.cluster.nowMs + this.cluster.diskMs)
    this.soon(this.diskFreeMs - this.cluster.nowMs, run)
  }

  private carryOut(effect: RaftEffect): void {
    const {cluster, disk} = this
    switch (effect.do) {
      case 'persist':
        return this.onDisk(() => {
          this.write(effect)
          this.take([{on: 'persisted', persistId: effect.persistId}])
        })
      case 'reset-log':
        return this.onDisk(() => {
          disk.entries = []
          disk.firstIndex = effect.nextIndex
          this.take([{on: 'persisted', persistId: effect.persistId}])
        })
      case 'read-log':
        return this.onDisk(() => this.read(effect))
      case 'compact-log':
        disk.entries = disk.entries.filter(entry => entry.index > effect.upTo)
        disk.firstIndex = Math.max(disk.firstIndex, effect.upTo + 1)
        return
      case 'send':
        return this.send(effect)
      case 'send-snapshot':
        return this.sendSnapshot(effect)
      case 'apply':
        for (const entry of effect.entries) this.apply(entry)
        return this.soon(0, () => this.take([{on: 'applied', index: effect.entries.at(-1)?.index ?? 0}]))
      case 'take-snapshot':
        return this.takeSnapshot(effect)
      case 'restore-snapshot':
        return this.onDisk(() => this.restore(effect.meta))
      case 'respond':
        this.answers.get(effect.token)?.(effect.response)
        this.answers.delete(effect.token)
        return
      case 'done':
      case 'read-ready':
      case 'refuse':
        cluster.outcomes.set(effect.token, effect)
        return
      case 'tell':
        this.news.push(effect.news)
        return
      case 'discard-snapshot':
        return
    }
  }

  private write(effect: RaftEffect & {do: 'persist'}): void {
    const {disk} = this
    if (effect.hardState !== undefined) {
      disk.hasHardState = true
      disk.term = effect.hardState.term
      disk.votedFor = effect.hardState.votedFor
    }
    const {truncateFrom} = effect
    if (truncateFrom !== undefined) disk.entries = disk.entries.filter(entry => entry.index < truncateFrom)
    for (const entry of effect.append) {
      if (entry.index !== disk.firstIndex + disk.entries.length) throw new Error('a gap in the log on disk')
      disk.entries.push(entry)
    }
  }

  private read({readId, from, to, bytesMax}: RaftEffect & {do: 'read-log'}): void {
    const found: LogEntry[] = []
    let size = 0
    for (const entry of this.disk.entries) {
      if (entry.index < from || entry.index > to) continue
      size += entry.data.length
      if (found.length > 0 && size > bytesMax) break
      found.push(entry)
    }
    this.take([{on: 'log-read', readId, entries: found[0]?.index === from ? found : []}])
  }

  private apply(entry: LogEntry): void {
    if (entry.index !== this.appliedIndex + 1)
      throw new Error(`${this.name} applied ${entry.index} out of order`)
    this.appliedIndex = entry.index
    const mark = `${entry.term} ${entry.type} ${text(entry.data)}`
    const known = this.cluster.committed.get(entry.index)
    if (known !== undefined && known !== mark)
      throw new Error(`entry ${entry.index} was applied as "${known}" and by ${this.name} as "${mark}"`)
    this.cluster.committed.set(entry.index, mark)
    if (entry.type === LogType.command) this.applied.push(text(entry.data))
  }

  private answers = new Map<number, (response: RaftResponse | undefined) => void>()
  private tokens = 1_000_000

  /** Takes a request from another server, which gets the answer through `answer`. */
  receive(make: (token: number) => RaftEvent, answer: (response: RaftResponse | undefined) => void): void {
    const token = this.tokens++
    this.answers.set(token, answer)
    this.take([make(token)])
  }

  private reaches(other: string): boolean {
    return !this.cluster.cut.has(`${this.name}>${other}`) && this.cluster.server(other).node !== undefined
  }

  private exchange(
    other: string,
    requestId: number,
    make: (token: number) => RaftEvent,
    onArrival: () => void = () => undefined,
  ): void {
    const {cluster} = this
    const fail = () => this.take([{on: 'response', requestId, response: undefined}])
    if (!cluster.servers.has(other) || !this.reaches(other)) return this.soon(cluster.networkMs, fail)
    const target = cluster.server(other)
    const {life} = target
    this.soon(cluster.networkMs, () => {
      if (!this.reaches(other) || target.life !== life) return fail()
      onArrival()
      target.receive(make, response => {
        this.soon(cluster.networkMs, () => {
          const back = !cluster.cut.has(`${other}>${this.name}`)
          this.take([{on: 'response', requestId, response: back ? response : undefined}])
        })
      })
    })
  }

  private send({requestId, to, request}: RaftEffect & {do: 'send'}): void {
    this.exchange(to.address.split(':')[0] ?? '', requestId, token => ({on: 'request', token, request}))
  }

  /** Snapshots received and not yet in use. */
  readonly staged = new Map<string, readonly string[]>()

  private sendSnapshot({requestId, to, request}: RaftEffect & {do: 'send-snapshot'}): void {
    const other = to.address.split(':')[0] ?? ''
    const state = this.disk.snapshotState
    this.exchange(
      other,
      requestId,
      token => ({on: 'snapshot-received', token, request}),
      () => this.cluster.server(other).staged.set(request.meta.id, state),
    )
  }

  private takeSnapshot(effect: RaftEffect & {do: 'take-snapshot'}): void {
    if (effect.index !== this.appliedIndex)
      throw new Error('a snapshot of another state than the one at hand')
    const state = [...this.applied]
    const meta: SnapshotMeta = {
      ...effect,
      id: `${effect.term}-${effect.index}-${this.name}`,
      size: state.length,
    }
    this.onDisk(() => {
      this.disk.snapshot = meta
      this.disk.snapshotState = state
      this.take([{on: 'snapshot-taken', meta}])
    })
  }

  private restore(meta: SnapshotMeta): void {
    const state = this.staged.get(meta.id)
    if (state === undefined) throw new Error('a snapshot is restored that was never received')
    this.disk.snapshot = meta
    this.disk.snapshotState = state
    this.applied = [...state]
    this.appliedIndex = meta.index
    this.take([{on: 'snapshot-restored', meta}])
  }
}
