import t from 'tap'
import {formatIp, parseIp} from '../../../src/core/codec/address-bytes.js'

t.test('an address comes back from its bytes', async t => {
  for (const text of [
    '0.0.0.0',
    '127.0.2.1',
    '255.255.255.255',
    '::',
    '::1',
    '2001:db8::1',
    'fe80::1:2:3:4',
    '1:2:3:4:5:6:7:8',
  ])
    t.equal(formatIp(parseIp(text) ?? new Uint8Array(0)), text)
  t.equal(parseIp('10.1.2.3')?.length, 4)
  t.equal(parseIp('2001:db8::')?.length, 16)
})

t.test('other spellings of an address have the same bytes', async t => {
  t.same(parseIp('2001:0DB8:0:0::1'), parseIp('2001:db8::1'))
  t.same(parseIp('::ffff:10.1.2.3'), parseIp('0:0:0:0:0:ffff:a01:203'))
  t.equal(formatIp(parseIp('::ffff:10.1.2.3') ?? new Uint8Array(0)), '10.1.2.3')
})

t.test('what is no address has no bytes', async t => {
  for (const text of [
    '',
    'localhost',
    '1.2.3',
    '256.1.1.1',
    '::1%eth0',
    '1::2::3',
    '10.0.0.1:8300',
    '12345::',
  ])
    t.equal(parseIp(text), undefined, text)
  for (const length of [0, 3, 5, 15, 17]) t.equal(formatIp(new Uint8Array(length)), '')
})
