import t from 'tap'
import type {ContentsSample, KeySeen} from '../../../src/core/model/contents.js'
import {logIndex} from '../../../src/core/model/ids.js'
import {compareContents} from '../../../src/core/verifying/contents.js'
import type {ComparedContents} from '../../../src/core/verifying/contents.js'
import {coverageWords, divergentKeyWords, sideWords} from '../../../src/core/verifying/contents-words.js'
import {makePrng, SEED} from '../../helpers/fuzz.js'

type Keys = Map<string, KeySeen>
/** Keys by name, each as `[ModifyIndex, checksum]`. */
type Plain = Readonly<Record<string, readonly [number, string]>>

function sample(host: string, keys: Keys | Plain, at: number | readonly [number, number], filtered = false) {
  const [from, upTo] = typeof at === 'number' ? [at, at] : at
  const list =
    keys instanceof Map
      ? keys
      : new Map(Object.entries(keys).map(([key, [modified, sum]]) => [key, {modified, sum}]))
  const sha256 = JSON.stringify([...list].sort(([a], [b]) => (a < b ? -1 : 1)))
  const digest = {keys: list.size, sha256, appliedIndex: logIndex(from)}
  return {host, digest, keys: list, from: logIndex(from), upTo: logIndex(upTo), filtered}
}

/** Rounds one after another, each with what the one before left open. */
function rounds(...all: readonly (readonly ContentsSample[])[]): ComparedContents['comparison'] {
  let last: ComparedContents | undefined
  for (const samples of all) last = compareContents(samples, last?.suspicions)
  if (last === undefined) throw new Error('no round')
  return last.comparison
}

t.test('servers that show the same are the same, wherever each of them is', async t => {
  const keys = {k: [3, 'x'], l: [4, 'y']} as const
  t.match(rounds([sample('a', keys, 9), sample('b', keys, 7)]), {
    ...{hosts: ['a', 'b'], upTo: 7, keys: 2, same: 2, moving: 0, doubtful: 0},
    divergent: undefined,
  })
})

t.test('what one server may not have applied yet is left out, and counted', async t => {
  const found = rounds([
    sample('a', {k: [3, 'x'], l: [9, 'z'], m: [8, 'm']}, 9),
    sample('b', {k: [3, 'x'], l: [4, 'y']}, 7),
  ])
  t.match(found, {upTo: 7, keys: 3, same: 1, moving: 2, doubtful: 0, divergent: undefined})
  t.equal(coverageWords(found), '1 of 3 keys, up to index 7,')
})

t.test(
  'a key that is missing on one server is an alarm only when the other cannot have deleted it',
  async t => {
    const has = {k: [3, 'x']} as const
    const first = [sample('a', has, 5), sample('b', {}, [5, 7])]
    t.match(rounds(first), {doubtful: 1, divergent: undefined}, 'b may have applied a deletion at 6 or 7')
    t.match(
      rounds(first, [sample('a', has, 6), sample('b', {}, 9)]),
      {doubtful: 1, divergent: undefined},
      'a has not applied 7 yet',
    )
    t.match(
      rounds(first, [sample('a', {}, 8), sample('b', {}, 8)]),
      {keys: 0, doubtful: 0, divergent: undefined},
      'it was deleted',
    )
    t.match(
      rounds(first, [sample('a', {k: [8, 'y']}, 8), sample('b', {}, 7)]),
      {moving: 1, doubtful: 0, divergent: undefined},
      'it was deleted and written again',
    )
    const sure = rounds(first, [sample('a', has, 7), sample('b', {}, 8)])
    t.match(sure, {doubtful: 0, divergent: {keys: 1, sides: [['a'], ['b']]}})
    t.equal(sure.divergent?.examples.map(divergentKeyWords)[0], '"k" is of index 3 on a, missing on b')
    const later = rounds(
      first,
      [sample('a', has, 6), sample('b', {}, 7)],
      [sample('a', has, 9), sample('b', {}, 9)],
    )
    t.match(later, {divergent: {keys: 1}}, 'a third round decides what the second could not')
  },
)

