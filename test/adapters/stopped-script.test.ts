import {spawn, spawnSync} from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import {createServer} from 'node:net'
import type {AddressInfo} from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import t from 'tap'
import type {Test} from 'tap'
import {MOVE_AWAY, PROVE_STOPPED} from '../../src/adapters/stopped-script.js'

/** Runs a script as the host would. */
function sh(script: string, args: readonly string[]): {code: number | null; words: string} {
  const {status, stderr} = spawnSync('sh', ['-c', script, 'sh', ...args], {encoding: 'utf8'})
  return {code: status, words: stderr.trim()}
}

/** A program that looks like a server: an executable of its own, with `agent` on its command line. */
async function server(t: Test, words: readonly string[], directory = 'bin') {
  const root = join(t.testdir({[directory]: {agent: 'read nothing\n'}}), directory)
  const executable = join(root, 'consul')
  copyFileSync('/bin/sh', executable)
  chmodSync(executable, 0o755)
  const child = spawn(executable, ['agent', ...words], {cwd: root, stdio: ['pipe', 'ignore', 'ignore']})
  t.teardown(() => child.kill('SIGKILL'))
  await new Promise(resolve => child.once('spawn', resolve))
  const gone = new Promise(resolve => child.once('exit', resolve))
  return {executable, child, gone}
}

t.test('a process of the server is seen by its executable, unless it has another data directory', async t => {
  const {executable, child, gone} = await server(t, ['-data-dir=/srv/a'])
  t.match(sh(PROVE_STOPPED, [executable, '/srv/a', '', '', '']), {
    code: 73,
    words: `process ${child.pid} runs the server`,
  })
  t.match(sh(PROVE_STOPPED, [executable, '/srv/b', '', '', '']), {code: 0}, 'another server of the same host')
  t.match(sh(PROVE_STOPPED, ['/usr/bin/other', '/srv/a', '', '', '']), {code: 0})
  t.match(sh(PROVE_STOPPED, ['', '/srv/a', '', '', '']), {code: 73}, 'unknown executable: its name tells')
  child.kill('SIGSTOP')
  t.match(
    sh(PROVE_STOPPED, [executable, '/srv/a', '', '', '']),
    {code: 73},
    'a frozen process holds what it holds',
  )
  child.kill('SIGKILL')
  await gone
  t.match(sh(PROVE_STOPPED, [executable, '/srv/a', '', '', '']), {code: 0, words: ''})
})

t.test('an executable is found by its name after it was replaced, and under any name', async t => {
  const {executable, child, gone} = await server(t, ['-data-dir=/srv/a'])
  rmSync(executable)
  t.match(sh(PROVE_STOPPED, [executable, '/srv/a', '', '', '']), {code: 73}, 'an upgraded package')
  t.match(sh(PROVE_STOPPED, ['', '/srv/a', '', '', '']), {code: 73}, 'and its executable is not known')
  child.kill('SIGKILL')
  await gone
  for (const odd of ['a b', 'a\nb', 'ä', 'a -> b', "a'b"]) {
    const one = await server(t, ['-data-dir=/srv/a'], odd)
    t.match(
      sh(PROVE_STOPPED, [one.executable, '/srv/a', '', '', '']),
      {code: 73},
      `in ${JSON.stringify(odd)}`,
    )
    t.match(sh(PROVE_STOPPED, ['', '/srv/a', '', '', '']), {code: 73}, 'and its executable is not known')
    one.child.kill('SIGKILL')
    await one.gone
  }
  t.match(sh(PROVE_STOPPED, [executable, '/srv/a', '', '', '']), {code: 0, words: ''})
})

t.test('on a machine of several servers only a process that names the data directory counts', async t => {
  const {child, gone} = await server(t, ['-data-dir=/srv/a'])
  const words = `process ${child.pid} runs the server`
  t.match(sh(PROVE_STOPPED, ['*', '/srv/a', '', '', '']), {code: 73, words}, 'whatever its program is')
  t.match(sh(PROVE_STOPPED, ['*', '/srv/b', '', '', '']), {code: 0}, 'the others are others')
  child.kill('SIGKILL')
  await gone
  t.match(sh(PROVE_STOPPED, ['*', '/srv/a', '', '', '']), {code: 0, words: ''})
})

t.test('on such a machine a process that names none is nobody of ours', async t => {
  await server(t, ['-config-file=/etc/consul.json'])
  t.match(sh(PROVE_STOPPED, ['*', '/srv/a', '', '', '']), {code: 0, words: ''})
})

