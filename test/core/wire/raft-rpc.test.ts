import {readFileSync} from 'node:fs'
import t from 'tap'
import {decodeMsgpack} from '../../../src/core/codec/msgpack.js'
import type {MsgpackMap, MsgpackValue} from '../../../src/core/codec/msgpack.js'
import {serverAddress, serverId} from '../../../src/core/model/ids.js'
import type {RaftRequest, RaftResponse} from '../../../src/core/raft/messages.js'
import {
  decodeRaftAnswer,
  decodeRaftRequest,
  encodeRaftAnswer,
  encodeRaftRequest,
} from '../../../src/core/wire/raft-rpc.js'
import {RaftAnswerReader, RaftRequestReader} from '../../../src/core/wire/raft-stream.js'
import type {RequestRead} from '../../../src/core/wire/raft-stream.js'
import {hex, mutated, randomNumbers, toHex} from './wire-samples.js'

interface Exchange {
  readonly version: string
  readonly what: string
  readonly request: Uint8Array
  readonly answer: Uint8Array
}

const exchanges: readonly Exchange[] = readFileSync('fixtures/wire/raft-exchanges.txt', 'utf8')
  .split('\n')
  .filter(line => line !== '' && !line.startsWith('#'))
  .map(line => {
    const [version = '', what = '', request = '', answer = ''] = line.split(' ')
    return {version, what, request: hex(request), answer: hex(answer)}
  })

const exchange = (version: string, what: string): Exchange => {
  const found = exchanges.find(one => one.version === version && one.what === what)
  if (found === undefined) throw new Error(`no exchange ${what} of ${version}`)
  return found
}

function requestOf(bytes: Uint8Array): RaftRequest {
  const result = decodeRaftRequest(bytes)
  if (!result.ok) throw new Error(result.problem)
  return result.value.request
}

function responseOf(bytes: Uint8Array, rpc: RaftRequest['rpc']): RaftResponse {
  const result = decodeRaftAnswer(bytes, rpc)
  if (!result.ok || result.value.kind !== 'response') throw new Error('no response')
  return result.value.response
}

t.test('requests and responses of real servers are read as they meant them', async t => {
  t.match(requestOf(exchange('0.6.4', 'vote-granted').request), {
    rpc: 'vote',
    term: 1,
    candidateId: '',
    candidate: '127.0.2.11:8300',
    leadershipTransfer: false,
  })
  t.match(requestOf(exchange('1.8.19', 'vote-granted-transfer').request), {
    rpc: 'vote',
    leadershipTransfer: true,
    lastIndex: 143,
  })
  t.match(requestOf(exchange('1.8.19', 'heartbeat').request), {
    rpc: 'append',
    prevIndex: 0,
    leaderCommit: 0,
    entries: [],
  })
  const append = requestOf(exchange('1.8.19', 'append-1-4').request)
  t.match(append, {rpc: 'append', term: 3, leader: '127.0.2.12:8300', prevIndex: 143, prevTerm: 2})
  t.match(append.rpc === 'append' && append.entries, [
    {index: 144, term: 3, type: 1},
    {index: 145, term: 3, type: 4},
  ])
  t.same(requestOf(exchange('1.8.19', 'TimeoutNow').request), {rpc: 'timeout-now'})
  t.match(requestOf(exchange('1.8.19', 'InstallSnapshot').request), {
    rpc: 'snapshot',
    term: 2,
    meta: {
      index: 103,
      term: 2,
      size: 11590,
      configurationIndex: 1,
      configuration: {
        servers: [{address: '127.0.2.11:8300', suffrage: 'voter'}, {address: '127.0.2.12:8300'}],
      },
    },
  })
  t.match(requestOf(exchange('0.6.4', 'InstallSnapshot').request), {
    meta: {size: 4521, configuration: {servers: [{id: '127.0.2.81:8300', suffrage: 'voter'}]}},
  })
  t.same(responseOf(exchange('1.8.19', 'append-empty-rejected').answer, 'append'), {
    rpc: 'append',
    term: 2,
    lastIndex: 0,
    success: false,
    noRetryBackoff: true,
  })
  t.match(responseOf(exchange('0.6.4', 'vote-granted').answer, 'vote'), {granted: true, term: 1})
  t.match(responseOf(exchange('0.6.4', 'vote-denied').answer, 'vote'), {granted: false})
  t.match(responseOf(exchange('0.6.4', 'InstallSnapshot').answer, 'snapshot'), {success: true, term: 1})
})

const map = (bytes: Uint8Array, at: number): MsgpackMap => {
  const result = decodeMsgpack(bytes, at)
  if (result.kind !== 'value' || !(result.value instanceof Map) || result.end !== bytes.length)
    throw new Error(`no map at ${at} of ${toHex(bytes)}`)
  return result.value as MsgpackMap
}

