import t from 'tap'
import {runBuilt} from '../helpers/run-command.js'

/** Tells on stderr which packages were loaded by the end. */
const tellLoaded =
  'data:text/javascript,import {createRequire} from "node:module";const {cache}=createRequire(process.cwd()+"/x");' +
  'process.on("exit",()=>process.stderr.write(Object.keys(cache).join("\\n")))'
const order = ['doctor', 'peers list', 'peers fix', 'apply', 'resume', 'verify', 'history', 'inspect']

t.test('commands are listed in the order of an outage, by quorate alone and with --help', async t => {
  const alone = runBuilt([])
  t.equal(alone.exit, 0)
  t.equal(runBuilt(['--help']).stdout, alone.stdout)
  const listed = [...alone.stdout.matchAll(/^ {2}([a-z]+(?: [a-z]+)?) {2,}\S/gm)].map(match => match[1] ?? '')
  t.same(listed.slice(0, order.length), order)
  t.match(alone.stdout, /man 7 quorate-recovery/)
})

t.test('a topic says what it is about and lists its commands', async t => {
  const {stdout, exit} = runBuilt(['peers'])
  t.equal(exit, 0)
  t.match(stdout, /^Show and change the peer set\.\n[^]*\n {2}peers list {2}[^]*\n {2}peers fix {3}/)
})

t.test('help shows arguments, then examples, then flags, then how the command can end', async t => {
  for (const command of order) {
    const {stdout, exit} = runBuilt([...command.split(' '), '-h'])
    t.equal(exit, 0, command)
    const headings = [...stdout.matchAll(/^([A-Z][A-Z ]+)$/gm)].map(match => match[1] ?? '')
    const at = (name: string): number => headings.indexOf(name)
    t.ok(at('USAGE') === 0 && at('EXAMPLES') > 0, `${command}: ${headings.join(', ')}`)
    t.ok(
      headings.every((name, place) => !name.endsWith('FLAGS') || place > at('EXAMPLES')),
      command,
    )
    t.ok(at('EXIT CODES') > at('GLOBAL FLAGS'), command)
    t.match(stdout, /\n {2}0 ok /, command)
    t.match(stdout, new RegExp(`\\n {2}man quorate-${command.replace(' ', '-')}\\n`))
  }
})

t.test('help loads nothing that reaches hosts, reads inventories or draws tables', async t => {
  const {stderr, exit} = runBuilt(['peers', 'list', '--help'], {options: ['--import', tellLoaded]})
  t.equal(exit, 0)
  t.match(stderr, /@oclif\/core/, 'what is loaded is seen')
  t.notMatch(stderr, /node_modules\/(cli-table3|ssh2|node-ssh|undici|yaml)\//)
})
