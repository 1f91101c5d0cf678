import t from 'tap'
import {decodeMsgpack, encodeMsgpack, msgpackText} from '../../../src/core/codec/msgpack.js'
import type {MsgpackInput, MsgpackValue} from '../../../src/core/codec/msgpack.js'

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'))
const toHex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

function plain(value: MsgpackValue): unknown {
  if (value instanceof Uint8Array) return msgpackText(value)
  if (value instanceof Map) return Object.fromEntries([...value].map(([k, v]) => [k, plain(v)]))
  if (Array.isArray(value)) return value.map(plain)
  return value
}

function decoded(bytes: Uint8Array): unknown {
  const result = decodeMsgpack(bytes)
  return result.kind === 'value' ? plain(result.value) : result
}

t.test('every value comes back as it was encoded', async t => {
  const values: MsgpackInput[] = [
    null,
    true,
    false,
    0,
    127,
    128,
    255,
    256,
    65535,
    65536,
    4294967295,
    4294967296,
    Number.MAX_SAFE_INTEGER,
    -1,
    -32,
    -33,
    -128,
    -129,
    -32768,
    -32769,
    -2147483648,
    -2147483649,
    1.5,
    18446744073709551615n,
    '',
    'a',
    'x'.repeat(31),
    'x'.repeat(32),
    'x'.repeat(255),
    'x'.repeat(65536),
    [],
    [1, ['two', null]],
    {Seq: 3, Command: 'stats'},
    Array.from({length: 20}, (_, i) => i),
    Object.fromEntries(Array.from({length: 20}, (_, i) => [`k${i}`, i])),
  ]
  for (const value of values) t.same(decoded(encodeMsgpack(value)), value)
})

t.test('the encoder writes the old raw dialect: never str8 or bin', async t => {
  t.equal(toHex(encodeMsgpack('x'.repeat(36))).slice(0, 6), 'da0024')
  t.equal(toHex(encodeMsgpack(new Uint8Array(3))), 'a3000000')
  t.equal(toHex(encodeMsgpack({Seq: 0})), '81a353657100')
})

t.test('values of newer writers are taken too', async t => {
  t.equal(decoded(hex('d902 6869')), 'hi')
  t.equal(decoded(hex('c402 6869')), 'hi')
  t.equal(decoded(hex('c50002 6869')), 'hi')
  t.same(decodeMsgpack(hex('d4 ff 07')), {
    kind: 'value',
    value: {extension: -1, bytes: Uint8Array.of(7)},
    end: 3,
  })
  t.same(decodeMsgpack(hex('c7 01 05 09')), {
    kind: 'value',
    value: {extension: 5, bytes: Uint8Array.of(9)},
    end: 4,
  })
})

t.test('concatenated values are taken one by one, and a cut one asks for more', async t => {
  const stream = hex('81a353657101 92a16102 c0')
  const first = decodeMsgpack(stream, 0)
  t.match(first, {kind: 'value', end: 6})
  const second = decodeMsgpack(stream, 6)
  t.match(second, {kind: 'value', end: 10})
  t.match(decodeMsgpack(stream, 10), {kind: 'value', value: null, end: 11})
  for (let cut = 0; cut < 6; cut++) t.same(decodeMsgpack(stream.subarray(0, cut)), {kind: 'more'})
})

t.test('hostile sizes and depths are problems before memory is taken', async t => {
  t.match(decodeMsgpack(hex('ddffffffff')), {kind: 'problem'})
  t.match(decodeMsgpack(hex('dfffffffff')), {kind: 'problem'})
  t.match(decodeMsgpack(hex('dbffffffff')), {kind: 'problem'})
  t.match(decodeMsgpack(new Uint8Array(5000).fill(0x91)), {kind: 'problem'})
  t.match(decodeMsgpack(hex('c1')), {kind: 'problem'})
  t.match(decodeMsgpack(hex('81 c0 01')), {kind: 'problem'})
})
