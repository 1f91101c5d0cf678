import t from 'tap'
import {HttpApi} from '../../../src/agent/http/api.js'
import {encodeMsgpack} from '../../../src/core/codec/msgpack.js'
import type {MsgpackInput} from '../../../src/core/codec/msgpack.js'
import {readCallQuery} from '../../../src/core/fsm/call-query.js'
import {readKvCommand} from '../../../src/core/fsm/read-records.js'
import {PackReader} from '../../../src/core/fsm/pack-reader.js'
import {SingleServer} from './single-server.js'

const THERE = '192.0.2.9:8300'

/** A server whose leader is of another make and answers what `answers` says, by method. */
function follower(answers: Readonly<Record<string, MsgpackInput | Error>>) {
  const server = new SingleServer()
  server.leading = false
  server.otherMake = THERE
  const asked: {readonly address: string; readonly method: string; readonly argument: Uint8Array}[] = []
  server.called = (address, method, argument) => {
    asked.push({address, method, argument})
    const answer = answers[method]
    if (answer instanceof Error) return Promise.resolve({kind: 'error', text: answer.message})
    if (answer === undefined) return Promise.resolve({kind: 'unreachable'})
    return Promise.resolve({kind: 'value', body: encodeMsgpack(answer)})
  }
  const api = new HttpApi(server, t.fail)
  const ask = async (method: string, target: string, body = '') => {
    const answer = await api.answer({method, target, headers: {}, body: Buffer.from(body)})
    const bytes = answer.body instanceof Uint8Array ? answer.body : new Uint8Array(0)
    return {status: answer.status, headers: answer.headers, text: Buffer.from(bytes).toString()}
  }
  return {ask, asked}
}

t.test('a read is asked of a leader of another make as freshly as its client wants', async t => {
  const entry = {Key: 'a', Value: 'one', Flags: 3, CreateIndex: 4, ModifyIndex: 5, LockIndex: 0, Session: ''}
  const meta = {Index: 5, KnownLeader: true, LastContact: 2e6, New: {Field: [null]}}
  const {ask, asked} = follower({'KVS.Get': {Entries: [entry], ...meta}})
  t.match(await ask('GET', '/v1/kv/a?raw&consistent&index=4&wait=2s'), {
    status: 200,
    text: 'one',
    headers: {'X-Consul-Index': '5', 'X-Consul-Knownleader': 'true', 'X-Consul-Lastcontact': '2'},
  })
  t.match(asked, [{address: THERE, method: 'KVS.Get'}])
  const query = {datacenter: 'dc1', key: 'a', consistent: true, stale: false, minIndex: 4, maxWaitMs: 2000}
  t.match(readCallQuery(asked[0]?.argument ?? new Uint8Array(0)), query)
  t.match(await ask('GET', '/v1/kv/a?stale'), {status: 404}, 'a stale one is answered from the own state')
  t.equal(asked.length, 1)
})

t.test('a write is asked of it with what its command holds', async t => {
  const {ask, asked} = follower({'KVS.Apply': true, 'Session.Apply': 'the id of the leader'})
  t.match(await ask('PUT', '/v1/kv/a?cas=7', 'one'), {status: 200, text: 'true'})
  const command = readKvCommand(new PackReader(asked[0]?.argument ?? new Uint8Array(0)))
  t.match(command, {op: 'cas', entry: {key: 'a', value: 'one', modifyIndex: 7}})
  t.match(await ask('PUT', '/v1/session/create'), {text: /"ID": ?"the id of the leader"/})
})

t.test('what it refuses is told in its words, and a write whose way broke is not repeated', async t => {
  const refusing = follower({'KVS.Apply': new Error('raft apply failed: no')})
  const refused = {status: 500, text: 'rpc error making call: raft apply failed: no'}
  t.match(await refusing.ask('PUT', '/v1/kv/a', 'x'), refused)
  const gone = follower({})
  t.match(await gone.ask('DELETE', '/v1/kv/a'), {status: 500, text: /the connection failed/})
  t.equal(gone.asked.length, 1)
  const strange = follower({'KVS.Get': ['nothing of the kind'], 'KVS.List': {Index: 3}})
  t.match(await strange.ask('GET', '/v1/kv/a'), {status: 500, text: /does not parse/})
  t.match(await strange.ask('GET', '/v1/kv/a?recurse'), {status: 500, text: /does not parse/})
})

t.test('what only a leader of our make does is refused, and not done here', async t => {
  const {ask} = follower({})
  const words = {status: 500, text: /a server of another make/}
  t.match(await ask('DELETE', '/v1/operator/raft/peer?address=192.0.2.1:8300'), words)
  t.match(await ask('POST', '/v1/operator/raft/transfer-leader'), words)
  t.match(await ask('GET', '/v1/snapshot'), words)
  t.match(await ask('GET', '/v1/operator/autopilot/health'), words)
})
