// The commands that ask one agent, on real agents of the Raft and Serf libraries that Consul is built of, and on answers
// that no agent would give.
import {writeFileSync} from 'node:fs'
import {createServer} from 'node:http'
import type {IncomingMessage, ServerResponse} from 'node:http'
import {join as joinPath} from 'node:path'
import type {Command} from '@oclif/core'
import t from 'tap'
import Event from '../../commands/event.js'
import ForceLeave from '../../commands/force-leave.js'
import Info from '../../commands/info.js'
import Join from '../../commands/join.js'
import Keygen from '../../commands/keygen.js'
import KvDelete from '../../commands/kv/delete.js'
import KvExport from '../../commands/kv/export.js'
import KvGet from '../../commands/kv/get.js'
import KvImport from '../../commands/kv/import.js'
import KvPut from '../../commands/kv/put.js'
import Leave from '../../commands/leave.js'
import Members from '../../commands/members.js'
import Monitor from '../../commands/monitor.js'
import RaftListPeers from '../../commands/raft/list-peers.js'
import RaftRemovePeer from '../../commands/raft/remove-peer.js'
import RaftTransferLeader from '../../commands/raft/transfer-leader.js'
import {EXIT} from '../../src/exit-codes.js'
import {runCommand} from '../helpers/run-command.js'
import type {Ended} from '../helpers/run-command.js'
import {loopbackServer} from '../reference/loopback.js'

for (const name of Object.keys(process.env)) if (/^(QUORATE|CONSUL)_/.test(name)) delete process.env[name]

const dir = t.testdir({})
const first = await loopbackServer(dir, '127.0.61.1', [], {bootstrap: true})
const second = await loopbackServer(dir, '127.0.61.2', [])
t.teardown(async () => {
  await first.kill()
  await second.kill()
})
await first.start()
await second.start()

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 150; tries++) {
    if (await holds().catch(() => false)) return
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  throw new Error(`never came: ${what}\n${first.log().slice(-2000)}`)
}
await until('a leader', async () => (await (await first.http('/v1/status/leader')).json()) !== '')
await until('the second agent', async () => (await second.http('/v1/agent/self')).ok)

const at = (address: string) => ['--http-addr', `${address}:8500`]
const run = async (command: Command.Class, ...argv: string[]): Promise<Ended> =>
  runCommand(command, [...at(first.address), ...argv])
const json = async (command: Command.Class, ...argv: string[]): Promise<unknown> => {
  const {stdout} = await run(command, '--json', ...argv)
  return (JSON.parse(stdout) as {result: unknown}).result
}

t.test('join, members and info show what the pool knows', async t => {
  const alone = await run(Members)
  t.match(
    alone.stdout,
    /^NODE +ADDRESS +STATUS +TYPE +BUILD +PROTOCOL +DC\n127\.0\.61\.1 +127\.0\.61\.1:8301 +alive +server /,
  )
  t.notMatch(alone.stdout, /127\.0\.61\.2/)
  const nobody = await run(Join, '127.0.61.9')
  t.equal(nobody.exit, EXIT.refused)
  t.match(
    nobody.stderr,
    /^Error: The agent does not join 127\.0\.61\.9: [^]*refused[^]*\nCode: API_REFUSED, exit 3 /,
  )
  const joined = await run(Join, '127.0.61.9', second.address)
  t.equal(joined.exit, EXIT.ok)
  t.match(joined.stdout, /does not join 127\.0\.61\.9[^]*\nJoined by contacting 1 of 2 addresses\.\n$/)
  t.match(await json(Members), [
    {
      name: '127.0.61.1',
      address: '127.0.61.1',
      port: 8301,
      status: 'alive',
      type: 'server',
      datacenter: 'dc1',
    },
    {name: '127.0.61.2', status: 'alive', tags: {role: 'consul'}},
  ])
  t.match((await run(Members, '--detailed')).stdout, /NODE +ADDRESS +STATUS +TAGS\n.*\bdc=dc1,.*role=consul/)
  const info = await run(Info)
  t.match(info.stdout, /^raft:\n(?:\t.*\n)*\tstate = Leader\n/m)
  t.match(await json(Info), {raft: {state: 'Leader'}})
})

t.test('the peer set is listed, and servers are removed by the leader on request', async t => {
  await until(
    'two peers',
    async () => ((await json(RaftListPeers)) as {servers: unknown[]}).servers.length === 2,
  )
  const listed = await run(RaftListPeers)
  t.match(listed.stdout, /^NODE +ID +ADDRESS +STATE +VOTER +RAFT PROTOCOL\n127\.0\.61\.1 .* leader +true /)
  t.match(listed.stdout, /127\.0\.61\.2:8300 +follower/)
  t.equal((await run(RaftRemovePeer, '--id', 'nobody')).exit, EXIT.refused)
  t.match((await run(RaftRemovePeer)).stderr, /^Error: Say which server: --id or --address\.\nCode: USAGE/)
})

