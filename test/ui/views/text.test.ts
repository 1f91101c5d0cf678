import t from 'tap'
import {
  displayWidth,
  formatBytes,
  formatDuration,
  formatTime,
  truncate,
  wrap,
} from '../../../src/ui/views/text.js'

t.test('widths count cells, not code units', async t => {
  t.equal(displayWidth('abc'), 3)
  t.equal(displayWidth('東京'), 4)
  t.equal(displayWidth('\u001b[31mred\u001b[39m'), 3)
  t.equal(displayWidth('e\u0301'), 1)
  t.equal(displayWidth('✗'), 1)
})

t.test('lines break at spaces and later ones are indented', async t => {
  t.same(wrap('2 of 4 voters are up; 3 are needed.', 18, 2), [
    '2 of 4 voters are',
    '  up; 3 are',
    '  needed.',
  ])
  t.same(wrap('sudo /a/very/long/path x', 8), ['sudo', '/a/very/long/path', 'x'], 'long words stay whole')
  t.same(wrap('', 10), [''])
})

t.test('a cut text ends in the mark and fits', async t => {
  t.equal(truncate('consul-12', 6, '…'), 'consu…')
  t.equal(truncate('東京都', 5, '…'), '東京…')
  t.equal(truncate('abc', 3, '…'), 'abc')
})

t.test('times are UTC to the second and durations have one unit', async t => {
  t.equal(formatTime(1795143852000), '2026-11-20 03:04:12Z')
  t.same([5, 2100, 99_000, 1_500_000, 36_000_000, 777_600_000].map(formatDuration), [
    '5 ms',
    '2.1 s',
    '99.0 s',
    '25 min',
    '10 h',
    '9 d',
  ])
  t.same([0, 512, 6.1 * 2 ** 30].map(formatBytes), ['0 B', '512 B', '6.1 GiB'])
})
