import type {Duplex} from 'node:stream'
import {NodeSSH} from 'node-ssh'
import type {Client, ClientChannel, SFTPWrapper} from 'ssh2'
import {printable} from '../../core/text.js'
import type {KnownHost} from '../../core/codec/known-hosts.js'
import type {ForwardTarget, RandomFile} from '../../ports/transport.js'
import {TransportError} from '../../ports/transport.js'
import {ConnectProblem, whyOfSocketError} from './connect-problem.js'
import {withinMs} from './host-connection.js'
import {hostKeyAlgorithms, requireKnownKey} from './host-keys.js'
import type {Channel, Ending, Link} from './link.js'
import {quoteArgv} from './quote.js'
import {openSftpFile} from './sftp-file.js'
import type {LoginMeans, LoginTrail} from './ssh-login.js'
import {makeLogin} from './ssh-login.js'

/** Sessions at a time; OpenSSH allows ten per connection (MaxSessions) and two are kept for SFTP and the reader. */
const SESSIONS_MAX = 8
const KEEPALIVE_MS = 10_000
const KEEPALIVES_MISSED_MAX = 3

/** Everything needed to log in to one host. */
export interface SshLogin {
  readonly address: string
  readonly port: number
  readonly user: string
  /** The name under which known_hosts keeps the host (HostKeyAlias); undefined for its address and port. */
  readonly keyName: string | undefined
  readonly knownHosts: readonly KnownHost[]
  readonly knownHostsFiles: readonly string[]
  readonly means: LoginMeans
  readonly connectTimeoutMs: number
  /** The part of it within which the host must have accepted the connection. */
  readonly acceptTimeoutMs: number
  /** The stream through a jump host; undefined to connect straight. */
  readonly through: Duplex | undefined
}

/** Logs in. Throws `ConnectProblem`. The host key is judged before any secret is sent. */
export async function openSshLink(login: SshLogin): Promise<SshLink> {
  const ssh = new NodeSSH()
  const trail: LoginTrail = {tried: []}
  // The stream through a jump host is there because the host has accepted it
  const clock = new PausableLimit(
    login.through === undefined ? login.acceptTimeoutMs : login.connectTimeoutMs,
  )
  const ask = login.means.ask
  const means: LoginMeans = {
    ...login.means,
    ask: ask && (async question => clock.paused(ask(question))),
    passphraseFor: async file => clock.paused(login.means.passphraseFor(file)),
  }
  let keyProblem: unknown
  const named =
    login.keyName === undefined ? {host: login.address, port: login.port} : {host: login.keyName, port: 22}
  const connecting = ssh.connect({
    ...(login.through === undefined ? {host: login.address, port: login.port} : {sock: login.through}),
    username: login.user,
    readyTimeout: 0,
    keepaliveInterval: KEEPALIVE_MS,
    keepaliveCountMax: KEEPALIVES_MISSED_MAX,
    authHandler: makeLogin(means, trail),
    algorithms: {serverHostKey: [...hostKeyAlgorithms(login.knownHosts, named.host, named.port)] as never},
    hostVerifier: (key: Buffer) => {
      try {
        requireKnownKey(login.knownHosts, login.knownHostsFiles, {...named, key})
        return true
      } catch (error) {
        keyProblem = error
        return false
      }
    },
  })
  // Who has accepted is there, and may take its time for the rest
  ssh.connection?.once('connect', () => clock.extend(login.connectTimeoutMs - clock.wholeMs))
  try {
    const over = await Promise.race([connecting, clock.over])
    const client = ssh.connection
    if (over === 'timed-out' || client === null) {
      connecting.catch(() => undefined)
      abandon(ssh)
      throw new ConnectProblem(
        'HOST_UNREACHABLE',
        'timed-out',
        `${where(login)} did not answer within ${clock.wholeMs / 1000} s.`,
      )
    }
    return new SshLink(client)
  } catch (error) {
    if (error instanceof ConnectProblem) throw error
    throw keyProblem instanceof ConnectProblem ? keyProblem : connectProblem(error, login, trail)
  } finally {
    clock.cancel()
  }
}

function abandon(ssh: NodeSSH): void {
  const client = ssh.connection
  client?.on('error', () => undefined)
  client?.destroy()
}

function where(login: SshLogin): string {
  return `${printable(login.address)} port ${login.port}`
}

