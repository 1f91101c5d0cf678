import {formatHostPort} from '../codec/address.js'
import {parseGoDuration} from '../codec/go-duration.js'
import type {Versions} from '../wire/memberlist.js'
import type {JoinIntent, LeaveIntent, SerfState} from '../wire/serf.js'
import {decodeTags, encodeSerf} from '../wire/serf.js'
import {BroadcastQueue} from './broadcast-queue.js'
import {LamportClock} from './lamport.js'
import type {Member, MemberStatus} from './member.js'
import type {NodeRecord} from './member-table.js'
import {isNodeName, sample} from './member-table.js'
import type {MemberChange} from './messages.js'
import type {StepContext} from './step-context.js'

/** What Serf knows of a member; it outlives what memberlist knows. */
interface SerfRecord {
  readonly name: string
  ip: string
  port: number
  tags: Readonly<Record<string, string>>
  versions: Versions
  status: MemberStatus
  /** When its status was last set by an intent, on the members' clock. */
  statusLTime: number
  /** When it left or failed. */
  goneSinceMs: number
}

/** An intent about a member that is not known yet. */
interface EarlyIntent {
  readonly type: 'join' | 'leave'
  readonly ltime: number
  readonly atMs: number
}

const EARLY_INTENTS_MAX = 4096
const EARLY_INTENT_MS = 300_000

/** The tags in a node's metadata; none where they cannot be read. */
export function tagsOf(meta: Uint8Array): Readonly<Record<string, string>> {
  const tags = decodeTags(meta)
  // Without a prototype, so that no tag's name means anything
  const record: Record<string, string> = Object.create(null) as Record<string, string>
  if (tags.ok) for (const [key, value] of tags.value) record[key] = value
  return record
}

/**
 * Who is a member, in Serf's words: whether one that is gone has left or failed is told by intents, which carry Lamport
 * times (serf.go). Told of nodes by memberlist's layer; says what changed as effects.
 */
export class SerfMembers {
  readonly clock: LamportClock
  /** Intents on their way to everybody. */
  readonly queue = new BroadcastQueue()
  /** Whether we are in the pool, about to leave it, or out. */
  phase: 'alive' | 'leaving' | 'left' = 'alive'
  private readonly members = new Map<string, SerfRecord>()
  private readonly early = new Map<string, EarlyIntent>()
  private readonly prunes: {readonly name: string; readonly atMs: number}[] = []

  constructor(
    private readonly context: StepContext,
    startClock: number,
  ) {
    this.clock = new LamportClock(startClock)
  }

  get size(): number {
    return this.members.size
  }

  get(name: string): Member | undefined {
    const record = this.members.get(name)
    return record === undefined ? undefined : toMember(record)
  }

  list(): readonly Member[] {
    return Array.from(this.members.values(), toMember)
  }

  /** Whether anybody but us could hear what we say. */
  anyOtherAlive(): boolean {
    for (const {name, status} of this.members.values())
      if (name !== this.context.options.name && status === 'alive') return true
    return false
  }

  /** A random failed member, as often as the share of the failed is large (`reconnect`, serf.go). */
  failedToReconnect(): Member | undefined {
    const failed: SerfRecord[] = []
    let gone = 0
    for (const record of this.members.values()) {
      if (record.status === 'failed') failed.push(record)
      if (record.status === 'failed' || record.status === 'left') gone++
    }
    if (failed.length === 0) return undefined
    const alive = Math.max(1, this.members.size - gone)
    if (this.context.options.random() > failed.length / alive) return undefined
    const [one] = sample(failed, 1, bound => this.context.pick(bound))
    return one === undefined ? undefined : toMember(one)
  }

  /** A node is there, for the first time or again. */
  joined(node: NodeRecord): void {
    const known = this.members.get(node.name)
    const record = known ?? newMember(node)
    if (known === undefined) {
      this.members.set(node.name, record)
      this.applyEarly(record)
    } else {
      record.status = 'alive'
      this.follow(record, node)
    }
    this.tell('join', record)
  }

