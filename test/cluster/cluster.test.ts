import {spawn} from 'node:child_process'
import {existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import t from 'tap'
import type {Test} from 'tap'
import {localClusterInventory} from '../../src/cluster/inventory.js'
import {chooseNetwork} from '../../src/cluster/network.js'
import {clusterServiceManager} from '../../src/cluster/service-manager.js'
import {clusterDirectory, clusterNames, memberFiles} from '../../src/cluster/state.js'
import {clusterDown, clusterUp} from '../../src/cluster/up-down.js'
import type {RaisedCluster} from '../../src/cluster/up-down.js'
import type {HostConnection} from '../../src/ports/transport.js'
import {eventually, referenceBinary} from '../reference/loopback.js'

type Environment = Readonly<Record<string, string>>

/** A state directory of its own, emptied of processes whatever the test does. */
function world(t: Test): Environment {
  // Not tap's own directory: that is gone before the cluster could be taken down
  const state = mkdtempSync(join(tmpdir(), 'quorate-cluster-'))
  const env = {XDG_STATE_HOME: state, HOME: '/nowhere'}
  t.teardown(async () => {
    for (const name of await clusterNames(env)) await clusterDown(env, name)
    rmSync(state, {recursive: true, force: true})
  })
  return env
}

async function raise(env: Environment, name = 'local', servers = 3): Promise<RaisedCluster> {
  return clusterUp(env, {
    name,
    servers,
    clients: 0,
    raftProtocol: 3,
    encrypt: false,
    program: {command: [await referenceBinary(), 'agent'], partitions: false},
    leaderWithinMs: 30_000,
  })
}

const alive = (pid: number): boolean => existsSync(`/proc/${pid}`)

/** No command is run on a local cluster's machine to manage its processes. */
const nowhere = {} as HostConnection

t.test('a cluster comes up with a leader, and down without a trace', async t => {
  const env = world(t)
  const {cluster, leader, resumed} = await raise(env)
  t.notOk(resumed)
  t.match(leader, /^127\.\d+\.\d+\.[123]:8300$/)
  const status = await cluster.status()
  t.equal(status.length, 3)
  t.ok(status.every(one => one.leader === leader && one.process?.paused === false))
  t.equal(status.filter(one => one.role === 'leader').length, 1)
  t.match(cluster.state.version, /^\d+\./, 'the version is noted for when all are stopped')
  const pids = status.map(one => one.process?.pid ?? 0)
  const again = await raise(env)
  t.ok(again.resumed)
  t.same(
    (await again.cluster.status()).map(one => one.process?.pid),
    pids,
    'up again starts nothing twice',
  )
  t.same(await clusterDown(env, 'local'), {
    name: 'local',
    ended: ['server1', 'server2', 'server3'],
    existed: true,
  })
  t.notOk(pids.some(alive))
  t.same(readdirSync(join(env['XDG_STATE_HOME'] ?? '', 'quorate', 'clusters')), [])
  t.same(
    await clusterDown(env, 'local'),
    {name: 'local', ended: [], existed: false},
    'down again is no failure',
  )
})

t.test('what was broken is seen, and can be mended', async t => {
  const env = world(t)
  const {cluster} = await raise(env)
  const [first, second, third] = cluster.members(['server1', '2', 'server3'])
  if (first === undefined || second === undefined || third === undefined) throw new Error('three servers')
  const stateOf = async (name: string) => (await cluster.status()).find(one => one.member.name === name)

  cluster.signal([second], 'SIGSTOP')
  await eventually('the kernel has stopped it', async () =>
    Promise.resolve(cluster.process(second)?.paused || undefined),
  )
  t.match(await stateOf('server2'), {process: {paused: true}, leader: undefined})
  cluster.signal([second], 'SIGCONT')
  t.match(await stateOf('server2'), {process: {paused: false}})

  await t.rejects(cluster.wipe([third]), {code: 'STILL_RUNS'})
  t.same(await cluster.stop([third], 'SIGKILL'), [])
  t.match(await stateOf('server3'), {process: undefined, gone: false})
  await cluster.wipe([third])
  t.same(readdirSync(cluster.files(third).data), [])
  await cluster.start([third])
  t.match(await stateOf('server3'), {process: {paused: false}})

  await cluster.destroy([third])
  t.match(await stateOf('server3'), {process: undefined, gone: true})
  await t.rejects(cluster.start([third]), {code: 'GONE'})
  await cluster.wipe([third])
  await cluster.start([third])
  t.ok(cluster.process(third), 'a new machine of the old name')

  const fourth = await cluster.add('server')
  t.equal(fourth.name, 'server4')
  t.ok(cluster.process(fourth))
  t.throws(() => cluster.members(['server9']), {code: 'UNKNOWN_SERVER'})
})

t.test('partitions are files of refused addresses, of all parts or of one', async t => {
  const env = world(t)
  const {cluster} = await raise(env)
  const [one, two, three] = cluster.servers
  if (one === undefined || two === undefined || three === undefined) throw new Error('three servers')
  const refused = (): readonly string[] =>
    cluster.servers.map(member => {
      const {refused: path} = cluster.files(member)
      return existsSync(path) ? readFileSync(path, 'utf8').trim() : ''
    })
  await cluster.partition([[one], [two, three]], false)
  t.same(refused(), [`${two.address}\n${three.address}`, one.address, one.address])
  await cluster.partition([[one], [two, three]], true)
  t.same(refused(), [`from ${two.address}\nfrom ${three.address}`, '', ''], 'only the first is deaf')
  await cluster.heal()
  t.same(refused(), ['', '', ''])
})

t.test('two clusters stand side by side on networks of their own', async t => {
  const env = world(t)
  const first = await raise(env, 'one', 1)
  const second = await raise(env, 'two', 1)
  t.not(first.cluster.state.network, second.cluster.state.network)
  t.same(await clusterNames(env), ['one', 'two'])
  await clusterDown(env, 'one')
  t.ok((await second.cluster.status()).every(one => one.process !== undefined))
  await t.rejects(raise(env, 'two', 3), {code: 'CLUSTER_EXISTS'}, 'another shape is not mixed in')
})

t.test('an interrupted up leaves nothing behind that the next one, or down, would miss', async t => {
  const env = world(t)
  const directory = clusterDirectory(env, 'local')
  const files = memberFiles(directory, 'server1')
  mkdirSync(files.data, {recursive: true})
  // A process between its start and its pid file: known by its data directory alone
  const orphan = spawn('sh', ['-c', 'read nothing', 'agent', `-data-dir=${files.data}`], {
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  await new Promise(resolve => orphan.once('spawn', resolve))
  const {resumed} = await raise(env)
  t.notOk(resumed)
  t.notOk(orphan.kill(0) && orphan.exitCode === null && orphan.signalCode === null, 'the orphan was ended')
})

t.test('a recycled pid is nobody of ours', async t => {
  const env = world(t)
  const {cluster} = await raise(env, 'local', 1)
  const [server] = cluster.servers
  if (server === undefined) throw new Error('one server')
  const {pid} = cluster.files(server)
  await cluster.stop([server], 'SIGKILL')
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  writeFileSync(pid, `${process.pid} 1 ${boot}\n`)
  t.equal(cluster.process(server), undefined)
  t.same(cluster.signal([server], 'SIGKILL'), ['server1'], 'and is not signalled')
})

t.test('plans hold, stop and start servers through the manager of the cluster', async t => {
  const env = world(t)
  const {cluster} = await raise(env)
  const manager = clusterServiceManager(env)
  const unit = {manager: 'cluster', unit: 'local/server2'} as const
  const [server] = cluster.members(['server2'])
  if (server === undefined) throw new Error('three servers')
  t.match(await manager.hold(nowhere, unit, 'plan1'), {ok: true})
  t.match(await manager.hold(nowhere, unit, 'plan2'), {ok: false, note: /held by plan plan1/})
  t.ok(await manager.held(nowhere, unit, 'plan1'))
  t.notOk(await manager.held(nowhere, unit, 'plan2'))
  t.match(await manager.stop(nowhere, unit, {firstSignal: 'SIGTERM', graceMs: 3000}), {ok: true})
  t.equal(cluster.process(server), undefined)
  t.match(await manager.stop(nowhere, unit, {firstSignal: 'SIGKILL', graceMs: 0}), {
    ok: true,
    note: /already/,
  })
  await t.rejects(cluster.start([server]), {code: 'HELD'})
  await t.rejects(manager.start(nowhere, unit), {code: 'HELD'})
  t.match(await manager.release(nowhere, unit, 'plan1'), {ok: true})
  t.match(await manager.start(nowhere, unit), {ok: true})
  t.ok(cluster.process(server))
})

t.test('a cluster is an inventory of hosts that share a machine', async t => {
  const env = world(t)
  t.equal(await localClusterInventory(env, 'local'), undefined)
  const {cluster} = await raise(env)
  const inventory = await localClusterInventory(env, 'local')
  t.match(inventory, {name: 'local', product: 'consul'})
  t.same(
    inventory?.hosts.map(({name, settings}) => [name, settings.address, settings.ownDirectory]),
    cluster.servers.map(member => [member.name, member.address, cluster.files(member).directory]),
  )
})

t.test('names and places that could not be quoted safely are refused', async t => {
  t.throws(() => clusterDirectory({XDG_STATE_HOME: '/tmp'}, '../x'), {code: 'USAGE'})
  t.throws(() => clusterDirectory({XDG_STATE_HOME: "/tmp/it's"}, 'local'), {code: 'USAGE'})
  t.equal(clusterDirectory({XDG_STATE_HOME: '/tmp'}, 'local'), '/tmp/quorate/clusters/local')
})

t.test('a network that is taken is passed over', async t => {
  const first = await chooseNetwork('/somewhere', 1, new Set())
  t.match(first, /^127\.\d+\.\d+$/)
  t.equal(await chooseNetwork('/somewhere', 1, new Set()), first, 'the same place, the same network')
  t.not(await chooseNetwork('/somewhere', 1, new Set([first])), first)
})
