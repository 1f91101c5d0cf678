import t from 'tap'
import {openPacket, openStream, sealPacket, sealStream} from '../../../src/agent/gossip/seal.js'
import {
  decodeStreamMessage,
  encodeStreamMessage,
  GossipStreamReader,
} from '../../../src/core/wire/gossip-stream.js'
import type {PushPull, StreamMessage, StreamRead} from '../../../src/core/wire/gossip-stream.js'
import {OUR_VERSIONS} from '../../../src/core/wire/memberlist.js'
import {readPacket} from '../../../src/core/wire/packet.js'
import {decodeSerf, encodeSerf, encodeTags} from '../../../src/core/wire/serf.js'
import {
  decodeConflictResponse,
  decodeKeyRequest,
  decodeKeyResponse,
  encodeConflictResponse,
  encodeKeyRequest,
  encodeKeyResponse,
} from '../../../src/core/wire/serf-answers.js'
import {hex, mutated, randomNumbers, sample, toHex} from './wire-samples.js'

const key256 = Uint8Array.from(Buffer.from('VN3M9mf7j8OFFw1k5ipunZXkiOMztznpjZrrSPVm9QQ=', 'base64'))
const key128 = Uint8Array.from(Buffer.from('AAECAwQFBgcICQoLDA0ODw==', 'base64'))

/** What a stream says when its bytes come in pieces of this size. */
function readIn(bytes: Uint8Array, piece: number): StreamRead {
  const reader = new GossipStreamReader()
  for (let at = 0; at < bytes.length; at += piece) {
    const read = reader.push(bytes.subarray(at, at + piece))
    if (read.kind !== 'more') return read
  }
  return {kind: 'more'}
}

function messageIn(bytes: Uint8Array, piece = bytes.length): StreamMessage {
  const read = readIn(bytes, piece)
  if (read.kind !== 'message') throw new Error(read.kind === 'problem' ? read.text : read.kind)
  return read.message
}

t.test('a push/pull of a serf agent is read, in whatever pieces it comes', async t => {
  for (const piece of [1, 7, 1000]) {
    const message = messageIn(sample('16-pushpull-join-request'), piece)
    if (message.type !== 'push-pull') return t.fail('a push/pull')
    t.equal(message.join, true)
    t.match(message.nodes, [{name: 'beta', ip: '127.0.2.2', port: 7946, incarnation: 1, state: 'alive'}])
    const state = decodeSerf(message.userState)
    t.match(state, {ok: true, value: {type: 'push-pull', ltime: 1, eventLTime: 1, queryLTime: 1, events: []}})
    t.same(state.ok && state.value.type === 'push-pull' && [...state.value.statusLTimes], [['beta', 0]])
  }
  t.match(messageIn(sample('17-pushpull-join-response')), {nodes: [{name: 'alpha'}]})
})

t.test(
  'encrypted streams and packets of a serf agent are opened with the right key among others',
  async t => {
    const wrong = new Uint8Array(32)
    for (const [name, keys] of [
      ['18-pushpull-encrypted-request', [key256]],
      ['19-pushpull-encrypted-response', [wrong, key128, key256]],
    ] as const) {
      const read = readIn(sample(name), 11)
      if (read.kind !== 'sealed') return t.fail(`${name} is sealed`)
      const plain = openStream(read, keys)
      t.match(plain && decodeStreamMessage(plain), {ok: true, value: {type: 'push-pull'}})
      t.equal(openStream(read, [wrong, key128]), undefined)
    }
    const refusal = readIn(sample('20-err-response'), 1000)
    if (refusal.kind !== 'sealed') return t.fail('the refusal is sealed')
    const plain = openStream(refusal, [key256])
    t.match(plain && decodeStreamMessage(plain), {
      value: {type: 'err', error: 'Encryption is configured but remote state is not encrypted'},
    })
    for (const [name, key] of [
      ['14-ping-encrypted-aes256', key256],
      ['15-ping-encrypted-aes128', key128],
    ] as const) {
      const opened = openPacket(sample(name), [wrong, key])
      t.match(opened && readPacket(opened), {value: {parts: [{message: {type: 'ping', node: 'beta'}}]}})
      t.equal(openPacket(sample(name), [wrong]), undefined)
    }
  },
)

