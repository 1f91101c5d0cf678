import {existsSync} from 'node:fs'
import {mkdtemp, rm} from 'node:fs/promises'
import net from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {Duplex, PassThrough} from 'node:stream'
import {execa} from 'execa'
import {printable} from '../../core/text.js'
import type {ForwardTarget, HostTarget} from '../../ports/transport.js'
import {TransportError} from '../../ports/transport.js'
import {ConnectProblem} from './connect-problem.js'
import type {Channel, Ending, Link} from './link.js'
import {spawnLocally} from './local.js'
import {quoteArgv} from './quote.js'

/** What the operator's ssh is started with besides the target. */
export interface OpenSshOptions {
  /** An ssh_config to use instead of the operator's; undefined for ssh's own rules. */
  readonly configFile: string | undefined
  /** Runs an attempt in which ssh itself may ask on the terminal; undefined when nobody can be asked. */
  readonly inTurn: (<T>(attempt: () => Promise<T>) => Promise<T>) | undefined
}

/** The master leaves by itself this long after its last use, should we be killed before we can end it. */
const PERSIST_S = 600

/**
 * Logs in with the operator's own ssh and keeps the connection in a control socket in a private directory. The first
 * attempt asks nothing; only when the login is refused and somebody can be asked, ssh may ask on the terminal, one
 * host at a time. Host keys are always checked strictly. Throws `ConnectProblem`.
 */
export async function openOpenSshLink(target: HostTarget, options: OpenSshOptions): Promise<OpenSshLink> {
  // Short, because a socket's path has 108 bytes at most
  const dir = await mkdtemp(join(tmpdir(), 'qs-'))
  const socket = join(dir, 's')
  try {
    try {
      await startMaster(target, options, socket, true)
    } catch (error) {
      const mayAsk = error instanceof ConnectProblem && error.code === 'LOGIN_REFUSED'
      if (!mayAsk || options.inTurn === undefined) throw error
      await options.inTurn(async () => startMaster(target, options, socket, false))
    }
    return new OpenSshLink(target, dir, socket)
  } catch (error) {
    await rm(dir, {recursive: true, force: true})
    throw error
  }
}

async function startMaster(
  target: HostTarget,
  options: OpenSshOptions,
  socket: string,
  batch: boolean,
): Promise<void> {
  const seconds = Math.max(1, Math.ceil((target.acceptTimeoutMs ?? target.connectTimeoutMs) / 1000))
  const settings = [
    'ControlMaster=yes',
    `ControlPersist=${PERSIST_S}`,
    `BatchMode=${batch ? 'yes' : 'no'}`,
    'StrictHostKeyChecking=yes',
    `ConnectTimeout=${seconds}`,
    'ServerAliveInterval=10',
    'ServerAliveCountMax=3',
    'ClearAllForwardings=yes',
    'RemoteCommand=none',
    'LogLevel=INFO',
    ...(target.knownHostsFiles.length > 0 ? [`UserKnownHostsFile=${target.knownHostsFiles.join(' ')}`] : []),
  ]
  const args = [
    ...(options.configFile === undefined ? [] : ['-F', options.configFile]),
    '-S',
    socket,
    '-T',
    ...settings.flatMap(setting => ['-o', setting]),
    ...(target.port === undefined ? [] : ['-p', String(target.port)]),
    ...(target.user === undefined ? [] : ['-l', target.user]),
    ...target.identityFiles.flatMap(file => ['-i', file]),
    ...(target.jump.length > 0 ? ['-J', target.jump.join(',')] : []),
    '--',
    target.address,
    'true',
  ]
  const result = await execa('ssh', args, {
    stdin: batch ? 'ignore' : 'inherit',
    stdout: 'ignore',
    stderr: 'pipe',
    reject: false,
    env: {LC_ALL: 'C'},
    maxBuffer: 65_536,
    ...(batch ? {timeout: target.connectTimeoutMs + 2000, forceKillAfterDelay: 500} : {}),
  })
  if (result.exitCode === 0 && existsSync(socket)) return
  throw masterProblem(target, String(result.stderr), result.timedOut)
}

