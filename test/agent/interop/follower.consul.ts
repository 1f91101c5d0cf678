// Our server follows real Consul servers: what its clients ask, it asks of the real leader.
import type {Test} from 'tap'
import t from 'tap'
import type {TestAgent} from '../../helpers/agents.js'
import {Agents, call, until} from '../../helpers/agents.js'
import {RealConsul, raftProtocolOf} from '../../helpers/real-consul.js'
import type {ServerBinary} from '../../lab/binaries.js'
import {atLeast, realConsuls} from '../../lab/binaries.js'

const binaries = realConsuls()
if (binaries.length === 0)
  t.fail('QUORATE_CONSUL_BIN_DIR names no directory with binaries called consul-VERSION')

/** Serf's number for a member that has left. */
const LEFT = 3

interface Pair {
  readonly agents: Agents
  readonly real: RealConsul
  readonly ours: TestAgent
}

/** Starts a real server as leader and ours that follows it. */
async function following(t: Test, n: number, binary: ServerBinary): Promise<Pair> {
  const net = `84.${n + 1}`
  const directory = t.testdir()
  const agents = new Agents(directory, net)
  const config = {bootstrap: true}
  const real = new RealConsul(binary, {name: 'real1', ip: `127.${net}.1`, directory, config})
  t.teardown(async () => {
    await agents.stopAll()
    await real.kill()
  })
  real.start()
  await until('the real server to lead', async () => ((await real.leader()) === '' ? undefined : true))
  const protocol = raftProtocolOf(binary.version)
  const ours = await agents.start(
    'ours2',
    '-server',
    `-raft-protocol=${protocol}`,
    `-join=${real.settings.ip}`,
  )
  t.equal(await agents.leader(), `${real.settings.ip}:8300`)
  return {agents, real, ours}
}

const json = async (url: string, path: string, method = 'GET', body?: string): Promise<unknown> => {
  const {status, text} = await call(url, path, method, body)
  return status === 200 ? JSON.parse(text) : `${status} ${text}`
}

async function keys(t: Test, {real, ours}: Pair): Promise<void> {
  const put = async (path: string, body: string) => (await call(ours.url, `/v1/kv/${path}`, 'PUT', body)).text
  t.equal(await put('a?flags=9', 'one'), 'true')
  t.match(await real.json('/v1/kv/a'), [{Key: 'a', Value: 'b25l', Flags: 9}], 'the real leader has it')
  const [a] = (await json(ours.url, '/v1/kv/a')) as readonly {ModifyIndex: number}[]
  t.match(a, {Key: 'a', Value: 'b25l', Flags: 9})
  t.equal(await put(`a?cas=${a?.ModifyIndex ?? 0}`, 'two'), 'true')
  t.equal(await put(`a?cas=${a?.ModifyIndex ?? 0}`, 'three'), 'false')
  t.equal((await call(ours.url, '/v1/kv/a?raw&consistent')).text, 'two')
  t.equal((await real.ask('/v1/kv/a?raw')).text, 'two')
  for (const key of ['d/one', 'd/e/two', '%C3%A4%20%2B'])
    t.match(await real.ask(`/v1/kv/${key}`, 'PUT', key), {status: 200})
  const own = async (key: string) => (await call(ours.url, `/v1/kv/${key}?stale`)).status === 200
  await until('our server to have them in its own state', async () =>
    (await own('%C3%A4%20%2B')) ? true : undefined,
  )
  t.same(await json(ours.url, '/v1/kv/d/?keys&separator=/'), ['d/e/', 'd/one'])
  t.same(await json(ours.url, '/v1/kv/?keys'), ['a', 'd/e/two', 'd/one', 'ä +'])
  t.match(await json(ours.url, '/v1/kv/d?recurse'), [{Key: 'd/e/two'}, {Key: 'd/one'}])
  t.match(await call(ours.url, '/v1/kv/none'), {status: 404, text: ''})
  t.match(await call(ours.url, '/v1/kv/none?recurse'), {status: 404})
  t.match(await call(ours.url, '/v1/kv/none?keys'), {status: 404})
  t.match(await call(ours.url, '/v1/kv/d?recurse', 'DELETE'), {status: 200, text: 'true'})
  t.equal((await real.ask('/v1/kv/d/one')).status, 404)
  const {headers} = await call(ours.url, '/v1/kv/a')
  t.equal(headers.get('x-consul-knownleader'), 'true')
  const index = headers.get('x-consul-index') ?? ''
  t.equal(index, (await real.ask('/v1/kv/a')).headers.get('x-consul-index'))
  const waiting = call(ours.url, `/v1/kv/a?raw&index=${index}&wait=20s`)
  await real.ask('/v1/kv/a', 'PUT', 'woken')
  t.equal((await waiting).text, 'woken', 'a query that waits at the real leader is woken there')
}

