import t from 'tap'
import {LocalServerConnection} from '../../../src/adapters/transport/local-server.js'
import {makeConnector} from '../../../src/adapters/transport/connector.js'
import type {HostTarget} from '../../../src/ports/transport.js'
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

const target = (ownDirectory: string): HostTarget => ({
  host: 'server1',
  address: '127.0.0.1',
  port: undefined,
  transport: 'local',
  user: undefined,
  identityFiles: [],
  jump: [],
  knownHostsFiles: [],
  sudo: undefined,
  sudoPassword: undefined,
  connectTimeoutMs: 5000,
  ownDirectory,
})
const limits = {timeoutMs: 5000, maxBytes: 4096, root: true} as const
const said = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

t.test(
  'what quorate keeps on a host lies in the directory of the server, and nothing else moves',
  async t => {
    const directory = t.testdir()
    const connector = makeConnector({ask: undefined, env: {}})
    t.teardown(async () => connector.close())
    const reached = await connector.connect(target(directory))
    if (reached.kind !== 'connected') return t.fail(reached.reason.detail ?? 'not connected')
    const {connection} = reached
    t.teardown(async () => connection.close())
    t.ok(connection instanceof LocalServerConnection)
    t.equal(connection.access.root, 'root', 'its user may do all there is to do')
    const script =
      'mkdir -p /run/quorate && printf %s "$1" >/run/quorate/a.lock && printf %s "$1 /run/quorated"'
    const byArgument = await connection.run({
      argv: ['sh', '-c', script, 'sh', '/var/lib/quorate/x'],
      ...limits,
    })
    if (byArgument.kind !== 'exited') return t.fail(byArgument.detail)
    t.equal(said(byArgument.stdout), `${directory}/var/lib/quorate/x /run/quorated`)
    t.equal(
      readFileSync(join(directory, 'run', 'quorate', 'a.lock'), 'utf8'),
      `${directory}/var/lib/quorate/x`,
    )
    const stdin = new TextEncoder().encode('cat /run/quorate/a.lock')
    const byInput = await connection.run({argv: ['sh', '-s', '--'], stdin, ...limits})
    t.equal(byInput.kind === 'exited' && said(byInput.stdout), `${directory}/var/lib/quorate/x`)
    const bytes = await connection.run({argv: ['cat'], stdin, ...limits})
    t.equal(
      bytes.kind === 'exited' && said(bytes.stdout),
      'cat /run/quorate/a.lock',
      'bytes of files arrive as they are',
    )
  },
)

t.test('a machine that burned, or that is cut off from the operator, does not answer', async t => {
  const connector = makeConnector({ask: undefined, env: {}})
  t.teardown(async () => connector.close())
  const directory = join(t.testdir(), 'server1')
  t.match(await connector.connect(target(directory)), {kind: 'unread', code: 'HOST_UNREACHABLE'})
  mkdirSync(directory)
  writeFileSync(join(directory, 'unreachable'), '')
  t.match(await connector.connect(target(directory)), {kind: 'unread', reason: {why: 'timed-out'}})
})
