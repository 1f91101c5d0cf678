import {MessageType} from '../wire/memberlist.js'
import {COMPOUND_HEAD_BYTES, COMPOUND_PART_BYTES, joinMessages, withCrc} from '../wire/packet.js'
import type {BroadcastQueue} from './broadcast-queue.js'
import type {Endpoint} from './member.js'
import type {MemberTable, NodeRecord} from './member-table.js'
import {isThere} from './member-table.js'
import {retransmitLimit} from './profile.js'
import type {StepContext} from './step-context.js'

/** The longest datagram that is sent: what passes every network unbroken (`UDPBufferSize`, memberlist). */
export const DATAGRAM_BYTES_MAX = 1400
const CRC_BYTES = 5
/** Peers of this memberlist protocol and later check a CRC. */
const CRC_PROTOCOL = 5

/**
 * Serf's messages are sent twice as often as memberlist's. Of nine members one in fifty would miss a leave intent
 * otherwise, and see one that failed; memberlist's own news come round with the probes, too.
 */
const USER_TIMES = 2

/** Sends datagrams and fills what is free in them with news: memberlist's own first, then Serf's. */
export class Packets {
  private gossipAtMs: number

  constructor(
    private readonly context: StepContext,
    private readonly table: MemberTable,
    private readonly queue: BroadcastQueue,
    /** Serf's queues in the order in which they are served. */
    private readonly userQueues: readonly BroadcastQueue[],
  ) {
    this.gossipAtMs = context.nowMs + context.options.random() * context.profile.gossipIntervalMs
  }

  /** Sends messages in one datagram. With `node`, whom it is for, news travel along. */
  send(to: Endpoint, messages: readonly Uint8Array[], node?: NodeRecord): void {
    const used = messages.reduce((sum, message) => sum + message.length + COMPOUND_PART_BYTES, 0)
    const news = node === undefined ? [] : this.news(this.room(node) - COMPOUND_HEAD_BYTES - used)
    this.emit(to, [...messages, ...news], node)
  }

  /** Sends one message of Serf's straight to a node, which need not be in the table. */
  sendUser(to: Endpoint, payload: Uint8Array): void {
    this.emit(to, [userMessage(payload)], undefined)
  }

  /** Tells the news to some random nodes when it is time (`gossip`, memberlist state.go). */
  tick(): void {
    const {nowMs, profile} = this.context
    if (this.waiting() === 0 || nowMs < this.gossipAtMs) return
    this.gossipAtMs = nowMs + profile.gossipIntervalMs
    const self = this.context.options.name
    const there = this.table.random(profile.gossipNodes, node => node.name !== self && isThere(node))
    let last: readonly Uint8Array[] = []
    for (const node of there) {
      const news = this.news(this.room(node) - COMPOUND_HEAD_BYTES)
      if (news.length === 0) break
      last = news
      this.emit(node, news, node)
    }
    // One that is dead to us and alive to itself must hear of it; what it is sent does not count as told
    const [dead] = this.table.random(
      1,
      node => node.state === 'dead' && nowMs - node.stateChangedMs <= profile.gossipToTheDeadMs,
    )
    if (dead !== undefined) this.emit(dead, last, undefined)
  }

  /** When there is gossip to send; never while nothing waits. */
  nextDeadlineMs(): number {
    return this.waiting() === 0 ? Infinity : this.gossipAtMs
  }

  private waiting(): number {
    return this.userQueues.reduce((sum, queue) => sum + queue.length, this.queue.length)
  }

  private room(node: NodeRecord): number {
    const {sealOverhead} = this.context.options
    return DATAGRAM_BYTES_MAX - sealOverhead - (checksCrc(node) ? CRC_BYTES : 0)
  }

  private news(bytesMax: number): readonly Uint8Array[] {
    const limit = retransmitLimit(this.context.profile.retransmitMult, this.table.size)
    const news = [...this.queue.take(COMPOUND_PART_BYTES, bytesMax, limit)]
    let free = news.reduce((sum, message) => sum - message.length - COMPOUND_PART_BYTES, bytesMax)
    for (const queue of this.userQueues) {
      const payloads = queue.take(COMPOUND_PART_BYTES + 1, free, USER_TIMES * limit)
      for (const payload of payloads) {
        free -= payload.length + COMPOUND_PART_BYTES + 1
        news.push(userMessage(payload))
      }
    }
    return news
  }

  private emit(to: Endpoint, messages: readonly Uint8Array[], node: NodeRecord | undefined): void {
    for (const plain of joinMessages(messages)) {
      const bytes = node !== undefined && checksCrc(node) ? withCrc(plain) : plain
      this.context.emit({do: 'send-packet', to: {ip: to.ip, port: to.port}, bytes})
    }
  }
}

const checksCrc = (node: NodeRecord): boolean => node.versions.protocolMax >= CRC_PROTOCOL

function userMessage(payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(payload.length + 1)
  bytes[0] = MessageType.user
  bytes.set(payload, 1)
  return bytes
}
