import {once} from 'node:events'
import {connect} from 'node:net'
import t from 'tap'
import type {Test} from 'tap'
import type {HttpAnswer, HttpRequest} from '../../../src/agent/backend.js'
import {allowEveryone} from '../../../src/agent/peer-filter.js'
import type {PeerFilter} from '../../../src/agent/peer-filter.js'
import {RaftTransport} from '../../../src/agent/raft-transport.js'
import {CallPool} from '../../../src/agent/rpc/call-pool.js'
import type {RpcMethod} from '../../../src/agent/rpc/call-server.js'
import {RpcError} from '../../../src/agent/rpc/call-server.js'
import {forwardHttp, HTTP_METHOD, httpMethod} from '../../../src/agent/rpc/http-call.js'
import type {RaftHandler} from '../../../src/agent/rpc/raft-connection.js'
import type {ServerPortSettings} from '../../../src/agent/rpc/server-port.js'
import {openServerPort} from '../../../src/agent/rpc/server-port.js'
import {serverAddress, serverId} from '../../../src/core/model/ids.js'
import type {
  AppendRequest,
  Channel,
  RaftRequest,
  RaftResponse,
  SnapshotRequest,
  Target,
} from '../../../src/core/raft/messages.js'
import {encodeRaftRequest} from '../../../src/core/wire/raft-rpc.js'

const noRaft: RaftHandler = {
  request: (_request, respond) => respond(undefined),
  receiveSnapshot: async () => undefined,
  peers: () => [],
}

interface Opened {
  readonly to: Target
  readonly transport: RaftTransport
  readonly calls: CallPool
  readonly lines: string[]
}

async function open(
  t: Test,
  settings: Partial<ServerPortSettings>,
  {answerMs = 5000, filter = allowEveryone}: {answerMs?: number; filter?: PeerFilter} = {},
): Promise<Opened> {
  const lines: string[] = []
  const port = await openServerPort({
    host: '127.0.0.1',
    port: 0,
    filter: allowEveryone,
    log: (level, _scope, text) => void lines.push(`${level} ${text}`),
    raft: noRaft,
    methods: new Map(),
    ...settings,
  })
  const dialing = {localAddress: undefined, filter, connectTimeoutMs: 2000}
  const onProblem = (_address: string, text: string): void => void lines.push(text)
  const answers = {heartbeat: answerMs, replicate: answerMs, vote: answerMs, snapshot: answerMs}
  const transport = new RaftTransport({...dialing, answerMs: answers, onProblem})
  const calls = new CallPool({...dialing, onProblem})
  t.teardown(async () => {
    transport.close()
    calls.close()
    await port.close()
  })
  const address = serverAddress(`127.0.0.1:${port.port}`)
  return {to: {id: serverId('peer'), address}, transport, calls, lines}
}

const append = (first: number, count = 1): AppendRequest => ({
  rpc: 'append',
  term: 2,
  leaderId: serverId('leader'),
  leader: serverAddress('127.0.0.1:8300'),
  prevIndex: first - 1,
  prevTerm: 2,
  entries: Array.from({length: count}, (_, i) => ({
    index: first + i,
    term: 2,
    type: 0,
    data: new Uint8Array(100),
  })),
  leaderCommit: 0,
})

const send = (
  {transport, to}: Opened,
  request: Exclude<RaftRequest, SnapshotRequest>,
  channel: Channel = 'replicate',
): Promise<RaftResponse | undefined> => new Promise(resolve => transport.send(to, channel, request, resolve))

/** Answers an append with the index of its last entry. */
const lastOf = (request: RaftRequest): RaftResponse =>
  request.rpc === 'append'
    ? {
        rpc: 'append',
        term: 2,
        lastIndex: request.prevIndex + request.entries.length,
        success: true,
        noRetryBackoff: false,
      }
    : {rpc: 'vote', term: 3, granted: true}

t.test('answers reach their requests in order, even when they are made in another order', async t => {
  const held: (() => void)[] = []
  const opened = await open(t, {
    raft: {
      ...noRaft,
      request: (request, respond) => {
        held.push(() => respond(lastOf(request)))
        // Answered in reverse, in groups of ten.
        if (held.length === 10) for (const answer of held.splice(0).reverse()) answer()
      },
    },
  })
  const answers = await Promise.all(Array.from({length: 200}, (_, i) => send(opened, append(i + 1))))
  t.same(
    answers.map(answer => answer?.rpc === 'append' && answer.lastIndex),
    Array.from({length: 200}, (_, i) => i + 1),
  )
})

