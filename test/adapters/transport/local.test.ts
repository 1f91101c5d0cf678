import {randomBytes} from 'node:crypto'
import {rmSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import net from 'node:net'
import t from 'tap'
import {connectHere} from '../../helpers/here.js'
import {freePort, makeKeyDir, whyOf} from '../../helpers/sshd.js'

const dir = makeKeyDir()
t.teardown(() => rmSync(dir, {recursive: true, force: true}))

t.test('programs run here with the same results as over ssh', async t => {
  const connection = await connectHere()
  const run = async (argv: [string, ...string[]], timeoutMs = 5000) =>
    connection.run({argv, timeoutMs, maxBytes: 20, root: false})
  const result = await run(['sh', '-c', 'printf %s "$1"; exit 3', 'sh', "it's $(id)"])
  t.match(result, {kind: 'exited', code: 3, truncated: false})
  if (result.kind === 'exited') t.equal(Buffer.from(result.stdout).toString(), "it's $(id)")
  t.match(await run(['sh', '-c', 'kill -TERM $$']), {kind: 'exited', signal: 'SIGTERM'})
  t.match(await run(['no-such-program']), {kind: 'exited', code: 127})
  t.match(await run(['seq', '100000']), {kind: 'exited', code: 0, truncated: true})
  t.match(await run(['a\0b']), {kind: 'failed', why: 'unsupported'})
  t.match(await run(['sh', '-c', 'sleep 30 & sleep 30'], 200), {kind: 'failed', why: 'timed-out'})
  await connection.close()
})

t.test('files are read by position', async t => {
  const connection = await connectHere()
  const path = join(dir, 'file')
  const bytes = randomBytes(100_000)
  writeFileSync(path, bytes)
  const file = await connection.openFile(path, {root: false, timeoutMs: 1000})
  t.ok(bytes.subarray(99_000).equals(Buffer.from(await file.read(99_000, 5000))))
  await file.close()
  t.match(await whyOf(connection.openFile(join(dir, 'none'), {root: false, timeoutMs: 1000})), 'absent')
  t.match(await whyOf(connection.openFile('/dev/zero', {root: false, timeoutMs: 1000})), 'unsupported')
})

t.test('streams reach ports here, and a port that refuses says so', async t => {
  const connection = await connectHere()
  const echo = net.createServer(socket => socket.pipe(socket))
  await new Promise<void>(resolve => echo.listen(0, '127.0.0.1', resolve))
  const {port} = echo.address() as net.AddressInfo
  const stream = await connection.forward({kind: 'tcp', host: '127.0.0.1', port}, 1000)
  await stream.write(Buffer.from('hello'))
  for await (const chunk of stream.chunks) {
    t.equal(Buffer.from(chunk).toString(), 'hello')
    break
  }
  stream.close()
  echo.close()
  const dead = await freePort()
  t.match(await whyOf(connection.forward({kind: 'tcp', host: '127.0.0.1', port: dead}, 1000)), 'refused')
})
