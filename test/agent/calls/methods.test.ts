import t from 'tap'
import {callMethods} from '../../../src/agent/calls/methods.js'
import {HttpApi} from '../../../src/agent/http/api.js'
import {RpcError} from '../../../src/agent/rpc/call-server.js'
import type {RpcMethods} from '../../../src/agent/rpc/call-server.js'
import type {MsgpackInput} from '../../../src/core/codec/msgpack.js'
import {encodeMsgpack} from '../../../src/core/codec/msgpack.js'
import {readAnswerOf, readList} from '../../../src/core/fsm/call-answer.js'
import type {CallQuery} from '../../../src/core/fsm/call-query.js'
import {NO_QUERY, encodeCallQuery, readCallQuery} from '../../../src/core/fsm/call-query.js'
import {readEntry, readNode} from '../../../src/core/fsm/read-records.js'
import {Encoded} from '../../../src/core/wire/consul-rpc.js'
import {SingleServer} from '../http/single-server.js'

const nobody = {address: '127.0.0.1', onGone: () => undefined}

function methodsOf(server: SingleServer): RpcMethods {
  return callMethods(new HttpApi(server, t.fail).context)
}

async function call(methods: RpcMethods, name: string, argument: Uint8Array): Promise<unknown> {
  const answer = methods.get(name)?.(argument, nobody)
  return answer instanceof Promise ? answer : undefined
}

const apply = (methods: RpcMethods, name: string, argument: MsgpackInput): Promise<unknown> =>
  call(methods, name, encodeMsgpack(argument))

const ask = async (methods: RpcMethods, name: string, query: Partial<CallQuery>): Promise<Uint8Array> => {
  const answer = await call(methods, name, encodeCallQuery({...NO_QUERY, ...query}))
  return answer instanceof Encoded ? answer.bytes : new Uint8Array(0)
}

const set = (key: string, Value: string) => ({Datacenter: 'dc1', Op: 'set', DirEnt: {Key: key, Value}})

t.test('a query says the same again when it is read', async t => {
  const query = {
    ...NO_QUERY,
    datacenter: 'dc1',
    minIndex: 2 ** 40,
    maxWaitMs: 1500,
    consistent: true,
    key: '\xff\0',
    nodeMeta: {a: 'b'},
    tags: ['x', 'y'],
    session: 'id',
  }
  t.same(readCallQuery(encodeCallQuery(query)), {...query, nodeMeta: {a: 'b'}})
  const old = encodeMsgpack({
    ServiceTag: 'x',
    TagFilter: true,
    Session: 'id',
    Source: {Node: 'n'},
    MinQueryIndex: null,
  })
  t.match(readCallQuery(old), {tags: ['x'], session: 'id', minIndex: 0})
})

t.test('keys that were written by a call are read by calls, with the index to wait on', async t => {
  const server = new SingleServer()
  const methods = methodsOf(server)
  t.equal(await apply(methods, 'KVS.Apply', set('a/b', 'one')), false)
  t.equal(await apply(methods, 'KVS.Apply', {...set('a/b', 'no'), Op: 'cas'}), false)
  const cas = {Op: 'cas', DirEnt: {Key: 'a/c', Value: 'two', ModifyIndex: 0}}
  t.equal(await apply(methods, 'KVS.Apply', cas), true)
  const entries: unknown[] = []
  const answer = await ask(methods, 'KVS.List', {key: 'a/'})
  const meta = readAnswerOf(answer, 'Entries', reader => entries.push(...readList(reader, readEntry)))
  t.match(entries, [
    {key: 'a/b', value: 'one'},
    {key: 'a/c', value: 'two'},
  ])
  t.same(meta, {index: server.index, lastContactMs: 0, knownLeader: true})
  const keys: unknown[] = []
  readAnswerOf(await ask(methods, 'KVS.ListKeys', {prefix: '', separator: '/'}), 'Keys', reader =>
    keys.push(...readList(reader, one => one.text())),
  )
  t.same(keys, ['a/'])
  const waiting = ask(methods, 'KVS.Get', {key: 'a/b', minIndex: server.index, maxWaitMs: 10_000})
  await apply(methods, 'KVS.Apply', set('a/b', 'three'))
  let value: unknown
  readAnswerOf(await waiting, 'Entries', reader => (value = readList(reader, readEntry)[0]?.value))
  t.equal(value, 'three')
})

