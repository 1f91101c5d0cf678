import t from 'tap'
import {ask, serveAlone, SingleServer} from './single-server.js'

/** A follower whose requests to the leader arrive at `leader`. */
async function pair(t: {teardown: (fn: () => Promise<void>) => void}) {
  const leader = await serveAlone()
  const backend = new SingleServer()
  backend.leading = false
  backend.contactMs = 12
  backend.other = request => leader.api.answer(request)
  const follower = await serveAlone(backend)
  t.teardown(() => leader.close())
  t.teardown(() => follower.close())
  return {leader, follower}
}

t.test('a follower hands writes and fresh reads to the leader, and serves stale reads itself', async t => {
  const {leader, follower} = await pair(t)
  t.equal((await follower.ask('PUT', '/v1/kv/k', 'v')).text, 'true')
  t.equal((await leader.ask('GET', '/v1/kv/k?raw')).text, 'v')
  t.equal((await follower.ask('GET', '/v1/kv/k?raw')).text, 'v')
  t.equal((await follower.ask('GET', '/v1/kv/k?consistent&raw')).text, 'v')
  const stale = await follower.ask('GET', '/v1/kv/k?stale')
  t.equal(stale.status, 404, 'its own state has no such key')
  t.equal(stale.headers.get('x-consul-lastcontact'), '12')
  const {ID} = (await follower.ask('PUT', '/v1/session/create')).json() as {ID: string}
  t.match((await leader.ask('GET', `/v1/session/info/${ID}`)).json(), [{Node: 'ref', LockDelay: 15e9}])
  t.equal((await follower.ask('PUT', '/v1/agent/maintenance?enable=true&reason=x')).status, 200)
  t.match((await leader.ask('GET', '/v1/health/state/critical')).json(), [
    {CheckID: '_node_maintenance', Notes: 'x'},
  ])
})

t.test('a leader that has just stopped leading does not hand requests around', async t => {
  const {leader, follower} = await pair(t)
  leader.backend.leading = false
  setTimeout(() => leader.backend.gainLeader(true), 250)
  const put = await follower.ask('PUT', '/v1/kv/k', 'v')
  t.equal(put.text, 'true', 'the follower tries again until it leads')
})

t.test('a write whose way broke is not repeated', async t => {
  const {follower} = await pair(t)
  let times = 0
  follower.backend.other = () => {
    times++
    return Promise.resolve({problem: 'connection reset by peer'})
  }
  t.match(await follower.ask('PUT', '/v1/kv/k', 'v'), {status: 500, text: 'connection reset by peer'})
  t.equal(times, 1)
})

t.test('without a leader requests are held, then fail; local questions are answered at once', async t => {
  const {follower} = await pair(t)
  const {backend} = follower
  backend.knowsLeader = false
  backend.other = undefined
  for (const target of [
    '/v1/status/leader',
    '/v1/status/peers',
    '/v1/agent/self',
    '/v1/agent/members',
    '/v1/event/list',
  ])
    t.equal((await follower.ask('GET', target)).status, 200, target)
  t.equal((await follower.ask('GET', '/v1/status/leader')).text, '""')
  t.match(await follower.ask('GET', '/v1/kv/k?stale'), {status: 404})
  t.match(await follower.ask('GET', '/v1/operator/raft/configuration?stale'), {status: 200})
  t.match(await follower.ask('GET', '/v1/snapshot'), {status: 500, text: 'No cluster leader'})
  const started = performance.now()
  const [kv, catalog, put, cold] = await Promise.all([
    follower.ask('GET', '/v1/kv/k'),
    follower.ask('GET', '/v1/catalog/nodes'),
    follower.ask('PUT', '/v1/kv/k', 'v'),
    (async () => {
      backend.contactMs = undefined
      return follower.ask('GET', '/v1/kv/k?stale')
    })(),
  ])
  t.ok(performance.now() - started > 6500, 'held for seven seconds')
  for (const got of [kv, catalog, put, cold]) t.match(got, {status: 500, text: 'No cluster leader'})
  t.equal(kv.headers.get('x-consul-index'), null)
  t.equal(catalog.headers.get('x-consul-knownleader'), 'false')
})

t.test('a request held without a leader goes on as soon as there is one', async t => {
  const {follower} = await pair(t)
  follower.backend.knowsLeader = false
  const put = follower.ask('PUT', '/v1/kv/k', 'v')
  setTimeout(() => follower.backend.gainLeader(true), 100)
  t.equal((await put).text, 'true')
})

t.test('a client hands everything to a server, and says when it knows none', async t => {
  const server = await serveAlone()
  t.teardown(() => server.close())
  const backend = new SingleServer()
  backend.identity.server = false
  backend.machine = undefined
  backend.leading = false
  const client = await serveAlone(backend)
  t.teardown(() => client.close())
  for (const target of [
    '/v1/kv/k',
    '/v1/kv/k?stale',
    '/v1/status/leader',
    '/v1/catalog/nodes',
    '/v1/operator/raft/configuration',
  ])
    t.match(await client.ask('GET', target), {status: 500, text: 'No known Consul servers'}, target)
  t.equal((await client.ask('GET', '/v1/agent/self')).status, 200)
  t.equal((await client.ask('GET', '/v1/agent/members?wan=1')).text, 'null')
  backend.other = request => server.api.answer(request)
  t.equal((await client.ask('PUT', '/v1/kv/k', 'v')).text, 'true')
  t.equal((await ask(client.url, 'GET', '/v1/kv/k?raw')).text, 'v')
})
