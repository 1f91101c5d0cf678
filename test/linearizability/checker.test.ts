import t from 'tap'
import {isLinearizable} from './checker.js'
import type {Ask, Operation} from './checker.js'

let clients = 0
const op = (calledAt: number, returnedAt: number | undefined, ask: Ask, answer: object = {}): Operation => ({
  client: ++clients,
  ask,
  calledAt,
  returnedAt,
  ...answer,
})
const put = (from: number, to: number | undefined, value: string): Operation =>
  op(from, to, {ask: 'put', value})
const get = (from: number, to: number, found: string | undefined): Operation =>
  op(from, to, {ask: 'get'}, {found})
const gone = (from: number, to: number): Operation => op(from, to, {ask: 'delete'})
const cas = (
  from: number,
  to: number,
  expected: string | undefined,
  value: string,
  done: boolean,
): Operation => op(from, to, {ask: 'cas', expected, value}, {done})

const good: Readonly<Record<string, readonly Operation[]>> = {
  'nothing at all': [],
  'a write is read': [put(0, 1, 'a'), get(2, 3, 'a')],
  'a read beside a write sees it': [put(0, 9, 'a'), get(2, 3, 'a'), get(4, 5, 'a')],
  'a read beside a write does not see it yet': [put(0, 9, 'a'), get(2, 3, undefined)],
  'two writes at once, seen in either order': [
    put(0, 9, 'a'),
    put(0, 9, 'b'),
    get(10, 11, 'a'),
    get(12, 13, 'a'),
  ],
  'a write without an answer took effect later': [
    put(0, undefined, 'a'),
    get(5, 6, undefined),
    get(7, 8, 'a'),
  ],
  'a write without an answer never took effect': [put(0, undefined, 'a'), put(1, 2, 'b'), get(7, 8, 'b')],
  'of two compare-and-sets one is done': [
    put(0, 1, 'a'),
    cas(2, 9, 'a', 'b', true),
    cas(2, 9, 'a', 'c', false),
    get(10, 11, 'b'),
  ],
  'a deleted key is made anew': [put(0, 1, 'a'), gone(2, 3), cas(4, 5, undefined, 'b', true), get(6, 7, 'b')],
}

const bad: Readonly<Record<string, readonly Operation[]>> = {
  'a stale read': [put(0, 1, 'a'), put(2, 3, 'b'), get(4, 5, 'a')],
  'a lost write': [put(0, 1, 'a'), get(2, 3, undefined)],
  'a value that nobody wrote': [put(0, 1, 'a'), get(2, 3, 'x')],
  'a read before the write was asked for': [get(0, 1, 'a'), put(2, 3, 'a')],
  'reads that go back': [put(0, 1, 'a'), put(2, 20, 'b'), get(3, 4, 'b'), get(5, 6, 'a')],
  'reads that go back, by two clients': [
    put(0, 1, 'a'),
    put(2, undefined, 'b'),
    get(3, 5, 'b'),
    get(6, 8, 'a'),
    get(7, 9, 'b'),
  ],
  'two compare-and-sets of one value are both done': [
    put(0, 1, 'a'),
    cas(2, 9, 'a', 'b', true),
    cas(2, 9, 'a', 'c', true),
  ],
  'a compare-and-set that should have been done was not': [put(0, 1, 'a'), cas(2, 3, 'a', 'b', false)],
  'a deleted key comes back': [put(0, 1, 'a'), gone(2, 3), get(4, 5, undefined), get(6, 7, 'a')],
  'a failed write takes effect twice': [
    put(0, undefined, 'a'),
    get(1, 2, 'a'),
    put(3, 4, 'b'),
    get(5, 6, 'b'),
    get(7, 8, 'a'),
  ],
}

for (const [title, history] of Object.entries(good))
  t.test(`accepted: ${title}`, t => {
    t.ok(isLinearizable(history))
    t.end()
  })

for (const [title, history] of Object.entries(bad))
  t.test(`rejected: ${title}`, t => {
    t.notOk(isLinearizable(history))
    t.end()
  })

t.test('a search without memory agrees on all small histories', t => {
  // Every history of three operations in some arrangements of time, judged by trying all orders.
  const asks: readonly Ask[] = [{ask: 'put', value: 'a'}, {ask: 'put', value: 'b'}, {ask: 'get'}]
  const spans = [
    [0, 1],
    [0, 5],
    [2, 3],
    [2, 7],
    [4, 6],
  ] as const
  let count = 0
  for (const s1 of spans)
    for (const s2 of spans)
      for (const s3 of spans)
        for (const found of [undefined, 'a', 'b'])
          for (const open of [false, true]) {
            const history = [
              op(s1[0], open ? undefined : s1[1], asks[0] as Ask),
              op(s2[0], s2[1], asks[1] as Ask),
              op(s3[0], s3[1], asks[2] as Ask, {found}),
            ]
            count += 1
            if (isLinearizable(history) !== byTryingAll(history)) t.fail(JSON.stringify(history))
          }
  t.ok(count > 700)
  t.end()
})

function byTryingAll(history: readonly Operation[]): boolean {
  const orders = (rest: readonly Operation[]): Operation[][] =>
    rest.length === 0
      ? [[]]
      : rest.flatMap(one => orders(rest.filter(o => o !== one)).map(tail => [one, ...tail]))
  const candidates = [history, history.filter(one => one.returnedAt !== undefined)].flatMap(orders)
  return candidates.some(order => {
    let state: string | undefined
    return order.every((one, i) => {
      if (order.slice(i + 1).some(later => (later.returnedAt ?? Infinity) < one.calledAt)) return false
      if (one.ask.ask === 'get') return one.found === state
      if (one.ask.ask === 'put') state = one.ask.value
      return true
    })
  })
}
