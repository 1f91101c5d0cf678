import {mkdtempSync, rmSync, statSync} from 'node:fs'
import {request} from 'node:http'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import t from 'tap'
import type {Test} from 'tap'
import {Agents} from '../helpers/agents.js'

const root = process.getuid?.() === 0
// Who runs the tests may give files away only as root
const [uid, gid, user] = root ? [65534, 4711, 'nobody'] : [process.getuid?.(), process.getgid?.(), undefined]

/** The status that the API answers with on a socket. */
const ask = (socketPath: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    request({socketPath, path: '/v1/agent/members'}, answer => {
      answer.resume()
      resolve(answer.statusCode)
    })
      .once('error', reject)
      .end()
  })

/** A directory with a short name, as the path of a socket has to have. */
function shortDirectory(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'q-'))
  t.teardown(() => rmSync(directory, {recursive: true, force: true}))
  return directory
}

t.test('sockets have the owner, group and mode that they were given', async t => {
  const directory = shortDirectory(t)
  const agents = new Agents(directory, '71.64')
  t.teardown(() => agents.stopAll())
  const [http, cli] = [join(directory, 'http.sock'), join(directory, 'cli.sock')]
  await agents.start(
    's1',
    '-server',
    '-bootstrap',
    '-raft-protocol=1',
    `-hcl=addresses { http = "unix://${http}" rpc = "unix://${cli}" }`,
    `-hcl=unix_sockets { user = "${user ?? uid}" group = "${gid}" mode = "0620" }`,
  )
  for (const path of [http, cli])
    t.match(
      statSync(path),
      {uid, gid, mode: statSync(path).mode - (statSync(path).mode & 0o777) + 0o620},
      path,
    )
  t.equal(await ask(http), 200)
})

t.test('an owner or group that there is not keeps the agent from starting', async t => {
  const directory = shortDirectory(t)
  const agents = new Agents(directory, '71.65')
  const start = (rights: string): Promise<unknown> =>
    agents.start(
      's1',
      '-server',
      '-bootstrap',
      `-hcl=addresses { http = "unix://${join(directory, 'http.sock')}" }`,
      `-hcl=unix_sockets { ${rights} }`,
    )
  await t.rejects(start('user = "no-such-user-here"'), /^invalid user specified: no-such-user-here$/)
  await t.rejects(start('group = "adm"'), /^invalid group specified: adm$/)
  if (!root) await t.rejects(start('user = "0"'), /^failed setting ownership to 0:-1 on .*http\.sock: EPERM/)
})

t.test('a path that no socket can have is refused, with its place', async t => {
  const agents = new Agents(shortDirectory(t), '71.66')
  const long = `-hcl=addresses { http = "unix:///tmp/${'x'.repeat(103)}" }`
  await t.rejects(
    agents.start('s1', '-server', long),
    /^addresses\.http: the path of a socket has 107 bytes at most/,
  )
})
