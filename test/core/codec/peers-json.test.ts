import t from 'tap'
import {parsePeersJson, writePeersJson} from '../../../src/core/codec/peers-json.js'
import {dialectFor} from '../../../src/core/codec/peers-dialect.js'
import {serverAddress, serverId} from '../../../src/core/model/ids.js'

const parse = (text: string) => parsePeersJson(new TextEncoder().encode(text), 'sum')
const kinds = (text: string) =>
  parse(text).problems.map(({kind, line, column}) => `${kind} ${line}:${column}`)

t.test('a list of strings gives servers whose ids are their addresses', async t => {
  const file = parse('["10.0.1.8:8300","10.0.1.6:8300"]\n')
  t.equal(file.dialect, 'list')
  t.same(file.servers, [
    {id: '10.0.1.8:8300', address: '10.0.1.8:8300', nonVoter: false},
    {id: '10.0.1.6:8300', address: '10.0.1.6:8300', nonVoter: false},
  ])
  t.same(file.problems, [])
  t.equal(file.sha256, 'sum')
})

t.test('objects are read with keys in any case, and what is left out is false', async t => {
  const file = parse(
    '[{"ID":"a","Address":"10.0.0.1:8300","Non_Voter":true},{"id":"b","addreſs":"10.0.0.2:8300"}]',
  )
  t.equal(file.dialect, 'objects')
  t.same(file.servers, [
    {id: 'a', address: '10.0.0.1:8300', nonVoter: true},
    {id: 'b', address: '10.0.0.2:8300', nonVoter: false},
  ])
  t.same(file.problems, [])
})

t.test('null, an empty list and no bytes are the empty dialect', async t => {
  for (const text of ['null\n', '[]', ''])
    t.match(parse(text), {dialect: 'empty', servers: [], problems: []}, text)
})

t.test('a problem has the line and column where it is', async t => {
  t.same(kinds('["10.0.0.1:8300",]'), ['syntax 1:18'])
  t.same(kinds('\ufeff["10.0.0.1:8300"]'), ['byte-order-mark 1:1'])
  t.same(kinds('// c\n["10.0.0.1:8300"]'), ['syntax 1:1'])
  t.same(kinds('["10.0.0.1:8300"]\n garbage'), ['trailing-text 2:2'])
  t.same(kinds('{"peers":[]}'), ['wrong-type 1:1'])
  t.same(kinds('[1]'), ['wrong-type 1:2'])
  t.same(kinds('["10.0.0.1:8300",\n {"id":"a"}]'), ['mixed-dialects 2:2'])
  t.same(kinds('[{"id":"é","address":"10.0.0.1:8300","suffrage":1}]'), ['unknown-key 1:38'])
  t.same(kinds('[{"id":"a",\n"address":"10.0.0.1:8300","non_voter":"no"}]'), ['wrong-type 2:39'])
  t.same(kinds('[{"id":"","address":""}]'), ['empty-id 1:8', 'empty-address 1:21'])
  t.same(kinds('[{"id":"a","address":"10.0.0.1:8300","non_voter":true}]'), ['no-voter 1:8'])
  t.same(kinds('["http://10.0.0.1:8300","10.0.0.2","web:8300","[::1]:8300","10.0.0.1:99999"]'), [
    'scheme 1:2',
    'no-port 1:25',
    'host-name 1:36',
    'no-port 1:60',
  ])
  t.same(kinds('["10.0.0.1:1","10.0.0.1:1"]'), ['duplicate-address 1:15'])
  t.same(kinds('[{"id":"a","address":"10.0.0.1:1"},{"id":"a","address":"10.0.0.2:1"}]'), [
    'duplicate-id 1:42',
  ])
})

