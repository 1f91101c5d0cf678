import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import t from 'tap'
import {Agents, call, until} from '../helpers/agents.js'
import type {TestAgent} from '../helpers/agents.js'

const QUICK = '-hcl=autopilot { server_stabilization_time = "300ms" }'
const DRAIN = '-hcl=performance { leave_drain_time = "50ms" raft_multiplier = 1 }'

interface Listed {
  readonly Address: string
  readonly Node: string
  readonly Voter: boolean
  readonly Leader: boolean
}

async function configuration({url}: TestAgent): Promise<readonly Listed[]> {
  const {text} = await call(url, '/v1/operator/raft/configuration?stale')
  return (JSON.parse(text) as {Servers: Listed[]}).Servers
}

const peersFile = ({dataDir}: TestAgent): string => readFileSync(join(dataDir, 'raft', 'peers.json'), 'utf8')

async function three(agents: Agents, ...flags: readonly string[]): Promise<readonly TestAgent[]> {
  const started: TestAgent[] = []
  for (const name of ['s1', 's2', 's3'])
    started.push(
      await agents.start(
        name,
        '-server',
        '-bootstrap-expect=3',
        DRAIN,
        QUICK,
        ...(name === 's1' ? [] : [`-join=${agents.ip('s1')}`]),
        ...flags,
      ),
    )
  await agents.leader()
  return started
}

void t.test(
  'a follower and then the leader leave: exit code 0, out of the configuration, left in gossip',
  async t => {
    const agents = new Agents(t.testdir(), '71.2')
    t.teardown(() => agents.stopAll())
    const all = await three(agents)
    const leader = await agents.leader()
    const leading = all.find(({ip}) => leader.startsWith(`${ip}:`)) as TestAgent
    const [follower, other] = all.filter(one => one !== leading) as [TestAgent, TestAgent]
    await follower.agent.leave()
    t.equal(await follower.agent.stopped, 0)
    agents.running.delete(follower.name)
    await until('two servers in the configuration', async () =>
      (await configuration(other)).length === 2 ? true : undefined,
    )
    await leading.agent.leave()
    t.equal(await leading.agent.stopped, 0)
    agents.running.delete(leading.name)
    await until('one server in the configuration', async () =>
      (await configuration(other)).length === 1 ? true : undefined,
    )
    await agents.leader()
    t.match(await call(other.url, '/v1/kv/x', 'PUT', 'y'), {status: 200}, 'the last one goes on alone')
    const members = JSON.parse((await call(other.url, '/v1/agent/members')).text) as {
      Name: string
      Status: number
    }[]
    t.same(
      members.filter(({Name}) => Name !== other.name).map(({Status}) => Status),
      [3, 3],
    )
    const nodes = JSON.parse((await call(other.url, '/v1/catalog/nodes')).text) as unknown[]
    t.equal(nodes.length, 1, 'and out of the catalog')
  },
)

void t.test(
  'a server that comes later gets a vote when it has proven itself; one that is stopped stays a peer',
  async t => {
    const agents = new Agents(t.testdir(), '71.3')
    t.teardown(() => agents.stopAll())
    const [first] = await three(agents)
    if (first === undefined) throw new Error('no server')
    await call(first.url, '/v1/kv/before', 'PUT', 'it came')
    const late = await agents.start('s4', '-server', QUICK, DRAIN, `-join=${agents.ip('s2')}`)
    await until('a fourth voter', async () =>
      (await configuration(first)).filter(({Voter}) => Voter).length === 4 ? true : undefined,
    )
    t.match(await call(late.url, '/v1/kv/before?raw&stale'), {status: 200, text: 'it came'})
    await late.agent.stop()
    t.equal(await late.agent.stopped, 1)
    agents.running.delete('s4')
    t.equal((await configuration(first)).length, 4)
    const health = await until('serfHealth is critical', async () => {
      const {text} = await call(first.url, '/v1/health/node/s4')
      const checks = JSON.parse(text) as {CheckID: string; Status: string}[]
      return checks.some(({Status}) => Status === 'critical') ? checks : undefined
    })
    t.match(health, [{CheckID: 'serfHealth', Status: 'critical'}])
    await until('the dead server is cleared away', async () =>
      (await configuration(first)).length === 3 ? true : undefined,
    )
  },
)

