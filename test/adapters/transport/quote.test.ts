import {execFileSync} from 'node:child_process'
import t from 'tap'
import {quoteArgv} from '../../../src/adapters/transport/quote.js'

const hostile = [
  '',
  ' ',
  "'",
  "''",
  `"'"'`,
  '$(id)',
  '`id`',
  '${HOME}',
  '\\',
  "\\'",
  'a\nb',
  '\n',
  '\r',
  '\t',
  '\u001b]0;x\u0007',
  '*',
  '~',
  '!!',
  '#',
  '-rf',
  '--',
  ';reboot',
  '&',
  '|',
  '>x',
  '{a,b}',
  'ä€😀',
  '=x',
]

t.test('a shell reads every argument back as it was', async t => {
  const line = quoteArgv(['printf', '%s\\0', ...hostile])
  for (const shell of ['sh', 'bash']) {
    const out = execFileSync(shell, ['-c', line]).toString()
    t.strictSame(out.split('\0').slice(0, -1), hostile, shell)
  }
})

t.test('every byte but NUL survives, alone and next to others', async t => {
  const all = Array.from({length: 127}, (_, i) => `x${String.fromCharCode(i + 1)}y`)
  const out = execFileSync('sh', ['-c', quoteArgv(['printf', '%s\\0', ...all])]).toString()
  t.strictSame(out.split('\0').slice(0, -1), all)
})

t.test('NUL is refused', async t => {
  t.throws(() => quoteArgv(['a\0b']), {name: 'TransportError'})
})

t.test('plain words stay readable', async t => {
  t.equal(quoteArgv(['systemctl', 'stop', 'consul.service']), 'systemctl stop consul.service')
  t.equal(quoteArgv(['A=b', 'c']), "'A=b' c", 'a first word is never an assignment')
})
