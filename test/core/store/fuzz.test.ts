import {readdirSync, readFileSync} from 'node:fs'
import path from 'node:path'
import t from 'tap'
import {readStore} from '../../../src/core/store/read-store.js'
import {readSnapshots} from '../../../src/core/store/snapshots.js'
import {freshCost, runReader, sample} from '../../helpers/store-files.js'

const SEED = Number(process.env['QUORATE_SEED'] ?? 4711)
const ROUNDS = 150

/** Mulberry32: the same faults for the same seed. */
function prng(seed: number): (below: number) => number {
  let state = seed >>> 0
  return below => {
    state = (state + 0x6d2b79f5) >>> 0
    let x = state
    x = Math.imul(x ^ (x >>> 15), x | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return ((x ^ (x >>> 14)) >>> 0) % below
  }
}

function files(directory: string, prefix = ''): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>()
  for (const entry of readdirSync(directory, {withFileTypes: true})) {
    const name = path.join(directory, entry.name)
    if (entry.isDirectory())
      for (const [key, bytes] of files(name, `${prefix}${entry.name}/`)) found.set(key, bytes)
    else found.set(`${prefix}${entry.name}`, new Uint8Array(readFileSync(name)))
  }
  return found
}

const corpora: readonly (readonly [string, Map<string, Uint8Array>])[] = [
  ...['consul-0.6.4-cluster', 'consul-0.7.5-cluster', 'consul-1.8-cluster', 'consul-1.8-leave-one'].map(
    name => [name, files(sample(name, 's1', 'raft'))] as const,
  ),
  ...['055', '115'].map(
    codec =>
      [
        codec,
        new Map([
          [
            'raft.db',
            new Uint8Array(readFileSync(sample('raft-boltdb-v2', `raft150-boltdb222-msgpack${codec}.db`))),
          ],
        ]),
      ] as const,
  ),
  ...['simple', 'rotated-truncated', 'torn-tail'].map(
    name =>
      [
        name,
        new Map([...files(sample('raft-wal', name))].map(([key, bytes]) => [`wal/${key}`, bytes])),
      ] as const,
  ),
]

/** Changes some bytes, rather where there are any than in the zeros behind them, or cuts the file. */
function mutate(bytes: Uint8Array, next: (below: number) => number): Uint8Array {
  const copy = bytes.slice(0, next(8) === 0 ? next(bytes.length + 1) : bytes.length)
  for (let left = 1 + next(6); left > 0 && copy.length > 0; left--) {
    let at = next(copy.length)
    for (let tries = 0; tries < 40 && copy[at] === 0; tries++) at = next(copy.length)
    const kind = next(4)
    if (kind === 0) copy[at] = next(256)
    else if (kind === 1) copy[at] = (copy[at] ?? 0) ^ (1 << next(8))
    else if (kind === 2) copy.fill(0xff, at, at + 1 + next(8))
    else copy.copyWithin(at, next(copy.length), next(copy.length))
  }
  return copy
}

/** Makes both metas of a bolt file right again, so that damage behind them is reached. */
function keepMetas(original: Uint8Array, mutated: Uint8Array): void {
  if (mutated.length >= 8192) mutated.set(original.subarray(0, 8192))
}

t.test(`no damage makes a reader throw, hang or read without bounds (seed ${SEED})`, async t => {
  const next = prng(SEED)
  const outcomes = new Map<string, number>()
  for (const [name, corpus] of corpora) {
    const total = [...corpus.values()].reduce((sum, bytes) => sum + bytes.length, 0)
    for (let round = 0; round < ROUNDS; round++) {
      const broken = new Map(
        [...corpus].map(([file, bytes]) => {
          const copy = mutate(bytes, next)
          if (file.endsWith('.db') && next(4) !== 0) keepMetas(bytes, copy)
          return [file, copy] as const
        }),
      )
      const cost = freshCost()
      const source = {host: 'h', via: 'file', what: 'snapshots'} as const
      const state = runReader(readStore({termsAt: [1, 40, 77]}), broken, cost, 20_000)
      const snapshots = runReader(readSnapshots({deep: true, source}), broken, cost, 20_000)
      for (const result of [state, snapshots]) {
        const outcome = result.kind === 'read' ? 'read' : result.why
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
        if (!['read', 'corrupt', 'absent', 'unsupported', 'over-budget'].includes(outcome))
          t.fail(`${name} ended as ${outcome}`)
      }
      if (cost.bytes > 6 * total + 512 * 1024) t.fail(`${name} cost ${cost.bytes} bytes of ${total}`)
    }
  }
  t.ok((outcomes.get('corrupt') ?? 0) > 100, `damage is noticed: ${JSON.stringify([...outcomes])}`)
  t.ok((outcomes.get('read') ?? 0) > 100, 'and what is whole is read')
})
