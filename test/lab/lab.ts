import {execa} from 'execa'
import {existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {binaryLayer, reference, type ServerBinary} from './binaries.js'
import {provision, serverConfig, type LabManager} from './provision.js'

const SCRIPT = fileURLToPath(new URL('lab.sh', import.meta.url))
const DIR = process.env['QUORATE_LAB_DIR'] ?? '/var/lib/quorate-lab'

/** What a lab is made of. */
export interface LabOptions {
  readonly servers: number
  readonly manager?: LabManager
  readonly binary?: ServerBinary
  readonly restart?: 'on-failure' | 'always'
  /** Every server is a cluster of its own: many hosts without what so many voters cost; false. */
  readonly apart?: boolean
  /** Settings over the usual ones, for all servers or by number (counted from 1). */
  readonly config?:
    Readonly<Record<string, unknown>> | ((server: number) => Readonly<Record<string, unknown>>)
}

/** A key as a server shows it. */
export interface KeyValue {
  readonly key: string
  readonly value: string
}

/** How a command ended, with what it printed. */
export interface Ended {
  readonly exitCode: number | undefined
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command of lab.sh, the privileged part of the lab, and returns what it printed. */
export const labScript = async (...args: readonly string[]): Promise<string> => {
  const {stdout} = await execa(SCRIPT, args, {env: {QUORATE_LAB_DIR: DIR}})
  return stdout
}

/** Hosts that boot at the same time. */
const BOOTING_MAX = 10

/** Why this machine cannot run a lab; undefined when it can. Makes the hosts' disk image when it is missing. */
export async function whyNoLab(): Promise<string | undefined> {
  const {exitCode, stderr} = await execa(SCRIPT, ['check'], {reject: false})
  return exitCode === 0 ? undefined : stderr
}

/** Asks again until `probe` gives a value; fails with `what` after `limitMs`. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined>,
  limitMs = 30_000,
): Promise<T> {
  const end = Date.now() + limitMs
  for (;;) {
    const value = await probe().catch(() => undefined)
    if (value !== undefined) return value
    if (Date.now() > end) throw new Error(`not within ${String(limitMs)} ms: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

async function keys(count: number): Promise<string> {
  const dir = join(DIR, 'keys')
  mkdirSync(dir, {recursive: true, mode: 0o700})
  for (const name of ['operator', ...Array.from({length: count}, (_, i) => `server${String(i + 1)}`)])
    if (!existsSync(join(dir, name)))
      await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', join(dir, name)], {
        reject: false,
      })
  return dir
}

/** Some servers on hosts of their own, as an operator's network sees them. Servers are numbered from 1. */
export class Lab {
  readonly numbers: readonly number[]
  private readonly moved = new Map<number, string>()

  private constructor(
    readonly id: string,
    readonly manager: LabManager,
    readonly binary: ServerBinary,
    private readonly keyDir: string,
    servers: number,
  ) {
    this.numbers = Array.from({length: servers}, (_, i) => i + 1)
  }

  /** Boots the hosts and waits for one leader and a full peer set. Leftovers of killed test runs go first. */
  static async up(options: LabOptions): Promise<Lab> {
    await labScript('rootfs')
    const binary = options.binary ?? (await reference())
    const keyDir = await keys(options.servers)
    const id = await labScript('claim', String(process.pid))
    const lab = new Lab(id, options.manager ?? 'runit', binary, keyDir, options.servers)
    try {
      await labScript('net-up', id)
      await Promise.all(lab.numbers.map(async i => lab.prepare(i, options)))
      for (let i = 0; i < lab.numbers.length; i += BOOTING_MAX)
        await Promise.all(lab.numbers.slice(i, i + BOOTING_MAX).map(async one => lab.boot(one)))
      if (options.apart === true) {
        for (const i of lab.numbers) await lab.leader([i])
        return lab
      }
      await lab.leader()
      await eventually('every server in the peer set', async () => {
        const sets = await Promise.all(lab.numbers.map(async i => lab.peers(i)))
        return sets.every(set => set.length === options.servers) ? true : undefined
      })
    } catch (error) {
      const seen = await lab.diagnosis()
      await lab.down()
      throw new Error(`the lab did not come up: ${seen}`, {cause: error})
    }
    return lab
  }

  /** The name of a server's host. */
  name(i: number): string {
    return `server${String(i)}`
  }

  /** The address of a server's host. */
  address(i: number): string {
    return this.moved.get(i) ?? `192.168.1.${String(10 + i)}`
  }

  /** Gives a host that is off another address; its server's settings and its next boot use it. */
  readdress(i: number, address: string): void {
    this.moved.set(i, address)
    for (const j of this.numbers) this.edit(j, config => ({...config, ...this.addresses(j)}))
  }

  private addresses(i: number): {bind_addr: string; retry_join: readonly string[]} {
    return {
      bind_addr: this.address(i),
      retry_join: this.numbers.filter(j => j !== i).map(j => this.address(j)),
    }
  }

  /** Changes a server's settings on disk; it reads them at its next start. */
  edit(i: number, change: (config: Record<string, unknown>) => Record<string, unknown>): void {
    const path = join(DIR, 'labs', this.id, String(i), 'u', 'etc/consul.d/server/config.json')
    const config = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
    writeFileSync(path, JSON.stringify(change(config), null, 2))
  }

  /** The path on this machine of a file below a server's data directory; valid whether its host is on or off. */
  data(i: number, ...path: readonly string[]): string {
    return join(DIR, 'labs', this.id, String(i), 'data', ...path)
  }

  /** The path on this machine of a file on a server's disk; valid while the host is on. */
  disk(i: number, path: string): string {
    return join(DIR, 'labs', this.id, String(i), 'm', path)
  }

  /** What an operator needs to log in. */
  get ssh(): {readonly key: string; readonly knownHosts: string; readonly sudoPassword: string} {
    const knownHosts = join(DIR, 'labs', this.id, 'known_hosts')
    const lines = this.numbers.map(i => {
      const [type, key] = readFileSync(join(this.keyDir, `${this.name(i)}.pub`), 'utf8').split(' ')
      return `${this.address(i)},${this.name(i)} ${type ?? ''} ${key ?? ''}\n`
    })
    writeFileSync(knownHosts, lines.join(''))
    return {key: join(this.keyDir, 'operator'), knownHosts, sudoPassword: 'open sesame'}
  }

  private async prepare(i: number, options: LabOptions): Promise<void> {
    const root = await labScript('disk', this.id, String(i), binaryLayer(DIR, this.binary))
    const [others, expect] =
      options.apart === true ? [[], 1] : [this.addresses(i).retry_join, options.servers]
    const own = typeof options.config === 'function' ? options.config(i) : (options.config ?? {})
    const base = serverConfig(this.binary, this.name(i), this.address(i), others, expect)
    provision(root, {
      name: this.name(i),
      manager: this.manager,
      restart: options.restart ?? 'on-failure',
      keys: this.keyDir,
      hosts: this.numbers.map(j => ({name: this.name(j), address: this.address(j)})),
      config: {...base, ...own},
    })
  }

  /** Powers a host on and waits for its sshd. */
  async boot(i: number): Promise<void> {
    await labScript('disk', this.id, String(i), binaryLayer(DIR, this.binary))
    await labScript('boot', this.id, String(i), this.address(i), this.manager)
    const probe = `exec 3<>/dev/tcp/${this.address(i)}/22 && read -t 2 -u 3 banner && [[ $banner == SSH-* ]]`
    await eventually(`sshd of ${this.name(i)}`, async () =>
      (await this.operator(['bash', '-c', probe])).exitCode === 0 ? true : undefined,
    )
  }

  /** Powers hosts off at once, as a cable pulled does. Their disks keep what was on them. */
  async kill(...servers: readonly number[]): Promise<void> {
    await Promise.all(servers.map(async i => labScript('off', this.id, String(i))))
  }

  /** Keeps the disks of hosts that are off, to be put back by `restore` as often as wanted. */
  async save(...servers: readonly number[]): Promise<void> {
    for (const i of servers) await this.copyDisk(i, '', '.kept')
  }

  /** Powers hosts off and puts their disks back as they were saved. */
  async restore(...servers: readonly number[]): Promise<void> {
    await this.kill(...servers)
    for (const i of servers) await this.copyDisk(i, '.kept', '')
  }

  private async copyDisk(i: number, from: string, to: string): Promise<void> {
    const home = join(DIR, 'labs', this.id, String(i))
    for (const part of ['u', 'data']) {
      await execa('rm', ['-rf', '--one-file-system', join(home, `${part}${to}`)])
      await execa('cp', ['-a', join(home, `${part}${from}`), join(home, `${part}${to}`)])
    }
  }

  /** Everything away. */
  async down(): Promise<void> {
    await labScript('down', this.id)
  }

  /** Lets no packet pass between a server, or the operator ('ops'), and others, from one instant on. */
  async partition(a: number | 'ops', ...others: readonly number[]): Promise<void> {
    const from = a === 'ops' ? '192.168.1.1' : this.address(a)
    await labScript('partition', this.id, from, ...others.map(b => this.address(b)))
  }

  /** Takes every partition back. */
  async heal(): Promise<void> {
    await labScript('heal', this.id)
  }

  /** Runs a command where the servers' network is reachable. */
  async operator(
    command: readonly string[],
    options: {env?: Record<string, string>; input?: string; cwd?: string} = {},
  ): Promise<Ended> {
    const enter = [`--net=/run/netns/ql${this.id}-ops`, '--', ...command]
    const {exitCode, stdout, stderr} = await execa('nsenter', enter, {reject: false, ...options})
    return {exitCode, stdout, stderr}
  }

  /** Runs a shell script as root on a host that is on, without sshd; values travel as arguments. */
  async exec(i: number, text: string, ...args: readonly string[]): Promise<string> {
    const pid = readFileSync(join(DIR, 'labs', this.id, String(i), 'pid1'), 'utf8').trim()
    const enter = ['-t', pid, '-m', '-u', '-i', '-n', '-p', '-r', '-w', '--']
    const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
    const {stdout} = await execa('nsenter', [...enter, 'env', '-i', path, 'sh', '-c', text, 'sh', ...args])
    return stdout
  }

  /** Starts or stops the server by its service manager, behind quorate's back. */
  async service(i: number, act: 'start' | 'stop'): Promise<void> {
    const command = {
      systemd: `systemctl ${act} consul`,
      runit: `sv -w 30 ${act} consul`,
      supervisor: `supervisorctl ${act} consul`,
    }[this.manager]
    await this.exec(i, command)
  }

  /** Kills the server's process with SIGKILL while its manager is told to leave it down. */
  async halt(i: number): Promise<void> {
    const hold = {
      systemd: 'systemctl kill -s KILL consul; systemctl stop consul',
      runit: 'sv -w 5 kill consul; sv -w 5 force-stop consul',
      supervisor: 'supervisorctl signal KILL consul; supervisorctl stop consul',
    }[this.manager]
    await this.exec(i, `${hold}; ! pidof consul`)
  }

  /** Asks a server's own HTTP API from its own host. */
  async http(i: number, path: string, method = 'GET'): Promise<{status: number; body: string}> {
    const url = `http://127.0.0.1:8500${path}`
    const args = ['-s', '-m', '10', '-X', method, '-w', '\n%{http_code}', url]
    const {stdout} = await execa('nsenter', [
      `--net=/run/netns/ql${this.id}-${String(i)}`,
      '--',
      'curl',
      ...args,
    ])
    const end = stdout.lastIndexOf('\n')
    return {status: Number(stdout.slice(end + 1)), body: stdout.slice(0, end)}
  }

  private async json<T>(i: number, path: string): Promise<T> {
    const {status, body} = await this.http(i, path)
    if (status !== 200) throw new Error(`${this.name(i)} ${path}: ${String(status)} ${body}`)
    return JSON.parse(body) as T
  }

  /** The peer set as one server believes it, sorted addresses. */
  async peers(i: number): Promise<readonly string[]> {
    return ((await this.json<string[] | null>(i, '/v1/status/peers')) ?? []).sort()
  }

  /** The leader one server names; empty for none. */
  async leaderSeen(i: number): Promise<string> {
    return this.json<string>(i, '/v1/status/leader')
  }

  /** Waits until the servers (all by default) name one leader that is one of them; returns its number. */
  async leader(servers: readonly number[] = this.numbers, limitMs = 60_000): Promise<number> {
    return eventually(
      `one leader on servers ${servers.join(', ')}`,
      async () => {
        const seen = await Promise.all(servers.map(async i => this.leaderSeen(i)))
        const leader = servers.find(i => seen[0] === `${this.address(i)}:8300`)
        return seen.every(one => one === seen[0]) ? leader : undefined
      },
      limitMs,
    )
  }

  /** Waits until the servers agree that there is no leader. */
  async leaderless(servers: readonly number[]): Promise<void> {
    await eventually('no leader', async () => {
      const seen = await Promise.all(servers.map(async i => this.leaderSeen(i)))
      return seen.every(one => one === '') ? true : undefined
    })
  }

  /** Waits until servers have no leader and have given up in gossip those that are gone; until then silence may heal. */
  async bereaved(kept: readonly number[]): Promise<void> {
    await this.leaderless(kept)
    await this.mourned(kept)
  }

  /** Waits until gossip on the kept servers has every other one as failed or left. */
  async mourned(kept: readonly number[]): Promise<void> {
    await eventually(
      'the dead failed in gossip',
      async () => {
        const views = await Promise.all(
          kept.map(async i => this.json<{Name: string; Status: number}[]>(i, '/v1/agent/members')),
        )
        const alive = views.flat().filter(member => member.Status === 1)
        return alive.every(({Name}) => kept.some(i => this.name(i) === Name)) ? true : undefined
      },
      60_000,
    )
  }

  /** Writes keys through one server; returns those that were acknowledged. */
  async put(i: number, pairs: readonly KeyValue[]): Promise<readonly KeyValue[]> {
    const lines = pairs.map(({key, value}) =>
      [
        `url = "http://127.0.0.1:8500/v1/kv/${key}"`,
        'request = "PUT"',
        `data = "${value}"`,
        `write-out = "${key} %{http_code}\\n"`,
        'output = "/dev/null"',
        'max-time = 10',
      ].join('\n'),
    )
    const net = `--net=/run/netns/ql${this.id}-${String(i)}`
    const curl = ['curl', '-s', '-Z', '--parallel-immediate', '--parallel-max', '20', '-K', '-']
    const {stdout} = await execa('nsenter', [net, '--', ...curl], {
      input: lines.join('\nnext\n'),
      reject: false,
    })
    const done = new Set(
      stdout
        .split('\n')
        .filter(line => line.endsWith(' 200'))
        .map(line => line.slice(0, -4)),
    )
    return pairs.filter(pair => done.has(pair.key))
  }

  /** Everything below a prefix as one server holds it itself. */
  async contents(i: number, prefix: string): Promise<ReadonlyMap<string, string>> {
    const {status, body} = await this.http(i, `/v1/kv/${prefix}?recurse&stale`)
    if (status === 404) return new Map()
    if (status !== 200) throw new Error(`${this.name(i)}: ${String(status)} ${body}`)
    const list = JSON.parse(body) as {Key: string; Value: string | null}[]
    return new Map(list.map(one => [one.Key, Buffer.from(one.Value ?? '', 'base64').toString()]))
  }

  /** What the servers themselves say, for the message of a failed test. */
  async diagnosis(): Promise<string> {
    const lines = await Promise.all(
      this.numbers.map(async i => {
        const leader = await this.leaderSeen(i).catch(String)
        const peers = await this.peers(i).catch(String)
        return `${this.name(i)}: leader ${leader} peers ${String(peers)}\n${await this.log(i).catch(String)}`
      }),
    )
    return lines.join('\n')
  }

  /** The last lines of a server's log. */
  async log(i: number, lines = 15): Promise<string> {
    const command = {
      systemd: 'journalctl -u consul --no-pager -n "$1"',
      runit: 'tail -n "$1" /var/log/consul/current',
      supervisor: 'tail -n "$1" /var/log/consul/consul.log',
    }[this.manager]
    return this.exec(i, command, String(lines))
  }
}
