import type {Alive, Dead, Suspect, Versions} from '../wire/memberlist.js'
import {encodeMessage, OUR_VERSIONS} from '../wire/memberlist.js'
import {Awareness} from './awareness.js'
import {BroadcastQueue} from './broadcast-queue.js'
import type {MemberTable, NodeRecord} from './member-table.js'
import {isNodeName, isThere, NODES_MAX} from './member-table.js'
import {suspicionMinMs} from './profile.js'
import type {StepContext} from './step-context.js'
import {Suspicion} from './suspicion.js'

/** What the layer above is told of nodes (memberlist `EventDelegate`, `ConflictDelegate`, `AliveDelegate`). */
export interface NodeListener {
  /** Why a node that is said to be alive may not come in; undefined when it may. */
  refuses(alive: Alive): string | undefined
  joined(node: NodeRecord): void
  gone(node: NodeRecord): void
  updated(node: NodeRecord): void
  /** Somebody says that `node` is at another address. */
  conflict(node: NodeRecord, claimed: Alive): void
}

const INCARNATION_MAX = 0xffff_ffff

/**
 * Who is there: SWIM's alive, suspect and dead with incarnations, Lifeguard's suspicion, and Serf's left
 * (`aliveNode`, `suspectNode`, `deadNode`, memberlist state.go). An accusation against ourselves is refuted.
 */
export class Swim {
  readonly awareness: Awareness
  /** News about nodes; newer news of the same node replaces older. */
  readonly queue = new BroadcastQueue(2 * NODES_MAX)
  private readonly suspicions = new Map<string, Suspicion>()
  private incarnation = 0
  private leaving = false

  constructor(
    private readonly context: StepContext,
    private readonly table: MemberTable,
    private readonly listener: NodeListener,
  ) {
    this.awareness = new Awareness(context.profile.awarenessMax)
  }

  private get self(): string {
    return this.context.options.name
  }

  /** Says that we are here, with this metadata: at start, and whenever the metadata changes. */
  announce(meta: Uint8Array): void {
    const {advertise, delegateProtocol} = this.context.options
    this.incarnation++
    const versions: Versions = {...OUR_VERSIONS, delegateCur: delegateProtocol}
    this.accept({
      type: 'alive',
      incarnation: this.incarnation,
      node: this.self,
      ip: advertise.ip,
      port: advertise.port,
      meta,
      versions,
    })
  }

  /** Says that we are gone of our own will. `sent` is called when others were told. */
  leave(sent: () => void): void {
    this.leaving = true
    const self = this.table.self()
    if (self === undefined) return sent()
    this.bury(self, {type: 'dead', incarnation: self.incarnation, node: this.self, from: this.self}, sent)
  }

  /** Somebody says that a node is alive. */
  alive(alive: Alive): void {
    if (this.leaving && alive.node === this.self) return
    const versions = alive.versions
    if (versions === undefined || !isSane(versions) || !isNodeName(alive.node) || alive.port === 0) {
      this.context.log('warn', `ignoring an alive message of ${alive.node} that makes no sense`)
      return
    }
    if (alive.node === this.self) return this.aboutOurselves(alive)
    const node = this.table.get(alive.node)
    const moved = node !== undefined && (node.ip !== alive.ip || node.port !== alive.port)
    // Most of what is heard is no news, and who may come in is not asked about it
    if (node !== undefined && !moved && alive.incarnation <= node.incarnation) return
    const refusal = this.listener.refuses(alive)
    if (refusal !== undefined) {
      this.context.log('warn', `ignoring that ${alive.node} is alive: ${refusal}`)
      return
    }
    if (node !== undefined && moved && !this.mayMove(node)) return this.listener.conflict(node, alive)
    if (node === undefined && this.table.size >= NODES_MAX) return
    this.accept(alive)
  }

  /** Somebody suspects a node. */
  suspect(suspect: Suspect): void {
    const node = this.table.get(suspect.node)
    if (node === undefined || suspect.incarnation < node.incarnation) return
    const running = this.suspicions.get(node.name)
    if (running !== undefined) {
      if (running.confirm(suspect.from)) this.broadcast(suspect)
      return
    }
    if (node.state !== 'alive') return
    if (node.name === this.self) {
      if (!this.leaving) this.refute(node, suspect.incarnation, `suspected by ${suspect.from}`)
      return
    }
    this.broadcast(suspect)
    node.incarnation = suspect.incarnation
    this.change(node, 'suspect')
    this.startSuspicion(node, suspect.from)
  }

  /** Somebody says that a node is dead, or that it left when it says so itself. */
  dead(dead: Dead): void {
    const node = this.table.get(dead.node)
    if (node === undefined || dead.incarnation < node.incarnation) return
    this.suspicions.delete(node.name)
    if (!isThere(node)) return
    if (node.name === this.self && !this.leaving)
      return this.refute(node, dead.incarnation, `said to be dead by ${dead.from}`)
    this.bury(node, dead)
  }

