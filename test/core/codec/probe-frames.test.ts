import t from 'tap'
import {fileSection, parseProbeFrames, text} from '../../../src/core/codec/probe-frames.js'

const bytes = (words: string): Uint8Array => new TextEncoder().encode(words)

function sections(words: string) {
  const result = parseProbeFrames(bytes(words))
  if (!result.ok) throw new Error(result.problem.message)
  return result.value.map(({name, bytes: body, status}) => [name, text(body), status])
}

t.test('sections are split at their mark, bodies byte for byte', async t => {
  t.same(
    sections(
      '\nquorate-probe 1 m-1\n\n@m-1 a\none\n\ntwo\n\n@m-1. 0\n\n@m-1 empty\n\n@m-1. 3\n\n@m-1 f\n/x\0\n@m-1. absent\n',
    ),
    [
      ['a', 'one\n\ntwo\n', 0],
      ['empty', '', 3],
      ['f', '/x\0', 'absent'],
    ],
  )
})

t.test('a greeting before the first line is passed over', async t => {
  t.same(sections('Welcome to quorate-probe 1 x\nquorate-probe 1 m\n\n@m a\n1\n@m. 0\n'), [['a', '1', 0]])
})

t.test('content that looks like a section of another run closes nothing', async t => {
  t.same(sections('quorate-probe 1 right\n\n@right log\nx\n@wrong. 0\n\n@wrong evil\ny\n@right. 0\n'), [
    ['log', 'x\n@wrong. 0\n\n@wrong evil\ny', 0],
  ])
})

t.test('output that ends early yields what came and says that the last section is cut', async t => {
  t.same(sections('quorate-probe 1 m\n\n@m a\n1\n@m. 0\n\n@m b\nhal'), [
    ['a', '1', 0],
    ['b', 'hal', 'cut'],
  ])
  t.same(sections('quorate-probe 1 m\n\n@m a\n1\n@m. 0\n\n@m b'), [['a', '1', 0]])
})

t.test('a host that did not run the probe is told from one that found nothing', async t => {
  t.match(parseProbeFrames(bytes('This account is currently not available.\n')), {ok: false})
  t.match(parseProbeFrames(new Uint8Array()), {ok: false})
  t.same(sections('quorate-probe 1 m\n'), [])
})

t.test('a path may hold anything but NUL', async t => {
  const section = {name: 'f', bytes: bytes("/a b\n'c\u001b[31m\0content\0more"), status: 0} as const
  const file = fileSection(section)
  t.equal(file?.path, "/a b\n'c\u001b[31m")
  t.equal(text(file?.bytes ?? new Uint8Array()), 'content\0more')
})
