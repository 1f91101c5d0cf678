import {readFileSync} from 'node:fs'
import t from 'tap'
import {parseConsulInfo, raftStatsOfInfo} from '../../../src/core/codec/consul-info.js'

interface Run {
  readonly cmd: string
  readonly stdout: string
}
const info = (version: string, state: string): string => {
  const runs = JSON.parse(
    readFileSync(`fixtures/samples/consul-${version}-http/${state}.cli.json`, 'utf8'),
  ) as readonly Run[]
  return runs.find(run => /\binfo\b/.test(run.cmd))?.stdout ?? ''
}

t.test('consul info of 0.6.4 tells the last log index with and without a leader', async t => {
  t.match(raftStatsOfInfo(info('0.6.4', 'healthy-leader')), {
    role: 'leader',
    numPeers: 2,
    protocolVersion: undefined,
  })
  const survivor = raftStatsOfInfo(info('0.6.4', 'noleader-survivor'))
  t.match(survivor, {lastLogIndex: Number, latestConfiguration: undefined})
  t.not(survivor?.role, 'leader')
  t.match(raftStatsOfInfo(info('0.6.4', 'null-peers')), {numPeers: 0, lastContactMs: undefined})
})

t.test('consul info of later versions carries the configuration', async t => {
  for (const version of ['0.7.5', '1.8']) {
    const stats = raftStatsOfInfo(info(version, 'healthy-follower'))
    t.equal(stats?.latestConfiguration?.servers.length, 3, version)
    t.equal(stats?.role, 'follower')
  }
  t.equal(parseConsulInfo(info('1.8', 'noleader-survivor')).get('consul')?.get('leader_addr'), '')
})

t.test('a client has no raft section, and an error is none', async t => {
  t.equal(raftStatsOfInfo(info('1.8', 'client-agent-no-servers')), undefined)
  t.equal(raftStatsOfInfo('Error connecting to Consul agent: dial tcp 127.0.0.1:8400'), undefined)
})
