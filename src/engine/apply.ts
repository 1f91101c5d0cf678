import {isExcludedRecord} from '../core/codec/excluded-record.js'
import type {Condition, Phase, Plan, Step} from '../core/model/plan.js'
import type {ApplyOutcome, Place, StopCode} from '../core/model/progress.js'
import {shortcomings, verifiedNote} from '../core/model/verdict.js'
import {QuorateError} from '../errors.js'
import {abreast, mayRunAhead, readOnly, writing} from './apply-deps.js'
import type {ApplyDeps, Start} from './apply-deps.js'
import {checkCondition, describeMet} from './conditions.js'
import {JournalWriter} from './journal-writer.js'
import type {JournalFact} from './journal-writer.js'
import {hostsLeft, putBackSteps} from './leavings.js'
import {effectHolds, perform} from './perform.js'
import {barrierGaps, barrierHosts, beforeTheirTurn, isStart, PlanHosts} from './plan-hosts.js'

/** How often a condition that is waited for is asked again. */
const pollMs = 500

interface Halt {
  readonly code: StopCode
  readonly why: string
  readonly step: Step | undefined
}

/**
 * Carries out a plan: phases in order, hosts in parallel inside each, the steps of one host in sequence. Each step
 * is journaled before it acts and after its effect was checked. The first failure lets the other hosts finish the
 * step they are at and stops the plan there; nothing is undone by itself, with one exception: when the logs on disk
 * turn out not to be those of the plan, and nothing has been written, everything is started as it was (rule S9).
 */
export async function applyPlan(deps: ApplyDeps, plan: Plan, start: Start): Promise<ApplyOutcome> {
  const writer = await JournalWriter.open(deps.journal, deps.clock, start.journal, start.prefix)
  return await new Run(deps, plan, start, writer).run()
}

class Run {
  readonly #deps: ApplyDeps
  readonly #plan: Plan
  readonly #hosts: PlanHosts
  readonly #journal: JournalWriter
  readonly #done: Set<string>
  readonly #begun: Set<string>
  readonly #interrupted: ReadonlySet<string>
  readonly #resumed: boolean
  readonly #steps: readonly Step[]
  readonly #startedAtMs: number
  readonly #notes: string[] = []
  #halt: Halt | undefined
  #broken: {readonly error: unknown} | undefined

  constructor(deps: ApplyDeps, plan: Plan, start: Start, journal: JournalWriter) {
    this.#deps = deps
    this.#plan = plan
    this.#hosts = new PlanHosts(plan, deps.actionsFor)
    this.#journal = journal
    this.#done = new Set(start.done)
    this.#begun = new Set(start.begun)
    this.#interrupted = start.interrupted
    this.#resumed = start.begun.size > 0
    this.#steps = plan.phases.flatMap(phase => phase.steps)
    this.#startedAtMs = deps.clock.nowMs()
  }

