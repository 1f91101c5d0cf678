import {assert} from '../assert.js'
import {META_BYTES_MAX} from '../wire/memberlist.js'
import {readPacket} from '../wire/packet.js'
import type {PacketMessage} from '../wire/memberlist.js'
import {encodeTags} from '../wire/serf.js'
import {BroadcastQueue} from './broadcast-queue.js'
import {Exchange} from './exchange.js'
import {ForceLeaves} from './force-leave.js'
import {Leave} from './leave.js'
import type {Endpoint, Member} from './member.js'
import {MemberTable} from './member-table.js'
import type {GossipEffect, GossipEvent} from './messages.js'
import {Packets} from './packets.js'
import {Prober} from './prober.js'
import {Gate, Serf} from './serf.js'
import {SerfMembers} from './serf-members.js'
import type {GossipOptions} from './step-context.js'
import {StepContext} from './step-context.js'
import {Streams} from './streams.js'
import {Swim} from './swim.js'
import {rejoin, snapshotLines, Upkeep} from './upkeep.js'
import {UserEvents} from './user-events.js'

/** What `info` tells of a pool (`Stats`, serf.go). */
export interface GossipStats {
  readonly members: number
  readonly failed: number
  readonly left: number
  readonly healthScore: number
  readonly memberTime: number
  readonly eventTime: number
  readonly queryTime: number
  readonly intentQueue: number
  readonly eventQueue: number
  readonly queryQueue: number
}

/** The metadata that says these tags, or undefined when they are too long for one; equal tags give equal bytes. */
export function metaOf(tags: Readonly<Record<string, string>>): Uint8Array | undefined {
  const sorted = Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1))
  const meta = encodeTags(new Map(sorted))
  return meta.length > META_BYTES_MAX ? undefined : meta
}

/**
 * A member of a gossip pool, without clock, chance, sockets or files: told what happened and when, it says what is to
 * be done. Speaks memberlist and Serf as they are on the wire.
 */
export class GossipNode {
  private readonly context: StepContext
  private readonly table: MemberTable
  private readonly swim: Swim
  private readonly packets: Packets
  private readonly streams: Streams
  private readonly prober: Prober
  private readonly exchange: Exchange
  private readonly serfMembers: SerfMembers
  private readonly events: UserEvents
  private readonly serf: Serf
  private readonly leave: Leave
  private readonly forceLeaves: ForceLeaves
  private readonly upkeep: Upkeep

  /** Starts a node; what that asks for comes with the effects of the first step. */
  constructor(options: GossipOptions, startMs: number) {
    const context = new StepContext(options, startMs)
    this.context = context
    this.table = new MemberTable(context)
    this.serfMembers = new SerfMembers(context, options.restored?.clock ?? 0)
    const gate = new Gate(context, this.serfMembers)
    this.swim = new Swim(context, this.table, gate)
    this.events = new UserEvents(context, options.restored?.eventClock ?? 0)
    const queryQueue = new BroadcastQueue()
    const userQueues = [this.serfMembers.queue, queryQueue, this.events.queue]
    this.packets = new Packets(context, this.table, this.swim.queue, userQueues)
    this.streams = new Streams(context)
    this.prober = new Prober(context, this.table, this.swim, this.packets, this.streams)
    this.serf = new Serf(context, this.table, this.packets, gate, this.serfMembers, this.events, queryQueue)
    this.exchange = new Exchange(context, this.table, this.swim, this.streams, this.serf)
    this.leave = new Leave(context, this.table, this.swim, this.serfMembers)
    this.forceLeaves = new ForceLeaves(context, this.serfMembers)
    this.upkeep = new Upkeep(context, this.serfMembers, this.exchange, userQueues)
    this.announce(options.tags)
    rejoin(context, this.exchange, () => this.serfMembers.broadcastJoin())
  }

  /** Takes one event at a time that never goes back, and says what is to be done now, in order. */
  step(event: GossipEvent, nowMs: number): readonly GossipEffect[] {
    assert(nowMs >= this.context.nowMs, 'time goes forward')
    this.context.nowMs = nowMs
    this.take(event)
    this.prober.tick()
    // After the prober, whose accusation may be the one that ends a suspicion
    this.swim.expireSuspicions()
    this.exchange.tick()
    this.serf.queries.tick()
    this.leave.tick()
    this.forceLeaves.tick()
    this.upkeep.tick()
    this.packets.tick()
    return this.context.takeEffects()
  }

