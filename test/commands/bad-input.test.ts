// Whatever is wrong with what quorate is given: one sentence that names host, file or line, the documented exit
// status with and without --json, and nothing changed.
import {spawn} from 'node:child_process'
import {createHash} from 'node:crypto'
import {once} from 'node:events'
import {copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync} from 'node:fs'
import {join, resolve} from 'node:path'
import type {Command} from '@oclif/core'
import t from 'tap'
import type {Test} from 'tap'
import Apply from '../../commands/apply.js'
import Doctor from '../../commands/doctor.js'
import History from '../../commands/history.js'
import Inspect from '../../commands/inspect.js'
import PeersFix from '../../commands/peers/fix.js'
import PeersList from '../../commands/peers/list.js'
import Resume from '../../commands/resume.js'
import Verify from '../../commands/verify.js'
import type {ErrorCode} from '../../src/errors.js'
import {ERRORS} from '../../src/errors.js'
import {EXIT} from '../../src/exit-codes.js'
import {plan, planned, survivors} from '../core/planning/planning.js'
import {silent} from '../helpers/fleet.js'
import {runBuilt, runCommand} from '../helpers/run-command.js'
import type {Ended} from '../helpers/run-command.js'
import {freePort, makeKey, makeKeyDir, makeUser, startSshd} from '../helpers/sshd.js'
import {sample} from '../helpers/store-files.js'

const samples = resolve(sample())
const dir = t.testdir({state: {}, config: {}, here: {}, data: {raft: {}}})
process.env['XDG_STATE_HOME'] = join(dir, 'state')
process.env['XDG_CONFIG_HOME'] = join(dir, 'config')
for (const name of Object.keys(process.env)) if (name.startsWith('QUORATE_')) delete process.env[name]
process.chdir(join(dir, 'here'))

const keys = makeKeyDir()
const key = makeKey(keys, 'key')
const strange = makeKey(keys, 'strange')
const sshd = await startSshd({authorized: [`${key}.pub`]})
t.teardown(async () => {
  await sshd.stop()
  rmSync(keys, {recursive: true, force: true})
})

const unprintable = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/
const evil = 'e\u001b[31mvil\u009b2J\u202e"\'$(id)\u0000\r\n'

/** A digest of all files below a directory, with their names. */
function digestOf(top: string): string {
  const hash = createHash('sha256')
  for (const entry of readdirSync(top, {recursive: true, withFileTypes: true}).sort((a, b) =>
    join(a.parentPath, a.name) < join(b.parentPath, b.name) ? -1 : 1,
  )) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile()) hash.update(path).update(readFileSync(path))
  }
  return hash.digest('hex')
}

interface JsonAnswer {
  readonly exit: number
  readonly result?: unknown
  readonly error?: {readonly code: string; readonly message: string}
}

function checkJson(t: Test, json: Ended): JsonAnswer {
  t.equal(json.stderr, '', 'nothing is said beside the JSON')
  t.notMatch(json.stdout, unprintable, 'no control character in the JSON')
  const answer = JSON.parse(json.stdout) as JsonAnswer
  t.match(answer, {format: 1, exit: json.exit}, 'one document, and it knows how it ended')
  return answer
}

/** Runs a command with and without --json; both must fail with this code and say this. */
async function fails(
  t: Test,
  command: Command.Class,
  argv: readonly string[],
  code: ErrorCode,
  says: RegExp,
): Promise<void> {
  const before = digestOf(dir)
  const exit = EXIT[ERRORS[code].exit]
  const text = await runCommand(command, argv)
  const screen = text.stderr.replaceAll(/\n(?! |Code:|Try|Caused)/g, ' ')
  t.equal(text.exit, exit, `exit status ${exit}`)
  t.match(screen, says)
  t.ok(text.stderr.includes(`Code: ${code}, exit ${exit} `), text.stderr)
  t.notMatch(text.stderr, /\n {4}at /, 'no stack trace')
  t.notMatch(text.stderr + text.stdout, unprintable, 'no control character on the screen')
  const json = await runCommand(command, ['--json', ...argv])
  const answer = checkJson(t, json)
  t.equal(json.exit, exit, 'the same exit status under --json')
  t.equal(answer.error?.code, code)
  t.match(answer.error?.message, /^.+\.$/s, 'a sentence')
  t.equal(digestOf(dir), before, 'nothing was changed')
}