t.test('what was sealed opens again, and not with one bit changed or under another label', async t => {
  const plain = sample('01-ping')
  for (const key of [key128, key256, key256.subarray(0, 24)]) {
    const sealed = sealPacket(plain, key, 'blue')
    t.equal(toHex(openPacket(sealed, [key], 'blue') ?? hex('')), toHex(plain))
    t.equal(openPacket(sealed, [key]), undefined)
    for (let bit = 8; bit < sealed.length * 8; bit += 13) {
      const changed = Uint8Array.from(sealed)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      t.equal(openPacket(changed, [key], 'blue'), undefined)
    }
    const stream = sealStream(plain, key)
    const read = readIn(stream, 9)
    if (read.kind !== 'sealed') return t.fail('a sealed stream')
    t.equal(toHex(openStream(read, [key]) ?? hex('')), toHex(plain))
    const lied = Uint8Array.from(read.header)
    lied[4] = (lied[4] ?? 0) ^ 1
    t.equal(openStream({...read, header: lied}, [key]), undefined, 'the length is bound to what is sealed')
  }
  t.equal(openPacket(new Uint8Array(5), [key256]), undefined)
})

const state: PushPull = {
  type: 'push-pull',
  join: false,
  nodes: Array.from({length: 300}, (_, i) => ({
    name: `node-${i}`,
    ip: i % 2 === 0 ? `10.0.${i >> 8}.${i & 255}` : `2001:db8::${i.toString(16)}`,
    port: 8301,
    meta: encodeTags(new Map([['role', 'consul']])),
    incarnation: i * 1000,
    state: (['alive', 'suspect', 'dead', 'left'] as const)[i % 4] ?? 'alive',
    versions: OUR_VERSIONS,
  })),
  userState: encodeSerf({
    type: 'push-pull',
    ltime: 9,
    statusLTimes: new Map([['node-1', 7]]),
    leftMembers: ['node-3'],
    eventLTime: 5,
    events: [{ltime: 4, events: [{name: 'deploy', payload: Uint8Array.of(1, 2)}]}],
    queryLTime: 2,
  }),
}

t.test('streams of ours come back as they were written', async t => {
  const messages: readonly StreamMessage[] = [
    state,
    {type: 'ping', seqNo: 70000, node: 'x', sourceIp: '', sourcePort: 0, sourceNode: ''},
    {type: 'ack', seqNo: 3, payload: new Uint8Array(0)},
    {type: 'user', payload: Uint8Array.of(5, 0x80)},
    {type: 'err', error: 'no'},
  ]
  for (const message of messages)
    for (const piece of [1, 1024]) t.same(messageIn(encodeStreamMessage(message), piece), message)
  const serf = decodeSerf(state.userState)
  t.equal(serf.ok && toHex(encodeSerf(serf.value)), toHex(state.userState))
})

t.test('a stream that promises too much is refused before it is stored', async t => {
  t.match(readIn(hex('06 83a44a6f696ec3 a54e6f646573 ce7fffffff ac5573657253746174654c656e 00'), 9), {
    kind: 'problem',
  })
  t.match(readIn(hex('06 83a44a6f696ec3 a54e6f646573 01 ac5573657253746174654c656e ce7fffffff'), 9), {
    kind: 'problem',
  })
  t.match(readIn(hex('08 81aa557365724d73674c656e ceffffffff'), 9), {kind: 'problem'})
  t.match(readIn(hex('0a ffffffff 00'), 9), {kind: 'problem'})
  t.match(readIn(hex('06 dfffffffff'), 9), {kind: 'problem'})
  t.match(readIn(hex('03'), 9), {kind: 'problem'}, 'a type that does not belong there')
  t.match(readIn(hex('06 81a44a'), 9), {kind: 'more'})
})