async function catalog(t: Test, {real, ours}: Pair): Promise<void> {
  const addressOf = (node: string) => (node === 'real1' ? real.settings.ip : ours.ip)
  for (const node of ['ours2', 'real1']) {
    await until(`${node} in the catalog of the real leader`, async () =>
      String(JSON.stringify(await real.json(`/v1/health/node/${node}`))).includes('passing')
        ? true
        : undefined,
    )
    t.match(await json(ours.url, `/v1/catalog/node/${node}`), {Node: {Node: node, Address: addressOf(node)}})
    t.match(await json(ours.url, `/v1/health/node/${node}`), [{CheckID: 'serfHealth', Status: 'passing'}])
  }
  t.equal(await json(ours.url, '/v1/catalog/node/none'), null)
  const nodes = (await json(ours.url, '/v1/catalog/nodes')) as readonly {Node: string}[]
  t.same(nodes.map(({Node}) => Node).sort(), ['ours2', 'real1'])
  const web = {
    Node: 'outside',
    Address: '192.0.2.1',
    Service: {Service: 'web', Port: 80, Tags: ['x']},
    Check: {Name: 'alive', ServiceID: 'web', Status: 'warning'},
  }
  t.equal(await json(ours.url, '/v1/catalog/register', 'PUT', JSON.stringify(web)), true)
  t.match(await real.json('/v1/health/service/web'), [
    {
      Node: {Node: 'outside'},
      Service: {ID: 'web', Port: 80},
      Checks: [{CheckID: 'alive', Status: 'warning'}],
    },
  ])
  t.match(await json(ours.url, '/v1/health/service/web'), [
    {
      Node: {Node: 'outside'},
      Service: {ID: 'web', Port: 80},
      Checks: [{CheckID: 'alive', Status: 'warning'}],
    },
  ])
  t.same(await json(ours.url, '/v1/health/service/web?passing'), [])
  t.match(await json(ours.url, '/v1/catalog/services'), {consul: [], web: ['x']})
  t.match(await json(ours.url, '/v1/catalog/service/web?tag=x'), [
    {Node: 'outside', Address: '192.0.2.1', ServiceName: 'web', ServicePort: 80},
  ])
  t.same(await json(ours.url, '/v1/catalog/service/web?tag=z'), [])
  t.match(await json(ours.url, '/v1/health/checks/web'), [{CheckID: 'alive'}])
  t.match(await json(ours.url, '/v1/health/state/warning'), [{CheckID: 'alive'}])
  t.equal(await json(ours.url, '/v1/catalog/deregister', 'PUT', '{"Node": "outside"}'), true)
  t.same(await real.json('/v1/catalog/service/web'), [])
  t.match(await json(ours.url, '/v1/catalog/register', 'PUT', '{"Node": "x"}'), /Must provide .*address/)
}

