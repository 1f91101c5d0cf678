// Our server leads real Consul servers: what their clients ask of them, they ask of us.
import type {Test} from 'tap'
import t from 'tap'
import type {TestAgent} from '../../helpers/agents.js'
import {Agents, call, until} from '../../helpers/agents.js'
import {RealConsul, raftProtocolOf} from '../../helpers/real-consul.js'
import type {ServerBinary} from '../../lab/binaries.js'
import {realConsuls} from '../../lab/binaries.js'

const binaries = realConsuls()
if (binaries.length === 0)
  t.fail('QUORATE_CONSUL_BIN_DIR names no directory with binaries called consul-VERSION')

interface Entry {
  readonly Key: string
  readonly Value: string | null
  readonly Flags: number
  readonly ModifyIndex: number
  readonly Session?: string
}

/** Starts our server as leader and a real one that follows it. */
async function followed(
  t: Test,
  n: number,
  binary: ServerBinary,
): Promise<{ours: TestAgent; real: RealConsul}> {
  const net = `73.${n + 1}`
  const directory = t.testdir()
  const agents = new Agents(directory, net)
  const config = {start_join: [`127.${net}.1`]}
  const real = new RealConsul(binary, {name: 'real2', ip: `127.${net}.2`, directory, config})
  t.teardown(async () => {
    await real.kill()
    await agents.stopAll()
  })
  const protocol = raftProtocolOf(binary.version)
  const ours = await agents.start('ours1', '-server', '-bootstrap', `-raft-protocol=${protocol}`)
  await agents.leader()
  real.start()
  const follows = async () => ((await real.leader()) === `${ours.ip}:8300` ? true : undefined)
  await until('the real server to follow us', follows)
  return {ours, real}
}

/** Waits for what the real server answers from its own state, without regard to the leader. */
const applied = <T>(real: RealConsul, path: string, has: (found: T) => boolean): Promise<T> =>
  until(`the real server to have it under ${path}`, async () => {
    const found = (await real.json(`${path}?stale`)) as T | undefined
    return found !== undefined && has(found) ? found : undefined
  })

async function keys(t: Test, real: RealConsul, ours: TestAgent): Promise<void> {
  const put = async (path: string, body: string) =>
    (await real.ask(`/v1/kv/${path}`, 'PUT', body)).text.trim()
  t.equal(await put('a?flags=7', 'one'), 'true')
  const [a] = (await real.json('/v1/kv/a')) as readonly Entry[]
  t.match(a, {Key: 'a', Value: 'b25l', Flags: 7})
  t.equal(await put(`a?cas=${a?.ModifyIndex ?? 0}`, 'two'), 'true')
  t.equal(
    await put(`a?cas=${a?.ModifyIndex ?? 0}`, 'three'),
    'false',
    'a conditional write that comes too late',
  )
  t.equal((await real.ask('/v1/kv/a?raw&consistent')).text, 'two')
  t.equal((await call(ours.url, '/v1/kv/a?raw')).text, 'two', 'we have it, too')
  const inLog = ([entry]: readonly Entry[]) => entry?.Value === Buffer.from('two').toString('base64')
  t.ok(await applied(real, '/v1/kv/a', inLog), 'and the real server has it from our log')
  for (const key of ['d/one', 'd/two', 'd/e/three', '%C3%A4%20%2B']) t.equal(await put(key, key), 'true')
  t.same(await real.json('/v1/kv/d/?keys&separator=/'), ['d/e/', 'd/one', 'd/two'])
  t.same(await real.json('/v1/kv/?keys'), ['a', 'd/e/three', 'd/one', 'd/two', 'ä +'])
  const below = (await real.json('/v1/kv/d?recurse')) as readonly Entry[]
  t.same(
    below.map(({Key}) => Key),
    ['d/e/three', 'd/one', 'd/two'],
  )
  t.equal((await real.ask('/v1/kv/none')).status, 404)
  t.equal((await real.ask('/v1/kv/none?recurse')).status, 404)
  t.equal((await real.ask('/v1/kv/d?recurse', 'DELETE')).status, 200)
  t.equal((await real.ask('/v1/kv/d/one')).status, 404)
  t.equal((await call(ours.url, '/v1/kv/d/one')).status, 404)
  const before = (await real.ask('/v1/kv/a')).headers.get('x-consul-index') ?? ''
  const waiting = real.ask(`/v1/kv/a?raw&index=${before}&wait=20s`)
  await call(ours.url, '/v1/kv/a', 'PUT', 'woken')
  t.equal((await waiting).text, 'woken', 'a query that waits is woken by a write')
  const began = performance.now()
  const index = (await real.ask('/v1/kv/a')).headers.get('x-consul-index') ?? ''
  t.equal((await real.ask(`/v1/kv/a?raw&index=${index}&wait=300ms`)).text, 'woken')
  t.ok(performance.now() - began >= 290, 'one that nothing wakes ends with its time')
}

