import {execFileSync, spawn} from 'node:child_process'
import type {ChildProcess} from 'node:child_process'
import {randomBytes} from 'node:crypto'
import {chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import net from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import type {HostTarget} from '../../src/ports/transport.js'
import {TransportError} from '../../src/ports/transport.js'

/** Fails with the name of the Debian package when a program that tests need is not there. Nothing is skipped. */
export function requireProgram(path: string, debianPackage: string): string {
  if (existsSync(path)) return path
  throw new Error(`${path} is missing: install the Debian package ${debianPackage}`)
}

/** A port on loopback that nobody listens on now. */
export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const {port} = server.address() as net.AddressInfo
      server.close(() => resolve(port))
    })
  })
}

/** A directory for keys and sockets that other users can pass through, removed by the caller. */
export function makeKeyDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'quorate-sshd-'))
  chmodSync(dir, 0o755)
  return dir
}

/** Makes a key pair; returns the private key's path. */
export function makeKey(
  dir: string,
  name: string,
  options: {type?: string; passphrase?: string} = {},
): string {
  const file = join(dir, name)
  const bits = options.type === 'rsa' ? ['-b', '2048'] : []
  const args = [
    '-q',
    '-t',
    options.type ?? 'ed25519',
    ...bits,
    '-N',
    options.passphrase ?? '',
    '-C',
    name,
    '-f',
    file,
  ]
  execFileSync(requireProgram('/usr/bin/ssh-keygen', 'openssh-client'), args)
  return file
}

export interface SshdOptions {
  /** Lines for sshd_config, before the defaults, so that they win. */
  readonly config?: readonly string[]
  readonly hostKeyTypes?: readonly string[]
  /** Public key files that may log in as anybody. */
  readonly authorized: readonly string[]
}

/** A real sshd on loopback with keys of its own. */
export interface TestSshd {
  readonly dir: string
  readonly port: number
  readonly hostKeys: readonly string[]
  /** A known_hosts that holds all of its host keys. */
  readonly knownHosts: string
  readonly log: () => string
  /** Process ids of the connections' processes. */
  readonly sessionPids: () => readonly number[]
  readonly stop: () => Promise<void>
}

/** Starts a real sshd and waits until it listens. */
export async function startSshd(options: SshdOptions): Promise<TestSshd> {
  const sshd = requireProgram('/usr/sbin/sshd', 'openssh-server')
  mkdirSync('/run/sshd', {recursive: true, mode: 0o755})
  const dir = makeKeyDir()
  const port = await freePort()
  const types = options.hostKeyTypes ?? ['ed25519']
  const hostKeys = types.map(type => makeKey(dir, `host_${type}`, {type}))
  const authorized = join(dir, 'authorized_keys')
  writeFileSync(authorized, options.authorized.map(file => readFileSync(file, 'utf8')).join(''), {
    mode: 0o644,
  })
  const lines = [
    ...(options.config ?? []),
    'ListenAddress 127.0.0.1',
    `Port ${port}`,
    ...hostKeys.map(key => `HostKey ${key}`),
    `AuthorizedKeysFile ${authorized}`,
    'StrictModes no',
    'UsePAM no',
    'PidFile none',
    'PermitRootLogin yes',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    ...((options.config ?? []).some(line => line.startsWith('Subsystem'))
      ? []
      : ['Subsystem sftp internal-sftp']),
    'LogLevel VERBOSE',
  ]
  const config = join(dir, 'sshd_config')
  writeFileSync(config, `${lines.join('\n')}\n`)
  const child = spawn(sshd, ['-D', '-e', '-f', config], {stdio: ['ignore', 'ignore', 'pipe']})
  const said: string[] = []
  child.stderr?.on('data', (chunk: Buffer) => said.push(chunk.toString()))
  await listening(child, port, () => said.join(''))
  const knownHosts = join(dir, 'known_hosts')
  writeFileSync(knownHosts, hostKeys.map(key => `[127.0.0.1]:${port} ${publicKey(key)}\n`).join(''))
  return {
    dir,
    port,
    hostKeys,
    knownHosts,
    log: () => said.join(''),
    sessionPids: () => childrenOf(child.pid ?? -1),
    stop: async () => {
      for (const pid of childrenOf(child.pid ?? -1)) kill(pid)
      await new Promise<void>(resolve => {
        child.once('exit', () => resolve())
        child.kill('SIGKILL')
      })
      rmSync(dir, {recursive: true, force: true})
    },
  }
}

