import t from 'tap'
import {sleep, Victims} from '../helpers/victims.js'

/** `QUORATE_TORTURE_SECONDS` makes it longer, by hand. */
const SECONDS = Number(process.env['QUORATE_TORTURE_SECONDS'] ?? 20)
const WRITERS = 6
const SNAPSHOTS = '-hcl=raft_snapshot_threshold = 150 raft_snapshot_interval = "1s" raft_trailing_logs = 60'

/** Something bad that happens to servers. All are back afterwards. */
async function torment(victims: Victims): Promise<void> {
  const names = [...victims.processes.keys()]
  const victim = names[Math.floor(Math.random() * names.length)] ?? 1
  const dice = Math.random()
  if (dice < 0.6) {
    await victims.kill(victim)
    await sleep(Math.random() * 2000)
    victims.start(victim)
  } else if (dice < 0.8) {
    victims.processes.get(victim)?.kill('SIGSTOP')
    await sleep(500 + Math.random() * 3000)
    victims.processes.get(victim)?.kill('SIGCONT')
  } else {
    await Promise.all(names.map(n => victims.kill(n)))
    for (const n of names) victims.start(n)
  }
}

/** The keys and values that a server has, or undefined while it cannot tell for sure. */
async function contents(
  victims: Victims,
  n: number,
  mode: string,
): Promise<ReadonlyMap<string, string> | undefined> {
  const answer = await victims.ask(n, 'GET', `/v1/kv/t/?recurse&${mode}`, undefined, 15_000)
  if (answer?.status !== 200) return undefined
  const entries = JSON.parse(answer.text) as {Key: string; Value: string}[]
  return new Map(entries.map(({Key, Value}) => [Key, Buffer.from(Value, 'base64').toString()]))
}

async function eventually<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline;) {
    const found = await ask()
    if (found !== undefined) return found
    await sleep(200)
  }
  throw new Error('waited too long')
}

void t.test(
  'under kills, pauses and restarts no acknowledged write is lost, and all servers agree',
  async t => {
    const victims = new Victims(t.testdir(), 3, '71.9', [SNAPSHOTS])
    t.teardown(() => victims.killAll())
    for (let n = 1; n <= victims.count; n++) victims.start(n)
    await eventually(async () => {
      const answer = await victims.ask(1, 'GET', '/v1/status/leader')
      return answer?.status === 200 && answer.text !== '""' ? true : undefined
    })
    const acknowledged = new Map<string, string>()
    let [next, stop] = [0, false]
    const write = async (): Promise<void> => {
      while (!stop) {
        const key = `t/${next++}`
        const value = `value of ${key}`
        const n = 1 + Math.floor(Math.random() * victims.count)
        const answer = await victims.ask(n, 'PUT', `/v1/kv/${key}`, value)
        if (answer?.status === 200 && answer.text.trim() === 'true') acknowledged.set(key, value)
        else await sleep(50)
      }
    }
    const writers = Array.from({length: WRITERS}, write)
    for (const end = Date.now() + SECONDS * 1000; Date.now() < end;) {
      await sleep(1000 + Math.random() * 2000)
      await torment(victims)
    }
    stop = true
    await Promise.all(writers)
    t.comment(`${acknowledged.size} writes of ${next} were acknowledged`)
    t.ok(acknowledged.size > 0)
    for (let n = 1; n <= victims.count; n++) {
      const found = await eventually(() => contents(victims, n, 'consistent'))
      const lost = [...acknowledged].filter(([key, value]) => found.get(key) !== value)
      t.same(lost, [], `server ${n} has all of them`)
    }
    const same = await eventually(async () => {
      const all = await Promise.all([1, 2, 3].map(n => victims.ask(n, 'GET', '/v1/kv/?recurse&stale')))
      return all.every(one => one !== undefined && one.text === all[0]?.text) ? true : undefined
    })
    t.ok(same, 'their own views are the same')
    t.same(victims.unexpected, [], 'no server ended by itself')
  },
)
