import {readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import t from 'tap'
import {keepLoyalty} from '../../../src/agent/store/loyalty-file.js'

t.test('the longest promise that may still hold is told at the next start', async t => {
  const directory = t.testdir()
  const start = async (ownMs: number): Promise<number> => {
    const loyalty = await keepLoyalty(directory, ownMs)
    t.teardown(() => loyalty.stop())
    return loyalty.atStartMs
  }
  t.equal(await start(300), 300)
  t.equal(await start(900), 900, 'a longer one counts at once')
  t.equal(await start(200), 900, 'a shorter one does not')
  t.equal(await start(200), 900, 'nor at a start soon after')
})

t.test('a shorter promise takes the place of a longer one when that has run out', async t => {
  const directory = t.testdir()
  const file = join(directory, 'loyalty')
  const kept = (): string => readFileSync(file, 'utf8')
  await keepLoyalty(directory, 200)
  const stopped = await keepLoyalty(directory, 50)
  stopped.stop()
  await new Promise(resolve => setTimeout(resolve, 300))
  t.equal(kept(), '200\n', 'not by a server that has stopped')
  const begun = performance.now()
  await keepLoyalty(directory, 50)
  while (kept() === '200\n') await new Promise(resolve => setTimeout(resolve, 10))
  t.ok(performance.now() - begun >= 195)
  t.equal(kept(), '50\n')
  t.equal((await keepLoyalty(directory, 50)).atStartMs, 50)
})

t.test('a file that says nothing is taken for the longest that can be', async t => {
  const directory = t.testdir()
  writeFileSync(join(directory, 'loyalty'), 'soon')
  const loyalty = await keepLoyalty(directory, 300)
  loyalty.stop()
  t.equal(loyalty.atStartMs, 10_000)
})
