import type {PlanHost} from '../core/model/plan.js'
import {printable} from '../core/text.js'
import type {
  ActResult,
  Answer,
  FileToWrite,
  HostActions,
  HostQuestions,
  LockHolder,
  RereadLog,
  StopProof,
} from '../ports/host-actions.js'
import type {ServiceManager, ServiceResult, ServiceUnit} from '../ports/service-manager.js'
import type {HostConnection} from '../ports/transport.js'
import type {Guard} from './remote-files.js'
import {
  acquireLock,
  copyTree,
  lockScope,
  moveAside,
  readLock,
  releaseLock,
  restoreTree,
  sha256OfFile,
  statFile,
  writeFileAtomic,
} from './remote-files.js'
import {actByScript, runRootScript, wordsOf} from './root-script.js'
import {MOVE_AWAY, PROVE_STOPPED} from './stopped-script.js'

/** What the acts on one host are done with. */
export interface HostActionsParts {
  readonly connection: HostConnection
  readonly host: PlanHost
  readonly manager: ServiceManager
  readonly unit: ServiceUnit
  /** The plan and who applies it, as locks and holds name them. */
  readonly holder: LockHolder
  readonly questions: HostQuestions
  /**
   * Set where several servers run on the machine as one user: only the data directory tells whose process is whose, and
   * that user owns every file.
   */
  readonly shared?: {readonly uid: number; readonly gid: number}
}

/** Exit code of the proof for a server that runs. */
const RUNS = 73

class RemoteHost implements HostActions {
  readonly host: PlanHost
  readonly #parts: HostActionsParts
  readonly #scope: string

  constructor(parts: HostActionsParts) {
    this.host = parts.host
    this.#parts = parts
    this.#scope = lockScope(parts.host.dataDir)
  }

