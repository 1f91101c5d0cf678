import {readFileSync} from 'node:fs'
import t from 'tap'
import {
  parseAgentSelf,
  parseAutopilot,
  parseMembers,
  parseRaftConfiguration,
  parseStatusLeader,
  parseStatusPeers,
} from '../../../src/core/codec/consul-api.js'

interface Captured {
  readonly path: string
  readonly status: number
  readonly json?: unknown
  readonly body?: string
}

function answer(version: string, state: string, path: string): Uint8Array {
  const file = new URL(`../../../fixtures/samples/consul-${version}-http/${state}.http.json`, import.meta.url)
  const all = JSON.parse(readFileSync(file, 'utf8')) as readonly Captured[]
  const found = all.find(item => item.path === path)
  if (found === undefined) throw new Error(`no ${path}`)
  return new TextEncoder().encode('json' in found ? JSON.stringify(found.json) : (found.body ?? ''))
}
const bytes = (words: string): Uint8Array => new TextEncoder().encode(words)

t.test('raft statistics are read where the version gives them', async t => {
  const modern = parseAgentSelf(answer('1.8', 'noleader-survivor', '/v1/agent/self'))
  t.match(modern, {
    ok: true,
    value: {nodeName: 's2', nodeId: 'ba260bc9-5070-8ea1-7ae1-e133f05c72e3', version: '1.8.19', server: true},
  })
  const raft = modern.ok ? modern.value.raft : undefined
  t.equal(raft?.role, 'candidate')
  t.equal(raft?.latestConfiguration?.servers.length, 3)
  t.equal(raft?.latestConfigurationIndex, undefined, 'the index of 0 that 1.8 reports is no index')
  t.equal(raft?.numPeers, 2)
  const old = parseAgentSelf(answer('0.6.4', 'noleader-survivor', '/v1/agent/self'))
  t.match(old, {ok: true, value: {nodeName: 's1', nodeId: undefined, version: '0.6.4'}})
  t.equal(old.ok ? old.value.raft : 0, undefined)
  const middle = parseAgentSelf(answer('0.7.5', 'healthy-leader', '/v1/agent/self'))
  t.match(middle, {
    ok: true,
    value: {
      raft: {role: 'leader', lastContactMs: undefined, latestConfigurationIndex: 1, protocolVersion: 1},
    },
  })
})

t.test('members carry the address and id of their Raft side', async t => {
  const modern = parseMembers(answer('1.8', 'noleader-survivor', '/v1/agent/members'))
  const first = modern.ok ? modern.value[0] : undefined
  t.match(first, {name: 's1', raftAddress: '127.0.1.31:8300', raftProtocol: 3, expect: 3, bootstrap: false})
  const old = parseMembers(answer('0.6.4', 'noleader-survivor', '/v1/agent/members'))
  t.match(old.ok ? old.value[0] : undefined, {version: '0.6.4', id: undefined, raftProtocol: undefined})
  t.same(parseMembers(bytes('null')), {ok: true, value: []})
  const nonvoter = parseMembers(
    bytes(
      '[{"Name":"x","Addr":"fd00::1","Status":3,"Tags":{"role":"consul","port":"8300","read_replica":"1","build":":"}}]',
    ),
  )
  t.match(nonvoter, {
    value: [{status: 'left', raftAddress: '[fd00::1]:8300', nonVoter: true, version: undefined}],
  })
  t.match(parseMembers(bytes('[{"Name":"c","Addr":"1.2.3.4","Status":1,"Tags":{"role":"node"}}]')), {
    value: [{server: false, raftAddress: undefined}],
  })
})

t.test('the operator endpoint gives the peer set with its leader', async t => {
  t.match(parseRaftConfiguration(answer('1.8', 'healthy-leader', '/v1/operator/raft/configuration')), {
    ok: true,
    value: {index: 0, servers: {length: 3}},
  })
  const old = parseRaftConfiguration(
    answer('0.7.5', 'noleader-survivor', '/v1/operator/raft/configuration?stale'),
  )
  t.match(old, {
    ok: true,
    value: {
      index: 1,
      servers: [{id: '127.0.1.23:8300', node: 's3', voter: true, protocolVersion: undefined}],
    },
  })
})

t.test('no leader and no peers are answers, not failures', async t => {
  t.same(parseStatusLeader(bytes('""')), {ok: true, value: ''})
  t.same(parseStatusLeader(bytes('"10.0.0.1:8300"')), {ok: true, value: '10.0.0.1:8300'})
  t.same(parseStatusPeers(bytes('null')), {ok: true, value: []})
  t.same(parseStatusPeers(bytes('["a:1"]')), {ok: true, value: ['a:1']})
})

t.test('autopilot without health is known in part', async t => {
  const configuration = bytes('{"CleanupDeadServers":true,"MinQuorum":2}')
  t.same(parseAutopilot(configuration, undefined), {
    ok: true,
    value: {healthy: undefined, failureTolerance: undefined, cleanupDeadServers: true, minQuorum: 2},
  })
  t.match(parseAutopilot(configuration, bytes('{"Healthy":false,"FailureTolerance":0}')), {
    value: {healthy: false, failureTolerance: 0},
  })
})

t.test('answers of the wrong shape are refused and quoted without their control characters', async t => {
  for (const words of [
    '',
    'No cluster leader',
    '{',
    '[]',
    '{"Config":[]}',
    '5',
    '{"__proto__":{"Config":1}}',
  ]) {
    t.equal(parseAgentSelf(bytes(words)).ok, false, words)
    t.equal(parseRaftConfiguration(bytes(words)).ok, false, words)
  }
  t.equal(parseMembers(bytes('[1]')).ok, false)
  t.equal(parseStatusLeader(bytes('{}')).ok, false)
  t.equal(parseStatusPeers(bytes('[1]')).ok, false)
  t.equal(parseAutopilot(bytes('null'), undefined).ok, false)
  const problem = parseStatusLeader(bytes('\u001b[31mred'))
  t.notMatch(problem.ok ? '' : problem.problem.message, /\u001b/)
})
