import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import t from 'tap'
import {loadAgentOptions} from '../../src/agent/load-options.js'
import {resolveAddresses} from '../../src/agent/resolve-addresses.js'
import {leavesOn} from '../../src/agent/signals.js'
import {AgentSettings} from '../../src/core/codec/agent-config.js'
import {readAgentConfig} from '../../src/core/codec/agent-config-read.js'
import {QuorateError} from '../../src/errors.js'

const load = (...argv: string[]) => loadAgentOptions(argv, () => '/dev-dir')
const server = ['-server', '-data-dir', '/d']

function problemsOf(...argv: string[]): readonly string[] {
  try {
    load(...argv)
  } catch (error) {
    if (error instanceof QuorateError && error.code === 'AGENT_CONFIG_INVALID')
      return error.details['problems'] as string[]
    throw error
  }
  return []
}

t.test('an agent that is told nothing is a client on loopback with the ports of Consul', async t => {
  const {options, warnings} = load('-data-dir', '/d')
  t.match(options, {
    server: false,
    datacenter: 'dc1',
    bootstrap: false,
    bootstrapExpect: 0,
    ports: {server: 8300, serfLan: 8301, serfWan: 8302, http: 8500, cli: -1},
    addresses: {bind: '127.0.0.1', advertise: '127.0.0.1', serfLanBind: '127.0.0.1'},
    raft: {
      protocol: 3,
      multiplier: 1,
      heartbeatTimeoutMs: 1000,
      electionTimeoutMs: 1000,
      leaderLeaseTimeoutMs: 500,
    },
    gossip: {lan: {probeIntervalMs: 1000, suspicionMultiplier: 4}, wan: {probeIntervalMs: 5000}},
    reconnectTimeoutMs: {lan: 259_200_000},
  })
  t.same(options.addresses.http, [{kind: 'tcp', host: '127.0.0.1', port: 8500}])
  t.same(
    warnings.filter(warning => !warning.includes('node name')),
    [],
  )
})

t.test('what SIGINT and SIGTERM do follows the product of the dialect, or the settings', async t => {
  const ends = (...argv: string[]) => {
    const {options} = load('-data-dir', '/d', ...argv)
    return [leavesOn('SIGINT', options), leavesOn('SIGTERM', options)]
  }
  t.same(ends('-server'), [false, false], 'a server stops')
  t.same(ends(), [true, true], 'a client leaves')
  t.same(ends('-server', '-raft-protocol=0'), [true, false], 'as 0.6 did')
  t.same(ends('-raft-protocol=0'), [true, false])
  t.same(ends('-server', '-hcl', 'leave_on_terminate = true skip_leave_on_interrupt = false'), [true, true])
  t.equal(leavesOn('SIGHUP', load('-data-dir', '/d').options), false)
})

t.test('bootstrap and bootstrap_expect are checked in the words of Consul', async t => {
  t.match(problemsOf('-data-dir=/d', '-bootstrap'), [
    /^'bootstrap = true' requires 'server = true' \(-bootstrap\)$/,
  ])
  t.match(problemsOf('-data-dir=/d', '-bootstrap-expect=3'), [
    /^'bootstrap_expect > 0' requires 'server = true'/,
  ])
  t.match(problemsOf(...server, '-bootstrap', '-bootstrap-expect=3'), [/mutually exclusive/])
  t.match(problemsOf(...server, '-bootstrap-expect=-3'), [/^bootstrap_expect cannot be -3\./])
  t.match(problemsOf('-dev', '-bootstrap-expect=3'), [/not allowed in dev mode/])
  const expecting = (count: number) => load(...server, `-bootstrap-expect=${count}`)
  t.match(expecting(1).options, {bootstrap: true, bootstrapExpect: 0})
  t.match(
    expecting(1).warnings.join('\n'),
    /this is the same as Bootstrap mode[^]*do not enable unless necessary/,
  )
  t.match(expecting(2).warnings.join('\n'), /2 servers will provide no failure tolerance/)
  t.match(expecting(3).options, {bootstrap: false, bootstrapExpect: 3})
  t.notMatch(expecting(3).warnings.join('\n'), /even number/)
  t.match(expecting(4).warnings.join('\n'), /even number[^]*expecting 4 servers/)
})

