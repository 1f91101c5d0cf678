import {serverAddress, serverId} from '../../../src/core/model/ids.js'
import type {Configuration} from '../../../src/core/model/configuration.js'
import {configurationData} from '../../../src/core/raft/configuration-entry.js'
import {LogType} from '../../../src/core/raft/messages.js'
import type {
  AppendRequest,
  LogEntry,
  RaftEffect,
  RaftEvent,
  RaftRequest,
  RaftResponse,
} from '../../../src/core/raft/messages.js'
import {RaftNode} from '../../../src/core/raft/node.js'
import {DEFAULT_OPTIONS} from '../../../src/core/raft/options.js'
import type {RaftStatus} from '../../../src/core/raft/types.js'
import {bytes, configurationOf, emptyDisk, restoredFrom} from './cluster.js'
import type {ClusterOptions, Stored} from './cluster.js'

export const entry = (index: number, term: number, command = `${index}@${term}`): LogEntry => ({
  index,
  term,
  type: LogType.command,
  data: bytes(command),
})

export const configurationEntry = (index: number, term: number, configuration: Configuration): LogEntry => ({
  index,
  term,
  type: LogType.configuration,
  data: configurationData(configuration),
})

/** A disk whose log begins with a configuration and goes on with one command for each further term given. */
export function diskWith(names: readonly string[], terms: readonly number[], term?: number): Stored {
  const [first = 1, ...rest] = terms
  return {
    ...emptyDisk(),
    hasHardState: true,
    term: term ?? terms.at(-1) ?? 1,
    entries: [
      configurationEntry(1, first, configurationOf(...names)),
      ...rest.map((one, at) => entry(at + 2, one)),
    ],
  }
}

/** One node whose every event is given by hand. `write` and `apply` do what the disk and the state machine owe. */
export class Single {
  nowMs = 1000
  readonly node: RaftNode
  private token = 1
  private persistId = 0
  private applied = 0
  private reading: Effect<'read-log'> | undefined

  constructor(
    private readonly disk: Stored,
    options: ClusterOptions = {},
    name = 'a',
  ) {
    this.node = new RaftNode(
      {
        ...DEFAULT_OPTIONS,
        random: () => 0.5,
        id: serverId(name),
        address: serverAddress(`${name}:8300`),
        ...options,
        limits: {...DEFAULT_OPTIONS.limits, ...options.limits},
      },
      restoredFrom(disk),
    )
  }

  get status(): RaftStatus {
    return this.node.status()
  }

  step(...events: readonly RaftEvent[]): RaftEffect[] {
    const effects = this.node.stepAll(events, this.nowMs)
    for (const effect of effects) {
      if (effect.do === 'persist' || effect.do === 'reset-log') this.persistId = effect.persistId
      if (effect.do === 'read-log') this.reading = effect
      if (effect.do === 'apply') this.applied = effect.entries.at(-1)?.index ?? this.applied
    }
    return effects
  }

  /** Lets time pass, with a tick whenever one is due. */
  tick(ms: number): RaftEffect[] {
    const endMs = this.nowMs + ms
    const effects: RaftEffect[] = []
    for (;;) {
      const dueMs = this.node.nextDeadlineMs()
      if (dueMs > endMs) break
      this.nowMs = Math.max(this.nowMs, dueMs)
      effects.push(...this.step({on: 'tick'}))
    }
    this.nowMs = endMs
    return effects
  }

  /** Lets time pass in which the node is not run. */
  stall(ms: number): RaftEffect[] {
    this.nowMs += ms
    return this.step({on: 'tick'})
  }

  /** All that was to be persisted is. */
  write(): RaftEffect[] {
    return this.step({on: 'persisted', persistId: this.persistId})
  }

  /** The last read of what was on disk at the start is done. */
  read(): RaftEffect[] {
    const {reading} = this
    if (reading === undefined) throw new Error('nothing is read')
    this.reading = undefined
    const {readId, from, to} = reading
    const entries = this.disk.entries.filter(one => one.index >= from && one.index <= to)
    return this.step({on: 'log-read', readId, entries})
  }