t.test('a key that goes away between two rounds is no cause to look a third time', async t => {
  const has = {k: [3, 'x'], l: [4, 'y']} as const
  const found = rounds(
    [sample('a', has, 5), sample('b', {l: [4, 'y']}, 6)],
    [sample('a', has, 8), sample('b', has, 8)],
  )
  t.match(found, {doubtful: 0, divergent: undefined})
  const moved = rounds(
    [sample('a', {...has, n: [5, '']}, 5), sample('b', has, 5)],
    [sample('a', has, 8), sample('b', {k: [3, 'x']}, 9)],
  )
  t.match(moved, {same: 1, moving: 1, doubtful: 0}, 'both had l in the first round')
})

t.test('other values, other indexes and keys from beyond the log are alarms at the second sight', async t => {
  const cases: Readonly<Record<string, readonly [Plain, Plain]>> = {
    'two values of one index': [{k: [3, 'x']}, {k: [3, 'y']}],
    'two indexes that both have applied': [{k: [3, 'x']}, {k: [4, 'x']}],
    'a key from another history': [{}, {k: [900, 'x']}],
  }
  for (const [name, [a, b]] of Object.entries(cases)) {
    const round = [sample('a', a, 9), sample('b', b, 9), sample('c', a, 9)]
    t.match(rounds(round), {doubtful: 1, divergent: undefined}, name)
    t.match(rounds(round, round), {doubtful: 0, divergent: {keys: 1, sides: [['a', 'c'], ['b']]}}, name)
  }
})

t.test('servers of which one keeps keys back are not set against each other', async t => {
  const round = [sample('a', {k: [3, 'x']}, 9), sample('b', {}, 9, true)]
  t.match(rounds(round, round, round), {doubtful: 1, divergent: undefined})
})

t.test(
  'a server with more keys than are held is left out, unless its digest is that of the others',
  async t => {
    const [a, b, c] = ['a', 'b', 'c'].map(host => sample(host, {k: [3, 'x']}, 9))
    const large = {...sample('c', {k: [3, 'x'], l: [4, 'y']}, 9), keys: undefined}
    if (a === undefined || b === undefined || c === undefined) throw new Error('three samples')
    t.match(rounds([a, b, {...c, keys: undefined}]), {hosts: ['a', 'b', 'c'], same: 1})
    t.match(rounds([{...a, digest: {...a.digest, sha256: ''}}, b, large]), {hosts: ['a', 'b'], same: 1})
  },
)

t.test('the words for what differs are fit for a terminal and name every server', async t => {
  t.equal(
    divergentKeyWords({
      key: 'a\u001b[2J\u202e"',
      seen: [
        {host: 'a', modified: 3, sum: 'x'},
        {host: 'b', modified: 3, sum: 'y'},
        {host: 'c', modified: 3, sum: 'x'},
        {host: 'd', modified: undefined, sum: undefined},
      ],
    }),
    '"a\\e[2J\\u{202e}"" is of index 3 on a and c, otherwise at index 3 on b, missing on d',
  )
  t.equal(
    sideWords([['a', 'b'], ['c']], host => (host === 'a' ? 7 : undefined)),
    'a and b (7 keys) | c',
  )
})

/** A log of random changes to a few keys, and the keys after every entry. */
function history(random: () => number, length: number): readonly Keys[] {
  const states: Keys[] = [new Map()]
  for (let index = 1; index <= length; index++) {
    const now = new Map(states.at(-1))
    const key = `k${Math.floor(random() * 8)}`
    const dice = random()
    // Entries that touch no key are as frequent as in a real log; a value may come back under another index
    if (dice < 0.5) now.set(key, {modified: index, sum: random() < 0.5 ? 'x' : `v${index}`})
    else if (dice < 0.75) now.delete(key)
    states.push(now)
  }
  return states
}

const LENGTH = 80

/** Servers that apply one log at their own speeds; `look` takes a sample of each with bounds as wide as real ones. */
class Servers {
  readonly #applied: number[]
  constructor(
    private readonly random: () => number,
    private readonly states: readonly Keys[],
    count: number,
    /** What a server shows instead of what it should. */
    private readonly twist: (server: number, keys: Keys) => Keys = (_, keys) => keys,
  ) {
    this.#applied = Array.from({length: count}, () => this.#steps(30))
  }

