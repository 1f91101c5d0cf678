import {createHash} from 'node:crypto'
import {createServer} from 'node:http'
import type {ServerResponse} from 'node:http'
import type {AddressInfo} from 'node:net'
import t from 'tap'
import type {Test} from 'tap'
import {makeHttpClient} from '../../src/adapters/http.js'
import {makeSecrets} from '../../src/adapters/secrets.js'
import {systemClock} from '../../src/adapters/system-clock.js'
import {makeConnector} from '../../src/adapters/transport/connector.js'
import type {FleetObservation} from '../../src/core/model/observation.js'
import {collectContents} from '../../src/engine/collect-contents.js'
import type {ContentsOptions} from '../../src/engine/collect-contents.js'
import {collectFleet} from '../../src/engine/collect.js'
import {Connections} from '../../src/engine/connections.js'
import type {FleetMember} from '../../src/engine/fleet-target.js'
import {makePrng, SEED} from '../helpers/fuzz.js'

interface Entry {
  readonly Key: string
  readonly Value: string
  readonly Flags: number
  readonly ModifyIndex: number
  readonly Session?: string
}
type Keys = Map<string, Entry>

/** One log that grows with every question put to any of its servers, as under steady writes. */
class BusyLog {
  readonly states: Keys[] = [new Map()]
  constructor(readonly random: () => number) {
    for (let i = 0; i < 60; i++) this.grow()
  }

  get end(): number {
    return this.states.length - 1
  }

  grow(): void {
    const now = new Map(this.states.at(-1))
    const index = this.states.length
    const Key = index <= 20 ? `old${index}` : `k${Math.floor(this.random() * 12)}`
    if (index > 20 && this.random() < 0.3) now.delete(Key)
    else if (this.random() < 0.9 || index <= 20)
      now.set(Key, {Key, Value: `v${index}`, Flags: 0, ModifyIndex: index})
    this.states.push(now)
  }
}

interface ServerParts {
  /** Entries that it is behind the end of the log, at most. */
  readonly lag?: number
  /** Entries that Raft has handed to its state machine, which has not taken them yet. */
  readonly queue?: number
  readonly twist?: (keys: Keys) => void
  /** Answers to the question for its contents that are none, one after the other. */
  readonly instead?: readonly ((response: ServerResponse) => void)[]
  /** From this question for its statistics on it has started again and lost what it had applied. */
  readonly restartsAt?: number
  readonly headers?: Readonly<Record<string, string>>
}

