import t from 'tap'
import {matchesGoPattern} from '../../../src/core/gossip/go-pattern.js'

t.test('patterns match as in Go, anywhere in the text unless anchored', t => {
  const table: readonly (readonly [pattern: string, text: string, matches: boolean])[] = [
    ['', '', true],
    ['web', 'my-web-1', true],
    ['^web', 'my-web', false],
    ['web$', 'my-web', true],
    ['w.b', 'wxb', true],
    ['w.b', 'w\nb', false],
    ['a|b|cd', 'xcd', true],
    ['^(a|b)+$', 'abba', true],
    ['^(?:ab)*$', 'ababa', false],
    ['^[a-c_-]{2,3}$', 'a-c', true],
    ['^[a-c]{2,3}$', 'abca', false],
    ['^[^0-9]+$', 'abc', true],
    ['^[^0-9]+$', 'ab1', false],
    ['^x{3}$', 'xxx', true],
    ['^x{2,}$', 'x', false],
    ['^\\d+\\.\\d+$', '1.25', true],
    ['^\\w+\\s\\S+$', 'a_1 %', true],
    ['a+?b??', 'a', true],
    ['(?i)WEB', 'my-Web', true],
    ['\\Aweb\\z', 'web', true],
    ['^[]a]$', ']', true],
    ['a{x}', 'a{x}', true],
    ['^$', '', true],
    ['^$', 'a', false],
    ['()', 'a', true],
    ['ü.', 'grüß', true],
  ]
  for (const [pattern, text, matches] of table)
    t.equal(matchesGoPattern(pattern, text), matches, `${pattern} on ${text}`)
  t.end()
})

t.test('agrees with the engine of the platform on what both understand', t => {
  let seed = 42
  const below = (bound: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    return (seed >>> 8) % bound
  }
  const pieces = [
    'a',
    'b',
    '.',
    '[ab]',
    '[^a]',
    '(a|b)',
    '(?:ab|a)',
    'a*',
    'b+',
    '(ab)?',
    'a{1,2}',
    '^',
    '$',
    '\\w',
    '|',
  ]
  let checked = 0
  for (let i = 0; i < 3000; i++) {
    const pattern = Array.from({length: 1 + below(5)}, () => pieces[below(pieces.length)]).join('')
    const text = Array.from({length: below(6)}, () => 'abc'[below(3)]).join('')
    if (matchesGoPattern(pattern, text) !== new RegExp(pattern).test(text)) t.fail(`${pattern} on ${text}`)
    checked++
  }
  t.equal(checked, 3000)
  t.end()
})

t.test('what is not understood matches nothing, and what would take for ever takes no time', t => {
  for (const pattern of [
    '(',
    ')',
    '[',
    '*',
    'a**',
    'a{1001}',
    '(?P<x>a)',
    '\\b',
    '\\p{L}',
    '[[:alpha:]]',
    '\\',
    'a{2,1}',
  ])
    t.notOk(matchesGoPattern(pattern, 'aaa'), pattern)
  t.notOk(matchesGoPattern('('.repeat(500), 'a'))
  const start = performance.now()
  t.notOk(matchesGoPattern('^(a+)+$', `${'a'.repeat(400)}!`))
  t.notOk(matchesGoPattern('^(([0-9a-f-]+)*)*x', '8a9e7ac8-9b7a-4f4a-8f4e-0f6f7f1f2f3f'.repeat(10)))
  t.notOk(matchesGoPattern('((a{0,9}){0,9}){0,9}b', 'a'.repeat(500)))
  t.ok(performance.now() - start < 3000)
  t.end()
})