const file = (name: string, text: string): string => {
  const path = join(dir, name)
  writeFileSync(path, text)
  return path
}

t.test('words that name no host, cluster or address are refused before anybody is asked', async t => {
  await fails(t, Doctor, ['a b'], 'USAGE', /'a b' is not a host/)
  await fails(t, Doctor, ['--', '-oProxyCommand=id'], 'USAGE', /is not a host/)
  await fails(t, Doctor, [evil], 'USAGE', /is not a host/)
  await fails(t, Doctor, ['--cluster', 'prod'], 'INVENTORY_NOT_FOUND', /there is no inventory/)
  await fails(t, Doctor, ['a', '--http', 'nowhere'], 'USAGE', /not an HTTP address/)
  await fails(t, Doctor, ['a', '--data-dir', 'consul'], 'USAGE', /--data-dir takes an absolute path/)
  await fails(t, PeersFix, ['a', '--readdress', 'x'], 'USAGE', /--readdress takes OLD=NEW/)
})

t.test('flags that there are not, and values that they do not take, are named', async t => {
  await fails(t, Doctor, ['--nonsense'], 'USAGE', /Nonexistent flag: --nonsense/)
  await fails(t, Doctor, ['--port', 'ssh'], 'USAGE', /--port Expected an integer/)
  await fails(t, Doctor, ['--port', '70000'], 'USAGE', /70000|65535/)
  await fails(t, Doctor, ['--transport', 'telnet'], 'USAGE', /--transport=telnet/)
  await fails(t, Inspect, [], 'USAGE', /Missing 1 required arg: dir/)
  await fails(t, Inspect, ['a', 'b'], 'USAGE', /Unexpected argument: b/)
})

t.test('an inventory that cannot be used is told with its place', async t => {
  const bad = async (text: string, says: RegExp): Promise<void> =>
    fails(t, Doctor, ['-i', file('bad.yaml', text)], 'INVENTORY_INVALID', says)
  await bad('', /bad\.yaml:1:1: the file is empty/)
  await bad('# nothing yet\n', /bad\.yaml:1:1: the file is empty/)
  await bad('clusters:\n  prod:\n    hosts: [a, b', /bad\.yaml:3:\d+: this is not YAML/)
  await bad('clusters:\n  prod:\n', /bad\.yaml:2:\d+: 'clusters\.prod': /)
  await bad('clusters:\n  prod:\n    hosts: [{name: a, ssh: {prt: 3}}]', /bad\.yaml:3:.*prt/)
  await bad('just words', /bad\.yaml:1:1: this is not an inventory/)
  await bad(`clusters: {p: {hosts: [a], x${evil}: 1}}`, /bad\.yaml:\d+:\d+: /)
  await fails(t, Doctor, ['-i', join(dir, 'none.yaml')], 'INVENTORY_NOT_FOUND', /none\.yaml cannot be read/)
  await fails(t, Doctor, ['-i', dir], 'INVENTORY_INVALID', /cannot be read: EISDIR/)
  const two = file('two.yaml', 'clusters: {a: {hosts: [a]}, b: {hosts: [b]}}')
  await fails(t, Doctor, ['-i', two, '-c', 'c'], 'CLUSTER_UNKNOWN', /has no cluster 'c'; it has a, b/)
  await fails(t, PeersList, ['-i', two], 'CLUSTER_AMBIGUOUS', /2 clusters and none was named/)
})

