import type {Socket as PacketSocket} from 'node:dgram'
import type {Server} from 'node:net'
import {formatHostPort} from '../core/codec/address.js'
import type {Endpoint, Member} from '../core/gossip/member.js'
import {keyQueryName} from '../core/gossip/internal-queries.js'
import type {GossipEffect, GossipEvent, KeyOperation, QueryRequest} from '../core/gossip/messages.js'
import type {GossipStats} from '../core/gossip/node.js'
import {GossipNode, metaOf} from '../core/gossip/node.js'
import {replaySnapshot} from '../core/gossip/snapshot.js'
import {USER_EVENT_BYTES_MAX} from '../core/gossip/user-events.js'
import {splitLabel} from '../core/wire/packet.js'
import {encodeKeyRequest} from '../core/wire/serf-answers.js'
import {AgentError} from './agent-error.js'
import type {Gossip, GossipNotice, GossipSettings, KeyReport, QueryOutcome} from './gossip/gossip.js'
import {keyReport} from './gossip/key-report.js'
import {Keyring} from './gossip/keyring.js'
import {limitedLog} from './gossip/limited-log.js'
import type {JoinOutcome} from './gossip/pending.js'
import {Pending} from './gossip/pending.js'
import {canonicalIp, plainIp} from './gossip/plain-ip.js'
import {resolveEndpoints} from './gossip/resolve-endpoints.js'
import {openPacket, SEAL_BYTES, sealPacket} from './gossip/seal.js'
import {SnapshotFile} from './gossip/snapshot-file.js'
import {bindBoth} from './gossip/sockets.js'
import type {StreamSettings} from './gossip/stream-io.js'
import {askByStream, serveStreams} from './gossip/stream-io.js'

const UNSPECIFIED = new Set(['0.0.0.0', '::'])
/** The longest that a timer of Node takes. */
const TIMER_MS_MAX = 0x7fff_ffff

/**
 * Takes part in a gossip pool: binds the address, reads keyring and snapshot, and joins again whom the snapshot names.
 * Throws AgentError when the address is taken, a file is damaged or the tags are too long.
 */
export async function startGossip(settings: GossipSettings): Promise<Gossip> {
  if (metaOf(settings.tags) === undefined) throw tagsTooLong()
  const keyring = await Keyring.load({key: settings.key, file: settings.keyringFile})
  const driver = new GossipDriver(settings, keyring)
  await driver.start()
  return driver
}

const tagsTooLong = (): AgentError => new AgentError('the tags of a member must fit into 512 bytes')

class GossipDriver implements Gossip {
  address: Endpoint
  private node: GossipNode | undefined
  private packets: PacketSocket | undefined
  private server: Server | undefined
  private snapshot: SnapshotFile | undefined
  private timer: NodeJS.Timeout | undefined
  private timerAtMs = Infinity
  private readonly events: GossipEvent[] = []
  private busy = false
  private closed = false
  private nextToken = 1
  private readonly listeners = new Set<(notice: GossipNotice) => void>()
  private readonly pending = new Pending()
  private readonly answers = new Map<number, (bytes: Uint8Array | undefined) => void>()
  private readonly streams = new Set<() => void>()

  constructor(
    private readonly settings: GossipSettings,
    private readonly keyring: Keyring | undefined,
  ) {
    this.address = settings.advertise
  }

  get encrypted(): boolean {
    return this.keyring !== undefined
  }

  async start(): Promise<void> {
    const {settings} = this
    const refusals = limitedLog(text => settings.log('warn', text))
    const {packets, server, port} = await bindBoth(settings.bind, () =>
      serveStreams(
        this.streamSettings(),
        (from, message, answer) => {
          const token = this.nextToken++
          this.answers.set(token, answer)
          this.feed({on: 'stream-message', token, from, message})
        },
        (from, why) => refusals(`a stream from ${from} is refused: ${why}`),
      ),
    )
    this.packets = packets
    this.server = server
    server.on('error', error => settings.log('error', `gossip streams: ${error.message}`))
    packets.on('error', error => settings.log('error', `gossip packets: ${error.message}`))
    packets.on('message', (bytes, {address, port: from}) =>
      this.packet(bytes, {ip: plainIp(address), port: from}),
    )
    this.address = {ip: canonicalIp(settings.advertise.ip), port: settings.advertise.port || port}
    try {
      await this.startNode()
    } catch (error) {
      await this.shutdown()
      throw error
    }
  }

  members(): readonly Member[] {
    return this.core().members()
  }

  member(name: string): Member | undefined {
    return this.core().member(name)
  }

  local(): Member {
    const member = this.core().member(this.settings.name)
    if (member === undefined) throw new AgentError('this agent is not a member of its own pool')
    return member
  }