  /** A node is gone; whether it meant to was said before, if at all. */
  gone(node: NodeRecord): void {
    const record = this.members.get(node.name)
    if (record === undefined) return
    if (record.status === 'leaving') this.part(record, 'left', 'leave')
    else if (record.status === 'alive') this.part(record, 'failed', 'failed')
  }

  /** A node says something new of itself. */
  updated(node: NodeRecord): void {
    const record = this.members.get(node.name)
    if (record === undefined) return
    this.follow(record, node)
    this.tell('update', record)
  }

  /** Handles an intent that came as broadcast and passes it on when it is news. */
  received(intent: LeaveIntent | JoinIntent, bytes: Uint8Array): void {
    const news = intent.type === 'leave' ? this.leaveIntent(intent) : this.joinIntent(intent)
    if (news) this.queue.push(bytes.slice())
  }

  /** Says to everybody that we are here, as of now: after a join, and against talk of our leaving. */
  broadcastJoin(): void {
    const intent: JoinIntent = {type: 'join', ltime: this.clock.time, node: this.context.options.name}
    this.clock.witness(intent.ltime)
    const self = this.members.get(intent.node)
    if (self !== undefined) self.statusLTime = intent.ltime
    this.queue.push(encodeSerf(intent))
  }

  /** Says that a member leaves: ourselves, or one that failed and is given up. `sent` is called when others heard. */
  broadcastLeave(node: string, prune: boolean, sent: () => void): void {
    const intent: LeaveIntent = {type: 'leave', ltime: this.clock.increment(), node, prune}
    this.leaveIntent(intent)
    if (this.anyOtherAlive()) this.queue.push(encodeSerf(intent), undefined, sent)
    else sent()
  }

  /** Our part of what is exchanged about members. */
  localState(): Pick<SerfState, 'ltime' | 'statusLTimes' | 'leftMembers'> {
    const statusLTimes = new Map<string, number>()
    const leftMembers: string[] = []
    for (const {name, status, statusLTime} of this.members.values()) {
      statusLTimes.set(name, statusLTime)
      if (status === 'left') leftMembers.push(name)
    }
    return {ltime: this.clock.time, statusLTimes, leftMembers}
  }

  /** The other's part. Those that left come first, so that the times of others do not overtake theirs. */
  mergeState({ltime, statusLTimes, leftMembers}: SerfState): void {
    if (ltime > 0) this.clock.witness(ltime - 1)
    const left = new Set(leftMembers)
    for (const node of left) this.leftElsewhere(node, statusLTimes.get(node) ?? 0)
    for (const [node, at] of statusLTimes)
      if (!left.has(node)) this.joinIntent({type: 'join', ltime: at, node})
  }

  /**
   * Another knows that a node left. Serf takes it for a leave one tick after the time that is told, which lets an old
   * leave overtake the join after it; but the time itself may have come to us before, without the leave.
   */
  private leftElsewhere(node: string, at: number): void {
    const record = this.members.get(node)
    if (record?.status === 'failed' && record.statusLTime === at) this.part(record, 'left', 'leave')
    else this.leaveIntent({type: 'leave', ltime: at, node, prune: false})
  }

  /** Forgets who was gone for long enough, and intents that came to nothing. */
  reap(): void {
    const {nowMs, profile} = this.context
    for (const record of [...this.members.values()]) {
      const goneMs = nowMs - record.goneSinceMs
      if (record.status === 'left' && goneMs > profile.tombstoneTimeoutMs) this.erase(record)
      if (record.status === 'failed' && goneMs > this.reconnectMs(record)) this.erase(record)
    }
    for (const [name, intent] of this.early)
      if (nowMs - intent.atMs > EARLY_INTENT_MS) this.early.delete(name)
  }

  /** Forgets members that were to be pruned once they are gone. */
  expirePrunes(): void {
    while ((this.prunes[0]?.atMs ?? Infinity) <= this.context.nowMs) {
      const record = this.members.get(this.prunes.shift()?.name ?? '')
      if (record !== undefined && record.name !== this.context.options.name) this.erase(record)
    }
  }

  /** When `expirePrunes` has something to do. */
  nextDeadlineMs(): number {
    return this.prunes[0]?.atMs ?? Infinity
  }