/** What real servers add to an entry that carries nothing, taken off; no entries are the same as nil to all. */
function strip(key: string, value: MsgpackValue | undefined): MsgpackValue | undefined {
  if (key !== 'Entries' || !Array.isArray(value)) return value
  const entries = (value as readonly MsgpackMap[]).map(
    entry => new Map([...entry].filter(([name]) => name !== 'Extensions')),
  )
  return entries.length === 0 ? null : entries
}

t.test(
  'every field that a real server sends is in ours with the same value, and the keys are in order',
  async t => {
    for (const {version, what, request, answer} of exchanges) {
      const decoded = requestOf(request)
      const ours = encodeRaftRequest(decoded)
      t.equal(ours[0], request[0])
      const mine = map(ours, 1)
      t.same([...mine.keys()], [...mine.keys()].sort())
      for (const [key, value] of map(request, 1)) {
        // The configuration is a map of its own, whose keys may stand in any order.
        if (key === 'ProtocolVersion' || key === 'Configuration') continue
        t.same(strip(key, mine.get(key)), strip(key, value), `${version} ${what} ${key}`)
      }
      const response = responseOf(answer, decoded.rpc)
      const written = map(
        encodeRaftAnswer({kind: 'response', response}, version === '1.8.19' ? undefined : []),
        1,
      )
      for (const [key, value] of map(answer, 1))
        if (key !== 'ProtocolVersion' && key !== 'Peers')
          t.same(written.get(key), value, `${version} ${what} ${key}`)
    }
  },
)

t.test('where a real server has all our fields the bytes are the same', async t => {
  for (const what of ['append-empty-rejected', 'append-1', 'heartbeat', 'vote-granted']) {
    const {request, answer} = exchange('1.8.19', what)
    const response = responseOf(answer, requestOf(request).rpc)
    t.equal(toHex(encodeRaftAnswer({kind: 'response', response})), toHex(answer), what)
  }
  const {request} = exchange('1.8.19', 'TimeoutNow')
  t.equal(toHex(encodeRaftRequest(requestOf(request))), toHex(request))
})

t.test('a follower of ours adds its promise to what a real server would say', async t => {
  const {answer} = exchange('1.8.19', 'heartbeat')
  const response = responseOf(answer, 'append')
  const ours = encodeRaftAnswer({kind: 'response', response: {...response, loyalMs: 5000} as RaftResponse})
  t.same(responseOf(ours, 'append'), {...response, loyalMs: 5000})
  const fields = map(ours, 1)
  t.same([...fields.keys()], [...fields.keys()].sort())
  for (const [key, value] of map(answer, 1)) t.same(fields.get(key), value, key)
})

t.test('a candidate without versions is told the peers, others are not', async t => {
  const answer = {kind: 'response', response: {rpc: 'vote', term: 1, granted: true}} as const
  const peers = map(encodeRaftAnswer(answer, [serverAddress('127.0.2.11:8300')]), 1).get('Peers')
  t.equal(peers instanceof Uint8Array && toHex(peers), '91af3132372e302e322e31313a38333030')
  t.equal(map(encodeRaftAnswer(answer), 1).get('Peers'), null)
})

const leader = serverAddress('127.0.0.1:8300')
const requests: readonly RaftRequest[] = [
  {
    rpc: 'append',
    term: 2 ** 40,
    leaderId: serverId('aaaa'),
    leader,
    prevIndex: 70_000,
    prevTerm: 3,
    entries: Array.from({length: 100}, (_, i) => ({
      index: 70_001 + i,
      term: 4,
      type: 0,
      data: new Uint8Array(i * 40).fill(i),
    })),
    leaderCommit: 2 ** 33,
  },
  {
    rpc: 'vote',
    term: 9,
    candidateId: serverId('b'),
    candidate: leader,
    lastIndex: 3,
    lastTerm: 2,
    leadershipTransfer: true,
  },
  {rpc: 'pre-vote', term: 9, candidateId: serverId('b'), candidate: leader, lastIndex: 3, lastTerm: 2},
  {rpc: 'timeout-now'},
]

/** All that a reader gives for bytes that come in pieces of this size. */
function readAll(bytes: Uint8Array, piece: number): readonly RequestRead[] {
  const reader = new RaftRequestReader()
  const reads: RequestRead[] = []
  for (let at = 0; at < bytes.length; at += piece) {
    reader.push(bytes.subarray(at, at + piece))
    for (let read = reader.next(); read !== undefined; read = reader.next()) reads.push(read)
  }
  return reads
}

