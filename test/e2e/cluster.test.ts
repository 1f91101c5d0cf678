// A local cluster from the outside: the built program and its own agent, killed half-way, broken, repaired, taken down.
import {execFile, spawn} from 'node:child_process'
import {mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import t from 'tap'

const cli = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url))
const state = mkdtempSync(join(tmpdir(), 'quorate-local-'))
const env = {PATH: process.env['PATH'], HOME: state, XDG_STATE_HOME: state}
t.teardown(async () => {
  await quorate('cluster', 'down')
  rmSync(state, {recursive: true, force: true})
})

async function quorate(...words: readonly string[]): Promise<{readonly code: number; readonly out: string}> {
  return new Promise(resolve => {
    execFile(process.execPath, [cli, ...words], {env, maxBuffer: 64 << 20}, (error, stdout) =>
      resolve({code: Number(error?.code ?? 0), out: stdout}),
    )
  })
}

/** A process that nobody has waited for yet is dead all the same. */
function alive(pid: string): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false // it is gone
  }
}

t.test('an up that was killed half-way is gone on with by the next one', async t => {
  const child = spawn(process.execPath, [cli, 'cluster', 'up', '3'], {env, stdio: 'ignore'})
  const ended = new Promise(resolve => child.once('exit', resolve))
  setTimeout(() => child.kill('SIGKILL'), 700)
  await ended
  const {code, out} = await quorate('cluster', 'up', '3')
  t.equal(code, 0)
  t.match(out, 'has a leader: server')
  const again = await quorate('cluster', 'up', '3', '--json')
  t.match(JSON.parse(again.out), {exit: 0, result: {resumed: true, members: {length: 3}}})
})

t.test('doctor sees a local cluster as any other: well, and after its majority was killed', async t => {
  const well = await quorate('doctor', '--cluster', 'local', '--json')
  t.match(JSON.parse(well.out), {exit: 0, cluster: 'local', result: {verdict: 'healthy', voters: {up: 3}}})
  t.match(await quorate('kv', 'put', 'a', 'b', '--cluster', 'local'), {code: 0})
  t.match(await quorate('cluster', 'kill', 'server2', '3'), {code: 0, out: /server2 .* stopped/})
  const lost = await quorate('doctor', '--cluster', 'local', '--json')
  t.match(JSON.parse(lost.out), {exit: 5, result: {voters: {up: 1, startable: 2}}})
  t.match(lost.out, 'quorate cluster start server2 --name local', 'and says what starts them')
})

t.test('the way out that doctor names brings the leader back', async t => {
  t.match(await quorate('cluster', 'start', '--all'), {code: 0})
  let found = await quorate('kv', 'get', 'a', '--cluster', 'local')
  for (let i = 0; i < 40 && found.code !== 0; i++)
    found = await quorate('kv', 'get', 'a', '--cluster', 'local')
  t.match(found, {code: 0, out: /^b/})
})

t.test('down leaves no process and no file', async t => {
  const status = JSON.parse((await quorate('cluster', 'status', '--json')).out) as {
    result: {members: readonly {pid: number}[]}
  }
  const pids = status.result.members.map(({pid}) => String(pid))
  t.equal(pids.length, 3)
  t.match(await quorate('cluster', 'down'), {code: 0})
  t.same(pids.filter(alive), [])
  t.same(readdirSync(join(state, 'quorate', 'clusters')), [])
  t.match(await quorate('cluster', 'status'), {code: 2}, 'and nothing is known of it')
})
