import {readFileSync} from 'node:fs'
import t from 'tap'
import {membersOfRpc, raftStatsOfRpc, readRpcReply} from '../../../src/core/codec/agent-rpc.js'

const bytes = Uint8Array.from(readFileSync('fixtures/codec/agent-rpc-0.6.4.bin'))

t.test(
  'what a real Consul 0.6.4 without a leader answered on its RPC port is read, however it is torn',
  async t => {
    const hello = readRpcReply(bytes, 0, false)
    if (hello.kind !== 'reply') return t.fail(hello.kind)
    t.equal(hello.error, '')
    const stats = readRpcReply(bytes, hello.end, true)
    if (stats.kind !== 'reply') return t.fail(stats.kind)
    t.match(raftStatsOfRpc(stats.body), {
      role: 'follower',
      numPeers: 0,
      lastLogIndex: 0,
      protocolVersion: undefined,
    })
    const members = readRpcReply(bytes, stats.end, true)
    if (members.kind !== 'reply') return t.fail(members.kind)
    t.equal(members.end, bytes.length)
    t.match(membersOfRpc(members.body), [
      {
        name: 'b',
        address: '127.0.0.1',
        status: 'alive',
        server: true,
        raftAddress: '127.0.0.1:18306',
        version: '0.6.4',
      },
    ])
    for (let cut = hello.end; cut < stats.end; cut++)
      if (readRpcReply(bytes.subarray(0, cut), hello.end, true).kind !== 'more')
        return t.fail(`cut at ${cut}`)
  },
)