  async run(): Promise<ApplyOutcome> {
    for (const together of abreast(this.#plan)) {
      const open = together.filter(phase => phase.steps.some(step => !this.#done.has(step.id)))
      if (open.length === 0) continue
      if (!open.every(phase => mayRunAhead(this.#plan, phase))) await this.#hearDead()
      if (this.#halt === undefined) await Promise.all(open.map(phase => this.#phase(phase)))
      if (this.#halt !== undefined) return await this.#stopped(this.#halt)
    }
    const back = this.#plan.method === 'back'
    const verified = this.#steps.some(
      step => step.action.do === 'await' && step.action.condition.is === 'verified',
    )
    const outcome = back ? 'taken-back' : verified ? 'verified' : 'done'
    await this.#journal.append({type: 'finished', outcome: back ? 'taken-back' : 'verified'})
    return {kind: 'finished', outcome, elapsedMs: this.#elapsed(), notes: this.#notes}
  }

  /** A server that was declared dead and answers after all ends the plan before anything is written. */
  async #hearDead(): Promise<void> {
    const speak = await this.#deps.deadSpeak()
    if (speak.length > 0) this.#stop({code: 'PLAN_STALE', why: speak.join(' '), step: undefined})
  }

  async #phase(phase: Phase): Promise<void> {
    this.#deps.progress({
      type: 'phase',
      name: phase.name,
      number: phase.number,
      atMs: this.#deps.clock.nowMs(),
    })
    const chains = new Map<string, Step[]>()
    for (const step of phase.steps) chains.set(step.host, [...(chains.get(step.host) ?? []), step])
    await Promise.all([...chains.values()].map(chain => this.#chain(chain)))
    if (this.#broken !== undefined) throw this.#broken.error
  }

  /** The steps of one host. What our own code or the journal throws stops the other hosts as a failed step does. */
  async #chain(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      if (this.#halt !== undefined || this.#broken !== undefined) return
      if (this.#done.has(step.id)) continue
      if (this.#deps.stopRequested()) {
        this.#stop({code: 'STOPPED_BY_OPERATOR', why: 'the operator stopped the plan', step: undefined})
        return
      }
      try {
        await this.#step(step)
      } catch (error) {
        this.#broken ??= {error}
      }
    }
  }

  async #step(step: Step): Promise<void> {
    const startedAtMs = this.#deps.clock.nowMs()
    const place = this.#place(step)
    if (this.#interrupted.has(step.id) && (await this.#isSo(step, startedAtMs))) return
    if (this.#resumed && isStart(step) && (await this.#runsFree(step, startedAtMs))) return
    const beside = readOnly.has(step.action.do)
    const refusal = beside ? undefined : await this.#refusal(step)
    if (refusal !== undefined) {
      await this.#failed(step, refusal, startedAtMs)
      return
    }
    if (!(await this.#recorded(step, {type: 'begin', step: step.id, host: step.host}))) return
    this.#begun.add(step.id)
    const withinMs = step.action.do === 'await' ? step.action.withinMs : undefined
    this.#deps.progress({type: 'begin', step, place, atMs: startedAtMs, withinMs})
    const [objection, result] = await Promise.all([beside ? this.#refusal(step) : undefined, this.#act(step)])
    if (objection !== undefined || 'halt' in result) {
      await this.#failed(step, objection ?? (result as {readonly halt: Halt}).halt, startedAtMs)
      return
    }
    await this.#finished(step, result.note, startedAtMs)
  }

  async #finished(step: Step, note: string, startedAtMs: number): Promise<void> {
    if (!(await this.#recorded(step, {type: 'done', step: step.id, host: step.host, note}))) return
    this.#done.add(step.id)
    this.#notes.push(step.host === '' ? note : `${step.host}: ${note}`)
    const atMs = this.#deps.clock.nowMs()
    const elapsedMs = atMs - startedAtMs
    this.#deps.progress({type: 'done', step, place: this.#place(step), atMs, elapsedMs, note})
  }

  /**
   * Puts an entry on disk. Where that cannot be done (disk full, read-only) no step may act: the plan stops there like
   * at any failed step, so that the operator is told what was done and what was not.
   */
  async #recorded(step: Step | undefined, fact: JournalFact): Promise<boolean> {
    try {
      await this.#journal.append(fact)
      return true
    } catch (error) {
      if (!(error instanceof QuorateError)) throw error
      this.#stop({code: 'STEP_FAILED', why: error.message, step})
      return false
    }
  }

  /** A step that was in flight when an earlier run ended may have acted; the host tells. */
  async #isSo(step: Step, startedAtMs: number): Promise<boolean> {
    const {action} = step
    if (action.do === 'await') return false
    const reached = await this.#hosts.on(step.host)
    if (!reached.ok || (await effectHolds(reached.value, action)) !== true) return false
    await this.#finished(step, 'was done before the interruption', startedAtMs)
    return true
  }

  /** A host that rebooted between two runs forgot its hold and started its server by itself. */
  async #runsFree(step: Step, startedAtMs: number): Promise<boolean> {
    const reached = await this.#hosts.on(step.host)
    if (!reached.ok) return false
    const [running, proof] = await Promise.all([reached.value.running(), reached.value.proveStopped()])
    if (!running.ok || !running.value || !proof.ok || proof.value.held) return false
    await this.#finished(step, 'it runs already', startedAtMs)
    return true
  }

  /**
   * What stands against a step the instant before it runs. All is asked at once: whatever needs a proof of the same
   * host shares one, which begins after this call, and the first objection in this order is told.
   */
  async #refusal(step: Step): Promise<Halt | undefined> {
    const objections = await Promise.all([
      this.#needsBarrier(step) ? this.#barrierBroken(step) : undefined,
      isStart(step) ? this.#early(step) : undefined,
      ...step.requires.map(condition => this.#unmet(step, condition)),
    ])
    return objections.find(objection => objection !== undefined)
  }

  async #barrierBroken(step: Step): Promise<Halt | undefined> {
    const names = barrierHosts(this.#plan).map(host => host.host)
    const gaps = await barrierGaps(this.#hosts, names, {stopped: true, held: true})
    if (gaps.length === 0) return undefined
    const why = gaps.map(gap => `${gap.host}: ${gap.why}`).join('; ')
    return {code: gaps.every(gap => gap.lost) ? 'CONNECTION_LOST' : 'BARRIER_BROKEN', why, step}
  }

  async #unmet(step: Step, condition: Condition): Promise<Halt | undefined> {
    const held = await checkCondition(this.#plan, this.#hosts, this.#deps.by, condition)
    if (held.holds) return undefined
    const codes = {barrier: 'BARRIER_BROKEN', lost: 'CONNECTION_LOST', false: 'STEP_FAILED'} as const
    return {code: codes[held.kind], why: held.why, step}
  }

  /** Servers that were set aside stay stopped until their own start, also while others start and are verified. */
  async #early(step: Step): Promise<Halt | undefined> {
    if (this.#plan.method === 'back') return undefined
    const turn = (id: string): boolean => id === step.id || this.#begun.has(id) || this.#done.has(id)
    const why = await beforeTheirTurn(this.#plan, this.#hosts, turn)
    return why === undefined ? undefined : {code: 'BARRIER_BROKEN', why, step}
  }

  /**
   * Until the first server of the plan is started, no step writes while any of them runs, whatever the plan says.
   * After that the conditions of the step decide: a server that was set aside rejoins beside a running leader. A
   * record of ours is no write to a server.
   */
  #needsBarrier({action}: Step): boolean {
    if (!writing.has(action.do)) return false
    if (action.do === 'write-file' && isExcludedRecord(action.path)) return false
    return !this.#steps.some(other => other.action.do === 'start-service' && this.#begun.has(other.id))
  }

  async #act(step: Step): Promise<{readonly note: string} | {readonly halt: Halt}> {
    const {action} = step
    if (action.do === 'await') return await this.#await(step, action.condition, action.withinMs)
    const reached = await this.#hosts.on(step.host)
    const context = {
      mayHaveGrown: this.#plan.method === 'live-list',
      mayBeWritten: this.#anyWritten(step.host),
    }
    const result = reached.ok ? await perform(reached.value, step, action, context) : reached
    if (result.ok) return {note: result.note}
    const codes = {
      lost: 'CONNECTION_LOST',
      barrier: 'BARRIER_BROKEN',
      locked: 'LOCKED',
      stale: 'PLAN_STALE',
      'no-space': 'STEP_FAILED',
      changed: 'STEP_FAILED',
      failed: 'STEP_FAILED',
    } as const
    return {halt: {code: codes[result.failure], why: result.note, step}}
  }

  async #await(
    step: Step,
    condition: Condition,
    withinMs: number,
  ): Promise<{readonly note: string} | {readonly halt: Halt}> {
    const waiting = (missing: readonly string[]): void =>
      this.#deps.progress({type: 'waiting', step, atMs: this.#deps.clock.nowMs(), missing})
    if (condition.is === 'verified') {
      const before = await this.#early(step)
      if (before !== undefined) return {halt: before}
      const verdict = await this.#deps.verify(this.#plan, this.#rejoined(), withinMs, waiting)
      const after = await this.#early(step)
      if (after !== undefined) return {halt: after}
      if (verdict.verdict === 'verified') return {note: verifiedNote(verdict)}
      const code = verdict.verdict === 'failed' ? 'VERIFY_FAILED' : 'UNVERIFIED'
      return {halt: {code, why: shortcomings(verdict).slice(0, 5).join('; '), step}}
    }
    const untilMs = this.#deps.clock.nowMs() + withinMs
    for (;;) {
      const held = await checkCondition(this.#plan, this.#hosts, this.#deps.by, condition)
      const early = await this.#early(step)
      if (early !== undefined) return {halt: early}
      if (held.holds) return {note: describeMet(condition)}
      if (this.#deps.clock.nowMs() >= untilMs) {
        const why = `not within ${withinMs / 1000} s: ${held.why}`
        return {halt: {code: held.kind === 'lost' ? 'CONNECTION_LOST' : 'STEP_FAILED', why, step}}
      }
      waiting([held.why])
      await this.#deps.clock.sleep(pollMs)
    }
  }

  async #failed(step: Step, halt: Halt, startedAtMs: number): Promise<void> {
    this.#stop(halt)
    await this.#recorded(step, {type: 'failed', step: step.id, host: step.host, error: halt.why})
    const atMs = this.#deps.clock.nowMs()
    this.#deps.progress({
      type: 'failed',
      step,
      place: this.#place(step),
      atMs,
      elapsedMs: atMs - startedAtMs,
      error: halt.why,
    })
  }

  /** The first reason counts, except that a broken barrier outranks whatever else failed beside it. */
  #stop(halt: Halt): void {
    if (this.#halt === undefined || (halt.code === 'BARRIER_BROKEN' && this.#halt.code !== 'BARRIER_BROKEN'))
      this.#halt = halt
  }

  async #stopped(halt: Halt): Promise<ApplyOutcome> {
    const untouched = (halt.code === 'LOCKED' || halt.code === 'PLAN_STALE') && !this.#anyWritten()
    const asBefore = untouched && (await this.#putBack())
    const finished = halt.code === 'UNVERIFIED' || halt.code === 'VERIFY_FAILED'
    if (finished && (await this.#releaseAfter(halt))) {
      const outcome = halt.code === 'UNVERIFIED' ? 'unverified' : 'verify-failed'
      await this.#journal.append({type: 'finished', outcome})
    } else await this.#recorded(halt.step, {type: 'stopped', why: `${halt.code}: ${halt.why}`})
    const why =
      halt.step === undefined || halt.step.host === '' ? halt.why : prefixed(halt.step.host, halt.why)
    return {
      kind: 'stopped',
      code: this.#exitCode(halt, {finished, untouched, asBefore}),
      why,
      at: halt.step,
      place:
        halt.step === undefined ? {number: this.#done.size, of: this.#steps.length} : this.#place(halt.step),
      done: this.#steps.filter(step => this.#done.has(step.id)).map(step => step.id),
      notDone: this.#steps.filter(step => !this.#done.has(step.id)).map(step => step.id),
      left: hostsLeft(this.#plan, this.#begun, this.#done),
      asBefore,
      elapsedMs: this.#elapsed(),
    }
  }

  /** "Refused, nothing was changed" must be true: what could not be put back is a plan stopped part-way. */
  #exitCode(halt: Halt, how: {finished: boolean; untouched: boolean; asBefore: boolean}): StopCode {
    if (how.asBefore || how.finished) return halt.code
    if (this.#plan.method === 'back') return 'BACK_INCOMPLETE'
    return halt.code === 'PLAN_STALE' || halt.code === 'LOCKED' ? 'STEP_FAILED' : halt.code
  }

  /** After a verification that did not succeed the hosts are given back, unless more is to be done to them. */
  async #releaseAfter(halt: Halt): Promise<boolean> {
    const at = this.#steps.findIndex(step => step.id === halt.step?.id)
    const rest = this.#steps.slice(at + 1)
    const releases = rest.every(step => step.action.do === 'unlock' || step.action.do === 'release-service')
    if (!releases) return false
    this.#halt = undefined
    for (const phase of this.#plan.phases)
      if (phase.steps.every(step => rest.includes(step))) await this.#phase(phase)
    return this.#halt === undefined
  }

  /** Releases, starts and unlocks what this plan stopped; true when all of it succeeded. */
  async #putBack(): Promise<boolean> {
    const chains = putBackSteps(this.#plan, this.#begun, this.#done)
    const results = await Promise.all(
      chains.map(async chain => {
        for (const step of chain) {
          await this.#journal.append({type: 'begin', step: step.id, host: step.host})
          this.#begun.add(step.id)
          const result = await this.#act(step)
          if ('halt' in result) {
            await this.#journal.append({
              type: 'failed',
              step: step.id,
              host: step.host,
              error: result.halt.why,
            })
            return false
          }
          await this.#journal.append({type: 'done', step: step.id, host: step.host, note: result.note})
          this.#done.add(step.id)
        }
        return true
      }),
    )
    return results.every(Boolean)
  }

  #anyWritten(host?: string): boolean {
    return this.#steps.some(
      step =>
        writing.has(step.action.do) && this.#begun.has(step.id) && (host === undefined || step.host === host),
    )
  }

  /** Hosts that were set aside and have been started again. */
  #rejoined(): ReadonlySet<string> {
    const aside = new Set(this.#plan.hosts.filter(host => host.role === 'set-aside').map(host => host.host))
    const started = this.#steps.filter(
      step => step.action.do === 'start-service' && this.#done.has(step.id) && aside.has(step.host),
    )
    return new Set(started.map(step => step.host))
  }

  #place(step: Step): Place {
    return {number: this.#steps.indexOf(step) + 1, of: this.#steps.length}
  }

  #elapsed(): number {
    return this.#deps.clock.nowMs() - this.#startedAtMs
  }
}

const prefixed = (host: string, why: string): string => (why.startsWith(`${host}:`) ? why : `${host}: ${why}`)
