import {createHash} from 'node:crypto'
import {appendFileSync, cpSync, mkdirSync} from 'node:fs'
import {join} from 'node:path'
import t from 'tap'
import {makeHttpClient} from '../../src/adapters/http.js'
import {makeSecrets} from '../../src/adapters/secrets.js'
import {systemClock} from '../../src/adapters/system-clock.js'
import {makeConnector} from '../../src/adapters/transport/connector.js'
import {encodeMsgpack} from '../../src/core/codec/msgpack.js'
import {compareLogs} from '../../src/core/diagnose/histories.js'
import {diskState} from '../../src/core/model/disk-state.js'
import {valueOf} from '../../src/core/model/reading.js'
import {collect} from '../../src/engine/collect.js'
import type {CollectOptions} from '../../src/engine/collect.js'
import {Connections} from '../../src/engine/connections.js'
import {writeRaftDb} from '../helpers/bolt-writer.js'

const SAMPLES = new URL('../../fixtures/samples/', import.meta.url).pathname

interface Tap {
  teardown(work: () => unknown): void
}

/** Observes stopped servers whose data lie in directories of this machine. */
async function observeAll(t: Tap, dataDirs: readonly string[], options: CollectOptions = {}) {
  const connector = makeConnector({ask: undefined, env: {}})
  const connections = new Connections(connector)
  const http = makeHttpClient()
  t.teardown(async () => {
    await http.close()
    await connections.close()
    await connector.close()
  })
  const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
  const target = {
    ...{address: '127.0.0.1', port: undefined, transport: 'local' as const, user: undefined},
    ...{identityFiles: [], jump: [], knownHostsFiles: [], sudo: false, sudoPassword: undefined},
    connectTimeoutMs: 2000,
  }
  const deps = {connections, http, clock: systemClock, secrets: makeSecrets({}), sha256}
  const members = dataDirs.map((dataDir, i) => ({
    target: {...target, host: `s${String(i)}`},
    overrides: {dataDir},
  }))
  return (await collect(deps, {cluster: 'test', product: 'consul', members}, options)).servers
}

/** Observes one stopped server. */
async function observe(t: Tap, dataDir: string, options: CollectOptions) {
  const [server] = await observeAll(t, [dataDir], options)
  if (server === undefined) throw new Error('no server')
  return server
}

t.test('a snapshot with a byte too many is found by a deep look, and not asked about without', async t => {
  const dataDir = join(t.testdir(), 'data')
  cpSync(join(SAMPLES, 'consul-1.8-after-recovery-single/s1'), dataDir, {recursive: true})
  const intact = async (deep: boolean) =>
    Object.fromEntries(
      (valueOf((await observe(t, dataDir, {deep})).snapshots) ?? []).map(one => [
        one.id,
        valueOf(one.intact),
      ]),
    )
  t.same(Object.values(await intact(true)), [true, true])
  appendFileSync(join(dataDir, 'raft/snapshots/66-80-1795159156653/state.bin'), 'x')
  t.same(await intact(true), {'66-80-1795159156653': false, '2-61-1795158879803': true})
  t.same(Object.values(await intact(false)), [undefined, undefined])
})

t.test('the peer set of a stopped server is found however many entries lie behind it', async t => {
  const dataDir = join(t.testdir(), 'data')
  mkdirSync(join(dataDir, 'raft'), {recursive: true})
  const servers = [{Suffrage: 0, ID: 'id-a', Address: '10.0.0.1:8300'}]
  writeRaftDb(join(dataDir, 'raft/raft.db'), {
    currentTerm: 2,
    count: 20_000,
    entry: n => ({
      index: n + 1,
      term: n === 0 ? 1 : 2,
      type: n === 0 ? 5 : 0,
      data: n === 0 ? encodeMsgpack({Servers: servers}) : new Uint8Array(200).fill(n % 256),
    }),
  })
  const server = await observe(t, dataDir, {})
  const store = valueOf(server.store)
  t.ok((store?.bytesRead ?? 0) > 256 * 1024, 'more was read than one look may cost')
  t.match(diskState(server), {end: {index: 20_000, term: 2}, configurationKnown: true})
  t.match(diskState(server).configuration?.servers, [{id: 'id-a', address: '10.0.0.1:8300'}])
})

/** Compares two logs as read from stores that share `common` entries of term 2; each goes on in a term of its own. */
async function compared(t: Tap & {testdir(): string}, common: number, ends: readonly [number, number]) {
  const home = t.testdir()
  const dirs = ends.map((end, i) => {
    const dataDir = join(home, String(i))
    mkdirSync(join(dataDir, 'raft'), {recursive: true})
    const termOf = (index: number): number => (index === 1 ? 1 : index <= common ? 2 : 3 + i)
    const entry = (n: number) => ({index: n + 1, term: termOf(n + 1), type: 0, data: new Uint8Array(8)})
    writeRaftDb(join(dataDir, 'raft/raft.db'), {currentTerm: 3 + i, count: end, entry})
    return dataDir
  })
  const [a, b] = (await observeAll(t, dirs)).map(server => ({server, end: undefined}))
  if (a === undefined || b === undefined) throw new Error('no servers')
  return compareLogs(a, b)
}

t.test(
  'logs that differ at the end of the shorter one are read below it: one history, two tails',
  async t => {
    t.match(await compared(t, 190, [205, 260]), {kind: 'forked', why: /the same term at index 189/})
    t.match(await compared(t, 204, [205, 206]), {kind: 'forked', why: /at index 204/})
  },
)

t.test('what agrees only far below is not taken for one history', async t => {
  t.match(await compared(t, 90, [205, 260]), {kind: 'clash', sharesStart: true})
})
