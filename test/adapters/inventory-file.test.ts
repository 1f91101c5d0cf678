import {writeFileSync} from 'node:fs'
import {join} from 'node:path'
import t from 'tap'
import {readAnsibleInventory} from '../../src/adapters/ansible-inventory.js'
import {findInventory, parseInventory, readInventory} from '../../src/adapters/inventory-file.js'
import {QuorateError} from '../../src/errors.js'
import {decode, fuzz, ofText} from '../helpers/fuzz.js'

const whole = `
defaults:
  ssh: {user: ops, identity: keys/id}
  sudo: {password: {env: SUDO_PASSWORD}}
clusters:
  prod:
    data_dir: /opt/consul
    token: {file: ~/.token}
    hosts:
      - server1
      - name: server2
        address: 192.168.1.12
        ssh: {port: 2222, user: root}
        service: {manager: runit, unit: consul}
        http: unix:///run/consul.sock
  lab:
    product: rqlite
    hosts: [127.0.0.1]
`

t.test('defaults, cluster and host settings are merged, the nearest winning', async t => {
  const inventory = await parseInventory(whole, '/etc/x/quorate.yaml')
  t.same(
    inventory.clusters.map(cluster => [cluster.name, cluster.product]),
    [
      ['prod', 'consul'],
      ['lab', 'rqlite'],
    ],
  )
  const [first, second] = inventory.clusters[0]?.hosts ?? []
  t.match(first, {
    name: 'server1',
    settings: {user: 'ops', dataDir: '/opt/consul', sudo: true, sudoPassword: {env: 'SUDO_PASSWORD'}},
  })
  t.same(first?.settings.identityFiles, ['/etc/x/keys/id'])
  t.match(second, {
    name: 'server2',
    settings: {
      address: '192.168.1.12',
      port: 2222,
      user: 'root',
      service: {manager: 'runit', unit: 'consul'},
    },
  })
})

const wrong: readonly (readonly [string, string, RegExp])[] = [
  ['an empty file', '', /quorate\.yaml.*empty; it must have clusters/],
  ['half a file', 'clusters:\n  prod:\n    hosts: [a, b', /quorate\.yaml:3:\d+: this is not YAML/],
  [
    'an unknown key',
    'clusters:\n  prod:\n    hots: [a]\n',
    /quorate\.yaml:3:5: .*hosts|quorate\.yaml:2|quorate\.yaml:3/,
  ],
  [
    'no host',
    'clusters:\n  prod:\n    hosts: []\n',
    /quorate\.yaml:3:12: 'clusters\.prod\.hosts': names no host\./,
  ],
  [
    'a relative data_dir',
    'clusters:\n  p:\n    data_dir: consul\n    hosts: [a]\n',
    /:3:15: 'clusters\.p\.data_dir': must be an absolute path/,
  ],
  [
    'a port out of range',
    'clusters:\n  p:\n    ssh: {port: 99999}\n    hosts: [a]\n',
    /:3:17: 'clusters\.p\.ssh\.port'/,
  ],
  ['a host named twice', 'clusters:\n  p:\n    hosts: [a, b, a]\n', /:3:19: host 'a' is named twice/],
  [
    'a key given twice',
    'clusters:\n  p: {hosts: [a]}\n  p: {hosts: [b]}\n',
    /:3:3: this is not YAML: Map keys must be unique/,
  ],
  ['an alias without an anchor', 'clusters:\n  p: *q\n', /quorate\.yaml: this is not YAML: Unresolved alias/],
]
for (const [name, text, expected] of wrong) {
  t.test(`${name} is one sentence with its file and place`, async t => {
    const error = await parseInventory(text, '/x/quorate.yaml').then(
      () => undefined,
      (e: unknown) => e,
    )
    t.ok(error instanceof QuorateError)
    t.match((error as QuorateError).message, expected)
    t.equal((error as QuorateError).exitCode, 2)
    t.notMatch((error as QuorateError).message, /\n/)
  })
}

t.test('a file that is not there is named, and the places that are looked in are known', async t => {
  const dir = t.testdir({})
  await t.rejects(readInventory(join(dir, 'none.yaml')), {code: 'INVENTORY_NOT_FOUND'})
  t.equal(findInventory({XDG_CONFIG_HOME: dir, HOME: dir}, dir), undefined)
  writeFileSync(join(dir, 'quorate.yaml'), whole)
  t.equal(findInventory({XDG_CONFIG_HOME: dir, HOME: dir}, dir), join(dir, 'quorate.yaml'))
})

t.test('an Ansible inventory with an alias without an anchor is one sentence, too', async t => {
  const path = join(t.testdir({'hosts.yml': 'all:\n  hosts:\n    a: *q\n'}), 'hosts.yml')
  await t.rejects(readAnsibleInventory(path), {
    code: 'INVENTORY_INVALID',
    message: /hosts\.yml: this is not YAML: Unresolved alias/,
  })
})

fuzz({
  name: 'the inventory',
  samples: [ofText(whole), ofText('clusters: {a: &a {hosts: [x]}, b: *a, c: {<<: *a, product: consul}}\n')],
  growth: 40,
  floor: 200_000,
  parse: async bytes => {
    try {
      return await parseInventory(decode(bytes), '/etc/x/quorate.yaml')
    } catch (error) {
      if (error instanceof QuorateError && error.code === 'INVENTORY_INVALID') return error.message
      throw error
    }
  },
})