t.test('a slow append does not hold up a heartbeat or a vote', async t => {
  const opened = await open(t, {
    raft: {
      ...noRaft,
      request: (request, respond) => {
        if (request.rpc !== 'append' || request.entries.length === 0) respond(lastOf(request))
      },
    },
  })
  let answered = false
  void send(opened, append(1)).then(() => (answered = true))
  t.match(await send(opened, {...append(1), entries: []}, 'heartbeat'), {rpc: 'append'})
  const vote = {
    rpc: 'vote',
    term: 3,
    candidateId: serverId('c'),
    candidate: serverAddress('127.0.0.1:1'),
    lastIndex: 0,
    lastTerm: 0,
    leadershipTransfer: false,
  } as const
  t.match(await send(opened, vote, 'vote'), {rpc: 'vote', granted: true})
  t.equal(answered, false)
})

t.test('a peer that does not answer, is not there or is refused is told as no answer', async t => {
  const silent = await open(t, {raft: {...noRaft, request: () => undefined}}, {answerMs: 100})
  t.equal(await send(silent, append(1)), undefined)
  t.match(silent.lines, ['no answer came in time'])
  const closing = await open(t, {})
  t.equal(await send(closing, append(1)), undefined, 'a connection that ends')
  const nobody = {...closing, to: {id: serverId('x'), address: serverAddress('127.0.0.1:1')}}
  t.equal(await send(nobody, append(1)), undefined, 'a refused connection')
  t.equal(
    await send({...closing, to: {...nobody.to, address: serverAddress('nowhere')}}, append(1)),
    undefined,
  )
})

t.test(
  'traffic that the filter refuses ends a connection in use, and it comes back when allowed',
  async t => {
    let allowed = true
    const filter: PeerFilter = {allows: () => allowed, close: () => undefined}
    const raft: RaftHandler = {...noRaft, request: (request, respond) => respond(lastOf(request))}
    const opened = await open(t, {raft, filter})
    t.match(await send(opened, append(1)), {lastIndex: 1})
    allowed = false
    t.equal(await send(opened, append(2)), undefined)
    allowed = true
    t.match(await send(opened, append(3)), {lastIndex: 3})
  },
)

const snapshotOf = (size: number): SnapshotRequest => ({
  rpc: 'snapshot',
  term: 3,
  leaderId: serverId('leader'),
  leader: serverAddress('127.0.0.1:8300'),
  meta: {
    id: '',
    index: 7,
    term: 2,
    configuration: {
      servers: [{id: serverId('leader'), address: serverAddress('127.0.0.1:8300'), suffrage: 'voter'}],
    },
    configurationIndex: 1,
    size,
  },
})

async function* chunksOf(size: number, piece: number): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0; at < size; at += piece) yield new Uint8Array(Math.min(piece, size - at)).fill(at & 255)
}

const sendSnapshot = (
  {transport, to}: Opened,
  size: number,
  sent = size,
): Promise<RaftResponse | undefined> =>
  new Promise(resolve => transport.sendSnapshot(to, snapshotOf(size), chunksOf(sent, 100_000), resolve))

t.test(
  'a snapshot is streamed through, however slow its receiver is, and answered behind its last byte',
  async t => {
    const size = 20_000_000
    let received = 0
    let most = 0
    const opened = await open(t, {
      raft: {
        ...noRaft,
        receiveSnapshot: async (request, state) => {
          t.same(request, snapshotOf(request.meta.size))
          for await (const chunk of state) {
            received += chunk.length
            most = Math.max(most, chunk.length)
            if (received % 5 === 0) await new Promise(setImmediate)
          }
          return {rpc: 'snapshot', term: 3, success: received === size}
        },
      },
    })
    t.match(await sendSnapshot(opened, size), {rpc: 'snapshot', success: true})
    t.equal(received, size)
    t.ok(most < 8 << 20)
    received = 0
    t.equal(await sendSnapshot(opened, 500_000, 400_000), undefined, 'a sender that has too little')
    t.equal(await sendSnapshot(opened, 500_000, 600_000), undefined, 'a sender that has too much')
  },
)

