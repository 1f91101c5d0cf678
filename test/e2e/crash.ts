import {existsSync, readFileSync} from 'node:fs'
import type {Test} from 'tap'
import {atLeast, type ServerBinary} from '../lab/binaries.js'
import type {Lab} from '../lab/lab.js'
import {eventually} from '../lab/lab.js'
import {Operator, type JournalLine, type Running} from './operator.js'
import {isWhole, raise, type Scene, type Setting} from './scenario.js'
import {consent, gone, planned} from './steps.js'

/**
 * Where and how a run is cut short: quorate is killed, or its ssh connections are cut, once the journal on disk has
 * `record` lines; `delayMs` later, to meet a step between its act and its record.
 */
export interface CrashPoint {
  readonly record: number
  readonly how: 'kill' | 'cut'
  readonly delayMs: number
}

/** What a cut-short run left in the journal. */
export interface Cut {
  /** False when the run had ended before it could be cut. */
  readonly hit: boolean
  readonly records: readonly JournalLine[]
  /** Steps begun and not known to have ended. */
  readonly inFlight: readonly string[]
}

const sleep = async (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** Waits until a plan's journal has that many records; false when quorate ended first. */
export async function untilRecord(operator: Operator, run: Running, record: number): Promise<boolean> {
  while (!run.over()) {
    if (operator.journal().length >= record) return true
    await sleep(1)
  }
  return false
}

/** Steps that a journal has begun and not seen end. */
export function stepsInFlight(records: readonly JournalLine[]): readonly string[] {
  const begun = new Set<string>()
  for (const line of records) {
    if (line.step === undefined) continue
    if (line.type === 'begin') begun.add(line.step)
    else begun.delete(line.step)
  }
  return [...begun]
}

/** Ends the ssh sessions on a host, not its sshd: the network's way of losing a connection. */
export async function cutSessions(lab: Lab, i: number): Promise<void> {
  const sessions =
    'for p in $(pgrep -x sshd); do [ "$(ps -o ppid= -p $p | tr -d " ")" != 1 ] || listener=$p; done'
  const all = `${sessions}; for p in $(pgrep -x sshd); do case "$(tr "\\0" " " </proc/$p/cmdline)" in *listener*) ;; *) kill -KILL $p ;; esac; done`
  await lab.exec(i, `${all}; true`)
}

/** An outage that can be set up again and again, and the plan that mends it. */
export class Stage {
  /** What consents to the plan of the last `command`; resuming it asks for the same. */
  consents: readonly string[] = []

  private constructor(
    readonly scene: Scene,
    readonly kept: readonly number[],
    readonly aside: readonly number[],
    readonly dead: readonly number[],
    private readonly ends: ReadonlyMap<number, number>,
  ) {}

  /**
   * Raises the servers, kills some for good and keeps the disks of the others at that moment. With `alone` only the
   * one with the longest log is to be kept, and those beside it are to be set aside.
   */
  static async set(
    t: Test,
    setting: Setting,
    binary: ServerBinary,
    how: {readonly dead: readonly number[]; readonly alone?: boolean},
  ): Promise<Stage> {
    const scene = await raise(t, setting, binary)
    const up = scene.lab.numbers.filter(i => !how.dead.includes(i))
    await scene.lab.kill(...how.dead)
    await scene.lab.bereaved(up)
    const ends = new Map<number, number>()
    for (const i of up) ends.set(i, await lastIndex(scene.lab, i))
    await scene.lab.kill(...up)
    await scene.lab.save(...up)
    const order = [...up].sort((a, b) => (ends.get(b) ?? 0) - (ends.get(a) ?? 0))
    const kept = how.alone === true ? order.slice(0, 1) : up
    return new Stage(
      scene,
      kept,
      up.filter(i => !kept.includes(i)),
      how.dead,
      ends,
    )
  }

  /** The servers whose hosts are there, kept or set aside. */
  private get up(): readonly number[] {
    return [...this.kept, ...this.aside].sort((a, b) => a - b)
  }

  /** The outage as it was, for a new operator who knows nothing of the runs before. */
  async again(): Promise<Operator> {
    const {lab, t} = this.scene
    await lab.restore(...this.up)
    await Promise.all(this.up.map(async i => lab.boot(i)))
    await lab.bereaved(this.up)
    const operator = new Operator(lab, 'root')
    t.teardown(() => operator.leave())
    return operator
  }

  /** The command that mends the outage. */
  async command(operator: Operator): Promise<readonly string[]> {
    const aside = this.aside.flatMap(i => ['--remove', this.scene.lab.name(i)])
    const words = [...gone(operator, ...this.dead), ...aside]
    const {plan, text} = await planned(operator, ...words)
    if (plan === undefined) throw new Error(text)
    this.consents = consent(plan)
    return ['peers', 'fix', '--cluster', 'lab', ...words, ...consent(plan)]
  }

  /** Starts the command and cuts it short at a point. */
  async crash(operator: Operator, command: readonly string[], point: CrashPoint): Promise<Cut> {
    let run = operator.start(command)
    let hit = await untilRecord(operator, run, point.record)
    // On a busy machine a store may not be read in time; the plan is then refused, and nothing has begun.
    for (let more = 2; !hit && more > 0 && operator.plans().length === 0; more--) {
      run = operator.start(command)
      hit = await untilRecord(operator, run, point.record)
    }
    if (hit) {
      await sleep(point.delayMs)
      hit = !run.over()
      if (point.how === 'kill') run.signal('SIGKILL')
      else await Promise.all(this.up.map(async i => cutSessions(this.scene.lab, i)))
    }
    await run.ended
    const records = operator.journal()
    return {hit, records, inFlight: stepsInFlight(records)}
  }

  /** Checks that the servers are as planned and hold everything. */
  async isPlanned(t: Test): Promise<void> {
    await isWhole({...this.scene, t}, this.kept)
  }

  /** Checks that the servers are as before: running, with the old peer set, without a file, with their whole logs. */
  async isOld(t: Test): Promise<void> {
    const {lab} = this.scene
    const old = lab.numbers.map(i => `${lab.address(i)}:8300`).sort()
    for (const i of this.up) {
      const peers = await eventually(`${lab.name(i)} runs with its old peer set`, async () => lab.peers(i))
      t.same(peers, old, `${lab.name(i)} has its old peer set`)
      const file = lab.data(i, 'raft', 'peers.json')
      if (atLeast(lab.binary.version, '0.7.0'))
        t.notOk(existsSync(file), `${lab.name(i)} has no recovery file`)
      else
        t.same(
          (JSON.parse(readFileSync(file, 'utf8')) as string[]).sort(),
          old,
          `${lab.name(i)} has its old list`,
        )
      t.ok((await lastIndex(lab, i)) >= (this.ends.get(i) ?? 0), `${lab.name(i)} has its whole log`)
    }
  }
}

/** Where a running server's log ends. */
export async function lastIndex(lab: Lab, i: number): Promise<number> {
  if (lab.binary.kind === 'consul') {
    const info = await lab.exec(i, 'consul info')
    return Number(/last_log_index = (\d+)/.exec(info)?.[1])
  }
  const {body} = await lab.http(i, '/v1/agent/self')
  const self = JSON.parse(body) as {Stats: {raft: {last_log_index: string}}}
  return Number(self.Stats.raft.last_log_index)
}
