import {createHash} from 'node:crypto'
import {appendFileSync, cpSync, mkdirSync} from 'node:fs'
import {join} from 'node:path'
import t from 'tap'
import {makeHttpClient} from '../../src/adapters/http.js'
import {makeSecrets} from '../../src/adapters/secrets.js'
import {systemClock} from '../../src/adapters/system-clock.js'
import {makeConnector} from '../../src/adapters/transport/connector.js'
import {encodeMsgpack} from '../../src/core/codec/msgpack.js'
import {diskState} from '../../src/core/model/disk-state.js'
import {valueOf} from '../../src/core/model/reading.js'
import {collect} from '../../src/engine/collect.js'
import type {CollectOptions} from '../../src/engine/collect.js'
import {Connections} from '../../src/engine/connections.js'
import {writeRaftDb} from '../helpers/bolt-writer.js'

const SAMPLES = new URL('../../fixtures/samples/', import.meta.url).pathname

/** Observes one stopped server whose data lies in a directory of this machine. */
async function observe(t: {teardown(work: () => unknown): void}, dataDir: string, options: CollectOptions) {
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
    ...{host: 'a', address: '127.0.0.1', port: undefined, transport: 'local' as const, user: undefined},
    ...{identityFiles: [], jump: [], knownHostsFiles: [], sudo: false, sudoPassword: undefined},
    connectTimeoutMs: 2000,
  }
  const deps = {connections, http, clock: systemClock, secrets: makeSecrets({}), sha256}
  const fleet = {cluster: 'test', product: 'consul' as const, members: [{target, overrides: {dataDir}}]}
  const [server] = (await collect(deps, fleet, options)).servers
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