  /** All that was given out is applied. */
  apply(): RaftEffect[] {
    if (this.reading !== undefined) this.read()
    return this.step({on: 'applied', index: this.applied})
  }

  request(request: Exclude<RaftRequest, {rpc: 'snapshot'}>): RaftEffect[] {
    return this.step({on: 'request', token: this.token++, request})
  }

  append(fields: Partial<AppendRequest>): RaftEffect[] {
    return this.request({
      rpc: 'append',
      term: 1,
      leaderId: serverId('b'),
      leader: serverAddress('b:8300'),
      prevIndex: 0,
      prevTerm: 0,
      entries: [],
      leaderCommit: 0,
      ...fields,
    })
  }

  vote(fields: {
    term: number
    from?: string
    lastIndex?: number
    lastTerm?: number
    leadershipTransfer?: boolean
  }): RaftEffect[] {
    return this.request({rpc: 'vote', leadershipTransfer: false, ...candidate(fields)})
  }

  preVote(fields: {term: number; from?: string; lastIndex?: number; lastTerm?: number}): RaftEffect[] {
    return this.request({rpc: 'pre-vote', ...candidate(fields)})
  }

  answer(requestId: number, response: RaftResponse | undefined): RaftEffect[] {
    return this.step({on: 'response', requestId, response})
  }

  /** Waits until the election timer has run out, once. */
  stand(): RaftEffect[] {
    for (let at = 0; at < 10; at++) {
      const effects = this.tick(Math.max(0, this.node.nextDeadlineMs() - this.nowMs))
      if (this.status.role !== 'follower') return effects
    }
    throw new Error('this server does not stand')
  }

  /** Waits out the election timer and wins with the votes of `from`. Returns what the new leader begins with. */
  win(...from: readonly string[]): RaftEffect[] {
    const asked = this.stand()
    for (const one of sends(asked, 'pre-vote'))
      if (from.includes(one.to.id))
        this.answer(one.requestId, {rpc: 'pre-vote', term: this.status.term + 1, granted: true})
    let effects = this.write()
    for (const one of sends(effects, 'vote'))
      if (from.includes(one.to.id))
        effects = this.answer(one.requestId, {rpc: 'vote', term: this.status.term, granted: true})
    return effects
  }
}

function candidate({
  from = 'b',
  ...fields
}: {
  term: number
  from?: string
  lastIndex?: number
  lastTerm?: number
}) {
  return {
    candidateId: serverId(from),
    candidate: serverAddress(`${from}:8300`),
    lastIndex: 100,
    lastTerm: fields.term - 1,
    ...fields,
  }
}

type Effect<K extends RaftEffect['do']> = Extract<RaftEffect, {do: K}>

export const only = <K extends RaftEffect['do']>(effects: readonly RaftEffect[], kind: K): Effect<K>[] =>
  effects.filter((effect): effect is Effect<K> => effect.do === kind)

export const sends = (effects: readonly RaftEffect[], rpc: RaftRequest['rpc'], channel?: string) =>
  only(effects, 'send').filter(
    one => one.request.rpc === rpc && (channel === undefined || one.channel === channel),
  )

/** The append requests to a peer that carry entries or ask about the log. */
export const appends = (effects: readonly RaftEffect[], to: string) =>
  sends(effects, 'append', 'replicate')
    .filter(one => one.to.id === to)
    .map(one => ({...one, request: one.request as AppendRequest}))

export const responses = (effects: readonly RaftEffect[]): RaftResponse[] =>
  only(effects, 'respond').map(one => one.response)

export const refusals = (effects: readonly RaftEffect[]): string[] =>
  only(effects, 'refuse').map(one => one.why)

export const accept = (term: number, loyalMs = 1000): RaftResponse => ({
  rpc: 'append',
  term,
  lastIndex: 0,
  success: true,
  noRetryBackoff: false,
  loyalMs,
})

export const reject = (term: number, lastIndex: number): RaftResponse => ({
  rpc: 'append',
  term,
  lastIndex,
  success: false,
  noRetryBackoff: true,
})
