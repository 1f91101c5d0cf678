import {existsSync, readdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import t from 'tap'
import type {Test} from 'tap'
import {loadAgentOptions} from '../../src/agent/load-options.js'
import type {AgentOptions} from '../../src/agent/options.js'
import {SignalDelivery} from '../../src/agent/signals.js'
import {Agents, call, until} from '../helpers/agents.js'
import type {TestAgent} from '../helpers/agents.js'

const BEFORE = 'log_level = "INFO"\nraft_snapshot_threshold = 1000000\n'

/** A server alone that was started with a config file, and what puts other text there. */
async function started(
  t: Test,
  net: string,
): Promise<{one: TestAgent; put: (text: string) => void; file: string}> {
  const directory = t.testdir({'a.hcl': BEFORE})
  const agents = new Agents(directory, net)
  t.teardown(() => agents.stopAll())
  const file = join(directory, 'a.hcl')
  const one = await agents.start('s1', '-server', '-bootstrap', `-config-file=${file}`)
  await agents.leader()
  return {one, file, put: text => writeFileSync(file, text)}
}

const writeKeys = async ({url}: TestAgent, count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await call(url, `/v1/kv/k${i}`, 'PUT', 'v')
}

t.test('a reload takes over what Consul takes over at one, and nothing else', async t => {
  const {one, put} = await started(t, '71.61')
  await writeKeys(one, 30)
  t.equal((await call(one.url, '/v1/kv/k', 'PUT', 'x'.repeat(20))).status, 200)
  const snapshots = join(one.dataDir, 'raft', 'snapshots')
  const taken = (): boolean => existsSync(snapshots) && readdirSync(snapshots).length > 0
  t.notOk(taken())
  put(`log_level = "DEBUG"
    raft_snapshot_threshold = 5
    raft_snapshot_interval = "50ms"
    raft_trailing_logs = 3
    limits { kv_max_value_size = 10 txn_max_req_len = 4 http_max_conns_per_client = 1 }
    node_name = "other"
    raft_protocol = 2`)
  t.match(await call(one.url, '/v1/agent/reload', 'PUT'), {status: 200})
  await until('a snapshot', () => taken() || undefined)
  const {text} = await call(one.url, '/v1/agent/self')
  t.match(JSON.parse(text), {
    Config: {NodeName: 's1'},
    DebugConfig: {RaftSnapshotThreshold: 5, RaftTrailingLogs: 3, RaftProtocol: 3},
  })
  const refused = await call(one.url, '/v1/kv/k', 'PUT', 'x'.repeat(20))
  t.match(refused, {status: 413, text: /max size: 10 bytes/})
  const txn = JSON.stringify([{KV: {Verb: 'set', Key: 'k', Value: Buffer.from('12345').toString('base64')}}])
  t.match(await call(one.url, '/v1/txn', 'PUT', txn), {status: 413, text: /Limit: 4/})
})

t.test('files that are wrong change nothing, and what is wrong is told with file and line', async t => {
  const {one, put, file} = await started(t, '71.62')
  put('raft_snapshot_threshold = 5\nlog_levle = "DEBUG"\n\nlimits { kv_max_value_size = "x" }\n')
  const {status, text} = await call(one.url, '/v1/agent/reload', 'PUT')
  t.equal(status, 500)
  t.match(text, `${file}:2:1: `)
  t.match(text, `${file}:4:10: `)
  const self = async (): Promise<unknown> => JSON.parse((await call(one.url, '/v1/agent/self')).text)
  t.match(await self(), {DebugConfig: {RaftSnapshotThreshold: 1_000_000}})
  t.equal((await call(one.url, '/v1/kv/k', 'PUT', 'x'.repeat(600))).status, 200)
  put(`${BEFORE}raft_snapshot_threshold = 0.5\n`)
  t.match((await call(one.url, '/v1/agent/reload', 'PUT')).text, /raft_snapshot_threshold.*a\.hcl:3/)
  t.match(await self(), {DebugConfig: {RaftSnapshotThreshold: 1_000_000}})
})

t.test('SIGHUP does the same, and says what came of it', async t => {
  const {one, put, file} = await started(t, '71.63')
  const lines: string[] = []
  const argv = [`-data-dir=${one.dataDir}`, '-node=s1', `-bind=${one.ip}`, `-config-file=${file}`]
  const reread = (): AgentOptions => loadAgentOptions(argv, () => '').options
  const delivery = new SignalDelivery(one.agent, reread(), {
    log: (level, _scope, text) => void lines.push(`${level} ${text}`),
    reread,
    exit: () => t.fail('a reload ends no process'),
  })
  const hangUp = async (told: RegExp): Promise<void> => {
    lines.length = 0
    delivery.deliver('SIGHUP')
    await until(String(told), () => lines.some(line => told.test(line)) || undefined)
  }
  put('log_levle = "DEBUG"\n\nserver = "x"\n')
  await hangUp(/^error Failed to reload configs: error=".*a\.hcl:1:1: /)
  t.ok(lines.some(line => /^error Failed to reload configs: .*a\.hcl:3:1: /.test(line)))
  put('limits { kv_max_value_size = 10 }')
  await hangUp(/^info Configuration reloaded$/)
  t.equal((await call(one.url, '/v1/kv/k', 'PUT', 'x'.repeat(20))).status, 413)
})
