import type {ProductName, ServerProcess} from '../model/observation.js'
import type {ProbeSection} from './probe-frames.js'
import {text} from './probe-frames.js'

/** A process of the product with what else the probe tells of it. */
export interface ProbedProcess extends ServerProcess {
  readonly uid: number
  readonly gid: number
  /** Inodes of the sockets it holds, as in /proc/net/tcp. */
  readonly sockets: ReadonlySet<number>
  readonly workingDir: string | undefined
}

/** A line of /etc/passwd. */
export interface Account {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** What is needed to turn kernel numbers into times: the host's clock and its uptime, both in seconds. */
export interface HostTimes {
  readonly nowSeconds: number | undefined
  readonly uptimeSeconds: number | undefined
}

const NAMES: Readonly<Record<ProductName, readonly string[]>> = {
  consul: ['consul'],
  nomad: ['nomad'],
  vault: ['vault', 'bao', 'openbao'],
  rqlite: ['rqlited'],
}
const VERBS: Readonly<Record<ProductName, string | undefined>> = {
  consul: 'agent',
  nomad: 'agent',
  vault: 'server',
  rqlite: undefined,
}
/** Programs that carry the server's command line as their own arguments while the server is their child. */
const WRAPPERS =
  /^(sudo|doas|su|sh|dash|bash|ash|ksh|busybox|chpst|softlimit|setuidgid|runuser|setpriv|timeout|env|strace|nsenter|start-stop-daemon|daemon|tini|dumb-init|docker|docker-proxy|ssh|vi|vim|less|grep|tail)$/
/** What runs quorate's own agent. */
const INTERPRETERS = /^(node|nodejs|bun)$/
const SECRET_FLAGS = /^--?(encrypt|token|acl[-_a-z]*token)$/
const TICKS_PER_SECOND = 100 // USER_HZ, the same on every Linux that /proc is read on

/** The processes that the probe describes and that are the product's agents, in the order of the probe. */
export function readProcesses(
  sections: readonly ProbeSection[],
  product: ProductName,
  accounts: readonly Account[],
  times: HostTimes,
): readonly ProbedProcess[] {
  const processes: ProbedProcess[] = []
  for (const [i, section] of sections.entries()) {
    if (section.name !== 'process') continue
    const parts = new Map<string, Uint8Array>()
    for (let j = i + 1; sections[j]?.name.startsWith('process.') === true; j++) {
      const part = sections[j]
      if (part !== undefined) parts.set(part.name.slice('process.'.length), part.bytes)
    }
    const one = readProcess(Number(text(section.bytes)), parts, accounts, times)
    if (one !== undefined && isProduct(one, product)) processes.push(one)
  }
  return processes
}

/** Lines of /etc/passwd; malformed ones are left out. */
export function readAccounts(passwd: string): readonly Account[] {
  const accounts: Account[] = []
  for (const line of passwd.split('\n')) {
    const [name, , uid, gid] = line.split(':')
    if (name === undefined || !/^\d{1,10}$/.test(uid ?? '') || !/^\d{1,10}$/.test(gid ?? '')) continue
    accounts.push({name, uid: Number(uid), gid: Number(gid)})
  }
  return accounts
}

/** The value of a flag as Go's flag package reads it: `-name value`, `-name=value`, one dash or two; last one wins. */
export function flagValue(argv: readonly string[], name: string): string | undefined {
  let value: string | undefined
  for (const [i, argument] of argv.entries()) {
    const bare = argument.startsWith('--') ? argument.slice(1) : argument
    if (bare === `-${name}`) value = argv[i + 1] ?? value
    else if (bare.startsWith(`-${name}=`)) value = bare.slice(name.length + 2)
  }
  return value
}

/** Arguments with the values of flags that hold secrets taken out, so that they can be shown. */
export function withoutSecrets(argv: readonly string[]): readonly string[] {
  return argv.map((argument, i) => {
    if (i > 0 && SECRET_FLAGS.test(argv[i - 1] ?? '')) return '(hidden)'
    const equals = argument.indexOf('=')
    return equals > 0 && SECRET_FLAGS.test(argument.slice(0, equals))
      ? `${argument.slice(0, equals)}=(hidden)`
      : argument
  })
}

/** Splits the bytes of /proc/PID/cmdline. Setproctitle may leave trailing NULs; they are no arguments. */
export function splitArguments(bytes: Uint8Array): readonly string[] {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end--
  const argv: string[] = []
  for (let start = 0; start < end;) {
    const zero = bytes.indexOf(0, start)
    const stop = zero === -1 || zero > end ? end : zero
    argv.push(text(bytes.subarray(start, stop)))
    start = stop + 1
  }
  return argv
}

function readProcess(
  pid: number,
  parts: ReadonlyMap<string, Uint8Array>,
  accounts: readonly Account[],
  times: HostTimes,
): ProbedProcess | undefined {
  const part = (name: string): string => text(parts.get(name) ?? new Uint8Array())
  const status = part('status')
  const argv = splitArguments(parts.get('cmdline') ?? new Uint8Array())
  // A process that ended while it was looked at leaves no status: it does not run.
  if (!Number.isSafeInteger(pid) || !/^State:/m.test(status)) return undefined
  const uid = Number(/^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1] ?? -1)
  const gid = Number(/^Gid:\s+\d+\s+(\d+)/m.exec(status)?.[1] ?? -1)
  const workingDir = part('cwd') || undefined
  return {
    pid,
    ppid: Number(/^PPid:\s+(\d+)/m.exec(status)?.[1] ?? 0),
    user: accounts.find(account => account.uid === uid)?.name ?? String(uid),
    uid,
    gid,
    argv: withoutSecrets(argv),
    executable: part('exe').replace(/ \(deleted\)$/, '') || undefined,
    startedAtMs: startedAt(part('stat'), times),
    state: /^State:\s+(\S)/m.exec(status)?.[1] ?? '?',
    dataDir: absolute(flagValue(argv, 'data-dir'), workingDir),
    workingDir,
    sockets: socketsOf(part('fd')),
  }
}

