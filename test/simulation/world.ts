import type {ServerId} from '../../src/core/model/ids.js'
import type {RaftEvent, RaftResponse} from '../../src/core/raft/messages.js'
import type {RaftOptions} from '../../src/core/raft/types.js'
import type {Chance} from './chance.js'
import {Broken, Checks} from './checks.js'
import {Network} from './network.js'
import type {NetworkWeather} from './network.js'
import {SimulatedServer} from './server.js'
import type {Answered, Core, DriverFaults, Sending, Surroundings} from './server.js'

/** Everything a seed decides before the first event. */
export interface Weather {
  readonly servers: number
  readonly spares: number
  readonly network: NetworkWeather
  readonly crashes: number
  readonly partitions: number
  readonly pauses: number
  readonly changes: number
  readonly transfers: number
  readonly reads: number
  readonly drift: number
  readonly recovery: boolean
  readonly options: Omit<RaftOptions, 'id' | 'address' | 'random'>
  /** What the timeouts of servers are multiplied by, taken in turn with each start; none where all are alike. */
  readonly paces: readonly number[]
}

/** More events than any sound world has: a core that asks to be woken for nothing never comes to an end. */
const EVENTS_MAX = 300_000

interface Wish {
  readonly kind: 'put' | 'read' | 'other'
  readonly text: string
  /** Highest index that had been acknowledged when the wish was made. */
  readonly floor: number
  readonly epoch: number
}

interface Ask {
  readonly from: SimulatedServer
  readonly life: number
  readonly requestId: number
}

interface Happening {
  readonly atMs: number
  readonly order: number
  readonly act: () => void
}

/** A world of servers that lives by one seed. */
export class World {
  nowMs = 0
  events = 0
  readonly checks = new Checks()
  readonly servers: SimulatedServer[] = []
  readonly network: Network
  readonly trail: string[] = []
  acknowledged = 0
  readonly counts = {puts: 0, reads: 0, crashes: 0, snapshots: 0, changes: 0, recoveries: 0}
  private readonly heap: Happening[] = []
  private order = 0
  private readonly wishes = new Map<string, Wish>()
  private readonly asks = new Map<string, Ask>()
  private readonly open = new Map<string, boolean>()
  private puts = 0

  constructor(
    readonly chance: Chance,
    readonly weather: Weather,
    readonly core: Core,
    faults: DriverFaults,
  ) {
    this.network = new Network(chance.fork(), weather.network)
    const surroundings: Surroundings = {
      checks: this.checks,
      faults,
      later: (server, delayMs, act) => {
        const {life} = server
        this.at(this.nowMs + delayMs, () => server.life === life && act())
      },
      send: (from, effect) => this.send(from, effect),
      respond: (from, effect) => this.respond(from, effect.token, effect.response),
      answered: (server, effect) => this.answered(server, effect),
      trace: (server, text) => this.trace(`${server.name} ${text}`),
    }
    for (let i = 0; i < weather.servers + weather.spares; i++) {
      const name = String.fromCharCode(97 + i)
      const server = new SimulatedServer(name, core, weather.options, chance.fork(), surroundings)
      server.pace = life => weather.paces[(i + life) % weather.paces.length] ?? 1
      server.clockOffsetMs = chance.between(0, 1e6)
      server.clockRate = 1 + chance.between(-weather.drift, weather.drift)
      server.deliver = event => this.deliver(server, event)
      this.servers.push(server)
    }
  }

  trace(text: string): void {
    this.trail.push(`${this.nowMs.toFixed(2).padStart(10)} ${text}`)
    if (this.trail.length > 400) this.trail.splice(0, 200)
  }

  /** Runs until a time, or until nothing happens any more. */
  run(untilMs: number): void {
    for (;;) {
      const wake = this.nextWake()
      const next = this.heap[0]
      const wakeAtMs = wake?.wakeAtMs ?? Infinity
      const atMs = Math.min(next?.atMs ?? Infinity, wakeAtMs)
      if (atMs > untilMs) break
      this.nowMs = Math.max(this.nowMs, atMs)
      if (wake !== undefined && wakeAtMs <= (next?.atMs ?? Infinity)) this.deliver(wake, {on: 'tick'})
      else this.pop()?.act()
    }
    this.nowMs = untilMs
  }

  deliver(server: SimulatedServer, event: RaftEvent): void {
    if (server.node === undefined) return
    if (server.held !== undefined) {
      if (event.on !== 'tick') server.held.push(event)
      return
    }
    this.events += 1
    if (this.events > EVENTS_MAX)
      throw new Broken(`${server.name} spins: ${JSON.stringify(event).slice(0, 200)}`)
    server.step(event, this.nowMs)
    this.checkCommit(server)
  }

