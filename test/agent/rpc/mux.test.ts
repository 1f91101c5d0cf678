import {once} from 'node:events'
import type {Socket} from 'node:net'
import {connect, createServer} from 'node:net'
import t from 'tap'
import type {Test} from 'tap'
import type {CallStream, StreamListener} from '../../../src/agent/rpc/mux.js'
import {MuxConnection} from '../../../src/agent/rpc/mux.js'
import {WINDOW_BYTES} from '../../../src/core/wire/yamux.js'

const silent: StreamListener = {onBytes: () => undefined, onEnd: () => undefined, onGone: () => undefined}

/** The two ends of a session on a connection; `accept` listens to the streams that the client opens. */
async function session(
  t: Test,
  accept: (stream: CallStream) => StreamListener,
): Promise<{client: MuxConnection; server: MuxConnection}> {
  const listener = createServer()
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const address = listener.address()
  if (address === null || typeof address === 'string') throw new Error('the listener has no port')
  const out = connect({host: '127.0.0.1', port: address.port})
  const [[incoming]] = (await Promise.all([once(listener, 'connection'), once(out, 'connect')])) as [
    [Socket],
    unknown,
  ]
  const mux = (socket: Socket, role: 'client' | 'server', take?: typeof accept): MuxConnection => {
    const made = new MuxConnection(socket, role, take, text => t.fail(text))
    socket.on('data', (bytes: Uint8Array) => made.receive(bytes))
    return made
  }
  t.teardown(() => {
    out.destroy()
    incoming.destroy()
    listener.close()
  })
  return {client: mux(out, 'client'), server: mux(incoming, 'server', accept)}
}

async function until(t: Test, what: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !what(); i++) await new Promise(resolve => setTimeout(resolve, 5))
  t.ok(what())
}

t.test('a stream that both sides have ended is forgotten, whoever ends first', async t => {
  for (const first of ['client', 'server']) {
    const {client, server} = await session(t, stream => {
      if (first === 'server') stream.end()
      return {...silent, onEnd: () => stream.end()}
    })
    for (let i = 0; i < 50; i++) {
      const stream: CallStream = client.open({...silent, onEnd: () => stream.end()})
      if (first === 'client') stream.end()
    }
    t.ok(client.openStreams > 0)
    await until(t, () => client.openStreams === 0 && server.openStreams === 0)
  }
})

t.test('a stream whose last bytes wait for room is forgotten when they are sent', async t => {
  let received = 0
  let ended = false
  const {client, server} = await session(t, stream => {
    stream.end()
    return {...silent, onBytes: bytes => void (received += bytes.length), onEnd: () => (ended = true)}
  })
  const stream = client.open(silent)
  stream.write(new Uint8Array(3 * WINDOW_BYTES))
  stream.end()
  t.equal(client.openStreams, 1)
  await until(t, () => client.openStreams === 0 && server.openStreams === 0)
  t.equal(received, 3 * WINDOW_BYTES)
  t.equal(ended, true)
})