t.test('another spelling of its data directory is no other server', async t => {
  const root = mkdtempSync(join(tmpdir(), 'quorate-proof-'))
  t.teardown(() => rmSync(root, {recursive: true, force: true}))
  mkdirSync(join(root, 'data'))
  symlinkSync('data', join(root, 'link'))
  for (const words of [
    [`-data-dir=${root}/link`],
    ['-data-dir', './data'],
    ['-data-dir=/srv/before', `-data-dir=${root}/data/`],
  ]) {
    const {executable, child, gone} = await server(t, words)
    t.match(sh(PROVE_STOPPED, [executable, `${root}/data`, '', '', '']), {code: 73}, words.join(' '))
    child.kill('SIGKILL')
    await gone
  }
})

t.test('where the tools of the proof are missing nothing counts as stopped', t => {
  const bin = t.testdir()
  for (const tool of ['sh', 'cat', 'grep', 'head', 'ls', 'readlink', 'sed', 'tr'])
    symlinkSync(
      spawnSync('sh', ['-c', `command -v ${tool}`], {encoding: 'utf8'}).stdout.trim(),
      join(bin, tool),
    )
  const {status, stderr} = spawnSync('/bin/sh', ['-c', PROVE_STOPPED, 'sh', '', '/srv/a', '', '', ''], {
    encoding: 'utf8',
    env: {PATH: bin},
  })
  t.match({status, stderr}, {status: 1, stderr: /^awk is not on this host/})
  t.end()
})

t.test('a data directory that only config files name counts as this server', async t => {
  const {executable} = await server(t, ['-config-dir=/etc/consul.d'])
  t.match(sh(PROVE_STOPPED, [executable, '/srv/a', '', '', '']), {code: 73})
})

t.test(
  'a listening socket on the Raft port speaks against it; on another address of the host it does not',
  async t => {
    const listener = createServer()
    await new Promise<void>(resolve => listener.listen(0, '127.0.0.2', resolve))
    const {port} = listener.address() as AddressInfo
    const ask = (address: string, at = port) => sh(PROVE_STOPPED, ['/no/such', '', '', address, String(at)])
    t.match(ask('127.0.0.2'), {code: 73, words: `something listens on port ${port}`})
    t.match(ask('127.0.0.3'), {code: 0})
    t.match(ask('consul-1'), {code: 73}, 'a name is no address: any listener counts')
    await new Promise(resolve => listener.close(resolve))
    t.match(ask('127.0.0.2'), {code: 0})
  },
)

t.test('a lock on the store speaks against it', async t => {
  const store = join(t.testdir({'raft.db': 'x'}), 'raft.db')
  t.match(sh(PROVE_STOPPED, ['/no/such', '', store, '', '']), {code: 0})
  const child = spawn('flock', [store, 'sh', '-c', 'echo locked; read nothing'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  await new Promise(resolve => child.stdout.once('data', resolve))
  t.match(sh(PROVE_STOPPED, ['/no/such', '', store, '', '']), {
    code: 73,
    words: /^process \d+ holds the log store$/,
  })
  const ended = new Promise(resolve => child.once('exit', resolve))
  child.stdin.end()
  await ended
  t.match(sh(PROVE_STOPPED, ['/no/such', '', store, '', '']), {code: 0})
})

t.test('a small file is moved away whole, once, and only behind its guard', async t => {
  const root = t.testdir({from: 'text'})
  const [from, to] = [join(root, 'from'), join(root, 'deep/er/to')]
  t.match(sh(MOVE_AWAY, [from, to, 'echo it runs >&2; exit 1']), {code: 73, words: 'it runs'})
  t.equal(readFileSync(from, 'utf8'), 'text')
  t.match(sh(MOVE_AWAY, [from, to, 'exit 0']), {code: 0})
  t.equal(readFileSync(to, 'utf8'), 'text')
  t.match(sh(MOVE_AWAY, [from, to, 'exit 1']), {code: 70}, 'a second time there is nothing to do')
  writeFileSync(from, 'other')
  t.match(sh(MOVE_AWAY, [from, to, '']), {code: 71, words: `${to} is there already`})
  mkdirSync(join(root, 'directory'))
  t.match(sh(MOVE_AWAY, [join(root, 'directory'), to, '']), {code: 71})
})
