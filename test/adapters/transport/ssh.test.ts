import {mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import net from 'node:net'
import {join} from 'node:path'
import {createHmac, randomBytes} from 'node:crypto'
import {spawn} from 'node:child_process'
import {execFileSync} from 'node:child_process'
import t from 'tap'
import {makeConnector} from '../../../src/adapters/transport/connector.js'
import {fingerprint} from '../../../src/adapters/transport/host-keys.js'
import type {HostConnection, HostTarget} from '../../../src/ports/transport.js'
import {
  freePort,
  kill,
  makeKey,
  makeKeyDir,
  publicKey,
  sshTarget,
  startSshd,
  whyOf,
} from '../../helpers/sshd.js'

const keys = makeKeyDir()
const good = makeKey(keys, 'good')
const other = makeKey(keys, 'other')
const locked = makeKey(keys, 'locked', {passphrase: 'open sesame'})
const sshd = await startSshd({
  authorized: [`${good}.pub`, `${locked}.pub`],
  hostKeyTypes: ['ed25519', 'ecdsa', 'rsa'],
})
t.teardown(async () => {
  await sshd.stop()
  rmSync(keys, {recursive: true, force: true})
})

const noConfig = {sshConfigFiles: [] as readonly string[]}
const connector = makeConnector({ask: undefined, env: {}, ...noConfig})

async function connected(target: HostTarget, use = connector): Promise<HostConnection> {
  const result = await use.connect(target)
  if (result.kind !== 'connected') throw new Error(`${result.code}: ${result.reason.detail}`)
  return result.connection
}

async function refusal(
  target: HostTarget,
  use = connector,
): Promise<{code: string; why: string; detail: string; hints: readonly string[]}> {
  const result = await use.connect(target)
  if (result.kind === 'connected') {
    await result.connection.close()
    throw new Error('connected')
  }
  return {code: result.code, why: result.reason.why, detail: result.reason.detail ?? '', hints: result.hints}
}

function knownHostsFile(name: string, text: string): string {
  const file = join(keys, name)
  writeFileSync(file, text)
  return file
}

t.test('a right key logs in, and root is known to be root', async t => {
  const connection = await connected(sshTarget(sshd, good))
  t.strictSame(connection.access, {
    transport: 'ssh',
    user: 'root',
    root: 'root',
    sftp: true,
    forwarding: true,
  })
  const result = await connection.run({argv: ['id', '-u'], timeoutMs: 5000, maxBytes: 100, root: true})
  t.match(result, {kind: 'exited', code: 0, truncated: false})
  if (result.kind === 'exited') t.equal(Buffer.from(result.stdout).toString(), '0\n')
  await connection.close()
})

t.test('a wrong key is refused and the keys tried are named', async t => {
  const found = await refusal(sshTarget(sshd, other))
  t.equal(found.code, 'LOGIN_REFUSED')
  t.equal(found.why, 'denied')
  t.match(found.detail, /other/)
})

t.test('a key file that is not there is named in the refusal', async t => {
  const found = await refusal(sshTarget(sshd, join(keys, 'missing')))
  t.equal(found.code, 'LOGIN_REFUSED')
  t.match(found.detail, /missing \(ENOENT/)
})

t.test('an unknown host key is refused with its fingerprint and what would accept it', async t => {
  const empty = knownHostsFile('kh-empty', '')
  const found = await refusal(sshTarget(sshd, good, {knownHostsFiles: [empty]}))
  t.equal(found.code, 'HOST_KEY_UNKNOWN')
  const blob = Buffer.from(publicKey(sshd.hostKeys[0] ?? '').split(' ')[1] ?? '', 'base64')
  t.match(found.detail, fingerprint(blob))
  t.match(found.hints.join('\n'), `ssh-keyscan -p ${sshd.port} -t ed25519 127.0.0.1 >> ${empty}`)
})

t.test('the command that a refusal prints makes the host known', async t => {
  const file = knownHostsFile('kh-accept', '')
  const target = sshTarget(sshd, good, {knownHostsFiles: [file]})
  const found = await refusal(target)
  const command = found.hints.find(hint => hint.startsWith('ssh-keyscan')) ?? ''
  execFileSync('sh', ['-c', command], {stdio: 'ignore'})
  const fresh = makeConnector({ask: undefined, env: {}, ...noConfig})
  const connection = await connected(target, fresh)
  t.equal(connection.access.user, 'root')
  await connection.close()
})

t.test('a changed host key is refused with the line that holds another', async t => {
  const file = knownHostsFile('kh-changed', `# mine\n[127.0.0.1]:${sshd.port} ${publicKey(other)}\n`)
  const found = await refusal(sshTarget(sshd, good, {knownHostsFiles: [file]}))
  t.equal(found.code, 'HOST_KEY_CHANGED')
  t.match(found.detail, `${file}:2`)
  t.match(found.hints.join('\n'), 'ssh-keygen -R')
})

t.test('the command printed for a changed key makes the host known', async t => {
  const file = knownHostsFile('kh-changed2', `[127.0.0.1]:${sshd.port} ${publicKey(other)}\n`)
  const target = sshTarget(sshd, good, {knownHostsFiles: [file]})
  const found = await refusal(target)
  execFileSync('sh', ['-c', found.hints.find(hint => hint.startsWith('ssh-keygen')) ?? ''], {stdio: 'ignore'})
  const connection = await connected(target, makeConnector({ask: undefined, env: {}, ...noConfig}))
  t.equal(connection.access.user, 'root')
  await connection.close()
})

t.test('a revoked key is refused even where it is also listed as good', async t => {
  const text = readFileSync(sshd.knownHosts, 'utf8')
  const revoked = sshd.hostKeys.map(key => `@revoked [127.0.0.1]:${sshd.port} ${publicKey(key)}\n`).join('')
  const file = knownHostsFile('kh-revoked', text + revoked)
  const found = await refusal(sshTarget(sshd, good, {knownHostsFiles: [file]}))
  t.equal(found.code, 'HOST_KEY_CHANGED')
  t.match(found.detail, 'marks as revoked')
})

t.test('a hashed entry is as good as a plain one', async t => {
  const salt = randomBytes(20)
  const name = `[127.0.0.1]:${sshd.port}`
  const hash = createHmac('sha1', salt).update(name).digest('base64')
  const line = `|1|${salt.toString('base64')}|${hash} ${publicKey(sshd.hostKeys[0] ?? '')}\n`
  const connection = await connected(
    sshTarget(sshd, good, {knownHostsFiles: [knownHostsFile('kh-hash', line)]}),
  )
  t.equal(connection.access.user, 'root')
  await connection.close()
})

t.test('a host with several keys is asked for the one that is known', async t => {
  for (const key of sshd.hostKeys) {
    const file = knownHostsFile(
      `kh-one-${key.split('_').pop()}`,
      `[127.0.0.1]:${sshd.port} ${publicKey(key)}\n`,
    )
    const connection = await connected(sshTarget(sshd, good, {knownHostsFiles: [file]}))
    t.equal(connection.access.user, 'root', key)
    await connection.close()
  }
})

t.test('a port where nothing listens is refused, a name that does not exist has no route', async t => {
  const found = await refusal(sshTarget(sshd, good, {port: await freePort()}))
  t.strictSame([found.code, found.why], ['HOST_UNREACHABLE', 'refused'])
  const nowhere = await refusal(sshTarget(sshd, good, {address: 'no-such-host.invalid'}))
  t.strictSame([nowhere.code, nowhere.why], ['HOST_UNREACHABLE', 'no-route'])
})

t.test('a port that accepts and says nothing is given up after the time limit', async t => {
  const silent = net.createServer(() => undefined)
  await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve))
  const {port} = silent.address() as net.AddressInfo
  const found = await refusal(sshTarget(sshd, good, {port, connectTimeoutMs: 300}))
  t.strictSame([found.code, found.why], ['HOST_UNREACHABLE', 'timed-out'])
  const startedMs = performance.now()
  const slow = await refusal(sshTarget(sshd, good, {port, connectTimeoutMs: 600, acceptTimeoutMs: 100}))
  t.strictSame([slow.code, slow.why], ['HOST_UNREACHABLE', 'timed-out'])
  t.ok(performance.now() - startedMs >= 590, 'a host that has accepted is given the whole time')
  silent.close()
})

