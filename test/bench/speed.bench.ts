// How fast quorate is beside what operators do by hand: ratios taken in one run, on one machine. `npm run bench`.
import {execa} from 'execa'
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import t, {type Test} from 'tap'
import {Operator} from '../e2e/operator.js'
import {gone} from '../e2e/steps.js'
import {atLeast, realConsuls, reference, type ServerBinary} from '../lab/binaries.js'
import {eventually, Lab} from '../lab/lab.js'

const here = fileURLToPath(new URL('.', import.meta.url))
const cli = join(here, '..', '..', 'dist', 'src', 'cli.js')
const BASE_PORT = 2200

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN

async function seconds(run: () => Promise<unknown>): Promise<number> {
  const start = process.hrtime.bigint()
  await run()
  return Number(process.hrtime.bigint() - start) / 1e9
}

/** Takes both by turns, so that a busy moment hits both, and reports the ratio of their medians. */
async function ratio(
  t: Test,
  title: string,
  limit: number,
  rounds: number,
  ours: () => Promise<unknown>,
  theirs: () => Promise<unknown>,
): Promise<void> {
  const a: number[] = []
  const b: number[] = []
  for (let i = 0; i < rounds; i++) {
    b.push(await seconds(theirs))
    a.push(await seconds(ours))
  }
  const value = median(a) / median(b)
  t.comment(
    `${title}: ${median(a).toFixed(3)} s / ${median(b).toFixed(3)} s = ${value.toFixed(2)} (at most ${limit})`,
  )
  t.ok(value <= limit, title)
}

t.test('the start of a real command path', async t => {
  const ours = (): Promise<unknown> => execa(process.execPath, [cli, 'peers', 'list', '--help'])
  const theirs = (): Promise<unknown> => execa(process.execPath, ['-e', '0'])
  await ratio(t, 'quorate peers list --help / node -e 0', 3.5, 15, ours, theirs)
})

/** An operator who reaches the servers through long cables: a proxy on a port for each. */
async function farOperator(
  t: Test,
  lab: Lab,
  delayMs: number,
): Promise<{operator: Operator; options: readonly string[]; cables: readonly number[]}> {
  const cables = lab.numbers.map(i => BASE_PORT + i)
  const ports = lab.numbers.map(i => `${BASE_PORT + i}=${lab.address(i)}`)
  const enter = [`--net=/run/netns/ql${lab.id}-ops`, '--', process.execPath, join(here, 'delay-proxy.js')]
  const proxy = execa('nsenter', [...enter, String(delayMs), ...ports], {reject: false})
  t.teardown(() => proxy.kill())
  const operator = new Operator(lab, 'root')
  t.teardown(() => operator.leave())
  const known = join(operator.home, 'known_hosts')
  const lines = readFileSync(lab.ssh.knownHosts, 'utf8').trimEnd().split('\n')
  const far = lab.numbers.map(i => (lines[i - 1] ?? '').replace(/^\S+/, `[127.0.0.1]:${BASE_PORT + i}`))
  writeFileSync(known, `${far.join('\n')}\n`)
  const inventory = {
    clusters: {
      lab: {
        product: 'consul',
        ssh: {user: 'root', identity: lab.ssh.key, known_hosts: known},
        hosts: cables.map((port, at) => ({name: `host${at + 1}`, address: '127.0.0.1', ssh: {port}})),
      },
    },
  }
  const path = join(operator.home, 'config', 'quorate', 'quorate.yaml')
  writeFileSync(path, JSON.stringify(inventory))
  const options = [
    '-i',
    lab.ssh.key,
    '-o',
    `UserKnownHostsFile=${known}`,
    '-o',
    'BatchMode=yes',
    '-o',
    'LogLevel=ERROR',
  ]
  await eventually('the cables', async () => {
    const tried = await lab.operator([
      'ssh',
      ...options,
      '-p',
      String(BASE_PORT + 1),
      'root@127.0.0.1',
      'true',
    ])
    return tried.exitCode === 0 ? true : undefined
  })
  return {operator, options, cables}
}

