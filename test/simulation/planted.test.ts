import {join} from 'node:path'
import t from 'tap'
import {brokenCore} from './load-core.js'
import {planted} from './planted.js'
import {runSeed} from './seed.js'

const SEEDS_MAX = 1000

for (const [i, {title, changes = [], driver = {}, seed: known}] of planted.entries())
  t.test(`caught: ${title}`, async t => {
    const core = await brokenCore(changes, join(t.testdir(), String(i)))
    const seeds = Array.from({length: SEEDS_MAX}, (_, i) => i + 1)
    for (const seed of known === undefined ? seeds : [known, ...seeds]) {
      const {broken} = runSeed(seed, core, driver)
      if (broken === undefined) continue
      t.pass(`by seed ${seed}: ${broken}`)
      return
    }
    t.fail(`${SEEDS_MAX} seeds did not catch it`)
  })