function masterProblem(target: HostTarget, said: string, timedOut: boolean): ConnectProblem {
  const words = printable(
    said
      .trim()
      .split(/\s*\r?\n\s*/)
      .slice(-3)
      .join(' '),
    300,
  )
  const problem = (code: ConnectProblem['code'], why: ConnectProblem['why']): ConnectProblem =>
    new ConnectProblem(
      code,
      why,
      `${printable(target.host)}: ${words === '' ? 'ssh said nothing.' : words}`,
      [`ssh -v ${printable(target.address)}`],
    )
  if (/IDENTIFICATION HAS CHANGED|REVOKED HOST KEY|is marked as revoked/i.test(said)) {
    return problem('HOST_KEY_CHANGED', 'denied')
  }
  if (/host key is known for|Host key verification failed/i.test(said)) {
    return problem('HOST_KEY_UNKNOWN', 'denied')
  }
  if (/Permission denied \(|Too many authentication failures/i.test(said)) {
    return problem('LOGIN_REFUSED', 'denied')
  }
  if (timedOut || /timed out/i.test(said)) return problem('HOST_UNREACHABLE', 'timed-out')
  if (/Connection refused/i.test(said)) return problem('HOST_UNREACHABLE', 'refused')
  if (/No route to host|Could not resolve|unreachable/i.test(said)) {
    return problem('HOST_UNREACHABLE', 'no-route')
  }
  return problem('HOST_UNREACHABLE', 'failed')
}

/** A connection kept by a control socket; each program is a session of it. */
export class OpenSshLink implements Link {
  readonly kind = 'openssh'
  readonly sftp = false
  readonly forwarding = true
  #forwards = 0
  constructor(
    private readonly target: HostTarget,
    private readonly dir: string,
    private readonly socket: string,
  ) {}

  /** Arguments for a session. Without its master ssh must not dial by itself, so that a loss is seen as one. */
  #session(...more: readonly string[]): readonly string[] {
    const off = [
      '-o',
      'ControlMaster=no',
      '-o',
      'ProxyCommand=false',
      '-o',
      'BatchMode=yes',
      '-o',
      'LogLevel=ERROR',
    ]
    return ['ssh', '-F', 'none', '-S', this.socket, '-T', ...off, ...more, '--', this.target.address]
  }

  async spawn(argv: readonly string[]): Promise<Channel> {
    await this.#requireMaster()
    const channel = spawnLocally([...this.#session(), quoteArgv(argv)], {LC_ALL: 'C'})
    return {...channel, ended: channel.ended.then(async ending => this.#ending(ending))}
  }

  /** ssh ends with 255 both when the program did and when the connection broke; the master knows which. */
  async #ending(ending: Ending): Promise<Ending> {
    if (ending === 'lost' || ending.code !== 255) return ending
    return (await this.#masterLives()) ? ending : 'lost'
  }

  async #masterLives(): Promise<boolean> {
    if (!existsSync(this.socket)) return false
    const [ssh, ...args] = this.#session('-O', 'check')
    const result = await execa(ssh ?? 'ssh', args, {reject: false, timeout: 5000, stdin: 'ignore'})
    return result.exitCode === 0
  }

  async #requireMaster(): Promise<void> {
    if (!existsSync(this.socket)) throw new TransportError('lost', 'The connection is gone.')
    return Promise.resolve()
  }

  async forward(target: ForwardTarget, timeoutMs: number): Promise<Duplex> {
    await this.#requireMaster()
    if (target.kind === 'unix') return this.#forwardUnix(target.path, timeoutMs)
    const host = target.host.includes(':') ? `[${target.host}]` : target.host
    const channel = spawnLocally(this.#session('-W', `${host}:${target.port}`), {LC_ALL: 'C'})
    channel.stdin.on('error', () => undefined)
    const incoming = new PassThrough()
    channel.stdout.pipe(incoming, {end: false})
    const stream = Duplex.from({writable: channel.stdin, readable: incoming})
    // ssh does not say when the stream is open, and a refusal only ends it: its exit code tells the two apart
    void channel.ended.then(ending => {
      if (ending !== 'lost' && ending.code === 0) incoming.end()
      else stream.destroy(new Error('ssh could not forward the stream'))
    })
    stream.once('close', () => channel.kill())
    return stream
  }

  async #forwardUnix(path: string, timeoutMs: number): Promise<Duplex> {
    const local = join(this.dir, `f${++this.#forwards}`)
    if (/[:\s]/.test(path)) {
      throw new TransportError('unsupported', `${printable(path)} cannot be forwarded by the operator's ssh.`)
    }
    const [ssh, ...args] = this.#session('-O', 'forward', '-L', `${local}:${path}`)
    const result = await execa(ssh ?? 'ssh', args, {reject: false, timeout: timeoutMs, stdin: 'ignore'})
    if (result.exitCode !== 0) {
      const words = printable(String(result.stderr).trim(), 160)
      throw new TransportError(result.timedOut ? 'timed-out' : 'denied', `${printable(path)}: ${words}`)
    }
    return new Promise((resolve, reject) => {
      const socket = net.connect({path: local})
      socket.once('connect', () => resolve(socket))
      socket.once('error', error => {
        reject(
          new TransportError('failed', `${printable(path)}: ${printable(error.message)}`, {cause: error}),
        )
      })
    })
  }

  async openOwn(): Promise<undefined> {
    return Promise.resolve(undefined)
  }

  async close(): Promise<void> {
    const [ssh, ...args] = this.#session('-O', 'exit')
    await execa(ssh ?? 'ssh', args, {reject: false, timeout: 5000, stdin: 'ignore'})
    await rm(this.dir, {recursive: true, force: true})
  }
}
