import {spawn} from 'node:child_process'
import type {ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {mkdirSync, readdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import t from 'tap'
import type {Test} from 'tap'
import {lockDataDir} from '../../src/agent/data-dir-lock.js'

const module = new URL('../../dist/src/agent/data-dir-lock.js', import.meta.url).href
const TAKE = `
  const {lockDataDir} = await import(process.argv[1])
  try {
    await lockDataDir(process.argv[2])
    process.stdout.write('held')
    setInterval(() => undefined, 1000)
  } catch (error) {
    process.stdout.write(error.message)
  }
`
const ELSEWHERE = ['unshare', process.getuid?.() === 0 ? '-npf' : '-rnpf', '--kill-child']

/** Another process that tries to hold a directory; what it says, and itself, which goes on while it holds. */
async function another(
  t: Test,
  directory: string,
  within: readonly string[] = [],
): Promise<{said: string; child: ChildProcess}> {
  const [program = '', ...args] = [
    ...within,
    process.execPath,
    '--input-type=module',
    '-e',
    TAKE,
    module,
    directory,
  ]
  const child = spawn(program, args, {stdio: ['ignore', 'pipe', 'inherit']})
  t.teardown(() => child.kill('SIGKILL'))
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  return {said: said.toString().trim(), child}
}

const IN_USE = /^the data directory .* is in use by another agent$/

t.test('one process at a time holds a directory, whatever network and processes it sees', async t => {
  const directory = t.testdir()
  const lock = await lockDataDir(directory)
  for (const within of [[], ELSEWHERE])
    t.match((await another(t, directory, within)).said, IN_USE, within.join(' '))
  await t.rejects(lockDataDir(directory), IN_USE, 'nor does this one twice')
  await lock.release()
  t.same(readdirSync(directory), [], 'and nothing is left of it')
  const {said} = await another(t, directory, ELSEWHERE)
  t.equal(said, 'held')
  await t.rejects(lockDataDir(directory), IN_USE)
})

t.test('a killed holder holds nothing, a stopped one does', async t => {
  const directory = t.testdir()
  const {said, child} = await another(t, directory)
  t.equal(said, 'held')
  child.kill('SIGSTOP')
  t.match((await another(t, directory, ELSEWHERE)).said, IN_USE)
  child.kill('SIGKILL')
  await once(child, 'exit')
  t.not(readdirSync(directory).length, 0)
  const lock = await lockDataDir(directory)
  t.match((await another(t, directory, ELSEWHERE)).said, IN_USE)
  await lock.release()
  t.same(readdirSync(directory), [])
})

t.test('of many that find what a killed one left, one holds', async t => {
  const directory = t.testdir()
  const {child} = await another(t, directory)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const all = await Promise.all(Array.from({length: 4}, () => another(t, directory, ELSEWHERE)))
  t.equal(all.filter(({said}) => said === 'held').length, 1, all.map(({said}) => said).join('; '))
})

t.test(
  'a directory with a long name can be held, and one in which a file has the name of the lock',
  async t => {
    const deep = join(t.testdir(), 'x'.repeat(200), 'y'.repeat(200))
    mkdirSync(deep, {recursive: true})
    const lock = await lockDataDir(deep)
    t.match((await another(t, deep, ELSEWHERE)).said, IN_USE)
    await lock.release()
    writeFileSync(join(deep, '.quorate-agent.lock'), '')
    const over = await lockDataDir(deep)
    await over.release()
  },
)
