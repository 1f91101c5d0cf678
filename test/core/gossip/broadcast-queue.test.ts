import t from 'tap'
import {BroadcastQueue} from '../../../src/core/gossip/broadcast-queue.js'

const message = (length: number, fill = 0): Uint8Array => new Uint8Array(length).fill(fill)
const lengths = (parts: readonly Uint8Array[]): readonly number[] => parts.map(({length}) => length)

t.test('what was sent least goes first, then what is larger, then what is newer', t => {
  const queue = new BroadcastQueue()
  queue.push(message(10, 1))
  queue.push(message(30))
  queue.push(message(10, 2))
  t.same(lengths(queue.take(0, 35, 9)), [30])
  const second = queue.take(0, 10, 9)
  t.equal(second[0]?.[0], 2, 'of two that are equal the newer')
  t.equal(queue.take(0, 10, 9)[0]?.[0], 1)
  t.same(lengths(queue.take(0, 100, 9)), [30, 10, 10])
  t.end()
})

t.test('parts and their overhead fit into the room there is', t => {
  const queue = new BroadcastQueue()
  for (let i = 0; i < 1000; i++) queue.push(message(50 + (i % 100)))
  for (let i = 0; i < 200; i++) {
    const taken = queue.take(3, 1300, 4)
    const used = taken.reduce((sum, part) => sum + part.length + 3, 0)
    t.ok(used <= 1300 && taken.length > 0)
  }
  t.same(queue.take(3, 20, 4), [], 'and what fits nowhere stays')
  t.end()
})

t.test('a message is sent as often as the limit says, then it is done with', t => {
  const queue = new BroadcastQueue()
  let done = 0
  queue.push(message(5), undefined, () => done++)
  for (let sent = 1; sent <= 4; sent++) {
    t.equal(done, 0)
    t.equal(queue.take(2, 100, 4).length, 1)
  }
  t.equal(done, 1)
  t.equal(queue.length, 0)
  t.end()
})

t.test('news of one subject replace older news of it and end their wait', t => {
  const queue = new BroadcastQueue()
  const ended: string[] = []
  queue.push(message(5, 1), 'a', () => ended.push('first'))
  queue.push(message(5, 9), 'b')
  queue.push(message(5, 2), 'a', () => ended.push('second'))
  t.same(ended, ['first'])
  t.equal(queue.length, 2)
  t.same(
    queue.take(0, 100, 1).map(part => part[0]),
    [2, 9],
  )
  t.same(ended, ['first', 'second'])
  t.end()
})

t.test('a pruned queue keeps what was sent least', t => {
  const queue = new BroadcastQueue()
  for (let i = 0; i < 10; i++) queue.push(message(5, i))
  queue.take(0, 25, 9)
  queue.prune(5)
  t.same(
    queue.take(0, 100, 9).map(part => part[0]),
    [4, 3, 2, 1, 0],
  )
  t.end()
})

t.test('what fits into no datagram is not kept, and a flood is cut', t => {
  const queue = new BroadcastQueue(100)
  let done = 0
  queue.push(message(1351), undefined, () => done++)
  t.same([queue.length, done], [0, 1])
  for (let i = 0; i < 1000; i++) queue.push(message(5))
  t.ok(queue.length <= 100 && queue.length >= 50)
  t.end()
})