  private leaveIntent({node, ltime, prune}: LeaveIntent): boolean {
    this.clock.witness(ltime)
    const record = this.members.get(node)
    if (record === undefined) return this.keepEarly('leave', node, ltime)
    if (ltime <= record.statusLTime) return false
    if (node === this.context.options.name && this.phase === 'alive') {
      this.context.log('warn', 'refuting talk of our leaving')
      this.broadcastJoin()
      return false
    }
    // Kept even where the status stays, or two nodes would tell each other of it for ever
    record.statusLTime = ltime
    if (record.status === 'alive') record.status = 'leaving'
    else if (record.status === 'failed') this.part(record, 'left', 'leave')
    if (prune) this.prune(record)
    return true
  }

  private joinIntent({node, ltime}: JoinIntent): boolean {
    this.clock.witness(ltime)
    const record = this.members.get(node)
    if (record === undefined) return this.keepEarly('join', node, ltime)
    if (ltime <= record.statusLTime) return false
    if (node === this.context.options.name && this.phase === 'alive') {
      // Others know a later word about us than we gave in this life, and it may have been of leaving
      this.broadcastJoin()
      return false
    }
    record.statusLTime = ltime
    if (record.status === 'leaving') record.status = 'alive'
    return true
  }

  private keepEarly(type: 'join' | 'leave', node: string, ltime: number): boolean {
    if (!isNodeName(node)) return false
    const known = this.early.get(node)
    if (known !== undefined && known.ltime >= ltime) return false
    if (known === undefined && this.early.size >= EARLY_INTENTS_MAX) return false
    this.early.set(node, {type, ltime, atMs: this.context.nowMs})
    return true
  }

  private applyEarly(record: SerfRecord): void {
    const intent = this.early.get(record.name)
    if (intent === undefined) return
    this.early.delete(record.name)
    record.statusLTime = intent.ltime
    if (intent.type === 'leave' && record.name !== this.context.options.name) record.status = 'leaving'
  }

  private prune(record: SerfRecord): void {
    if (record.name === this.context.options.name) return
    const {broadcastTimeoutMs, leavePropagateMs} = this.context.profile
    if (record.status !== 'leaving') return this.erase(record)
    this.prunes.push({name: record.name, atMs: this.context.nowMs + broadcastTimeoutMs + leavePropagateMs})
  }

  private part(record: SerfRecord, status: 'left' | 'failed', change: MemberChange): void {
    record.status = status
    record.goneSinceMs = this.context.nowMs
    this.tell(change, record)
  }

  private erase(record: SerfRecord): void {
    this.members.delete(record.name)
    this.tell('reap', record)
  }

  private follow(record: SerfRecord, node: NodeRecord): void {
    record.ip = node.ip
    record.port = node.port
    record.tags = tagsOf(node.meta)
    record.versions = node.versions
  }

  private reconnectMs(record: SerfRecord): number {
    const tag = record.tags[RECONNECT_TAG]
    const own = tag === undefined ? undefined : parseGoDuration(tag)
    return own !== undefined && own > 0 ? own : this.context.profile.reconnectTimeoutMs
  }

  private tell(change: MemberChange, record: SerfRecord): void {
    const member = toMember(record)
    this.context.emit({do: 'member-changed', change, member})
    if (change === 'join')
      this.context.snapshot(`alive: ${member.name} ${formatHostPort(member.ip, member.port)}`)
    if (change === 'leave' || change === 'failed') this.context.snapshot(`not-alive: ${member.name}`)
  }
}

/** Tag by which a member says how long it may be failed (Consul 1.9). */
const RECONNECT_TAG = 'rc_tm'

function newMember(node: NodeRecord): SerfRecord {
  const {name, ip, port, meta, versions} = node
  return {name, ip, port, tags: tagsOf(meta), versions, status: 'alive', statusLTime: 0, goneSinceMs: 0}
}

function toMember(record: SerfRecord): Member {
  const {name, ip, port, tags, status, versions: v} = record
  return {
    name,
    ip,
    port,
    tags,
    status,
    protocol: {min: v.protocolMin, max: v.protocolMax, current: v.protocolCur},
    delegate: {min: v.delegateMin, max: v.delegateMax, current: v.delegateCur},
  }
}
