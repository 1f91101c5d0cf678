import {existsSync} from 'node:fs'
import type {Test} from 'tap'
import type {ServerBinary} from '../lab/binaries.js'
import type {Lab} from '../lab/lab.js'
import {eventually} from '../lab/lab.js'
import {Operator, type JournalLine, type Running} from './operator.js'
import {holds, isWhole, raise, type Scene, type Setting} from './scenario.js'
import {consent, endedWell, gone, planned} from './steps.js'

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
    readonly dead: readonly number[],
    private readonly ends: ReadonlyMap<number, number>,
  ) {}

  /** Raises the servers, kills some for good and keeps the disks of the others at that moment. */
  static async set(t: Test, setting: Setting, binary: ServerBinary, dead: readonly number[]): Promise<Stage> {
    const scene = await raise(t, setting, binary)
    const kept = scene.lab.numbers.filter(i => !dead.includes(i))
    await scene.lab.kill(...dead)
    await scene.lab.bereaved(kept)
    const ends = new Map<number, number>()
    for (const i of kept) ends.set(i, await lastIndex(scene.lab, i))
    await scene.lab.kill(...kept)
    await scene.lab.save(...kept)
    return new Stage(scene, kept, dead, ends)
  }

  /** The outage as it was, for a new operator who knows nothing of the runs before. */
  async again(): Promise<Operator> {
    const {lab, t} = this.scene
    await lab.restore(...this.kept)
    await Promise.all(this.kept.map(async i => lab.boot(i)))
    await lab.bereaved(this.kept)
    const operator = new Operator(lab, 'root')
    t.teardown(() => operator.leave())
    return operator
  }

  /** The command that mends the outage. */
  async command(operator: Operator): Promise<readonly string[]> {
    const {plan, text} = await planned(operator, ...gone(operator, ...this.dead))
    if (plan === undefined) throw new Error(text)
    this.consents = consent(plan)
    return ['peers', 'fix', '--cluster', 'lab', ...gone(operator, ...this.dead), ...consent(plan)]
  }

  /** Starts the command and cuts it short at a point. */
  async crash(operator: Operator, command: readonly string[], point: CrashPoint): Promise<Cut> {
    const run = operator.start(command)
    let hit = await untilRecord(operator, run, point.record)
    if (hit) {
      await sleep(point.delayMs)
      hit = !run.over()
      if (point.how === 'kill') run.signal('SIGKILL')
      else await Promise.all(this.kept.map(async i => cutSessions(this.scene.lab, i)))
    }
    await run.ended
    const records = operator.journal()
    const begun = new Set<string>()
    for (const line of records) {
      if (line.step === undefined) continue
      if (line.type === 'begin') begun.add(line.step)
      else begun.delete(line.step)
    }
    return {hit, records, inFlight: [...begun]}
  }

  /** Checks that the servers are as planned and hold everything. */
  async isPlanned(t: Test): Promise<void> {
    await isWhole({...this.scene, t}, this.kept)
  }

  /** Checks that the servers are as before: running, with the old peer set, without a file, with their whole logs. */
  async isOld(t: Test): Promise<void> {
    const {lab} = this.scene
    const old = lab.numbers.map(i => `${lab.address(i)}:8300`).sort()
    for (const i of this.kept) {
      const peers = await eventually(`${lab.name(i)} runs with its old peer set`, async () => lab.peers(i))
      t.same(peers, old, `${lab.name(i)} has its old peer set`)
      t.notOk(existsSync(lab.data(i, 'raft', 'peers.json')), `${lab.name(i)} has no recovery file`)
      t.ok((await lastIndex(lab, i)) >= (this.ends.get(i) ?? 0), `${lab.name(i)} has its whole log`)
    }
  }

  /** Checks that a later recovery still finds every key: the old state is not only old but sound. */
  async isMendable(operator: Operator, t: Test): Promise<void> {
    const {exitCode, stdout, stderr} = await operator.run(...(await this.command(operator)))
    endedWell(t, {exitCode, stdout, stderr})
    for (const i of this.kept) await holds(this.scene.lab, i, this.scene.keys)
  }
}

async function lastIndex(lab: Lab, i: number): Promise<number> {
  const {body} = await lab.http(i, '/v1/agent/self')
  const self = JSON.parse(body) as {Stats: {raft: {last_log_index: string}}}
  return Number(self.Stats.raft.last_log_index)
}
