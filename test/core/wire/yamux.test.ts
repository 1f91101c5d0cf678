import t from 'tap'
import {encodeAnswer, encodeCall, RpcAnswerReader, RpcCallReader} from '../../../src/core/wire/consul-rpc.js'
import {WINDOW_BYTES, YamuxSession} from '../../../src/core/wire/yamux.js'
import type {YamuxEvent} from '../../../src/core/wire/yamux.js'
import {hex, mutated, randomNumbers, sample, toHex} from './wire-samples.js'

/** Carries all output from one side to the other, in pieces, and gives what the other made of it. */
function carry(from: YamuxSession, to: YamuxSession, piece = 1000): readonly YamuxEvent[] {
  const bytes = Buffer.concat(from.takeOutput())
  const events: YamuxEvent[] = []
  for (let at = 0; at < bytes.length; at += piece) events.push(...to.receive(bytes.subarray(at, at + piece)))
  return events
}

const dataOf = (events: readonly YamuxEvent[]): Buffer =>
  Buffer.concat(events.flatMap(event => (event.on === 'data' ? [event.bytes] : [])))

t.test('the calls of a real Consul server on its session are read', async t => {
  // The sample holds both directions one behind the other, after the byte that chooses the protocol.
  const bytes = sample('27-yamux-status-peers-1.8.19').subarray(1)
  const session = new YamuxSession('server')
  const reader = new RpcCallReader()
  const events = session.receive(bytes)
  t.match(events[0], {on: 'opened', stream: 1})
  reader.push(dataOf(events.slice(0, 2)))
  t.match(reader.next(), {kind: 'item', item: {method: 'Status.Peers', seq: 1}})
  t.equal(toHex(Buffer.concat(session.takeOutput())), '000100020000000100000000', 'the stream is accepted')
})

t.test('a ping is answered with its value, and one of ours comes back', async t => {
  const client = new YamuxSession('client')
  const server = new YamuxSession('server')
  t.same(server.receive(hex('00 02 0001 00000000 12345678')), [])
  t.equal(toHex(Buffer.concat(server.takeOutput())), '000200020000000012345678')
  client.ping(7)
  t.same(carry(client, server), [])
  t.same(carry(server, client), [{on: 'ponged', value: 7}])
})

t.test('a stream carries more than its window when the receiver makes room, in order', async t => {
  const client = new YamuxSession('client')
  const server = new YamuxSession('server')
  const sent = Uint8Array.from({length: 3 * WINDOW_BYTES + 17}, (_, i) => (i * 7) & 255)
  const id = client.open()
  client.write(id, sent)
  client.end(id)
  const received: Uint8Array[] = []
  for (let round = 0; round < 20; round++) {
    const events = carry(client, server, 4096)
    for (const event of events)
      if (event.on === 'data') {
        received.push(event.bytes)
        server.consumed(id, event.bytes.length)
      }
    if (round === 0) {
      t.match(events[0], {on: 'opened', stream: 1})
      t.equal(Buffer.concat(received).length, WINDOW_BYTES, 'no more than the window without room made')
      t.equal(client.waitingBytes(id), sent.length - WINDOW_BYTES)
    }
    if (events.some(event => event.on === 'ended')) break
    carry(server, client)
  }
  t.ok(Buffer.concat(received).equals(Buffer.from(sent)))
  server.end(id)
  t.same(carry(server, client), [{on: 'ended', stream: id}])
  t.equal(client.openStreams, 0)
  t.equal(server.openStreams, 0)
})

t.test('streams of both sides have their own ids, and a reset ends one alone', async t => {
  const client = new YamuxSession('client')
  const server = new YamuxSession('server')
  const [first, second, third] = [client.open(), client.open(), server.open()]
  t.same([first, second, third], [1, 3, 2])
  carry(client, server)
  carry(server, client)
  client.reset(first)
  t.same(carry(client, server), [{on: 'reset', stream: first}])
  client.write(second, hex('aa'))
  t.match(carry(client, server), [{on: 'data', stream: second}])
})

t.test('a peer that breaks the rules is told apart from one that is slow', async t => {
  const problems = (text: string): readonly YamuxEvent[] => new YamuxSession('server').receive(hex(text))
  t.match(problems('01 00 0000 00000001 00000000'), [{on: 'problem'}], 'another version')
  t.match(problems('00 09 0000 00000001 00000000'), [{on: 'problem'}], 'an unknown type')
  t.match(problems('00 00 0001 00000001 00040001'), [{on: 'problem'}], 'more than the window')
  t.match(problems('00 01 0001 00000002 00000000'), [{on: 'problem'}], 'an id of the other side')
  t.match(
    problems('00 01 0001 00000001 00000000 00 01 0001 00000001 00000000'),
    [{}, {on: 'problem'}],
    'twice',
  )
  t.same(problems('00 00 0000 00000009 00000001 aa'), [], 'a stream that is gone')
  t.same(problems('00 00 0001 000000'), [], 'not yet whole')
})

t.test('no more streams are opened than allowed', async t => {
  const server = new YamuxSession('server', 2)
  const client = new YamuxSession('client')
  for (let i = 0; i < 4; i++) client.open()
  t.equal(carry(client, server).filter(event => event.on === 'opened').length, 2)
  t.same(carry(server, client), [
    {on: 'reset', stream: 5},
    {on: 'reset', stream: 7},
  ])
})

t.test('no bytes make a session throw', async t => {
  const random = randomNumbers(11)
  const bytes = sample('27-yamux-status-peers-1.8.19').subarray(1)
  for (let round = 0; round < 3000; round++) {
    const session = new YamuxSession('server', 8)
    session.receive(mutated(bytes, random))
    session.takeOutput()
  }
  t.pass()
})

t.test('calls and answers come back as they were written, errors with a body that is read', async t => {
  const calls = new RpcCallReader()
  const answers = new RpcAnswerReader()
  for (const byte of Buffer.concat([
    encodeCall('Status.Ping', 1, {}),
    encodeCall('Quorate.Http', 2, {Method: 'GET'}),
  ]))
    calls.push(Uint8Array.of(byte))
  t.match(calls.next(), {item: {method: 'Status.Ping', seq: 1}})
  t.match(calls.next(), {item: {method: 'Quorate.Http', seq: 2}})
  t.equal(calls.next(), undefined)
  answers.push(
    Buffer.concat([
      encodeAnswer({method: 'a', seq: 1}, {kind: 'error', text: 'rpc: no'}),
      encodeAnswer({method: 'b', seq: 2}, {kind: 'value', value: ['x']}),
    ]),
  )
  t.match(answers.next(), {item: {seq: 1, result: {kind: 'error', text: 'rpc: no'}}})
  t.match(answers.next(), {item: {seq: 2, result: {kind: 'value', body: hex('91 a1 78')}}})
  calls.push(hex('c0 80'))
  t.match(calls.next(), {kind: 'problem'})
})
