import type {Ack, IndirectPing, Nack, Ping} from '../wire/memberlist.js'
import {encodeMessage} from '../wire/memberlist.js'
import type {Endpoint} from './member.js'
import type {MemberTable, NodeRecord} from './member-table.js'
import {isThere} from './member-table.js'
import type {Packets} from './packets.js'
import type {StepContext} from './step-context.js'
import type {Streams} from './streams.js'
import type {Swim} from './swim.js'

/** Peers of this memberlist protocol and later say when a helper's ping failed. */
const NACK_PROTOCOL = 4
/** Peers of this memberlist protocol and later answer pings on streams. */
const STREAM_PING_PROTOCOL = 3
const RELAYS_MAX = 1024
const SEQ_NO_MAX = 0xffff_ffff
const NOTHING = new Uint8Array(0)

/** A probe under way. There is one at a time. */
interface Probe {
  readonly seqNo: number
  readonly node: NodeRecord
  /** When helpers are asked. */
  readonly directEndMs: number
  /** When the node is suspected. */
  readonly endMs: number
  helpersAsked: boolean
  /** Helpers that would say that they failed too. */
  nacksExpected: number
  nacks: number
}

/** A ping that we send for another node. */
interface Relay {
  readonly to: Endpoint
  readonly seqNo: number
  readonly nack: boolean
  readonly endMs: number
}

/**
 * Finds out who does not answer: each interval one node is pinged, then by way of others and on a stream, then
 * suspected (`probeNode`, memberlist state.go). Also answers pings and passes them on for others.
 */
export class Prober {
  private probe: Probe | undefined
  private readonly relays = new Map<number, Relay>()
  private seqNo: number
  private probeAtMs: number

  constructor(
    private readonly context: StepContext,
    private readonly table: MemberTable,
    private readonly swim: Swim,
    private readonly packets: Packets,
    private readonly streams: Streams,
  ) {
    // Not from 1, or answers to a former life of ours would be taken for answers to this one
    this.seqNo = context.pick(0x7fff_ffff)
    this.probeAtMs = context.nowMs + context.options.random() * context.profile.probeIntervalMs
  }

  /** Does what is due: the next probe, a probe's next stage, giving up on pings for others. */
  tick(): void {
    const {nowMs} = this.context
    for (const [seqNo, relay] of this.relays) {
      // Relays all take equally long, so the first that is not over ends the search
      if (relay.endMs > nowMs) break
      this.relays.delete(seqNo)
      if (relay.nack) this.packets.send(relay.to, [encodeMessage({type: 'nack', seqNo: relay.seqNo})])
    }
    const {probe} = this
    if (probe !== undefined) {
      if (!probe.helpersAsked && nowMs >= probe.directEndMs) this.askHelpers(probe)
      if (nowMs >= probe.endMs) this.fail(probe)
    }
    if (this.probe === undefined && nowMs >= this.probeAtMs) {
      this.probeAtMs = nowMs + this.context.profile.probeIntervalMs
      this.begin()
    }
  }

  /** When `tick` has something to do. */
  nextDeadlineMs(): number {
    const {probe} = this
    const own = probe === undefined ? this.probeAtMs : probe.helpersAsked ? probe.endMs : probe.directEndMs
    const [relay] = this.relays.values()
    return relay === undefined ? own : Math.min(own, relay.endMs)
  }

  /** A ping came in a packet. */
  ping(ping: Ping, from: Endpoint): void {
    if (ping.node !== '' && ping.node !== this.context.options.name) {
      this.context.log('warn', `got a ping for ${ping.node}, which is not our name`)
      return
    }
    const node = this.senderOf(ping, from)
    this.packets.send(node ?? from, [encodeMessage({type: 'ack', seqNo: ping.seqNo, payload: NOTHING})], node)
  }

  /** Somebody cannot reach a node and asks us to try. */
  indirectPing(request: IndirectPing, from: Endpoint): void {
    const requester = this.senderOf(request, from)
    const to = requester ?? from
    const target = this.table.get(request.node)
    const known = target?.ip === request.targetIp && target.port === request.targetPort
    // Strangers' addresses are not pinged, or anybody could aim us at anybody; to say so keeps the asker well
    if (!known || this.relays.size >= RELAYS_MAX) {
      if (request.nack) this.packets.send(to, [encodeMessage({type: 'nack', seqNo: request.seqNo})])
      return
    }
    const seqNo = this.nextSeqNo()
    const endMs = this.context.nowMs + this.context.profile.probeTimeoutMs
    this.relays.set(seqNo, {to: {ip: to.ip, port: to.port}, seqNo: request.seqNo, nack: request.nack, endMs})
    this.packets.send(target, [this.pingMessage(seqNo, target.name)], target)
  }

