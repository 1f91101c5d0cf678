import {randomBytes} from 'node:crypto'
import {chmodSync, rmSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import t from 'tap'
import type {Test} from 'tap'
import {makeConnector} from '../../../src/adapters/transport/connector.js'
import type {HostConnection, HostTarget} from '../../../src/ports/transport.js'
import type {TestUser} from '../../helpers/sshd.js'
import {whyOf, makeKey, makeKeyDir, makeUser, sshTarget, startSshd} from '../../helpers/sshd.js'

const keys = makeKeyDir()
const key = makeKey(keys, 'key')
const sshd = await startSshd({authorized: [`${key}.pub`]})
const users: TestUser[] = []
const user = (...args: Parameters<typeof makeUser>): TestUser => {
  const made = makeUser(...args)
  users.push(made)
  return made
}
t.teardown(async () => {
  await sshd.stop()
  for (const one of users) one.remove()
  rmSync(keys, {recursive: true, force: true})
})

const env: Record<string, string> = {}
const options = {ask: undefined, env, sshConfigFiles: [] as readonly string[]}

async function connected(target: HostTarget, use = makeConnector(options)): Promise<HostConnection> {
  const result = await use.connect(target)
  if (result.kind !== 'connected') throw new Error(`${result.code}: ${result.reason.detail}`)
  return result.connection
}

const secret = join(keys, 'raft.db')
const bytes = randomBytes(1_000_000)
writeFileSync(secret, bytes)
chmodSync(secret, 0o600)

async function readsAsRoot(t: Test, connection: HostConnection): Promise<void> {
  const file = await connection.openFile(secret, {root: true, timeoutMs: 20_000})
  t.equal(file.sizeBytes, bytes.length)
  const places = Array.from({length: 30}, (_, i) => i * 31_337)
  const parts = await Promise.all(places.map(async at => file.read(at, 8192)))
  t.ok(places.every((at, i) => bytes.subarray(at, at + 8192).equals(Buffer.from(parts[i] ?? []))))
  const run = await connection.run({
    argv: ['sh', '-c', 'id -u; cat; echo err >&2; exit 3'],
    stdin: Buffer.from('my own stdin\nwith lines'),
    timeoutMs: 20_000,
    maxBytes: 1000,
    root: true,
  })
  t.match(run, {kind: 'exited', code: 3, truncated: false})
  if (run.kind === 'exited') {
    t.equal(Buffer.from(run.stdout).toString(), '0\nmy own stdin\nwith lines')
    t.equal(Buffer.from(run.stderr).toString(), 'err\n', 'what sudo says is not the words of the program')
  }
}

t.test('a plain user without sudo is connected and has no root', async t => {
  const plain = user('none')
  const connection = await connected(sshTarget(sshd, key, {user: plain.name}))
  t.match(connection.access, {user: plain.name, root: 'none'})
  t.match(await connection.run({argv: ['id'], timeoutMs: 9000, maxBytes: 10, root: true}), {
    kind: 'failed',
    why: 'denied',
  })
  t.match(await whyOf(connection.openFile(secret, {root: true, timeoutMs: 9000})), 'denied')
  t.match(await whyOf(connection.openFile(secret, {root: false, timeoutMs: 9000})), 'denied')
  const own = await connection.run({argv: ['id', '-un'], timeoutMs: 9000, maxBytes: 100, root: false})
  t.match(own, {kind: 'exited', code: 0})
  await connection.close()
  const demanded = await makeConnector(options).connect(sshTarget(sshd, key, {user: plain.name, sudo: true}))
  t.match(demanded, {kind: 'unread', code: 'SUDO_REFUSED'})
})

t.test('sudo without a password gives root for programs and files', async t => {
  const free = user('free')
  const connection = await connected(sshTarget(sshd, key, {user: free.name}))
  t.match(connection.access, {user: free.name, root: 'sudo'})
  await readsAsRoot(t, connection)
  await connection.close()
  const without = await connected(sshTarget(sshd, key, {user: free.name, sudo: false}))
  t.equal(without.access.root, 'none', 'sudo that was not wanted is not used')
  await without.close()
})

t.test('sudo with a password from a variable, a file or the operator gives root', async t => {
  const paid = user('password')
  env['SUDO_FOR_TEST'] = paid.password
  const file = join(keys, 'password')
  writeFileSync(file, `${paid.password}\n`)
  const asked: string[] = []
  const ask = async (question: string): Promise<string> => {
    asked.push(question)
    return Promise.resolve(paid.password)
  }
  for (const sudoPassword of [{env: 'SUDO_FOR_TEST'}, {file}, 'ask'] as const) {
    const use = makeConnector({...options, ask})
    const connection = await connected(sshTarget(sshd, key, {user: paid.name, sudoPassword}), use)
    t.equal(connection.access.root, 'sudo')
    if (sudoPassword === 'ask') await readsAsRoot(t, connection)
    await connection.close()
  }
  t.equal(asked.length, 1)
  t.notMatch(asked.join(), paid.password)
})

t.test('a password does not reach a program that sudo lets pass without one', async t => {
  // sudo never asks this user, so the password line is left over in front of the input of the program
  const free = user('free')
  env['SUDO_UNUSED'] = 'secret-word'
  const {prepareForRoot} = await import('../../../src/adapters/transport/run.js')
  const {spawnLocally} = await import('../../../src/adapters/transport/local.js')
  const prepared = prepareForRoot(['cat'], {kind: 'sudo', password: 'secret-word'})
  const channel = spawnLocally([
    'su',
    '-s',
    '/bin/sh',
    '-c',
    'exec "$@"',
    '--',
    free.name,
    'sh',
    ...prepared.argv,
  ])
  const out: Buffer[] = []
  channel.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  channel.stdin.end(`${prepared.password}${prepared.barrier}the input`)
  const errors: Buffer[] = []
  channel.stderr.on('data', (chunk: Buffer) => errors.push(chunk))
  t.match(await channel.ended, {code: 0}, Buffer.concat(errors).toString())
  t.equal(Buffer.concat(out).toString(), 'the input')
  t.notMatch(prepared.argv.join(' '), 'secret-word', 'nothing secret is an argument')
})

t.test('a wrong password is refused after one try', async t => {
  const paid = user('password')
  env['SUDO_WRONG'] = 'not-the-password'
  const started = Date.now()
  const found = await makeConnector(options).connect(
    sshTarget(sshd, key, {user: paid.name, sudoPassword: {env: 'SUDO_WRONG'}}),
  )
  t.match(found, {kind: 'unread', code: 'SUDO_REFUSED', reason: {why: 'denied'}})
  if (found.kind === 'unread') {
    t.notMatch(found.reason.detail, 'not-the-password')
    t.match(found.reason.detail, '1 incorrect password attempt')
  }
  t.ok(Date.now() - started < 9000)
})

t.test('a password source that is not there is a refusal that names it', async t => {
  const paid = user('password')
  const target = sshTarget(sshd, key, {user: paid.name, sudoPassword: {env: 'NOT_SET_AT_ALL'}})
  const found = await makeConnector(options).connect(target)
  t.match(found, {kind: 'unread', code: 'SUDO_REFUSED', reason: {detail: /NOT_SET_AT_ALL/}})
})

t.test('a sudo that wants a terminal is quoted in its own words', async t => {
  const paid = user('free', ['Defaults:USER requiretty'])
  const found = await makeConnector(options).connect(sshTarget(sshd, key, {user: paid.name, sudo: true}))
  t.match(found, {kind: 'unread', code: 'SUDO_REFUSED', reason: {detail: /tty/}})
})
