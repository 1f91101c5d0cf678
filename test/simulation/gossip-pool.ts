import {assert} from '../../src/core/assert.js'
import type {Endpoint, Member} from '../../src/core/gossip/member.js'
import type {GossipEffect, GossipEvent} from '../../src/core/gossip/messages.js'
import {GossipNode} from '../../src/core/gossip/node.js'
import {DATAGRAM_BYTES_MAX} from '../../src/core/gossip/packets.js'
import {PROFILES} from '../../src/core/gossip/profile.js'
import {replaySnapshot} from '../../src/core/gossip/snapshot.js'
import {decodeStreamMessage} from '../../src/core/wire/gossip-stream.js'
import type {Chance} from './chance.js'

/** How packets fare. Streams are reliable, but slow, and cut by partitions. */
export interface PoolWeather {
  readonly loss: number
  readonly duplication: number
  readonly delayMinMs: number
  readonly delayMaxMs: number
}

/** What is true of a member, whatever others believe. */
export type Fate = 'up' | 'down' | 'leaving' | 'left' | 'forced'

/** One member: what it is across its lives. */
export interface PoolMember {
  readonly name: string
  readonly endpoint: Endpoint
  tags: Readonly<Record<string, string>>
  node: GossipNode | undefined
  fate: Fate
  /** Its snapshot file, which outlives it. */
  disk: string[]
  life: number
  wakeAtMs: number
}

/** Something that a member was told. */
export interface Told {
  readonly atMs: number
  readonly observer: string
  readonly effect: Extract<GossipEffect, {do: 'member-changed' | 'user-event'}>
}

const SEAL_OVERHEAD = 29

/** A broken rule of the world. */
export class PoolBroken extends Error {
  override readonly name = 'PoolBroken'
}

/** A pool of members in virtual time: all chance comes from one seed, and no real time passes. */
export class GossipPool {
  nowMs = 0
  events = 0
  readonly members: PoolMember[] = []
  readonly told: Told[] = []
  readonly trail: string[] = []
  /** Results of joins, leaves and force-leaves by token. */
  readonly done = new Map<number, GossipEffect>()
  private sides: ReadonlySet<string> | undefined
  private readonly agenda = new Agenda()
  private nextToken = 1

  constructor(
    private readonly chance: Chance,
    public weather: PoolWeather,
    count: number,
  ) {
    for (let i = 1; i <= count; i++)
      this.members.push({
        name: `n${i}`,
        endpoint: {ip: `10.0.${i >> 8}.${i & 255}`, port: 7946},
        tags: {role: 'web', n: String(i)},
        node: undefined,
        fate: 'down',
        disk: [],
        life: 0,
        wakeAtMs: Infinity,
      })
  }

  /** Does something at a time. */
  at(atMs: number, act: () => void): void {
    this.agenda.add(Math.max(atMs, this.nowMs), act)
  }

  /** Lets everything happen up to a time. */
  run(untilMs: number): void {
    for (let next = this.agenda.take(untilMs); next !== undefined; next = this.agenda.take(untilMs)) {
      this.nowMs = next.atMs
      this.events++
      next.act()
    }
    this.nowMs = untilMs
  }

  /** Starts a member with what its disk remembers. */
  start(member: PoolMember): void {
    if (member.node !== undefined) return
    this.trace(`start ${member.name}`)
    const text = member.disk.map(line => `${line}\n`).join('')
    member.life++
    member.fate = 'up'
    member.node = new GossipNode(
      {
        name: member.name,
        advertise: member.endpoint,
        tags: member.tags,
        profile: PROFILES.lan,
        random: this.chance.fork().real,
        sealOverhead: SEAL_OVERHEAD,
        delegateProtocol: 4,
        mergeRule: undefined,
        resolveNameConflicts: false,
        restored: replaySnapshot(new TextEncoder().encode(text), false),
      },
      this.nowMs,
    )
    this.feed(member, {on: 'tick'})
  }

  /** Kills a member without a word. */
  kill(member: PoolMember): void {
    if (member.node === undefined) return
    this.trace(`kill ${member.name}`)
    member.node = undefined
    if (member.fate === 'up' || member.fate === 'leaving') member.fate = 'down'
  }

  /** Asks a member for something that is answered by token. */
  ask(member: PoolMember, event: (token: number) => GossipEvent): number {
    const token = this.nextToken++
    this.feed(member, event(token))
    return token
  }

  /** Makes a member leave; it is stopped once it is out. */
  leave(member: PoolMember): void {
    if (member.node === undefined || member.fate !== 'up') return
    this.trace(`leave ${member.name}`)
    member.fate = 'leaving'
    this.ask(member, token => ({on: 'leave', token}))
  }

  /** Parts those named from all others; undefined heals. */
  partition(names: ReadonlySet<string> | undefined): void {
    this.trace(names === undefined ? 'heal' : `part ${[...names].join(',')}`)
    this.sides = names
  }

  up(): readonly PoolMember[] {
    return this.members.filter(({node}) => node !== undefined)
  }

  byName(name: string): PoolMember | undefined {
    return this.members.find(member => member.name === name)
  }

  /** How one member sees another. */
  view(observer: PoolMember, name: string): Member | undefined {
    return observer.node?.member(name)
  }

  feed(member: PoolMember, event: GossipEvent): void {
    const {node} = member
    if (node === undefined) return
    for (const effect of node.step(event, this.nowMs)) this.perform(member, effect)
    if (member.node !== node) return
    const wakeAtMs = node.nextDeadlineMs()
    if (wakeAtMs <= this.nowMs) throw new PoolBroken(`${member.name} wants to be woken in its past`)
    if (wakeAtMs === member.wakeAtMs) return
    member.wakeAtMs = wakeAtMs
    this.at(wakeAtMs, () => {
      if (member.node !== node || member.wakeAtMs !== wakeAtMs) return
      member.wakeAtMs = Infinity
      this.feed(member, {on: 'tick'})
    })
  }

