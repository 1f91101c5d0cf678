// The real leader of a group with us in it is killed: we lead, and the clients of a real follower notice nothing else.
import type {Test} from 'tap'
import t from 'tap'
import {Agents, call, until} from '../../helpers/agents.js'
import {RealConsul, raftProtocolOf} from '../../helpers/real-consul.js'
import type {ServerBinary} from '../../lab/binaries.js'
import {atLeast, realConsuls} from '../../lab/binaries.js'

const binaries = realConsuls()
if (binaries.length === 0)
  t.fail('QUORATE_CONSUL_BIN_DIR names no directory with binaries called consul-VERSION')

/** How long autopilot of 1.8 may take to make a server a voter that has been stable for ten seconds. */
const PROMOTION_MS = 30_000
/** Gossip that gives no server up within a pause. */
const CALM = '-hcl=gossip_lan { probe_interval = "1s" probe_timeout = "500ms" }'
/** Longer than our server waits for a leader. */
const PAUSE_MS = 3000
const PAUSES_MAX = 5

/** The servers that vote, by the real server's own account; all of them where that does not tell. */
async function voters(real: RealConsul): Promise<readonly string[]> {
  if (!atLeast(real.binary.version, '1.0.0')) return ((await real.json('/v1/status/peers')) ?? []) as string[]
  const told = (await real.json('/v1/operator/raft/configuration')) as
    {Servers: readonly {Address: string; Voter: boolean}[]} | undefined
  return told?.Servers.flatMap(({Address, Voter}) => (Voter ? [Address] : [])) ?? []
}

const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/**
 * Who is elected is up to chance. While the other server is paused ours stands for election alone, and is chosen when
 * the pause is over; should the other be quicker then, it is paused again.
 */
async function takenOver(follower: RealConsul, us: string): Promise<boolean> {
  for (let pauses = 0; pauses < PAUSES_MAX; pauses++) {
    follower.signal('SIGSTOP')
    await sleep(PAUSE_MS)
    follower.signal('SIGCONT')
    for (let waits = 0; waits < 50; waits++) {
      const leader = await follower.leader()
      if (leader === us) return true
      if (leader === `${follower.settings.ip}:8300`) break
      await sleep(100)
    }
  }
  return false
}

async function group(t: Test, n: number, binary: ServerBinary) {
  const net = `75.${n + 1}`
  const directory = t.testdir()
  const agents = new Agents(directory, net)
  const ip = (host: number) => `127.${net}.${host}`
  const server = (name: string, host: number, config: object) =>
    new RealConsul(binary, {name, ip: ip(host), directory, config: {...config}})
  const first = server('real1', 1, {bootstrap: true})
  const again = server('real1', 1, {start_join: [ip(2)]})
  const follower = server('real3', 3, {start_join: [ip(1)]})
  t.teardown(async () => {
    await agents.stopAll()
    await Promise.all([first.kill(), again.kill(), follower.kill()])
  })
  first.start()
  await until('the real server to lead', async () => ((await first.leader()) === '' ? undefined : true))
  const protocol = raftProtocolOf(binary.version)
  const ours = await agents.start('ours2', CALM, '-server', `-raft-protocol=${protocol}`, `-join=${ip(1)}`)
  const joinedMs = performance.now()
  follower.start()
  return {first, again, follower, ours, joinedMs}
}

for (const [n, binary] of binaries.entries())
  t.test(`when a Consul ${binary.version} that leads is killed, its follower follows us`, async t => {
    const {first, again, follower, ours, joinedMs} = await group(t, n, binary)
    await until('three voters', async () => ((await voters(first)).length === 3 ? true : undefined))
    t.ok((await voters(first)).includes(`${ours.ip}:8300`))
    t.ok(performance.now() - joinedMs < PROMOTION_MS, 'we are a voter in time')
    for (let i = 0; i < 50; i++) await first.ask(`/v1/kv/before/${i}`, 'PUT', String(i))
    await until('the follower to have all of it', async () =>
      (await follower.ask('/v1/kv/before/49?stale')).status === 200 ? true : undefined,
    )
    await first.kill()
    t.ok(await takenOver(follower, `${ours.ip}:8300`), 'the follower says that we lead')
    const put = await until('it to take a write', async () => {
      const answer = await follower.ask('/v1/kv/after', 'PUT', 'written')
      return answer.status === 200 ? answer.text.trim() : undefined
    })
    t.equal(put, 'true')
    const keys = (await follower.json('/v1/kv/before/?keys')) as readonly string[]
    t.equal(keys.length, 50, 'what was acknowledged before is there')
    t.equal((await follower.ask('/v1/kv/after?raw&consistent')).text, 'written')
    t.equal((await call(ours.url, '/v1/kv/after?raw')).text, 'written')
    await until('the dead server to be critical in the catalog', async () => {
      const checks = await follower.json('/v1/health/node/real1')
      return JSON.stringify(checks).includes('critical') ? true : undefined
    })
    again.start()
    await until('the dead server to come back and follow us', async () => {
      const answer = await again.ask('/v1/kv/after?stale&raw')
      return answer.text === 'written' && (await again.leader()) === `${ours.ip}:8300` ? true : undefined
    })
    t.match(await again.ask('/v1/kv/back', 'PUT', 'again'), {status: 200})
    t.equal((await follower.ask('/v1/kv/back?raw')).text, 'again')
    for (const server of [follower, again]) t.notMatch(server.log(), /rpc: can't find|decode error|panic/)
  })
