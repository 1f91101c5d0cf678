import t from 'tap'
import {
  membersOfRpc,
  raftStatsOfRpc,
  readRpcReply,
  rpcCommand,
  rpcHandshake,
} from '../../../src/core/codec/agent-rpc.js'
import {decodeMsgpack, encodeMsgpack} from '../../../src/core/codec/msgpack.js'

const join = (...parts: readonly Uint8Array[]): Uint8Array =>
  Uint8Array.from(parts.flatMap(part => [...part]))

t.test('the session opens with the bytes that Consul 0.6 and 0.7 expect', async t => {
  const hex = Buffer.from(rpcHandshake()).toString('hex')
  t.equal(
    hex,
    `82a7${Buffer.from('Command').toString('hex')}a9${Buffer.from('handshake').toString('hex')}` +
      `a3${Buffer.from('Seq').toString('hex')}0081a7${Buffer.from('Version').toString('hex')}01`,
  )
  t.match(decodeMsgpack(rpcCommand('stats', 7)), {kind: 'value'})
})

t.test('a reply is taken off the stream only when it is whole', async t => {
  const header = encodeMsgpack({Seq: 1, Error: ''})
  const body = encodeMsgpack({raft: {state: 'Follower', term: '4', last_log_index: '10', last_log_term: '3'}})
  const whole = join(header, body)
  for (let length = 0; length < whole.length; length++) {
    t.equal(readRpcReply(whole.subarray(0, length), 0, true).kind, 'more')
  }
  const reply = readRpcReply(join(Uint8Array.of(0), whole), 1, true)
  t.equal(reply.kind === 'reply' ? reply.end : 0, whole.length + 1)
  t.match(raftStatsOfRpc(reply.kind === 'reply' ? reply.body : undefined), {
    role: 'follower',
    term: 4,
    lastLogIndex: 10,
    lastLogTerm: 3,
    lastContactMs: undefined,
  })
})

t.test('an error has no body behind it', async t => {
  const refused = encodeMsgpack({Seq: 1, Error: 'Handshake required'})
  t.match(readRpcReply(refused, 0, true), {kind: 'reply', error: 'Handshake required', end: refused.length})
  t.match(readRpcReply(Uint8Array.of(0x93, 1, 2, 3), 0, true), {kind: 'problem'})
})

t.test('members come with raw address bytes', async t => {
  const body = decodeMsgpack(
    encodeMsgpack({
      Members: [
        {
          Name: 's1',
          Addr: Uint8Array.of(192, 168, 1, 11),
          Port: 8301,
          Tags: {role: 'consul', port: '8300', build: '0.6.4:26a0ef8c', bootstrap: '1'},
          Status: 'failed',
        },
        {
          Name: 'six',
          Addr: Uint8Array.from([0xfd, ...new Array<number>(14).fill(0), 1]),
          Tags: {},
          Status: 'alive',
        },
      ],
    }),
  )
  t.match(membersOfRpc(body.kind === 'value' ? body.value : undefined), [
    {
      name: 's1',
      address: '192.168.1.11',
      raftAddress: '192.168.1.11:8300',
      status: 'failed',
      version: '0.6.4',
      bootstrap: true,
    },
    {address: 'fd00::1', server: false},
  ])
  t.equal(membersOfRpc(null), undefined)
  t.equal(raftStatsOfRpc(null), undefined)
})
