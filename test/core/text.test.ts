import t from 'tap'
import {printable, printableBytes, shellCommand, shellQuote} from '../../src/core/text.js'

const HARMFUL = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/

t.test('printable keeps ordinary text as it is', async t => {
  t.equal(printable('consul-1 née 東京 🙂'), 'consul-1 née 東京 🙂')
})

t.test('printable makes everything visible that a terminal would act on', async t => {
  t.equal(printable('a\nb\tc\r\u001b[31mred\u0007\u0000'), 'a\\nb\\tc\\r\\e[31mred\\x07\\x00')
  t.equal(printable('\u202egnp.exe\u2066\u200b\ufeff'), '\\u{202e}gnp.exe\\u{2066}\\u{200b}\\u{feff}')
  t.equal(printable('\u009b31m'), '\\x9b31m', 'the eight-bit CSI')
  t.equal(printable('\ud800x'), '\\u{d800}x', 'a lone surrogate')
  let all = ''
  for (let code = 0; code <= 0xffff; code++) all += String.fromCharCode(code)
  t.notMatch(printable(all, 10_000_000), HARMFUL)
})

t.test('printable is bounded and marks what it cut', async t => {
  t.equal(printable('abcdef', 4), 'abc…')
  t.equal(printable('abcd', 4), 'abcd')
  t.equal(printable('\n\n\n', 3), '\\n…', 'escapes count')
  t.equal(printable('abc', 0), '')
  t.equal(printable('ab🙂cd', 4), 'ab…', 'a pair is not torn')
  t.equal(printable('x'.repeat(1_000_000)).length, 300)
})

t.test('printableBytes shows bytes that are not UTF-8 without failing', async t => {
  t.equal(printableBytes(Uint8Array.from([0x61, 0xff, 0xc3, 0x0a])), 'a\ufffd\ufffd\\n')
  t.equal(printableBytes(Uint8Array.from([0xef, 0xbb, 0xbf, 0x7b])), '\\u{feff}{', 'a byte order mark shows')
})

t.test(
  'shellQuote leaves plain words alone and quotes the rest so that a shell reads the same text',
  async t => {
    t.equal(shellQuote('/opt/consul/data-1'), '/opt/consul/data-1')
    t.equal(shellQuote(''), `''`)
    t.equal(shellQuote(`it's $HOME`), `'it'\\''s $HOME'`)
    t.equal(shellQuote('a\nb\u001b[1m'), `$'a\\nb\\e[1m'`)
    t.equal(shellCommand(['rm', '--', '-rf x;reboot']), `rm -- '-rf x;reboot'`)
  },
)

t.test('shellQuote of a word that starts like an option or holds a tilde cannot be expanded', async t => {
  t.equal(shellQuote('~root'), `'~root'`)
  t.equal(shellQuote('*'), `'*'`)
})
