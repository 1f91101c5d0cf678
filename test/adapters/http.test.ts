import {execFileSync, spawn} from 'node:child_process'
import {mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync} from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import {join} from 'node:path'
import t from 'tap'
import {makeHttpClient} from '../../src/adapters/http.js'
import {makeConnector} from '../../src/adapters/transport/connector.js'
import type {HttpAnswer, HttpRequest, HttpTls} from '../../src/ports/http.js'
import type {HostConnection} from '../../src/ports/transport.js'
import {freePort, makeKey, makeKeyDir, requireProgram, sshTarget, startSshd} from '../helpers/sshd.js'

const keys = makeKeyDir()
const key = makeKey(keys, 'good')
const token = 'secret-token-4711'
const socketPath = join(keys, 'api.sock')
const closers: (() => Promise<void> | void)[] = []
t.teardown(async () => {
  for (const close of closers.reverse()) await close()
  rmSync(keys, {recursive: true, force: true})
})

/** Whether any process of this machine shows the token on its command line or in its environment. */
function tokenShows(): readonly string[] {
  return readdirSync('/proc').flatMap(pid => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return []
    try {
      const shown =
        readFileSync(`/proc/${pid}/cmdline`, 'latin1') + readFileSync(`/proc/${pid}/environ`, 'latin1')
      return shown.includes(token) ? [shown.replaceAll('\0', ' ').slice(0, 200)] : []
    } catch {
      return []
    }
  })
}

let shown: readonly string[] = []
let looks = 0
/** What the API answers, by path. While it is asked with a token, it looks whether anybody could see that. */
const api: http.RequestListener = (request, response) => {
  const body: Buffer[] = []
  request.on('data', (chunk: Buffer) => body.push(chunk))
  request.on('end', () => {
    if (request.headers['x-consul-token'] === token) {
      shown = [...shown, ...tokenShows()]
      looks++
    }
    switch (request.url) {
      case '/echo?a=1&b=%20':
        response.setHeader('X-Test', 'one')
        response.end(
          `${request.method} ${request.headers['x-consul-token'] ?? 'none'} ${Buffer.concat(body).toString()}`,
        )
        break
      case '/chunked':
        response.write('one,')
        setTimeout(() => response.write('two,'), 20)
        setTimeout(() => response.end('three'), 40)
        break
      case '/500':
        response.statusCode = 500
        response.end('No cluster leader')
        break
      case '/large':
        response.end('x'.repeat(300_000))
        break
      case '/cut':
        response.setHeader('Content-Length', '1000')
        response.write('only this')
        setTimeout(() => response.destroy(), 20)
        break
      case '/silent':
        break
      default:
        response.statusCode = 404
        response.end()
    }
  })
}

