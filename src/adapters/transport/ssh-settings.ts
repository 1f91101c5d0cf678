import {readFile, readdir} from 'node:fs/promises'
import {homedir} from 'node:os'
import {basename, dirname, isAbsolute, join} from 'node:path'
import SSHConfig from 'ssh-config'
import {matchesPattern} from '../../core/codec/known-hosts.js'

/** What ssh_config says of one host, as far as the built-in transport follows it. Unset is undefined or empty. */
export interface SshSettings {
  readonly hostName: string | undefined
  readonly port: number | undefined
  readonly user: string | undefined
  readonly identityFiles: readonly string[]
  readonly jump: readonly string[]
  readonly knownHostsFiles: readonly string[]
  readonly hostKeyAlias: string | undefined
  readonly agentSocket: string | undefined
  /** Things in the file that this transport does not do, such as `Match exec`; one printable phrase each. */
  readonly ignored: readonly string[]
}

/** Depth and number of Include files, as a guard against loops. */
const INCLUDE_DEPTH_MAX = 16

/** The operator's ssh_config with what it includes; read once for a command. */
export class SshSettingsFiles {
  #text: Promise<string> | undefined
  constructor(private readonly files: readonly string[] = defaultFiles()) {}

  /**
   * What applies to a host, by the first value found, as ssh does. `Match exec` runs commands and canonical names ask
   * the resolver by a program: both are left out here and named in `ignored`.
   */
  async for(host: string, user: string | undefined): Promise<SshSettings> {
    this.#text ??= this.#read()
    const text = await this.#text
    const found = SSHConfig.parse(text).compute(
      user === undefined ? {Host: host} : {Host: host, User: user},
      {
        ignoreCase: true,
        matchExec: false,
      },
    ) as Record<string, string | string[] | undefined>
    const one = (key: string): string | undefined => {
      const value = found[key]
      return Array.isArray(value) ? value[0] : value
    }
    const many = (key: string): readonly string[] => {
      const value = found[key]
      return value === undefined ? [] : Array.isArray(value) ? value : [value]
    }
    const hostName = one('hostname')?.replaceAll('%h', host).replaceAll('%%', '%')
    const path = (value: string): string =>
      expandPath(value, {host: hostName ?? host, user: user ?? one('user')})
    const port = Number(one('port'))
    const proxyJump = one('proxyjump')
    const agent = one('identityagent')
    return {
      hostName,
      port: Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined,
      user: one('user'),
      identityFiles: many('identityfile')
        .filter(value => value !== 'none')
        .map(path),
      jump:
        proxyJump === undefined || proxyJump === 'none' ? [] : proxyJump.split(',').map(hop => hop.trim()),
      knownHostsFiles: many('userknownhostsfile')
        .flatMap(value => value.split(/\s+/))
        .filter(value => value !== '' && value !== 'none')
        .map(path),
      hostKeyAlias: one('hostkeyalias'),
      agentSocket:
        agent === undefined || agent === 'SSH_AUTH_SOCK' || agent === 'none' ? undefined : path(agent),
      ignored: ignoredIn(text, found),
    }
  }

  async #read(): Promise<string> {
    const parts = await Promise.all(this.files.map(async file => readIncluding(file, INCLUDE_DEPTH_MAX)))
    // A `Host *` between the files ends the last section of the one before
    return parts.join('\nHost *\n').replace(/^[ \t]*Canonicali[sz]eHostName\b.*$/gim, '')
  }
}

function defaultFiles(): readonly string[] {
  return [join(homedir(), '.ssh', 'config'), '/etc/ssh/ssh_config']
}

async function readIncluding(file: string, depth: number): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '')
  if (depth === 0) return text
  const lines: string[] = []
  for (const line of text.split('\n')) {
    const included = /^[ \t]*include[ \t=]+(.+)$/i.exec(line)?.[1]
    if (included === undefined) lines.push(line)
    else {
      for (const pattern of included.trim().split(/\s+/)) {
        for (const one of await expandPattern(pattern.replaceAll('"', ''), dirname(file))) {
          lines.push(await readIncluding(one, depth - 1))
        }
      }
    }
  }
  return lines.join('\n')
}

/** Files that an Include names; wildcards count in the last part of the path only. */
async function expandPattern(pattern: string, base: string): Promise<readonly string[]> {
  const home = pattern.startsWith('~/') ? join(homedir(), pattern.slice(2)) : pattern
  const path = isAbsolute(home) ? home : join(base, home)
  if (!/[*?]/.test(path)) return [path]
  const names = await readdir(dirname(path)).catch(() => [])
  return names
    .filter(name => matchesPattern(name, basename(path)))
    .sort()
    .map(name => join(dirname(path), name))
}

function expandPath(path: string, names: {readonly host: string; readonly user: string | undefined}): string {
  const home = homedir()
  const full = path === '~' || path.startsWith('~/') ? join(home, path.slice(1)) : path
  return full.replace(/%([%dhr])/g, (_all, letter: string) => {
    if (letter === 'd') return home
    if (letter === 'h') return names.host
    return letter === 'r' ? (names.user ?? '') : '%'
  })
}

function ignoredIn(text: string, found: Record<string, unknown>): readonly string[] {
  const ignored: string[] = []
  if (/^[ \t]*Match\b.*\bexec\b/im.test(text)) ignored.push('Match exec')
  const proxyCommand = found['proxycommand']
  if (proxyCommand !== undefined && proxyCommand !== 'none') ignored.push('ProxyCommand')
  if (found['certificatefile'] !== undefined) ignored.push('CertificateFile')
  return ignored
}
