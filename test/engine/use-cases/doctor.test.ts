import {createHash} from 'node:crypto'
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import {userInfo} from 'node:os'
import t from 'tap'
import {makeHttpClient} from '../../../src/adapters/http.js'
import {JournalFile} from '../../../src/adapters/journal-file.js'
import {makeSecrets} from '../../../src/adapters/secrets.js'
import {systemClock} from '../../../src/adapters/system-clock.js'
import {makeConnector} from '../../../src/adapters/transport/connector.js'
import {valueOf} from '../../../src/core/model/reading.js'
import {Connections} from '../../../src/engine/connections.js'
import type {FleetMember} from '../../../src/engine/fleet-target.js'
import {Session} from '../../../src/engine/session.js'
import {doctor} from '../../../src/engine/use-cases/doctor.js'

interface Serves {
  readonly leader: string
  readonly appliedIndex: number
  /** The values of the keys k0, k1, …, each with the same ModifyIndex on every server. */
  readonly values: readonly string[]
  /** Commit indexes that a leader tells one after the other, the last for ever; its log ends at 9. */
  readonly leads?: readonly number[]
}

const nobody = {kind: 'unread', why: 'failed', source: {host: '', via: 'api', what: ''}} as const

interface Scope {
  teardown(work: () => unknown): void
  testdir(): string
}

/** A server on loopback with contents of its own; counts how often these are asked for. */
async function serve(t: Scope, {leader, appliedIndex, values, leads}: Serves) {
  const commits = [...(leads ?? [9])]
  const self = () => {
    const commit = commits.length > 1 ? commits.shift() : commits[0]
    const raft = {state: leads === undefined ? 'Follower' : 'Leader', term: '2', last_log_index: '9'}
    const indexes = {last_log_term: '2', applied_index: String(appliedIndex), commit_index: String(commit)}
    const stats = {raft: {...raft, ...indexes}}
    return {Config: {NodeName: 'n', Version: '1.8.19', Server: true}, Stats: stats}
  }
  const entries = values.map((value, i) => ({
    Key: `k${String(i)}`,
    Value: Buffer.from(value).toString('base64'),
    Flags: 0,
    ModifyIndex: 5 + i,
  }))
  const answers: Readonly<Record<string, unknown>> = {
    '/v1/status/leader': leader,
    '/v1/kv/?recurse&stale': entries,
  }
  let contentsAsked = 0
  const server = createServer((request, response) => {
    const answer = request.url === '/v1/agent/self' ? self() : answers[request.url ?? '']
    if (request.url?.startsWith('/v1/kv') === true) contentsAsked += 1
    response.writeHead(answer === undefined ? 404 : 200).end(JSON.stringify(answer))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return {port: (server.address() as AddressInfo).port, contentsAsked: () => contentsAsked}
}

/** What doctor says of servers that serve so, and how often their contents were asked for. */
async function judge(t: Scope, serving: readonly Serves[], intent: {compareContents?: boolean} = {}) {
  const servers = await Promise.all(serving.map(async one => serve(t, one)))
  const dataDir = t.testdir()
  const members = servers.map(({port}, i): FleetMember => {
    const target = {
      ...{host: `s${String(i)}`, address: '127.0.0.1', port: undefined, transport: 'local' as const},
      ...{user: undefined, identityFiles: [], jump: [], knownHostsFiles: [], sudo: false},
      ...{sudoPassword: undefined, connectTimeoutMs: 2000},
    }
    return {target, overrides: {dataDir, http: {kind: 'tcp', host: '127.0.0.1', port}}}
  })
  const connector = makeConnector({ask: undefined, env: {}})
  const connections = new Connections(connector)
  const http = makeHttpClient()
  t.teardown(async () => {
    await http.close()
    await connections.close()
    await connector.close()
  })
  const session = new Session(
    {
      collect: {
        ...{connections, http, clock: systemClock, secrets: makeSecrets({})},
        sha256: bytes => createHash('sha256').update(bytes).digest('hex'),
      },
      options: {},
      discover: false,
      journal: new JournalFile(dataDir),
      prompt: undefined as never, // a diagnosis asks nothing
      sha256Text: text => createHash('sha256').update(text).digest('hex'),
      by: userInfo().username,
    },
    {
      fleet: {cluster: 'test', product: 'consul', members},
      ...{origin: 'inventory', clusterNamed: true, invocation: [], reach: []},
    },
  )
  const {findings, facts} = await doctor(session, {ourVersion: '0.0.0', ...intent})
  return {
    contents: facts.fleet.contents,
    divergent: findings.find(({code}) => code === 'STATE_DIVERGENT'),
    stands: valueOf(facts.fleet.servers[0]?.api.self ?? nobody)?.raft?.commitStandsMs,
    asked: servers.map(({contentsAsked}) => contentsAsked()),
  }
}

const led = (...values: readonly string[]): Serves => ({leader: '127.0.0.1:8300', appliedIndex: 9, values})

t.test('doctor compares contents of its own accord where servers follow one leader', async t => {
  const {divergent} = await judge(t, [led('one', 'two'), led('one', 'two'), led('one', 'other')])
  t.match(divergent, {severity: 'fatal'})
  t.match(divergent?.summary, '1 of 2 keys up to index 9 differ for good: s0 and s1 (2 keys) | s2 (2 keys).')
})

t.test('the same contents, or contents at another position, alarm nobody', async t => {
  const same = await judge(t, [led('one', 'two'), led('one', 'two')])
  t.equal(same.divergent, undefined)
  t.same(same.asked, [1, 1], 'one round is enough for servers at one index')
  const behind = await judge(t, [led('one', 'two'), {...led('one'), appliedIndex: 8}])
  t.equal(behind.divergent, undefined)
})

t.test(
  'contents are not asked for without a leader, of a single server, or where that was not wanted',
  async t => {
    const none = {...led('one'), leader: ''}
    t.same((await judge(t, [none, none])).asked, [0, 0])
    t.same((await judge(t, [led('one')])).asked, [0])
    t.same((await judge(t, [led('one'), led('two')], {compareContents: false})).asked, [0, 0])
  },
)

t.test('contents beyond what a diagnosis may cost are left unread, once', async t => {
  const large = 'x'.repeat(7 * 1024 * 1024)
  const {divergent, asked, contents} = await judge(t, [led(large, 'one'), led(large, 'two')])
  t.equal(divergent, undefined)
  t.equal(contents, undefined)
  t.same(asked, [1, 1])
})

t.test('a leader whose commit index stands still is looked at again before that is said', async t => {
  const stuck = await judge(t, [{...led('one'), leads: [5]}, led('one')])
  t.ok((stuck.stands ?? 0) >= 2500, 'it stood for as long as it was watched')
  const slow = await judge(t, [{...led('one'), leads: [5, 5, 5, 5, 6]}, led('one')])
  t.equal(slow.stands, undefined, 'it moved')
  const well = await judge(t, [{...led('one'), leads: [9]}, led('one')])
  t.equal(well.stands, undefined, 'there was nothing to wait for')
})