/** A server on loopback or a socket file; ends with the tests. */
async function listen(server: net.Server, at: number | string): Promise<number> {
  await new Promise<void>(resolve =>
    typeof at === 'string' ? server.listen(at, resolve) : server.listen(at, '127.0.0.1', resolve),
  )
  closers.push(() => {
    if (server instanceof http.Server || server instanceof https.Server) server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

const port = await listen(http.createServer(api), 0)
await listen(http.createServer(api), socketPath)
const noise = await listen(
  net.createServer(socket => {
    socket.on('error', () => undefined)
    socket.end('220 mail.example.org ESMTP\r\n')
  }),
  0,
)
const dead = await freePort()

/** A connection through a real sshd with these settings. */
async function through(config: readonly string[]): Promise<HostConnection> {
  const sshd = await startSshd({authorized: [`${key}.pub`], config})
  closers.push(() => sshd.stop())
  const result = await makeConnector({ask: undefined, env: {}, sshConfigFiles: []}).connect(
    sshTarget(sshd, key),
  )
  if (result.kind !== 'connected') throw new Error(result.reason.detail)
  closers.push(() => result.connection.close())
  return result.connection
}

/** A directory as PATH that has what a connection needs and just these programs. */
function pathWith(...programs: readonly string[]): string {
  const dir = join(keys, `only-${programs.join('-') || 'nothing'}`)
  mkdirSync(dir)
  for (const name of ['sh', 'id', ...programs]) symlinkSync(`/usr/bin/${name}`, join(dir, name))
  return `SetEnv PATH=${dir}`
}

const closed = ['AllowTcpForwarding no', 'AllowStreamLocalForwarding no']
for (const name of ['curl', 'wget', 'nc'])
  requireProgram(`/usr/bin/${name}`, name === 'nc' ? 'netcat-openbsd' : name)
const ways = {
  forward: await through([pathWith()]),
  curl: await through([...closed, pathWith('curl')]),
  wget: await through([...closed, pathWith('wget')]),
  nc: await through([...closed, pathWith('nc')]),
} as const
const client = makeHttpClient()
closers.push(() => client.close())

function ask(connection: HostConnection, parts: Partial<HttpRequest> = {}): Promise<HttpAnswer> {
  return client.request(connection, {
    target: {kind: 'tcp', host: '127.0.0.1', port},
    method: 'GET',
    path: '/echo?a=1&b=%20',
    token: undefined,
    tls: undefined,
    timeoutMs: 5000,
    maxBytes: 100_000,
    ...parts,
  })
}

/** An answer in one line: way, status, body; or why there is none. */
const line = (answer: HttpAnswer): string =>
  answer.kind === 'failed'
    ? answer.why
    : `${answer.through} ${answer.status} ${new TextDecoder().decode(answer.body)}`

for (const [name, connection] of Object.entries(ways)) {
  t.test(`${name}: answers come whole, with status and headers`, async t => {
    const plain = await ask(connection)
    t.equal(line(plain), `${name} 200 GET none `)
    t.match(plain, {headers: {'x-test': 'one'}, truncated: false})
    t.equal(line(await ask(connection, {path: '/chunked'})), `${name} 200 one,two,three`)
    t.equal(line(await ask(connection, {path: '/500'})), `${name} 500 No cluster leader`)
    t.equal(line(await ask(connection, {path: '/nothing'})), `${name} 404 `)
  })

  t.test(`${name}: a long body is cut where it was said, and one that broke off is no answer`, async t => {
    const large = await ask(connection, {path: '/large', maxBytes: 1000})
    t.match(large, {kind: 'answered', truncated: true})
    t.equal(large.kind === 'answered' ? large.body.length : 0, 1000)
    const whole = await ask(connection, {path: '/large', maxBytes: 300_000})
    t.match(whole, {kind: 'answered', truncated: false})
    t.equal(whole.kind === 'answered' ? whole.body.length : 0, 300_000)
    t.match(await ask(connection, {path: '/cut'}), {kind: 'failed'})
  })

  t.test(`${name}: a closed port, silence and another protocol are told apart`, async t => {
    const at = (to: number) => ({target: {kind: 'tcp', host: '127.0.0.1', port: to} as const})
    t.equal(line(await ask(connection, at(dead))), 'refused')
    t.equal(line(await ask(connection, {path: '/silent', timeoutMs: 1000})), 'timed-out')
    t.equal(line(await ask(connection, at(noise))), 'unparsable')
  })
}

for (const name of ['forward', 'curl', 'nc'] as const) {
  t.test(`${name}: a token and a body arrive, and no process shows the token`, async t => {
    const body = new TextEncoder().encode('{"k":"it\'s \\"quoted\\" $(id) `id` \\\\ %s ü"}')
    const before = looks
    const answer = await ask(ways[name], {method: 'PUT', token, body})
    t.equal(line(answer), `${name} 200 PUT ${token} ${new TextDecoder().decode(body)}`)
    t.equal(looks, before + 1, 'looked while it was asked')
    t.same(shown, [])
  })
}

t.test('wget would show a token on its command line, so it is not asked with one', async t => {
  t.match(await ask(ways.wget, {token}), {kind: 'failed', why: 'unsupported'})
})

t.test('a host without forwarding and without programs says so', async t => {
  const bare = await through([...closed, `SetEnv PATH=${join(keys, 'only-nothing')}`])
  t.match(await ask(bare), {kind: 'failed', why: 'unsupported'})
})

t.test(
  'a unix socket is asked through the forward, and on the host where forwards to sockets are forbidden',
  async t => {
    const target = {kind: 'unix', path: socketPath} as const
    t.equal(line(await ask(ways.forward, {target})), 'forward 200 GET none ')
    const config = ['AllowStreamLocalForwarding no']
    for (const program of ['curl', 'nc'] as const) {
      const connection = await through([...config, `SetEnv PATH=${join(keys, `only-${program}`)}`])
      t.equal(line(await ask(connection, {target})), `${program} 200 GET none `)
      t.equal(line(await ask(connection, {target})), `${program} 200 GET none `, 'and the next time')
      t.equal(line(await ask(connection)), 'forward 200 GET none ', 'ports are still forwarded')
    }
  },
)

t.test('a unix socket that nobody serves is refused either way', async t => {
  const target = {kind: 'unix', path: join(keys, 'none.sock')} as const
  t.equal(line(await ask(ways.forward, {target})), 'refused')
  t.equal(line(await ask(ways.curl, {target})), 'refused')
  t.equal(line(await ask(ways.nc, {target})), 'refused')
})

t.test('a value with a line break cannot travel through a program and is not sent', async t => {
  const body = new TextEncoder().encode('{\n}')
  t.match(await ask(ways.curl, {method: 'PUT', body}), {kind: 'failed', why: 'unsupported'})
})

/** Makes an authority and, signed by it, a certificate for a name; the files are NAME.crt and NAME.key. */
function certify(authority: string, ...names: readonly string[]): void {
  const openssl = (...argv: readonly string[]) => execFileSync('openssl', argv, {cwd: keys, stdio: 'pipe'})
  const request = ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const files = (name: string, out: string) => ['-keyout', `${name}.key`, '-out', out, '-subj', `/CN=${name}`]
  openssl(...request, '-x509', '-days', '2', ...files(authority, `${authority}.crt`))
  for (const name of names) {
    openssl(...request, ...files(name, `${name}.csr`), '-addext', `subjectAltName=DNS:${name}`)
    const by = ['-CA', `${authority}.crt`, '-CAkey', `${authority}.key`, '-CAcreateserial']
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      ...by,
      '-copy_extensions',
      'copy',
      '-days',
      '2',
      '-out',
      `${name}.crt`,
    )
  }
}

/** A server that asks for a client certificate and, as those written in Go do, says why it takes none. */
async function demanding(name: string, authority: string): Promise<number> {
  const at = await freePort()
  const files = ['-cert', `${name}.crt`, '-key', `${name}.key`, '-CAfile', authority]
  const argv = [
    's_server',
    '-accept',
    `127.0.0.1:${at}`,
    ...files,
    '-Verify',
    '1',
    '-verify_return_error',
    '-www',
  ]
  const child = spawn('openssl', argv, {cwd: keys, stdio: ['ignore', 'pipe', 'ignore']})
  closers.push(() => void child.kill('SIGKILL'))
  for await (const said of child.stdout) if (String(said).includes('ACCEPT')) break
  return at
}

t.test('over TLS the right authority, name and client certificate are taken, and none else', async t => {
  const name = 'server.dc1.consul'
  certify('ours', name, 'operator')
  certify('theirs', 'stranger')
  const read = (file: string) => readFileSync(join(keys, file))
  const own = {key: read(`${name}.key`), cert: read(`${name}.crt`), ca: read('ours.crt')}
  const open = await listen(https.createServer(own, api), 0)
  const strict = await demanding(name, 'ours.crt')
  const plain: HttpTls = {
    caFile: join(keys, 'ours.crt'),
    certFile: undefined,
    keyFile: undefined,
    serverName: name,
    verify: true,
  }
  const proved = (who: string) => ({
    ...plain,
    certFile: join(keys, `${who}.crt`),
    keyFile: join(keys, `${who}.key`),
  })
  const asked = async (to: number, tls: HttpTls | undefined) =>
    ask(ways.forward, {target: {kind: 'tcp', host: '127.0.0.1', port: to}, tls})
  const good = 'forward 200 GET none '
  t.equal(line(await asked(open, plain)), good)
  t.match(await asked(open, {...plain, caFile: join(keys, 'theirs.crt')}), {
    kind: 'failed',
    why: 'failed',
    detail: /self-signed|unable to/,
  })
  t.match(await asked(open, {...plain, caFile: undefined}), {kind: 'failed', detail: /self-signed|unable to/})
  t.match(await asked(open, {...plain, serverName: 'server.dc2.consul'}), {
    kind: 'failed',
    detail: /server\.dc2\.consul/,
  })
  t.equal(line(await asked(open, {...plain, caFile: undefined, verify: false})), good, 'only when told so')
  t.match(await asked(open, {...plain, caFile: join(keys, 'none.crt')}), {
    kind: 'failed',
    detail: /none\.crt/,
  })
  t.match(await asked(strict, proved('operator')), {kind: 'answered', status: 200})
  t.match(await asked(strict, plain), {kind: 'failed', detail: /certificate required/i})
  t.match(await asked(strict, proved('stranger')), {kind: 'failed', detail: /unknown ca/i})
  t.match(await asked(open, undefined), {kind: 'failed'}, 'plain HTTP there is no answer')
})

t.test(
  'a program on the host verifies as told, with the files that the host has, or is not asked',
  async t => {
    const name = 'there.dc1.consul'
    certify('host', name, 'client')
    certify('other', 'nobody')
    execFileSync('openssl', [...LOOPBACK, '-CA', 'host.crt', '-CAkey', 'host.key'], {
      cwd: keys,
      stdio: 'pipe',
    })
    const read = (file: string) => readFileSync(join(keys, file))
    const own = {key: read(`${name}.key`), cert: read(`${name}.crt`)}
    const named = await listen(https.createServer(own, api), 0)
    const strict = await demanding(name, 'host.crt')
    const numbered = await listen(
      https.createServer({key: read('loopback.key'), cert: read('loopback.crt')}, api),
      0,
    )
    const plain: HttpTls = {
      caFile: join(keys, 'host.crt'),
      certFile: undefined,
      keyFile: undefined,
      serverName: name,
      verify: true,
    }
    const byNumber: HttpTls = {...plain, serverName: undefined}
    const client = {certFile: join(keys, 'client.crt'), keyFile: join(keys, 'client.key')}
    const asked = async (way: 'curl' | 'wget', to: number, tls: HttpTls) =>
      ask(ways[way], {target: {kind: 'tcp', host: '127.0.0.1', port: to}, tls})
    t.match(await asked('curl', named, plain), {kind: 'answered', status: 200, through: 'curl'})
    t.match(await asked('curl', named, {...plain, serverName: 'there.dc2.consul'}), {
      kind: 'failed',
      why: 'failed',
    })
    t.match(await asked('curl', named, {...plain, caFile: join(keys, 'other.crt')}), {kind: 'failed'})
    t.match(await asked('curl', named, {...plain, caFile: undefined}), {kind: 'failed'})
    t.equal(
      line(await asked('curl', named, {...plain, caFile: undefined, verify: false})),
      'curl 200 GET none ',
    )
    t.match(await asked('curl', strict, {...plain, ...client}), {
      kind: 'answered',
      status: 200,
      through: 'curl',
    })
    t.match(await asked('curl', strict, plain), {kind: 'failed'})
    t.equal(line(await asked('wget', numbered, byNumber)), 'wget 200 GET none ')
    t.match(await asked('wget', numbered, {...byNumber, caFile: join(keys, 'other.crt')}), {kind: 'failed'})
    t.match(await asked('wget', numbered, {...byNumber, caFile: undefined}), {kind: 'failed'})
    t.equal(
      line(await asked('wget', numbered, {...byNumber, caFile: undefined, verify: false})),
      'wget 200 GET none ',
    )
    t.match(
      await asked('wget', named, plain),
      {kind: 'failed', why: 'unsupported', detail: /no curl that could ask over TLS and verify/},
      'it takes no name',
    )
    t.match(await asked('curl', named, {...plain, ...client, keyFile: join(keys, 'none.key')}), {
      kind: 'failed',
      why: 'unsupported',
      detail: /the host itself, it lacks the file .*none\.key, or lets us not read it\.$/,
    })
    t.match(
      await ask(ways.nc, {
        target: {kind: 'tcp', host: '127.0.0.1', port: named},
        tls: plain,
      }),
      {
        kind: 'failed',
        why: 'unsupported',
      },
    )
    const simple = join(keys, 'only-simple-wget')
    mkdirSync(simple)
    for (const program of ['sh', 'id']) symlinkSync(`/usr/bin/${program}`, join(simple, program))
    // As BusyBox's, which verifies nothing: it must not be asked
    writeFileSync(join(simple, 'wget'), '#!/bin/sh\n[ "$1" = --help ] || echo asked >&2\n', {mode: 0o755})
    const connection = await through([...closed, `SetEnv PATH=${simple}`])
    t.match(
      await ask(connection, {target: {kind: 'tcp', host: '127.0.0.1', port: numbered}, tls: byNumber}),
      {
        kind: 'failed',
        why: 'unsupported',
        detail: /no curl that could ask over TLS/,
      },
    )
  },
)

/** A certificate of an address, self-made but for who signs it. */
const LOOPBACK = [
  ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
  ...['-keyout', 'loopback.key', '-out', 'loopback.crt', '-subj', '/CN=loopback'],
  ...['-addext', 'subjectAltName=IP:127.0.0.1', '-addext', 'basicConstraints=critical,CA:FALSE'],
]
