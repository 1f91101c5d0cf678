import {existsSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {userInfo} from 'node:os'
import {unread} from '../../core/model/reading.js'
import {printable} from '../../core/text.js'
import type {Connector, HostConnection, HostTarget} from '../../ports/transport.js'
import {ConnectProblem} from './connect-problem.js'
import {HostLinkConnection} from './host-connection.js'
import type {Link} from './link.js'
import {findRoot} from './root.js'
import type {AskSecret} from './ssh-login.js'
import {SshReach} from './ssh-reach.js'

/** What the connector takes from its surroundings. */
export interface ConnectorOptions {
  /** Asks for passphrases and passwords; undefined when nobody can be asked. */
  readonly ask: AskSecret | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  /** ssh_config files; those of ssh when undefined. */
  readonly sshConfigFiles?: readonly string[]
}

/** Opens connections by whichever transport a target names. Jump hosts and answers to questions are shared between hosts. */
export function makeConnector(options: ConnectorOptions): Connector & {close(): Promise<void>} {
  const secrets = new AskedSecrets(options.ask)
  const reach = new SshReach(options, secrets)
  return {
    connect: async target => {
      try {
        return {kind: 'connected', connection: await connect(target, options, reach, secrets)}
      } catch (error) {
        if (!(error instanceof ConnectProblem)) throw error
        const source = {host: target.host, via: 'transport', what: target.transport} as const
        const detail = error.message
        return {
          kind: 'unread',
          reason: unread(error.why, source, detail),
          code: error.code,
          hints: error.hints,
        }
      }
    },
    close: async () => reach.close(),
  }
}

async function connect(
  target: HostTarget,
  options: ConnectorOptions,
  reach: SshReach,
  secrets: AskedSecrets,
): Promise<HostConnection> {
  const link = await openLink(target, options, reach, secrets)
  if (target.ownDirectory !== undefined) {
    if (!existsSync(target.ownDirectory))
      throw new ConnectProblem('HOST_UNREACHABLE', 'no-route', `${printable(target.host)} is gone for good.`)
    if (existsSync(`${target.ownDirectory}/unreachable`))
      throw new ConnectProblem('HOST_UNREACHABLE', 'timed-out', `${printable(target.host)} does not answer.`)
    const {LocalServerConnection} = await import('./local-server.js')
    const {username} = userInfo()
    const machine = new HostLinkConnection(target.host, link, username, {kind: 'direct'}, undefined)
    return new LocalServerConnection(machine, target.ownDirectory)
  }
  try {
    const password = async (): Promise<string | undefined> => sudoPassword(target, options, secrets)
    const {user, root, shell} = await findRoot(link, target, password)
    return new HostLinkConnection(target.host, link, user, root, shell)
  } catch (error) {
    await link.close()
    throw error
  }
}

async function openLink(
  target: HostTarget,
  options: ConnectorOptions,
  reach: SshReach,
  secrets: AskedSecrets,
): Promise<Link> {
  if (target.transport === 'ssh') return reach.open(target)
  if (target.transport === 'openssh') {
    const {openOpenSshLink} = await import('./openssh.js')
    return openOpenSshLink(target, {
      configFile: options.sshConfigFiles === undefined ? undefined : (options.sshConfigFiles[0] ?? 'none'),
      inTurn: options.ask === undefined ? undefined : async attempt => secrets.inTurn(attempt),
    })
  }
  const {LocalLink} = await import('./local.js')
  return new LocalLink()
}

async function sudoPassword(
  target: HostTarget,
  options: ConnectorOptions,
  secrets: AskedSecrets,
): Promise<string | undefined> {
  const source = target.sudoPassword
  if (source === undefined) return undefined
  if (source === 'ask') {
    const user = target.user ?? userInfo().username
    return secrets.once('sudo', `sudo password of ${user}`)
  }
  if ('env' in source) {
    const value = options.env[source.env]
    if (value !== undefined) return firstLine(value)
    throw new ConnectProblem('SUDO_REFUSED', 'denied', `The variable ${printable(source.env)} is not set.`)
  }
  try {
    return firstLine(await readFile(source.file, 'utf8'))
  } catch (error) {
    const words = printable((error as Error).message, 160)
    throw new ConnectProblem('SUDO_REFUSED', 'denied', `The sudo password cannot be read: ${words}`, [], {
      cause: error,
    })
  }
}

/** sudo reads one line; more would reach what comes after it. */
function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0] ?? ''
}

/** Questions to the operator: one at a time, and each thing asked once for all hosts. */
export class AskedSecrets {
  #answers = new Map<string, Promise<string | undefined>>()
  #last: Promise<unknown> = Promise.resolve()
  constructor(private readonly ask: AskSecret | undefined) {}

  /** The question as an `AskSecret` that waits for its turn; undefined when nobody can be asked. */
  get asking(): AskSecret | undefined {
    const ask = this.ask
    if (ask === undefined) return undefined
    return async question => this.inTurn(async () => ask(question))
  }

  /** Does something that needs the operator's terminal when those before have finished. */
  async inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(act)
    this.#last = turn.catch(() => undefined)
    return turn
  }

  async once(key: string, question: string): Promise<string | undefined> {
    let answer = this.#answers.get(key)
    if (answer === undefined) {
      answer = this.asking?.(question) ?? Promise.resolve(undefined)
      this.#answers.set(key, answer)
    }
    return answer
  }
}