/** Doctor on some servers, beside one ssh for each that sends the probe. */
async function doctorBeside(t: Test, lab: Lab, limit: number, rounds: number): Promise<void> {
  t.teardown(() => lab.down())
  const {operator, options, cables} = await farOperator(t, lab, 25)
  const probe = readFileSync(join(here, 'probe.sh'), 'utf8')
  const byHand = async (): Promise<void> => {
    await Promise.all(
      cables.map(async port => {
        const command = ['ssh', ...options, '-p', String(port), 'root@127.0.0.1', 'sh', '-s']
        const {stdout, stderr} = await lab.operator(command, {input: probe})
        if (!stdout.includes('"Stats"'))
          throw new Error(`the probe read nothing: ${stdout.slice(0, 200)} ${stderr}`)
      }),
    )
  }
  const doctor = async (): Promise<void> => {
    const {stdout, stderr} = await operator.run('doctor', '--cluster', 'lab', '--json')
    const read = stdout.match(/"lastIndex":\s*[1-9]/g)?.length ?? 0
    if (read < cables.length) throw new Error(`doctor read ${read} stores: ${stderr}`)
  }
  const title = `doctor / ssh host sh -s, ${cables.length} hosts`
  await ratio(t, title, limit, rounds, doctor, byHand)
}

t.test('doctor on 5 hosts, 25 ms away each way, and the same facts by parallel ssh', async t =>
  doctorBeside(t, await Lab.up({servers: 5}), 1.5, 7),
)

t.test('doctor on 50 hosts, 25 ms away each way, and the same facts by parallel ssh', async t =>
  doctorBeside(t, await Lab.up({servers: 50, apart: true}), 1.3, 5),
)

/** Bytes that have passed a host's port of the switch, both ways. */
async function traffic(lab: Lab, i: number): Promise<number> {
  const {stdout} = await lab.operator(['ip', '-s', '-j', 'link', 'show', `v${i}`])
  const [link] = JSON.parse(stdout) as {stats64: {rx: {bytes: number}; tx: {bytes: number}}}[]
  return (link?.stats64.rx.bytes ?? 0) + (link?.stats64.tx.bytes ?? 0)
}

/** A snapshot shortly before the end of the log, as a server with large values has one: it ends the search for peers. */
function writeSnapshot(lab: Lab, index: number): void {
  const id = `3-${index}-1700000000000`
  const dir = lab.data(1, 'raft', 'snapshots', id)
  const server = {
    Suffrage: 0,
    ID: readFileSync(lab.data(1, 'node-id'), 'utf8'),
    Address: `${lab.address(1)}:8300`,
  }
  const meta = {Version: 1, ID: id, Index: index, Term: 3, Peers: 'kA==', Configuration: {Servers: [server]}}
  mkdirSync(dir, {recursive: true})
  writeFileSync(join(dir, 'meta.json'), JSON.stringify({...meta, ConfigurationIndex: 1, Size: 0, CRC: null}))
  writeFileSync(join(dir, 'state.bin'), '')
}

t.test('the end of a log of 1 GiB is found with little traffic', async t => {
  const lab = await Lab.up({servers: 1})
  t.teardown(() => lab.down())
  const build = {GO111MODULE: 'off', GOFLAGS: '', GOPATH: '/usr/share/gocode', CGO_ENABLED: '0'}
  const writer = join(here, '..', '.build', 'big-store')
  await execa('/usr/lib/go/bin/go', ['build', '-o', writer, '.'], {cwd: join(here, 'big-store'), env: build})
  await lab.halt(1)
  const store = lab.data(1, 'raft', 'raft.db')
  await execa('rm', ['-f', store])
  const last = Number((await execa(writer, [store, '1024', '1'])).stdout)
  writeSnapshot(lab, last - 16)
  await execa('chown', ['-R', '--reference', lab.data(1), lab.data(1, 'raft')])
  const operator = new Operator(lab, 'root')
  t.teardown(() => operator.leave())
  const before = await traffic(lab, 1)
  const {answer} = await operator.json<unknown>('doctor', '--cluster', 'lab')
  const bytes = (await traffic(lab, 1)) - before
  t.match(JSON.stringify(answer), `"lastIndex":${last},`, 'the last index is read')
  t.comment(
    `doctor, ${last} entries in 1 GiB: ${Math.round(bytes / 1024)} KiB over the wire, ssh and all else included (at most 256)`,
  )
  t.ok(bytes <= 256 * 1024, 'the whole of doctor fits')
})

