// A real leader whose log begins behind a snapshot takes us in, makes us a voter, and leaves: its clients have us then.
import type {Test} from 'tap'
import t from 'tap'
import {Agents, until} from '../../helpers/agents.js'
import {RealConsul, raftProtocolOf} from '../../helpers/real-consul.js'
import type {ServerBinary} from '../../lab/binaries.js'
import {atLeast, realConsuls} from '../../lab/binaries.js'

const binaries = realConsuls()
if (binaries.length === 0)
  t.fail('QUORATE_CONSUL_BIN_DIR names no directory with binaries called consul-VERSION')

/** From Consul 1.8 on: a snapshot after every hundred entries, and few entries left behind it. */
const OFTEN = {raft_snapshot_threshold: 100, raft_snapshot_interval: '1s', raft_trailing_logs: 10}
/** Before, 10,240 entries stay behind a snapshot, and up to 0.6 one is made every two to four minutes. */
const [KEYS_OFTEN, KEYS_SELDOM] = [300, 20_000]
const SNAPSHOT_MS = 260_000
/** Autopilot makes a server a voter that has been stable for ten seconds, which it may not be at once. */
const PROMOTION_MS = 90_000
const WRITERS = 32

interface Group {
  readonly real: RealConsul
  /** A real agent that is no server: what it tells comes from whichever server it finds. */
  readonly client: RealConsul
  readonly agents: Agents
}

async function group(t: Test, n: number, binary: ServerBinary): Promise<Group> {
  const net = `77.${n + 1}`
  const directory = t.testdir()
  const agents = new Agents(directory, net)
  const often = atLeast(binary.version, '1.8.0') ? OFTEN : {}
  const config = {bootstrap: true, log_level: 'INFO', ...often}
  const real = new RealConsul(binary, {name: 'real1', ip: `127.${net}.1`, directory, config})
  const joining = {server: false, start_join: [`127.${net}.1`]}
  const client = new RealConsul(binary, {name: 'real3', ip: `127.${net}.3`, directory, config: joining})
  t.teardown(async () => {
    await agents.stopAll()
    await Promise.all([real.kill(), client.kill()])
  })
  real.start()
  await until('the real server to lead', async () => ((await real.leader()) === '' ? undefined : true))
  client.start()
  return {real, client, agents}
}

const valueOf = (i: number): string => `value ${i}`

async function fill(real: RealConsul, keys: number): Promise<void> {
  let next = 0
  const write = async (): Promise<void> => {
    while (next < keys) {
      const i = next++
      await real.ask(`/v1/kv/k/${i}`, 'PUT', valueOf(i))
    }
  }
  await Promise.all(Array.from({length: WRITERS}, write))
}

/** Waits for what may take minutes; false when it does not come in time. */
async function patiently(timeoutMs: number, ask: () => boolean | Promise<boolean>): Promise<boolean> {
  for (const end = performance.now() + timeoutMs; performance.now() < end;) {
    if (await ask()) return true
    await new Promise(resolve => setTimeout(resolve, 200))
  }
  return false
}

/** Whether we led within less time than any server waits that misses its leader, by the clock of the one that left. */
function handedOver(log: string): boolean {
  const timeOf = (words: RegExp): number => Date.parse(words.exec(log)?.[1] ?? '')
  const lost = timeOf(/(\S+) \[INFO\].*cluster leadership lost/)
  return timeOf(/(\S+) \[INFO\].*New leader elected: payload=ours2/) - lost < 500
}

/** Whether the real leader counts us among its voters. */
async function votes(real: RealConsul, address: string): Promise<boolean> {
  if (!atLeast(real.binary.version, '1.0.0'))
    return (
      ((await real.json('/v1/status/peers')) as readonly string[] | undefined)?.includes(address) ?? false
    )
  const told = (await real.json('/v1/operator/raft/configuration')) as
    {Servers: readonly {Address: string; Voter: boolean}[]} | undefined
  return told?.Servers.some(({Address, Voter}) => Address === address && Voter) ?? false
}

for (const [n, binary] of binaries.entries())
  t.test(
    `a Consul ${binary.version} that leads sends us its snapshot, and hands over to us when it leaves`,
    async t => {
      const {real, client, agents} = await group(t, n, binary)
      const keys = atLeast(binary.version, '1.8.0') ? KEYS_OFTEN : KEYS_SELDOM
      await fill(real, keys)
      t.ok(
        await patiently(SNAPSHOT_MS, () => /compacting logs/i.test(real.log())),
        'its log does not begin at the beginning any more',
      )
      const before = ((await real.json('/v1/kv/k/?recurse')) ?? []) as readonly {Value: string}[]
      t.equal(before.length, keys)
      const protocol = raftProtocolOf(binary.version)
      const ours = await agents.start(
        'ours2',
        '-server',
        `-raft-protocol=${protocol}`,
        `-join=${real.settings.ip}`,
      )
      const address = `${ours.ip}:8300`
      t.ok(await patiently(PROMOTION_MS, () => votes(real, address)), 'we are a voter')
      await real.ask('/v1/kv/last', 'PUT', 'words')
      await real.command('leave')
      await until('the real client to find us as leader', async () =>
        (await client.leader()) === address ? true : undefined,
      )
      if (protocol === 3)
        t.ok(handedOver(real.log()), 'we lead at once: it has handed over and was not missed')
      t.equal((await client.ask('/v1/kv/last?raw&consistent')).text, 'words')
      t.same(await client.json('/v1/kv/k/?recurse'), before, 'what was in its snapshot is what we tell')
      t.match(await client.ask('/v1/kv/more', 'PUT', 'x'), {status: 200})
      t.same(await client.json('/v1/status/peers'), [address])
      await until('the server that left to be out of the catalog', async () => {
        const nodes = (await client.json('/v1/catalog/nodes')) as readonly {Node: string}[]
        return nodes.some(({Node}) => Node === 'real1') ? undefined : true
      })
      t.notMatch(client.log(), /rpc: can't find|decode error|panic/)
    },
  )
