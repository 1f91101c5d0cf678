import type {PushNodeState, PushPull, StreamMessage} from '../wire/gossip-stream.js'
import {encodeStreamMessage} from '../wire/gossip-stream.js'
import type {Versions} from '../wire/memberlist.js'
import {encodeMessage} from '../wire/memberlist.js'
import type {Endpoint} from './member.js'
import type {MemberTable} from './member-table.js'
import {pushPullMs} from './profile.js'
import type {StepContext} from './step-context.js'
import type {Streams} from './streams.js'
import type {Swim} from './swim.js'

/** What the layer above adds to an exchange of states, and says about it. */
export interface StateUser {
  /** Why these nodes may not be merged; undefined when they may. */
  refusesMerge(nodes: readonly PushNodeState[]): string | undefined
  /** Our part of the state. */
  localState(): Uint8Array
  /** The other's part. `ignoreOldEvents`: what happened before this join is not told. */
  mergeState(state: Uint8Array, ignoreOldEvents: boolean): void
  /** A message that came alone on a stream. */
  userMessage(payload: Uint8Array): void
}

/** Addresses of one join that are tried at most. */
const JOIN_ADDRESSES_MAX = 256
const PROBLEMS_MAX = 16
const NOTHING = new Uint8Array(0)

/** Exchanges whole states with others by streams: to join, and now and then so that what was lost comes round. */
export class Exchange {
  private pushPullAtMs: number

  constructor(
    private readonly context: StepContext,
    private readonly table: MemberTable,
    private readonly swim: Swim,
    private readonly streams: Streams,
    private readonly user: StateUser,
  ) {
    this.pushPullAtMs = context.nowMs + (1 + context.options.random()) * context.profile.pushPullIntervalMs
  }

  /** Joins the pools of all these addresses at once; `done` hears how many answered, and what went wrong. */
  join(
    to: readonly Endpoint[],
    ignoreOldEvents: boolean,
    done: (contacted: number, problems: readonly string[]) => void,
  ): void {
    const targets = to.slice(0, JOIN_ADDRESSES_MAX)
    let open = targets.length
    let contacted = 0
    const problems: string[] = []
    if (open === 0) return done(0, problems)
    for (const target of targets) {
      this.exchange(target, {join: true, ignoreOldEvents}, problem => {
        if (problem === undefined) contacted++
        else if (problems.length < PROBLEMS_MAX) problems.push(`${target.ip}:${target.port}: ${problem}`)
        if (--open === 0) done(contacted, problems)
      })
    }
  }

  /** Exchanges with one random node when it is time. */
  tick(): void {
    const {nowMs, profile, options} = this.context
    if (nowMs < this.pushPullAtMs) return
    this.pushPullAtMs = nowMs + pushPullMs(profile.pushPullIntervalMs, this.table.size)
    const [node] = this.table.random(1, one => one.name !== options.name && one.state === 'alive')
    if (node === undefined) return
    this.exchange(node, {join: false, ignoreOldEvents: false}, problem => {
      if (problem !== undefined) this.context.log('warn', `exchange with ${node.name} failed: ${problem}`)
    })
  }

  /** When the next exchange is due. */
  nextDeadlineMs(): number {
    return this.pushPullAtMs
  }

  /** A stream was opened to us. */
  received(token: number, from: Endpoint, message: StreamMessage): void {
    this.context.emit({do: 'answer-stream', token, bytes: this.answerTo(message)})
    if (message.type === 'user') this.user.userMessage(message.payload)
    if (message.type !== 'push-pull') return
    const problem = this.merge(message, false)
    if (problem !== undefined) this.context.log('warn', `not merged with ${from.ip}:${from.port}: ${problem}`)
  }

  private answerTo(message: StreamMessage): Uint8Array | undefined {
    if (message.type === 'push-pull') return this.localState(message.join)
    if (message.type !== 'ping') return undefined
    if (message.node !== '' && message.node !== this.context.options.name) return undefined
    return encodeMessage({type: 'ack', seqNo: message.seqNo, payload: NOTHING})
  }

  private exchange(
    to: Endpoint,
    {join, ignoreOldEvents}: {readonly join: boolean; readonly ignoreOldEvents: boolean},
    ended: (problem: string | undefined) => void,
  ): void {
    this.streams.open(to, this.localState(join), outcome => {
      if (!outcome.ok) return ended(outcome.why)
      if (outcome.message.type === 'err') return ended(`it says: ${outcome.message.error}`)
      if (outcome.message.type !== 'push-pull') return ended('it answered with something else')
      // What the answerer says of joining is our own word repeated
      ended(this.merge({...outcome.message, join}, ignoreOldEvents))
    })
  }

  private localState(join: boolean): Uint8Array {
    const nodes: PushNodeState[] = []
    for (const {name, ip, port, meta, incarnation, state, versions} of this.table.all())
      nodes.push({name, ip, port, meta, incarnation, state, versions})
    return encodeStreamMessage({type: 'push-pull', join, nodes, userState: this.user.localState()})
  }

  /** Takes in the other's state, or says why it may not be. */
  private merge({join, nodes, userState}: PushPull, ignoreOldEvents: boolean): string | undefined {
    const problem = versionProblem(nodes, [...this.table.all()])
    if (problem !== undefined) return problem
    if (join) {
      const refusal = this.user.refusesMerge(nodes)
      if (refusal !== undefined) return refusal
    }
    for (const node of nodes) this.mergeNode(node)
    if (userState.length > 0) this.user.mergeState(userState, ignoreOldEvents)
    return undefined
  }

  private mergeNode(node: PushNodeState): void {
    const {name, incarnation, state, ip, port, meta, versions} = node
    if (state === 'alive') this.swim.alive({type: 'alive', incarnation, node: name, ip, port, meta, versions})
    else if (state === 'left') this.swim.dead({type: 'dead', incarnation, node: name, from: name})
    // Hearsay of a death only makes us suspicious: the node gets its time to refute
    else this.swim.suspect({type: 'suspect', incarnation, node: name, from: this.context.options.name})
  }
}

interface Speaker {
  readonly name: string
  readonly state: string
  readonly versions: Versions | undefined
}

/**
 * Why nodes cannot be in one pool: what is spoken by each, the dead too, must be understood by all that are alive
 * (`verifyProtocol`, memberlist state.go).
 */
export function versionProblem(remote: readonly Speaker[], local: readonly Speaker[]): string | undefined {
  const range = {protocolMin: 0, protocolMax: 255, delegateMin: 0, delegateMax: 255}
  const all = [...remote, ...local]
  for (const {state, versions} of all) {
    if (state !== 'alive' || versions === undefined) continue
    range.protocolMin = Math.max(range.protocolMin, versions.protocolMin)
    range.protocolMax = Math.min(range.protocolMax, versions.protocolMax)
    range.delegateMin = Math.max(range.delegateMin, versions.delegateMin)
    range.delegateMax = Math.min(range.delegateMax, versions.delegateMax)
  }
  for (const {name, versions} of all) {
    if (versions === undefined) return `node ${name} does not say which protocol it speaks`
    const {protocolCur, delegateCur} = versions
    if (protocolCur < range.protocolMin || protocolCur > range.protocolMax)
      return `node ${name} speaks gossip protocol ${protocolCur}, others ${range.protocolMin} to ${range.protocolMax}`
    if (delegateCur < range.delegateMin || delegateCur > range.delegateMax)
      return `node ${name} speaks Serf protocol ${delegateCur}, others ${range.delegateMin} to ${range.delegateMax}`
  }
  return undefined
}
