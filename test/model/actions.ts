import {logIndex, term} from '../../src/core/model/ids.js'
import type {PlanHost} from '../../src/core/model/plan.js'
import type {
  ActionsFor,
  ActResult,
  Answer,
  FileToWrite,
  HostActions,
  LockHolder,
  RereadLog,
  StopProof,
} from '../../src/ports/host-actions.js'
import {endOf, peersOf} from './disk.js'
import type {ModelHost} from './server.js'
import {asAddress, isLegacy, raftOf} from './server.js'
import {paths} from './disk.js'
import {Killed} from './world.js'
import type {World} from './world.js'

/** Where faults are put in: asked before and after each act; throws to kill us, answers 'lost' to cut the connection. */
export type Fault = (moment: {
  readonly host: string
  readonly act: string
  readonly when: 'before' | 'after'
}) => 'lost' | undefined

const ok = (note: string, already = false): ActResult => ({ok: true, already, note})
const failed = (note: string): ActResult => ({ok: false, failure: 'failed', note})
const lost = {ok: false, failure: 'lost', note: 'the connection was lost'} as const

/** The acts of the executor on a modelled host. */
export class ModelActions implements HostActions {
  readonly #world: World
  readonly #model: ModelHost
  readonly #who: {plan: string; by: string}
  readonly #fault: Fault

  constructor(
    readonly host: PlanHost,
    parts: {world: World; plan: string; by: string; fault: Fault},
  ) {
    this.#world = parts.world
    this.#model = parts.world.host(host.host)
    this.#who = {plan: parts.plan, by: parts.by}
    this.#fault = parts.fault
  }

