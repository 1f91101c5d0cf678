import {createHash} from 'node:crypto'
import t from 'tap'
import {encodeMsgpack} from '../../../src/core/codec/msgpack.js'
import {unpackLzw} from '../../../src/core/wire/lzw.js'
import {decodeMessage, encodeMessage, OUR_VERSIONS} from '../../../src/core/wire/memberlist.js'
import type {PacketMessage} from '../../../src/core/wire/memberlist.js'
import {joinMessages, readPacket, splitLabel, withCrc} from '../../../src/core/wire/packet.js'
import {decodeSerf, decodeTags, encodeSerf} from '../../../src/core/wire/serf.js'
import {hex, mutated, randomNumbers, sample, toHex} from './wire-samples.js'

function read(name: string): readonly PacketMessage[] {
  const result = readPacket(sample(name))
  if (!result.ok) throw new Error(`${name}: ${result.problem}`)
  return result.value.parts.map(part => part.message)
}

const only = (name: string): PacketMessage => {
  const messages = read(name)
  const [first] = messages
  if (first === undefined || messages.length !== 1)
    throw new Error(`${name} holds ${messages.length} messages`)
  return first
}

const versions = {...OUR_VERSIONS, delegateCur: 5}

t.test('the packets of a serf agent are read as it meant them', async t => {
  t.same(only('01-ping'), {
    type: 'ping',
    seqNo: 1,
    node: 'alpha',
    sourceIp: '127.0.2.2',
    sourcePort: 7946,
    sourceNode: 'beta',
  })
  t.match(only('02-ack'), {type: 'ack', seqNo: 1})
  t.match(only('03-ack-compressed'), {type: 'ack', seqNo: 1})
  const alive = only('04-alive')
  if (alive.type !== 'alive') return t.fail('an alive message')
  t.match(alive, {incarnation: 2, node: 'alpha', ip: '127.0.2.1', port: 7946, versions})
  const tags = decodeTags(alive.meta)
  t.same(tags.ok && [...tags.value], [
    ['ver', '2'],
    ['role', 'web'],
    ['dc', 'east'],
  ])
  t.match(only('07-indirectping'), {
    type: 'indirect-ping',
    seqNo: 37,
    nack: true,
    node: 'beta',
    targetIp: '127.0.2.2',
    targetPort: 7946,
    sourceIp: '127.0.2.1',
    sourceNode: 'alpha',
  })
  t.same(only('08-nack'), {type: 'nack', seqNo: 7})
  t.same(only('09-suspect'), {type: 'suspect', incarnation: 1, node: 'beta', from: 'alpha'})
  t.match(only('10-dead'), {type: 'dead', node: 'beta', from: 'alpha'})
  t.match(only('11-dead-left'), {type: 'dead', node: 'gamma', from: 'gamma'})
})

t.test('a compound gives its parts, compressed or not, each with the bytes it came in', async t => {
  const plain = readPacket(sample('05-compound'))
  t.ok(plain.ok)
  if (!plain.ok) return
  const [query, event] = plain.value.parts.map(part =>
    part.message.type === 'user' ? decodeSerf(part.message.payload) : undefined,
  )
  t.match(query, {
    ok: true,
    value: {type: 'query', name: 'load', id: 727347154, timeoutMs: 2000, filters: []},
  })
  t.match(event, {ok: true, value: {type: 'user-event', name: 'deploy', coalesce: true}})
  t.same(
    plain.value.parts.map(part => part.bytes.length),
    [119, 45],
  )
  t.same(
    read('06-compound-compressed').map(message => message.type),
    ['alive', 'alive', 'user'],
  )
})

t.test('what Consul servers say of themselves is read', async t => {
  for (const [version, build] of [
    ['0.6.4', '0.6.4:26a0ef8c'],
    ['0.7.5', 'unknownunknown:'],
    ['1.8.19', '1.8.19:'],
  ] as const) {
    const alive = read(`21-consul-${version}-alive`).find(message => message.type === 'alive')
    if (alive?.type !== 'alive') return t.fail(`an alive message of ${version}`)
    const tags = decodeTags(alive.meta)
    t.equal(tags.ok && tags.value.get('role'), 'consul')
    t.equal(tags.ok && tags.value.get('build'), build)
    t.equal(tags.ok && tags.value.get('port'), '8300')
  }
})

