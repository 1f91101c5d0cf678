import {mkdirSync, writeFileSync} from 'node:fs'
import t from 'tap'
import {sleep, Victims} from '../helpers/victims.js'
import {isLinearizable} from './checker.js'
import type {Ask, Operation} from './checker.js'

/** `QUORATE_HISTORY_SECONDS` makes it longer, by hand. */
const SECONDS = Number(process.env['QUORATE_HISTORY_SECONDS'] ?? 45)
const CLIENTS = 8
const KEYS = 5
/** Keys are given up for new ones after a while: the search is over one key, and long histories make it long. */
const KEY_AGE_MS = 3000
const SNAPSHOTS = '-hcl=raft_snapshot_threshold = 150 raft_snapshot_interval = "1s" raft_trailing_logs = 60'

/** Clients that note what they asked and what they were told. */
class Recorder {
  readonly histories = new Map<string, Operation[]>()
  stopped = false
  private values = 0
  private readonly began = process.hrtime.bigint()

  constructor(private readonly victims: Victims) {}

  private now = (): number => Number(process.hrtime.bigint() - this.began) / 1e6

  async client(client: number): Promise<void> {
    /** What this client saw last of a key, for its compare-and-set. */
    const seen = new Map<string, {index: string; value: string | undefined}>()
    while (!this.stopped) {
      const key = `h/${Math.floor(this.now() / KEY_AGE_MS)}/${Math.floor(Math.random() * KEYS)}`
      const last = seen.get(key)
      const dice = Math.random()
      const value = `v${++this.values}`
      if (dice < 0.45) await this.get(client, key, seen)
      else if (dice < 0.75) await this.write(client, key, {ask: 'put', value}, 'PUT', '')
      else if (dice < 0.8) await this.write(client, key, {ask: 'delete'}, 'DELETE', '')
      else if (last !== undefined)
        await this.write(client, key, {ask: 'cas', expected: last.value, value}, 'PUT', `?cas=${last.index}`)
    }
  }

  private note(key: string, operation: Operation): void {
    const history = this.histories.get(key)
    if (history === undefined) this.histories.set(key, [operation])
    else history.push(operation)
  }

  private async get(
    client: number,
    key: string,
    seen: Map<string, {index: string; value: string | undefined}>,
  ): Promise<void> {
    const calledAt = this.now()
    const answer = await this.victims.ask(this.anyone(), 'GET', `/v1/kv/${key}?consistent`)
    if (answer?.status !== 200 && answer?.status !== 404) return sleep(20)
    const [entry] =
      answer.status === 404 ? [] : (JSON.parse(answer.text) as {Value: string; ModifyIndex: number}[])
    const found = entry === undefined ? undefined : Buffer.from(entry.Value, 'base64').toString()
    seen.set(key, {index: String(entry?.ModifyIndex ?? 0), value: found})
    this.note(key, {client, ask: {ask: 'get'}, calledAt, returnedAt: this.now(), found})
  }

  private async write(client: number, key: string, ask: Ask, method: string, query: string): Promise<void> {
    const calledAt = this.now()
    const body = 'value' in ask ? ask.value : undefined
    const answer = await this.victims.ask(this.anyone(), method, `/v1/kv/${key}${query}`, body)
    const known = answer?.status === 200
    const done = answer?.text.trim() === 'true'
    this.note(key, {client, ask, calledAt, returnedAt: known ? this.now() : undefined, done})
    if (!known) await sleep(20)
  }

  private anyone = (): number => 1 + Math.floor(Math.random() * this.victims.count)
}

/** Bad things, mostly to the leader: killed, paused, cut off, alone or with another. */
async function harm(victims: Victims): Promise<string> {
  const leader = await victims.leader()
  const any = 1 + Math.floor(Math.random() * victims.count)
  const victim = Math.random() < 0.7 ? (leader ?? any) : any
  const dice = Math.random()
  if (dice < 0.3) {
    await victims.kill(victim)
    await sleep(Math.random() * 1500)
    victims.start(victim)
    return 'kill'
  }
  if (dice < 0.65) {
    victims.processes.get(victim)?.kill('SIGSTOP')
    await sleep(300 + Math.random() * 4000)
    victims.processes.get(victim)?.kill('SIGCONT')
    return 'pause'
  }
  victims.part([victim])
  await sleep(300 + Math.random() * 4000)
  victims.part([])
  return 'partition'
}

t.test('what clients saw under kills, pauses and partitions is linearizable, key by key', async t => {
  const directory = t.testdir()
  mkdirSync(directory, {recursive: true})
  const victims = new Victims(directory, 3, '71.10', [SNAPSHOTS, '-hcl=performance { raft_multiplier = 1 }'])
  t.teardown(() => victims.killAll())
  for (let n = 1; n <= victims.count; n++) victims.start(n)
  for (let i = 0; i < 150 && (await victims.leader()) === undefined; i++) await sleep(200)
  const recorder = new Recorder(victims)
  const clients = Array.from({length: CLIENTS}, (_, i) => recorder.client(i))
  const harms = new Map<string, number>()
  for (const end = Date.now() + SECONDS * 1000; Date.now() < end;) {
    await sleep(500 + Math.random() * 1500)
    const what = await harm(victims)
    harms.set(what, (harms.get(what) ?? 0) + 1)
  }
  recorder.stopped = true
  await Promise.all(clients)
  const all = [...recorder.histories]
  const operations = all.reduce((sum, [, history]) => sum + history.length, 0)
  const open = all.reduce(
    (sum, [, history]) => sum + history.filter(one => one.returnedAt === undefined).length,
    0,
  )
  t.comment(
    `${operations} operations on ${all.length} keys, ${open} without an answer; ${JSON.stringify([...harms])}`,
  )
  t.ok(operations > SECONDS * 10, 'enough was asked')
  for (const [key, history] of all) {
    if (isLinearizable(history)) continue
    const path = `${process.env['TMPDIR'] ?? '/tmp'}/quorate-history-${process.pid}.json`
    writeFileSync(path, JSON.stringify(history, null, 1))
    t.fail(`the history of ${key} is not linearizable; it is in ${path}`)
  }
  t.same(victims.unexpected, [], 'no server ended by itself')
})
