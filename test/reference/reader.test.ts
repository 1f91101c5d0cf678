// The store reader against stores that the real libraries have just written: what it reads from disk is what the
// server last said of itself.
import {readdirSync, readFileSync, statSync} from 'node:fs'
import {join} from 'node:path'
import t from 'tap'
import {readStore} from '../../src/core/store/read-store.js'
import {runReader} from '../helpers/store-files.js'
import {eventually, leaderOf, loopbackServer} from './loopback.js'

function filesBelow(dir: string, prefix = ''): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>()
  for (const name of readdirSync(dir)) {
    const path = join(dir, name)
    if (!statSync(path).isDirectory()) found.set(`${prefix}${name}`, new Uint8Array(readFileSync(path)))
    else for (const [key, bytes] of filesBelow(path, `${prefix}${name}/`)) found.set(key, bytes)
  }
  return found
}

for (const protocol of [2, 3])
  t.test(`a store of Raft protocol ${protocol} is read as its server reports it`, async t => {
    const address = `127.0.8.1${protocol}`
    const server = await loopbackServer(t.testdir(), address, [], {
      bootstrap: true,
      raft_protocol: protocol,
      raft_snapshot_threshold: 40,
      raft_snapshot_interval: '100ms',
      raft_trailing_logs: 10,
    })
    t.teardown(() => server.kill())
    await server.start()
    await leaderOf([server])
    for (let i = 0; i < 60; i++)
      t.equal((await server.http(`/v1/kv/k${i}`, {method: 'PUT', body: 'v'})).status, 200)
    await eventually('a snapshot', async () =>
      readdirSync(join(server.dataDir, 'raft', 'snapshots')).some(name => !name.endsWith('.tmp'))
        ? true
        : undefined,
    )
    const self = (await (await server.http('/v1/agent/self')).json()) as {
      Stats: {raft: Record<string, string>}
      Config: {NodeID: string}
    }
    await server.kill()
    const result = runReader(
      readStore({byteBudget: 16 * 1024 * 1024}),
      filesBelow(join(server.dataDir, 'raft')),
    )
    if (result.kind !== 'read') return t.fail(`${result.why}: ${result.detail}`)
    const raft = self.Stats.raft
    t.equal(result.value.lastIndex, Number(raft['last_log_index']))
    t.equal(result.value.lastTerm, Number(raft['last_log_term']))
    t.equal(result.value.currentTerm, Number(raft['term']))
    t.ok(result.value.firstIndex > 1, 'the log was cut behind a snapshot')
    return t.equal(result.value.lastVoteCandidate, `${address}:8300`)
  })