t.test('messages of real agents are written again byte for byte', async t => {
  const inner = (name: string, crc: boolean): string => toHex(sample(name).subarray(crc ? 5 : 0))
  for (const [name, crc] of [
    ['01-ping', false],
    ['02-ack', false],
    ['04-alive', true],
    ['07-indirectping', false],
    ['08-nack', false],
    ['09-suspect', true],
    ['10-dead', true],
    ['11-dead-left', true],
    ['12-serf-leave-intent', true],
  ] as const) {
    const bytes = encodeMessage(only(name))
    t.equal(toHex(bytes), inner(name, crc), name)
    if (crc) t.equal(toHex(withCrc(bytes)), toHex(sample(name)), `${name} with its CRC`)
  }
  for (const name of [
    '12-serf-leave-intent',
    '13-serf-query-response',
    '24-serf-conflict-response',
    '25-serf-join-intent',
    '26-consul-new-leader-event',
  ]) {
    const user = only(name)
    if (user.type !== 'user') return t.fail(`${name} is a user message`)
    const message = decodeSerf(user.payload)
    t.equal(message.ok && toHex(encodeSerf(message.value)), toHex(user.payload), name)
  }
  const parts = readPacket(sample('05-compound'))
  if (!parts.ok) return t.fail('a compound')
  const again = parts.value.parts.map(({message}) => {
    if (message.type !== 'user') throw new Error('a Serf message')
    const serf = decodeSerf(message.payload)
    if (!serf.ok) throw new Error(serf.problem)
    return encodeMessage({type: 'user', payload: encodeSerf(serf.value)})
  })
  const [packet] = joinMessages(again)
  t.equal(packet && toHex(withCrc(packet)), toHex(sample('05-compound')))
})

t.test('a packet with one bit changed under its CRC is refused', async t => {
  const bytes = sample('04-alive')
  for (let bit = 8; bit < bytes.length * 8; bit += 5) {
    const changed = Uint8Array.from(bytes)
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    t.notOk(readPacket(changed).ok)
  }
})

t.test('a compound holds at most 255 parts and never an empty one', async t => {
  const nacks = Array.from({length: 600}, (_, seqNo) => encodeMessage({type: 'nack', seqNo}))
  const packets = joinMessages([new Uint8Array(0), ...nacks, new Uint8Array(0)])
  t.same(
    packets.map(packet => packet[1]),
    [255, 255, 90],
  )
  const seen = packets.flatMap(packet => {
    const content = readPacket(packet)
    return content.ok ? content.value.parts.map(part => part.message) : []
  })
  t.same(
    seen.map(message => message.type === 'nack' && message.seqNo),
    nacks.map((_, i) => i),
  )
  t.same(joinMessages([new Uint8Array(0)]), [])
  t.equal(joinMessages(nacks.slice(0, 1))[0], nacks[0], 'a message alone needs no compound')
})

t.test('parts that are cut off or are no messages do not harm those beside them', async t => {
  const nack = '0b81a55365714e6f07'
  const result = readPacket(hex(`07 03 0009 0002 00ff ${nack} ffff ${nack}`))
  t.match(result, {ok: true, value: {ignored: 2, parts: [{message: {type: 'nack', seqNo: 7}}]}})
})

t.test('wrappers in one another are bounded in depth and size', async t => {
  let nested: Uint8Array = hex('0b81a55365714e6f07')
  for (let i = 0; i < 4; i++) nested = withCrc(nested)
  t.ok(readPacket(nested).ok)
  for (let i = 0; i < 4; i++) nested = withCrc(nested)
  t.notOk(readPacket(nested).ok)
})