  async join(
    addresses: readonly string[],
    {ignoreOldEvents} = {ignoreOldEvents: true},
  ): Promise<JoinOutcome> {
    const {endpoints, problems} = await resolveEndpoints(addresses, this.address.port)
    if (this.closed) return {contacted: 0, problems: ['this agent is stopped']}
    const token = this.nextToken++
    const outcome = await this.pending.join(token, () =>
      this.feed({on: 'join', token, to: endpoints, ignoreOldEvents}),
    )
    return {contacted: outcome.contacted, problems: [...problems, ...outcome.problems]}
  }

  leave(): Promise<void> {
    const token = this.nextToken++
    return this.pending.leave(token, () => this.feed({on: 'leave', token}))
  }

  forceLeave(name: string, {prune} = {prune: false}): Promise<boolean> {
    const token = this.nextToken++
    return this.pending.forceLeave(token, () => this.feed({on: 'force-leave', token, name, prune}))
  }

  setTags(tags: Readonly<Record<string, string>>): void {
    if (metaOf(tags) === undefined) throw tagsTooLong()
    this.feed({on: 'set-tags', tags})
  }

  userEvent(name: string, payload: Uint8Array, {coalesce} = {coalesce: false}): void {
    if (Buffer.byteLength(name) + payload.length > USER_EVENT_BYTES_MAX)
      throw new AgentError(`an event's name and payload must fit into ${USER_EVENT_BYTES_MAX} bytes`)
    this.feed({on: 'user-event', name, payload, coalesce})
  }

  query(request: Partial<QueryRequest> & {readonly name: string}, enough?: number): Promise<QueryOutcome> {
    const token = this.nextToken++
    const whole: QueryRequest = {
      payload: new Uint8Array(0),
      filters: {nodes: [], tags: {}},
      acknowledge: false,
      timeoutMs: undefined,
      relayFactor: 0,
      ...request,
    }
    return this.pending.query(token, () => this.feed({on: 'query', token, request: whole}), enough)
  }

  async keys(operation: KeyOperation, key = new Uint8Array(0)): Promise<KeyReport> {
    const nodes = this.members().filter(({status}) => status === 'alive').length
    // Done as soon as everybody has answered (`streamKeyResp`, serf keymanager.go)
    const request = {name: keyQueryName(operation), payload: encodeKeyRequest(key)}
    return keyReport(await this.query(request, nodes), nodes)
  }

