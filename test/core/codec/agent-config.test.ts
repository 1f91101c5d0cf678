import t from 'tap'
import {parseAgentFlags} from '../../../src/core/codec/agent-command-line.js'
import {readAgentConfig} from '../../../src/core/codec/agent-config-read.js'
import {AgentSettings} from '../../../src/core/codec/agent-config.js'

const hcl = (text: string) => readAgentConfig(text, 'hcl', 'a.hcl')
const json = (value: unknown) =>
  readAgentConfig(typeof value === 'string' ? value : JSON.stringify(value), 'json', 'a.json')

const full = `
server = true
Bootstrap_Expect = 3 // keys match in any case
retry_join = ["10.0.0.1", "10.0.0.2:9301"]
ports { http = 8501, serf_wan = -1 }
ports { server = 9300 }
performance = { raft_multiplier = 5 }
node_meta { rack = "a1" }
autopilot { cleanup_dead_servers = false last_contact_threshold = "1m5s" }
`

t.test('HCL and JSON say the same in their own ways', async t => {
  const fromHcl = hcl(full)
  t.same(fromHcl.problems, [])
  const fromJson = json({
    server: true,
    Bootstrap_Expect: 3,
    retry_join: ['10.0.0.1', '10.0.0.2:9301'],
    ports: {http: 8501, serf_wan: -1, server: 9300},
    performance: {raft_multiplier: 5},
    node_meta: {rack: 'a1'},
    autopilot: {cleanup_dead_servers: false, last_contact_threshold: '1m5s'},
    log_level: null,
  })
  t.same(fromJson.problems, [])
  const plain = (read: typeof fromHcl) => read.settings.map(({path, value}) => [path, value])
  t.same(plain(fromHcl), plain(fromJson))
  t.same(Object.fromEntries(plain(fromHcl)), {
    server: true,
    bootstrap_expect: 3,
    retry_join: ['10.0.0.1', '10.0.0.2:9301'],
    'ports.http': 8501,
    'ports.serf_wan': -1,
    'ports.server': 9300,
    'performance.raft_multiplier': 5,
    node_meta: {rack: 'a1'},
    'autopilot.cleanup_dead_servers': false,
    'autopilot.last_contact_threshold': 65_000,
  })
  t.equal(fromHcl.settings.find(({path}) => path === 'ports.server')?.where, 'a.hcl:6')
})

t.test('an unknown key is told with file, line, column and the nearest key', async t => {
  t.same(hcl('server = true\n\n  bootstrap_expct = 3\n').problems, [
    'a.hcl:3:3: unknown key bootstrap_expct; did you mean bootstrap_expect?',
  ])
  t.same(json('{\n "data_dir": "/x",\n "ports": {\n  "htp": 1\n }\n}').problems, [
    'a.json:4:3: unknown key ports.htp; did you mean ports.http?',
  ])
  t.same(hcl('raft_multiplier = 1').problems, [
    'a.hcl:1:1: unknown key raft_multiplier; did you mean performance.raft_multiplier?',
  ])
  t.same(hcl('retry-join = []').problems, ['a.hcl:1:1: unknown key retry-join; did you mean retry_join?'])
  t.same(hcl('quite_another = 1').problems, ['a.hcl:1:1: unknown key quite_another'])
})

t.test('a value of another type is told by what is expected, never by what it is', async t => {
  const wrong = (text: string, says: RegExp) => t.match(hcl(text).problems, [says], text)
  wrong('retry_join = "a"', /^a\.hcl:1:1: retry_join takes a list of texts/)
  wrong('bootstrap_expect = "3"', /bootstrap_expect takes a number/)
  wrong('server = "true"', /server takes true or false/)
  wrong('retry_interval = 3', /retry_interval takes a duration in quotes/)
  wrong('retry_interval = "soon"', /takes a duration/)
  wrong('node_meta = "x"', /node_meta takes keys and texts/)
  wrong('ports = 3', /ports is a block/)
  wrong('encrypt = 7234', /^a\.hcl:1:1: encrypt takes text in quotes$/)
  t.same(hcl('server = [true]').settings[0]?.value, true, 'a list of one is its value')
})

t.test('what does not parse is told by its place', async t => {
  t.match(hcl('server = \n').problems, [/^a\.hcl:2:1: expected a value/])
  t.match(json('{"server": tru}').problems, [/^a\.json:1:15: invalid character/])
  t.match(json('{}\n{}').problems, [/^a\.json:2:1: more text after/])
  t.match(json('[1]').problems, [/^a\.json:1:1: an object was expected/])
  t.same(json('').problems, [])
  t.same(readAgentConfig('\ufeff{"server": true}', 'json', 'a').settings[0]?.value, true)
  t.same(hcl('{"server": true}').settings[0]?.value, true, 'JSON under the name of HCL')
})

