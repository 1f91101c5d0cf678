// What strangers send to the sockets of a gossip pool: bounded, answered or dropped, and never the end of the agent.
import {createSocket} from 'node:dgram'
import {connect} from 'node:net'
import {setTimeout as sleep} from 'node:timers/promises'
import type {Test} from 'tap'
import t from 'tap'
import type {Gossip} from '../../../src/agent/gossip/gossip.js'
import {PROFILES} from '../../../src/core/gossip/profile.js'
import {decodeStreamMessage} from '../../../src/core/wire/gossip-stream.js'
import {addressOf, ours} from '../../helpers/gossip.js'

/** Streams are cut off sooner than in earnest. */
const profile = {...PROFILES.lan, streamTimeoutMs: 1000}

/** Sends bytes on a stream, and gives what comes back until it is closed, and after how long. */
function speak(
  gossip: Gossip,
  bytes: Uint8Array,
): Promise<{readonly answer: Buffer; readonly tookMs: number}> {
  return new Promise(resolve => {
    const start = performance.now()
    const chunks: Buffer[] = []
    const socket = connect(gossip.address.port, gossip.address.ip, () => socket.write(bytes))
    socket.on('data', chunk => chunks.push(chunk))
    socket.on('error', () => undefined)
    socket.on('close', () => resolve({answer: Buffer.concat(chunks), tookMs: performance.now() - start}))
  })
}

const isAlive = async (t: Test, gossip: Gossip): Promise<boolean> => {
  const other = await ours(t, 'other')
  const {contacted} = await other.join([addressOf(gossip)])
  return contacted === 1
}

t.test('streams of nonsense, of huge lengths and of nothing at all are closed in time', async t => {
  const gossip = await ours(t, 'ours', {profile})
  const nonsense = [
    Uint8Array.of(0xff),
    Uint8Array.of(0x06, 0xc1),
    Buffer.concat([Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff), Buffer.alloc(100)]),
    Buffer.concat([
      Uint8Array.of(0x06, 0x82),
      Buffer.from('\xa5Nodes\xce\xff\xff\xff\xff\xacUserStateLen\x00', 'latin1'),
    ]),
    Uint8Array.of(0x09, 0x82),
    new Uint8Array(0),
  ]
  for (const bytes of nonsense) {
    const {answer, tookMs} = await speak(gossip, bytes)
    t.equal(answer.length, 0)
    t.ok(tookMs < 2500)
  }
  t.ok(await isAlive(t, gossip))
})

t.test('slow clients in any number do not shut others out for longer than their deadline', async t => {
  const gossip = await ours(t, 'ours', {profile})
  const sockets = Array.from({length: 300}, () => {
    const socket = connect(gossip.address.port, gossip.address.ip)
    socket.on('error', () => undefined)
    return socket
  })
  t.teardown(() => sockets.forEach(socket => socket.destroy()))
  await sleep(2500)
  t.ok(await isAlive(t, gossip))
})

t.test(
  'a plain stream to an encrypted pool is told why, under a seal; a sealed one to a plain pool too',
  async t => {
    const encrypted = await ours(t, 'ours', {profile, key: Buffer.alloc(16, 1)})
    const ping = Buffer.from('\x00\x82\xa4Node\xa4ours\xa5SeqNo\x01', 'latin1')
    const {answer} = await speak(encrypted, ping)
    t.equal(answer[0], 10, 'the answer is encrypted')
    const plain = await ours(t, 'ours', {profile})
    const pong = await speak(plain, ping)
    t.match(decodeStreamMessage(pong.answer), {ok: true, value: {type: 'ack', seqNo: 1}})
    const sealed = await speak(plain, Buffer.concat([Uint8Array.of(10, 0, 0, 0, 29), Buffer.alloc(29, 1)]))
    t.match(decodeStreamMessage(sealed.answer), {ok: true, value: {type: 'err', error: /encrypted/}})
  },
)

t.test('datagrams of nonsense change nothing, and encrypted gossip hears no plain ones', async t => {
  const plain = await ours(t, 'ours', {profile})
  const encrypted = await ours(t, 'ours', {profile, key: Buffer.alloc(32, 1)})
  const socket = createSocket('udp4')
  t.teardown(() => socket.close())
  const heard: Buffer[] = []
  socket.on('message', bytes => heard.push(bytes))
  const ping = Buffer.from('\x00\x82\xa4Node\xa4ours\xa5SeqNo\x01', 'latin1')
  let seed = 1
  for (let i = 0; i < 2000; i++) {
    const bytes = Buffer.alloc(1 + (i % 200))
    for (let j = 0; j < bytes.length; j++) {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
      bytes[j] = seed >>> 24
    }
    bytes[0] = i % 14
    socket.send(bytes, plain.address.port, plain.address.ip)
    socket.send(bytes, encrypted.address.port, encrypted.address.ip)
    if (i % 100 === 0) await sleep(1)
  }
  socket.send(ping, encrypted.address.port, encrypted.address.ip)
  await sleep(300)
  heard.length = 0
  socket.send(ping, plain.address.port, plain.address.ip)
  await sleep(300)
  t.equal(heard.length, 1, 'the plain one answers the ping, the other is silent')
  t.equal(plain.members().length, 1)
  t.equal(encrypted.members().length, 1)
})