t.test('a port that does not speak ssh is said to be unreachable', async t => {
  const web = net.createServer(socket => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  await new Promise<void>(resolve => web.listen(0, '127.0.0.1', resolve))
  const {port} = web.address() as net.AddressInfo
  const found = await refusal(sshTarget(sshd, good, {port, connectTimeoutMs: 2000}))
  t.equal(found.code, 'HOST_UNREACHABLE')
  web.close()
})

t.test('the agent holds the key', async t => {
  const socket = join(keys, 'agent.sock')
  const agent = spawn('ssh-agent', ['-D', '-a', socket], {stdio: 'ignore'})
  t.teardown(() => agent.kill())
  for (let i = 0; i < 100; i++) {
    try {
      execFileSync('ssh-add', ['-q', good], {env: {...process.env, SSH_AUTH_SOCK: socket}, stdio: 'ignore'})
      break
    } catch {
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }
  const use = makeConnector({ask: undefined, env: {SSH_AUTH_SOCK: socket}, ...noConfig})
  await (await connected(sshTarget(sshd, undefined), use)).close()
  const stale = makeConnector({ask: undefined, env: {SSH_AUTH_SOCK: join(keys, 'gone.sock')}, ...noConfig})
  await (await connected(sshTarget(sshd, good), stale)).close()
  const found = await refusal(sshTarget(sshd, other), stale)
  t.equal(found.code, 'LOGIN_REFUSED', 'an agent that does not answer is no crash')
})

t.test('a passphrase is asked once for several hosts, and its time is not counted', async t => {
  const asked: string[] = []
  const ask = async (question: string): Promise<string> => {
    asked.push(question)
    await new Promise(resolve => setTimeout(resolve, 8200))
    return 'open sesame'
  }
  const use = makeConnector({ask, env: {}, ...noConfig})
  const target = sshTarget(sshd, locked, {connectTimeoutMs: 8000})
  const both = await Promise.all([connected(target, use), connected(target, use)])
  t.equal(asked.length, 1)
  t.match(asked[0], locked)
  await Promise.all(both.map(async one => one.close()))
})

t.test('a wrong passphrase is a refused login that says so', async t => {
  const use = makeConnector({ask: async () => Promise.resolve('no'), env: {}, ...noConfig})
  const found = await refusal(sshTarget(sshd, locked), use)
  t.equal(found.code, 'LOGIN_REFUSED')
  t.match(found.detail, 'wrong passphrase')
})

t.test('a ProxyJump chain reaches through, and each host key on the way is checked', async t => {
  const jump = await startSshd({authorized: [`${good}.pub`]})
  t.teardown(async () => jump.stop())
  const both = knownHostsFile(
    'kh-jump',
    readFileSync(sshd.knownHosts, 'utf8') + readFileSync(jump.knownHosts, 'utf8'),
  )
  const hop = `root@127.0.0.1:${jump.port}`
  const use = makeConnector({ask: undefined, env: {}, ...noConfig})
  const target = sshTarget(sshd, good, {jump: [hop], knownHostsFiles: [both]})
  const [one, two] = await Promise.all([connected(target, use), connected(target, use)])
  const result = await one?.run({
    argv: ['sh', '-c', 'echo $SSH_CONNECTION'],
    timeoutMs: 5000,
    maxBytes: 200,
    root: false,
  })
  t.match(result, {kind: 'exited', code: 0})
  t.equal(
    (jump.log().match(/Accepted publickey/g) ?? []).length,
    1,
    'hosts share the connection to their jump host',
  )
  const bad = await refusal(target, makeConnector({ask: undefined, env: {}, ...noConfig})).catch(
    () => undefined,
  )
  t.equal(bad, undefined)
  const unknown = await refusal(
    {...target, knownHostsFiles: [sshd.knownHosts]},
    makeConnector({ask: undefined, env: {}, ...noConfig}),
  )
  t.equal(unknown.code, 'HOST_KEY_UNKNOWN')
  t.match(unknown.detail, `Jump host ${hop}`)
  await one?.close()
  await two?.close()
  await use.close()
})

t.test(
  'ssh_config names address, port, user, key and jump host; Match exec is not run and said to be ignored',
  async t => {
    const trap = join(keys, 'trap')
    mkdirSync(join(keys, 'conf.d'))
    writeFileSync(
      join(keys, 'conf.d', 'a.conf'),
      `Host alias\n  HostName 127.0.0.1\n  Port ${sshd.port}\n  user root\n  UserKnownHostsFile ${sshd.knownHosts}\n`,
    )
    const config = knownHostsFile(
      'config',
      `Include conf.d/*.conf\nMatch exec "touch ${trap}"\n  Port 1\nHost *\n  IdentityFile ${good}\n`,
    )
    const use = makeConnector({ask: undefined, env: {}, sshConfigFiles: [config]})
    const target = sshTarget(sshd, undefined, {
      address: 'alias',
      port: undefined,
      user: undefined,
      knownHostsFiles: [],
    })
    await (await connected(target, use)).close()
    t.throws(() => readFileSync(trap), {code: 'ENOENT'})
    const found = await refusal({...target, identityFiles: [other]}, use)
    t.match(found.hints.join(), 'Match exec')
  },
)

t.test('arguments and standard input arrive byte for byte', async t => {
  const connection = await connected(sshTarget(sshd, good))
  const hostile = ["it's", '$(id)', '`id`', '"', '\\', 'a\nb', '\u001b[31m', '*', '', '-n', 'é', ';', '!']
  const result = await connection.run({
    argv: ['sh', '-c', 'for a in "$@"; do printf "%s\\0" "$a"; done; cat', 'sh', ...hostile],
    stdin: Buffer.from([0, 1, 255, 10, 13]),
    timeoutMs: 5000,
    maxBytes: 10_000,
    root: true,
  })
  t.match(result, {kind: 'exited', code: 0})
  if (result.kind === 'exited') {
    const expected = Buffer.concat([
      Buffer.from(hostile.map(one => `${one}\0`).join('')),
      Buffer.from([0, 1, 255, 10, 13]),
    ])
    t.strictSame(Buffer.from(result.stdout), expected)
  }
  const nul = await connection.run({argv: ['echo', 'a\0b'], timeoutMs: 1000, maxBytes: 10, root: false})
  t.match(nul, {kind: 'failed', why: 'unsupported'})
  await connection.close()
})

t.test('exit codes, signals and a missing program are told apart', async t => {
  const connection = await connected(sshTarget(sshd, good))
  const run = async (script: string) =>
    connection.run({argv: ['sh', '-c', script], timeoutMs: 5000, maxBytes: 1000, root: false})
  t.match(await run('exit 7'), {kind: 'exited', code: 7, signal: undefined})
  t.match(await run('kill -TERM $$'), {kind: 'exited', code: undefined, signal: 'SIGTERM'})
  const missing = await connection.run({
    argv: ['no-such-program'],
    timeoutMs: 5000,
    maxBytes: 1000,
    root: false,
  })
  t.match(missing, {kind: 'exited', code: 127})
  await connection.close()
})

t.test('output beyond the limit is dropped and said to be', async t => {
  const connection = await connected(sshTarget(sshd, good))
  const result = await connection.run({
    argv: ['sh', '-c', 'dd if=/dev/zero bs=65536 count=200 2>/dev/null; echo err >&2'],
    timeoutMs: 20_000,
    maxBytes: 1000,
    root: false,
  })
  t.match(result, {kind: 'exited', code: 0, truncated: true})
  if (result.kind === 'exited') t.equal(result.stdout.length, 1000)
  await connection.close()
})

t.test('a program that does not end is ended with the time limit, and the connection lives on', async t => {
  const connection = await connected(sshTarget(sshd, good))
  const started = Date.now()
  const result = await connection.run({argv: ['sleep', '5'], timeoutMs: 500, maxBytes: 100, root: false})
  t.match(result, {kind: 'failed', why: 'timed-out'})
  t.ok(Date.now() - started < 3000)
  t.match(await connection.run({argv: ['true'], timeoutMs: 5000, maxBytes: 10, root: false}), {code: 0})
  await connection.close()
})

t.test('more programs at once than a server allows sessions wait for their turn', async t => {
  const connection = await connected(sshTarget(sshd, good))
  const results = await Promise.all(
    Array.from({length: 30}, async (_, i) =>
      connection.run({
        argv: ['sh', '-c', `sleep 0.05; echo ${i}`],
        timeoutMs: 20_000,
        maxBytes: 100,
        root: false,
      }),
    ),
  )
  t.ok(results.every(one => one.kind === 'exited' && one.code === 0))
  await connection.close()
})

t.test('a connection cut in the middle is lost, never a plain failure', async t => {
  const own = await startSshd({authorized: [`${good}.pub`]})
  t.teardown(async () => own.stop())
  const connection = await connected(sshTarget(own, good))
  const file = await connection.openFile('/etc/passwd', {root: true, timeoutMs: 5000})
  const running = connection.run({argv: ['sleep', '60'], timeoutMs: 30_000, maxBytes: 100, root: false})
  await new Promise(resolve => setTimeout(resolve, 200))
  for (const pid of own.sessionPids()) kill(pid)
  t.match(await running, {kind: 'failed', why: 'lost'})
  t.match(await connection.run({argv: ['true'], timeoutMs: 3000, maxBytes: 10, root: false}), {
    kind: 'failed',
    why: 'lost',
  })
  t.match(await whyOf(file.read(0, 10)), 'lost')
  t.match(await whyOf(connection.forward({kind: 'tcp', host: '127.0.0.1', port: own.port}, 1000)), 'lost')
  await connection.close()
})

t.test('files are read by position over SFTP', async t => {
  const connection = await connected(sshTarget(sshd, good))
  const path = join(keys, "we'ird\n$(name)")
  const bytes = randomBytes(3_000_000)
  writeFileSync(path, bytes)
  const file = await connection.openFile(path, {root: true, timeoutMs: 5000})
  t.equal(file.sizeBytes, bytes.length)
  const places = [0, 1, 4095, 4096, 1_000_001, 2_999_990]
  const parts = await Promise.all(places.map(async at => file.read(at, 100_000)))
  places.forEach((at, i) =>
    t.ok(bytes.subarray(at, at + 100_000).equals(Buffer.from(parts[i] ?? [])), `at ${at}`),
  )
  t.equal((await file.read(bytes.length + 5, 10)).length, 0)
  await file.close()
  const known = await connection.openFile(path, {root: true, timeoutMs: 5000, regular: true})
  t.equal(known.sizeBytes, bytes.length)
  t.ok(bytes.subarray(7, 99).equals(Buffer.from(await known.read(7, 92))), 'also where nobody looks before')
  await known.close()
  for (const [odd, why] of [
    [join(keys, 'none'), 'absent'],
    ['/dev/zero', 'unsupported'],
  ] as const)
    t.match(await whyOf(connection.openFile(odd, {root: true, timeoutMs: 5000, regular: true})), why)
  t.match(await whyOf(connection.openFile(join(keys, 'none'), {root: true, timeoutMs: 5000})), 'absent')
  t.match(await whyOf(connection.openFile('/dev/zero', {root: true, timeoutMs: 5000})), 'unsupported')
  await connection.close()
})

t.test('without SFTP the same reads go through a shell', async t => {
  const own = await startSshd({authorized: [`${good}.pub`], config: ['Subsystem sftp /bin/false']})
  t.teardown(async () => own.stop())
  const connection = await connected(sshTarget(own, good))
  t.equal(connection.access.sftp, false)
  const path = join(keys, "sh 'way\n$(id)\n")
  const bytes = randomBytes(3_000_001)
  writeFileSync(path, bytes)
  const file = await connection.openFile(path, {root: true, timeoutMs: 10_000})
  t.equal(file.sizeBytes, bytes.length)
  const places = [0, 1, 4095, 4096, 1_000_001, 2_999_990]
  const parts = await Promise.all(places.map(async at => file.read(at, 1_500_000)))
  places.forEach((at, i) =>
    t.ok(bytes.subarray(at, at + 1_500_000).equals(Buffer.from(parts[i] ?? [])), `at ${at}`),
  )
  t.equal((await file.read(bytes.length + 5, 10)).length, 0)
  t.match(await whyOf(connection.openFile(join(keys, 'none'), {root: true, timeoutMs: 5000})), 'absent')
  t.match(await whyOf(connection.openFile('/dev/zero', {root: true, timeoutMs: 5000})), 'unsupported')
  t.match(await whyOf(connection.openFile('relative', {root: true, timeoutMs: 5000})), 'unsupported')
  writeFileSync(path, 'short now')
  t.equal(Buffer.from(await file.read(0, 100)).toString(), 'short now', 'a file that shrank does no harm')
  for (const pid of own.sessionPids()) kill(pid)
  t.match(await whyOf(file.read(0, 10)), 'lost')
  await connection.close()
})

t.test('streams reach TCP ports and unix sockets on the host', async t => {
  const echo = net.createServer({allowHalfOpen: true}, socket => socket.pipe(socket))
  await new Promise<void>(resolve => echo.listen(0, '127.0.0.1', resolve))
  const path = join(keys, 'echo.sock')
  const unix = net.createServer({allowHalfOpen: true}, socket => socket.pipe(socket))
  await new Promise<void>(resolve => unix.listen(path, resolve))
  t.teardown(() => {
    echo.close()
    unix.close()
  })
  const connection = await connected(sshTarget(sshd, good))
  const {port} = echo.address() as net.AddressInfo
  for (const target of [{kind: 'tcp', host: '127.0.0.1', port} as const, {kind: 'unix', path} as const]) {
    const stream = await connection.forward(target, 3000)
    await stream.write(Buffer.from('hello'))
    for await (const chunk of stream.chunks) {
      t.equal(Buffer.from(chunk).toString(), 'hello')
      break
    }
    stream.close()
  }
  const dead = await freePort()
  t.match(await whyOf(connection.forward({kind: 'tcp', host: '127.0.0.1', port: dead}, 3000)), 'refused')
  t.match(await whyOf(connection.forward({kind: 'unix', path: join(keys, 'none.sock')}, 3000)), 'refused')
  await connection.close()
})

t.test('a host that forbids forwarding is told apart from a port that refuses', async t => {
  const own = await startSshd({
    authorized: [`${good}.pub`],
    config: ['AllowTcpForwarding no'],
  })
  t.teardown(async () => own.stop())
  const connection = await connected(sshTarget(own, good))
  t.match(await whyOf(connection.forward({kind: 'tcp', host: '127.0.0.1', port: own.port}, 3000)), 'denied')
  t.equal(connection.access.forwarding, false)
  await connection.close()
})
