import {createHash} from 'node:crypto'
import {cpSync, readFileSync} from 'node:fs'
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import {join} from 'node:path'
import t from 'tap'
import {makeHttpClient} from '../../src/adapters/http.js'
import {makeSecrets} from '../../src/adapters/secrets.js'
import {systemClock} from '../../src/adapters/system-clock.js'
import {makeConnector} from '../../src/adapters/transport/connector.js'
import {valueOf} from '../../src/core/model/reading.js'
import {collectContents} from '../../src/engine/collect-contents.js'
import {collect, collectFleet, discover} from '../../src/engine/collect.js'
import type {CollectDeps} from '../../src/engine/collect.js'
import {Connections} from '../../src/engine/connections.js'
import type {FleetMember, FleetTarget, ServerOverrides} from '../../src/engine/fleet-target.js'
import type {Connector, HostConnection, HostTarget} from '../../src/ports/transport.js'

const SAMPLES = new URL('../../fixtures/samples/', import.meta.url).pathname

interface Captured {
  readonly path: string
  readonly status: number
  readonly json?: unknown
  readonly body?: string
}

type Answers = Readonly<Record<string, {readonly status: number; readonly body: string} | 'hang'>>

/** A server on loopback that answers as a captured one did; paths in `instead` answer otherwise. */
async function api(t: Tap, capture: string | undefined, instead: Answers = {}) {
  const answers = new Map<string, {status: number; body: string} | 'hang'>()
  if (capture !== undefined) {
    for (const one of JSON.parse(readFileSync(join(SAMPLES, capture), 'utf8')) as readonly Captured[])
      answers.set(one.path, {
        status: one.status,
        body: 'json' in one ? JSON.stringify(one.json) : (one.body ?? ''),
      })
  }
  for (const [path, answer] of Object.entries(instead)) answers.set(path, answer)
  const asked: {path: string; token: string | undefined}[] = []
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    asked.push({path, token: request.headers['x-consul-token'] as string | undefined})
    const answer = answers.get(path) ?? {status: 404, body: ''}
    if (answer !== 'hang') response.writeHead(answer.status).end(answer.body)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    asked,
    http: {kind: 'tcp', host: '127.0.0.1', port: (server.address() as AddressInfo).port} as const,
  }
}

interface Tap {
  teardown(work: () => unknown): void
  testdir(): string
}

function member(host: string, overrides: ServerOverrides, address = '127.0.0.1'): FleetMember {
  const target: HostTarget = {
    host,
    address,
    port: undefined,
    transport: 'local',
    user: undefined,
    identityFiles: [],
    jump: [],
    knownHostsFiles: [],
    sudo: false,
    sudoPassword: undefined,
    connectTimeoutMs: 2000,
  }
  return {target, overrides}
}

const fleetOf = (...members: readonly FleetMember[]): FleetTarget => ({
  cluster: 'test',
  product: 'consul',
  members,
})

function depsFor(t: Tap, connector?: Connector): CollectDeps {
  const real = makeConnector({ask: undefined, env: {}})
  const connections = new Connections(connector ?? real)
  const http = makeHttpClient()
  t.teardown(async () => {
    await http.close()
    await connections.close()
    await real.close()
  })
  const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
  return {connections, http, clock: systemClock, secrets: makeSecrets({TOKEN: 's3cret'}), sha256}
}

