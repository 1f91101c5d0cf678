import {userInfo} from 'node:os'
import {printable} from '../../core/text.js'
import type {HostTarget} from '../../ports/transport.js'
import {TransportError} from '../../ports/transport.js'
import {ConnectProblem} from './connect-problem.js'
import type {AskedSecrets, ConnectorOptions} from './connector.js'
import {HostKeys, defaultKnownHostsFiles} from './host-keys.js'
import type {SshSettings} from './ssh-settings.js'
import {SshSettingsFiles} from './ssh-settings.js'
import type {SshLink} from './ssh.js'

/** One host of a chain, with everything that its login needs. */
interface Hop {
  readonly address: string
  readonly port: number
  readonly user: string
  readonly identityFiles: readonly string[]
  readonly knownHostsFiles: readonly string[]
  readonly keyName: string | undefined
  readonly agentSocket: string | undefined
  readonly ignored: readonly string[]
}

/** Opens ssh connections, through jump hosts where need be; one connection per jump host for a whole command. */
export class SshReach {
  readonly #settings: SshSettingsFiles
  readonly #keys = new HostKeys()
  readonly #jumps = new Map<string, Promise<SshLink>>()
  constructor(
    private readonly options: ConnectorOptions,
    private readonly secrets: AskedSecrets,
  ) {
    this.#settings = new SshSettingsFiles(options.sshConfigFiles)
  }

  /** Throws `ConnectProblem`; one about a jump host names it. */
  async open(target: HostTarget): Promise<SshLink> {
    const settings = await this.#settings.for(target.address, target.user)
    const chain = target.jump.length > 0 ? target.jump : settings.jump
    const hop = this.#hop(target.address, settings, {
      user: target.user,
      port: target.port,
      identityFiles: target.identityFiles,
      knownHostsFiles: target.knownHostsFiles,
    })
    const jump = await this.#jumpLink(chain, target)
    const link = await this.#login(hop, target.connectTimeoutMs, jump, target.acceptTimeoutMs)
    // Opened while we ask who we are: nobody waits for it before the first file
    void link.beginSftp(target.connectTimeoutMs)
    return link
  }

  async close(): Promise<void> {
    const links = [...this.#jumps.values()]
    this.#jumps.clear()
    await Promise.all(links.map(async link => (await link.catch(() => undefined))?.close()))
  }

  async #jumpLink(chain: readonly string[], target: HostTarget): Promise<SshLink | undefined> {
    let link: SshLink | undefined
    for (let length = 1; length <= chain.length; length++) {
      const key = chain.slice(0, length).join(',')
      const before = link
      let opening = this.#jumps.get(key)
      if (opening === undefined) {
        opening = this.#openJump(chain[length - 1] ?? '', target, before)
        this.#jumps.set(key, opening)
        // A jump host that failed once may be tried again by a later connect
        opening.catch(() => this.#jumps.delete(key))
      }
      link = await opening
    }
    return link
  }

  async #openJump(name: string, target: HostTarget, before: SshLink | undefined): Promise<SshLink> {
    const parsed = parseHop(name)
    const settings = await this.#settings.for(parsed.host, parsed.user)
    const hop = this.#hop(parsed.host, settings, {
      user: parsed.user,
      port: parsed.port,
      identityFiles: settings.identityFiles.length > 0 ? [] : target.identityFiles,
      knownHostsFiles: target.knownHostsFiles,
    })
    try {
      return await this.#login(hop, target.connectTimeoutMs, before)
    } catch (error) {
      if (!(error instanceof ConnectProblem)) throw error
      const message = `Jump host ${printable(name)}: ${error.message}`
      throw new ConnectProblem(error.code, error.why, message, error.hints, {cause: error})
    }
  }

  #hop(
    name: string,
    settings: SshSettings,
    named: {
      readonly user: string | undefined
      readonly port: number | undefined
      readonly identityFiles: readonly string[]
      readonly knownHostsFiles: readonly string[]
    },
  ): Hop {
    const first = (...lists: readonly (readonly string[])[]): readonly string[] =>
      lists.find(list => list.length > 0) ?? []
    return {
      address: settings.hostName ?? name,
      port: named.port ?? settings.port ?? 22,
      user: named.user ?? settings.user ?? userInfo().username,
      identityFiles: first(named.identityFiles, settings.identityFiles),
      knownHostsFiles: first(named.knownHostsFiles, settings.knownHostsFiles, defaultKnownHostsFiles()),
      keyName: settings.hostKeyAlias,
      agentSocket: settings.agentSocket ?? this.options.env['SSH_AUTH_SOCK'],
      ignored: settings.ignored,
    }
  }

  async #login(
    hop: Hop,
    timeoutMs: number,
    jump: SshLink | undefined,
    acceptMs = timeoutMs,
  ): Promise<SshLink> {
    const {openSshLink} = await import('./ssh.js')
    const knownHosts = await this.#keys.load(hop.knownHostsFiles)
    try {
      return await openSshLink({
        address: hop.address,
        port: hop.port,
        user: hop.user,
        keyName: hop.keyName,
        knownHosts,
        knownHostsFiles: hop.knownHostsFiles,
        connectTimeoutMs: timeoutMs,
        acceptTimeoutMs: Math.min(acceptMs, timeoutMs),
        through: await jump?.forward({kind: 'tcp', host: hop.address, port: hop.port}, acceptMs),
        means: {
          user: hop.user,
          address: hop.address,
          identityFiles: hop.identityFiles,
          agentSocket: hop.agentSocket,
          ask: this.secrets.asking,
          passphraseFor: async file => this.secrets.once(`key ${file}`, `Passphrase of ${printable(file)}`),
        },
      })
    } catch (error) {
      throw withIgnored(error, hop)
    }
  }
}

/** Adds to a refusal what of ssh_config was not followed, because that may be the reason. */
function withIgnored(error: unknown, hop: Hop): unknown {
  if (error instanceof TransportError) {
    const why = error.why === 'lost' ? 'failed' : error.why
    const message = `Through the jump host: ${error.message}`
    return new ConnectProblem('HOST_UNREACHABLE', why, message, [], {cause: error})
  }
  if (!(error instanceof ConnectProblem) || hop.ignored.length === 0) return error
  const hint = `ssh_config has ${hop.ignored.join(', ')}, which this transport does not follow: use the transport openssh.`
  return new ConnectProblem(error.code, error.why, error.message, [...error.hints, hint], {cause: error})
}

/** One hop as `ssh -J` writes it: `[user@]host[:port]` or `ssh://…`; IPv6 addresses in brackets. */
export function parseHop(text: string): {
  readonly host: string
  readonly user: string | undefined
  readonly port: number | undefined
} {
  const bare = text.replace(/^ssh:\/\//, '')
  const at = bare.lastIndexOf('@')
  const user = at > 0 ? bare.slice(0, at) : undefined
  const place = bare.slice(at + 1)
  const parts = /^\[([^\]]+)\](?::(\d+))?$/.exec(place) ?? /^([^:]+):(\d+)$/.exec(place)
  const port = parts?.[2] === undefined ? undefined : Number(parts[2])
  return {host: parts?.[1] ?? place, user, port}
}
