import type {PushNodeState} from '../wire/gossip-stream.js'
import type {Alive} from '../wire/memberlist.js'
import {decodeSerf, encodeSerf} from '../wire/serf.js'
import type {StateUser} from './exchange.js'
import {InternalQueries} from './internal-queries.js'
import type {Applicant} from './member.js'
import type {MemberTable, NodeRecord} from './member-table.js'
import type {GossipEvent, QueryRequest} from './messages.js'
import {NameConflict} from './name-conflict.js'
import type {Packets} from './packets.js'
import type {AskedQuery} from './queries.js'
import {Queries} from './queries.js'
import type {SerfMembers} from './serf-members.js'
import {tagsOf} from './serf-members.js'
import type {StepContext} from './step-context.js'
import type {NodeListener} from './swim.js'
import type {UserEvents} from './user-events.js'

/** Decides who may come in, and hears of nodes: between memberlist's layer and Serf's. */
export class Gate implements NodeListener {
  /** Called when another has our name. */
  nameTaken: () => void = () => undefined

  constructor(
    private readonly context: StepContext,
    private readonly members: SerfMembers,
  ) {}

  refuses({node, ip, port, meta}: Alive): string | undefined {
    return this.context.options.mergeRule?.([{name: node, ip, port, tags: tagsOf(meta), left: false}])
  }

  /** Why a join may not be merged. */
  refusesAll(nodes: readonly PushNodeState[]): string | undefined {
    const {mergeRule} = this.context.options
    if (mergeRule === undefined) return undefined
    return mergeRule(
      nodes.map(({name, ip, port, meta, state}): Applicant => ({
        name,
        ip,
        port,
        tags: tagsOf(meta),
        left: state === 'left',
      })),
    )
  }

  joined(node: NodeRecord): void {
    this.members.joined(node)
  }

  gone(node: NodeRecord): void {
    this.members.gone(node)
  }

  updated(node: NodeRecord): void {
    this.members.updated(node)
  }

  conflict(node: NodeRecord, claimed: Alive): void {
    this.context.log(
      'error',
      `two nodes are called ${node.name}: at ${node.ip}:${node.port} and at ${claimed.ip}:${claimed.port}`,
    )
    if (node.name === this.context.options.name) this.nameTaken()
  }
}

/** The Serf layer: messages to and from all members, on top of who is there. */
export class Serf implements StateUser {
  readonly queries: Queries
  private readonly internal: InternalQueries

  constructor(
    private readonly context: StepContext,
    table: MemberTable,
    packets: Packets,
    private readonly gate: Gate,
    private readonly members: SerfMembers,
    private readonly events: UserEvents,
    queryQueue: Queries['queue'],
  ) {
    this.internal = new InternalQueries(context, members, () => this.queries)
    this.queries = new Queries(
      context,
      table,
      packets,
      asked => this.asked(asked),
      context.options.restored?.queryClock ?? 0,
      queryQueue,
    )
    const conflict = new NameConflict(context, () => this.queries)
    gate.nameTaken = () => conflict.resolve()
  }

  /** A message of Serf's came, by packet or stream. */
  userMessage(payload: Uint8Array): void {
    const message = decodeSerf(payload)
    if (!message.ok) {
      this.context.log('debug', `a Serf message makes no sense: ${message.problem}`)
      return
    }
    switch (message.value.type) {
      case 'leave':
      case 'join':
        return this.members.received(message.value, payload)
      case 'user-event':
        return this.events.received(message.value, payload)
      case 'query':
        return this.queries.received(message.value, payload)
      case 'query-response':
        return this.queries.response(message.value)
      case 'relay':
        return this.queries.relay(message.value)
      case 'push-pull':
        this.context.log('debug', 'a state came outside an exchange')
    }
  }

  refusesMerge(nodes: readonly PushNodeState[]): string | undefined {
    return this.gate.refusesAll(nodes)
  }

  localState(): Uint8Array {
    return encodeSerf({
      type: 'push-pull',
      ...this.members.localState(),
      ...this.events.localState(),
      queryLTime: this.queries.clock.time,
    })
  }

  mergeState(state: Uint8Array, ignoreOldEvents: boolean): void {
    const message = decodeSerf(state)
    if (!message.ok || message.value.type !== 'push-pull') {
      this.context.log('warn', 'the Serf part of an exchange makes no sense')
      return
    }
    this.members.mergeState(message.value)
    if (message.value.queryLTime > 0) this.queries.clock.witness(message.value.queryLTime - 1)
    this.events.mergeState(message.value, ignoreOldEvents)
  }

  /** Puts a question of the application's to all. */
  query(token: number, request: QueryRequest): void {
    this.queries.start(request, {
      acknowledged: from => this.context.emit({do: 'query-ack', token, from}),
      answered: (from, payload) =>
        this.context.emit({do: 'query-response', token, from, payload: payload.slice()}),
      done: () => this.context.emit({do: 'query-done', token}),
    })
  }

  /** The application's answer to a question, or the keyring's. */
  answer(event: Extract<GossipEvent, {on: 'query-answer' | 'keyring-changed'}>): void {
    if (event.on === 'keyring-changed') this.internal.keyringChanged(event.queryId, event.result)
    else if (!this.queries.answer(event.queryId, event.payload))
      this.context.log('warn', 'an answer to a query came too late or was too long')
  }

  private asked(asked: AskedQuery): void {
    if (this.internal.take(asked)) return
    const {queryId, query, deadlineMs} = asked
    const {name, payload, sourceNode} = query
    this.context.emit({do: 'query-received', queryId, name, payload, from: sourceNode, deadlineMs})
  }
}
