import t from 'tap'
import type {Inventory} from '../../src/core/model/inventory.js'
import {nameFleet, parseHostWord, parseHttpWord} from '../../src/engine/name-fleet.js'
import type {FleetWords} from '../../src/engine/name-fleet.js'

const words = (over: Partial<FleetWords>): FleetWords => ({
  hosts: [],
  cluster: undefined,
  product: undefined,
  settings: {},
  connectTimeoutMs: 1000,
  sshConfigHosts: [],
  typed: [],
  ...over,
})
const inventory: Inventory = {
  path: 'quorate.yaml',
  clusters: [
    {
      name: 'prod',
      product: 'consul',
      hosts: [
        {name: 'server1', settings: {address: '192.168.1.11', user: 'ops'}},
        {name: 'server2', settings: {}},
      ],
    },
    {name: 'lab', product: 'nomad', hosts: [{name: 'box', settings: {}}]},
  ],
}
const hosts = (named: ReturnType<typeof nameFleet>) => named.fleet.members.map(member => member.target.host)

t.test('host words are taken apart', async t => {
  t.same(parseHostWord('ops@server1:2222'), {
    name: 'server1',
    settings: {address: 'server1', user: 'ops', port: 2222},
  })
  t.match(parseHostWord('[fe80::1]:22'), {name: 'fe80::1', settings: {port: 22}})
  t.match(parseHostWord('2001:db8::7'), {name: '2001:db8::7'})
})
for (const bad of ['-oProxyCommand=x', 'a b', 'host:99999', 'a;b/c', '', 'x:y', 'a\u0000b\n']) {
  t.test(`${JSON.stringify(bad)} is not a host`, async t => {
    t.throws(() => parseHostWord(bad), {code: 'USAGE', exitCode: 2})
  })
}
t.test('HTTP addresses are TCP, TLS or a unix socket', async t => {
  t.same(parseHttpWord('127.0.0.1:8500'), {target: {kind: 'tcp', host: '127.0.0.1', port: 8500}, tls: false})
  t.match(parseHttpWord('https://[::1]:8501/'), {target: {host: '::1'}, tls: true})
  t.match(parseHttpWord('unix:///run/c.sock'), {target: {kind: 'unix', path: '/run/c.sock'}})
  t.throws(() => parseHttpWord('8500'), {code: 'USAGE'})
})
t.test('arguments name the fleet, with what the inventory knows of them', async t => {
  const named = nameFleet(words({hosts: ['server1', 'other:23']}), inventory)
  t.same(hosts(named), ['server1', 'other'])
  t.match(named.fleet.members[0]?.target, {address: '192.168.1.11', user: 'ops', transport: 'ssh'})
  t.equal(named.fleet.cluster, 'prod')
})
t.test('a wildcard stands for the hosts of the ssh configuration', async t => {
  t.same(
    hosts(nameFleet(words({hosts: ['consul-*'], sshConfigHosts: ['consul-1', 'db', 'consul-2']}), undefined)),
    ['consul-1', 'consul-2'],
  )
  t.throws(() => nameFleet(words({hosts: ['x*']}), undefined), {code: 'USAGE'})
})
t.test('several clusters and none named is ambiguous; an unknown one is named', async t => {
  t.throws(() => nameFleet(words({}), inventory), {code: 'CLUSTER_AMBIGUOUS'})
  t.throws(() => nameFleet(words({cluster: 'prd'}), inventory), {
    code: 'CLUSTER_UNKNOWN',
    message: /it has prod, lab/,
  })
  t.equal(nameFleet(words({cluster: 'lab'}), inventory).fleet.product, 'nomad')
})
t.test('without names and inventory it is this machine', async t => {
  t.match(nameFleet(words({}), undefined), {
    origin: 'local',
    fleet: {members: [{target: {transport: 'local'}}]},
  })
})
t.test('flags win over the inventory', async t => {
  const named = nameFleet(words({cluster: 'prod', settings: {user: 'root'}}), inventory)
  t.equal(named.fleet.members[0]?.target.user, 'root')
})