t.test('what newer and other writers put down is taken, what no reader takes is not', async t => {
  const body = (pairs: string): Uint8Array => hex(`03 ${pairs}`)
  const node = 'a44e6f6465 a462657461'
  const from = 'a446726f6d a5616c706861'
  const whole = {type: 'suspect', incarnation: 1, node: 'beta', from: 'alpha'}
  const takes = (bytes: Uint8Array, what: string): void =>
    void t.same(decodeMessage(bytes), {ok: true, value: whole}, what)
  takes(body(`83 ${from} ab496e6361726e6174696f6e d30000000000000001 ${node}`), 'integers as int64')
  takes(body(`83 ${from} ab496e6361726e6174696f6e cf0000000000000001 ${node}`), 'integers as uint64')
  takes(body(`83 ${node} ab496e6361726e6174696f6e 01 ${from}`), 'any order of keys')
  takes(body(`83 d90446726f6d d905616c706861 ab496e6361726e6174696f6e 01 ${node}`), 'str8')
  takes(body(`83 c40446726f6d c405616c706861 ab496e6361726e6174696f6e 01 ${node}`), 'bin8')
  takes(
    body(`84 a15a 82a161c0a162cb3ff8000000000000 ${from} ab496e6361726e6174696f6e 01 ${node}`),
    'an unknown field',
  )
  t.match(decodeMessage(body(`82 ${from} ${node}`)), {ok: true, value: {incarnation: 0}}, 'a missing field')
  t.match(decodeMessage(body(`83 ${from} ab496e6361726e6174696f6e c0 ${node}`)), {ok: true}, 'nil')
  t.notOk(
    decodeMessage(body(`83 ${from} ab496e6361726e6174696f6e cb3ff8000000000000 ${node}`)).ok,
    'a fraction',
  )
  t.notOk(decodeMessage(body(`83 ${from} ab496e6361726e6174696f6e ff ${node}`)).ok, 'a negative number')
  t.notOk(
    decodeMessage(body(`83 ${from} ab496e6361726e6174696f6e cf0000000100000000 ${node}`)).ok,
    'too large',
  )
  t.notOk(decodeMessage(body(`83 ${from} ab496e6361726e6174696f6e 01 a44e6f6465 a2ff41`)).ok, 'no UTF-8')
})

t.test('a version vector may also be an array, and a short one is refused', async t => {
  const alive = (vsn: readonly number[] | Uint8Array): Uint8Array =>
    Uint8Array.of(
      4,
      ...encodeMsgpack({Addr: Uint8Array.of(127, 0, 0, 1), Incarnation: 1, Node: 'a', Port: 7946, Vsn: vsn}),
    )
  t.match(decodeMessage(alive([1, 5, 2, 2, 5, 4])), {ok: true, value: {versions: OUR_VERSIONS}})
  t.match(decodeMessage(alive(Uint8Array.of())), {ok: true, value: {versions: undefined}})
  t.notOk(decodeMessage(alive(Uint8Array.of(1, 5))).ok)
})

t.test('LZW as Go packs it is unpacked, through full tables too', async t => {
  const plain = unpackLzw(sample('lzw-go'), 1 << 20)
  t.equal(plain?.length, 100_002)
  t.equal(
    createHash('sha256')
      .update(plain ?? '')
      .digest('hex'),
    'bbe70c46c1d5aa1d43c721b6d4ce57f308bf869d9b7235d6ba535bf0a9c74b58',
  )
  t.equal(unpackLzw(sample('lzw-go'), 100_001), undefined, 'never more than asked for')
  t.equal(unpackLzw(sample('lzw-go').subarray(0, 9000), 1 << 20), undefined, 'never half')
})

t.test('a label stands before everything else', async t => {
  t.match(splitLabel(hex('f4 03 616263 00')), {ok: true, value: {label: 'abc', rest: hex('00')}})
  t.match(splitLabel(hex('00')), {ok: true, value: {label: ''}})
  t.notOk(splitLabel(hex('f4 03 6162')).ok)
  t.notOk(splitLabel(hex('f4')).ok)
})

t.test('no packet makes the reader throw or grow', async t => {
  const random = randomNumbers(20261120)
  const names = [
    '01-ping',
    '03-ack-compressed',
    '04-alive',
    '05-compound',
    '06-compound-compressed',
    '21-consul-1.8.19-alive',
  ]
  const before = process.memoryUsage().heapUsed
  for (let round = 0; round < 6000; round++) {
    const original = sample(names[round % names.length] ?? '')
    // Half of them without the CRC, which would stop nearly all of them at once.
    const bare = original[0] === 12 && round % 2 === 0 ? original.subarray(5) : original
    const content = readPacket(mutated(bare, random))
    if (!content.ok) continue
    for (const {message} of content.value.parts) if (message.type === 'user') decodeSerf(message.payload)
  }
  t.ok(process.memoryUsage().heapUsed - before < 200 << 20)
})
