import {existsSync, readFileSync} from 'node:fs'
import t, {type Test} from 'tap'
import {realCore} from './load-core.js'
import {runSeed} from './seed.js'
import type {SeedResult} from './seed.js'

// QUORATE_SEED=4711 runs one seed and prints what happened; QUORATE_SEEDS=10000 runs as many as that. A seed that ever
// failed is in fixtures/seeds.txt and runs always.
const only = process.env['QUORATE_SEED']
const count = Number(process.env['QUORATE_SEEDS'] ?? '300')
const first = Number(process.env['QUORATE_FIRST_SEED'] ?? '1')

const kept = new URL('../../fixtures/seeds.txt', import.meta.url)
const remembered = existsSync(kept)
  ? readFileSync(kept, 'utf8')
      .split('\n')
      .map(line => Number(line.split('#')[0]))
      .filter(seed => seed > 0)
  : []

const told = ({seed, weather, broken, trail}: SeedResult): object => ({
  seed,
  again: `QUORATE_SEED=${seed} npx tap test/simulation/raft.test.ts`,
  broken,
  weather: JSON.stringify(weather),
  trail: trail.slice(-60),
})

function runAll(t: Test, seeds: readonly number[]): void {
  const sum = {events: 0, committed: 0, crashes: 0, snapshots: 0, changes: 0, recoveries: 0}
  let failed = 0
  for (const seed of seeds) {
    const result = runSeed(seed, realCore)
    sum.events += result.events
    sum.committed += result.committed
    sum.crashes += result.counts.crashes
    sum.snapshots += result.counts.snapshots
    sum.changes += result.counts.changes
    sum.recoveries += result.counts.recoveries
    if (result.broken === undefined) continue
    failed += 1
    if (failed <= 5) t.fail(`seed ${seed}: ${result.broken}`, told(result))
  }
  t.comment(`${seeds.length} seeds: ${JSON.stringify(sum)}`)
  t.equal(failed, 0, `${seeds.length} seeds hold`)
  if (seeds.length >= 100) {
    t.ok(sum.committed > seeds.length * 20, 'enough was committed for the checks to mean something')
    t.ok(
      sum.crashes > 0 && sum.snapshots > 0 && sum.changes > 0 && sum.recoveries > 0,
      'and enough went wrong',
    )
  }
}

if (only !== undefined)
  t.test(`seed ${only} holds`, t => {
    const result = runSeed(Number(only), realCore)
    for (const line of result.trail) t.comment(line)
    t.equal(result.broken, undefined, JSON.stringify(result))
    t.end()
  })
else {
  t.test('every seed that ever failed holds', t => {
    runAll(t, remembered)
    t.end()
  })
  t.test(`${count} seeds from ${first} hold`, t => {
    runAll(
      t,
      Array.from({length: count}, (_, i) => first + i),
    )
    t.end()
  })
}