async function sessions(t: Test, {real, ours}: Pair): Promise<void> {
  const body = JSON.stringify({Name: 's', TTL: '30s', LockDelay: '0s'})
  const {ID} = (await json(ours.url, '/v1/session/create', 'PUT', body)) as {ID: string}
  t.match(await real.json(`/v1/session/info/${ID}`), [{ID, Name: 's', Node: 'ours2', TTL: '30s'}])
  t.match(await json(ours.url, `/v1/session/info/${ID}`), [{ID, Name: 's', Node: 'ours2', TTL: '30s'}])
  t.match(await json(ours.url, `/v1/session/renew/${ID}`, 'PUT'), [{ID}])
  t.match(await json(ours.url, '/v1/session/list'), [{ID}])
  t.match(await json(ours.url, '/v1/session/node/ours2'), [{ID}])
  t.equal(await json(ours.url, `/v1/kv/lock?acquire=${ID}`, 'PUT', 'held'), true)
  t.match(await real.json('/v1/kv/lock'), [{Session: ID, LockIndex: 1}])
  t.match(await json(ours.url, '/v1/kv/lock'), [{Key: 'lock', Session: ID}])
  t.equal(await json(ours.url, `/v1/session/destroy/${ID}`, 'PUT'), true)
  t.same(await real.json(`/v1/session/info/${ID}`), [])
  t.match(await call(ours.url, `/v1/session/renew/${ID}`, 'PUT'), {status: 404})
}

async function transactions(t: Test, {real, ours}: Pair): Promise<void> {
  const txn = (...ops: readonly object[]) =>
    call(ours.url, '/v1/txn', 'PUT', JSON.stringify(ops.map(KV => ({KV}))))
  const done = await txn({Verb: 'set', Key: 't', Value: 'djE='}, {Verb: 'get', Key: 't'})
  t.match(JSON.parse(done.text), {Results: [{KV: {Key: 't', Value: null}}, {KV: {Key: 't', Value: 'djE='}}]})
  t.equal((await real.ask('/v1/kv/t?raw')).text, 'v1')
  t.match(await txn({Verb: 'get', Key: 't'}), {status: 200, text: /djE=/})
  t.match(await txn({Verb: 'set', Key: 'u'}, {Verb: 'check-session', Key: 'none'}), {
    status: 409,
    text: /OpIndex":1/,
  })
  t.equal((await real.ask('/v1/kv/u')).status, 404)
}

async function client(t: Test, {agents, real, ours}: Pair): Promise<void> {
  const {url} = await agents.start('ours3', `-join=${real.settings.ip}`)
  await until('it to be in the catalog of the real leader', async () =>
    JSON.stringify(await real.json('/v1/catalog/nodes')).includes('ours3') ? true : undefined,
  )
  t.equal((await call(url, '/v1/kv/from-client', 'PUT', 'through ours')).text, 'true')
  t.equal((await real.ask('/v1/kv/from-client?raw')).text, 'through ours')
  // Without a server of ours all that it asks is asked of real ones
  await ours.agent.leave()
  await until('it to know that our server has left', async () => {
    const members = (await json(url, '/v1/agent/members')) as readonly {Name: string; Status: number}[]
    return members.find(({Name}) => Name === ours.name)?.Status === LEFT ? true : undefined
  })
  t.equal((await call(url, '/v1/kv/from-client', 'PUT', 'without')).text, 'true')
  t.equal((await real.ask('/v1/kv/from-client?raw')).text, 'without')
  t.equal(await json(url, '/v1/status/leader'), `${real.settings.ip}:8300`)
  t.same(await json(url, '/v1/status/peers'), [`${real.settings.ip}:8300`])
  t.match(await json(url, '/v1/catalog/node/ours3'), {Node: {Node: 'ours3'}})
  t.equal((await call(url, '/v1/kv/a?raw&stale')).text, 'woken')
}

for (const [n, binary] of binaries.entries())
  t.test(
    `a server of ours that follows a Consul ${binary.version} serves its clients through it`,
    async t => {
      const pair = await following(t, n, binary)
      await t.test('keys', t => keys(t, pair))
      await t.test('catalog and health', t => catalog(t, pair))
      await t.test('sessions and locks', t => sessions(t, pair))
      if (atLeast(binary.version, '0.7.0')) await t.test('transactions', t => transactions(t, pair))
      await t.test('a client of ours', t => client(t, pair))
      t.notMatch(pair.real.log(), /decode error|panic/)
    },
  )