/** Three survivors of seven, recovered by each of the three ways by turns, from the same disks. */
async function recoveries(t: Test, binary: ServerBinary): Promise<void> {
  const lab = await Lab.up({servers: 7, manager: 'systemd', binary})
  t.teardown(() => lab.down())
  // Three of seven are no quorum.
  const kept = [1, 2, 3]
  const dead = [4, 5, 6, 7]
  const peers = JSON.stringify(
    kept.map(i => {
      const address = `${lab.address(i)}:8300`
      if (!atLeast(binary.version, '0.8.0')) return address
      return {id: readFileSync(lab.data(i, 'node-id'), 'utf8'), address, non_voter: false}
    }),
  )
  await lab.put(await lab.leader(), [{key: 'bench', value: 'x'}])
  await lab.kill(...dead)
  await lab.kill(...kept)
  await lab.save(...kept)
  const options = ['-i', lab.ssh.key, '-o', `UserKnownHostsFile=${lab.ssh.knownHosts}`, '-o', 'BatchMode=yes']
  const outage = async (): Promise<void> => {
    await lab.restore(...kept)
    await Promise.all(kept.map(async i => lab.boot(i)))
    await eventually('three servers up', async () =>
      Promise.all(kept.map(async i => lab.leaderSeen(i))).then(() => true as const),
    )
  }
  const led = async (run: () => Promise<unknown>): Promise<number> => {
    await outage()
    return seconds(async () => {
      await run()
      await lab.leader(kept)
    })
  }
  const ours: number[] = []
  const script: number[] = []
  const playbook: number[] = []
  const hosts = kept.map(i => lab.address(i))
  const dir = join(lab.data(1), '..', '..', 'ansible')
  mkdirSync(dir, {recursive: true})
  const lines = hosts.map(host => `${host} ansible_ssh_private_key_file=${lab.ssh.key}`)
  writeFileSync(join(dir, 'hosts'), `${lines.join('\n')}\n`)
  for (let round = 0; round < 3; round++) {
    script.push(
      await led(async () => {
        const {exitCode, stderr} = await lab.operator([
          'bash',
          join(here, 'recover.sh'),
          peers,
          options.join(' '),
          ...hosts,
        ])
        if (exitCode !== 0) throw new Error(stderr)
      }),
    )
    await outage()
    const operator = new Operator(lab, 'root')
    // As at 3 a.m.: the plan is read at a terminal, and the clock starts with the last key of the consent.
    const fix = operator.atTerminal('peers', 'fix', '--cluster', 'lab', ...gone(operator, ...dead))
    await fix.sees("Type the cluster's name", 120_000)
    fix.types('lab\r')
    await fix.sees('Open risks')
    const phrase = /Type '([^']+)'/.exec(fix.screen.slice(fix.screen.lastIndexOf('Open risks')))?.[1]
    ours.push(
      await seconds(async () => {
        fix.types(`${phrase ?? ''}\r`)
        await lab.leader(kept)
      }),
    )
    if ((await fix.ends()) !== 0) throw new Error(fix.screen)
    operator.leave()
    playbook.push(
      await led(async () => {
        const env = {
          ANSIBLE_SSH_ARGS: options.slice(2).join(' '),
          ANSIBLE_PYTHON_INTERPRETER: '/usr/bin/python3',
          ANSIBLE_HOME: dir,
        }
        const play = [
          'ansible-playbook',
          '-i',
          join(dir, 'hosts'),
          '-e',
          JSON.stringify({peers}),
          join(here, 'recover.yaml'),
        ]
        const {exitCode, stdout, stderr} = await lab.operator(play, {env})
        if (exitCode !== 0) throw new Error(`${stdout}\n${stderr}`)
      }),
    )
  }
  const [a, b, c] = [median(ours), median(script), median(playbook)]
  const title = `recovery of 3 on ${binary.kind} ${binary.version}`
  t.comment(`${title}: quorate ${a.toFixed(1)} s, script ${b.toFixed(1)} s, playbook ${c.toFixed(1)} s`)
  t.comment(`ratios: ${(a / b).toFixed(2)} (at most 1.15), ${(a / c).toFixed(2)} (at most 0.5)`)
  t.ok(a / b <= 1.15, 'quorate beside the script')
  t.ok(a / c <= 0.5, 'quorate beside the playbook')
}

t.test('the recovery of 3 survivors, by quorate, by a careful script and by a playbook', async t => {
  for (const binary of [await reference(), ...realConsuls()])
    await t.test(`${binary.kind} ${binary.version}`, async t => recoveries(t, binary))
})