t.test('files, store and API of a server come together in one observation', async t => {
  const dataDir = join(t.testdir(), 'data')
  cpSync(join(SAMPLES, 'consul-1.8-cluster/s1'), dataDir, {recursive: true})
  const {http, asked} = await api(t, 'consul-1.8-http/healthy-leader.http.json', {
    '/v1/operator/raft/configuration?stale': {
      status: 200,
      body: '{"Index":0,"Servers":[{"ID":"x","Node":"s1","Address":"127.0.1.31:8300","Leader":true,"Voter":true}]}',
    },
  })
  const deps = depsFor(t)
  const fleet = fleetOf(member('a', {dataDir, http, token: {env: 'TOKEN'}}))
  const observation = await collect(deps, fleet)
  const [server] = observation.servers
  if (server === undefined) throw new Error('no server')
  t.match(valueOf(server.reached), {transport: 'local'})
  t.match(valueOf(server.store), {kind: 'boltdb', path: join(dataDir, 'raft/raft.db')})
  t.ok((valueOf(server.store)?.lastIndex ?? 0) > 0)
  t.match(valueOf(server.api.self), {version: '1.8.19', raft: {role: 'leader'}})
  t.equal(valueOf(server.api.members)?.length, 3)
  t.match(valueOf(server.api.raftConfiguration), {servers: [{id: 'x', leader: true}]})
  t.match(valueOf(server.api.autopilot), {healthy: true})
  t.match(server.api.contents, {kind: 'unread', why: 'not-asked'})
  t.equal(asked[0]?.path, '/v1/status/leader', 'the leader is asked for first')
  t.ok(asked.every(({token}) => token === 's3cret'))
  t.notMatch(JSON.stringify(observation), /s3cret/)
})

t.test('without a leader no question is put that the server would hold', async t => {
  const {http, asked} = await api(t, 'consul-1.8-http/cold-restart-alone.http.json')
  const [server] = (await collect(depsFor(t), fleetOf(member('a', {http})))).servers
  t.equal(valueOf(server?.api.leader ?? missing()), '')
  t.match(server?.api.raftConfiguration, {kind: 'unread', why: 'not-asked'})
  t.match(server?.api.autopilot, {kind: 'unread', why: 'not-asked'})
  t.notOk(asked.some(({path}) => path.startsWith('/v1/operator')))
})

t.test('a server that had a leader is asked for its stale configuration', async t => {
  const {http} = await api(t, 'consul-1.8-http/noleader-survivor.http.json')
  const [server] = (await collect(depsFor(t), fleetOf(member('a', {http})))).servers
  t.equal(valueOf(server?.api.raftConfiguration ?? missing())?.servers.length, 3)
})

t.test('a hanging API costs the time of one question and leaves everything else read', async t => {
  const dataDir = join(t.testdir(), 'data')
  cpSync(join(SAMPLES, 'consul-0.7.5-cluster/s1'), dataDir, {recursive: true})
  const {http, asked} = await api(t, undefined, {'/v1/status/leader': 'hang'})
  const started = Date.now()
  const [server] = (await collect(depsFor(t), fleetOf(member('a', {dataDir, http})), {questionMs: 200}))
    .servers
  t.ok(Date.now() - started < 5000)
  t.match(server?.api.leader, {kind: 'unread', why: 'timed-out'})
  t.match(server?.api.self, {kind: 'unread', why: 'timed-out'})
  const unhurried = ['/v1/agent/members', '/v1/agent/self', '/v1/status/leader', '/v1/status/peers']
  t.strictSame(asked.map(({path}) => path).sort(), unhurried, 'and nothing that could be held is asked')
  t.equal(server?.store.kind, 'read')
})

t.test('denied, unsupported and nonsense answers are reasons', async t => {
  const {http} = await api(t, 'consul-1.8-http/healthy-leader.http.json', {
    '/v1/agent/members': {status: 403, body: 'Permission denied\u001b[2J'},
    '/v1/agent/self': {status: 200, body: '{"Config": 7}'},
    '/v1/status/peers': {status: 500, body: 'No cluster leader'},
    '/v1/operator/raft/configuration?stale': {status: 404, body: ''},
  })
  const [server] = (await collect(depsFor(t), fleetOf(member('a', {http})))).servers
  t.match(server?.api.members, {why: 'denied', detail: /^Permission denied\\e/})
  t.match(server?.api.self, {why: 'unparsable'})
  t.match(server?.api.statusPeers, {why: 'failed', detail: /No cluster leader/})
  t.match(server?.api.raftConfiguration, {why: 'unsupported'})
})

