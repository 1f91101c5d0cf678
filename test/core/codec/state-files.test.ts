import {createHash} from 'node:crypto'
import {readFileSync} from 'node:fs'
import t from 'tap'
import {keyFingerprint, parseKeyring} from '../../../src/core/codec/keyring.js'
import {parseNodeId} from '../../../src/core/codec/node-id.js'
import {parseSerfSnapshot} from '../../../src/core/codec/serf-snapshot.js'
import {parseServerMetadata} from '../../../src/core/codec/server-metadata.js'

const bytes = (text: string) => new TextEncoder().encode(text)
const sample = (path: string) => readFileSync(`fixtures/samples/${path}`)
const sha256 = (value: Uint8Array) => createHash('sha256').update(value).digest('hex')

t.test('a gossip snapshot of a killed server names all members and no leave', async t => {
  const snapshot = parseSerfSnapshot(sample('consul-0.6.4-cluster/s3/serf/local.snapshot'))
  t.same(snapshot.members.map(({name, address}) => `${name} ${address}`).sort(), [
    's1 127.0.1.11:8301',
    's2 127.0.1.12:8301',
    's3 127.0.1.13:8301',
  ])
  t.match(snapshot, {left: false})
  const survivor = parseSerfSnapshot(sample('consul-0.6.4-cluster/s1/serf/local.snapshot'))
  t.same(
    survivor.members.map(({name}) => name),
    ['s1', 's3'],
    'it saw s2 and s3 go and s3 come back',
  )
  t.equal(survivor.clock, 3)
})

t.test('a gossip snapshot of a server that left says so and keeps whom it knew then', async t => {
  const left = parseSerfSnapshot(sample('consul-1.8-leave-one/s2/serf/local.snapshot'))
  t.equal(left.left, true)
  t.same(left.members.map(member => member.name).sort(), ['s1', 's2', 's3'])
  t.equal(left.clock, 4)
  const other = parseSerfSnapshot(sample('consul-1.8-leave-one/s3/serf/local.snapshot'))
  t.equal(other.left, false)
  t.same(other.members.map(member => member.name).sort(), ['s1', 's3'])
})

t.test('a server that was started again after a leave knows only whom it met since', async t => {
  const again = parseSerfSnapshot(bytes('alive: a 10.0.0.1:8301\nleave\nclock: 9\nalive: b 10.0.0.2:8301\n'))
  t.same(again, {members: [{name: 'b', address: '10.0.0.2:8301'}], left: false, clock: 9})
})

t.test('names with spaces are whole, torn last lines and comments do not count', async t => {
  const text = '# note\nalive: my node 10.0.0.1:8301\nnot-alive: x\ncoordinate: {"a":1}\nclock: x\nleav'
  t.same(parseSerfSnapshot(bytes(text)), {
    members: [{name: 'my node', address: '10.0.0.1:8301'}],
    left: false,
    clock: 0,
  })
  t.equal(parseSerfSnapshot(bytes('leave')).left, false)
})

t.test('a keyring is kept as fingerprints, primary first', async t => {
  const key = 'cg8StVXbQJ0gPvMd9o7yrg=='
  const result = parseKeyring(bytes(`["${key}"]`), sha256)
  const expected = sha256(Buffer.from(key, 'base64')).slice(0, 12)
  t.same(result, {ok: true, value: {fingerprints: [expected]}})
  t.equal(keyFingerprint(key, sha256), expected)
  t.equal(keyFingerprint('{{ key }}', sha256), undefined)
})

t.test('a problem of a keyring never quotes it', async t => {
  for (const text of [
    '["c2VjcmV0"]',
    '["cg8StVXbQJ0gPvMd9o7yrg=="',
    'cg8StVXbQJ0gPvMd9o7yrg==',
    '{"a":"cg8S"}',
  ]) {
    const result = parseKeyring(bytes(text), sha256)
    t.equal(result.ok, false)
    t.notMatch(JSON.stringify(result), /cg8S|c2Vj/)
  }
})

t.test('server_metadata.json tells when the server was last alive', async t => {
  t.same(parseServerMetadata(bytes('{"last_seen_unix":1700000000}')), {ok: true, value: 1700000000})
  t.match(parseServerMetadata(bytes('{\n"last_seen_unix":"x"}')), {ok: false, problem: {line: 2, column: 18}})
  t.match(parseServerMetadata(bytes('{}')), {ok: false})
  t.match(parseServerMetadata(bytes('')), {ok: false, problem: {message: 'EOF'}})
})

t.test('a node id is read as the product reads it', async t => {
  const id = '020a16a0-28ec-9035-7b46-0371ba5f8ba8'
  t.same(parseNodeId(sample('consul-1.8-cluster/s1/node-id'), 'consul', '1.8.19'), {ok: true, value: id})
  const upper = bytes(` ${id.toUpperCase()}\n`)
  t.same(parseNodeId(upper, 'consul', '1.8.19'), {ok: true, value: id})
  t.same(parseNodeId(upper, 'consul', '0.7.5'), {ok: true, value: id.toUpperCase()})
  t.same(parseNodeId(bytes('node-1\n'), 'vault', '1.9.0'), {ok: true, value: 'node-1\n'})
  for (const text of ['', 'node-1', `\ufeff${id}`, `${id}${id}`, 'x'.repeat(9999)])
    t.equal(parseNodeId(bytes(text), 'consul', '1.8.19').ok, false, text.slice(0, 10))
})
