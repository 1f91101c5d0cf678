// `quorate agent` as a process: what signals do to servers and clients, what is said when it cannot start. Beside it
// runs an agent that tells how the others see it.
import {spawn} from 'node:child_process'
import type {ChildProcess} from 'node:child_process'
import {existsSync, readFileSync, readdirSync, writeFileSync} from 'node:fs'
import {createServer} from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import t from 'tap'
import type {Test} from 'tap'
import {EXIT} from '../../src/exit-codes.js'
import {runBuilt} from '../helpers/run-command.js'

const cli = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url))
const dir = t.testdir({})
const fast =
  'performance { raft_multiplier = 0.3 leave_drain_time = "100ms" } ' +
  'gossip_lan { probe_interval = "200ms" probe_timeout = "100ms" suspicion_mult = 2 gossip_interval = "50ms" }'

interface Process {
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  readonly log: () => string
}

const running = new Set<ChildProcess>()
t.teardown(() => {
  for (const child of running) child.kill('SIGKILL')
})

function start(address: string, ...argv: readonly string[]): Process {
  let text = ''
  const data = join(dir, address)
  const all = [
    cli,
    'agent',
    `-data-dir=${data}`,
    `-node=${address}`,
    `-bind=${address}`,
    `-client=${address}`,
  ]
  const child = spawn(process.execPath, [...all, '-hcl', fast, ...argv], {stdio: ['ignore', 'pipe', 'pipe']})
  running.add(child)
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const ended = new Promise<number | null>(resolve => child.once('exit', code => resolve(code)))
  void ended.then(() => running.delete(child))
  return {child, ended, log: () => text}
}