/** A path as the process sees it, made absolute; undefined when that cannot be known. */
export function absolute(path: string | undefined, workingDir: string | undefined): string | undefined {
  if (path === undefined || path === '') return undefined
  const whole = path.startsWith('/') ? path : workingDir === undefined ? undefined : `${workingDir}/${path}`
  if (whole === undefined) return undefined
  const parts: string[] = []
  for (const part of whole.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return `/${parts.join('/')}`
}

/** Field 22 of /proc/PID/stat counts ticks since boot. The name in field 2 may hold anything, parentheses too. */
function startedAt(stat: string, times: HostTimes): number | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = Number(fields[19])
  if (!Number.isFinite(ticks) || times.nowSeconds === undefined || times.uptimeSeconds === undefined)
    return undefined
  return Math.round((times.nowSeconds - times.uptimeSeconds + ticks / TICKS_PER_SECOND) * 1000)
}

function socketsOf(listing: string): ReadonlySet<number> {
  return new Set([...listing.matchAll(/ -> socket:\[(\d{1,15})\]$/gm)].map(match => Number(match[1])))
}

/**
 * Whether this is the agent itself: its program bears the product's name (a version may follow) or, renamed, it is
 * called as an agent with the agent's flags; and it is not a program that merely carries such words, or another
 * command of the same binary.
 */
function isProduct(process: ProbedProcess, product: ProductName): boolean {
  const program = baseName(process.executable ?? process.argv[0] ?? '')
  if (WRAPPERS.test(program)) return false
  const verb = VERBS[product]
  const isVerb = verb === undefined || wordsOf(process.argv, program)[0] === verb
  if (!isVerb) return false
  const named = NAMES[product].some(
    name => program === name || (program.startsWith(name) && /^[-_.]?v?\d/.test(program.slice(name.length))),
  )
  if (named) return true
  return (
    product === 'consul' && process.argv.some(word => /^--?(data-dir|config-dir|config-file)\b/.test(word))
  )
}

/** The arguments that are no flags; those of an interpreter begin behind its script. */
function wordsOf(argv: readonly string[], program: string): readonly string[] {
  const words = argv.slice(1).filter(argument => !argument.startsWith('-'))
  return INTERPRETERS.test(program) ? words.slice(1) : words
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
