// Contents of real Consul servers, compared while keys are put, deleted, locked and given up.
import {createHash} from 'node:crypto'
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import type {Test} from 'tap'
import t from 'tap'
import {makeHttpClient} from '../../src/adapters/http.js'
import {makeSecrets} from '../../src/adapters/secrets.js'
import {systemClock} from '../../src/adapters/system-clock.js'
import {makeConnector} from '../../src/adapters/transport/connector.js'
import type {ContentsComparison} from '../../src/core/model/contents.js'
import {valueOf} from '../../src/core/model/reading.js'
import {collectContents} from '../../src/engine/collect-contents.js'
import {collectFleet} from '../../src/engine/collect.js'
import {Connections} from '../../src/engine/connections.js'
import type {FleetMember} from '../../src/engine/fleet-target.js'
import {until} from '../helpers/agents.js'
import {RealConsul} from '../helpers/real-consul.js'
import type {ServerBinary} from '../lab/binaries.js'
import {realConsuls} from '../lab/binaries.js'

const binaries = realConsuls()
if (binaries.length === 0)
  t.fail('QUORATE_CONSUL_BIN_DIR names no directory with binaries called consul-VERSION')

const OLD_KEYS = 120
const HOT_KEYS = 20

/** Three real servers that have a leader, and keys that nobody touches any more. */
async function threeServers(t: Test, n: number, binary: ServerBinary): Promise<readonly RealConsul[]> {
  const directory = mkdtempSync(join(tmpdir(), 'quorate-contents-'))
  const ips = [1, 2, 3].map(i => `127.74.${n + 1}.${i}`)
  const config = {bootstrap_expect: 3, retry_join: ips, leave_on_terminate: false}
  const servers = ips.map((ip, i) => {
    const settings = {name: `real${i + 1}`, ip, directory, config}
    return new RealConsul(binary, settings)
  })
  t.teardown(async () => {
    await Promise.all(servers.map(async server => server.kill()))
    rmSync(directory, {recursive: true, force: true})
  })
  for (const server of servers) server.start()
  await until('a leader', () => isLed(servers))
  for (let key = 0; key < OLD_KEYS; key++)
    await until(
      'a write',
      async () =>
        (await put(servers[0], `old/${key}`, `value ${String(key).padStart(4, '0')}`)) === 'true' ||
        undefined,
    )
  return servers
}

/** Whether all name one leader; undefined when not. */
async function isLed(servers: readonly RealConsul[]): Promise<true | undefined> {
  const named = await Promise.all(servers.map(async server => server.leader()))
  return named[0] !== '' && new Set(named).size === 1 ? true : undefined
}

async function put(server: RealConsul | undefined, key: string, value: string, query = ''): Promise<string> {
  return (await server?.ask(`/v1/kv/${key}${query}`, 'PUT', value))?.text.trim() ?? ''
}

/** Puts, deletes, locks and unlocks hot keys until it is stopped, with sessions that are made and destroyed. */
function churn(servers: readonly RealConsul[]) {
  let [going, done] = [true, 0]
  let session = ''
  const one = async (turn: number): Promise<boolean> => {
    const server = servers[turn % servers.length]
    const key = `hot/${Math.floor(Math.random() * HOT_KEYS)}`
    const dice = Math.random()
    if (turn % 25 === 0) {
      if (session !== '') await server?.ask(`/v1/session/destroy/${session}`, 'PUT', '')
      const made = await server?.ask('/v1/session/create', 'PUT', '{"LockDelay":"0s","Checks":[]}')
      session = made?.status === 200 ? String((JSON.parse(made.text) as {ID: string}).ID) : ''
      return made?.status === 200
    }
    if (dice < 0.2) return (await server?.ask(`/v1/kv/${key}`, 'DELETE'))?.status === 200
    if (dice < 0.4 && session !== '') return (await put(server, key, 'held', `?acquire=${session}`)) !== ''
    if (dice < 0.5 && session !== '') return (await put(server, key, 'left', `?release=${session}`)) !== ''
    return (await put(server, key, `put ${turn % 7}`)) === 'true'
  }
  const loop = (async () => {
    for (let turn = 0; going; turn++) {
      if (await one(turn)) done += 1
      await new Promise(resolve => setTimeout(resolve, 10))
    }
  })()
  return {
    count: () => done,
    stop: async () => {
      going = false
      await loop
    },
  }
}

/** Compares the contents of the servers as doctor does. */
async function compare(t: Test, servers: readonly RealConsul[]): Promise<ContentsComparison | undefined> {
  const connector = makeConnector({ask: undefined, env: {}})
  const connections = new Connections(connector)
  const http = makeHttpClient()
  const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
  const members = servers.map(({settings: {name, ip, directory}, dataDir}): FleetMember => {
    const target = {
      ...{host: name, address: ip, port: undefined, transport: 'local' as const},
      ...{user: undefined, identityFiles: [], jump: [], knownHostsFiles: [], sudo: false},
      ...{sudoPassword: undefined, connectTimeoutMs: 5000, ownDirectory: directory},
    }
    return {target, overrides: {dataDir, http: {kind: 'tcp', host: ip, port: 8500}}}
  })
  try {
    const deps = {connections, http, clock: systemClock, secrets: makeSecrets({}), sha256}
    const fleet = {cluster: 'test', product: 'consul' as const, members}
    const collected = await collectFleet(deps, fleet, {contentsBytes: 8 << 20, compareHistories: false})
    const {contents, servers: seen} = await collectContents(deps, collected, {rounds: 3, allMs: 20_000})
    for (const {host, api} of seen)
      t.ok(valueOf(api.contents), `${host}: ${JSON.stringify(api.contents)}`.slice(0, 300))
    return contents
  } finally {
    await http.close()
    await connections.close()
    await connector.close()
  }
}

/** Changes the values in the log of a stopped server: what a wrong recovery leaves on one of them. */
function falsify(server: RealConsul): number {
  const path = join(server.dataDir, 'raft', 'raft.db')
  const store = readFileSync(path)
  let changed = 0
  for (let at = store.indexOf('value 0'); at !== -1; at = store.indexOf('value 0', at + 1)) {
    store.write('wrong', at, 'latin1')
    changed += 1
  }
  writeFileSync(path, store)
  return changed
}

for (const [n, binary] of binaries.entries())
  t.test(`Consul ${binary.version}: contents are compared under steady writes`, async t => {
    const servers = await threeServers(t, n, binary)
    const hot = churn(servers)
    try {
      for (let look = 0; look < 5; look++) {
        const before = hot.count()
        const contents = await compare(t, servers)
        t.match(contents, {hosts: ['real1', 'real2', 'real3'], doubtful: 0, divergent: undefined})
        t.ok(
          (contents?.same ?? 0) >= OLD_KEYS,
          `${contents?.same} of ${contents?.keys} keys, up to ${contents?.upTo}, with ${hot.count() - before} writes meanwhile`,
        )
      }
      const [, , stray] = servers
      if (stray === undefined) throw new Error('three servers')
      await stray.kill()
      t.ok(falsify(stray) >= OLD_KEYS, 'its log holds the old keys')
      stray.start()
      await until('it follows again', () => isLed(servers))
      await until(
        'it has replayed its log',
        async () => (await stray.ask('/v1/kv/old/0?stale&raw')).text.startsWith('wrong') || undefined,
      )
      const found = await compare(t, servers)
      t.match(found?.divergent, {sides: [['real1', 'real2'], ['real3']]})
      t.equal(found?.divergent?.keys, OLD_KEYS, `of ${found?.keys} keys up to ${found?.upTo}`)
    } finally {
      await hot.stop()
    }
  })
