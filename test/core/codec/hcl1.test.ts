import t from 'tap'
import {parseHcl1} from '../../../src/core/codec/hcl1.js'

const value = (text: string) => {
  const result = parseHcl1(text)
  return result.ok ? JSON.parse(JSON.stringify(result.value)) : result.problem
}
const problem = (text: string) => {
  const result = parseHcl1(text, 'a.hcl')
  return result.ok ? 'read' : `${result.problem.line}:${result.problem.column} ${result.problem.message}`
}

t.test('settings, blocks, lists and objects decode as hcl.Decode decodes them into a map', async t => {
  const rows: readonly [string, unknown][] = [
    ['"datacenter" = "dc1"', {datacenter: 'dc1'}],
    ['node_meta { "rack" = "r1" }', {node_meta: [{rack: 'r1'}]}],
    ['ports { http = 1, server = 2 }', {ports: [{http: 1, server: 2}]}],
    ['a = {b = {c = 1}}', {a: [{b: [{c: 1}]}]}],
    ['a = [1, "x", true, {b = 1}, [2]]', {a: [1, 'x', true, {b: 1}, [2]]}],
    ['a = [1,]', {a: [1]}],
    ['a = 1, b = 2', {a: 1, b: 2}],
    ['a-b = 1\na.b = 2', {'a-b': 1, 'a.b': 2}],
    ['a = 0x1F\nb = 017\nc = -3\nd = 1.5e3\ne = .5', {a: 31, b: 15, c: -3, d: 1500, e: 0.5}],
    [
      'service "web" { port = 1 } service "db" { port = 2 }',
      {service: [{web: [{port: 1}]}, {db: [{port: 2}]}]},
    ],
    ['# c\n// d\n/* e\n f */ a = true # g', {a: true}],
    ['', {}],
  ]
  for (const [text, expected] of rows) t.same(value(text), expected, text)
})

t.test(
  'what is set twice merges: lists and blocks grow, scalars keep the last in the type of the first',
  async t => {
    t.same(value('a=1 a=2'), {a: 2})
    t.same(value('r = ["a"] r = ["b"]'), {r: ['a', 'b']})
    t.same(value('ports {a=1} ports {b=2}'), {ports: [{a: 1}, {b: 2}]})
    t.same(value('a="1" a=2'), {a: '2'})
    t.same(value('a=1 a="2"'), {a: 2})
    t.match(problem('a=1\n\ta=[1]'), /^2:2 set twice/)
  },
)

t.test('strings know escapes, and templates and interpolation stay text', async t => {
  t.same(value('a = "x\\n\\"y\\"\\u00e9\\101"'), {a: 'x\n"y"éA'})
  t.same(value('a = "${foo("bar")}"'), {a: '${foo("bar")}'})
  t.same(value('a = "{{ GetInterfaceIP \\"eth0\\" }}"'), {a: '{{ GetInterfaceIP "eth0" }}'})
})

t.test('heredocs keep their lines, and with a dash lose the indentation of their end', async t => {
  t.same(value('a = <<EOF\nx\n y\nEOF\n'), {a: 'x\n y\n'})
  t.same(value('a = <<-EOF\n   x\n    y\n   EOF\n'), {a: 'x\n y\n'})
  t.same(value('a = <<-EOF\n  x\n y\n   EOF\n'), {a: '  x\n y\n'})
})

t.test('a problem has its line and column', async t => {
  t.match(problem('a = 1\nb'), /^2:2 key 'b' expected start of object/)
  t.match(problem('a = [1 2]'), /^1:8 expected comma or list end/)
  t.match(problem('a = 1\n  b = c'), /^2:7 expected a value/)
  t.match(problem('a = "x'), /^1:5 literal not terminated/)
  t.match(problem('a = "x\ny"'), /^1:5 literal not terminated/)
  t.match(problem('/* x'), /^1:1 comment not terminated/)
  t.match(problem('a = <<EOF\nx'), /^1:5 heredoc not terminated/)
  t.match(problem('a = 09'), /^1:5 illegal octal/)
  t.match(problem('a = "\\q"'), /^1:6 illegal char escape/)
  t.match(problem('a = 1;'), /^1:6 illegal character/)
  t.match(problem('a b = 1'), /^1:5 expected '{' after several keys/)
  t.match(problem('a {'), /^1:4 expected a key, got the end/)
  t.match(parseHcl1('a', 'a.hcl'), {ok: false, problem: {file: 'a.hcl'}})
})

t.test('keys cannot reach a prototype, and nesting is bounded', async t => {
  const result = parseHcl1('__proto__ { polluted = true }')
  t.equal(({} as {polluted?: boolean}).polluted, undefined)
  t.equal(result.ok && Object.keys(result.value)[0], '__proto__')
  t.match(problem('a = ' + '['.repeat(100_000)), /nested too deeply/)
})
