import t from 'tap'
import {mergeConsulConfig} from '../../../src/core/codec/consul-config.js'
import {consulConfigPaths, parseConsulFlags} from '../../../src/core/codec/consul-flags.js'

/** Files and flags as they were given to the real Consul whose answer is expected. */
const MODERN_FILES = [
  {path: 'c.d/30.txt', text: '{"node_name":"ignored"}'},
  {
    path: 'c.d/20-b.hcl',
    text: 'retry_join = ["127.0.0.8"]\nnode_name = "b"\nleave_on_terminate = false\nports { http = 18516 server=18316 serf_lan=18317 dns=-1 }\n',
  },
  {
    path: 'c.d/10-a.json',
    text: '{"retry_join":["127.0.0.9"],"node_name":"a","leave_on_terminate":true,"performance":{"raft_multiplier":3},"server_rejoin_age_max":"100h"}',
  },
]
const modern = (argv: readonly string[], files = MODERN_FILES) =>
  mergeConsulConfig({files, argv: ['/usr/bin/consul', 'agent', ...argv], version: '1.16.6'})

t.test('files and flags merge as Consul 1.16.6 merged them', async t => {
  const argv = [
    '-server',
    '-bind=127.0.0.1',
    '-retry-join',
    '127.0.0.7',
    '-config-dir=c.d',
    '--node=flagname',
  ]
  t.match(modern(argv), {
    sources: ['c.d/10-a.json', 'c.d/20-b.hcl', 'flag'],
    server: true,
    bindAddress: '127.0.0.1',
    retryJoin: ['127.0.0.7', '127.0.0.9', '127.0.0.8'],
    nodeName: 'flagname',
    leaveOnTerminate: false,
    rejoinAgeMaxMs: 360_000_000,
    performanceMultiplier: 3,
    ports: {server: 18316, serfLan: 18317, http: 18516},
    problems: [],
  })
})

t.test(
  'files and flags merge as Consul 0.6.4 merged them: no HCL, flags of lists last, true stays true',
  async t => {
    const files = [
      {path: '/d06/b.json', text: '{"leave_on_terminate":false,"retry_join":["127.0.0.8"],"node_name":"b"}'},
      {
        path: '/d06/a.json',
        text: '{"leave_on_terminate":true,"retry_join":["127.0.0.9"],"node_name":"a","ports":{"rpc":18406}}',
      },
      {path: '/d06/c.hcl', text: 'x='},
    ]
    const argv = ['consul', 'agent', '-server', '-retry-join', '127.0.0.7', '-config-dir', '/d06/']
    t.match(mergeConsulConfig({files, argv, version: '0.6.4'}), {
      retryJoin: ['127.0.0.9', '127.0.0.8', '127.0.0.7'],
      nodeName: 'b',
      leaveOnTerminate: true,
      ports: {rpc: 18406},
      problems: [],
    })
  },
)

t.test(
  'files are taken in the order of the command line, and files it does not name are not taken',
  async t => {
    const files = [
      {path: '/etc/a.json', text: '{"node_name":"a"}'},
      {path: '/etc/b.json', text: '{"node_name":"b"}'},
      {path: '/etc/sub/c.json', text: '{"node_name":"c"}'},
      {path: '/other.json', text: '{"node_name":"other"}'},
    ]
    t.equal(modern(['-config-file', '/etc/b.json', '-config-dir', '/etc'], files).nodeName, 'b')
    t.equal(modern(['-config-dir', '/etc', '-config-file', '/etc/a.json'], files).nodeName, 'a')
    t.equal(modern([], files).nodeName, 'other', 'without a name all of them are taken')
  },
)

t.test('arguments are read as Go reads them', async t => {
  t.same(
    parseConsulFlags([
      'consul',
      'agent',
      '-server',
      '-node',
      'a',
      '--bind=b',
      '-bootstrap=false',
      'x',
      '-dev',
    ]),
    [
      {name: 'server', value: 'true'},
      {name: 'node', value: 'a'},
      {name: 'bind', value: 'b'},
      {name: 'bootstrap', value: 'false'},
    ],
  )
  t.same(consulConfigPaths(['consul', 'agent', '-config-file=/a', '-config-dir', '/b']), [
    {path: '/a', directory: false},
    {path: '/b', directory: true},
  ])
  t.same(parseConsulFlags(['consul']), [])
})

t.test('templates and wrong types are problems and not values', async t => {
  const config = modern(
    ['-bootstrap-expect', 'three'],
    [
      {
        path: '/a.hcl',
        text: 'bind_addr = "{{ GetInterfaceIP \\"eth0\\" }}"\nadvertise_addr = "${IP}"\nraft_protocol = "3"\nserver = "yes"\nretry_join = [1, "x"]',
      },
    ],
  )
  t.equal(config.bindAddress, undefined)
  t.equal(config.advertiseAddress, undefined)
  t.equal(config.raftProtocol, undefined)
  t.equal(config.server, undefined)
  t.same(config.retryJoin, ['x'])
  t.equal(config.problems.length, 6)
  t.match(
    config.problems.join('\n'),
    /bind_addr \(\/a\.hcl\): is a template: \{\{ GetInterfaceIP "eth0" \}\}/,
  )
})

t.test('a file that does not parse is a problem with its place, and the others still count', async t => {
  const config = modern(
    [],
    [
      {path: '/a.json', text: '{"server": true,\n}'},
      {path: '/b.hcl', text: 'node_name = "b"'},
      {path: '/c.hcl', text: '{"datacenter": "dc9"}'},
      {path: '/d.json', text: ''},
    ],
  )
  t.same([config.nodeName, config.datacenter, config.server], ['b', 'dc9', undefined])
  t.same(config.problems, ["/a.json:2:1: invalid character '}' looking for beginning of object key string"])
})

t.test('where bootstrap comes from is told', async t => {
  const expect = (text: string) => [{path: '/a.json', text}]
  t.match(modern([], expect('{"bootstrap_expect":1}')), {bootstrapExpect: 1, bootstrapSource: '/a.json'})
  t.match(modern(['-bootstrap-expect=1'], expect('{"bootstrap_expect":3}')), {
    bootstrapExpect: 1,
    bootstrapSource: 'flag',
  })
  t.match(modern(['-bootstrap'], []), {bootstrap: true, bootstrapSource: 'flag'})
  t.equal(modern(['-bootstrap=false'], expect('{"bootstrap_expect":0}')).bootstrapSource, undefined)
})

t.test('old and new names of settings are both known, and a gossip key is not kept', async t => {
  const old = modern(
    [],
    [
      {
        path: '/a.json',
        text: '{"start_join":["a"],"verify_incoming":true,"acl_datacenter":"dc1","encrypt":"cg8StVXbQJ0gPvMd9o7yrg==","non_voting_server":true,"advertise_addrs":{"rpc":"10.0.0.1:9300"}}',
      },
    ],
  )
  t.match(old, {startJoin: ['a'], tls: true, aclEnabled: true, encrypted: true, nonVoter: true})
  t.match(old, {advertiseAddress: '10.0.0.1', ports: {server: 9300}})
  t.notMatch(JSON.stringify(old), /cg8St/)
  const recent = modern(
    [],
    [
      {
        path: '/a.hcl',
        text: 'acl { enabled = true }\ntls { internal_rpc { verify_server_hostname = true } }\nread_replica = true',
      },
    ],
  )
  t.match(recent, {tls: true, aclEnabled: true, nonVoter: true})
  t.same(
    [modern([], []).tls, modern([], []).aclEnabled, modern([], []).encrypted],
    [undefined, undefined, undefined],
  )
})