t.test('a host that hangs or cannot be reached holds nobody up', async t => {
  const real = makeConnector({ask: undefined, env: {}})
  const source = {host: 'c', via: 'transport', what: 'ssh'} as const
  const connector: Connector = {
    connect: async target => {
      if (target.host === 'b') return new Promise(() => undefined)
      if (target.host === 'c')
        return {
          kind: 'unread',
          reason: {kind: 'unread', why: 'refused', detail: 'connection refused', source},
          code: 'HOST_UNREACHABLE',
          hints: [],
        }
      return real.connect(target)
    },
  }
  const done: string[] = []
  const fleet = fleetOf(member('a', {}), member('b', {}), member('c', {}))
  const options = {hostMs: 1500, onHost: (server: {host: string}) => done.push(server.host)}
  const {servers} = await collect(depsFor(t, connector), fleet, options)
  t.same(
    servers.map(({host}) => host),
    ['a', 'b', 'c'],
  )
  t.equal(servers[0]?.reached.kind, 'read')
  t.match(servers[1]?.reached, {kind: 'unread', why: 'timed-out'})
  t.match(servers[1]?.store, {kind: 'unread', why: 'timed-out'})
  t.match(servers[2]?.reached, {kind: 'unread', why: 'refused', detail: 'connection refused'})
  t.match(servers[2]?.processes, {kind: 'unread', why: 'refused'})
  t.equal(done.length, 3)
  await real.close()
})

t.test('a connection is opened once and serves later phases', async t => {
  const real = makeConnector({ask: undefined, env: {}})
  t.teardown(() => real.close())
  const opened: HostConnection[] = []
  const connector: Connector = {
    connect: async target => {
      const reached = await real.connect(target)
      if (reached.kind === 'connected') opened.push(reached.connection)
      return reached
    },
  }
  const deps = depsFor(t, connector)
  const fleet = fleetOf(member('a', {}))
  await collect(deps, fleet)
  await collect(deps, fleet)
  t.equal(opened.length, 1)
})

t.test('each store is read at the ends of the others', async t => {
  const dir = t.testdir()
  const members = ['s1', 's2', 's3'].map(name => {
    const dataDir = join(dir, name)
    cpSync(join(SAMPLES, 'consul-0.7.5-leave-one', name), dataDir, {recursive: true})
    return member(name, {dataDir})
  })
  const {servers} = await collect(depsFor(t), fleetOf(...members))
  const stores = servers.map(({store}) => valueOf(store))
  const ends = new Set(stores.map(store => store?.lastIndex))
  for (const store of stores) {
    if (store === undefined) throw new Error('a store was not read')
    const covered = [...ends].filter(
      index => index !== undefined && index >= store.firstIndex && index < store.lastIndex,
    )
    for (const index of covered) t.ok(store.terms.some(end => end.index === index))
    t.ok(store.terms.some(end => end.index === store.firstIndex))
  }
})

t.test('terms that came along with the first look are not read again', async t => {
  const dir = t.testdir()
  const opened: string[] = []
  const deps = depsFor(t)
  const reach = deps.connections.reach.bind(deps.connections)
  deps.connections.reach = async target => {
    const reached = await reach(target)
    if (reached.kind === 'unread') return reached
    const {connection} = reached
    const openFile = connection.openFile.bind(connection)
    connection.openFile = async (path, options) => {
      if (path.endsWith('raft.db')) opened.push(target.host)
      return openFile(path, options)
    }
    return reached
  }
  const members = ['s1', 's2', 's3'].map(name => {
    const dataDir = join(dir, name)
    cpSync(join(SAMPLES, 'consul-0.7.5-leave-one', name), dataDir, {recursive: true})
    return member(name, {dataDir})
  })
  await collect(deps, fleetOf(...members))
  t.strictSame(opened.sort(), ['s1', 's2', 's3'])
})