  /** Runs an act with the faults of the test around it. A short pause lets the other hosts act in between. */
  async #do<T>(act: string, run: () => T): Promise<T | typeof lost> {
    await Promise.resolve()
    if (this.#world.killed) throw new Killed()
    if (!this.#model.reachable) return lost
    const {host} = this.host
    if (this.#fault({host, act, when: 'before'}) === 'lost') return lost
    const result = run()
    if (this.#fault({host, act, when: 'after'}) === 'lost') return lost
    return result
  }

  #guard(whileStopped: boolean): ActResult | undefined {
    if (!whileStopped) return undefined
    if (this.#model.running === undefined && this.#model.held) return undefined
    return {ok: false, failure: 'barrier', note: 'the server runs or may be started'}
  }

  lock(): Promise<ActResult> {
    return this.#do('lock', () => {
      const {lock} = this.#model
      if (lock === undefined) this.#model.lock = this.#who
      else if (lock.plan !== this.#who.plan || lock.by !== this.#who.by)
        return {ok: false, failure: 'locked', note: `locked by ${lock.by}, plan ${lock.plan}`} as const
      return ok('locked', lock !== undefined)
    })
  }
  unlock(): Promise<ActResult> {
    return this.#do('unlock', () => {
      const {lock} = this.#model
      if (lock?.plan === this.#who.plan && lock.by === this.#who.by) this.#model.lock = undefined
      return ok('unlocked')
    })
  }
  lockHolder(): Promise<Answer<LockHolder | undefined>> {
    return this.#do('lockHolder', () => ({ok: true, value: this.#model.lock}) as const)
  }
  hold(): Promise<ActResult> {
    return this.#do('hold', () => {
      const already = this.#model.held
      this.#model.held = true
      return ok('held', already)
    })
  }
  release(): Promise<ActResult> {
    return this.#do('release', () => {
      this.#model.held = false
      return ok('released')
    })
  }
  stop(): Promise<ActResult> {
    return this.#do('stop', () => {
      const already = this.#model.running === undefined
      this.#world.kill(this.host.host)
      this.#model.wanted = false
      if (!already && this.#model.vain !== undefined) this.#model.vain -= 1
      return ok('stopped', already)
    })
  }
  start(): Promise<ActResult> {
    return this.#do('start', () => {
      const refusal = this.#world.start(this.host.host)
      return refusal === undefined ? ok('started') : failed(refusal)
    })
  }
  proveStopped(): Promise<Answer<StopProof>> {
    return this.#do('proveStopped', () => {
      const stopped = this.#model.running === undefined
      const why = stopped ? '' : 'a process of the server runs'
      return {ok: true, value: {stopped, held: this.#model.held, why}} as const
    })
  }
  running(): Promise<Answer<boolean>> {
    return this.#do('running', () => ({ok: true, value: this.#model.running !== undefined}) as const)
  }
  readLog(): Promise<Answer<RereadLog>> {
    return this.#do('readLog', () => {
      const state = raftOf(this.#model)
      const last = endOf(state)
      const listed = JSON.parse(this.#model.disk.text(paths.peers) ?? 'null') as string[] | null
      const servers = isLegacy(this.#model.identity) ? (listed ?? []).map(asAddress) : peersOf(state).servers
      const end = {index: logIndex(last.index), term: term(last.term)}
      return {ok: true, value: {end, configuration: {servers}}} as const
    })
  }
  sha256Of(path: string): Promise<Answer<string | undefined>> {
    return this.#do('sha256Of', () => ({ok: true, value: this.#model.disk.digest(path)}) as const)
  }
  exists(path: string): Promise<Answer<boolean>> {
    return this.#do('exists', () => ({ok: true, value: this.#model.disk.exists(path)}) as const)
  }
  writeFile(file: FileToWrite): Promise<ActResult> {
    return this.#do('writeFile', () => {
      const guard = this.#guard(file.whileStopped)
      if (guard !== undefined) return guard
      const {disk} = this.#model
      const there = disk.digest(file.path)
      if (there === file.sha256) return ok('was written already', true)
      if (there !== file.replaces)
        return {ok: false, failure: 'changed', note: `${file.path} is not what the plan saw`} as const
      disk.write(file.path, file.text, file.owner.uid, file.mode)
      return ok(`wrote ${file.path}`)
    })
  }
  fence(from: string, to: string): Promise<ActResult> {
    return this.#do('fence', () => {
      const guard = this.#guard(true)
      if (guard !== undefined) return guard
      const {disk} = this.#model
      if (!disk.exists(from)) return disk.exists(to) ? ok('was fenced', true) : failed(`${from} is gone`)
      if (disk.exists(to)) return failed(`${to} is there already`)
      disk.rename(from, to)
      return ok('fenced')
    })
  }
  copy(copied: readonly string[], to: string): Promise<ActResult> {
    return this.#do('copy', () => {
      const {disk} = this.#model
      if (disk.exists(to)) return ok('was copied', true)
      for (const path of copied) disk.copy(path, to + path)
      return ok('copied, checksums agree')
    })
  }
  restore(from: string, restored: readonly string[]): Promise<ActResult> {
    return this.#do('restore', () => {
      const guard = this.#guard(true)
      if (guard !== undefined) return guard
      const {disk} = this.#model
      for (const path of restored) {
        disk.remove(path)
        disk.copy(from + path, path)
      }
      return ok('restored')
    })
  }
  moveAway(path: string, to: string, whileStopped: boolean): Promise<ActResult> {
    return this.#do('moveAway', () => {
      const guard = this.#guard(whileStopped)
      if (guard !== undefined) return guard
      const {disk} = this.#model
      if (!disk.exists(path)) return ok('was not there', true)
      disk.rename(path, to)
      return ok('moved')
    })
  }
  join(addresses: readonly string[]): Promise<ActResult> {
    return this.#do('join', () => {
      this.#world.join(this.host.host, addresses)
      return ok('joined')
    })
  }
  removePeer(peer: {id: string; address: string}): Promise<ActResult> {
    return this.#do('removePeer', () =>
      this.#world.removePeer(peer.id, peer.address) ? ok('removed') : failed('No cluster leader'),
    )
  }
  forceLeave(node: string): Promise<ActResult> {
    return this.#do('forceLeave', () => {
      const gone = this.#world.host(node).identity
      return this.#world.removePeer(gone.nodeId, gone.address) ? ok('left') : failed('No cluster leader')
    })
  }
  leader(): Promise<Answer<string>> {
    return this.#do('leader', () => ({ok: true, value: this.#model.running?.leader ?? ''}) as const)
  }
  commitment(): ReturnType<HostActions['commitment']> {
    return this.#do('commitment', () => {
      this.#world.pass(3000)
      const {running, vain} = this.#model
      if (running?.role === 'leader' && (vain ?? 0) > 0) return {ok: true, value: 'stuck'} as const
      return {ok: true, value: (running?.leader ?? '') === '' ? 'open' : 'whole'} as const
    })
  }
  configuration(): ReturnType<HostActions['configuration']> {
    return this.#do('configuration', () => {
      const {running} = this.#model
      if (running === undefined)
        return {ok: false, failure: 'failed', note: 'the server does not answer'} as const
      return {ok: true, value: running.peers} as const
    })
  }
}

/** Reaches modelled hosts. */
export function modelActionsFor(parts: {world: World; plan: string; by: string; fault?: Fault}): ActionsFor {
  return host => {
    if (parts.world.killed) throw new Killed()
    if (!parts.world.host(host.host).reachable) return Promise.resolve(lost)
    return Promise.resolve({
      ok: true,
      value: new ModelActions(host, {...parts, fault: parts.fault ?? (() => undefined)}),
    })
  }
}
