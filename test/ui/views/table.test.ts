import t from 'tap'
import {renderTable} from '../../../src/ui/views/table.js'

const columns = [
  {header: 'server'},
  {header: 'free', align: 'right' as const, leaves: 2},
  {header: 'role', leaves: 1},
]

t.test('headers are upper-case and lines carry no trailing spaces', async t => {
  t.same(
    renderTable(columns, [
      ['a', '6.1 GiB', 'leader'],
      ['consul-2', '0 B', '-'],
    ]),
    ['SERVER       FREE  ROLE', 'a         6.1 GiB  leader', 'consul-2      0 B  -'],
  )
})

t.test('columns leave by their declared order and never wrap', async t => {
  const rows = [['consul-1', '6.1 GiB', 'leader']]
  t.same(renderTable(columns, rows, {width: 24}), ['SERVER    ROLE', 'consul-1  leader'])
  t.same(renderTable(columns, rows, {width: 10}), ['SERVER', 'consul-1'])
})

t.test('the widest cell is cut only when no column is left to leave', async t => {
  t.same(renderTable([{header: 'server'}], [['a-very-long-name']], {width: 8}), ['SERVER', 'a-very-…'])
})

t.test('wide characters keep columns straight', async t => {
  t.same(
    renderTable(
      [{header: 'name'}, {header: 'role'}],
      [
        ['東京', 'x'],
        ['e\u0301', 'y'],
      ],
    ),
    ['NAME  ROLE', '東京  x', 'e\u0301     y'],
  )
})

t.test('a missing cell is not known', async t => {
  t.same(renderTable(columns, [['a']]), ['SERVER  FREE  ROLE', 'a          ?  ?'])
})
