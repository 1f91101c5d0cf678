// Our gossip in the LAN pool of real Consul servers, as a client of theirs. Runs where QUORATE_CONSUL_BIN_DIR names some.
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import type {Test} from 'tap'
import t from 'tap'
import {addressOf, ours} from '../../helpers/gossip.js'
import {freePorts, until} from '../../helpers/serf-agent.js'
import type {ServerBinary} from '../../lab/binaries.js'
import {realConsuls} from '../../lab/binaries.js'

const KEY = Buffer.alloc(16, 5)

interface ConsulAgent {
  /** Address of its LAN pool. */
  readonly lan: string
  get(path: string): Promise<unknown>
  put(path: string): Promise<void>
}

async function startConsul(t: Test, {path, version}: ServerBinary): Promise<ConsulAgent> {
  const dir = mkdtempSync(join(tmpdir(), 'quorate-consul-'))
  const [server = 0, lan = 0, wan = 0, http = 0, dns = 0, rpc = 0] = await freePorts(6)
  const old = version.startsWith('0.6') || version.startsWith('0.7')
  const config = {
    server: true,
    bootstrap: true,
    datacenter: 'dc1',
    node_name: 'real',
    data_dir: join(dir, 'data'),
    bind_addr: '127.0.0.1',
    encrypt: KEY.toString('base64'),
    disable_update_check: true,
    ports: {server, serf_lan: lan, serf_wan: wan, http, dns, ...(old ? {rpc} : {})},
  }
  writeFileSync(join(dir, 'config.json'), JSON.stringify(config))
  const child = spawn(path, ['agent', `-config-file=${join(dir, 'config.json')}`], {stdio: 'ignore'})
  t.teardown(async () => {
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
    rmSync(dir, {recursive: true, force: true})
  })
  const url = `http://127.0.0.1:${http}`
  const get = async (path: string): Promise<unknown> => {
    try {
      return await (await fetch(url + path)).json()
    } catch {
      return undefined
    }
  }
  const put = async (path: string): Promise<void> => void (await fetch(url + path, {method: 'PUT', body: ''}))
  t.ok(await until(async () => /:\d+$/.test(String(await get('/v1/status/leader'))), 30_000), 'it leads')
  return {lan: `127.0.0.1:${lan}`, get, put}
}

const clientTags = {
  role: 'node',
  dc: 'dc1',
  vsn: '2',
  vsn_min: '2',
  vsn_max: '3',
  build: '1.8.19:',
  id: '0c8cbb3c-5c3f-4d3b-8a36-3e6a4c9c5c11',
  segment: '',
}

const healthOf = async (consul: ConsulAgent, name: string): Promise<string | undefined> => {
  const checks = (await consul.get(`/v1/health/node/${name}`)) as
    readonly {CheckID: string; Status: string}[] | undefined
  return checks?.find(({CheckID}) => CheckID === 'serfHealth')?.Status
}
/** Serf's number for the status of a member: 1 alive, 3 left, 4 failed. */
const statusOf = async (consul: ConsulAgent, name: string): Promise<number | undefined> => {
  const members = (await consul.get('/v1/agent/members')) as
    readonly {Name: string; Status: number}[] | undefined
  return members?.find(({Name}) => Name === name)?.Status
}

const binaries = realConsuls()
if (binaries.length === 0)
  t.fail('QUORATE_CONSUL_BIN_DIR names no directory with binaries called consul-VERSION')

for (const binary of binaries)
  t.test(`Consul ${binary.version} takes us for a client that is alive, fails and leaves`, async t => {
    const consul = await startConsul(t, binary)
    const us = await ours(t, 'ours', {key: KEY, tags: clientTags})
    t.same(await us.join([consul.lan]), {contacted: 1, problems: []})
    t.equal(us.member('real')?.tags['role'], 'consul')
    t.ok(await until(async () => (await statusOf(consul, 'ours')) === 1))
    t.ok(await until(async () => (await healthOf(consul, 'ours')) === 'passing', 15_000))

    const events: string[] = []
    us.on(notice => void (notice.on === 'user-event' && events.push(notice.name)))
    await consul.put('/v1/event/fire/deploy')
    t.ok(await until(() => events.includes('consul:event:deploy')), 'its events arrive')

    const stranger = await ours(t, 'stranger', {key: KEY, tags: {...clientTags, dc: 'dc2', id: ''}})
    await stranger.join([consul.lan])
    await stranger.shutdown()

    const {port} = us.address
    await us.shutdown()
    t.ok(await until(async () => (await healthOf(consul, 'ours')) === 'critical', 25_000))
    t.equal(await statusOf(consul, 'ours'), 4)
    t.equal(await statusOf(consul, 'stranger'), undefined, 'an agent of another datacenter never came in')

    const again = await ours(t, 'ours', {
      key: KEY,
      tags: clientTags,
      bind: {ip: '127.0.0.1', port},
    })
    await again.join([consul.lan])
    t.ok(
      await until(async () => (await healthOf(consul, 'ours')) === 'passing', 15_000),
      `${addressOf(again)} is back`,
    )
    await again.leave()
    t.equal(await statusOf(consul, 'ours'), 3)
    t.ok(
      await until(async () => (await healthOf(consul, 'ours')) === undefined, 15_000),
      'it is deregistered',
    )
  })