  /** A ping was answered, ours or one that we sent for another. */
  ack(ack: Ack): void {
    if (this.probe?.seqNo === ack.seqNo) {
      this.succeed()
      return
    }
    const relay = this.relays.get(ack.seqNo)
    if (relay === undefined) return
    this.relays.delete(ack.seqNo)
    this.packets.send(relay.to, [encodeMessage({type: 'ack', seqNo: relay.seqNo, payload: NOTHING})])
  }

  /** A helper could not reach the node either, but we can reach the helper. */
  nack(nack: Nack): void {
    if (this.probe?.seqNo === nack.seqNo) this.probe.nacks++
  }

  private begin(): void {
    const node = this.table.nextToProbe()
    if (node === undefined) return
    const {nowMs, profile} = this.context
    const seqNo = this.nextSeqNo()
    this.probe = {
      seqNo,
      node,
      directEndMs: nowMs + profile.probeTimeoutMs,
      endMs: nowMs + this.swim.awareness.scaleMs(profile.probeIntervalMs),
      helpersAsked: false,
      nacksExpected: 0,
      nacks: 0,
    }
    const messages = [this.pingMessage(seqNo, node.name)]
    // One that is suspected hears of it with the ping, so that it can refute
    if (node.state === 'suspect') {
      const {incarnation, name} = node
      messages.push(
        encodeMessage({type: 'suspect', incarnation, node: name, from: this.context.options.name}),
      )
    }
    this.packets.send(node, messages, node)
  }

  private askHelpers(probe: Probe): void {
    probe.helpersAsked = true
    const {name, advertise, profile} = this.context.options
    const {node, seqNo} = probe
    const helpers = this.table.random(
      profile.indirectChecks,
      one => one.name !== name && one.name !== node.name && one.state === 'alive',
    )
    for (const helper of helpers) {
      const nack = helper.versions.protocolMax >= NACK_PROTOCOL
      if (nack) probe.nacksExpected++
      const request: IndirectPing = {
        type: 'indirect-ping',
        seqNo,
        targetIp: node.ip,
        targetPort: node.port,
        node: node.name,
        nack,
        sourceIp: advertise.ip,
        sourcePort: advertise.port,
        sourceNode: name,
      }
      this.packets.send(helper, [encodeMessage(request)], helper)
    }
    if (node.versions.protocolMax >= STREAM_PING_PROTOCOL) this.pingOnStream(probe)
  }

  private pingOnStream(probe: Probe): void {
    const {node, seqNo} = probe
    this.streams.open(node, this.pingMessage(seqNo, node.name), outcome => {
      if (!outcome.ok || outcome.message.type !== 'ack' || outcome.message.seqNo !== seqNo) return
      if (this.probe !== probe) return
      this.context.log('warn', `${node.name} answers on streams but not in packets: is UDP let through?`)
      this.succeed()
    })
  }

  private succeed(): void {
    this.probe = undefined
    this.swim.awareness.add(-1)
  }

  private fail({node, nacks, nacksExpected}: Probe): void {
    this.probe = undefined
    // Helpers from whom we hear nothing at all say something about us
    this.swim.awareness.add(nacksExpected > 0 ? Math.max(0, nacksExpected - nacks) : 1)
    if (!isThere(node)) return
    this.context.log('info', `suspecting that ${node.name} has failed: it does not answer`)
    const {incarnation, name} = node
    this.swim.suspect({type: 'suspect', incarnation, node: name, from: this.context.options.name})
  }

  /** The member that a ping comes from, if it says so truly enough: an answer must not be aimed at strangers. */
  private senderOf(ping: Ping | IndirectPing, from: Endpoint): NodeRecord | undefined {
    const node = this.table.get(ping.sourceNode)
    if (node === undefined || !isThere(node)) return undefined
    if (node.ip === ping.sourceIp && node.port === ping.sourcePort) return node
    return node.ip === from.ip && node.port === from.port ? node : undefined
  }

  private pingMessage(seqNo: number, node: string): Uint8Array {
    const {name, advertise} = this.context.options
    return encodeMessage({
      type: 'ping',
      seqNo,
      node,
      sourceIp: advertise.ip,
      sourcePort: advertise.port,
      sourceNode: name,
    })
  }

  private nextSeqNo(): number {
    this.seqNo = this.seqNo >= SEQ_NO_MAX ? 1 : this.seqNo + 1
    return this.seqNo
  }
}