  trace(line: string): void {
    this.trail.push(`${Math.round(this.nowMs)} ${line}`)
  }

  private perform(member: PoolMember, effect: GossipEffect): void {
    switch (effect.do) {
      case 'send-packet':
        return this.send(member, effect.to, effect.bytes)
      case 'open-stream':
        return this.openStream(member, effect)
      case 'append-snapshot':
        member.disk.push(...effect.lines)
        return
      case 'member-changed':
        this.trace(`${member.name} sees ${effect.change} of ${effect.member.name}`)
        this.told.push({atMs: this.nowMs, observer: member.name, effect})
        return
      case 'user-event':
        this.told.push({atMs: this.nowMs, observer: member.name, effect})
        return
      case 'left':
        this.done.set(effect.token, effect)
        member.fate = 'left'
        member.node = undefined
        return
      case 'joined':
      case 'force-left':
        this.done.set(effect.token, effect)
        return
      case 'answer-stream':
        throw new PoolBroken('a stream was answered that nobody opened')
      default:
        return
    }
  }

  private send(from: PoolMember, to: Endpoint, bytes: Uint8Array): void {
    if (bytes.length + SEAL_OVERHEAD > DATAGRAM_BYTES_MAX)
      throw new PoolBroken(`${from.name} sent a datagram of ${bytes.length} bytes`)
    const target = this.members.find(({endpoint}) => endpoint.ip === to.ip && endpoint.port === to.port)
    if (target === undefined) return
    const copies = this.chance.happens(this.weather.duplication) ? 2 : 1
    for (let i = 0; i < copies; i++) {
      if (this.chance.happens(this.weather.loss)) continue
      this.at(this.nowMs + this.delay(), () => {
        if (this.reach(from, target)) this.feed(target, {on: 'packet', from: from.endpoint, bytes})
      })
    }
  }

  private openStream(
    from: PoolMember,
    {streamId, to, bytes, timeoutMs}: Extract<GossipEffect, {do: 'open-stream'}>,
  ): void {
    const {node} = from
    const target = this.members.find(({endpoint}) => endpoint.ip === to.ip && endpoint.port === to.port)
    let ended = false
    const end = (event: GossipEvent): void => {
      if (!ended && from.node === node) this.feed(from, event)
      ended = true
    }
    this.at(this.nowMs + timeoutMs, () => end({on: 'stream-failed', streamId, why: 'too late'}))
    this.at(this.nowMs + 3 * this.delay(), () => {
      if (target === undefined || !this.reach(from, target)) return
      if (target.node === undefined) return end({on: 'stream-failed', streamId, why: 'refused'})
      const reply = this.serve(target, from.endpoint, bytes)
      if (reply === undefined) return end({on: 'stream-failed', streamId, why: 'closed'})
      this.at(this.nowMs + this.delay(), () => {
        const message = decodeStreamMessage(reply)
        assert(message.ok, 'our own messages can be read')
        if (this.reach(from, target)) end({on: 'stream-reply', streamId, message: message.value})
      })
    })
  }

  private serve(target: PoolMember, from: Endpoint, bytes: Uint8Array): Uint8Array | undefined {
    const message = decodeStreamMessage(bytes)
    assert(message.ok, 'our own messages can be read')
    const {node} = target
    if (node === undefined) return undefined
    let reply: Uint8Array | undefined
    const event: GossipEvent = {on: 'stream-message', token: 0, from, message: message.value}
    for (const effect of node.step(event, this.nowMs)) {
      if (effect.do === 'answer-stream') reply = effect.bytes
      else this.perform(target, effect)
    }
    this.feed(target, {on: 'tick'})
    return reply
  }

  private reach(from: PoolMember, to: PoolMember): boolean {
    return this.sides === undefined || this.sides.has(from.name) === this.sides.has(to.name)
  }

  private delay(): number {
    return this.chance.between(this.weather.delayMinMs, this.weather.delayMaxMs)
  }
}

interface Item {
  readonly atMs: number
  readonly order: number
  readonly act: () => void
}

/** What is to happen, soonest first, and in the order it was added where times are equal: a binary heap. */
class Agenda {
  private readonly heap: Item[] = []
  private added = 0

  add(atMs: number, act: () => void): void {
    const {heap} = this
    heap.push({atMs, order: this.added++, act})
    for (let at = heap.length - 1; at > 0;) {
      const parent = (at - 1) >> 1
      if (!this.before(at, parent)) return
      this.swap(at, parent)
      at = parent
    }
  }

  take(untilMs: number): Item | undefined {
    const {heap} = this
    const [first] = heap
    if (first === undefined || first.atMs > untilMs) return undefined
    const last = heap.pop() as Item
    if (heap.length === 0) return first
    heap[0] = last
    for (let at = 0; ;) {
      const left = 2 * at + 1
      let least = at
      if (left < heap.length && this.before(left, least)) least = left
      if (left + 1 < heap.length && this.before(left + 1, least)) least = left + 1
      if (least === at) return first
      this.swap(at, least)
      at = least
    }
  }

  private before(i: number, j: number): boolean {
    const [a, b] = [this.heap[i] as Item, this.heap[j] as Item]
    return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
  }

  private swap(i: number, j: number): void {
    const a = this.heap[i] as Item
    this.heap[i] = this.heap[j] as Item
    this.heap[j] = a
  }
}