t.test('wrong values are told with the place that set them, all of them at once', async t => {
  const one = (says: RegExp, ...argv: string[]) => t.match(problemsOf(...server, ...argv), [says])
  one(/^datacenter can only contain .* \(-datacenter\)$/, '-datacenter', 'a b')
  one(/^encrypt: the key must be base64 of 16, 24 or 32 bytes \(-encrypt\)$/, '-encrypt', 'c2VjcmV0')
  one(/^raft_protocol version 4 is not supported/, '-raft-protocol=4')
  one(
    /^performance\.raft_multiplier cannot be 11\..*\(-hcl:1\)$/,
    '-hcl',
    'performance { raft_multiplier = 11 }',
  )
  one(/^ports\.http: 70000 is not a port/, '-http-port=70000')
  one(/^ports\.serf_lan: -1 is not a port/, '-serf-lan-port=-1')
  one(/^ports\.https is set, and this agent speaks no TLS/, '-https-port=8501')
  one(/^ports\.http and ports\.server cannot both listen on port 8300$/, '-http-port=8300')
  one(/^bind_addr: 'foo' is not an IP address/, '-bind=foo')
  one(/^node_id: 'x' is not a UUID/, '-node-id=x')
  one(/^log_level: 'loud' is none of trace, /, '-log-level=loud')
  one(/^retry_join: 'provider=aws .*asks a cloud/, '-retry-join=provider=aws tag_key=a')
  one(/^node_meta: 'consul-x'/, '-node-meta=consul-x:1')
  one(/^raft_trailing_logs must be more than zero/, '-hcl', 'raft_trailing_logs = 0')
  one(/^raft_trailing_logs must be a whole number/, '-hcl', 'raft_trailing_logs = 10240.5')
  t.match(problemsOf('-bind=foo', '-node-id=x'), [/^data_dir cannot be empty/, /bind_addr/, /node_id/])
  t.same(problemsOf(...server, '-log-level', 'WARN', '-log-level=err'), [])
})

t.test('a directory is read by name, later files over earlier ones, flags over all', async t => {
  const dir = t.testdir({
    conf: {
      'b.hcl': 'retry_join = ["b"]\nlog_level = "debug"\ndata_dir = "from-b"',
      'a.json': '{"retry_join": ["a"], "log_level": "trace", "node_name": "n"}',
      'c.txt': 'not read',
    },
  })
  mkdirSync(join(dir, 'conf', 'd.hcl'))
  const {options} = load('-config-dir', join(dir, 'conf'), '-retry-join=flag', '-node', 'm')
  t.same(options.join.lan.retry, ['flag', 'a', 'b'])
  t.match(options, {logLevel: 'debug', nodeName: 'm', dataDir: join(process.cwd(), 'from-b')})
  t.same(options.sources, [join(dir, 'conf', 'a.json'), join(dir, 'conf', 'b.hcl')])
  writeFileSync(join(dir, 'conf', 'a.json'), '{\n"retry_jion": []}')
  t.match(problemsOf('-config-dir', join(dir, 'conf')), [
    /conf\/a\.json:2:1: unknown key retry_jion; did you mean retry_join\?$/,
  ])
  t.match(problemsOf('-config-file', join(dir, 'none.hcl')), [
    /none\.hcl cannot be read: there is no such file$/,
  ])
  t.match(problemsOf('-config-file', join(dir, 'conf', 'c.txt')), [
    /c\.txt: the name of a config file ends in/,
  ])
})

t.test('addresses: what is advertised when every address listens, templates and sockets', async t => {
  const ports = {server: 8300, serfLan: 8301, serfWan: 8302, http: 8500, cli: -1}
  const lan = [
    {name: 'eth0', address: '10.1.2.3'},
    {name: 'eth1', address: '8.8.4.4'},
  ]
  const of = (text: string, interfaces = lan) => {
    const problems: string[] = []
    const settings = new AgentSettings(readAgentConfig(text, 'hcl', 'f').settings)
    return {...resolveAddresses(settings, ports, interfaces, problem => problems.push(problem)), problems}
  }
  t.match(of('bind_addr = "0.0.0.0"'), {bind: '0.0.0.0', advertise: '10.1.2.3', problems: []})
  const two = [...lan, {name: 'eth2', address: '192.168.0.9'}]
  t.match(of('bind_addr = "0.0.0.0"', two).problems, [
    /several private IPv4 addresses \(10\.1\.2\.3, 192\.168\.0\.9\)/,
  ])
  t.match(of('bind_addr = "0.0.0.0"', []).problems, [/no private IPv4 address/])
  t.match(of('bind_addr = "0.0.0.0" advertise_addr = "0.0.0.0"').problems, [
    /advertise_addr cannot be 0\.0\.0\.0/,
  ])
  t.match(of('bind_addr = "{{ GetInterfaceIP \\"eth1\\" }}"'), {
    bind: '8.8.4.4',
    advertise: '8.8.4.4',
    problems: [],
  })
  t.match(of('bind_addr = "{{ GetPrivateIP }}" advertise_addr_wan = "1.2.3.4"'), {
    bind: '10.1.2.3',
    advertiseWan: '1.2.3.4',
  })
  t.match(of('bind_addr = "{{ GetSomething }}"').problems, [/GetSomething.*is not an IP address/])
  t.same(of('client_addr = "127.0.0.1 [::1]"').http, [
    {kind: 'tcp', host: '127.0.0.1', port: 8500},
    {kind: 'tcp', host: '::1', port: 8500},
  ])
  t.same(of('addresses { http = "unix:///run/q.sock" } unix_sockets { mode = "0770" }').http, [
    {kind: 'unix', path: '/run/q.sock', mode: 0o770, user: undefined, group: undefined},
  ])
  t.match(of('client_addr = "localhost"').problems, [/client_addr: 'localhost' is not an IP address/])
})

t.test('dev mode stands alone, is fast and keeps nothing', async t => {
  const {options} = load('-dev')
  t.match(options, {server: true, bootstrap: true, dev: true, dataDir: '/dev-dir', logLevel: 'debug'})
  t.ok(options.raft.heartbeatTimeoutMs < 1000)
})