  async lock(): Promise<ActResult> {
    const {connection, holder} = this.#parts
    const taken = await acquireLock(connection, this.#scope, holder)
    if (!taken.ok || !taken.already) return taken
    // The same plan may be applied from another machine: that is another run, and holds the host against us.
    const there = await this.lockHolder()
    if (!there.ok) return there
    if (there.value?.by === printable(holder.by, 120)) return taken
    return {ok: false, failure: 'locked', note: `${there.value?.by ?? 'nobody'} applies this plan already`}
  }

  async unlock(): Promise<ActResult> {
    const {connection, holder} = this.#parts
    const there = await this.lockHolder()
    if (!there.ok) return there
    const ours = there.value?.plan === holder.plan && there.value.by === printable(holder.by, 120)
    if (!ours) return {ok: true, already: true, note: 'the lock is not ours'}
    return await releaseLock(connection, this.#scope, holder.plan)
  }

  lockHolder(): Promise<Answer<LockHolder | undefined>> {
    return readLock(this.#parts.connection, this.#scope)
  }

  async hold(): Promise<ActResult> {
    const {manager, connection, unit, holder} = this.#parts
    return acted(await manager.hold(connection, unit, holder.plan))
  }

  async release(): Promise<ActResult> {
    const {manager, connection, unit, holder} = this.#parts
    return acted(await manager.release(connection, unit, holder.plan))
  }

  async stop(options: {firstSignal: 'SIGTERM' | 'SIGKILL'; graceMs: number}): Promise<ActResult> {
    const {manager, connection, unit} = this.#parts
    return acted(await manager.stop(connection, unit, options))
  }

  async start(): Promise<ActResult> {
    const {manager, connection, unit} = this.#parts
    return acted(await manager.start(connection, unit))
  }

  async proveStopped(): Promise<Answer<StopProof>> {
    const {manager, connection, unit, holder} = this.#parts
    const [held, proof] = await Promise.all([
      manager.held(connection, unit, holder.plan),
      runRootScript(connection, PROVE_STOPPED, this.#proofArguments()),
    ])
    if (proof.kind === 'failed') return {ok: false, failure: proof.failure, note: proof.note}
    if (proof.code !== 0 && proof.code !== RUNS) return {ok: false, failure: 'failed', note: wordsOf(proof)}
    const stopped = proof.code === 0
    return {ok: true, value: {stopped, held, why: stopped ? '' : wordsOf(proof)}}
  }

  async running(): Promise<Answer<boolean>> {
    const {connection, host} = this.#parts
    const [executable, dataDir] = this.#proofArguments()
    // Sockets and locks say nothing about who holds them; only a process of the server is the server running.
    const args = [executable ?? '', dataDir ?? '', host.storePath, '', '']
    const proof = await runRootScript(connection, PROVE_STOPPED, args)
    if (proof.kind === 'failed') return {ok: false, failure: proof.failure, note: proof.note}
    if (proof.code !== 0 && proof.code !== RUNS) return {ok: false, failure: 'failed', note: wordsOf(proof)}
    return {ok: true, value: proof.code === RUNS}
  }

  sha256Of(path: string): Promise<Answer<string | undefined>> {
    return sha256OfFile(this.#parts.connection, path)
  }

  async exists(path: string): Promise<Answer<boolean>> {
    const stat = await statFile(this.#parts.connection, path)
    return stat.ok ? {ok: true, value: stat.value !== undefined} : stat
  }

  writeFile(file: FileToWrite): Promise<ActResult> {
    const {connection} = this.#parts
    const {path, mode, replaces} = file
    const owner = this.#parts.shared ?? file.owner
    const bytes = new TextEncoder().encode(file.text)
    const guard = file.whileStopped ? {guard: this.#guard()} : {}
    return writeFileAtomic(connection, {path, bytes, mode, ...owner, replaces, ...guard})
  }

  fence(from: string, to: string): Promise<ActResult> {
    return moveAside(this.#parts.connection, from, to, this.#guard())
  }

  copy(paths: readonly string[], to: string, needBytes: number): Promise<ActResult> {
    return copyTree(this.#parts.connection, paths, to, needBytes)
  }

  async restore(from: string, paths: readonly string[]): Promise<ActResult> {
    const proof = await this.proveStopped()
    if (!proof.ok) return proof
    if (!proof.value.stopped || !proof.value.held)
      return {ok: false, failure: 'barrier', note: proof.value.why || 'its service manager is not held'}
    return await restoreTree(this.#parts.connection, from, paths, this.#guard())
  }

  moveAway(path: string, to: string, whileStopped: boolean): Promise<ActResult> {
    const guard = whileStopped ? this.#guard() : {script: '', args: []}
    const args = [path, to, guard.script, ...guard.args]
    return actByScript(this.#parts.connection, MOVE_AWAY, args, `${path} is now ${to}.`)
  }

  readLog(): Promise<Answer<RereadLog>> {
    return this.#parts.questions.readLog()
  }

  leader(): Promise<Answer<string>> {
    return this.#parts.questions.leader()
  }

  configuration(): ReturnType<HostActions['configuration']> {
    return this.#parts.questions.configuration()
  }

  commitment(times: {standsMs: number; withinMs: number}): ReturnType<HostActions['commitment']> {
    return this.#parts.questions.commitment(times)
  }

  join(addresses: readonly string[]): Promise<ActResult> {
    return this.#parts.questions.join(addresses)
  }

  removePeer(peer: {id: string; address: string; byId: boolean}): Promise<ActResult> {
    return this.#parts.questions.removePeer(peer)
  }

  forceLeave(node: string): Promise<ActResult> {
    return this.#parts.questions.forceLeave(node)
  }

  #guard(): Guard {
    return {script: PROVE_STOPPED, args: this.#proofArguments()}
  }

  #proofArguments(): readonly string[] {
    const {executable, dataDir, storePath, address, raftPort} = this.host
    const ip = address.slice(0, Math.max(0, address.lastIndexOf(':')))
    const program = this.#parts.shared !== undefined ? '*' : (executable ?? '')
    return [program, dataDir, storePath, ip, String(raftPort)]
  }
}

function acted(result: ServiceResult): ActResult {
  const note = printable(result.note)
  if (result.ok) return {ok: true, already: false, note}
  return {ok: false, failure: result.lost === true ? 'lost' : 'failed', note}
}

/** Everything the executor may do on one host: deeds by script and service manager, questions as they are given. */
export function makeHostActions(parts: HostActionsParts): HostActions {
  return new RemoteHost(parts)
}