t.test('what cannot be done is told in words, and nothing of it comes into the log', async t => {
  const server = new SingleServer()
  const methods = methodsOf(server)
  const {index} = server
  const refused: readonly [string, MsgpackInput, RegExp][] = [
    ['KVS.Apply', {...set('a', 'x'), Datacenter: 'dc2'}, /No path to datacenter/],
    ['KVS.Apply', {...set('a', 'x'), Op: 'burn'}, /Invalid KVS operation 'burn'/],
    ['KVS.Apply', set('', 'x'), /Must provide key/],
    ['KVS.Apply', {Op: 3, DirEnt: 4}, /msgpack decode error/],
    ['KVS.Apply', ['no map'], /msgpack decode error/],
    ['KVS.Get', {MinQueryIndex: 'x'}, /msgpack decode error/],
    ['Catalog.ListNodes', {Filter: 'Node == x'}, /filter expressions/],
    ['Catalog.Register', {Node: 'n'}, /Must provide address/],
    ['Catalog.Register', {Node: 'n', Address: 'a', Service: {ID: 'x'}}, /Must provide service name/],
    ['Catalog.Register', {Node: 'n', Address: 'a', Service: {Service: 7}}, /msgpack decode error/],
    ['Catalog.Deregister', {}, /Must provide node/],
    ['Session.Apply', {Op: 'create', Session: {TTL: '10s'}}, /Must provide Node/],
    ['Session.Apply', {Op: 'create', Session: {Node: 'ref', TTL: '1s'}}, /Invalid Session TTL/],
    ['Coordinate.Update', {Node: 'n', Coord: {Vec: [0.5]}}, /bad coordinate/],
    ['Coordinate.Update', {Node: 'n', Coord: {Vec: [0, 0, 0, 0, 0, 0, 0, NaN]}}, /bad coordinate/],
    ['Coordinate.Update', {Node: '', Coord: {Vec: [0, 0, 0, 0, 0, 0, 0, 1]}}, /bad coordinate/],
    ['Session.Apply', {Op: 'destroy', Session: {}}, /Must provide ID/],
  ]
  for (const [name, argument, words] of refused)
    await t.rejects(apply(methods, name, argument), {constructor: RpcError, message: words}, String(words))
  t.equal(server.index, index)
})

t.test('a registration keeps what means nothing to us, and gets what its caller left out', async t => {
  const server = new SingleServer()
  const methods = methodsOf(server)
  const commands: Uint8Array[] = []
  const {apply: proposed} = server
  server.apply = command => {
    commands.push(command)
    return proposed.call(server, command)
  }
  const Service = {Service: 'web', Proxy: {Upstreams: [{Weight: 0.5}]}}
  await apply(methods, 'Catalog.Register', {
    ID: '',
    Node: 'n',
    Address: '192.0.2.7',
    Service,
    Check: {Name: 'alive', Status: 'passing'},
  })
  t.match(server.machine?.tables.services.get('n\0web')?.value, {id: 'web', service: 'web'})
  t.match(server.machine?.tables.checks.get('n\0alive')?.value, {node: 'n', status: 'passing'})
  t.ok(Buffer.from(commands[0] ?? []).includes(Buffer.from(encodeMsgpack(Service.Proxy))))
  const nodes: unknown[] = []
  const answer = await ask(methods, 'Catalog.ListNodes', {})
  readAnswerOf(answer, 'Nodes', reader => nodes.push(...readList(reader, readNode)))
  t.match(nodes, [{node: 'n', address: '192.0.2.7'}, {node: 'ref'}])
})

t.test('a server that does not lead passes a call on as it came, but answers a stale one itself', async t => {
  const server = new SingleServer()
  const methods = methodsOf(server)
  await apply(methods, 'KVS.Apply', set('a', 'here'))
  server.leading = false
  const passed: unknown[] = []
  server.called = (address, method, argument) => {
    passed.push([address, method, Buffer.from(argument)])
    if (passed.length === 1) return Promise.resolve({kind: 'error', text: 'No cluster leader'})
    return Promise.resolve({kind: 'value', body: encodeMsgpack('there')})
  }
  const argument = encodeCallQuery({...NO_QUERY, key: 'a'})
  t.same(await call(methods, 'KVS.Get', argument), new Encoded(encodeMsgpack('there')))
  const expected = ['127.0.0.1:8300', 'KVS.Get', Buffer.from(argument)]
  t.same(passed, [expected, expected], 'a leader that does not lead yet is asked again')
  t.match(Buffer.from(await ask(methods, 'KVS.Get', {key: 'a', stale: true})).toString(), 'here')
  server.called = () => Promise.resolve({kind: 'error', text: 'Must provide key'})
  await t.rejects(apply(methods, 'KVS.Apply', set('', 'x')), {message: 'Must provide key'})
  server.called = () => Promise.resolve({kind: 'unreachable'})
  await t.rejects(apply(methods, 'KVS.Apply', set('b', 'x')), {message: /the connection failed/})
})
