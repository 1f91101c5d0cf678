import http from 'node:http'
import net from 'node:net'
import type {AddressInfo} from 'node:net'
import t from 'tap'
import type {Test} from 'tap'
import {makeAgentApi} from '../../src/adapters/agent-api.js'
import type {AgentApi} from '../../src/ports/agent-api.js'

interface Listening {
  readonly address: string
  /** What came in: request lines. */
  readonly lines: string[]
}

async function listening(t: Test, server: net.Server, lines: string[]): Promise<Listening> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return {address: `127.0.0.1:${(server.address() as AddressInfo).port}`, lines}
}

/** Answers everything with its own name. */
function answering(t: Test, name: string): Promise<Listening> {
  const lines: string[] = []
  const server = http.createServer((request, response) => {
    lines.push(`${request.method} ${request.url}`)
    response.end(name)
  })
  return listening(t, server, lines)
}

/** Takes connections as the system does for a stopped process: nothing is ever answered. */
function stopped(t: Test): Promise<Listening> {
  const lines: string[] = []
  const server = net.createServer(socket => {
    socket.on('data', chunk => void lines.push(String(chunk).split('\r\n')[0] ?? ''))
    socket.on('error', () => socket.destroy())
    t.teardown(() => socket.destroy())
  })
  return listening(t, server, lines)
}

async function refusing(): Promise<string> {
  const server = net.createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const {port} = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return `127.0.0.1:${port}`
}

const apiAt = (...addresses: readonly string[]): AgentApi =>
  makeAgentApi({
    addresses,
    token: undefined,
    tls: {caFile: undefined, certFile: undefined, keyFile: undefined, serverName: undefined, verify: true},
  })

const put = async (api: AgentApi): Promise<string> => {
  const {body} = await api.ask({method: 'PUT', path: '/v1/kv/k', body: new Uint8Array(1)})
  return new TextDecoder().decode(body)
}

t.test('an agent that is stopped costs little, and is sent nothing that matters', async t => {
  const [silent, second, third] = [await stopped(t), await answering(t, 'b'), await answering(t, 'c')]
  const api = apiAt(silent.address, await refusing(), second.address, third.address)
  const begun = performance.now()
  t.equal(await put(api), 'b')
  t.ok(performance.now() - begun < 3000, 'not the time that an answer may take')
  t.equal(api.address, second.address)
  t.same(silent.lines, ['GET /v1/status/leader HTTP/1.1'])
  t.equal(await put(api), 'b')
  t.same(second.lines, ['GET /v1/status/leader', 'PUT /v1/kv/k', 'PUT /v1/kv/k'], 'it is looked for once')
  t.same(third.lines, [])
})

t.test('the first of those that answer is asked', async t => {
  const [first, second] = [await answering(t, 'a'), await answering(t, 'b')]
  t.equal(await put(apiAt(first.address, second.address)), 'a')
  t.same(second.lines, [])
})

t.test('one address alone is asked at once', async t => {
  const only = await answering(t, 'a')
  t.equal(await put(apiAt(only.address)), 'a')
  t.same(only.lines, ['PUT /v1/kv/k'])
})

t.test('where none answers it is said soon, of one that is there if one is', async t => {
  const gone = await refusing()
  await t.rejects(put(apiAt(gone, gone)), {code: 'API_UNREACHABLE', message: /connection refused/})
  const silent = await stopped(t)
  const begun = performance.now()
  const message = new RegExp(`^No agent answers at ${silent.address}: no answer within 5 s`)
  await t.rejects(put(apiAt(gone, silent.address)), {code: 'API_UNREACHABLE', message})
  t.ok(performance.now() - begun < 10_000)
})
