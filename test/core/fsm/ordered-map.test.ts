import t from 'tap'
import {OrderedMap} from '../../../src/core/fsm/ordered-map.js'
import {prng} from './prng.js'

interface Item {
  readonly key: string
  readonly value: number
}

t.test('it holds what a sorted array would hold, whatever is put in and taken out', async t => {
  for (let seed = 1; seed <= 6; seed++) {
    const random = prng(seed)
    const map = new OrderedMap<Item>()
    const model = new Map<string, Item>()
    for (let step = 0; step < 6000; step++) {
      const key = `k${random(seed * 400)}`
      if (random(10) < (step < 4000 ? 7 : 2)) {
        const item = {key, value: step}
        if (map.set(item) !== model.get(key)) t.fail(`seed ${seed}, step ${step}: ${key}`)
        model.set(key, item)
      } else {
        if (map.delete(key) !== model.get(key)) t.fail(`seed ${seed}, step ${step}: ${key}`)
        model.delete(key)
      }
      if (step % 1500 === 0) same(t, map, model)
    }
    same(t, map, model)
    const prefix = `k${random(9)}`
    t.strictSame(
      [...map.prefixed(prefix)],
      sorted(model).filter(item => item.key.startsWith(prefix)),
    )
    for (const key of [...model.keys()]) map.delete(key)
    t.equal(map.size, 0)
    t.strictSame([...map.from('')], [])
  }
})

t.test('keys in rising order fill it, and are found again', async t => {
  const map = new OrderedMap<Item>()
  for (let i = 0; i < 20_000; i++) map.set({key: String(i).padStart(6, '0'), value: i})
  t.equal(map.size, 20_000)
  t.equal(map.get('012345')?.value, 12_345)
  t.equal([...map.from('019990')].length, 10)
})

t.test('a fork stands still while the original and other forks go on', async t => {
  const random = prng(7)
  const map = new OrderedMap<Item>()
  const model = new Map<string, Item>()
  const forks: {fork: OrderedMap<Item>; expected: readonly Item[]}[] = []
  for (let step = 0; step < 5000; step++) {
    const key = `k${random(700)}`
    if (random(3) > 0) {
      map.set({key, value: step})
      model.set(key, {key, value: step})
    } else {
      map.delete(key)
      model.delete(key)
    }
    if (step % 500 === 250) forks.push({fork: map.fork(), expected: sorted(model)})
  }
  const [first] = forks
  first?.fork.set({key: 'only in the fork', value: 1})
  t.equal(map.get('only in the fork'), undefined)
  first?.fork.delete('only in the fork')
  for (const {fork, expected} of forks) t.strictSame([...fork.from('')], expected)
})

function sorted(model: Map<string, Item>): readonly Item[] {
  return [...model.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
}

function same(
  t: {equal: (a: unknown, b: unknown) => boolean; strictSame: (a: unknown, b: unknown) => boolean},
  map: OrderedMap<Item>,
  model: Map<string, Item>,
): void {
  t.equal(map.size, model.size)
  t.strictSame([...map.from('')], sorted(model))
}
