#!/usr/bin/env node
// Shows the main job on three servers of this machine, in about half a minute: each "host" is a real sshd on its own
// loopback address, a real runit and a reference server on hashicorp/raft. Two of them burn; quorate brings the third
// back. Run by `npm run rescue`. Needs root, for servers are stopped and files written as on real hosts.
import {execFileSync, spawn, spawnSync} from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const server = join(root, 'test', '.build', 'consul')
const KEYS = 200
const PORT = 2222
const numbers = [1, 2, 3]
const address = i => `127.0.0.1${i}`
const base = mkdtempSync(join(tmpdir(), 'quorate-rescue-'))
const say = text => process.stdout.write(`\n\u001b[1m# ${text}\u001b[0m\n`)

/** Ends with one sentence when something that the demonstration stands on is not there. */
function requireTools() {
  const packages = {
    '/usr/sbin/sshd': 'openssh-server',
    '/usr/bin/runsvdir': 'runit',
    '/usr/share/gocode/src/github.com/hashicorp/raft':
      'golang-go golang-github-hashicorp-raft-dev golang-github-hashicorp-raft-boltdb-dev golang-github-hashicorp-serf-dev',
  }
  const missing = Object.entries(packages).filter(([path]) => !existsSync(path))
  if (process.getuid() !== 0) throw new Error('The demonstration needs root: sudo npm run rescue.')
  if (missing.length > 0)
    throw new Error(
      `Debian packages are missing: apt-get install -y ${missing.map(([, name]) => name).join(' ')}`,
    )
}

/** Lays out a host: keys, sshd, a service directory, the server's configuration. */
function layOut(i) {
  const dir = join(base, `server${i}`)
  mkdirSync(join(dir, 'data'), {recursive: true})
  mkdirSync(join(dir, 'sv', 'consul'), {recursive: true})
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, 'host_key')])
  writeFileSync(
    join(dir, 'sshd_config'),
    [
      `ListenAddress ${address(i)}:${PORT}`,
      `HostKey ${join(dir, 'host_key')}`,
      `PidFile ${join(dir, 'sshd.pid')}`,
      `AuthorizedKeysFile ${join(base, 'key.pub')}`,
      'StrictModes no',
      'UsePAM no',
      'PermitRootLogin prohibit-password',
      'PasswordAuthentication no',
      'Subsystem sftp internal-sftp',
      '',
    ].join('\n'),
  )
  const config = {
    datacenter: 'demo',
    node_name: `server${i}`,
    bind_addr: address(i),
    client_addr: address(i),
    data_dir: join(dir, 'data'),
    server: true,
    bootstrap_expect: numbers.length,
    retry_join: numbers.filter(j => j !== i).map(address),
    performance: {raft_multiplier: 0.6},
    reconcile_interval: '5s',
    gossip_lan: {probe_interval: '400ms', probe_timeout: '200ms', suspicion_mult: 3},
  }
  writeFileSync(join(dir, 'config.json'), JSON.stringify(config, null, 2))
  const run = join(dir, 'sv', 'consul', 'run')
  writeFileSync(
    run,
    `#!/bin/sh\nexec 2>>'${dir}/consul.log' >&2\nexec '${server}' agent -config-file='${dir}/config.json'\n`,
  )
  chmodSync(run, 0o755)
}

/** Switches a host on: sshd and runit, each by itself. */
function switchOn(i) {
  const dir = join(base, `server${i}`)
  const options = {detached: true, stdio: 'ignore'}
  spawn('/usr/sbin/sshd', ['-D', '-f', join(dir, 'sshd_config')], options).unref()
  spawn('/usr/bin/runsvdir', ['-P', join(dir, 'sv')], options).unref()
}

/** Whether a process belongs to a host: it works in the host's directory or names it among its arguments. */
function belongsTo(pid, dir) {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    return words.includes(`${dir}/`) || readlinkSync(`/proc/${pid}/cwd`).startsWith(`${dir}/`)
  } catch {
    return false // It ended meanwhile.
  }
}

/** Pulls the plug: SIGKILL for whatever belongs to the host, until nothing is left. */
function pullPlug(i) {
  const dir = join(base, `server${i}`)
  for (let round = 0; round < 5; round++) {
    const pids = readdirSync('/proc').filter(
      name => /^\d+$/.test(name) && Number(name) > 1 && Number(name) !== process.pid,
    )
    for (const pid of pids.filter(one => belongsTo(one, dir))) process.kill(Number(pid), 'SIGKILL')
  }
}