t.test('a receiver that cannot store a snapshot says so, and its connection stays in step', async t => {
  const opened = await open(t, {
    raft: {
      ...noRaft,
      request: (request, respond) => respond(lastOf(request)),
      receiveSnapshot: async () => {
        throw new Error('no space left on device')
      },
    },
  })
  t.equal(await sendSnapshot(opened, 9_000_000), undefined)
  t.match(opened.lines, ['no space left on device'])
  const socket = connect(Number(opened.to.address.split(':')[1]), '127.0.0.1')
  socket.write(Uint8Array.of(1))
  socket.write(encodeRaftRequest(snapshotOf(10)))
  socket.write(new Uint8Array(10))
  socket.write(encodeRaftRequest(append(4)))
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  t.match(bytes.toString('latin1'), /no space left on device\xc0/)
  socket.destroy()
})

t.test(
  'a request of a version that we do not speak is refused in words, an old candidate gets the peers',
  async t => {
    const raft: RaftHandler = {
      ...noRaft,
      request: (request, respond) => respond(lastOf(request)),
      peers: () => [serverAddress('127.0.2.11:8300')],
    }
    const vote = Buffer.from('0181a45465726d01', 'hex') // RequestVote {Term: 1} without a version
    const ask = async (opened: Opened): Promise<string> => {
      const socket = connect(Number(opened.to.address.split(':')[1]), '127.0.0.1')
      socket.write(Buffer.concat([Uint8Array.of(1), vote]))
      const [bytes] = (await once(socket, 'data')) as [Buffer]
      socket.destroy()
      return bytes.toString('latin1')
    }
    t.match(await ask(await open(t, {raft})), /operation not supported with current protocol version/)
    t.match(
      await ask(await open(t, {raft, raftLimits: {protocolOldest: 0}})),
      /Peers\xb1\x91\xaf127\.0\.2\.11:8300/,
    )
  },
)

t.test('garbage and silence cost no more than their connection', async t => {
  const opened = await open(t, {
    raft: {...noRaft, request: (r, respond) => respond(lastOf(r))},
    connectionsMax: 3,
  })
  const port = Number(opened.to.address.split(':')[1])
  for (const bytes of ['05', '01ff', '0100c1', '04ffffffffffffffffffffffffff', '00c0c0']) {
    const socket = connect(port, '127.0.0.1').resume()
    socket.write(Buffer.from(bytes, 'hex'))
    await once(socket, 'close')
  }
  const many = Array.from({length: 6}, () => connect(port, '127.0.0.1').resume())
  await Promise.all(many.slice(3).map(socket => once(socket, 'close')))
  for (const socket of many) socket.destroy()
  await new Promise(resolve => setTimeout(resolve, 50))
  t.match(await send(opened, append(1)), {lastIndex: 1})
  t.ok(opened.lines.some(line => line.startsWith('warn too many connections')))
})

t.test('a peer that stops within a message is cut off, one that stops between messages is not', async t => {
  const raft: RaftHandler = {...noRaft, request: (request, respond) => respond(lastOf(request))}
  const opened = await open(t, {raft, raftLimits: {stallMs: 80}})
  const socket = connect(Number(opened.to.address.split(':')[1]), '127.0.0.1').resume()
  socket.write(Uint8Array.of(1))
  socket.write(encodeRaftRequest(append(1)))
  await new Promise(resolve => setTimeout(resolve, 250))
  t.equal(socket.closed, false)
  socket.write(encodeRaftRequest(append(2)).subarray(0, 30))
  await once(socket, 'close')
  t.match(opened.lines, [/the peer stopped within a message/])
})

const methods = new Map<string, RpcMethod>([
  ['Status.Ping', async () => ({})],
  ['Status.Peers', async () => ['127.0.0.1:8300']],
  ['Test.Fails', () => Promise.reject(new RpcError('No cluster leader'))],
  ['Test.Breaks', () => Promise.reject(new Error('secret'))],
  ['Test.Never', () => new Promise(() => undefined)],
])