t.test('protection that the agent does not give is refused, the rest of Consul changes nothing', async t => {
  t.match(hcl('verify_incoming = true').problems, [
    /verify_incoming is asked for, and this agent speaks no TLS/,
  ])
  t.match(hcl('acl { enabled = true }').problems, [/acl\.enabled is asked for/])
  t.match(hcl('tls { internal_rpc { verify_outgoing = true } }').problems, [
    /tls\.internal_rpc\.verify_outgoing/,
  ])
  t.same(hcl('acl { enabled = false tokens { agent = "x" } } verify_incoming = false'), {
    settings: [],
    warnings: [],
    problems: [],
  })
  const unused = hcl(
    'telemetry { statsd_address = "x" }\nservice { name = "web" check { http = "y" } }\nui = true',
  )
  t.same(unused.problems, [])
  t.match(unused.warnings, [/^a\.hcl:1: telemetry is not used/, /^a\.hcl:2: service /, /^a\.hcl:3: ui /])
  t.same(hcl('limits { http_max_conns_per_client = 3 kv_max_value_size = 9 }').settings.length, 2)
})

t.test('later settings win, lists grow, maps are joined', async t => {
  const settings = new AgentSettings([
    ...parseAgentFlags(['-retry-join', 'flag', '-node-meta=a:1', '-node-meta', 'b:2:3']).lists,
    ...hcl('retry_join = ["first"] server = true node_meta { a = "0" c = "3" } log_level = "warn"').settings,
    ...json({retry_join: ['second'], server: false, log_level: ''}).settings,
  ])
  t.same(settings.texts('retry_join'), ['flag', 'first', 'second'])
  t.equal(settings.flag('server'), false)
  t.equal(settings.text('log_level'), undefined, 'an empty text takes back')
  t.same({...settings.map('node_meta')}, {a: '0', b: '2:3', c: '3'})
  t.equal(settings.whence('server'), ' (a.json:1)')
})

t.test('flags are read with one dash or two, with and without an equals sign', async t => {
  const line = parseAgentFlags(
    ['-server', '--bootstrap-expect=3', '-data-dir', '/d', '-config-file=x.hcl', '-config-dir', 'y'].concat([
      '-ui=true',
      '-retry-interval',
      '1s',
      '-dev=false',
      '-raft-protocol',
      '0',
      '-dc',
      'east',
    ]),
  )
  t.same(line.problems, [])
  t.same(
    line.values.map(({path, value}) => [path, value]),
    [
      ['server', true],
      ['bootstrap_expect', 3],
      ['data_dir', '/d'],
      ['retry_interval', 1000],
      ['raft_protocol', 0],
      ['datacenter', 'east'],
    ],
  )
  t.same(line.sources, [
    {kind: 'file', text: 'x.hcl'},
    {kind: 'directory', text: 'y'},
  ])
  t.equal(line.dev, false)
  t.match(line.warnings, [/^-ui is not used/])
})

t.test('a flag that there is not, a wrong value and a stray word are told', async t => {
  t.same(parseAgentFlags(['-bootstrap-expct', '3', 'x']).problems, [
    'there is no flag -bootstrap-expct; did you mean -bootstrap-expect?',
    "'3' is not a flag",
    "'x' is not a flag",
  ])
  t.same(parseAgentFlags(['-http-port=x', '-server=maybe', '-retry-interval=5', '-node']).problems, [
    "-http-port takes a whole number, not 'x'",
    "-server takes true or false, not 'maybe'",
    "-retry-interval takes a duration such as 30s, not '5'",
    '-node needs a value',
  ])
})

t.test('any mutation of a config file gives settings or problems with a place, and never throws', async t => {
  let seed = 7
  const next = (below: number): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return seed % below
  }
  const scraps = [
    '{',
    '}',
    '[',
    ']',
    '"',
    '=',
    ',',
    '\\',
    '<<E\n',
    '${',
    '/*',
    '#',
    '\u0000',
    '\ud800',
    'null',
    '-',
    '1e999',
  ]
  const texts = [
    full,
    JSON.stringify({server: true, ports: {http: 1}, retry_join: ['a'], node_meta: {a: 'b'}}),
  ]
  let told = 0
  for (let round = 0; round < 4000; round++) {
    let text = texts[round % 2] ?? ''
    for (let cuts = 1 + next(4); cuts > 0; cuts--) {
      const at = next(text.length + 1)
      text =
        text.slice(0, at) +
        (next(2) === 0 ? (scraps[next(scraps.length)] ?? '') : '') +
        text.slice(at + next(3))
    }
    const {problems, settings} = readAgentConfig(text, round % 4 < 2 ? 'hcl' : 'json', 'f')
    for (const problem of problems)
      if (!/^f:\d+:\d+: [^\u0000-\u001f]+$/.test(problem)) t.fail(JSON.stringify(problem))
    if (problems.length > 0) told++
    new AgentSettings(settings)
  }
  t.ok(told > 1000, `${told} of 4000 were told`)
  t.match(readAgentConfig('{'.repeat(100_000), 'hcl', 'f').problems, [/^f:1:\d+: /])
  t.match(readAgentConfig('a = ' + '['.repeat(100_000), 'hcl', 'f').problems, [/nested too deeply/])
})