t.test('requests follow one another in a stream, a snapshot with its bytes among them', async t => {
  const snapshot: RaftRequest = {
    rpc: 'snapshot',
    term: 4,
    leaderId: serverId('aaaa'),
    leader,
    meta: {
      id: '',
      index: 9,
      term: 3,
      size: 5000,
      configurationIndex: 1,
      configuration: {servers: [{id: serverId('aaaa'), address: leader, suffrage: 'nonvoter'}]},
    },
  }
  const body = Uint8Array.from({length: 5000}, (_, i) => i & 255)
  const bytes = Buffer.concat([
    ...requests.map(encodeRaftRequest),
    encodeRaftRequest(snapshot),
    body,
    encodeRaftRequest({rpc: 'timeout-now'}),
  ])
  for (const piece of [1, 100, 1 << 20]) {
    const reads = readAll(bytes, piece)
    const seen = reads.flatMap(read =>
      read.kind === 'request' ? [read.received.request] : read.kind === 'snapshot' ? [read.request] : [],
    )
    t.same(seen, [...requests, snapshot, {rpc: 'timeout-now'}])
    const bodies = reads.flatMap(read => (read.kind === 'body' ? [read] : []))
    t.ok(Buffer.concat(bodies.map(read => read.bytes)).equals(Buffer.from(body)))
    t.same(
      bodies.map(read => read.last),
      bodies.map((_, i) => i === bodies.length - 1),
    )
  }
})

t.test('answers follow one another, errors among them', async t => {
  const first = encodeRaftAnswer({
    kind: 'error',
    text: 'operation not supported with current protocol version',
  })
  t.equal(toHex(first.subarray(0, 3)), 'da0035')
  const second = encodeRaftAnswer({kind: 'response', response: {rpc: 'vote', term: 3, granted: true}})
  const reader = new RaftAnswerReader()
  const bytes = Buffer.concat([first, second])
  const seen: unknown[] = []
  for (const byte of bytes) {
    reader.push(Uint8Array.of(byte))
    const read = reader.next(seen.length === 0 ? 'append' : 'vote')
    if (read !== undefined) seen.push(read)
  }
  t.match(seen, [
    {kind: 'answer', answer: {kind: 'error', text: /not supported/}},
    {kind: 'answer', answer: {kind: 'response', response: {rpc: 'vote', term: 3, granted: true}}},
  ])
  t.ok(reader.idle)
})

t.test('the extensions of an entry are kept and handed on', async t => {
  const plain = {index: 5, term: 1, type: 0, data: hex('7a')} as const
  const entries = [
    {...plain, extensions: hex('01c0ff')},
    {...plain, index: 6},
  ]
  const head = {term: 2, leaderId: serverId('aaaa'), leader, prevIndex: 4, prevTerm: 1, leaderCommit: 0}
  const bytes = encodeRaftRequest({rpc: 'append', ...head, entries})
  const request = requestOf(bytes)
  t.same(request.rpc === 'append' && request.entries, entries)
  const [first, second] = map(bytes, 1).get('Entries') as readonly MsgpackMap[]
  t.same(
    [...(first?.keys() ?? [])],
    ['Data', 'Extensions', 'Index', 'Term', 'Type'],
    'in the order of the library',
  )
  t.notOk(second?.has('Extensions'))
})

t.test('the time of newer libraries is passed over, and extensions that are none', async t => {
  const bytes = hex(
    `00 83 a7456e7472696573 91 86
       aa417070656e6465644174 af 01000000000000000000000000 ffff
       a444617461 a17a aa457874656e73696f6e73 c0 a5496e646578 d30000000000000005 a45465726d d00100 a454797065 00
     a45465726d 02 a850726576466f6f 82a16101a162c0`.replace('d00100', 'd001'),
  )
  t.match(requestOf(bytes), {
    rpc: 'append',
    term: 2,
    entries: [{index: 5, term: 1, type: 0, data: hex('7a'), extensions: undefined}],
  })
})

t.test('hostile requests are refused, before memory is taken', async t => {
  for (const text of [
    '09 80',
    '00 90',
    '00 81 a7456e7472696573 dd7fffffff',
    '00 81 a7456e7472696573 91 81 a454797065 63',
    '00 81 a45465726d cb3ff8000000000000',
    '00 81 a45465726d cfffffffffffffffff',
    '00 81 a7456e7472696573 91 81 a444617461 dbffffffff',
    '02 82 a453697a65 05 ad436f6e66696775726174696f6e a3ffffff',
  ])
    t.match(readAll(hex(text), 3), [{kind: 'problem'}], text)
})

t.test('no request or answer makes the readers throw', async t => {
  const random = randomNumbers(3)
  for (let round = 0; round < 6000; round++) {
    const {request, answer} = exchanges[round % exchanges.length] ?? exchange('1.8.19', 'heartbeat')
    const whole = readAll(mutated(request, random), 1 << 20)
    if (whole.some(read => read.kind === 'snapshot')) continue
    const reader = new RaftAnswerReader()
    reader.push(mutated(answer, random))
    reader.next('append')
  }
  t.pass()
})