/** Type and key of a private key's public half, as known_hosts writes them. */
export function publicKey(privateKey: string): string {
  return readFileSync(`${privateKey}.pub`, 'utf8').split(' ').slice(0, 2).join(' ').trim()
}

/**
 * Ends one process; one that is gone is no problem. Zero and negative numbers name groups, or every process of the
 * machine, and are refused.
 */
export function kill(pid: number): void {
  if (!Number.isInteger(pid) || pid <= 1) throw new Error(`${pid} is not the id of a process to end`)
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Process ids of the direct children of a process, from /proc. */
export function childrenOf(pid: number): readonly number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    return text
      .split(' ')
      .filter(word => word !== '')
      .map(Number)
  } catch {
    return []
  }
}

async function listening(child: ChildProcess, port: number, said: () => string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (child.exitCode !== null) throw new Error(`sshd ended: ${said()}`)
    const open = await new Promise<boolean>(resolve => {
      const socket = net.connect(port, '127.0.0.1')
      socket.once('connect', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => resolve(false))
    })
    if (open) return
    await new Promise(resolve => setTimeout(resolve, 25))
  }
  throw new Error(`sshd does not listen: ${said()}`)
}

/** A plain user made for one test, with a password and the sudo rule that the test asks for. */
export interface TestUser {
  readonly name: string
  readonly password: string
  readonly remove: () => void
}

/** Makes a user by useradd. Needs root, as the containers of CI have it. */
export function makeUser(sudo: 'none' | 'password' | 'free', sudoersLines: readonly string[] = []): TestUser {
  if (process.getuid?.() !== 0) throw new Error('Users for tests are made by useradd: run the tests as root.')
  requireProgram('/usr/bin/sudo', 'sudo')
  requireProgram('/usr/sbin/useradd', 'passwd')
  const name = `qt${randomBytes(4).toString('hex')}`
  const password = randomBytes(9).toString('base64url')
  execFileSync('/usr/sbin/useradd', ['-m', '-s', '/bin/sh', name])
  execFileSync('/usr/sbin/chpasswd', [], {input: `${name}:${password}\n`})
  const rule = join('/etc/sudoers.d', name)
  const lines = [...sudoersLines]
  if (sudo !== 'none') lines.push(`${name} ALL=(ALL) ${sudo === 'free' ? 'NOPASSWD: ' : ''}ALL`)
  if (lines.length > 0) writeFileSync(rule, `${lines.join('\n').replaceAll('USER', name)}\n`, {mode: 0o440})
  return {
    name,
    password,
    remove: () => {
      rmSync(rule, {force: true})
      execFileSync('/usr/sbin/userdel', ['-r', '-f', name], {stdio: 'ignore'})
    },
  }
}

/** A target on loopback with defaults that suit most tests. */
export function sshTarget(
  sshd: TestSshd,
  key: string | undefined,
  overrides: Partial<HostTarget> = {},
): HostTarget {
  return {
    host: 'server1',
    address: '127.0.0.1',
    port: sshd.port,
    transport: 'ssh',
    user: 'root',
    identityFiles: key === undefined ? [] : [key],
    jump: [],
    knownHostsFiles: [sshd.knownHosts],
    sudo: undefined,
    sudoPassword: undefined,
    connectTimeoutMs: 10_000,
    ...overrides,
  }
}

/** The reason with which a step of I/O was refused, and its words; `done` when it was not. */
export async function whyOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'done'
  } catch (error) {
    return error instanceof TransportError ? `${error.why}: ${error.message}` : String(error)
  }
}