t.test('a host that lets nobody in is named, with the reason and the way in', async t => {
  const login = ['127.0.0.1', '--user', 'root', '--known-hosts', sshd.knownHosts]
  const shut = String(await freePort())
  const open = String(sshd.port)
  const none = file('known_hosts', '')
  const nobody = makeUser('none')
  t.teardown(() => nobody.remove())
  const cases: readonly [readonly string[], ErrorCode, RegExp][] = [
    [['nosuch.invalid'], 'HOST_UNREACHABLE', /nosuch\.invalid cannot be reached \(no-route\)/],
    [[...login, '--port', shut], 'HOST_UNREACHABLE', /127\.0\.0\.1 cannot be reached \(refused\)/],
    [[...login, '--port', open, '--identity', strange], 'LOGIN_REFUSED', /127\.0\.0\.1 cannot be reached/],
    [
      ['127.0.0.1', '--user', 'root', '--port', open, '--identity', key, '--known-hosts', none],
      'HOST_KEY_UNKNOWN',
      /SHA256:.*which known_hosts does not hold.*Try this:.*ssh-keyscan -p \d+ .* >> /s,
    ],
    [
      [
        ...['127.0.0.1', '--user', nobody.name, '--port', open, '--identity', key],
        ...['--known-hosts', sshd.knownHosts, '--sudo'],
      ],
      'SUDO_REFUSED',
      /127\.0\.0\.1 cannot be reached.*sudo/,
    ],
  ]
  for (const [argv, code, says] of cases) {
    await fails(t, PeersFix, [...argv, '--remove', 'x'], code, says)
    const seen = await runCommand(Doctor, argv)
    t.equal(seen.exit, EXIT.inconclusive, 'doctor cannot judge')
    t.match(seen.stdout, /UNREACHABLE/)
    t.match(seen.stdout, new RegExp(argv[0] ?? ''))
    t.equal(checkJson(t, await runCommand(Doctor, ['--json', ...argv])).exit, EXIT.inconclusive)
    const list = await runCommand(PeersList, argv)
    t.equal(list.exit, EXIT.inconclusive)
    t.match(list.stdout, /no answer \(/)
    if (code === 'HOST_KEY_UNKNOWN') t.match(seen.stderr + list.stderr, /ssh-keyscan .*\n[^]*ssh-keyscan /)
  }
})

t.test('a store that is damaged or not there is told by its path and place', async t => {
  const store = join(dir, 'data', 'raft', 'raft.db')
  for (const name of readdirSync(join(samples, 'raftdb-damaged')).filter(one => one.endsWith('.db'))) {
    copyFileSync(join(samples, 'raftdb-damaged', name), store)
    const before = digestOf(dir)
    for (const extra of [[], ['--deep'], ['--logs']]) {
      const ended = await runCommand(Inspect, [join(dir, 'data'), ...extra])
      t.ok([EXIT.ok, EXIT.inconclusive].includes(ended.exit as 0), `${name} ${extra.join('')}: ${ended.exit}`)
      if (ended.exit !== EXIT.ok)
        t.match(ended.stderr, /^Error: .*data\/raft[^]*\nCode: STORE_UNREADABLE, exit 6 /)
    }
    t.equal(digestOf(dir), before, 'nothing was changed')
  }
  copyFileSync(join(samples, 'raftdb-damaged', 'truncated-40000.db'), store)
  await fails(t, Inspect, [join(dir, 'data')], 'STORE_UNREADABLE', /data\/raft: raft\.db ends before byte/)
  await fails(t, Inspect, [join(dir, 'none')], 'NOT_A_RAFT_DIRECTORY', /none is not a directory/)
  await fails(t, Inspect, [join(dir, 'state')], 'NOT_A_RAFT_DIRECTORY', /state holds no raft\.db/)
  await fails(
    t,
    Inspect,
    [`${dir}/${evil.replace('\u0000', '')}`],
    'NOT_A_RAFT_DIRECTORY',
    /is not a directory/,
  )
})

t.test('bits that flip in a store are found or make no difference, and never crash a reader', async t => {
  const good = readFileSync(join(samples, 'consul-1.8-leave-one', 's1', 'raft', 'raft.db'))
  const store = join(dir, 'data', 'raft', 'raft.db')
  let damaged = 0
  for (let i = 0; i < 40; i++) {
    const bytes = Buffer.from(good)
    // The head of a page: number, kind, count; elsewhere most of a young store is free
    const at = (i * 4096 + ((i * 7) % 16)) % bytes.length
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (i % 8))
    writeFileSync(store, bytes)
    const ended = await runCommand(Inspect, [join(dir, 'data'), '--deep', '--json'])
    t.ok([EXIT.ok, EXIT.inconclusive].includes(ended.exit as 0), `byte ${at}: exit ${ended.exit}`)
    t.equal((JSON.parse(ended.stdout) as JsonAnswer).exit, ended.exit)
    if (ended.exit !== EXIT.ok) damaged++
  }
  t.ok(damaged >= 5, `${damaged} of 40 flips were told`)
})