  /** Declares dead whom the time to refute ran out for. */
  expireSuspicions(): void {
    for (const [name, suspicion] of [...this.suspicions]) {
      if (suspicion.deadlineMs > this.context.nowMs) continue
      this.suspicions.delete(name)
      const node = this.table.get(name)
      if (node?.state !== 'suspect') continue
      this.context.log('info', `marking ${name} as failed: nobody refuted the suspicion`)
      this.dead({type: 'dead', incarnation: node.incarnation, node: name, from: this.self})
    }
  }

  /** When the next suspicion runs out. */
  nextDeadlineMs(): number {
    let next = Infinity
    for (const suspicion of this.suspicions.values()) next = Math.min(next, suspicion.deadlineMs)
    return next
  }

  private aboutOurselves(alive: Alive): void {
    const node = this.table.self()
    if (node === undefined) return
    if (alive.ip !== node.ip || alive.port !== node.port) return this.listener.conflict(node, alive)
    if (alive.incarnation < node.incarnation) return
    const same =
      alive.incarnation === node.incarnation &&
      sameBytes(alive.meta, node.meta) &&
      alive.versions !== undefined &&
      sameVersions(alive.versions, node.versions)
    if (!same) this.refute(node, alive.incarnation, 'an older life of ours is still told of')
  }

  /** The name of a node that left may be taken from another address, and after a while that of a dead one. */
  private mayMove(node: NodeRecord): boolean {
    const {deadNodeReclaimMs} = this.context.profile
    if (node.state === 'left') return true
    if (node.state !== 'dead' || deadNodeReclaimMs === 0) return false
    return this.context.nowMs - node.stateChangedMs > deadNodeReclaimMs
  }

  private accept(alive: Alive): void {
    const known = this.table.get(alive.node)
    const node = known ?? newRecord(alive, this.context.nowMs)
    if (known === undefined) this.table.add(node)
    const wasThere = isThere(node)
    const changed = !sameBytes(node.meta, alive.meta)
    this.suspicions.delete(node.name)
    this.broadcast(alive)
    node.incarnation = alive.incarnation
    node.ip = alive.ip
    node.port = alive.port
    // A copy: what was decoded is a view of the whole packet
    node.meta = alive.meta.slice()
    node.versions = alive.versions ?? node.versions
    if (node.state !== 'alive') this.change(node, 'alive')
    if (!wasThere) this.listener.joined(node)
    else if (changed) this.listener.updated(node)
  }

  private bury(node: NodeRecord, dead: Dead, sent?: () => void): void {
    this.suspicions.delete(node.name)
    this.broadcast(dead, sent)
    node.incarnation = dead.incarnation
    this.change(node, dead.node === dead.from ? 'left' : 'dead')
    this.listener.gone(node)
  }

  private refute(node: NodeRecord, accused: number, why: string): void {
    if (accused >= INCARNATION_MAX) return
    this.incarnation = Math.max(this.incarnation, accused) + 1
    node.incarnation = this.incarnation
    this.awareness.add(1)
    this.context.log('warn', `refuting: ${why}`)
    this.broadcast({
      type: 'alive',
      incarnation: node.incarnation,
      node: node.name,
      ip: node.ip,
      port: node.port,
      meta: node.meta,
      versions: node.versions,
    })
  }

  private startSuspicion(node: NodeRecord, from: string): void {
    const {suspicionMult, suspicionMaxTimeoutMult, probeIntervalMs} = this.context.profile
    const wanted = suspicionMult - 2
    // Fewer others than that cannot confirm at all, so nobody is waited for
    const expected = this.table.size - 2 < wanted ? 0 : wanted
    const minMs = suspicionMinMs(suspicionMult, this.table.size, probeIntervalMs)
    const suspicion = new Suspicion({
      from,
      expected,
      minMs,
      maxMs: suspicionMaxTimeoutMult * minMs,
      startedMs: this.context.nowMs,
    })
    this.suspicions.set(node.name, suspicion)
  }

  private change(node: NodeRecord, state: NodeRecord['state']): void {
    node.state = state
    node.stateChangedMs = this.context.nowMs
  }

  private broadcast(message: Alive | Suspect | Dead, sent?: () => void): void {
    this.queue.push(encodeMessage(message), message.node, sent)
  }
}

/** A node as it is made before it is taken in: dead, so that taking it in is a change. */
function newRecord(alive: Alive, nowMs: number): NodeRecord {
  return {
    name: alive.node,
    ip: alive.ip,
    port: alive.port,
    meta: new Uint8Array(0),
    versions: alive.versions ?? OUR_VERSIONS,
    incarnation: 0,
    state: 'dead',
    stateChangedMs: nowMs,
  }
}

const isSane = (versions: Versions): boolean =>
  versions.protocolMin > 0 && versions.protocolMax > 0 && versions.protocolMin <= versions.protocolMax

const sameVersions = (a: Versions, b: Versions): boolean =>
  a.protocolMin === b.protocolMin &&
  a.protocolMax === b.protocolMax &&
  a.protocolCur === b.protocolCur &&
  a.delegateMin === b.delegateMin &&
  a.delegateMax === b.delegateMax &&
  a.delegateCur === b.delegateCur

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, index) => byte === b[index])
