// Port 8400, asked as the command line of Consul up to 0.7 asks; with the real command lines where they are.
import {execFile} from 'node:child_process'
import {readFileSync} from 'node:fs'
import {connect} from 'node:net'
import type {Socket} from 'node:net'
import {join} from 'node:path'
import t from 'tap'
import {atLeast, realConsuls} from '../lab/binaries.js'
import {startAgent} from '../../src/agent/agent.js'
import {loadAgentOptions} from '../../src/agent/load-options.js'
import {AgentLogger} from '../../src/agent/logger.js'
import {
  membersOfRpc,
  raftStatsOfRpc,
  readRpcReply,
  rpcCommand,
  rpcHandshake,
} from '../../src/core/codec/agent-rpc.js'
import {CliRequestReader} from '../../src/core/codec/cli-port.js'
import {encodeMsgpack, msgpackText} from '../../src/core/codec/msgpack.js'
import type {MsgpackInput, MsgpackMap, MsgpackValue} from '../../src/core/codec/msgpack.js'

const HOST = '127.0.63.1'
const key = Buffer.alloc(32, 7).toString('base64')
const {options} = loadAgentOptions(
  [
    '-server',
    '-bootstrap',
    '-raft-protocol=0',
    '-data-dir',
    t.testdir({}),
    '-node=s1',
    `-bind=${HOST}`,
  ].concat([
    `-client=${HOST}`,
    `-encrypt=${key}`,
    '-hcl',
    'performance { raft_multiplier = 0.2 leave_drain_time = "10ms" }',
  ]),
  () => '',
)
const logger = new AgentLogger({
  level: 'error',
  json: false,
  file: undefined,
  nowMs: Date.now,
  out: () => undefined,
})
const agent = await startAgent(options, logger, () => options)
t.teardown(() => agent.stop())

interface Reply {
  readonly error: string
  readonly body: MsgpackValue | undefined
}

/** A client that sends bytes and takes one reply after another. */
class Client {
  private bytes: Buffer = Buffer.alloc(0)
  private wake: () => void = () => undefined
  closed = false

  constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.bytes = Buffer.concat([this.bytes, chunk])
      this.wake()
    })
    socket.on('error', () => undefined)
    socket.once('close', () => {
      this.closed = true
      this.wake()
    })
  }

  async reply(hasBody: boolean): Promise<Reply | undefined> {
    for (;;) {
      const reply = readRpcReply(this.bytes, 0, hasBody)
      if (reply.kind === 'reply') {
        this.bytes = this.bytes.subarray(reply.end)
        return reply
      }
      if (this.closed) return undefined
      await new Promise<void>(resolve => (this.wake = resolve))
    }
  }

  async ask(
    command: string,
    seq: number,
    body: MsgpackInput | undefined,
    hasBody: boolean,
  ): Promise<Reply | undefined> {
    this.socket.write(encodeMsgpack({Command: command, Seq: seq}))
    if (body !== undefined) this.socket.write(encodeMsgpack(body))
    return this.reply(hasBody)
  }
}

async function dial(greet = true): Promise<Client> {
  const socket = connect(8400, HOST)
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  t.teardown(() => socket.destroy())
  const client = new Client(socket)
  if (greet) {
    socket.write(rpcHandshake())
    await client.reply(false)
  }
  return client
}

t.test('a session begins with one handshake of version 1', async t => {
  const client = await dial(false)
  t.match(await client.ask('stats', 1, undefined, false), {error: 'Handshake required'})
  t.match(await client.ask('handshake', 2, {Version: 2}, false), {error: 'Unsupported RPC version'})
  t.match(await client.ask('handshake', 3, {Version: 1}, false), {error: ''})
  t.match(await client.ask('handshake', 4, {Version: 1}, false), {error: 'Handshake already performed'})
  t.match(await client.ask('fly', 5, undefined, false), {error: 'Unsupported command'})
})

t.test(
  'members and stats are what the reader of real 0.6 servers understands, sent without waiting',
  async t => {
    const client = await dial()
    client.socket.write(Buffer.concat([rpcCommand('stats', 1), rpcCommand('members-lan', 2)]))
    t.ok(raftStatsOfRpc((await client.reply(true))?.body)?.role)
    t.match(membersOfRpc((await client.reply(true))?.body), [{name: 's1', status: 'alive'}])
  },
)

t.test('join, force-leave and keys do what they say, errors come with the body that is read', async t => {
  const client = await dial()
  const joined = await client.ask('join', 1, {Existing: [`${HOST}:8301`], WAN: false}, true)
  t.equal((joined?.body as MsgpackMap).get('Num'), 1)
  t.match(
    (await client.ask('join', 2, {Existing: ['127.0.63.99'], WAN: false}, false))?.error,
    /ECONNREFUSED/,
  )
  await client.reply(false)
  t.match(await client.ask('force-leave', 3, {Node: 'nobody'}, false), {error: /nobody/})
  const listed = await client.ask('list-keys', 4, undefined, true)
  const keys = (listed?.body as MsgpackMap).get('Keys') as readonly MsgpackMap[]
  t.same(
    keys.map(one => [msgpackText(one.get('Pool')), msgpackText(one.get('Key')), one.get('Count')]).sort(),
    [
      ['LAN', key, 1],
      ['WAN', key, 1],
    ],
  )
  const relayed = await client.ask('list-keys', 5, {Key: '', RelayFactor: 0}, true)
  t.ok((relayed?.body as MsgpackMap).get('Keys'), 'as 0.7.2 and later ask')
  t.match(await client.ask('use-key', 6, {Key: 'AAAA'}, false), {error: /.+/})
})

