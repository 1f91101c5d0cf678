import t from 'tap'
import {decodeMsgpack, encodeMsgpack} from '../../../src/core/codec/msgpack.js'
import type {MsgpackInput} from '../../../src/core/codec/msgpack.js'
import {CursorProblem, MsgpackCursor} from '../../../src/core/codec/msgpack-cursor.js'
import {MsgpackSpan} from '../../../src/core/codec/msgpack-span.js'
import {MsgpackWriter} from '../../../src/core/codec/msgpack-writer.js'

const LIMITS = {valuesMax: 100_000, rawBytesMax: 1 << 20}
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'))

const values: readonly MsgpackInput[] = [
  null,
  true,
  false,
  ...[
    0,
    127,
    128,
    255,
    256,
    65535,
    65536,
    2 ** 32 - 1,
    2 ** 32,
    Number.MAX_SAFE_INTEGER,
    -1,
    -33,
    -40_000,
    1.5,
  ],
  18446744073709551615n,
  ...['', 'a', 'x'.repeat(31), 'x'.repeat(32), 'x'.repeat(65_535), 'x'.repeat(65_536), 'é', '\u{1f600}'],
  new Uint8Array(300).fill(7),
  [],
  Array.from({length: 16}, (_, i) => [i, {a: null}]),
  Array.from({length: 70_000}, () => 1),
  Object.fromEntries(Array.from({length: 20}, (_, i) => [`key ${i}`, `value ${i}`])),
]

t.test('the writer writes what the encoder of whole values writes, however often it has to grow', async t => {
  for (const value of values)
    t.ok(Buffer.from(new MsgpackWriter(1).value(value).finish()).equals(encodeMsgpack(value)))
  const all = new MsgpackWriter(1)
  for (const value of values) all.value(value)
  t.ok(Buffer.from(all.finish()).equals(Buffer.concat(values.map(encodeMsgpack))))
})

t.test('a span ends where a decoded value ends, in whatever pieces the bytes come', async t => {
  for (const value of [...values.slice(0, -2), values.at(-1) ?? null]) {
    const bytes = Buffer.concat([encodeMsgpack(value), Buffer.from('c0c0')])
    const result = decodeMsgpack(bytes)
    const end = result.kind === 'value' ? result.end : -1
    for (const piece of [1, 1000]) {
      const span = new MsgpackSpan(1, LIMITS)
      let found: number | undefined
      for (let length = piece; found === undefined && length < bytes.length + piece; length += piece)
        found = span.advance(bytes.subarray(0, length))
      t.equal(found, end)
    }
  }
  const two = new MsgpackSpan(2, LIMITS)
  t.equal(two.advance(hex('81a161')), undefined)
  t.equal(two.advance(hex('81a16192c0')), undefined)
  t.equal(two.advance(hex('81a16192c0c3a3616263c0')), 10)
})

t.test('every form has its length', async t => {
  for (const form of [
    'c0',
    'c2',
    'c40161',
    'c5000161',
    'c60000000161',
    'c7010561',
    'c800010561',
    'c9000000010561',
    'ca00000000',
    'cb0000000000000000',
    'cc00',
    'cd0000',
    'ce00000000',
    'cf0000000000000000',
    'd000',
    'd10000',
    'd200000000',
    'd30000000000000000',
    'd40561',
    'd5056161',
    'd60561616161',
    'd7056161616161616161',
    'd80561616161616161616161616161616161',
    'd90161',
    'da000161',
    'db0000000161',
    'dc0001c0',
    'dd00000001c0',
    'de0001a161c0',
    'df00000001a161c0',
  ]) {
    const bytes = hex(form)
    t.equal(new MsgpackSpan(1, LIMITS).advance(bytes), bytes.length, form)
    t.equal(new MsgpackSpan(1, LIMITS).advance(bytes.subarray(0, -1)), undefined, form)
    t.match(decodeMsgpack(bytes), {kind: 'value', end: bytes.length}, form)
  }
})

t.test('what promises too much is a problem before it is there', async t => {
  for (const bytes of ['ddffffffff', 'dfffffffff', 'dbffffffff', 'c6ffffffff', 'c1']) {
    const span = new MsgpackSpan(1, LIMITS)
    t.equal(span.advance(hex(bytes)), undefined)
    t.type(span.problem, 'string', bytes)
  }
})

t.test('a cursor reads numbers signed or not, raw values of all forms, and nil as nothing', async t => {
  const numbers = hex(
    '07 cc80 cd0100 ce00010000 cf0000000100000000 d007 d10100 d200010000 d30000000100000000 c0',
  )
  const cursor = new MsgpackCursor(numbers)
  t.same(
    Array.from({length: 10}, () => cursor.unsigned()),
    [7, 128, 256, 65536, 2 ** 32, 7, 256, 65536, 2 ** 32, 0],
  )
  const raws = new MsgpackCursor(hex('a161 c40161 d90161 c5000161 da000161 c60000000161 db0000000161 c0'))
  t.equal(Array.from({length: 8}, () => raws.text(10)).join(','), 'a,a,a,a,a,a,a,')
  const mixed = new MsgpackCursor(hex('83 a161 92c0c3 a162 c3 a163 c0'))
  t.equal(mixed.map(), 3)
  t.equal(mixed.key(), 'a')
  mixed.skip()
  t.equal(mixed.key(), 'b')
  t.equal(mixed.bool(), true)
  t.equal(mixed.key(), 'c')
  t.equal(mixed.array(), 0)
  t.equal(mixed.at, 12)
})

t.test('a cursor ends at what is not there or of another kind', async t => {
  const fails = (bytes: string, read: (cursor: MsgpackCursor) => unknown): void => {
    try {
      t.fail(`${bytes} gave ${JSON.stringify(read(new MsgpackCursor(hex(bytes))))}`)
    } catch (error) {
      t.ok(error instanceof CursorProblem, bytes)
    }
  }
  fails('', cursor => cursor.unsigned())
  fails('ff', cursor => cursor.unsigned())
  fails('d0ff', cursor => cursor.unsigned())
  fails('cfffffffffffffffff', cursor => cursor.unsigned())
  fails('cb3ff8000000000000', cursor => cursor.unsigned())
  fails('a36161', cursor => cursor.raw())
  fails('dbffffffff61', cursor => cursor.raw())
  fails('a2ff41', cursor => cursor.text(10))
  fails('a3616161', cursor => cursor.text(2))
  fails('90', cursor => cursor.map())
  fails('dd7fffffff', cursor => cursor.array())
  fails('07', cursor => cursor.bool())
  fails('92c0', cursor => cursor.skip())
})
