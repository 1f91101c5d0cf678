import {randomBytes} from 'node:crypto'
import {existsSync, readFileSync, readdirSync, rmSync, writeFileSync} from 'node:fs'
import net from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import t from 'tap'
import {makeConnector} from '../../../src/adapters/transport/connector.js'
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
const sshd = await startSshd({authorized: [`${good}.pub`]})
t.teardown(async () => {
  await sshd.stop()
  rmSync(keys, {recursive: true, force: true})
})
const connector = makeConnector({ask: undefined, env: {}, sshConfigFiles: []})
const target = (overrides: Partial<HostTarget> = {}): HostTarget =>
  sshTarget(sshd, good, {transport: 'openssh', ...overrides})

async function connected(to: HostTarget): Promise<HostConnection> {
  const result = await connector.connect(to)
  if (result.kind !== 'connected') throw new Error(`${result.code}: ${result.reason.detail}`)
  return result.connection
}

t.test(
  "the operator's ssh runs programs with their input over one connection, and leaves nothing behind",
  async t => {
    const before = readdirSync(tmpdir()).filter(name => name.startsWith('qs-'))
    const connection = await connected(target())
    t.match(connection.access, {transport: 'openssh', user: 'root', root: 'root'})
    const results = await Promise.all(
      ["it's", '$(id)', 'a\nb'].map(async word =>
        connection.run({
          argv: ['sh', '-c', 'printf %s "$1"; cat; exit 4', 'sh', word],
          stdin: Buffer.from([0, 255]),
          timeoutMs: 9000,
          maxBytes: 100,
          root: true,
        }),
      ),
    )
    for (const [i, word] of ["it's", '$(id)', 'a\nb'].entries()) {
      const result = results[i]
      t.match(result, {kind: 'exited', code: 4})
      if (result?.kind === 'exited') {
        t.strictSame(Buffer.from(result.stdout), Buffer.concat([Buffer.from(word), Buffer.from([0, 255])]))
      }
    }
    t.match(
      await connection.run({argv: ['sh', '-c', 'exit 255'], timeoutMs: 9000, maxBytes: 9, root: true}),
      {
        kind: 'exited',
        code: 255,
      },
    )
    t.equal((sshd.log().match(/Accepted publickey/g) ?? []).length, 1)
    await connection.close()
    t.strictSame(
      readdirSync(tmpdir()).filter(name => name.startsWith('qs-')),
      before,
    )
  },
)

t.test('files are read through a shell, streams reach TCP ports and unix sockets', async t => {
  const connection = await connected(target())
  const path = join(keys, 'file')
  const bytes = randomBytes(500_000)
  writeFileSync(path, bytes)
  const file = await connection.openFile(path, {root: true, timeoutMs: 9000})
  t.ok(bytes.subarray(4000, 104_000).equals(Buffer.from(await file.read(4000, 100_000))))
  const serve = (socket: net.Socket): unknown => socket.pipe(socket)
  const echo = net.createServer({allowHalfOpen: true}, serve)
  await new Promise<void>(resolve => echo.listen(0, '127.0.0.1', resolve))
  const unix = net.createServer({allowHalfOpen: true}, serve)
  const socketPath = join(keys, 'echo.sock')
  await new Promise<void>(resolve => unix.listen(socketPath, resolve))
  const {port} = echo.address() as net.AddressInfo
  for (const to of [
    {kind: 'tcp', host: '127.0.0.1', port} as const,
    {kind: 'unix', path: socketPath} as const,
  ]) {
    const stream = await connection.forward(to, 5000)
    await stream.write(Buffer.from('hello'))
    for await (const chunk of stream.chunks) {
      t.equal(Buffer.from(chunk).toString(), 'hello')
      break
    }
    stream.close()
  }
  const dead = await connection.forward({kind: 'tcp', host: '127.0.0.1', port: await freePort()}, 5000)
  const drain = async (): Promise<void> => {
    for await (const chunk of dead.chunks) t.fail(`got ${chunk.length} bytes`)
  }
  t.match(await whyOf(drain()), 'lost')
  echo.close()
  unix.close()
  await connection.close()
})

t.test('refusals carry the same codes as those of the built-in transport', async t => {
  const file = (name: string, text: string): string => {
    writeFileSync(join(keys, name), text)
    return join(keys, name)
  }
  const rows: readonly (readonly [Partial<HostTarget>, string, string])[] = [
    [{identityFiles: [other]}, 'LOGIN_REFUSED', 'denied'],
    [{knownHostsFiles: [file('none', '')]}, 'HOST_KEY_UNKNOWN', 'denied'],
    [
      {knownHostsFiles: [file('changed', `[127.0.0.1]:${sshd.port} ${publicKey(other)}\n`)]},
      'HOST_KEY_CHANGED',
      'denied',
    ],
    [
      {
        knownHostsFiles: [
          file(
            'revoked',
            `${readFileSync(sshd.knownHosts, 'utf8')}@revoked * ${publicKey(sshd.hostKeys[0] ?? '')}\n`,
          ),
        ],
      },
      'HOST_KEY_CHANGED',
      'denied',
    ],
    [{port: await freePort()}, 'HOST_UNREACHABLE', 'refused'],
    [{address: 'no-such-host.invalid'}, 'HOST_UNREACHABLE', 'no-route'],
  ]
  for (const [overrides, code, why] of rows) {
    const found = await connector.connect(target(overrides))
    t.match(found, {kind: 'unread', code, reason: {why}}, JSON.stringify(found))
  }
  const hostile = await connector.connect(target({address: '-oProxyCommand=touch /tmp/quorate-pwned'}))
  t.equal(hostile.kind, 'unread')
  t.notOk(existsSync('/tmp/quorate-pwned'))
})

t.test('a connection cut in the middle is lost', async t => {
  const own = await startSshd({authorized: [`${good}.pub`]})
  t.teardown(async () => own.stop())
  const connection = await connected(sshTarget(own, good, {transport: 'openssh'}))
  const running = connection.run({argv: ['sleep', '60'], timeoutMs: 30_000, maxBytes: 100, root: false})
  await new Promise(resolve => setTimeout(resolve, 300))
  for (const pid of own.sessionPids()) kill(pid)
  t.match(await running, {kind: 'failed', why: 'lost'})
  t.match(await connection.run({argv: ['true'], timeoutMs: 9000, maxBytes: 9, root: false}), {why: 'lost'})
  await connection.close()
})