t.test('a monitor gets the last lines and those that follow, until it is stopped', async t => {
  const client = await dial()
  t.match(await client.ask('monitor', 7, {LogLevel: 'loud'}, false), {error: 'Unknown log level: loud'})
  t.match(await client.ask('monitor', 8, {LogLevel: 'debug'}, false), {error: ''})
  logger.log('warn', 'server', 'something to see')
  for (;;) {
    const line = msgpackText(((await client.reply(true))?.body as MsgpackMap).get('Log'))
    if (line?.includes('something to see') === true) break
  }
  t.match(await client.ask('stop', 9, {Stop: 8}, false), {error: ''})
})

t.test('bytes that are no request end the session, and the port goes on serving others', async t => {
  for (const bytes of [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    Buffer.alloc(1 << 20, 0xc1),
    Buffer.from('dfffffffff', 'hex'),
    Buffer.concat([Buffer.from('df00000001db7fffffff', 'hex'), Buffer.alloc(300_000, 65)]),
    encodeMsgpack({Command: 'stats', Seq: -1}),
    Buffer.concat(new Array<Uint8Array>(5000).fill(rpcCommand('stats', 1))),
  ]) {
    const client = await dial()
    client.socket.write(bytes)
    while ((await client.reply(true)) !== undefined);
    t.ok(client.closed)
  }
  t.match(await (await dial()).ask('members-wan', 1, undefined, true), {error: ''})
})

t.test('any bytes in any pieces give requests or a broken stream, never an exception', async t => {
  let seed = 11
  const next = (below: number): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return (seed >>> 8) % below
  }
  const good = Buffer.concat([
    rpcHandshake(),
    rpcCommand('stats', 1),
    encodeMsgpack({Command: 'join', Seq: 2}),
    encodeMsgpack({Existing: ['a', 'b'], WAN: true}),
  ])
  let broken = 0
  let whole = 0
  for (let round = 0; round < 3000; round++) {
    const bytes = Buffer.from(good)
    for (let flips = next(4); flips > 0; flips--) bytes[next(bytes.length)] = next(256)
    const reader = new CliRequestReader()
    let seen = 0
    for (let at = 0; at < bytes.length;) {
      const piece = 1 + next(9)
      const requests = reader.feed(bytes.subarray(at, at + piece))
      if (requests === undefined) {
        broken++
        break
      }
      seen += requests.length
      at += piece
    }
    if (bytes.equals(good) && seen === 3) whole++
    else if (bytes.equals(good)) t.fail(`${seen} of 3 requests`)
  }
  t.ok(whole > 100, `${whole} were left as they were`)
  t.ok(broken > 500, `${broken} of 3000 were broken`)
})

// The command lines of old, where QUORATE_CONSUL_BIN_DIR names them
for (const {version, path: consul} of realConsuls().filter(one => !atLeast(one.version, '0.8.0')))
  t.test(`the command line of Consul ${version} works`, async t => {
    const ask = (...argv: string[]): Promise<string> =>
      new Promise((resolve, reject) =>
        execFile(
          consul,
          [argv[0] ?? '', `-rpc-addr=${HOST}:8400`, ...argv.slice(1)],
          (error, stdout, stderr) => (error === null ? resolve(stdout) : reject(new Error(stdout + stderr))),
        ),
      )
    t.match(await ask('members'), /\ns1 +127\.0\.63\.1:8301 +alive +server +0\.6\.4 +2 +dc1\n/)
    t.match(await ask('info'), /\nraft:\n(\t.*\n)*\tstate = Leader\n/)
    t.match(await ask('join', HOST), /Successfully joined cluster by contacting 1 nodes/)
    t.match(
      await ask('keyring', '-list'),
      new RegExp(`dc1 \\(LAN\\):\n +${key.replace(/[+]/g, '\\+')} \\[1/1\\]`),
    )
    await t.rejects(ask('force-leave', 'nobody'), /No node found with name 'nobody'/)
    t.match(await ask('reload'), /Configuration reload triggered/)
  })

t.test('leave is answered, then the agent ends and its peers.json is empty', async t => {
  const client = await dial()
  t.match(await client.ask('leave', 1, undefined, false), {error: ''})
  t.equal(await agent.stopped, 0)
  t.equal(readFileSync(join(options.dataDir, 'raft', 'peers.json'), 'utf8').trim(), 'null')
})
