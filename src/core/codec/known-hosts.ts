/**
 * The known_hosts format of OpenSSH (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT), read and matched as `ssh` does it
 * (check_key_in_hostkeys in hostfile.c, check_host_key in sshconnect.c). Only plain host keys count: an entry marked
 * `@cert-authority` is kept so that a report can mention it, but it never makes a key known.
 */

/** One usable line. */
export interface KnownHost {
  readonly file: string
  readonly line: number
  readonly marker: 'revoked' | 'cert-authority' | undefined
  readonly names:
    | {readonly kind: 'patterns'; readonly patterns: readonly string[]}
    | {readonly kind: 'hashed'; readonly salt: string; readonly hash: string}
  readonly keyType: string
  /** The key in base64, as it stands in the file. */
  readonly key: string
}

/** What known_hosts says of the key that a host offers. `line` is the entry that decided. */
export type HostKeyVerdict =
  | {readonly kind: 'known'; readonly entry: KnownHost}
  | {readonly kind: 'revoked'; readonly entry: KnownHost}
  | {readonly kind: 'changed'; readonly entry: KnownHost}
  | {readonly kind: 'unknown'; readonly otherTypes: readonly string[]; readonly certAuthority: boolean}

/** HMAC-SHA1 of a name under a salt in base64, in base64. Passed in, since the core computes no digests of its own. */
export type HmacSha1 = (saltBase64: string, name: string) => string

const LINES_MAX = 100_000

/** Reads known_hosts. Lines that mean nothing are skipped, as ssh does. */
export function parseKnownHosts(text: string, file: string): readonly KnownHost[] {
  const entries: KnownHost[] = []
  const lines = text.split('\n', LINES_MAX)
  for (const [at, raw] of lines.entries()) {
    const entry = parseLine(raw.trim(), file, at + 1)
    if (entry !== undefined) entries.push(entry)
  }
  return entries
}

function parseLine(text: string, file: string, line: number): KnownHost | undefined {
  if (text === '' || text.startsWith('#')) return undefined
  const fields = text.split(/[ \t]+/, 4)
  let marker: KnownHost['marker']
  if (fields[0]?.startsWith('@') === true) {
    const word = fields.shift()
    if (word !== '@revoked' && word !== '@cert-authority') return undefined
    marker = word === '@revoked' ? 'revoked' : 'cert-authority'
  }
  const [hosts, keyType, key] = fields
  if (hosts === undefined || keyType === undefined || key === undefined) return undefined
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(key)) return undefined
  const names = parseNames(hosts)
  return names === undefined ? undefined : {file, line, marker, names, keyType, key}
}

function parseNames(hosts: string): KnownHost['names'] | undefined {
  if (!hosts.startsWith('|')) {
    return {kind: 'patterns', patterns: hosts.split(',').filter(pattern => pattern !== '')}
  }
  const [, version, salt, hash, rest] = hosts.split('|')
  if (version !== '1' || salt === undefined || hash === undefined || rest !== undefined) return undefined
  return {kind: 'hashed', salt, hash}
}

/** The name under which known_hosts keeps a host: with brackets and port unless the port is 22. */
export function knownHostName(host: string, port: number): string {
  const name = host.toLowerCase()
  return port === 22 ? name : `[${name}]:${port}`
}

/** The entries that are about a host, whatever their key. */
export function entriesFor(
  entries: readonly KnownHost[],
  name: string,
  hmac: HmacSha1,
): readonly KnownHost[] {
  return entries.filter(entry => isNamed(entry, name, hmac))
}

function isNamed(entry: KnownHost, name: string, hmac: HmacSha1): boolean {
  if (entry.names.kind === 'hashed') return hmac(entry.names.salt, name) === entry.names.hash
  let found = false
  for (const pattern of entry.names.patterns) {
    const negated = pattern.startsWith('!')
    if (!matchesPattern(name, (negated ? pattern.slice(1) : pattern).toLowerCase())) continue
    if (negated) return false
    found = true
  }
  return found
}

/** Whether `*` and `?` of a pattern match a name; in linear space and at most quadratic time. */
export function matchesPattern(name: string, pattern: string): boolean {
  let at = 0
  let star = -1
  let resume = 0
  let p = 0
  while (at < name.length) {
    if (pattern[p] === '*') {
      star = p++
      resume = at
    } else if (pattern[p] === '?' || pattern[p] === name[at]) {
      p++
      at++
    } else if (star >= 0) {
      p = star + 1
      at = ++resume
    } else return false
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}

/**
 * Judges an offered key. A revoked key is revoked whatever else says. A key is changed only when another key *of the
 * same type* is known: a host with several keys may offer one that was never seen. As ssh does, a host on another
 * port may also be known by its name alone, but only to accept a key, never to call it changed.
 */
export function judgeHostKey(
  entries: readonly KnownHost[],
  offered: {
    readonly host: string
    readonly port: number
    readonly keyType: string
    readonly keyBase64: string
  },
  hmac: HmacSha1,
): HostKeyVerdict {
  const mine = entriesFor(entries, knownHostName(offered.host, offered.port), hmac)
  const byName = offered.port === 22 ? [] : entriesFor(entries, knownHostName(offered.host, 22), hmac)
  const same = (entry: KnownHost): boolean =>
    entry.keyType === offered.keyType && trimPadding(entry.key) === trimPadding(offered.keyBase64)

  const revoked = [...mine, ...byName].find(entry => entry.marker === 'revoked' && same(entry))
  if (revoked !== undefined) return {kind: 'revoked', entry: revoked}
  const plain = mine.filter(entry => entry.marker === undefined)
  const known =
    plain.find(same) ??
    (plain.length === 0 ? byName.find(entry => entry.marker === undefined && same(entry)) : undefined)
  if (known !== undefined) return {kind: 'known', entry: known}
  const changed = plain.find(entry => entry.keyType === offered.keyType)
  if (changed !== undefined) return {kind: 'changed', entry: changed}
  return {
    kind: 'unknown',
    otherTypes: [...new Set(plain.map(entry => entry.keyType))],
    certAuthority: mine.some(entry => entry.marker === 'cert-authority'),
  }
}

function trimPadding(base64: string): string {
  return base64.replace(/=+$/, '')
}

/** The key types that are known for a host and not revoked, for asking the host to prove one of these first. */
export function knownKeyTypes(
  entries: readonly KnownHost[],
  host: string,
  port: number,
  hmac: HmacSha1,
): readonly string[] {
  const mine = entriesFor(entries, knownHostName(host, port), hmac)
  const plain = mine.filter(entry => entry.marker === undefined)
  const use = plain.length > 0 || port === 22 ? plain : entriesFor(entries, knownHostName(host, 22), hmac)
  return [...new Set(use.filter(entry => entry.marker === undefined).map(entry => entry.keyType))]
}