function connectProblem(error: unknown, login: SshLogin, trail: LoginTrail): ConnectProblem {
  const problem = error as Error & {level?: string; code?: string}
  const words = printable(problem.message, 200)
  const options = {cause: error}
  if (problem.level === 'client-authentication' || /authentication/i.test(problem.message)) {
    const tried = trail.tried.length > 0 ? ` Tried: ${trail.tried.join(', ')}.` : ' There was nothing to try.'
    return new ConnectProblem(
      'LOGIN_REFUSED',
      'denied',
      `${where(login)} refused the login of ${printable(login.user)}.${tried}`,
      [`ssh -v -p ${login.port} ${printable(login.user)}@${printable(login.address)}`],
      options,
    )
  }
  const why = whyOfSocketError(typeof problem.code === 'string' ? problem.code : undefined)
  return new ConnectProblem('HOST_UNREACHABLE', why, `${where(login)}: ${words}`, [], options)
}

/** A logged-in connection. */
export class SshLink implements Link {
  readonly kind = 'ssh'
  forwarding = true
  #sftp: SFTPWrapper | undefined
  #sftpOpening: Promise<void> | undefined
  #gone = false
  #sessions = 0
  #queue: (() => void)[] = []
  constructor(private readonly client: Client) {
    // Every session and every read in flight listens for the end of the connection: many at once are no leak
    client.setMaxListeners(0)
    // Without a listener an error on an idle connection would end the whole process
    client.on('error', () => undefined)
    client.on('close', () => {
      this.#gone = true
      for (const next of this.#queue.splice(0)) next()
    })
  }

  get sftp(): boolean {
    return this.#sftp !== undefined
  }

  /** Finds out whether the host has SFTP, beside whatever else goes on; a host without is no problem. */
  async beginSftp(timeoutMs: number): Promise<void> {
    this.#sftpOpening ??= this.#openSftp(timeoutMs)
    return this.#sftpOpening
  }

  async #openSftp(timeoutMs: number): Promise<void> {
    const opening = new Promise<SFTPWrapper>((resolve, reject) => {
      this.client.once('close', () => reject(new TransportError('lost', 'The connection is gone.')))
      this.client.sftp((error, sftp) => (error ? reject(error) : resolve(sftp)))
    })
    try {
      this.#sftp = await withinMs(opening, timeoutMs, 'SFTP', late => late.end())
      this.#sftp.setMaxListeners(0)
      this.#sftp.on('error', () => undefined)
      this.#sftp.on('close', () => (this.#sftp = undefined))
    } catch {
      this.#sftp = undefined
    }
  }

  async spawn(argv: readonly string[]): Promise<Channel> {
    const line = quoteArgv(argv)
    await this.#takeSession()
    try {
      return await this.#exec(line)
    } catch (error) {
      this.#leaveSession()
      throw this.#failure(error, 'A session was not opened')
    }
  }

  async #exec(line: string): Promise<Channel> {
    return new Promise((resolve, reject) => {
      const lost = (): void => reject(new TransportError('lost', 'The connection is gone.'))
      this.client.once('close', lost)
      this.client.exec(line, (error, channel) => {
        this.client.off('close', lost)
        // At once: success, exit status and close may be one packet, and a listener a tick later would miss them.
        if (error === undefined) resolve(this.#channel(channel))
        else reject(error)
      })
    })
  }

  #channel(channel: ClientChannel): Channel {
    const ended = new Promise<Ending>(resolve => {
      let ending: Ending = 'lost'
      channel.on('exit', (code: number | null, signal?: string) => {
        ending = {code: code ?? undefined, signal: signal ?? undefined}
      })
      channel.on('error', () => undefined)
      channel.on('close', () => {
        this.#leaveSession()
        resolve(ending)
      })
    })
    return {
      stdin: channel,
      stdout: channel,
      stderr: channel.stderr,
      ended,
      kill: () => {
        if (this.#gone) return
        // sshd passes signals on only since OpenSSH 7.9 and not to root's own sessions; a program there ends when it
        // next uses its closed streams
        channel.signal('KILL')
        channel.close()
      },
    }
  }