  on(listener: (notice: GossipNotice) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  stats(): GossipStats {
    return this.core().stats()
  }

  async shutdown(): Promise<void> {
    if (this.closed) return
    this.closed = true
    clearTimeout(this.timer)
    for (const abort of this.streams) abort()
    this.pending.end()
    const closing = [
      new Promise<void>(resolve => (this.packets === undefined ? resolve() : this.packets.close(resolve))),
      new Promise<void>(resolve =>
        this.server === undefined ? resolve() : this.server.close(() => resolve()),
      ),
    ]
    for (const answer of this.answers.values()) answer(undefined)
    await Promise.all([this.snapshot?.close(), ...closing])
  }

  private async startNode(): Promise<void> {
    const {settings} = this
    const restored = await this.openSnapshot()
    this.node = new GossipNode(
      {
        name: settings.name,
        advertise: this.address,
        tags: settings.tags,
        profile: settings.profile,
        random: Math.random,
        sealOverhead: this.keyring === undefined ? 0 : SEAL_BYTES,
        delegateProtocol: settings.delegateProtocol,
        mergeRule: settings.mergeRule,
        resolveNameConflicts: settings.resolveNameConflicts,
        restored,
      },
      performance.now(),
    )
    this.feed({on: 'tick'})
  }

  private async openSnapshot(): Promise<ReturnType<typeof replaySnapshot> | undefined> {
    const {snapshotFile, rejoinAfterLeave, log} = this.settings
    if (snapshotFile === undefined) return undefined
    const {file, content} = await SnapshotFile.open(
      snapshotFile,
      () => this.core().snapshot(),
      error => log('error', `the snapshot file ${snapshotFile} cannot be written: ${String(error)}`),
    )
    this.snapshot = file
    return replaySnapshot(content, rejoinAfterLeave)
  }

  private core(): GossipNode {
    if (this.node === undefined) throw new AgentError('gossip is not started')
    return this.node
  }

  /** Hands one event to the node and does what it says; what happens meanwhile waits its turn. */
  private feed(event: GossipEvent): void {
    if (this.closed) this.pending.end()
    if (this.closed || this.node === undefined) return
    this.events.push(event)
    if (this.busy) return
    this.busy = true
    try {
      for (let next = this.events.shift(); next !== undefined; next = this.events.shift()) {
        for (const effect of this.node.step(next, performance.now())) this.perform(effect)
      }
    } finally {
      this.busy = false
    }
    this.arm()
  }

  private arm(): void {
    if (this.closed || this.node === undefined) return
    const deadlineMs = this.node.nextDeadlineMs()
    // A timer that rings a little early costs less than one that is set anew for every packet
    if (this.timerAtMs <= deadlineMs && this.timer !== undefined) return
    clearTimeout(this.timer)
    this.timerAtMs = deadlineMs
    const delayMs = Math.min(TIMER_MS_MAX, Math.max(0, Math.ceil(deadlineMs - performance.now())))
    this.timer = setTimeout(() => {
      this.timer = undefined
      this.feed({on: 'tick'})
    }, delayMs)
  }

  private perform(effect: GossipEffect): void {
    switch (effect.do) {
      case 'send-packet':
        return this.sendPacket(effect.to, effect.bytes)
      case 'open-stream':
        return this.openStream(effect)
      case 'answer-stream':
        this.answers.get(effect.token)?.(effect.bytes)
        this.answers.delete(effect.token)
        return
      case 'append-snapshot':
        return this.snapshot?.append(effect.lines)
      case 'change-keyring':
        return this.changeKeyring(effect)
      case 'log':
        return this.settings.log(effect.level, effect.text)
      case 'joined':
      case 'left':
      case 'force-left':
      case 'query-ack':
      case 'query-response':
      case 'query-done':
        return this.pending.take(effect)
      case 'member-changed':
        return this.notify({on: 'member', change: effect.change, member: effect.member})
      case 'user-event': {
        const {lamportTime, name, payload, coalesce} = effect
        return this.notify({on: 'user-event', lamportTime, name, payload, coalesce})
      }
      case 'query-received': {
        const {queryId, name, payload, from} = effect
        const respond = (answer: Uint8Array): void =>
          this.feed({on: 'query-answer', queryId, payload: answer})
        return this.notify({on: 'query', name, payload, from, respond})
      }
      case 'name-lost':
        return this.notify({on: 'name-lost'})
    }
  }

  private notify(notice: GossipNotice): void {
    for (const listener of [...this.listeners]) listener(notice)
  }

  private packet(bytes: Uint8Array, from: Endpoint): void {
    const {filter, verifyIncoming} = this.settings
    if (this.closed || !filter.allows(from.ip, 'from')) return
    const label = splitLabel(bytes)
    if (!label.ok || label.value.label !== '') return
    if (this.keyring === undefined) return this.feed({on: 'packet', from, bytes})
    const plain = openPacket(bytes, this.keyring.all())
    if (plain !== undefined) return this.feed({on: 'packet', from, bytes: plain})
    if (!verifyIncoming) return this.feed({on: 'packet', from, bytes})
  }

  private sendPacket({ip, port}: Endpoint, bytes: Uint8Array): void {
    const {filter, verifyOutgoing} = this.settings
    if (!filter.allows(ip, 'to')) return
    const sealed =
      this.keyring === undefined || !verifyOutgoing ? bytes : sealPacket(bytes, this.keyring.primary)
    this.packets?.send(sealed, port, ip, error => {
      if (error !== null)
        this.settings.log('debug', `a packet to ${formatHostPort(ip, port)}: ${error.message}`)
    })
  }

  private openStream({streamId, to, bytes, timeoutMs}: Extract<GossipEffect, {do: 'open-stream'}>): void {
    const {ip} = this.settings.bind
    const localIp = UNSPECIFIED.has(ip) ? undefined : ip
    const {answer, abort} = askByStream(this.streamSettings(), to, {bytes, timeoutMs, localIp})
    this.streams.add(abort)
    void answer.then(read => {
      this.streams.delete(abort)
      this.feed(
        read.ok
          ? {on: 'stream-reply', streamId, message: read.message}
          : {on: 'stream-failed', streamId, why: read.why},
      )
    })
  }

  private changeKeyring({queryId, operation, key}: Extract<GossipEffect, {do: 'change-keyring'}>): void {
    const none = {
      ok: false,
      message: 'No keyring to modify (encryption not enabled)',
      keys: [],
      primaryKey: '',
    }
    void Promise.resolve(this.keyring?.change(operation, key) ?? none).then(result =>
      this.feed({on: 'keyring-changed', queryId, result}),
    )
  }

  private streamSettings(): StreamSettings {
    const {verifyIncoming, verifyOutgoing, filter, profile} = this.settings
    return {keyring: this.keyring, verifyIncoming, verifyOutgoing, filter, timeoutMs: profile.streamTimeoutMs}
  }
}