  /** When a `tick` is wanted at the latest. */
  nextDeadlineMs(): number {
    return Math.min(
      this.swim.nextDeadlineMs(),
      this.prober.nextDeadlineMs(),
      this.exchange.nextDeadlineMs(),
      this.serf.queries.nextDeadlineMs(),
      this.leave.nextDeadlineMs(),
      this.forceLeaves.nextDeadlineMs(),
      this.upkeep.nextDeadlineMs(),
      this.packets.nextDeadlineMs(),
    )
  }

  /** All members, ourselves too, in the order in which they came. */
  members(): readonly Member[] {
    return this.serfMembers.list()
  }

  /** One member by name. */
  member(name: string): Member | undefined {
    return this.serfMembers.get(name)
  }

  /** The lines that a new snapshot file begins with. */
  snapshot(): readonly string[] {
    return snapshotLines(this.context, this.serfMembers.list(), {
      clock: this.serfMembers.clock,
      eventClock: this.events.clock,
      queryClock: this.serf.queries.clock,
    })
  }

  /** Counts for people. */
  stats(): GossipStats {
    const members = this.serfMembers.list()
    return {
      members: members.length,
      failed: members.filter(({status}) => status === 'failed').length,
      left: members.filter(({status}) => status === 'left').length,
      healthScore: this.swim.awareness.health,
      memberTime: this.serfMembers.clock.time,
      eventTime: this.events.clock.time,
      queryTime: this.serf.queries.clock.time,
      intentQueue: this.serfMembers.queue.length,
      eventQueue: this.events.queue.length,
      queryQueue: this.serf.queries.queue.length,
    }
  }

  private take(event: GossipEvent): void {
    switch (event.on) {
      case 'tick':
        return
      case 'packet':
        return this.packet(event.from, event.bytes)
      case 'stream-message':
        return this.exchange.received(event.token, event.from, event.message)
      case 'stream-reply':
        return this.streams.end(event.streamId, {ok: true, message: event.message})
      case 'stream-failed':
        return this.streams.end(event.streamId, {ok: false, why: event.why})
      case 'join':
        return this.join(event)
      case 'leave':
        return this.leave.begin(event.token)
      case 'force-leave':
        return this.forceLeaves.begin(event.token, event.name, event.prune)
      case 'set-tags':
        return this.announce(event.tags)
      case 'user-event':
        return this.events.fire(event.name, event.payload, event.coalesce)
      case 'query':
        return this.serf.query(event.token, event.request)
      case 'query-answer':
      case 'keyring-changed':
        return this.serf.answer(event)
    }
  }

  private announce(tags: Readonly<Record<string, string>>): void {
    const meta = metaOf(tags)
    assert(meta !== undefined, 'the tags of a node fit into its metadata')
    this.context.tags = tags
    this.swim.announce(meta)
  }

  private join({token, to, ignoreOldEvents}: Extract<GossipEvent, {on: 'join'}>): void {
    this.exchange.join(to, ignoreOldEvents, (contacted, problems) => {
      if (contacted > 0) this.serfMembers.broadcastJoin()
      this.context.emit({do: 'joined', token, contacted, problems})
    })
  }

  private packet(from: Endpoint, bytes: Uint8Array): void {
    const packet = readPacket(bytes)
    if (!packet.ok) {
      this.context.log('debug', `a packet from ${from.ip} makes no sense: ${packet.problem}`)
      return
    }
    for (const {message} of packet.value.parts) this.packetMessage(message, from)
  }

  private packetMessage(message: PacketMessage, from: Endpoint): void {
    switch (message.type) {
      case 'ping':
        return this.prober.ping(message, from)
      case 'indirect-ping':
        return this.prober.indirectPing(message, from)
      case 'ack':
        return this.prober.ack(message)
      case 'nack':
        return this.prober.nack(message)
      case 'suspect':
        return this.swim.suspect(message)
      case 'alive':
        return this.swim.alive(message)
      case 'dead':
        return this.swim.dead(message)
      case 'user':
        return this.serf.userMessage(message.payload)
    }
  }
}
