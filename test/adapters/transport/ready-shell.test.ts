import t from 'tap'
import type {Channel, Link} from '../../../src/adapters/transport/link.js'
import {LocalLink} from '../../../src/adapters/transport/local.js'
import type {ReadyShell} from '../../../src/adapters/transport/ready-shell.js'
import {askWho} from '../../../src/adapters/transport/ready-shell.js'

const command = (...argv: readonly [string, ...string[]]) => ({
  ...{argv, timeoutMs: 5000, maxBytes: 100_000, root: false},
})

/** A link on this machine that starts `script` instead of what it is asked for, where that is given. */
function linkTo(script?: string): {readonly link: Link; readonly channels: Channel[]} {
  const local = new LocalLink()
  const channels: Channel[] = []
  const spawn = async (argv: readonly string[]): Promise<Channel> => {
    const channel = await local.spawn(script === undefined ? argv : ['sh', '-c', script])
    channels.push(channel)
    return channel
  }
  const link = {kind: local.kind, sftp: true, forwarding: true, spawn} as unknown as Link
  return {link, channels}
}

async function shellOf(link: Link): Promise<ReadyShell> {
  const answer = await askWho(link, {kind: 'none'}, 5000)
  if (answer.kind === 'none') throw new Error(answer.words)
  return answer.shell
}

t.test('the shell that said who we are becomes the first command, byte for byte', async t => {
  const {link, channels} = linkTo()
  const answer = await askWho(link, {kind: 'none'}, 5000)
  t.match(answer, {kind: 'ready', uid: process.getuid?.()})
  if (answer.kind === 'none') return
  const hostile = ["it's", '$(id)', 'a\nb', '\n', '', '*', '\\', '-n', ' x ']
  const script = 'for a in "$@"; do printf "%s|" "$a"; done; cat; echo no >&2; exit 3'
  const stdin = Buffer.from([0, 1, 255, 10, 13])
  const result = await answer.shell.run({...command('sh', '-c', script, 'sh', ...hostile), stdin})
  t.match(result, {kind: 'exited', code: 3, truncated: false})
  if (result.kind !== 'exited') return
  const expected = Buffer.concat([Buffer.from(hostile.map(one => `${one}|`).join('')), stdin])
  t.strictSame(Buffer.from(result.stdout), expected)
  t.equal(Buffer.from(result.stderr).toString(), 'no\n')
  t.notOk(answer.shell.waiting, 'it serves once')
  t.equal(channels.length, 1, 'and no other program was started')
})

t.test('a shell that ends before it has begun the command is lost, never an empty success', async t => {
  const shell = await shellOf(linkTo('printf "quorate:0:root:\\n"; read n; exit 0').link)
  t.match(await shell.run(command('echo', 'done')), {kind: 'failed', why: 'lost'})
})

t.test('a shell that has ended is known not to wait any more', async t => {
  const {link, channels} = linkTo()
  const shell = await shellOf(link)
  t.ok(shell.waiting)
  channels[0]?.kill()
  await channels[0]?.ended
  t.notOk(shell.waiting)
})

t.test('output beyond the limit is cut, and what takes too long is ended', async t => {
  const long = await shellOf(linkTo().link)
  const cut = await long.run({...command('sh', '-c', 'head -c 5000 /dev/zero'), maxBytes: 1000})
  t.match(cut, {kind: 'exited', truncated: true})
  if (cut.kind === 'exited') t.equal(cut.stdout.length, 1000)
  const slow = await shellOf(linkTo().link)
  t.match(await slow.run({...command('sleep', '20'), timeoutMs: 200}), {kind: 'failed', why: 'timed-out'})
})

t.test('no answer is told apart from silence', async t => {
  t.match(await askWho(linkTo('echo nobody >&2; exit 1').link, {kind: 'none'}, 5000), {
    why: 'failed',
    words: 'nobody',
  })
  t.match(await askWho(linkTo('sleep 20').link, {kind: 'none'}, 200), {kind: 'none', why: 'timed-out'})
})
