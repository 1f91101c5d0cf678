import {spawnSync} from 'node:child_process'
import {createHash} from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import {join} from 'node:path'
import t from 'tap'
import {parseProbeFrames} from '../../../src/core/codec/probe-frames.js'
import {readProbe} from '../../../src/core/codec/probe.js'
import type {ProbeResult} from '../../../src/core/codec/probe.js'
import {valueOf} from '../../../src/core/model/reading.js'
import {PROBE_SCRIPT} from '../../../src/engine/probe/probe-script.js'
import {referenceBinary} from '../../reference/loopback.js'

const SAMPLES = new URL('../../../fixtures/samples/', import.meta.url).pathname
const SHELLS: readonly (readonly [string, ...string[]])[] = [['dash'], ['bash', '--posix'], ['busybox', 'sh']]
/** What an answer may have of bytes and time before it is cut off. */
const ANSWER_BYTES_MAX = 4 * 1024 * 1024
const ANSWER_MS_MAX = 15_000
const shells = SHELLS.filter(([name]) => spawnSync('sh', ['-c', 'command -v "$1"', 'sh', name]).status === 0)

interface Run {
  readonly shell: readonly [string, ...string[]]
  readonly dataDir?: string
  readonly configDir?: string
  readonly unit?: string
  readonly manager?: string
  readonly logFile?: string
  readonly env?: NodeJS.ProcessEnv
  readonly storeOnly?: boolean
  /** Whether it sees the processes of this machine; by default only itself, whatever else runs here. */
  readonly among?: boolean
}

/** Only root may ask for a process namespace. */
const ALONE = process.getuid?.() === 0 ? ['/usr/bin/unshare', '--pid', '--fork', '--mount-proc'] : []