const twoDead = planned(
  plan([...survivors(['a'], ['a', 'b', 'c']), silent('b'), silent('c')], {remove: ['b', 'c']}),
)
const fresh = {...twoDead, madeAtMs: Date.now(), expiresAtMs: Date.now() + 600_000}
const consent = ['--confirm', twoDead.cluster, ...twoDead.risks.flatMap(risk => ['--accept', risk.code])]

t.test('a plan file that is none, is cut off, too old or another cluster’s is refused', async t => {
  const text = JSON.stringify(fresh, null, 2)
  const bad = async (body: string, says: RegExp): Promise<void> =>
    fails(t, Apply, [file('plan.json', body), ...consent], 'PLAN_UNREADABLE', says)
  await bad('', /plan\.json cannot be used: it is not JSON/)
  await bad('garbage', /it is not JSON/)
  await bad(`"${evil.slice(0, 9)}`, /it is not JSON/)
  await bad(text.slice(0, text.length / 2), /it is not JSON/)
  await bad('{"format": 2}', /its format is 2; this quorate reads format 1/)
  await bad('[]', /its format is missing/)
  await bad(JSON.stringify({...fresh, hosts: 7}), /at hosts: /)
  await bad(JSON.stringify({...fresh, phases: [{}]}), /at phases\.0\./)
  await fails(t, Apply, [join(dir, 'none.json')], 'PLAN_UNREADABLE', /none\.json cannot be used: ENOENT/)
  await fails(t, Apply, [dir], 'PLAN_UNREADABLE', /EISDIR/)
  const old = file('old.json', JSON.stringify({...twoDead, expiresAtMs: Date.now() - 1000}))
  await fails(t, Apply, [old], 'PLAN_EXPIRED', /expired at \d{4}-/)
  await fails(t, Apply, [old, ...consent], 'PLAN_EXPIRED', /expired at \d{4}-/)
  const future = Date.now() + 3_600_000
  const early = file(
    'early.json',
    JSON.stringify({...twoDead, madeAtMs: future, expiresAtMs: future + 900_000}),
  )
  await fails(t, Apply, [early, ...consent], 'PLAN_EXPIRED', /still to come by this machine's clock/)
  const now = file('now.json', text)
  await fails(t, Apply, [now], 'NOT_CONFIRMED', /--confirm/)
  const other = file('other.yaml', 'clusters: {other: {hosts: [localhost], transport: local}}')
  await fails(t, Apply, [now, '-i', other, '-c', 'other', ...consent], 'PLAN_OTHER_CLUSTER', /made for/)
})

t.test('a plan that nobody made here is not known', async t => {
  for (const id of ['4f1c9a', '../../etc/passwd', evil.replace('\u0000', '')]) {
    for (const command of [History, Resume, Verify])
      await fails(t, command, [id], 'PLAN_UNKNOWN', /There is no journal of a plan /)
  }
  await fails(t, Verify, [], 'PLAN_UNKNOWN', /No plan/)
})

t.test('a place where journals cannot be kept, or a journal that is garbage, is named', async t => {
  const state = process.env['XDG_STATE_HOME']
  process.env['XDG_STATE_HOME'] = file('file', 'not a directory')
  for (const command of [History, Resume, Verify])
    await fails(t, command, ['4f1c9a'], 'JOURNAL_UNUSABLE', /cannot be kept at .*file\/quorate/)
  process.env['XDG_STATE_HOME'] = state
  const journal = join(dir, 'state', 'quorate', 'journal')
  mkdirSync(journal, {recursive: true})
  writeFileSync(join(journal, `${fresh.id}.plan.json`), JSON.stringify(fresh))
  writeFileSync(join(journal, `${fresh.id}.jsonl`), `${evil.replace('\n', '')}\n`)
  for (const command of [History, Resume, Verify])
    await fails(
      t,
      command,
      [fresh.id],
      'PLAN_UNREADABLE',
      /Line 1 of the journal .*\.jsonl is not a journal entry/,
    )
  rmSync(join(dir, 'state', 'quorate'), {recursive: true})
})

/** Sees no process but its own: whatever else this machine runs is out of sight. */
const alone = ['unshare', '--fork', '--pid', '--mount-proc']
const local = (top: string): string[] => [
  ...['localhost', '--transport', 'local', '--data-dir', top, '--config-dir', join(top, 'config')],
]

function looks(t: Test, argv: readonly string[]): {screen: string; exit: number} {
  const before = digestOf(dir)
  const text = runBuilt(argv, {through: alone})
  t.notMatch(text.stdout + text.stderr, unprintable, 'no control character on the screen')
  t.notMatch(text.stderr, /\n {4}at /, 'no stack trace')
  const json = runBuilt([...argv, '--json'], {through: alone})
  checkJson(t, json)
  t.equal(json.exit, text.exit, 'the same exit status under --json')
  t.equal(digestOf(dir), before, 'nothing was changed')
  return {screen: text.stdout + text.stderr, exit: text.exit}
}

t.test('names, paths, files and settings full of terminal escapes show as text', async t => {
  const top = join(dir, 'hostile\u001b]0;x\u0007\u202e')
  mkdirSync(join(top, 'raft'), {recursive: true})
  mkdirSync(join(top, 'serf'))
  mkdirSync(join(top, 'config'))
  const store = join(samples, 'consul-1.8-leave-one', 's1', 'raft', 'raft.db')
  copyFileSync(store, join(top, 'raft', 'raft.db'))
  writeFileSync(join(top, 'node-id'), evil)
  writeFileSync(join(top, 'raft', 'peers.json'), JSON.stringify([{id: evil, address: `${evil}:8300`}]))
  writeFileSync(join(top, 'serf', 'local.snapshot'), `alive: ${evil} ${evil}:8301\n${evil}\n`)
  const settings = {datacenter: evil, node_name: evil, server: true, retry_join: [evil], [evil]: evil}
  writeFileSync(join(top, 'config', `a${evil.replace(/[\u0000\n/]/g, '')}.json`), JSON.stringify(settings))
  for (const argv of [
    ['doctor', ...local(top)],
    ['doctor', ...local(top), '--explain'],
    ['peers', 'list', ...local(top)],
    ['inspect', top],
  ])
    t.not(looks(t, argv).exit, EXIT.bug, argv.join(' '))
  t.not(
    looks(t, ['peers', 'fix', ...local(top), '--remove', evil.replaceAll('\u0000', ''), '--dry-run']).exit,
    1,
  )
})

/** An API in a process of its own, for the commands that ask it hold this one up. */
const API = `
const [, log, body] = process.argv
const server = require('node:http').createServer((request, response) => {
  require('node:fs').appendFileSync(log, request.url + '\\n')
  const bodies = JSON.parse(body)
  response.statusCode = bodies[request.url] === undefined ? 500 : 200
  response.end(bodies[request.url] ?? bodies[''])
})
server.listen(0, '127.0.0.1', () => process.stdout.write(String(server.address().port)))
`

/** An API on loopback that answers these bodies by path, and `''` with status 500 to all else. */
async function hostileApi(t: Test, bodies: Readonly<Record<string, string>>) {
  const asked = join(keys, 'asked')
  const child = spawn(process.execPath, ['-e', API, asked, JSON.stringify(bodies)])
  t.teardown(() => child.kill('SIGKILL'))
  const [port] = (await once(child.stdout, 'data')) as [Buffer]
  return {port: Number(port.toString()), asked}
}

t.test('log lines and API answers full of terminal escapes show as text', async t => {
  const top = join(dir, 'loud')
  mkdirSync(join(top, 'raft'), {recursive: true})
  mkdirSync(join(top, 'config'))
  copyFileSync(join(samples, 'consul-1.8-leave-one', 's1', 'raft', 'raft.db'), join(top, 'raft', 'raft.db'))
  const at = '2026-11-20T07:38:43.000Z'
  const lines = [
    `${at} [ERROR] agent: failed to sync remote state: error="No cluster leader" ${evil}`,
    `${at} [WARN]  agent.server.raft: Election timeout reached, restarting election ${evil}`,
    `${at} [WARN]  agent: member 'b' has conflicting node id 'x' ${evil}`,
    `${at} [INFO]  agent.server: New leader elected: payload=${evil}`,
    `${at} [ERROR] agent.server.raft: failed to make requestVote RPC: target="{Voter ${evil} ${evil}}" error="${evil}"`,
  ]
  writeFileSync(join(top, 'x.log'), `${lines.join('\n')}\n`)
  const self = {
    Config: {NodeName: evil, Datacenter: evil, Server: true, Version: `1.8.19${evil}`},
    Member: {Name: evil, Addr: evil, Port: 8301, Tags: {role: 'consul', build: evil, id: evil}, Status: 1},
    Stats: {
      raft: {state: evil, term: '3', latest_configuration: evil, last_contact: evil},
      consul: {server: 'true'},
    },
  }
  const {port, asked} = await hostileApi(t, {
    '': `No cluster leader ${evil}`,
    '/v1/agent/self': JSON.stringify(self),
    '/v1/agent/members': JSON.stringify([self.Member]),
    '/v1/status/leader': JSON.stringify(`${evil}:8300`),
    '/v1/status/peers': JSON.stringify([`${evil}:8300`]),
  })
  const inventory = file(
    'loud.yaml',
    `clusters: {p: {hosts: [{name: localhost, transport: local, data_dir: ${top}, config_dir: ${top}/config, log_file: ${top}/x.log, http: "http://127.0.0.1:${port}"}]}}`,
  )
  const screens = [['doctor'], ['doctor', '--explain'], ['peers', 'list']].map(
    argv => looks(t, [...argv, '-i', inventory]).screen,
  )
  t.match(screens[0], /Consul 1\.8\.19e\\e\[31mvil/, 'what the API says stands there as text')
  t.match(screens[1], /conflicting node id 'x' e\\e\[31mvil\\x9b2J/, 'and what the log says')
  t.match(readFileSync(asked, 'utf8'), /^\/v1\/agent\/members$/m, 'the API was asked')
})

t.test(
  'a data directory that is wrong, empty or full of noise leaves doctor without a judgement',
  async t => {
    const noise = join(dir, 'noise')
    mkdirSync(join(noise, 'raft', 'snapshots'), {recursive: true})
    for (const name of ['raft.db', 'peers.json', 'peers.info', 'snapshots/1-1-1'])
      writeFileSync(join(noise, 'raft', name), createHash('sha512').update(name).digest())
    for (const top of [join(dir, 'nowhere'), join(dir, 'state'), noise]) {
      const {exit, screen} = looks(t, ['doctor', ...local(top)])
      t.ok([EXIT.inconclusive, EXIT['quorum-lost']].includes(exit as 5), `${top}: exit ${exit}`)
      t.match(screen, /localhost/)
      const refused = looks(t, ['peers', 'fix', ...local(top)])
      t.equal(refused.exit, EXIT.refused, refused.screen)
      t.match(refused.screen, /^Error: [^]*localhost[^]*\nCode: (NO_SURVIVOR|UNREAD_FACT), exit 3 refused/)
    }
  },
)

t.test(
  'a command that there is not ends like a wrong flag, by itself, in a topic, and asked for help',
  async t => {
    for (const argv of [['nosuch'], ['peers', 'nosuch'], ['nosuch', '--help'], [evil.slice(0, 9)]]) {
      const {exit, stdout, stderr} = runBuilt(argv)
      t.equal(exit, EXIT.usage, argv.join(' '))
      t.equal(stdout, '')
      t.match(stderr, /^Error: There is no command '.*'\.\nCode: USAGE, exit 2 usage/)
      t.notMatch(stderr, unprintable)
    }
    const json = runBuilt(['nosuch', '--json'])
    t.equal(json.exit, EXIT.usage)
    t.match(checkJson(t, json), {error: {code: 'USAGE'}})
  },
)