  /** A client's wish at one server. */
  put(server: SimulatedServer): void {
    if (server.node === undefined) return
    this.puts += 1
    const text = `w${this.puts}`
    const token = this.wish(server, 'put', text)
    this.counts.puts += 1
    this.deliver(server, {on: 'propose', token, type: 0, data: new TextEncoder().encode(text)})
  }

  read(server: SimulatedServer, lease: boolean): void {
    if (server.node === undefined) return
    this.counts.reads += 1
    this.deliver(server, {on: 'read', token: this.wish(server, 'read', ''), lease})
  }

  other(server: SimulatedServer, event: (token: number) => RaftEvent): void {
    if (server.node !== undefined) this.deliver(server, event(this.wish(server, 'other', '')))
  }

  /** Whom clients turn to: the running leader of the newest term. */
  leader(): SimulatedServer | undefined {
    const leaders = this.servers.filter(server => server.leads && server.held === undefined)
    const term = (server: SimulatedServer): number => server.node?.status().term ?? 0
    return leaders.length < 2 ? leaders[0] : leaders.reduce((a, b) => (term(b) > term(a) ? b : a))
  }

  byId(id: ServerId): SimulatedServer | undefined {
    return this.servers.find(server => server.id === id)
  }

  crash(server: SimulatedServer): void {
    if (server.node === undefined) return
    this.counts.crashes += 1
    this.trace(`${server.name} crashes`)
    server.crash()
  }

  start(server: SimulatedServer): void {
    if (server.node !== undefined) return
    this.trace(`${server.name} starts`)
    server.start()
    this.deliver(server, {on: 'tick'})
  }

  /** Stops a server as SIGSTOP does: what comes meanwhile waits for it, and it does not know that time has passed. */
  pause(server: SimulatedServer, forMs: number): void {
    if (server.node === undefined || server.held !== undefined) return
    this.trace(`${server.name} is paused`)
    const {life} = server
    server.held = []
    server.wakeAtMs = Infinity
    this.at(this.nowMs + forMs, () => {
      const {held} = server
      if (server.life !== life || held === undefined) return
      this.trace(`${server.name} goes on`)
      server.held = undefined
      // Clients come by connections of their own, and may be heard before the other servers are
      const clients = held.filter(event => event.on === 'read' || event.on === 'propose')
      const others = held.filter(event => event.on !== 'read' && event.on !== 'propose')
      for (const event of this.chance.happens(0.5) ? [...clients, ...others] : held)
        this.deliver(server, event)
      this.deliver(server, {on: 'tick'})
    })
  }

  at(atMs: number, act: () => void): void {
    this.order += 1
    push(this.heap, {atMs, order: this.order, act})
  }

  private pop(): Happening | undefined {
    return take(this.heap)
  }

  private nextWake(): SimulatedServer | undefined {
    let first: SimulatedServer | undefined
    for (const server of this.servers)
      if (server.node !== undefined && server.wakeAtMs < (first?.wakeAtMs ?? Infinity)) first = server
    return first
  }

  private wish(server: SimulatedServer, kind: Wish['kind'], text: string): number {
    const token = server.newToken()
    const key = `${server.name} ${server.life} ${token}`
    this.wishes.set(key, {kind, text, floor: this.acknowledged, epoch: this.checks.epoch})
    return token
  }

  private answered(server: SimulatedServer, effect: Answered): void {
    const key = `${server.name} ${server.life} ${effect.token}`
    const wish = this.wishes.get(key)
    if (wish === undefined)
      throw new Broken(`${server.name} answers token ${effect.token} twice, or nobody's`)
    this.wishes.delete(key)
    if (effect.do === 'refuse' || wish.epoch !== this.checks.epoch) return
    if (effect.do === 'read-ready') {
      if (effect.index < wish.floor)
        throw new Broken(`${server.name} reads at ${effect.index} what was acknowledged up to ${wish.floor}`)
      if (server.state.index < effect.index)
        throw new Broken(`${server.name} lets read at ${effect.index}, having applied ${server.state.index}`)
      return
    }
    if (wish.kind === 'put') {
      if (this.checks.textAt(effect.index) !== wish.text)
        throw new Broken(`${server.name} says ${wish.text} is entry ${effect.index}, and it is not`)
      this.acknowledged = Math.max(this.acknowledged, effect.index)
    }
  }