t.test('a syntax problem is told in the words of the server', async t => {
  const said = (text: string) => parse(text).problems[0]?.text
  t.equal(said('["a:1",]'), "invalid character ']' looking for beginning of value")
  t.equal(said('["a:1"'), 'unexpected EOF')
  t.equal(said(' \n'), 'EOF')
  t.equal(said('["a\n"]'), "invalid character '\\n' in string literal")
  t.equal(said("['a']"), "invalid character '\\'' looking for beginning of value")
  t.equal(said('[é]'), "invalid character 'Ã' looking for beginning of value")
  t.equal(said('nul'), 'unexpected EOF')
  t.equal(said('nulx'), "invalid character 'x' in literal null (expecting 'l')")
  t.equal(said('[{"a" 1}]'), "invalid character '1' after object key")
  t.equal(said('[1.x]'), "invalid character 'x' after decimal point in numeric literal")
})

t.test('nesting and size are bounded', async t => {
  t.equal(parse('['.repeat(1_000_000)).problems[0]?.text, 'exceeded max depth')
  t.equal(parse(`["${'x'.repeat(2_000_000)}"]`).dialect, 'unparsable')
  t.ok(parse(`[${'"",'.repeat(100_000)}""]`).problems.length <= 100)
})

const servers = [
  {id: serverId('b'), address: serverAddress('10.0.0.2:8300'), suffrage: 'voter'},
  {id: serverId('a"'), address: serverAddress('10.0.0.1:8300'), suffrage: 'voter'},
] as const

t.test('the same servers in any order are written as the same text, which reads back', async t => {
  for (const dialect of ['list', 'objects'] as const) {
    const text = writePeersJson({servers}, dialect)
    t.equal(text, writePeersJson({servers: [...servers].reverse()}, dialect))
    t.equal(text.at(-1), '\n')
    t.same(parse(text).problems, [])
    t.equal(parse(text).dialect, dialect)
  }
  t.equal(writePeersJson({servers}, 'list'), '["10.0.0.1:8300","10.0.0.2:8300"]\n')
  t.same(
    parse(writePeersJson({servers}, 'objects')).servers.map(server => server.id),
    ['a"', 'b'],
  )
})

t.test('a nonvoter cannot be written as a list, where it would become a voter', async t => {
  const nonvoter = {id: serverId('n'), address: serverAddress('10.0.0.3:8300'), suffrage: 'nonvoter'} as const
  t.throws(() => writePeersJson({servers: [...servers, nonvoter]}, 'list'))
  t.match(writePeersJson({servers: [nonvoter]}, 'objects'), /"non_voter": true/)
})

t.test('the dialect follows product, version and Raft protocol', async t => {
  const rows: [
    Parameters<typeof dialectFor>[0]['product'],
    string | undefined,
    number | undefined,
    string | undefined,
  ][] = [
    ['consul', '0.6.4.dev', undefined, 'live-list'],
    ['consul', '0.7.0', undefined, 'list'],
    ['consul', '0.8.1', 3, 'list'],
    ['consul', '0.8.2', undefined, 'list'],
    ['consul', '0.8.2', 3, 'objects'],
    ['consul', '1.0.0', undefined, 'objects'],
    ['consul', '1.8.19', 2, 'list'],
    ['consul', '1.9.0', 2, 'objects'],
    ['consul', '1.16.6+ent', undefined, 'objects'],
    ['consul', 'unknown', 3, undefined],
    ['consul', undefined, 3, undefined],
    ['nomad', '0.5.4', undefined, undefined],
    ['nomad', '0.9.1', 3, 'list'],
    ['nomad', '1.2.0', undefined, 'list'],
    ['nomad', '1.2.0', 3, 'objects'],
    ['nomad', '1.4.0', undefined, 'objects'],
    ['vault', undefined, undefined, 'objects'],
    ['rqlite', '8.0.0', undefined, 'objects'],
  ]
  for (const [product, version, raftProtocol, expected] of rows)
    t.equal(dialectFor({product, version, raftProtocol}), expected, `${product} ${version} ${raftProtocol}`)
})