/** A server on loopback that applies the log at its own pace and answers as Consul does. */
async function serve(t: Test, log: BusyLog, parts: ServerParts) {
  const {lag = 2, queue = 0, twist = () => undefined, headers = {}} = parts
  const instead = [...(parts.instead ?? [])]
  let applied = log.end - lag
  const counts = {stats: 0, contents: 0}
  const server = createServer((request, response) => {
    log.grow()
    applied = Math.max(applied, log.end - Math.floor(log.random() * (lag + 1)))
    const path = request.url ?? ''
    if (path === '/v1/status/leader') return response.end('"192.168.1.11:8300"')
    if (path === '/v1/agent/self') {
      counts.stats += 1
      const handed = counts.stats === parts.restartsAt ? 3 : applied
      const raft = {
        ...{state: 'Follower', term: '2', last_log_term: '2', fsm_pending: queue === 0 ? '0' : '1'},
        ...{last_log_index: String(log.end), commit_index: String(log.end), applied_index: String(handed)},
      }
      return response.end(
        JSON.stringify({Config: {NodeName: 'n', Version: '1.8.19', Server: true}, Stats: {raft}}),
      )
    }
    if (!path.startsWith('/v1/kv/')) return response.writeHead(404).end()
    counts.contents += 1
    const other = instead.shift()
    if (other !== undefined) return other(response)
    const keys = new Map(log.states[applied - queue])
    twist(keys)
    const newest = Math.max(1, ...[...keys.values()].map(({ModifyIndex}) => ModifyIndex))
    response.writeHead(keys.size === 0 ? 404 : 200, {'X-Consul-Index': newest, ...headers})
    return response.end(JSON.stringify([...keys.values()].sort((a, b) => (a.Key < b.Key ? -1 : 1))))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return {port: (server.address() as AddressInfo).port, counts}
}

/** What comparing servers of one log comes to, and what each of them was asked. */
async function compare(
  t: Test,
  seed: number,
  parts: readonly ServerParts[],
  options: ContentsOptions = {rounds: 3},
): Promise<{readonly fleet: FleetObservation; readonly asked: readonly number[]}> {
  const log = new BusyLog(makePrng(seed))
  const servers = await Promise.all(parts.map(async one => serve(t, log, one)))
  const connector = makeConnector({ask: undefined, env: {}})
  const connections = new Connections(connector)
  const http = makeHttpClient()
  t.teardown(async () => {
    await http.close()
    await connections.close()
    await connector.close()
  })
  const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
  const deps = {connections, http, clock: systemClock, secrets: makeSecrets({}), sha256}
  const members = servers.map(({port}, i): FleetMember => {
    const target = {
      ...{host: `s${i}`, address: '127.0.0.1', port: undefined, transport: 'local' as const},
      ...{user: undefined, identityFiles: [], jump: [], knownHostsFiles: [], sudo: false},
      ...{sudoPassword: undefined, connectTimeoutMs: 2000},
    }
    return {target, overrides: {dataDir: t.testdirName, http: {kind: 'tcp', host: '127.0.0.1', port}}}
  })
  const collected = await collectFleet(deps, {cluster: 'test', product: 'consul', members})
  const fleet = await collectContents(deps, collected, options)
  return {fleet, asked: servers.map(({counts}) => counts.contents)}
}

t.test('servers under steady writes are compared key by key, and sound ones never alarm', async t => {
  for (let run = 0; run < 8; run++) {
    const lags = [0, 3, 6].map(lag => ({lag}))
    const {fleet} = await compare(t, SEED + run, lags)
    const {contents} = fleet
    t.match(contents, {hosts: ['s0', 's1', 's2'], divergent: undefined}, `seed ${SEED + run}`)
    t.ok((contents?.same ?? 0) >= 20, `${contents?.same} of ${contents?.keys} keys, up to ${contents?.upTo}`)
  }
})

t.test('what differs for good is found while writes go on, whatever its kind', async t => {
  const old = (keys: Keys): Entry => keys.get('old7') as Entry
  const twists: Readonly<Record<string, (keys: Keys) => void>> = {
    'a key is missing': keys => keys.delete('old7'),
    'a value differs': keys => keys.set('old7', {...old(keys), Value: 'wrong'}),
    'flags differ': keys => keys.set('old7', {...old(keys), Flags: 1}),
    'a lock is held': keys => keys.set('old7', {...old(keys), Session: 'x'}),
    'an older index': keys => keys.set('old7', {...old(keys), ModifyIndex: 2}),
    'a key that nobody wrote': keys => keys.set('x', {...old(keys), Key: 'x'}),
    'a key from beyond the log': keys => keys.set('x', {...old(keys), Key: 'x', ModifyIndex: 1e6}),
  }
  for (const [name, twist] of Object.entries(twists)) {
    const {fleet} = await compare(t, SEED, [{lag: 1}, {lag: 2, twist}, {lag: 2}])
    t.match(fleet.contents?.divergent, {keys: 1, sides: [['s0', 's2'], ['s1']]}, name)
  }
})

t.test('a server whose state machine is behind what Raft handed to it is no divergent one', async t => {
  const {fleet, asked} = await compare(t, SEED, [{lag: 0}, {lag: 0, queue: 12}])
  t.match(fleet.contents, {divergent: undefined})
  t.ok((fleet.contents?.same ?? 0) >= 20)
  t.ok(asked.every(times => times <= 3))
})

t.test('a server that was started again while it was read is read again', async t => {
  const {fleet, asked} = await compare(t, SEED, [{lag: 1}, {lag: 1, restartsAt: 2}])
  t.match(fleet.contents, {hosts: ['s0', 's1'], divergent: undefined})
  t.same(asked, [2, 2])
})

t.test('whoever may not be read is left out for good, whoever failed is asked again', async t => {
  const denied = (response: ServerResponse): void => void response.writeHead(403).end('Permission denied')
  const failed = (response: ServerResponse): void => void response.writeHead(500).end('no')
  const {fleet, asked} = await compare(t, SEED, [
    {lag: 1},
    {lag: 1, instead: [failed]},
    {lag: 1, instead: [denied, denied, denied]},
  ])
  t.same(fleet.contents?.hosts, ['s0', 's1'])
  t.match(fleet.servers[2]?.api.contents, {
    kind: 'unread',
    why: 'denied',
    detail: 'The token does not permit it.',
  })
  t.equal(asked[2], 1)
  t.ok((asked[1] ?? 0) >= 2)
})

t.test('where one server keeps keys back nothing is said of those that it does not show', async t => {
  const headers = {'X-Consul-Results-Filtered-By-ACLs': 'true'}
  const {fleet} = await compare(t, SEED, [{lag: 1}, {lag: 1, headers, twist: keys => keys.delete('old7')}])
  t.equal(fleet.contents?.divergent, undefined)
  t.ok((fleet.contents?.doubtful ?? 0) >= 1)
})
