// Our snapshots in real Consul servers, which they are sent because our log begins behind what they have.
import type {Test} from 'tap'
import t from 'tap'
import {Agents, call, until} from '../../helpers/agents.js'
import {RealConsul, raftProtocolOf} from '../../helpers/real-consul.js'
import type {ServerBinary} from '../../lab/binaries.js'
import {realConsuls} from '../../lab/binaries.js'

const binaries = realConsuls()
if (binaries.length === 0)
  t.fail('QUORATE_CONSUL_BIN_DIR names no directory with binaries called consul-VERSION')

/** A snapshot after every hundred entries, and few entries left behind it. */
const OFTEN = '-hcl=raft_snapshot_threshold = 100 raft_snapshot_interval = "1s" raft_trailing_logs = 10'
const KEYS = 300

type Ask = (
  path: string,
  method?: string,
  body?: string,
) => Promise<{readonly status: number; readonly text: string}>

/** Fills a state with something of every kind, and takes some of it out again. */
async function fill(ask: Ask, node: string): Promise<void> {
  for (let i = 0; i < KEYS; i++) await ask(`/v1/kv/k/${i}?flags=${i}`, 'PUT', `value ${i}`)
  await ask('/v1/kv/k/7', 'DELETE')
  await ask('/v1/kv/empty', 'PUT', '')
  const service = {Service: 'web', Port: 80, Tags: ['x'], Address: '192.0.2.2'}
  const Check = {Name: 'alive', ServiceID: 'web', Status: 'warning', Notes: 'n', Output: 'o'}
  const outside = {Node: 'outside', Address: '192.0.2.1', Service: service, Check}
  await ask('/v1/catalog/register', 'PUT', JSON.stringify(outside))
  const session = JSON.stringify({Node: node, Name: 'holder', LockDelay: '1s', Behavior: 'delete'})
  const {ID} = JSON.parse((await ask('/v1/session/create', 'PUT', session)).text) as {ID: string}
  await ask(`/v1/kv/lock?acquire=${ID}`, 'PUT', 'held')
}

/** What a server tells of all that, from its own state and without what differs by version. */
async function contents(ask: Ask): Promise<unknown> {
  const json = async (path: string): Promise<readonly Record<string, unknown>[]> =>
    JSON.parse((await ask(`${path}?stale`)).text) as readonly Record<string, unknown>[]
  const pick = (record: Record<string, unknown> | undefined, ...names: readonly string[]) =>
    Object.fromEntries(names.map(name => [name, record?.[name]]))
  const keys = JSON.parse((await ask('/v1/kv/?recurse&stale')).text) as unknown
  const [service] = await json('/v1/catalog/service/web')
  const [check] = await json('/v1/health/checks/web')
  const [session] = await json('/v1/session/list')
  return {
    keys,
    service: pick(service, 'Node', 'Address', 'ServiceID', 'ServicePort', 'ServiceTags', 'ServiceAddress'),
    check: pick(check, 'Node', 'CheckID', 'Name', 'Status', 'Notes', 'Output', 'ServiceName'),
    session: pick(session, 'ID', 'Name', 'Node', 'LockDelay', 'Behavior', 'CreateIndex'),
    boundTo: session?.['NodeChecks'] ?? session?.['Checks'],
    nodes: (await json('/v1/catalog/nodes')).map(({Node, Address}) => [Node, Address]),
  }
}

function servers(t: Test, net: string, binary: ServerBinary) {
  const directory = t.testdir()
  const agents = new Agents(directory, net)
  const started: RealConsul[] = []
  t.teardown(async () => {
    await agents.stopAll()
    await Promise.all(started.map(server => server.kill()))
  })
  const real = (name: string, host: number, config: object): RealConsul => {
    const server = new RealConsul(binary, {name, ip: `127.${net}.${host}`, directory, config: {...config}})
    started.push(server)
    server.start()
    return server
  }
  return {agents, real, protocol: `-raft-protocol=${raftProtocolOf(binary.version)}`}
}

for (const [n, binary] of binaries.entries())
  t.test(`a Consul ${binary.version} that joins us behind our log installs our snapshot`, async t => {
    const net = `76.${n + 1}`
    const {agents, real, protocol} = servers(t, net, binary)
    const ours = await agents.start('ours1', '-server', '-bootstrap', protocol, OFTEN)
    await agents.leader()
    const ask: Ask = (path, method, body) => call(ours.url, path, method, body)
    await until('our server in its catalog', async () =>
      (await ask('/v1/health/node/ours1')).text.includes('passing') ? true : undefined,
    )
    await fill(ask, 'ours1')
    await until('a snapshot of ours that holds most of it', async () => {
      const self = JSON.parse((await ask('/v1/agent/self')).text) as {
        Stats: {raft: {last_snapshot_index: string}}
      }
      return Number(self.Stats.raft.last_snapshot_index) > KEYS / 2 ? true : undefined
    })
    const follower = real('real2', 2, {start_join: [ours.ip]})
    const asked: Ask = (path, method, body) => follower.ask(path, method, body)
    await until('the real server to have it all', async () =>
      (await follower.ask('/v1/kv/lock?stale')).status === 200 ? true : undefined,
    )
    await until('it to say so', () => (/Installed remote snapshot/.test(follower.log()) ? true : undefined))
    await until('both to agree who is there', async () =>
      JSON.stringify(await contents(asked)) === JSON.stringify(await contents(ask)) ? true : undefined,
    ).catch(() => undefined)
    t.same(await contents(asked), await contents(ask), 'it tells of its own state what we tell')
    t.match(await follower.ask('/v1/kv/later', 'PUT', 'x'), {status: 200}, 'and goes on from there')
    t.notMatch(follower.log(), /panic|Unrecognized|[Ff]ailed to restore/)
  })