t.test('keys are written, read, checked, exported, imported and deleted', async t => {
  t.match(await run(KvPut, 'a/b', 'hello'), {exit: 0, stdout: 'Written: a/b (5 bytes).\n'})
  t.match(await run(KvPut, 'a/ä ü', '--flags', '18446744073709551615', '--base64', 'AP8='), {exit: 0})
  writeFileSync(joinPath(dir, 'value'), 'from a file')
  t.match(await run(KvPut, 'c', `@${joinPath(dir, 'value')}`), {exit: 0})
  t.equal((await run(KvGet, 'a/b', '--base64')).stdout, 'aGVsbG8=\n')
  t.match(
    (await run(KvGet, 'a/ä ü', '--detailed')).stdout,
    /^CreateIndex +\d+\nFlags +18446744073709551615\nKey +a\/ä ü\n/,
  )
  t.match((await run(KvGet, '--recurse', 'a/', '--base64')).stdout, 'a/b:aGVsbG8=\na/ä ü:AP8=\n')
  t.same(await json(KvGet, '--keys', 'a/'), ['a/b', 'a/ä ü'])
  const missing = await run(KvGet, 'nope')
  t.equal(missing.exit, EXIT.refused)
  t.match(missing.stderr, /^Error: There is no key nope\.\nCode: KEY_NOT_FOUND, exit 3 /)
  t.match(await run(KvPut, 'a/b', 'x', '--cas', '1'), {exit: EXIT.refused, stderr: /Code: CHECK_FAILED/})
  t.match(await run(KvPut, 'fresh', 'x', '--cas', '0'), {exit: EXIT.ok})
  t.match(await run(KvDelete, 'fresh', '--cas', '1'), {
    exit: EXIT.refused,
    stderr: /was not last changed at index 1/,
  })
  t.match(await run(KvDelete, 'fresh'), {exit: EXIT.ok, stdout: 'Deleted: fresh.\n'})

  const exported = (await run(KvExport)).stdout
  t.equal(
    exported,
    '[\n\t{\n\t\t"key": "a/b",\n\t\t"flags": 0,\n\t\t"value": "aGVsbG8="\n\t},\n' +
      '\t{\n\t\t"key": "a/ä ü",\n\t\t"flags": 18446744073709551615,\n\t\t"value": "AP8="\n\t},\n' +
      '\t{\n\t\t"key": "c",\n\t\t"flags": 0,\n\t\t"value": "ZnJvbSBhIGZpbGU="\n\t}\n]\n',
    'byte for byte as Consul exports',
  )
  writeFileSync(joinPath(dir, 'keys.json'), exported)
  t.match(await run(KvDelete, '--recurse', 'a/'), {exit: EXIT.ok})
  t.equal((await run(KvGet, '--recurse', 'a/')).stdout, '\n')
  t.match(
    (await run(KvImport, `@${joinPath(dir, 'keys.json')}`)).stdout,
    'Imported: a/b\nImported: a/ä ü\nImported: c\n',
  )
  t.equal((await run(KvExport)).stdout, exported)
  t.match((await run(KvImport, '--prefix', 'copy/', '[{"key": "k", "flags": 1, "value": ""}]')).exit, EXIT.ok)
  t.same(await json(KvGet, '--keys', 'copy/'), ['copy/k'])
})

t.test('an import that cannot be read writes nothing and says where', async t => {
  const bad = async (text: string, says: RegExp): Promise<void> => {
    const {exit, stderr} = await run(KvImport, text)
    t.equal(exit, EXIT.usage)
    t.match(stderr.replaceAll('\n', ' '), says)
  }
  const good = '{"key": "bad/1", "flags": 0, "value": ""}'
  await bad(
    `[${good},\n {"key": "bad/2", "value": "%"}]`,
    /the import:2:2: the value of bad\/2 is not base64/,
  )
  await bad(`[${good}, {"key": ""}]`, /an entry has no key/)
  await bad(`[${good}, {"key": "x", "flags": 18446744073709551616}]`, /flags of x are no number of 64 bits/)
  await bad(`[${good}] x`, /more text after/)
  await bad(good, /a list of keys was expected/)
  await bad('[{"key": "\u001b[2J', /invalid character|unexpected/)
  t.same(await json(KvGet, '--keys', 'bad/'), [])
})

t.test('a failed agent is declared left, and an agent leaves on request', async t => {
  await second.kill()
  const statusOf = async (): Promise<string | undefined> =>
    ((await json(Members)) as {name: string; status: string}[]).find(({name}) => name === second.address)
      ?.status
  await until('the failure is seen', async () => (await statusOf()) === 'failed')
  const declared = await run(ForceLeave, second.address)
  t.match(declared, {exit: EXIT.ok, stdout: '127.0.61.2 is declared left.\n'})
  await until('it is left', async () => (await statusOf()) === 'left')
  t.match(await run(Leave), {exit: EXIT.ok, stdout: 'The agent at 127.0.61.1:8500 has left.\n'})
  t.ok((await first.exit()) !== undefined, 'the agent has ended')
  const after = await run(Members)
  t.equal(after.exit, EXIT.unreachable)
  t.match(
    after.stderr,
    /^Error: No agent answers at 127\.0\.61\.1:8500: connection refused\.\nCode: API_UNREACHABLE, exit 7 /,
  )
})

