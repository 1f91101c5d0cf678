import t from 'tap'
import {parseAnsibleIni} from '../../../src/core/codec/ansible-ini.js'
import type {AnsibleInventory} from '../../../src/core/codec/ansible-inventory.js'
import {ansibleReach, expandHostPattern} from '../../../src/core/codec/ansible-inventory.js'
import {ansibleFromObject} from '../../../src/core/codec/ansible-object.js'

const INI = `# servers of production
bastion ansible_host=203.0.113.9

[consul_servers]
consul[1:3].example ansible_user=ops
10.0.0.14:2222 ansible_ssh_private_key_file="~/keys/my key" # the old one

[dc1:children]
consul_servers

[dc1:vars]
ansible_user=root
ansible_port = 22022
motd = "hello # there"

[all:vars]
ansible_user=nobody
`
const read = (text: string): AnsibleInventory => {
  const result = parseAnsibleIni(text, 'hosts')
  if (!result.ok) throw new Error(JSON.stringify(result.problem))
  return result.value
}
const problem = (text: string) => {
  const result = parseAnsibleIni(text, 'hosts')
  return result.ok ? 'read' : `${result.problem.line}:${result.problem.column} ${result.problem.message}`
}
const reach = (inventory: AnsibleInventory, name: string) => {
  const host = inventory.hosts.get(name)
  return host && ansibleReach(host)
}

t.test('groups, children, ranges and variables are read from INI', async t => {
  const inventory = read(INI)
  t.same(inventory.groups.get('consul_servers'), [
    'consul1.example',
    'consul2.example',
    'consul3.example',
    '10.0.0.14',
  ])
  t.same(inventory.groups.get('dc1'), inventory.groups.get('consul_servers'))
  t.equal(inventory.groups.get('all')?.length, 5)
  t.same(inventory.groups.get('ungrouped'), ['bastion'])
})

t.test(
  'variables of a host win over those of its group, of a child over its parent, of any over all',
  async t => {
    const inventory = read(INI)
    t.same(reach(inventory, 'consul2.example'), {
      address: 'consul2.example',
      port: 22022,
      user: 'ops',
      identityFile: undefined,
    })
    t.same(reach(inventory, '10.0.0.14'), {
      address: '10.0.0.14',
      port: 2222,
      user: 'root',
      identityFile: '~/keys/my key',
    })
    t.match(reach(inventory, 'bastion'), {address: '203.0.113.9', user: 'nobody'})
    const nested = read('[a:vars]\nx=parent\n[z:children]\na\n[z:vars]\nx=grandparent\n[a]\nh\n')
    t.equal(nested.hosts.get('h')?.variables.get('x'), 'parent')
  },
)

t.test('a problem has its line and column', async t => {
  t.match(problem('[web\n'), /^1:1 not a section/)
  t.match(problem('[web]\na\n  b[1:\n'), /^3:3 not a host or range/)
  t.match(problem('[web]\na b\n'), /^2:3 expected name=value/)
  t.match(problem('[web:vars]\n  x\n'), /^2:3 expected name=value/)
  t.match(problem('a x="y\n'), /^1:1 a quote is not closed/)
  t.match(parseAnsibleIni('[', 'hosts'), {problem: {file: 'hosts'}})
})

t.test('ranges count with leading zeros, steps and letters, and are bounded', async t => {
  t.same(expandHostPattern('w[08:10].x'), ['w08.x', 'w09.x', 'w10.x'])
  t.same(expandHostPattern('w[1:9:4]'), ['w1', 'w5', 'w9'])
  t.same(expandHostPattern('db-[a:c]'), ['db-a', 'db-b', 'db-c'])
  t.same(expandHostPattern('r[1:2]s[1:2]'), ['r1s1', 'r1s2', 'r2s1', 'r2s2'])
  t.same(expandHostPattern('plain'), ['plain'])
  for (const pattern of [
    'w[3:1]',
    'w[1:999999999]',
    'w[a:3]',
    'w[1:2:0]',
    'w]',
    'w[[1:2]]',
    'w[1:20000]x[1:20000]',
  ])
    t.equal(expandHostPattern(pattern), undefined, pattern)
})

t.test('a YAML inventory gives the same structure', async t => {
  const result = ansibleFromObject({
    all: {
      hosts: {bastion: {ansible_host: '203.0.113.9'}},
      vars: {ansible_user: 'nobody'},
      children: {
        dc1: {
          vars: {ansible_user: 'root', ansible_port: 22022, list: [1]},
          children: {
            consul_servers: {hosts: {'consul[1:3].example': {ansible_user: 'ops'}, '10.0.0.14': null}},
          },
        },
      },
    },
  })
  if (!result.ok) return t.fail(result.message)
  t.same(result.value.groups.get('dc1')?.length, 4)
  t.match(reach(result.value, 'consul3.example'), {user: 'ops', port: 22022})
  t.match(reach(result.value, '10.0.0.14'), {user: 'root'})
  t.match(reach(result.value, 'bastion'), {address: '203.0.113.9', user: 'nobody', port: undefined})
})

t.test('what is no inventory is told with its path', async t => {
  t.match(ansibleFromObject({all: {hosts: ['a']}}), {ok: false, path: ['all', 'hosts']})
  t.match(ansibleFromObject({web: {host: {a: null}}}), {ok: false, path: ['web', 'host']})
  t.match(ansibleFromObject({web: {hosts: {'a[': null}}}), {ok: false, path: ['web', 'hosts', 'a[']})
  t.match(ansibleFromObject('x'), {ok: false, path: []})
  t.match(ansibleFromObject(null), {ok: true})
})

t.test('a circle of groups ends', async t => {
  const inventory = read('[a:children]\nb\n[b:children]\na\n[b]\nh\n')
  t.same(inventory.groups.get('a'), ['h'])
})