async function catalog(t: Test, real: RealConsul, ours: TestAgent): Promise<void> {
  const service = {ID: 'web-1', Name: 'web', Tags: ['x'], Port: 80, Check: {TTL: '1h'}}
  t.equal((await real.ask('/v1/agent/service/register', 'PUT', JSON.stringify(service))).status, 200)
  await until('the real server to have registered its service with us', async () => {
    const list = JSON.parse((await call(ours.url, '/v1/catalog/service/web')).text) as unknown[]
    return list.length === 1 ? true : undefined
  })
  const nodes = (await real.json('/v1/catalog/nodes')) as readonly {Node: string; Address: string}[]
  t.same(nodes.map(({Node, Address}) => [Node, Address]).sort(), [
    ['ours1', ours.ip],
    ['real2', real.settings.ip],
  ])
  t.match(await real.json('/v1/catalog/services'), {consul: [], web: ['x']})
  const [web] = (await real.json('/v1/catalog/service/web?tag=x')) as readonly unknown[]
  t.match(web, {Node: 'real2', ServiceID: 'web-1', ServiceName: 'web', ServiceTags: ['x'], ServicePort: 80})
  t.same(await real.json('/v1/catalog/service/web?tag=y'), [])
  t.match(await real.json('/v1/catalog/node/real2'), {
    Node: {Node: 'real2', Address: real.settings.ip},
    Services: {'web-1': {ID: 'web-1', Service: 'web', Port: 80}},
  })
  t.match(await real.json('/v1/health/node/ours1'), [{CheckID: 'serfHealth', Status: 'passing'}])
  t.match(await real.json('/v1/health/checks/web'), [{CheckID: 'service:web-1', Status: 'critical'}])
  t.match(await real.json('/v1/health/state/critical'), [{CheckID: 'service:web-1'}])
  const [healthy] = (await real.json('/v1/health/service/consul?passing')) as readonly {
    Node: {Node: string}
  }[]
  t.ok(['ours1', 'real2'].includes(healthy?.Node.Node ?? ''))
  t.same(await real.json('/v1/health/service/web?passing'), [])
  t.equal((await real.ask('/v1/agent/service/deregister/web-1', 'PUT')).status, 200)
  await until('its service to be gone again', async () => {
    const services = (await real.json('/v1/catalog/services')) as Record<string, unknown>
    return 'web' in services ? undefined : true
  })
  const outside = {Node: 'outside', Address: '192.0.2.1', Service: {Service: 'db', Port: 5432}}
  t.equal((await real.ask('/v1/catalog/register', 'PUT', JSON.stringify(outside))).text.trim(), 'true')
  t.match(await real.json('/v1/catalog/service/db'), [{Node: 'outside', ServiceID: 'db'}])
  t.ok(await applied(real, '/v1/catalog/service/db', (found: readonly unknown[]) => found.length === 1))
  t.equal((await real.ask('/v1/catalog/deregister', 'PUT', '{"Node": "outside"}')).text.trim(), 'true')
  t.same(await real.json('/v1/catalog/service/db'), [])
  t.same(await real.json('/v1/catalog/datacenters'), ['dc1'])
  t.same(await real.json('/v1/status/peers'), [`${ours.ip}:8300`, `${real.settings.ip}:8300`])
}

async function sessions(t: Test, real: RealConsul): Promise<void> {
  const body = JSON.stringify({Name: 's', TTL: '30s', LockDelay: '2s'})
  const created = await real.ask('/v1/session/create', 'PUT', body)
  t.equal(created.status, 200, created.text)
  const {ID} = JSON.parse(created.text) as {ID: string}
  const [session] = (await real.json(`/v1/session/info/${ID}`)) as readonly Record<string, unknown>[]
  t.match(session, {ID, Name: 's', Node: 'real2', TTL: '30s'})
  const own = await applied(real, `/v1/session/info/${ID}`, (found: readonly unknown[]) => found.length === 1)
  const [{Checks, NodeChecks} = {}] = own as readonly Record<string, unknown>[]
  t.same(NodeChecks ?? Checks, ['serfHealth'], 'at the real server it depends on its check, too')
  t.match(JSON.parse((await real.ask(`/v1/session/renew/${ID}`, 'PUT')).text), [{ID}], 'it is renewed')
  t.match(await real.json('/v1/session/list'), [{ID}])
  t.match(await real.json('/v1/session/node/real2'), [{ID}])
  const lock = async (how: string) => (await real.ask(`/v1/kv/lock?${how}=${ID}`, 'PUT', 'held')).text.trim()
  t.equal(await lock('acquire'), 'true')
  t.match(await real.json('/v1/kv/lock'), [{Key: 'lock', Session: ID, LockIndex: 1}])
  t.equal((await real.ask(`/v1/session/destroy/${ID}`, 'PUT')).status, 200)
  t.same(await real.json(`/v1/session/info/${ID}`), [])
  const free = ([entry]: readonly Entry[]) => entry !== undefined && entry.Session === undefined
  t.ok(await applied(real, '/v1/kv/lock', free), 'the lock went with its session, at the real server as here')
  const second = JSON.parse((await real.ask('/v1/session/create', 'PUT')).text) as {ID: string}
  const early = await real.ask(`/v1/kv/lock?acquire=${second.ID}`, 'PUT', 'early')
  t.equal(early.text.trim(), 'false', 'and is not to be had before its delay is over')
  t.equal((await real.ask(`/v1/session/renew/${ID}`, 'PUT')).status, 404)
}

for (const [n, binary] of binaries.entries())
  t.test(`a Consul ${binary.version} that follows us serves its clients through us`, async t => {
    const {ours, real} = await followed(t, n, binary)
    await t.test('keys', t => keys(t, real, ours))
    await t.test('catalog and health', t => catalog(t, real, ours))
    await t.test('sessions and locks', t => sessions(t, real))
    // Agents tell where they are every quarter of a minute, so one of them must do for all
    if (binary === binaries.at(-1)) {
      const told = (nodes: readonly {Node: string}[]) => nodes.some(({Node}) => Node === 'real2')
      t.ok(await applied(real, '/v1/coordinate/nodes', told), 'its coordinate came back to it by our log')
    }
    t.notMatch(real.log(), /rpc: can't find|decode error|panic|bad coordinate/)
  })