  /** What a leader counts as committed must be on the disks of a quorum of the configuration in force. */
  private checkCommit(server: SimulatedServer): void {
    if (!server.leads || server.node === undefined) return
    const {commitIndex: index, latest, term: leads} = server.node.status()
    // What it knew as a follower was committed under the configuration of its day
    if (server.commitChecked.term !== leads) server.commitChecked = {term: leads, index}
    if (index <= server.commitChecked.index) return
    server.commitChecked = {term: leads, index}
    // What the leader has compacted away it has applied before
    const term = server.disk.seen.at(index)?.term ?? this.checks.termAt(index)
    const voters = latest.configuration.servers.filter(one => one.suffrage === 'voter')
    const holders = voters.filter(voter => {
      const disk = this.byId(voter.id)?.disk
      if (disk === undefined) return false
      return (disk.snapshot?.meta.index ?? 0) >= index || disk.durable.at(index)?.term === term
    })
    if (holders.length * 2 > voters.length) return
    const have = `${holders.length} of ${voters.length} voters`
    throw new Broken(`${server.name} commits ${index}, which only ${have} have on disk`)
  }

  private send(from: SimulatedServer, effect: Sending): void {
    const to = this.byId(effect.to.id)
    const {life} = from
    const key = `${from.name} ${life} ${effect.requestId}`
    if (this.open.has(key)) throw new Broken(`${from.name} uses request id ${effect.requestId} twice`)
    this.open.set(key, true)
    const ask: Ask = {from, life, requestId: effect.requestId}
    const giveUp = effect.do === 'send-snapshot' ? 3000 : 400
    this.at(this.nowMs + this.chance.between(giveUp / 2, giveUp), () => this.reply(ask, undefined))
    if (to === undefined) return
    const channel = effect.do === 'send-snapshot' ? 'snapshot' : effect.channel
    const stored = effect.do === 'send-snapshot' ? from.disk.snapshot : undefined
    if (effect.do === 'send-snapshot') {
      this.counts.snapshots += 1
      // The snapshot may have been replaced by a newer one before it was sent.
      if (stored === undefined || stored.meta.id !== effect.request.meta.id) return
    }
    const extra = effect.do === 'send-snapshot' ? this.chance.between(1, 200) : 0
    for (const atMs of this.network.arrivals(from.name, to.name, channel, this.nowMs))
      this.at(atMs + extra, () => {
        if (to.node === undefined || !this.network.passes(from.name, to.name)) return
        const token = to.newToken()
        this.asks.set(`${to.name} ${to.life} ${token}`, ask)
        if (effect.do === 'send') return this.deliver(to, {on: 'request', token, request: effect.request})
        const meta = {...effect.request.meta, id: `${effect.request.meta.id}-${token}`}
        to.disk.received.set(meta.id, {meta, state: (stored as NonNullable<typeof stored>).state})
        this.deliver(to, {on: 'snapshot-received', token, request: {...effect.request, meta}})
      })
  }

  private respond(from: SimulatedServer, token: number, response: RaftResponse): void {
    const key = `${from.name} ${from.life} ${token}`
    const ask = this.asks.get(key)
    if (ask === undefined) throw new Broken(`${from.name} answers request ${token} twice, or nobody's`)
    this.asks.delete(key)
    for (const atMs of this.network.arrivals(from.name, ask.from.name, `answer ${response.rpc}`, this.nowMs))
      this.at(atMs, () => this.network.passes(from.name, ask.from.name) && this.reply(ask, response))
  }

  /** A request is answered once: by the first answer, or by giving up. */
  private reply(ask: Ask, response: RaftResponse | undefined): void {
    const key = `${ask.from.name} ${ask.life} ${ask.requestId}`
    if (!this.open.delete(key) || ask.from.life !== ask.life) return
    this.deliver(ask.from, {on: 'response', requestId: ask.requestId, response})
  }
}

const before = (a: Happening, b: Happening): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)

function push(heap: Happening[], item: Happening): void {
  let at = heap.push(item) - 1
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!before(item, heap[parent] as Happening)) break
    heap[at] = heap[parent] as Happening
    at = parent
  }
  heap[at] = item
}

function take(heap: Happening[]): Happening | undefined {
  const first = heap[0]
  const last = heap.pop()
  if (first === undefined || last === undefined || heap.length === 0) return first
  let at = 0
  for (;;) {
    let child = at * 2 + 1
    if (child >= heap.length) break
    const right = heap[child + 1]
    if (right !== undefined && before(right, heap[child] as Happening)) child += 1
    if (!before(heap[child] as Happening, last)) break
    heap[at] = heap[child] as Happening
    at = child
  }
  heap[at] = last
  return first
}
