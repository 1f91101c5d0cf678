import {createHash, createHmac} from 'node:crypto'
import {readFile} from 'node:fs/promises'
import {homedir} from 'node:os'
import {join} from 'node:path'
import type {HostKeyVerdict, KnownHost} from '../../core/codec/known-hosts.js'
import {judgeHostKey, knownHostName, knownKeyTypes, parseKnownHosts} from '../../core/codec/known-hosts.js'
import {printable, shellQuote} from '../../core/text.js'
import {ConnectProblem} from './connect-problem.js'

/** Where ssh looks for host keys when nothing else is said (ssh_config(5), UserKnownHostsFile and GlobalKnownHostsFile). */
export function defaultKnownHostsFiles(): readonly string[] {
  const own = join(homedir(), '.ssh')
  return [
    join(own, 'known_hosts'),
    join(own, 'known_hosts2'),
    '/etc/ssh/ssh_known_hosts',
    '/etc/ssh/ssh_known_hosts2',
  ]
}

/** HMAC-SHA1 as known_hosts uses it for hashed names. */
export function hmacSha1(saltBase64: string, name: string): string {
  return createHmac('sha1', Buffer.from(saltBase64, 'base64')).update(name).digest('base64')
}

/** A key's fingerprint as ssh shows it. */
export function fingerprint(key: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`
}

/** The host keys that are known on this machine, for judging what a host offers. */
export class HostKeys {
  #loaded = new Map<string, Promise<readonly KnownHost[]>>()

  async load(files: readonly string[]): Promise<readonly KnownHost[]> {
    const all = await Promise.all(files.map(async file => this.#file(file)))
    return all.flat()
  }

  async #file(file: string): Promise<readonly KnownHost[]> {
    let loading = this.#loaded.get(file)
    if (loading === undefined) {
      loading = readFile(file, 'utf8').then(
        text => parseKnownHosts(text, file),
        () => [],
      )
      this.#loaded.set(file, loading)
    }
    return loading
  }
}

/**
 * The host key algorithms to ask for, those of known keys first, as ssh orders them: a host with several keys would
 * otherwise prove one that is not known and look like another host.
 */
export function hostKeyAlgorithms(
  entries: readonly KnownHost[],
  host: string,
  port: number,
): readonly string[] {
  const preferred = knownKeyTypes(entries, host, port, hmacSha1).flatMap(type =>
    type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [type],
  )
  const supported = [
    'ssh-ed25519',
    'ecdsa-sha2-nistp256',
    'ecdsa-sha2-nistp384',
    'ecdsa-sha2-nistp521',
    'rsa-sha2-512',
    'rsa-sha2-256',
    'ssh-rsa',
  ]
  const first = preferred.filter(name => supported.includes(name))
  return [...first, ...supported.filter(name => !first.includes(name))]
}

/** Refuses a key that is not known, by throwing `ConnectProblem` with the fingerprint and what would accept it. */
export function requireKnownKey(
  entries: readonly KnownHost[],
  files: readonly string[],
  offered: {readonly host: string; readonly port: number; readonly key: Uint8Array},
): void {
  const keyType = keyTypeOf(offered.key)
  const verdict = judgeHostKey(
    entries,
    {
      host: offered.host,
      port: offered.port,
      keyType,
      keyBase64: Buffer.from(offered.key).toString('base64'),
    },
    hmacSha1,
  )
  if (verdict.kind !== 'known') throw problemOf(verdict, files, {...offered, keyType})
}

function problemOf(
  verdict: Exclude<HostKeyVerdict, {kind: 'known'}>,
  files: readonly string[],
  offered: {readonly host: string; readonly port: number; readonly key: Uint8Array; readonly keyType: string},
): ConnectProblem {
  const print = `${printable(offered.keyType, 40)} ${fingerprint(offered.key)}`
  const name = knownHostName(offered.host, offered.port)
  const file = files[0] ?? join(homedir(), '.ssh', 'known_hosts')
  const port = offered.port === 22 ? '' : `-p ${offered.port} `
  const scan = `ssh-keyscan ${port}-t ${scanType(offered.keyType)} ${shellQuote(offered.host)} >> ${shellQuote(file)}`
  const compare = `Compare ${fingerprint(offered.key)} with \`ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub\` on the host itself.`
  if (verdict.kind === 'revoked') {
    const at = `${verdict.entry.file}:${verdict.entry.line}`
    return new ConnectProblem(
      'HOST_KEY_CHANGED',
      'denied',
      `${printable(name)} offered the key ${print}, which ${printable(at)} marks as revoked.`,
    )
  }
  if (verdict.kind === 'changed') {
    const at = `${verdict.entry.file}:${verdict.entry.line}`
    const remove = `ssh-keygen -R ${shellQuote(name)} -f ${shellQuote(verdict.entry.file)}`
    return new ConnectProblem(
      'HOST_KEY_CHANGED',
      'denied',
      `${printable(name)} offered the key ${print}, but ${printable(at)} holds another.`,
      [compare, `${remove} && ${scan}`],
    )
  }
  const others =
    verdict.otherTypes.length > 0 ? ` It holds ${verdict.otherTypes.join(', ')} of this host.` : ''
  const authority = verdict.certAuthority
    ? ' A @cert-authority line covers this host: the transport openssh checks certificates.'
    : ''
  return new ConnectProblem(
    'HOST_KEY_UNKNOWN',
    'denied',
    `${printable(name)} offered the key ${print}, which known_hosts does not hold.${printable(others)}${authority}`,
    [compare, scan],
  )
}

/** The name at the start of a public key blob (RFC 4253, 6.6). */
function keyTypeOf(key: Uint8Array): string {
  const bytes = Buffer.from(key)
  const length = bytes.length >= 4 ? bytes.readUInt32BE(0) : 0
  return length > 0 && length <= 64 ? bytes.toString('latin1', 4, 4 + length) : ''
}

function scanType(keyType: string): string {
  if (keyType.startsWith('ecdsa-')) return 'ecdsa'
  return keyType === 'ssh-rsa' ? 'rsa' : 'ed25519'
}