function run({shell, env, among = false, ...asked}: Run): ProbeResult & {output: Buffer} {
  const {dataDir = '', configDir = '', unit = '', manager = '', logFile = '', storeOnly = false} = asked
  const sentAtMs = Date.now()
  const parameters = ['consul', dataDir, configDir, unit, manager, logFile, '65536', '262144', '100']
  parameters.push('', storeOnly ? 'store' : '')
  const [program = 'sh', ...words] = [...(among ? [] : ALONE), ...shell, '-s', '--', ...parameters]
  const result = spawnSync(program, words, {
    input: PROBE_SCRIPT,
    maxBuffer: 1 << 24,
    env: env ?? process.env,
  })
  const frames = parseProbeFrames(result.stdout)
  if (!frames.ok) throw new Error(`${frames.problem.message}: ${result.stderr.toString()}`)
  const context = {
    host: 'here',
    product: 'consul' as const,
    sentAtMs,
    receivedAtMs: Date.now(),
    sha256: (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex'),
  }
  return {...readProbe(frames.value, context), output: result.stdout}
}

function sample(t: {testdir(): string}, name: string, below = 'data'): string {
  const dir = join(t.testdir(), below)
  cpSync(join(SAMPLES, name), dir, {recursive: true})
  return dir
}

t.ok(shells.length > 0, 'there is a shell to try')

for (const shell of shells) {
  const name = shell.join(' ')
  t.test(
    `${name}: asked for the files alone it reads them as ever, and leaves out what takes long`,
    async t => {
      const dataDir = sample(t, 'consul-1.8-cluster/s1')
      const logFile = join(dataDir, '..', 'server.log')
      writeFileSync(logFile, 'a line\n')
      const whole = run({shell, dataDir, logFile})
      const brief = run({shell, dataDir, logFile, storeOnly: true})
      for (const fact of ['nodeId', 'peersFile', 'peersInfo', 'files', 'snapshots', 'serfSnapshot'] as const)
        t.same(valueOf<unknown>(brief.facts[fact]), valueOf<unknown>(whole.facts[fact]), fact)
      t.equal(brief.output.includes('a line'), false, 'no line of the log')
      t.equal(whole.output.includes('a line'), true)
    },
  )
  t.test(`${name}: a stopped server's directory is read file by file`, async t => {
    const dataDir = sample(t, 'consul-1.8-cluster/s1')
    writeFileSync(join(dataDir, 'raft/peers.json'), '["10.0.0.1:8300"]\n')
    const {facts, raftDir, output} = run({shell, dataDir})
    t.equal(raftDir, `${dataDir}/raft`)
    t.match(valueOf(facts.nodeId), /^[0-9a-f-]{36}$/)
    t.match(valueOf(facts.peersFile), {dialect: 'list', servers: [{address: '10.0.0.1:8300'}]})
    t.equal(valueOf(facts.peersInfo), existsSync(join(dataDir, 'raft/peers.info')))
    const files = valueOf(facts.files)
    const bytes = readFileSync(join(dataDir, 'raft/raft.db'))
    t.match(files?.store, {kind: 'file', sizeBytes: bytes.length, uid: process.getuid?.()})
    t.ok((valueOf(facts.serfSnapshot)?.members.length ?? 0) > 0, 'the gossip snapshot has members')
    t.same(valueOf(facts.storeLock), {pid: undefined}, 'nobody holds the store')
    t.ok((valueOf(facts.disk)?.sizeBytes ?? 0) > 0)
    t.equal(valueOf(facts.disk)?.readOnly, false)
    t.ok(Math.abs(valueOf(facts.clockOffsetMs) ?? 1e9) < 2000, 'the clocks of one machine agree')
    t.ok(valueOf(facts.hostAddresses)?.includes('127.0.0.1'))
    t.ok(output.length < 1 << 20, 'the answer is bounded')
  })

  t.test(`${name}: what is not there is absent, and no data directory is no knowledge`, async t => {
    const dataDir = join(t.testdir(), 'none')
    const {facts} = run({shell, dataDir})
    t.match(facts.nodeId, {kind: 'unread', why: 'absent'})
    t.match(facts.files, {kind: 'unread', why: 'absent'})
    t.match(facts.peersFile, {kind: 'unread', why: 'absent'})
    t.same(valueOf(facts.peersInfo), false)
    t.same(valueOf(facts.snapshots), [])
  })

  t.test(`${name}: hostile names and bytes neither break the frame nor run`, async t => {
    const below = 'it\'s a "dir" $(touch pwned) `id`\n;x*'
    const dataDir = sample(t, 'consul-1.8-cluster/s1', below)
    mkdirSync(join(dataDir, 'raft/snapshots/2-1-1\nx'), {recursive: true})
    const content = Buffer.from([0, 255, 10, 64, 27, 91, 51, 49, 109, 10, 0])
    writeFileSync(join(dataDir, 'raft/peers.json'), content)
    const configDir = join(dataDir, 'conf *')
    mkdirSync(configDir)
    writeFileSync(join(configDir, 'a b.json'), JSON.stringify({node_name: '$(touch pwned)', server: true}))
    const {facts} = run({shell, dataDir, configDir})
    t.equal(valueOf(facts.peersFile)?.dialect, 'unparsable')
    t.equal(valueOf(facts.peersFile)?.sha256, createHash('sha256').update(content).digest('hex'))
    t.match(valueOf(facts.nodeId), /^[0-9a-f-]{36}$/)
    t.equal(valueOf(facts.config)?.nodeName, '$(touch pwned)')
    t.notOk(existsSync('pwned'))
  })

  t.test(`${name}: a file in the way that is no file is not waited for`, async t => {
    const dataDir = sample(t, 'consul-1.8-cluster/s1')
    rmSync(join(dataDir, 'raft/peers.json'), {force: true})
    t.equal(spawnSync('mkfifo', [join(dataDir, 'raft/peers.json')]).status, 0)
    t.match(run({shell, dataDir}).facts.peersFile, {kind: 'unread', why: 'unparsable'})
  })

  t.test(`${name}: the data directory is found by way of the configuration`, async t => {
    const dataDir = sample(t, 'consul-0.7.5-cluster/s1')
    const configDir = join(dataDir, '../conf')
    mkdirSync(configDir)
    writeFileSync(join(configDir, '00.json'), '{"server": true, "data_dir": "/nowhere"}')
    writeFileSync(
      join(configDir, '10.hcl'),
      `data_dir = "${dataDir}"\nbootstrap_expect = 3\nlog_file = "${dataDir}/x.log"\n`,
    )
    writeFileSync(join(configDir, 'note.txt'), 'data_dir = "/wrong"')
    writeFileSync(
      join(dataDir, 'x.log'),
      '2026/11/20 07:38:43 [ERR] agent: failed to sync remote state: No cluster leader\n',
    )
    const {facts, dataDir: found, configuredDataDir} = run({shell, configDir})
    t.equal(found, dataDir)
    t.equal(configuredDataDir, undefined)
    t.match(valueOf(facts.config), {
      server: true,
      bootstrapExpect: 3,
      sources: [join(configDir, '00.json'), join(configDir, '10.hcl')],
    })
    t.equal(valueOf(facts.journal)?.lines, 1)
  })

  t.test(`${name}: of a log of 100 MB the end is taken, in time, and the answer stays small`, async t => {
    const dir = t.testdir({data: {}})
    const logFile = join(dir, 'x.log')
    const lines = Buffer.alloc(1 << 20, '2026/11/20 07:38:42 [INFO] agent: \u001b[31m noise \u0000\n')
    for (let i = 0; i < 100; i++) appendFileSync(logFile, lines)
    appendFileSync(
      logFile,
      '2026/11/20 07:38:43 [ERR] agent: failed to sync remote state: No cluster leader\n',
    )
    t.ok(statSync(logFile).size > 100e6)
    const startedAtMs = performance.now()
    const {facts, output} = run({shell, dataDir: join(dir, 'data'), logFile})
    const tookMs = performance.now() - startedAtMs
    t.ok(tookMs < ANSWER_MS_MAX, `${Math.round(tookMs)} ms`)
    t.ok(output.length <= ANSWER_BYTES_MAX, `${output.length} bytes`)
    const journal = valueOf(facts.journal)
    t.ok(journal !== undefined && journal.lines > 1000, `${journal?.lines} lines`)
    t.same(
      journal?.matches.map(one => one.signature),
      ['no-leader'],
    )
    rmSync(logFile)
  })

  t.test(`${name}: a host with nothing but a shell and the least of tools still answers`, async t => {
    const dataDir = sample(t, 'consul-1.8-cluster/s1')
    const bin = join(dataDir, '../bin')
    mkdirSync(bin)
    const tools = ['cat', 'head', 'tail', 'date', 'ls', 'id', 'df', 'grep', 'tr', 'readlink']
    for (const tool of [...tools, shell[0]]) {
      const path = spawnSync('sh', ['-c', 'command -v "$1"', 'sh', tool]).stdout.toString().trim()
      if (path.startsWith('/')) spawnSync('ln', ['-s', path, join(bin, tool)])
    }
    // The probe adds the usual directories to PATH; names that are not to be found there are shadowed.
    for (const missing of ['stat', 'ip', 'timeout', 'systemctl', 'journalctl']) {
      writeFileSync(join(bin, missing), '#!/bin/sh\nexit 127\n')
      chmodSync(join(bin, missing), 0o755)
    }
    const {facts} = run({shell: [join(bin, shell[0]), ...shell.slice(1)], dataDir, env: {PATH: bin}})
    const size = readFileSync(join(dataDir, 'raft/raft.db')).length
    t.match(valueOf(facts.files)?.store, {kind: 'file', sizeBytes: size, uid: process.getuid?.()})
    t.match(valueOf(facts.nodeId), /^[0-9a-f-]{36}$/)
    t.same(valueOf(facts.storeLock), {pid: undefined})
  })
}

t.test('what a plain user may not see is denied, never absent', {skip: process.getuid?.() !== 0}, async t => {
  const dataDir = sample(t, 'consul-1.8-cluster/s1')
  chmodSync(join(dataDir, 'raft'), 0o700)
  chmodSync(join(dataDir, 'node-id'), 0o600)
  spawnSync('chmod', ['a+rx', t.testdirName, dataDir])
  const script = join(dataDir, '../probe.sh')
  writeFileSync(script, PROBE_SCRIPT)
  const command = `exec setpriv --reuid 65534 --regid 65534 --clear-groups sh -s -- consul "$1" "" "" "" "" 65536 262144 100 <"$2"`
  const result = spawnSync('sh', ['-c', command, 'sh', dataDir, script], {cwd: '/'})
  const frames = parseProbeFrames(result.stdout)
  if (!frames.ok) throw new Error(result.stderr.toString())
  const {facts} = readProbe(frames.value, {
    host: 'here',
    product: 'consul',
    sentAtMs: 0,
    receivedAtMs: 0,
    sha256: () => '',
  })
  t.match(facts.nodeId, {kind: 'unread', why: 'denied'})
  t.match(facts.peersFile, {kind: 'unread', why: 'denied'})
  t.match(facts.peersInfo, {kind: 'unread', why: 'denied'})
  t.match(facts.snapshots, {kind: 'unread', why: 'denied'})
  t.match(facts.storeLock, {kind: 'unread', why: 'denied'})
})

t.test('a running server is found even under another name', async t => {
  const settings = {
    ...{server: true, bootstrap_expect: 3, bind_addr: '127.0.77.1', client_addr: '127.0.77.1'},
    encrypt: 'cg8StVXbQJ0gPvMd9o7yrg==',
  }
  const dir = t.testdir({
    conf: {'a.json': JSON.stringify(settings)},
    data: {serf: {'local.keyring': '["cg8StVXbQJ0gPvMd9o7yrg=="]'}},
  })
  const binary = join(dir, 'my agent')
  copyFileSync(await referenceBinary(), binary)
  chmodSync(binary, 0o755)
  const {spawn} = await import('node:child_process')
  const places = ['-config-dir', join(dir, 'conf'), '-data-dir', join(dir, 'data')]
  // The reference server knows no keys; what follows `--` is for the probe's eyes.
  const argv = ['agent', ...places, '-node', 'n', '--', '-encrypt', 'cg8StVXbQJ0gPvMd9o7yrg==']
  const child = spawn(binary, argv, {stdio: 'ignore'})
  t.teardown(() => child.kill('SIGKILL'))
  for (let i = 0; i < 100 && !existsSync(join(dir, 'data/raft/raft.db')); i++)
    await new Promise(resolve => setTimeout(resolve, 50))
  const {facts, dataDir} = run({shell: shells[0] ?? ['sh'], dataDir: join(dir, 'data'), among: true})
  t.equal(dataDir, join(dir, 'data'))
  const mine = valueOf(facts.processes)?.find(one => one.pid === child.pid)
  t.match(mine, {executable: binary, dataDir: join(dir, 'data'), state: /[SR]/})
  t.notMatch(JSON.stringify(facts), /cg8StVXb/, 'the gossip key is kept nowhere')
  t.equal(valueOf(facts.keyring)?.fingerprints.length, 1)
  t.same(valueOf(facts.storeLock), {pid: child.pid})
  t.match(valueOf(facts.version), /^1\.8\.99/)
  t.ok(Math.abs((mine?.startedAtMs ?? 0) - Date.now()) < 60_000)
})
