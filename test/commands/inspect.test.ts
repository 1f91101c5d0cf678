import {copyFileSync, mkdirSync} from 'node:fs'
import path from 'node:path'
import {captureOutput} from '@oclif/test'
import t from 'tap'
import Inspect from '../../commands/inspect.js'
import {EXIT} from '../../src/exit-codes.js'
import {sample} from '../helpers/store-files.js'

const root = path.resolve('.')

async function run(...args: string[]) {
  const before = process.exitCode
  const result = await captureOutput(async () => Inspect.run(args, {root}))
  const exitCode = process.exitCode
  process.exitCode = before ?? 0
  return {
    ...result,
    exitCode,
    error: result.error as (Error & {code?: string; exitCode?: number}) | undefined,
  }
}

const lines = (text: string) =>
  text
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, unknown>)

t.test('a data directory and the raft directory in it show the same', async t => {
  const outer = await run(sample('consul-1.8-leave-one', 's1'))
  const inner = await run(sample('consul-1.8-leave-one', 's1', 'raft'))
  t.equal(outer.stdout, inner.stdout)
  t.match(outer.stdout, /indexes +1 to 20\n +last log +20 @ 2\n/)
  t.match(outer.stdout, /53f897a2-096e-0b6c-1841-7be13e81f635 +127\.0\.1\.33:8300 +voter/)
  t.equal(outer.exitCode ?? 0, EXIT.ok)
})

t.test('--deep tells that every entry and every snapshot was checked', async t => {
  const {stdout} = await run(sample('consul-0.7.5-cluster', 's1'), '--deep')
  t.match(stdout, /every page +78 entries read/)
  t.match(stdout, /2-59-1795158777209 +59 @ 2 .* 3 +intact/)
})

t.test('--logs prints every entry in order, or a range of them, with the commands named', async t => {
  const all = lines((await run(sample('consul-0.6.4-cluster', 's1'), '--logs')).stdout)
  t.same(
    all.map(entry => entry['index']),
    Array.from({length: 77}, (_, i) => i + 1),
  )
  t.match(all[0], {index: 1, term: 1, type: 'add-peer'})
  t.ok(all.some(entry => entry['message'] === 'kvs'))
  const some = await run(sample('consul-0.6.4-cluster', 's1'), '--logs', '--from', '70', '--to', '71')
  t.same(
    lines(some.stdout).map(entry => entry['index']),
    [70, 71],
  )
})

t.test('a damaged store ends with its own exit code and one sentence', async t => {
  const directory = t.testdir({})
  copyFileSync(sample('raftdb-damaged', 'truncated-40000.db'), path.join(directory, 'raft.db'))
  for (const extra of [[], ['--deep'], ['--logs']]) {
    const {error} = await run(directory, ...extra)
    t.match(error, {code: 'STORE_UNREADABLE', exitCode: EXIT.inconclusive, message: /ends before byte/})
  }
})

t.test('what is no raft directory and what is LMDB are refused by name', async t => {
  t.match((await run(t.testdir({readme: ''}))).error, {code: 'NOT_A_RAFT_DIRECTORY', exitCode: EXIT.usage})
  t.match((await run('/nonexistent')).error, {code: 'NOT_A_RAFT_DIRECTORY'})
  const old = t.testdir({})
  mkdirSync(path.join(old, 'mdb'))
  copyFileSync(sample('raftdb-damaged', 'all-zero.db'), path.join(old, 'mdb', 'data.mdb'))
  t.match((await run(old)).error, {code: 'UNSUPPORTED_STORE', exitCode: EXIT.refused})
})

t.test('--logs and --json do not go together', async t => {
  const {stdout} = await run(sample('consul-0.6.4-cluster', 's1'), '--logs', '--json')
  t.match(JSON.parse(stdout), {format: 1, exit: EXIT.usage, error: {code: 'USAGE'}})
})
