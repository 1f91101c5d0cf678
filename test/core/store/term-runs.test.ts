import t from 'tap'
import {TermRuns} from '../../../src/core/store/term-runs.js'

t.test('terms are known for the entries that were read, in whatever order, and for no others', async t => {
  const seen = new TermRuns()
  for (const [index, term] of [
    [10, 4],
    [9, 4],
    [8, 3],
    [7, 3],
    [2, 1],
  ] as const)
    seen.add(index, term)
  const known = Array.from({length: 12}, (_, index) => seen.at(index))
  t.strictSame(known, [
    undefined,
    undefined,
    1,
    undefined,
    undefined,
    undefined,
    undefined,
    3,
    3,
    4,
    4,
    undefined,
  ])
})