  async #takeSession(): Promise<void> {
    while (this.#sessions >= SESSIONS_MAX && !this.#gone) {
      await new Promise<void>(resolve => this.#queue.push(resolve))
    }
    if (this.#gone) throw new TransportError('lost', 'The connection is gone.')
    this.#sessions++
  }

  #leaveSession(): void {
    this.#sessions--
    this.#queue.shift()?.()
  }

  #failure(error: unknown, what: string): TransportError {
    if (error instanceof TransportError) return error
    const problem = error as Error & {reason?: number | string; code?: string}
    const words = printable(`${what}: ${problem.message}`, 240)
    if (this.#gone || /not connected/i.test(problem.message)) {
      return new TransportError('lost', words, {cause: error})
    }
    return new TransportError('failed', words, {cause: error})
  }

  async forward(target: ForwardTarget, timeoutMs: number): Promise<Duplex> {
    if (this.#gone) throw new TransportError('lost', 'The connection is gone.')
    const opening = new Promise<ClientChannel>((resolve, reject) => {
      const done = (error: Error | undefined, channel: ClientChannel): void =>
        error === undefined ? resolve(channel) : reject(error)
      this.client.once('close', () => reject(new TransportError('lost', 'The connection is gone.')))
      if (target.kind === 'tcp') this.client.forwardOut('127.0.0.1', 0, target.host, target.port, done)
      else this.client.openssh_forwardOutStreamLocal(target.path, done)
    })
    const name = target.kind === 'tcp' ? `${target.host}:${target.port}` : target.path
    try {
      return await withinMs(opening, timeoutMs, printable(name), late => late.destroy())
    } catch (error) {
      throw this.#forwardFailure(error, name)
    }
  }

  #forwardFailure(error: unknown, name: string): TransportError {
    const problem = error as Error & {reason?: number | string}
    const words = `${printable(name)}: ${printable(problem.message, 160)}`
    // Reasons of SSH_MSG_CHANNEL_OPEN_FAILURE (RFC 4254, 5.1): 1 prohibited, 2 connect failed, 3 unknown channel type
    if (problem.reason === 1 || problem.reason === 3) {
      this.forwarding = false
      return new TransportError('denied', words, {cause: error})
    }
    // For unix sockets sshd answers 2 whether it forbids them, may not open them or nobody listens
    if (problem.reason === 2) {
      const why = /timed out/i.test(words)
        ? 'timed-out'
        : /route|unreach/i.test(words)
          ? 'no-route'
          : 'refused'
      return new TransportError(why, words, {cause: error})
    }
    return this.#failure(error, name)
  }

  async openOwn(path: string, timeoutMs: number, regular: boolean): Promise<RandomFile | undefined> {
    await this.beginSftp(timeoutMs)
    const sftp = this.#sftp
    if (sftp === undefined) {
      if (this.#gone) throw new TransportError('lost', 'The connection is gone.')
      return undefined
    }
    return openSftpFile(sftp, path, {timeoutMs, regular, gone: () => this.#gone})
  }

  async close(): Promise<void> {
    if (this.#gone) return
    await new Promise<void>(resolve => {
      this.client.once('close', () => resolve())
      this.client.end()
      // The farewell is on its way; waiting for the host to hang up too would cost a round trip for nothing
      setImmediate(() => this.client.destroy())
    })
  }
}

/** A time limit that stands still while the operator is asked something. */
class PausableLimit {
  readonly over: Promise<'timed-out'>
  #leftMs: number
  #startedAtMs = 0
  #timer: NodeJS.Timeout | undefined
  #fire: () => void = () => undefined
  constructor(public wholeMs: number) {
    this.#leftMs = wholeMs
    this.over = new Promise(resolve => (this.#fire = () => resolve('timed-out')))
    this.#run()
  }

  #run(): void {
    this.#startedAtMs = performance.now()
    this.#timer = setTimeout(this.#fire, this.#leftMs)
  }

  /** Gives more time; while it is paused, for afterwards. */
  extend(ms: number): void {
    this.wholeMs += ms
    this.#leftMs += ms
    if (this.#timer === undefined) return
    clearTimeout(this.#timer)
    this.#leftMs -= performance.now() - this.#startedAtMs
    this.#run()
  }

  async paused<T>(question: Promise<T>): Promise<T> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#leftMs -= performance.now() - this.#startedAtMs
    try {
      return await question
    } finally {
      this.#run()
    }
  }

  cancel(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