/** Answers every question in the same way, and remembers the last one. */
async function answering(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{readonly address: readonly string[]; readonly seen: () => IncomingMessage | undefined}> {
  let seen: IncomingMessage | undefined
  const server = createServer((request, response) => {
    seen = request
    request.resume()
    answer(request, response)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.closeAllConnections())
  t.teardown(() => server.close())
  const {port} = server.address() as {port: number}
  return {address: ['--http-addr', `127.0.0.1:${port}`], seen: () => seen}
}

t.test('whatever answers there, the end is one sentence and the documented exit status', async t => {
  const commands: readonly [Command.Class, ...string[]][] = [
    [Members],
    [Info],
    [RaftListPeers],
    [RaftTransferLeader],
    [RaftRemovePeer, '--id', 'x'],
    [KvGet, 'k'],
    [KvGet, '--recurse'],
    [KvGet, '--keys'],
    [KvPut, 'k', 'v'],
    [KvDelete, 'k'],
    [KvExport],
    [Event, 'deploy', '1'],
  ]
  const leaderless = await answering((_request, response) => {
    response.statusCode = 500
    response.end('No cluster leader')
  })
  const evil = await answering((_request, response) => response.end('\u001b[2J{"\u202e'))
  const denied = await answering((_request, response) => {
    response.statusCode = 403
    response.end('Permission denied\u001b[31m\nsecond line')
  })
  const rude = await answering(request => request.socket.destroy())
  for (const [command, ...argv] of commands) {
    const name = command.summary ?? ''
    const ask = async (address: readonly string[]): Promise<Ended> => {
      const text = await runCommand(command, [...address, ...argv])
      t.notMatch(text.stderr + text.stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]|\n {4}at /, name)
      const told = await runCommand(command, [...address, '--json', ...argv])
      t.equal(told.exit, text.exit, name)
      t.match(JSON.parse(told.stdout), {exit: text.exit}, name)
      return text
    }
    t.match(await ask(leaderless.address), {exit: EXIT['quorum-lost'], stderr: /Code: API_NO_LEADER/}, name)
    t.match(
      await ask(denied.address),
      {exit: EXIT.refused, stderr: /Permission denied[^]*Code: API_REFUSED/},
      name,
    )
    t.match(await ask(rude.address), {exit: EXIT.unreachable, stderr: /Code: API_UNREACHABLE/}, name)
    if (command !== RaftRemovePeer)
      t.match(await ask(evil.address), {exit: EXIT.refused, stderr: /is not JSON/}, name)
  }
})

t.test('the agent is named by flag or variable, and its token is never on the command line', async t => {
  const agent = await answering((_request, response) => response.end('[]'))
  const address = agent.address[1] ?? ''
  process.env['CONSUL_HTTP_ADDR'] = address
  process.env['CONSUL_HTTP_TOKEN'] = 'secret'
  t.teardown(() => {
    delete process.env['CONSUL_HTTP_ADDR']
    delete process.env['CONSUL_HTTP_TOKEN']
  })
  t.equal((await runCommand(Members, ['--wan'])).exit, EXIT.ok)
  t.match(agent.seen(), {url: '/v1/agent/members?wan=1', headers: {'x-consul-token': 'secret'}})
  process.env['OTHER_TOKEN'] = 'other'
  t.equal((await runCommand(Members, ['--token-env', 'OTHER_TOKEN'])).exit, EXIT.ok)
  t.match(agent.seen(), {headers: {'x-consul-token': 'other'}})
  t.match(await runCommand(Members, ['--http-addr', 'ftp://x']), {
    exit: EXIT.usage,
    stderr: /is not an address/,
  })
  t.match(await runCommand(Members, ['--cluster', 'nope']), {
    exit: EXIT.usage,
    stderr: /Code: CLUSTER_UNKNOWN/,
  })
  t.match(await runCommand(KvGet, ['../x y/?#']), {exit: EXIT.refused})
  t.equal(agent.seen()?.url, '/v1/kv/../x%20y/%3F%23')
})

t.test('keygen makes 32 bytes, new ones each time', async t => {
  const keys = [await runCommand(Keygen, []), await runCommand(Keygen, [])].map(({stdout}) => stdout.trim())
  t.equal(Buffer.from(keys[0] ?? '', 'base64').length, 32)
  t.not(keys[0], keys[1])
})

t.test('monitor prints lines made fit for a terminal until the agent ends', async t => {
  const agent = await answering((_request, response) => {
    response.write('2026-11-20 [INFO]  agent: one\n2026 [WARN]  ag')
    setTimeout(() => response.end('ent: \u001b[2Jtwo\n'), 20)
  })
  const {stdout, exit} = await runCommand(Monitor, [...agent.address, '--log-level', 'debug'])
  t.equal(exit, EXIT.ok)
  t.equal(stdout, '2026-11-20 [INFO]  agent: one\n2026 [WARN]  agent: \\e[2Jtwo\n')
  t.equal(agent.seen()?.url, '/v1/agent/monitor?loglevel=debug')
  t.equal((await runCommand(Monitor, [...agent.address, '--json'])).exit, EXIT.usage)
})