  #steps(most: number): number {
    return Math.floor(this.random() * (most + 1))
  }

  pass(most: number): void {
    this.#applied.forEach((applied, i) => {
      this.#applied[i] = Math.min(LENGTH, applied + this.#steps(most))
    })
  }

  /** All come to one entry, so many beyond the one that leads. */
  catchUp(beyond = 0): void {
    this.#applied.fill(Math.min(LENGTH, Math.max(...this.#applied) + beyond))
  }

  look(most: number): readonly ContentsSample[] {
    return this.#applied.map((_, i) => {
      this.#applied[i] = Math.min(LENGTH, (this.#applied[i] ?? 0) + this.#steps(most))
      const at = this.#applied[i] ?? 0
      const from = Math.max(0, at - this.#steps(3))
      const keys = this.twist(i, new Map(this.states[at]))
      return sample(`s${i}`, keys, [from, at + this.#steps(3)])
    })
  }
}

t.test('sound servers never alarm, at whatever moments they are read and however far they lag', async t => {
  const random = makePrng(SEED)
  const seen = {rounds: 0, open: 0, settled: 0}
  for (let run = 0; run < 4000; run++) {
    const servers = new Servers(random, history(random, LENGTH), 2 + Math.floor(random() * 4))
    const most = Math.floor(random() * 6)
    let last: ComparedContents | undefined
    for (let round = 0; round < 4; round++) {
      const samples = servers.look(most)
      last = compareContents(samples, last?.suspicions)
      const {divergent, ...counts} = last.comparison
      if (divergent !== undefined)
        return t.fail(`run ${run}, round ${round}: ${JSON.stringify(divergent)}`, {samples})
      if (counts.same + counts.moving + counts.doubtful !== counts.keys) return t.fail(`run ${run} counts`)
      seen.rounds += 1
      if (counts.doubtful > 0) seen.open += 1
      servers.pass(most)
      if (random() < 0.3) servers.catchUp()
    }
    servers.catchUp()
    const {same, keys} = compareContents(servers.look(0), last?.suspicions).comparison
    if (same === keys) seen.settled += 1
  }
  t.equal(seen.settled, 4000, 'servers at one index are the same in the end')
  t.ok(
    seen.open > 1000,
    `suspects were met in ${seen.open} of ${seen.rounds} rounds, so that there was something to clear`,
  )
})

t.test('a planted difference is found once every server has applied what it began with', async t => {
  const random = makePrng(SEED + 1)
  const plants: Readonly<Record<string, (keys: Keys, seen: KeySeen | undefined) => void>> = {
    missing: keys => keys.delete('planted'),
    'another value': (keys, seen) => keys.set('planted', {modified: seen?.modified ?? 0, sum: 'wrong'}),
    'an older index': keys => keys.set('planted', {modified: 1, sum: 'old'}),
    'a key that nobody wrote': keys => keys.set('extra', {modified: 2, sum: 'extra'}),
    'a key of another history': keys => keys.set('extra', {modified: 5000, sum: 'extra'}),
  }
  for (const [name, plant] of Object.entries(plants)) {
    let found = 0
    for (let run = 0; run < 300; run++) {
      const states = history(random, LENGTH).map((keys, index) =>
        index < 3 ? keys : new Map(keys).set('planted', {modified: 3, sum: 'right'}),
      )
      const count = 2 + Math.floor(random() * 3)
      const stray = Math.floor(random() * count)
      const servers = new Servers(random, states, count, (server, keys) => {
        if (server === stray) plant(keys, keys.get('planted'))
        return keys
      })
      servers.catchUp(8)
      servers.pass(5)
      const first = compareContents(servers.look(2), undefined)
      if (first.comparison.divergent !== undefined) return t.fail(`${name}: told at first sight`)
      servers.catchUp(8)
      servers.pass(5)
      const {divergent} = compareContents(servers.look(2), first.suspicions).comparison
      const keys = divergent?.examples.map(({key}) => key) ?? []
      if (keys.some(key => key !== 'planted' && key !== 'extra')) return t.fail(`${name}: ${keys.join()}`)
      if (divergent?.sides.some(side => side.length === 1 && side[0] === `s${stray}`) === true) found += 1
    }
    t.equal(found, 300, `${name}: found in all worlds, by the second round`)
  }
})