async function ask(address: string, path: string): Promise<unknown> {
  const answer = await fetch(`http://${address}:8500${path}`, {signal: AbortSignal.timeout(5000)})
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`)
  return answer.json()
}

async function until(what: string, agent: Process, holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (await holds().catch(() => false)) return
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  throw new Error(`never came: ${what}\n${agent.log().slice(-3000)}`)
}

const statuses = ['none', 'alive', 'leaving', 'left', 'failed']
async function seenAs(observer: string, node: string): Promise<string | undefined> {
  const members = (await ask(observer, '/v1/agent/members')) as {Name: string; Status: number}[]
  const found = members.find(({Name}) => Name === node)
  return found === undefined ? undefined : statuses[found.Status]
}
const peersOf = async (observer: string): Promise<readonly string[]> =>
  (await ask(observer, '/v1/status/peers')) as string[]

const peersFile = (address: string): string =>
  readFileSync(join(dir, address, 'raft', 'peers.json'), 'utf8').trim()

/** A leader that stays, in the dialect of a protocol. */
async function observer(address: string, protocol: number): Promise<Process> {
  const agent = start(address, '-server', '-bootstrap', `-raft-protocol=${protocol}`)
  await until('a leader', agent, async () => (await ask(address, '/v1/status/leader')) === `${address}:8300`)
  return agent
}

interface Case {
  readonly title: string
  readonly argv: readonly string[]
  readonly signal: NodeJS.Signals
  readonly exit: number | null
  readonly seen: 'left' | 'failed'
}

async function meets(t: Test, watcher: string, address: string, one: Case): Promise<Process> {
  const agent = start(address, `-join=${watcher}`, ...one.argv)
  const server = one.argv.includes('-server')
  await until('it is seen alive', agent, async () => (await seenAs(watcher, address)) === 'alive')
  if (server)
    for (const eyes of [watcher, address])
      await until('it is a peer', agent, async () => (await peersOf(eyes)).includes(`${address}:8300`))
  // The file follows when the addition is committed, as in 0.6
  if (one.argv.includes('-raft-protocol=0'))
    await until('it is in its own list', agent, async () => peersFile(address).includes(`"${address}:8300"`))
  agent.child.kill(one.signal)
  t.equal(await agent.ended, one.exit, `${one.title}: exit status`)
  await until(`it is seen ${one.seen}`, agent, async () => (await seenAs(watcher, address)) === one.seen)
  if (one.seen === 'left' && server)
    await until('it is no peer', agent, async () => !(await peersOf(watcher)).includes(`${address}:8300`))
  t.equal(await seenAs(watcher, address), one.seen, `${one.title}: seen as ${one.seen}`)
  return agent
}

t.test('by the dialects of today a server stops and a client leaves', async t => {
  await observer('127.0.62.1', 3)
  const client: Case = {title: 'client', argv: [], signal: 'SIGINT', exit: 0, seen: 'left'}
  await Promise.all([
    meets(t, '127.0.62.1', '127.0.62.2', client),
    meets(t, '127.0.62.1', '127.0.62.3', {...client, signal: 'SIGTERM'}),
    meets(t, '127.0.62.1', '127.0.62.4', {
      ...client,
      title: 'killed client',
      signal: 'SIGKILL',
      exit: null,
      seen: 'failed',
    }),
  ])
  const leaving = ['-server', '-hcl', 'leave_on_terminate = true skip_leave_on_interrupt = false']
  const server: Case = {
    title: 'server told to leave',
    argv: leaving,
    signal: 'SIGTERM',
    exit: 0,
    seen: 'left',
  }
  await meets(t, '127.0.62.1', '127.0.62.5', server)
  await meets(t, '127.0.62.1', '127.0.62.6', {...server, signal: 'SIGINT'})
  const stopped = await meets(t, '127.0.62.1', '127.0.62.7', {
    title: 'server',
    argv: ['-server'],
    signal: 'SIGINT',
    exit: 1,
    seen: 'failed',
  })
  t.match(stopped.log(), /Caught: signal=interrupt\n.*Graceful shutdown disabled\. Exiting/)
})

t.test(
  'by the dialect of 0.6 SIGINT leaves, and empties the list of peers; SIGTERM stops, and leaves it',
  async t => {
    await observer('127.0.62.21', 0)
    const argv = ['-server', '-raft-protocol=0']
    await meets(t, '127.0.62.21', '127.0.62.22', {
      title: 'SIGINT',
      argv,
      signal: 'SIGINT',
      exit: 0,
      seen: 'left',
    })
    t.equal(peersFile('127.0.62.22'), 'null')
    t.same(JSON.parse(peersFile('127.0.62.21')), ['127.0.62.21:8300'])
    await meets(t, '127.0.62.21', '127.0.62.23', {
      title: 'SIGTERM',
      argv,
      signal: 'SIGTERM',
      exit: 1,
      seen: 'failed',
    })
    t.same((JSON.parse(peersFile('127.0.62.23')) as string[]).sort(), [
      '127.0.62.21:8300',
      '127.0.62.23:8300',
    ])
  },
)

t.test(
  'SIGHUP reads the config again and changes nothing else; a wrong config is told and the old one stays',
  async t => {
    const address = '127.0.62.31'
    const config = join(dir, 'reload.hcl')
    const pid = join(dir, 'agent.pid')
    writeFileSync(config, 'log_level = "warn"')
    const agent = start(address, `-config-file=${config}`, `-pid-file=${pid}`)
    await until('it answers', agent, async () => (await ask(address, '/v1/agent/self')) !== undefined)
    t.equal(readFileSync(pid, 'utf8').trim(), String(agent.child.pid))
    t.notMatch(agent.log(), /\[INFO\]/)
    writeFileSync(config, 'log_level = "info"')
    agent.child.kill('SIGHUP')
    await new Promise(resolve => setTimeout(resolve, 500))
    writeFileSync(config, 'log_levl = "info"')
    agent.child.kill('SIGHUP')
    await until('the problem is told', agent, async () =>
      /reload\.hcl:1:1: unknown key log_levl; did you mean log_level\?/.test(agent.log()),
    )
    t.match(agent.log(), /\[INFO\] +agent: Caught: signal=hangup/, 'the level of the first reload holds')
    agent.child.kill('SIGINT')
    t.equal(await agent.ended, 0)
    t.notOk(existsSync(pid), 'the pid file is gone')
  },
)

t.test('what keeps an agent from starting is one sentence with its exit status', async t => {
  const config = join(dir, 'bad.json')
  writeFileSync(config, '{\n  "server": true,\n  "bootstrp": true\n}')
  const wrong = runBuilt(['agent', '-data-dir', join(dir, 'x'), '-config-file', config])
  t.equal(wrong.exit, EXIT.usage)
  t.match(
    wrong.stderr.replaceAll('\n', ' '),
    /^Error: .*bad\.json:3:3: unknown key bootstrp; did you mean bootstrap\? Code: AGENT_CONFIG_INVALID, exit 2/,
  )
  const json = runBuilt(['agent', '-nope', '--json'])
  t.equal(json.exit, EXIT.usage)
  t.match(JSON.parse(json.stdout), {
    exit: 2,
    error: {code: 'AGENT_CONFIG_INVALID', message: /^there is no flag -nope/},
  })
  const other = createServer()
  await new Promise<void>(resolve => other.listen(8500, '127.0.62.41', resolve))
  t.teardown(() => other.close())
  const taken = runBuilt(['agent', '-data-dir', join(dir, 'y'), '-bind=127.0.62.41', '-client=127.0.62.41'])
  t.equal(taken.exit, EXIT.refused)
  t.match(taken.stderr, /^Error: The agent cannot start: [^]*8500[^]*\nCode: AGENT_NOT_STARTED, exit 3/)
  const paths: readonly [readonly string[], RegExp][] = [
    [['-data-dir=/proc/quorate'], /\/proc\/quorate/],
    [[`-data-dir=${config}`], /ENOTDIR/],
    [['-data-dir', join(dir, 'z'), `-log-file=${dir}/none/log`], /none\/log/],
    [['-data-dir', join(dir, 'z'), `-pid-file=${dir}/none/pid`], /none\/pid/],
  ]
  for (const [argv, says] of paths) {
    const ended = runBuilt(['agent', '-bind=127.0.62.42', '-client=127.0.62.42', ...argv])
    t.equal(ended.exit, EXIT.refused, argv.join(' '))
    t.match(ended.stderr.replaceAll('\n', ''), says)
    t.match(ended.stderr, /^Error: The agent cannot start: [^]*\nCode: AGENT_NOT_STARTED, exit 3/)
  }
  t.match(runBuilt(['agent', '-help']).stdout, /^Run an agent/)
})

t.test('dev mode leads at once and leaves nothing behind', async t => {
  const before = readdirSync(tmpdir()).filter(name => name.startsWith('quorate-dev-'))
  const child = spawn(process.execPath, [cli, 'agent', '-dev', '-bind=127.0.62.51', '-client=127.0.62.51'])
  running.add(child)
  const agent = {
    child,
    ended: new Promise<number | null>(resolve => child.once('exit', resolve)),
    log: () => '',
  }
  child.stdout.resume()
  await until('a leader', agent, async () => (await ask('127.0.62.51', '/v1/status/leader')) !== '')
  child.kill('SIGTERM')
  await agent.ended
  running.delete(child)
  t.same(
    readdirSync(tmpdir()).filter(name => name.startsWith('quorate-dev-')),
    before,
  )
})