async function eventually(what, ask, seconds = 30) {
  const end = Date.now() + seconds * 1000
  for (;;) {
    const value = await ask().catch(() => undefined)
    if (value !== undefined && value !== '') return value
    if (Date.now() > end) throw new Error(`Not within ${seconds} s: ${what}.`)
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}
const api = (i, path, init) => fetch(`http://${address(i)}:8500${path}`, init)
const leaderSeenBy = async i => (await api(i, '/v1/status/leader')).json()

/** Runs quorate as an operator would and shows what it prints. */
function quorate(...args) {
  process.stdout.write(`\n$ quorate ${args.join(' ')}\n`)
  const {status} = spawnSync(process.execPath, [join(root, 'dist', 'src', 'cli.js'), ...args], {
    cwd: base,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {...process.env, XDG_STATE_HOME: join(base, 'state'), QUORATE_RECONCILE: '7'},
  })
  return status
}

async function main() {
  requireTools()
  if (!existsSync(server)) execFileSync(join(root, 'test', 'reference', 'build.sh'), {stdio: 'inherit'})
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(base, 'key')])
  mkdirSync('/run/sshd', {recursive: true, mode: 0o755})
  numbers.forEach(layOut)
  const hostKeys = numbers.map(
    i => `[${address(i)}]:${PORT} ${readFileSync(join(base, `server${i}`, 'host_key.pub'), 'utf8')}`,
  )
  writeFileSync(join(base, 'known_hosts'), hostKeys.join(''))
  const hosts = numbers.map(i => ({
    name: `server${i}`,
    address: address(i),
    http: `${address(i)}:8500`,
    data_dir: join(base, `server${i}`, 'data'),
    config_dir: join(base, `server${i}`, 'config.json'),
    service: {manager: 'runit', unit: join(base, `server${i}`, 'sv', 'consul')},
    log_file: join(base, `server${i}`, 'consul.log'),
  }))
  const ssh = {user: 'root', port: PORT, identity: join(base, 'key'), known_hosts: join(base, 'known_hosts')}
  writeFileSync(join(base, 'quorate.yaml'), JSON.stringify({clusters: {demo: {ssh, hosts}}}, null, 2))

  say('Three servers on this machine, each behind an sshd of its own; 200 keys are written.')
  numbers.forEach(switchOn)
  for (const i of numbers) await eventually(`server${i} sees a leader`, () => leaderSeenBy(i))
  for (let k = 0; k < KEYS; k++) {
    const answer = await eventually('a write is acknowledged', async () => {
      const response = await api(1, `/v1/kv/key-${k}`, {method: 'PUT', body: `value-${k}`})
      return response.ok ? response : undefined
    })
    await answer.text()
  }
  say('server2 and server3 burn: SIGKILL for all of them, sshd included.')
  pullPlug(2)
  pullPlug(3)
  await eventually('server1 has lost its leader', async () =>
    (await leaderSeenBy(1)) === '' ? 'lost' : undefined,
  )
  await eventually('gossip has noticed', async () => {
    const members = await (await api(1, '/v1/agent/members')).json()
    return members.filter(member => member.Status === 4).length === 2 ? 'noticed' : undefined
  })
  quorate('doctor')
  const gone = ['--remove', 'server2', '--remove', 'server3']
  const status = quorate(
    'peers',
    'fix',
    ...gone,
    '--confirm',
    'demo',
    '--accept',
    'DATA_LOSS',
    '--accept',
    'UNFENCED_MAJORITY',
  )
  quorate('doctor')
  const pairs = await (await api(1, '/v1/kv/?recurse')).json()
  const found = pairs.filter(
    ({Key, Value}) => Buffer.from(Value, 'base64').toString() === Key.replace('key', 'value'),
  ).length
  say(`${found} of ${KEYS} acknowledged keys are there; quorate ended with exit status ${status}.`)
  if (found !== KEYS || status !== 0) process.exitCode = 1
}

try {
  await main()
} catch (error) {
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
} finally {
  for (const i of numbers) pullPlug(i)
  rmSync(base, {recursive: true, force: true})
}