void t.test('a client hands requests to servers and leaves with exit code 0', async t => {
  const agents = new Agents(t.testdir(), '71.4')
  t.teardown(() => agents.stopAll())
  await agents.start('s1', '-server', '-bootstrap', DRAIN)
  const client = await agents.start('c2', `-join=${agents.ip('s1')}`)
  await agents.leader()
  t.match(await call(client.url, '/v1/kv/k', 'PUT', 'by a client'), {status: 200, text: 'true'})
  t.match(await call(client.url, '/v1/kv/k?raw'), {status: 200, text: 'by a client'})
  t.match(await call(client.url, '/v1/status/leader'), {text: `"${agents.ip('s1')}:8300"`})
  const left = call(client.url, '/v1/agent/leave', 'PUT')
  t.match(await left, {status: 200})
  t.equal(await client.agent.stopped, 0)
  agents.running.delete('c2')
})

void t.test(
  'with Raft protocol 0 peers.json is the peer set: live, null after leaves, authoritative at start',
  async t => {
    const agents = new Agents(t.testdir(), '71.5')
    t.teardown(() => agents.stopAll())
    const all = await three(agents, '-raft-protocol=0')
    const [first] = all as [TestAgent]
    const expected = all.map(({ip}) => `${ip}:8300`).sort()
    await until('the live list', () => {
      try {
        return JSON.stringify((JSON.parse(peersFile(first)) as string[]).sort()) === JSON.stringify(expected)
          ? true
          : undefined
      } catch {
        return undefined
      }
    })
    await call(first.url, '/v1/kv/kept', 'PUT', 'still there')
    for (const one of all) {
      await one.agent.leave()
      t.equal(await one.agent.stopped, 0)
      agents.running.delete(one.name)
      t.equal(peersFile(one), 'null\n')
    }
    const alone = await agents.start('s3', '-server', '-bootstrap', '-raft-protocol=0', DRAIN)
    await agents.leader()
    t.match(await call(alone.url, '/v1/kv/kept?raw'), {status: 200, text: 'still there'})
    t.same(JSON.parse(peersFile(alone)), [`${alone.ip}:8300`])
  },
)

void t.test('with Raft protocols 1 and 2 servers go by their addresses, and all have a vote', async t => {
  for (const [protocol, net] of [
    [1, '71.6'],
    [2, '71.7'],
  ] as const) {
    const agents = new Agents(t.testdir({[String(protocol)]: {}}), net)
    const [first] = (await three(agents, `-raft-protocol=${protocol}`)) as [TestAgent]
    t.match(await call(first.url, '/v1/kv/k', 'PUT', 'v'), {status: 200})
    const {text} = await call(first.url, '/v1/operator/raft/configuration')
    const {Servers} = JSON.parse(text) as {Servers: {ID: string; Address: string}[]}
    t.ok(Servers.length === 3 && Servers.every(({ID, Address}) => ID === Address))
    await agents.stopAll()
  }
})

void t.test('gossip is encrypted with one key, and a stranger without it stays outside', async t => {
  const agents = new Agents(t.testdir(), '71.8')
  t.teardown(() => agents.stopAll())
  const key = '-encrypt=pUqJrVyVRj5jsiYEkM/tFQYfWyJIv4s3XkvDwy7Cu5s='
  const [first] = (await three(agents, key)) as [TestAgent]
  t.match(await call(first.url, '/v1/kv/k', 'PUT', 'v'), {status: 200})
  await t.rejects(agents.start('c9', `-join=${agents.ip('s1')}`), /Failed to join/)
})