t.test('no stream makes the reader throw, and pieces change nothing', async t => {
  const random = randomNumbers(7)
  const inputs = [
    sample('16-pushpull-join-request'),
    encodeStreamMessage({...state, nodes: state.nodes.slice(0, 3)}),
    encodeStreamMessage({type: 'user', payload: Uint8Array.of(1, 2, 3)}),
  ]
  const differing: string[] = []
  for (let round = 0; round < 3000; round++) {
    const bytes = mutated(inputs[round % inputs.length] ?? hex(''), random)
    if (bytes.length === 0) continue
    const whole = readIn(bytes, bytes.length)
    if (readIn(bytes, 13).kind !== whole.kind) differing.push(toHex(bytes))
    if (whole.kind === 'message' && whole.message.type === 'push-pull') decodeSerf(whole.message.userState)
  }
  t.same(differing, [])
})

t.test('a large state in small pieces costs no more than its length', async t => {
  const nodes = Array.from({length: 15_000}, (_, i) => ({
    ...state.nodes[0],
    name: `n${i}`,
  })) as PushPull['nodes']
  const bytes = encodeStreamMessage({...state, nodes})
  const start = process.hrtime.bigint()
  t.match(messageIn(bytes, 1400), {type: 'push-pull'})
  t.ok(Number(process.hrtime.bigint() - start) / 1e6 < 5000)
})

t.test('the answers to the queries of Serf itself are read and written', async t => {
  const user = readPacket(sample('24-serf-conflict-response'))
  const message = user.ok ? user.value.parts[0]?.message : undefined
  const response = message?.type === 'user' ? decodeSerf(message.payload) : undefined
  if (!response?.ok || response.value.type !== 'query-response') return t.fail('an answer')
  const member = decodeConflictResponse(response.value.payload)
  t.match(member, {
    ok: true,
    value: {name: 'alpha', ip: '127.0.2.1', port: 7946, status: 'alive', delegateCur: 5},
  })
  t.equal(member.ok && toHex(encodeConflictResponse(member.value)), toHex(response.value.payload))
  t.same(decodeConflictResponse(encodeConflictResponse(undefined)), {ok: true, value: undefined})
  t.equal(toHex(encodeConflictResponse(undefined)), '06c0')
  t.same(decodeKeyRequest(encodeKeyRequest(key128)), {ok: true, value: key128})
  const answer = {
    ok: true,
    message: '',
    keys: ['AAECAwQFBgcICQoLDA0ODw=='],
    primaryKey: 'AAECAwQFBgcICQoLDA0ODw==',
  }
  t.same(decodeKeyResponse(encodeKeyResponse(answer)), {ok: true, value: answer})
  t.notOk(decodeKeyResponse(encodeKeyRequest(key128)).ok)
})

t.test('queries keep their filters, and a relayed message stays whole', async t => {
  const query = {
    type: 'query',
    ltime: 3,
    id: 4_000_000_000,
    ip: '127.0.0.1',
    port: 7946,
    sourceNode: 'a',
    filters: [
      {filter: 'nodes', nodes: ['a', 'b']},
      {filter: 'tag', tag: 'role', expression: '^web'},
    ],
    flags: 3,
    relayFactor: 2,
    timeoutMs: 12_345.678901,
    name: '_serf_ping',
    payload: new Uint8Array(0),
  } as const
  t.same(decodeSerf(encodeSerf(query)), {ok: true, value: query})
  const relay = {type: 'relay', ip: '127.0.0.9', port: 7946, name: 'b', message: encodeSerf(query)} as const
  t.same(decodeSerf(encodeSerf(relay)), {ok: true, value: relay})
})