t.test('a token that is not where the operator said ends the command before any host is asked', async t => {
  const fleet = fleetOf(member('a', {token: {env: 'NO_SUCH_VARIABLE'}}))
  await t.rejects(collect(depsFor(t), fleet), {code: 'USAGE'})
})

t.test('one server leads to the others it knows of', async t => {
  const {http} = await api(t, 'consul-1.8-http/noleader-survivor.http.json')
  const {fleet, hosts} = await discover(depsFor(t), fleetOf(member('a', {http}, '127.0.1.32')))
  t.same(hosts.map(({address}) => address).sort(), ['127.0.1.31', '127.0.1.33'])
  t.match(hosts[0]?.why.join(), /raft/)
  t.equal(fleet.members.length, 3)
})

t.test('contents are compared byte for byte', async t => {
  const raft = {state: 'Follower', term: '2', last_log_index: '9', last_log_term: '2', applied_index: '9'}
  const self = {Config: {NodeName: 'n', Version: '1.8.19', Server: true}, Stats: {raft}}
  const entry = (value: string) => [{Key: 'a', Value: value, Flags: 0, ModifyIndex: 5}]
  const withValue = (value: string) =>
    api(t, undefined, {
      '/v1/status/leader': {status: 200, body: '"x:1"'},
      '/v1/agent/self': {status: 200, body: JSON.stringify(self)},
      '/v1/kv/?recurse&stale': {status: 200, body: JSON.stringify(entry(value))},
    })
  const [one, same, other] = await Promise.all([withValue('MQ=='), withValue('MQ=='), withValue('Mg==')])
  const deps = depsFor(t)
  const members = [one, same, other].map(({http}, i) => member(`s${i}`, {http}))
  const collected = await collectFleet(deps, fleetOf(...members))
  const {servers, contents} = await collectContents(deps, collected)
  t.match(contents, {
    ...{upTo: 9, keys: 1, same: 0},
    divergent: {keys: 1, sides: [['s0', 's1'], ['s2']], examples: [{key: 'a'}]},
  })
  const [a, b, c] = servers.map(server => valueOf(server.api.contents))
  t.match(a, {keys: 1, appliedIndex: 9})
  t.same(a, b)
  t.not(a?.sha256, c?.sha256)
})

t.test(
  'contents that were read beside the questions are not read again where they can be compared',
  async t => {
    const keys = '/v1/kv/?recurse&stale'
    const body = JSON.stringify([{Key: 'a', Value: 'eA==', Flags: 0, ModifyIndex: 7}])
    const self = (applied: number) => {
      const [state, last] = ['Follower', String(applied)]
      const raft = {state, term: '2', last_log_index: last, last_log_term: '2', applied_index: last}
      return JSON.stringify({Config: {NodeName: 'n', Version: '1.8.19', Server: true}, Stats: {raft}})
    }
    const served = async (applied: number) =>
      api(t, undefined, {
        [keys]: {status: 200, body},
        '/v1/agent/self': {status: 200, body: self(applied)},
        '/v1/status/leader': {status: 200, body: '"192.168.1.11:8300"'},
      })
    const read = async (applied: readonly number[]) => {
      const servers = await Promise.all(applied.map(served))
      const deps = depsFor(t)
      const members = servers.map(({http}, i) => member(`s${i}`, {http}))
      const collected = await collectFleet(deps, fleetOf(...members), {contentsBytes: 1e6})
      for (const {api: seen} of collected.observation.servers)
        t.equal(seen.contents.kind, applied.length > 1 ? 'read' : 'unread')
      await collectContents(deps, collected, {rounds: 2})
      return servers.map(({asked}) => asked.filter(({path}) => path === keys).length)
    }
    t.strictSame(await read([9, 9]), [1, 1])
    t.strictSame(await read([9, 10]), [1, 1], 'what is the same is the same at two indexes as well')
    t.strictSame(await read([9]), [1], 'a server by itself is only read where it is asked for')
  },
)

function missing() {
  return {kind: 'unread', why: 'failed', source: {host: '', via: 'api', what: ''}} as const
}
