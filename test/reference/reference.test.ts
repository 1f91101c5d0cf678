import t, {type Test} from 'tap'
import {existsSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {execa} from 'execa'
import {eventually, leaderOf, loopbackServer, referenceBinary, type LoopbackServer} from './loopback.js'

const hosts = ['127.0.8.1', '127.0.8.2', '127.0.8.3']

async function cluster(t: Test, config: Record<string, unknown> = {}): Promise<LoopbackServer[]> {
  const dir = t.testdir()
  const servers = await Promise.all(
    hosts.map(async host => loopbackServer(dir, host, hosts, {bootstrap_expect: 3, ...config})),
  )
  t.teardown(async () => Promise.all(servers.map(async server => server.kill())))
  await Promise.all(servers.map(async server => server.start()))
  return servers
}

const peersOf = async (server: LoopbackServer): Promise<string[]> =>
  ((await (await server.http('/v1/status/peers')).json()) as string[]).sort()

const put = async (server: LoopbackServer, key: string, value: string): Promise<string> =>
  (await server.http(`/v1/kv/${key}`, {method: 'PUT', body: value})).text()

const raftFile = (server: LoopbackServer, name: string): string => join(server.dataDir, 'raft', name)

const at = (servers: readonly LoopbackServer[], index: number): LoopbackServer => {
  const server = servers[index]
  if (!server) throw new Error(`no server ${String(index)}`)
  return server
}

await t.test('it calls itself Consul', async t => {
  const {stdout} = await execa(await referenceBinary(), ['version'])
  t.match(stdout, /^Consul v1\.8\.99\n/)
})

await t.test('three servers elect a leader, replicate writes and keep the peers.info rule', async t => {
  const servers = await cluster(t)
  const leader = await leaderOf(servers)
  t.match(leader, /^127\.0\.8\.[123]:8300$/)
  for (const server of servers)
    t.same(
      await peersOf(server),
      hosts.map(host => `${host}:8300`),
    )
  const [first, second, third] = [at(servers, 0), at(servers, 1), at(servers, 2)]
  for (let i = 0; i < 20; i++) t.equal((await put(first, `k/${String(i)}`, `v${String(i)}`)).trim(), 'true')
  await eventually('the keys on every server', async () => {
    const seen = await Promise.all(
      servers.map(async s => (await s.http('/v1/kv/k/?recurse&stale')).json() as Promise<unknown[]>),
    )
    return seen.every(list => list.length === 20) ? true : undefined
  })
  t.equal(await (await third.http('/v1/kv/k/7?raw')).text(), 'v7')
  t.equal((await put(second, 'k/7?cas=1', 'lost')).trim(), 'false', 'a cas with an old index loses')
  t.equal((await first.http('/v1/kv/none')).status, 404)

  const ids = servers.map(server => readFileSync(join(server.dataDir, 'node-id'), 'utf8'))
  await Promise.all([second.kill(), third.kill()])
  await eventually('the survivor without a leader', async () =>
    (await (await first.http('/v1/status/leader')).json()) === '' ? true : undefined,
  )
  const refused = await first.http('/v1/kv/k/1', {method: 'PUT', body: 'x'})
  t.equal(refused.status, 500)
  t.equal((await refused.text()).trim(), 'No cluster leader')
  await first.kill()

  const alone = JSON.stringify([{id: ids[0], address: '127.0.8.1:8300', non_voter: false}])
  rmSync(raftFile(first, 'peers.info'))
  writeFileSync(raftFile(first, 'peers.json'), alone)
  await first.start()
  await eventually('the API after the start', async () => (await first.http('/v1/status/leader')).status)
  t.notOk(existsSync(raftFile(first, 'peers.json')), 'without peers.info the file is deleted')
  t.match(first.log(), /deleted peers\.json file \(see peers\.info for details\)/)
  t.equal((await peersOf(first)).length, 3, 'and was not read')
  await first.kill('SIGTERM')

  writeFileSync(raftFile(first, 'peers.json'), JSON.stringify(['127.0.8.1:8300']))
  await first.start()
  t.equal(await first.exit(), 1, 'the list dialect is refused')
  t.match(first.log(), /recovery failed to parse peers\.json: json: cannot unmarshal string into Go value/)
  t.ok(existsSync(raftFile(first, 'peers.json')), 'and stays')

  writeFileSync(raftFile(first, 'peers.json'), alone)
  await first.start()
  t.equal(await leaderOf([first]), '127.0.8.1:8300')
  t.match(first.log(), /deleted peers\.json file after successful recovery/)
  t.same(await peersOf(first), ['127.0.8.1:8300'])
  const kept = (await (await first.http('/v1/kv/k/?keys')).json()) as string[]
  t.equal(kept.length, 20, 'every key is kept')

  await second.start()
  await eventually('the second server back as a voter', async () =>
    (await peersOf(first)).length === 2 ? true : undefined,
  )
})

await t.test('with Raft protocol 2 ids are addresses and the recovery file is a list', async t => {
  const servers = await cluster(t, {raft_protocol: 2})
  await leaderOf(servers)
  const first = at(servers, 0)
  const configuration = (await (await first.http('/v1/operator/raft/configuration')).json()) as {
    Servers: {ID: string; Address: string}[]
  }
  for (const server of configuration.Servers) t.equal(server.ID, server.Address)
  t.equal((await put(first, 'one', '1')).trim(), 'true')
  await Promise.all(servers.map(async server => server.kill()))
  writeFileSync(raftFile(first, 'peers.json'), '[{"id":"a","address":"127.0.8.1:8300"}]')
  await first.start()
  t.equal(await first.exit(), 1)
  t.match(first.log(), /cannot unmarshal object into Go value of type string/)
  writeFileSync(raftFile(first, 'peers.json'), '["127.0.8.1:8300"]')
  await first.start()
  t.equal(await leaderOf([first]), '127.0.8.1:8300')
  t.equal(await (await first.http('/v1/kv/one?raw')).text(), '1')
})

await t.test(
  'a graceful leave takes the server out of the peer set; the last leaver holds itself',
  async t => {
    const servers = await cluster(t, {leave_on_terminate: true})
    await leaderOf(servers)
    const [first, second, third] = [at(servers, 0), at(servers, 1), at(servers, 2)]
    await third.kill('SIGTERM')
    t.match(third.log(), /server starting leave/)
    await eventually('two peers', async () => ((await peersOf(first)).length === 2 ? true : undefined))
    await second.kill('SIGTERM')
    await eventually('one peer', async () => ((await peersOf(first)).length === 1 ? true : undefined))
    t.match(readFileSync(join(second.dataDir, 'serf', 'local.snapshot'), 'utf8'), /^leave$/m)
  },
)
