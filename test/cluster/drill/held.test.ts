import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import t from 'tap'
import {keysOnDisk} from '../../../src/cluster/drill/held.js'

t.test('keys are found by their bytes in whatever file, over the edges of what is read at once', async t => {
  const root = t.testdir()
  mkdirSync(join(root, 'wal'))
  const big = Buffer.alloc(9 * 1024 * 1024)
  for (const [i, at] of [0, 4 * 1024 * 1024 - 9, 8 * 1024 * 1024 - 30, big.length - 12].entries())
    big.write(`drill/ab/${String(i).padStart(6, '0')}`.slice(0, big.length - at), at)
  writeFileSync(join(root, 'wal', 'segment'), big)
  writeFileSync(join(root, 'raft.db'), '\0drill/ab/000077\0drill/cd/000078 drill/ab/12')
  t.same([...(await keysOnDisk(root, 'drill/ab'))].sort(), [
    'drill/ab/000000',
    'drill/ab/000001',
    'drill/ab/000002',
    'drill/ab/000077',
  ])
})

t.test('a server whose machine burned held nothing', async t => {
  t.same([...(await keysOnDisk(join(t.testdir(), 'gone'), 'drill/ab'))], [])
})
