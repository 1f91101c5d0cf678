import {existsSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import t from 'tap'
import {Agents, call, until} from '../helpers/agents.js'
import type {TestAgent} from '../helpers/agents.js'

const said = ({lines}: TestAgent, text: RegExp): true | undefined =>
  lines.some(line => text.test(line)) ? true : undefined
const peers = async ({url}: TestAgent): Promise<readonly string[]> =>
  JSON.parse((await call(url, '/v1/status/peers')).text) as string[]

void t.test('two servers that were told to bootstrap stay two clusters, and both say why', async t => {
  const agents = new Agents(t.testdir(), '71.20')
  t.teardown(() => agents.stopAll())
  const first = await agents.start('s1', '-server', '-bootstrap')
  const second = await agents.start('s2', '-server', '-bootstrap', `-join=${agents.ip('s1')}`)
  for (const one of [first, second]) {
    await until('the complaint', () => said(one, /are both in bootstrap mode/))
    t.same(await peers(one), [`${one.ip}:8300`])
    t.match((await call(one.url, '/v1/status/leader')).text, one.ip)
  }
})

void t.test('servers that expect different numbers found nothing, and say so', async t => {
  const agents = new Agents(t.testdir(), '71.21')
  t.teardown(() => agents.stopAll())
  const first = await agents.start('s1', '-server', '-bootstrap-expect=2')
  const second = await agents.start('s2', '-server', '-bootstrap-expect=3', `-join=${agents.ip('s1')}`)
  for (const one of [first, second]) {
    await until('the complaint', () => said(one, /conflicting expect value/))
    t.equal((await call(one.url, '/v1/status/leader')).text, '""')
    t.same(await peers(one), [])
  }
})

void t.test(
  'a server that expects others joins a cluster that is there, instead of founding a second one',
  async t => {
    const agents = new Agents(t.testdir(), '71.22')
    t.teardown(() => agents.stopAll())
    await agents.start('s1', '-server', '-bootstrap')
    await agents.leader()
    const expecting = await agents.start('s2', '-server', '-bootstrap-expect=2', `-join=${agents.ip('s1')}`)
    await until('two peers', async () => ((await peers(expecting)).length === 2 ? true : undefined))
    t.match((await call(expecting.url, '/v1/status/leader')).text, agents.ip('s1'))
  },
)

void t.test(
  'a survivor of three recovers by peers.json, keeps every write, and deletes the file',
  async t => {
    const agents = new Agents(t.testdir(), '71.23')
    t.teardown(() => agents.stopAll())
    for (const name of ['s1', 's2', 's3'])
      await agents.start(
        name,
        '-server',
        '-bootstrap-expect=3',
        ...(name === 's1' ? [] : [`-join=${agents.ip('s1')}`]),
      )
    await agents.leader()
    const {url, dataDir, ip} = agents.running.get('s2') as TestAgent
    for (let i = 0; i < 20; i++) await call(url, `/v1/kv/k${i}`, 'PUT', `v${i}`)
    await until('all of it on s2', async () =>
      (await call(url, '/v1/kv/k19?raw&stale')).text === 'v19' ? true : undefined,
    )
    await agents.stopAll()
    const file = join(dataDir, 'raft', 'peers.json')
    const id = readFileSync(join(dataDir, 'node-id'), 'utf8')
    writeFileSync(file, '["127.71.23.2:8300"]')
    await t.rejects(
      agents.start('s2', '-server'),
      /recovery failed to parse peers\.json: json: cannot unmarshal string/,
    )
    t.ok(existsSync(file), 'a file of the wrong dialect stops the start and stays')
    writeFileSync(file, JSON.stringify([{id, address: `${ip}:8300`, non_voter: false}]))
    const alone = await agents.start('s2', '-server')
    await agents.leader()
    t.ok(said(alone, /deleted peers\.json file after successful recovery/))
    t.notOk(existsSync(file))
    t.same(await peers(alone), [`${ip}:8300`])
    for (let i = 0; i < 20; i++) t.match(await call(alone.url, `/v1/kv/k${i}?raw`), {text: `v${i}`})
  },
)

void t.test('a second agent on the same data directory is refused, whatever address it has', async t => {
  const agents = new Agents(t.testdir(), '71.24')
  t.teardown(() => agents.stopAll())
  const {dataDir} = await agents.start('s1', '-server', '-bootstrap')
  await t.rejects(agents.start('s2', '-server', `-data-dir=${dataDir}`), /is in use by another agent/)
  await agents.stop('s1')
  await agents.start('s2', '-server', `-data-dir=${dataDir}`)
})
