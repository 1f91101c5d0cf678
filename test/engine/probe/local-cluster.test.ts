import {spawn, spawnSync} from 'node:child_process'
import t from 'tap'
import {PROBE_SCRIPT} from '../../../src/engine/probe/probe-script.js'

/** Ids of the processes that a probe takes for candidates. */
function candidates(dataDir: string, only: string): readonly string[] {
  const args = ['consul', dataDir, '', '', '', '', '65536', '4096', '10', only]
  const {stdout} = spawnSync('sh', ['-s', '--', ...args], {input: PROBE_SCRIPT, encoding: 'latin1'})
  const section = /\n@\S+ processes\n([\s\S]*?)\n@/.exec(stdout)
  return (section?.[1] ?? '').split(' ').filter(pid => pid !== '')
}

t.test('a server of a local cluster is seen by its own data directory, and by nobody else', async t => {
  const dataDir = '/nowhere/quorate/clusters/test/server1/data'
  const child = spawn('sh', ['-c', 'read nothing', 'agent', `-data-dir=${dataDir}`], {
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  await new Promise(resolve => child.once('spawn', resolve))
  const pid = String(child.pid)
  t.ok(candidates(dataDir, 'only').includes(pid), 'it is the host that is asked for')
  t.notOk(
    candidates('/nowhere/quorate/clusters/test/server2/data', 'only').includes(pid),
    'its neighbour is not',
  )
  t.notOk(candidates('', '').includes(pid), 'and the machine has no server because of it')
})