t.test('methods are called and answer, with errors in words and failures without', async t => {
  const {calls, to, lines} = await open(t, {methods})
  const call = (method: string, timeoutMs = 5000) => calls.call(to.address, method, {}, {timeoutMs})
  t.match(await call('Status.Ping'), {kind: 'value'})
  t.match(await call('Status.Peers'), {kind: 'value', value: [Buffer.from('127.0.0.1:8300')]})
  t.same(await call('Test.Fails'), {kind: 'error', text: 'No cluster leader'})
  t.same(await call('Test.Breaks'), {kind: 'error', text: 'internal error'})
  t.ok(lines.some(line => line.includes('secret')))
  t.same(await call('No.Such'), {kind: 'error', text: "rpc: can't find service No.Such"})
  t.same(await call('Test.Such'), {kind: 'error', text: "rpc: can't find method Test.Such"})
  t.same(await call('Such'), {kind: 'error', text: 'rpc: service/method request ill-formed: Such'})
  const asSent = await calls.callEncoded(to.address, 'Status.Peers', Uint8Array.of(0x80), {timeoutMs: 5000})
  t.ok(
    asSent.kind === 'value' &&
      Buffer.from(asSent.body).equals(Buffer.from('\x91\xae127.0.0.1:8300', 'latin1')),
  )
  t.same(await call('Test.Never', 50), {kind: 'unreachable'})
  t.same(await calls.call('127.0.0.1:1', 'Status.Ping', {}, {timeoutMs: 1000}), {kind: 'unreachable'})
  const many = await Promise.all(Array.from({length: 300}, () => call('Status.Ping')))
  t.ok(many.every(result => result.kind === 'value'))
})

t.test('a whole HTTP request is forwarded, and an answer of any size comes back', async t => {
  const big = Uint8Array.from({length: 9_000_000}, (_, i) => (i * 13) & 255)
  const handle = async (request: HttpRequest): Promise<HttpAnswer> => ({
    status: 207,
    headers: {
      'x-consul-index': '7',
      method: request.method,
      target: request.target,
      token: request.headers['t'] ?? '',
    },
    body: request.target === '/big' ? big : request.target === '/parts' ? parts(big) : request.body,
  })
  const {calls, to} = await open(t, {methods: new Map([[HTTP_METHOD, httpMethod(handle)]])})
  const ask = (target: string, body = new Uint8Array(0)) =>
    forwardHttp(calls, to.address, {method: 'PUT', target, headers: {t: 'x'}, body}, 5000)
  const small = await ask('/v1/kv/a%20b?raw', Uint8Array.of(1, 2, 3))
  t.match(small, {status: 207, headers: {method: 'PUT', target: '/v1/kv/a%20b?raw', token: 'x'}})
  t.same(small && (await bytesOf(small)), Buffer.of(1, 2, 3))
  for (const target of ['/big', '/parts']) {
    const answer = await ask(target)
    t.ok(answer !== undefined && (await bytesOf(answer)).equals(Buffer.from(big)), target)
  }
  t.match(await ask('/again'), {status: 207})
})

async function* parts(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0; at < bytes.length; at += 300_000) yield bytes.subarray(at, at + 300_000)
}

async function bytesOf({body}: HttpAnswer): Promise<Buffer> {
  if (body instanceof Uint8Array) return Buffer.from(body)
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

t.test(
  'a client that goes away is told to the server that works for it, and harms no other call',
  async t => {
    let gone = 0
    const handle = (request: HttpRequest): Promise<HttpAnswer> =>
      new Promise(resolve => {
        request.onGone?.(() => void gone++)
        if (request.target === '/now') resolve({status: 200, headers: {}, body: request.body})
      })
    const {calls, to} = await open(t, {methods: new Map([[HTTP_METHOD, httpMethod(handle)]])})
    const leave: (() => void)[] = []
    const ask = (target: string) =>
      forwardHttp(
        calls,
        to.address,
        {
          method: 'GET',
          target,
          headers: {},
          body: new Uint8Array(0),
          onGone: callback => void leave.push(callback),
        },
        5000,
      )
    const waiting = ask('/wait')
    t.match(await ask('/now'), {status: 200})
    leave[0]?.()
    t.equal(await waiting, undefined)
    const [next] = [ask('/now')]
    leave[1]?.() // of a call that is over: its stream may serve another now
    t.match(await next, {status: 200})
    t.equal(gone, 1)
  },
)
