import {connect} from 'node:net'
import t from 'tap'
import {serveHttp} from '../../../src/agent/http/server.js'
import {HttpApi} from '../../../src/agent/http/api.js'
import {serveAlone, SingleServer} from './single-server.js'

/** Sends bytes and gives all that comes back until the other side hangs up. */
function raw(url: string, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    let text = ''
    socket.on('data', chunk => (text += chunk.toString('latin1')))
    socket.on('close', () => resolve(text))
    socket.on('error', reject)
    socket.write(bytes)
  })
}

t.test('a body that is too large is refused, told or not, and the largest is taken', async t => {
  const one = await serveAlone()
  t.teardown(() => one.close())
  const most = new Uint8Array(512 * 1024).fill(65)
  t.equal((await one.ask('PUT', '/v1/kv/big', most)).text, 'true')
  t.equal((await one.ask('GET', '/v1/kv/big?raw')).text.length, most.length)
  const told = await raw(one.url, 'PUT /v1/kv/big HTTP/1.1\r\nHost: x\r\nContent-Length: 600000\r\n\r\nabc')
  t.match(told, /^HTTP\/1.1 413 /)
  t.match(told, /Request body\(600000 bytes\) too large, max size: 524288 bytes/)
  const chunk = `20000\r\n${'x'.repeat(0x20000)}\r\n`
  const untold = await raw(
    one.url,
    `PUT /v1/kv/big HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(5)}`,
  ).catch(() => 'reset')
  t.match(untold, /413|reset/)
  t.equal((await one.ask('GET', '/v1/kv/big?raw')).text.length, most.length, 'nothing of it was taken')
})

t.test('malformed and oversized heads are refused, and the server goes on', async t => {
  const one = await serveAlone()
  t.teardown(() => one.close())
  t.match(await raw(one.url, 'nonsense\r\n\r\n'), /400 Bad Request/)
  t.match(await raw(one.url, `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(40_000)}\r\n\r\n`), /431/)
  for (const body of ['{', '[1', '{"a":}', '\u0000', 'null', '"x"', '[[[[[[', '{"Node":5,"Checks":{}}']) {
    for (const target of [
      '/v1/session/create',
      '/v1/catalog/register',
      '/v1/txn',
      '/v1/operator/autopilot/configuration',
    ]) {
      const {status} = await one.ask('PUT', target, body)
      t.ok([200, 400, 500].includes(status), `${target} ${body}: ${status}`)
    }
  }
  t.strictSame(one.errors, [])
  t.equal((await one.ask('GET', '/v1/status/leader')).status, 200)
})

t.test('an address has so many connections and no more', async t => {
  const api = new HttpApi(new SingleServer(), () => undefined)
  api.limits = {...api.limits, httpConnectionsMax: 2}
  const http = await serveHttp(api, {host: '127.0.0.1', port: 0})
  t.teardown(() => http.close())
  const url = `http://127.0.0.1:${http.port}`
  const held = [1, 2].map(() => connect(http.port ?? 0, '127.0.0.1'))
  await Promise.all(held.map(socket => new Promise(resolve => socket.once('connect', resolve))))
  t.match(await raw(url, 'GET /v1/status/leader HTTP/1.1\r\nHost: x\r\n\r\n'), /429/)
  held[0]?.destroy()
  await new Promise(resolve => setTimeout(resolve, 50))
  t.match(await raw(url, 'GET /v1/status/leader HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'), /200 OK/)
  for (const socket of held) socket.destroy()
})

t.test('who waits and goes away leaves nothing behind', async t => {
  const one = await serveAlone()
  t.teardown(() => one.close())
  await one.ask('PUT', '/v1/kv/k', 'v')
  const socket = connect(Number(new URL(one.url).port), '127.0.0.1')
  socket.write('GET /v1/kv/k?index=3 HTTP/1.1\r\nHost: x\r\n\r\n')
  await new Promise(resolve => setTimeout(resolve, 60))
  let woken = 0
  const {machine} = one.backend
  const watch = machine!.watch.bind(machine)
  machine!.watch = (target, wake) => {
    woken++
    return watch(target, wake)
  }
  socket.destroy()
  await new Promise(resolve => setTimeout(resolve, 60))
  await one.ask('PUT', '/v1/kv/k', 'w')
  t.equal(woken, 0, 'nobody watches again')
})

t.test('closing hangs up on blocking queries and on monitors', async t => {
  const one = await serveAlone()
  const blocked = one.ask('GET', '/v1/kv/k?index=9').catch(() => 'hung up')
  const monitor = fetch(`${one.url}/v1/agent/monitor?loglevel=debug`)
  const reader = (await monitor).body!.getReader()
  one.backend.logSink?.('[INFO] first line')
  t.equal(Buffer.from((await reader.read()).value!).toString(), '[INFO] first line\n')
  await one.close()
  t.equal(await blocked, 'hung up')
  await reader.read().then(
    ({done}) => t.ok(done),
    () => t.pass('hung up'),
  )
  await new Promise(resolve => setTimeout(resolve, 20))
  t.equal(one.backend.logSink, undefined, 'the log is no longer listened to')
})
