import {appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import t from 'tap'
import {SnapshotFile} from '../../../src/agent/gossip/snapshot-file.js'

const dir = mkdtempSync(join(tmpdir(), 'quorate-snapshot-'))
t.teardown(() => rmSync(dir, {recursive: true, force: true}))

const open = (name: string, compacted: readonly string[] = []): ReturnType<typeof SnapshotFile.open> =>
  SnapshotFile.open(
    join(dir, name, 'local.snapshot'),
    () => compacted,
    error => t.fail(String(error)),
  )

t.test('what was appended is there at the next start, without half a line', async t => {
  const first = await open('a')
  t.equal(first.content.length, 0)
  first.file.append(['alive: x 127.0.0.1:1', 'clock: 1'])
  await first.file.close()
  const path = join(dir, 'a', 'local.snapshot')
  appendFileSync(path, 'clock: 2\nclo')
  const second = await open('a')
  t.equal(Buffer.from(second.content).toString(), 'alive: x 127.0.0.1:1\nclock: 1\nclock: 2\n')
  second.file.append(['clock: 3'])
  await second.file.close()
  t.equal(readFileSync(path, 'utf8'), 'alive: x 127.0.0.1:1\nclock: 1\nclock: 2\nclock: 3\n')
})

t.test('a long file is written anew, and goes on from there', async t => {
  const path = join(dir, 'b', 'local.snapshot')
  const {file} = await open('b', ['alive: x 127.0.0.1:1', 'clock: 9000'])
  const flushed = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 700))
  file.append(Array.from({length: 15_000}, (_, i) => `clock: ${i}`))
  await flushed()
  t.ok(statSync(path).size < 100)
  file.append(['clock: 9001'])
  await file.close()
  t.equal(readFileSync(path, 'utf8'), 'alive: x 127.0.0.1:1\nclock: 9000\nclock: 9001\n')
  t.same(readdirSync(join(dir, 'b')), ['local.snapshot'])
})
