import {printable} from '../../core/text.js'
import type {HostTarget} from '../../ports/transport.js'
import {ConnectProblem} from './connect-problem.js'
import type {Link} from './link.js'
import type {RootMethod} from './run.js'
import {runOverLink} from './run.js'

const WHO = 'printf "quorate:%s:%s:\\n" "$(id -u)" "$(id -un)"'
const ANSWER = /quorate:(\d+):([^:\n]*):/

/** Who we are on a host, and how root is reached there. */
export interface WhoAmI {
  readonly user: string
  readonly root: RootMethod
}

/**
 * Finds out who we are and tries sudo where we are not root: without a password first, then once with one if the
 * target names where it comes from. Throws `ConnectProblem` SUDO_REFUSED when sudo was asked for and did not work.
 */
export async function findRoot(
  link: Link,
  target: HostTarget,
  password: () => Promise<string | undefined>,
): Promise<WhoAmI> {
  const limits = {timeoutMs: target.connectTimeoutMs, maxBytes: 4096}
  // Asked together to save a round trip; root's own answer makes the second one void
  const trySudo = target.sudo !== false && !(target.transport !== 'local' && target.user === 'root')
  const [own, free] = await Promise.all([
    whoIs(link, target, {kind: 'none'}, limits.timeoutMs),
    trySudo ? whoIs(link, target, {kind: 'sudo', password: undefined}, limits.timeoutMs) : undefined,
  ])
  if (own.uid === undefined) {
    throw new ConnectProblem(
      'HOST_UNREACHABLE',
      own.why ?? 'failed',
      `${printable(target.host)} runs no commands for us: ${own.words}`,
    )
  }
  const user = own.user
  if (own.uid === 0) return {user, root: {kind: 'direct'}}
  if (target.sudo === false) return {user, root: {kind: 'none'}}
  if (free?.uid === 0) return {user, root: {kind: 'sudo', password: undefined}}
  const freeWords = free?.words ?? ''
  const secret = await password()
  if (secret === undefined) {
    if (target.sudo === true) throw refused(target, user, freeWords)
    return {user, root: {kind: 'none'}}
  }
  const method: RootMethod = {kind: 'sudo', password: secret}
  const paid = await whoIs(link, target, method, limits.timeoutMs)
  if (paid.uid !== 0) throw refused(target, user, paid.words)
  return {user, root: method}
}

function refused(target: HostTarget, user: string, words: string): ConnectProblem {
  return new ConnectProblem(
    'SUDO_REFUSED',
    'denied',
    `${printable(target.host)} refused sudo to ${printable(user)}: ${words}`,
  )
}

async function whoIs(
  link: Link,
  target: HostTarget,
  root: RootMethod,
  timeoutMs: number,
): Promise<{
  readonly uid: number | undefined
  readonly user: string
  readonly words: string
  readonly why?: 'timed-out' | 'failed'
}> {
  const result = await runOverLink(
    link,
    {argv: ['sh', '-c', WHO], timeoutMs, maxBytes: 4096, root: root.kind !== 'none'},
    root,
    true,
  )
  if (result.kind === 'failed') {
    const why = result.why === 'timed-out' ? 'timed-out' : 'failed'
    return {uid: undefined, user: '', words: result.detail, why}
  }
  const found = ANSWER.exec(Buffer.from(result.stdout).toString('utf8'))
  if (found === null) {
    const said = printable(Buffer.from(result.stderr).toString('utf8').trim(), 200)
    return {uid: undefined, user: '', words: said === '' ? 'no answer to id(1).' : said}
  }
  return {uid: Number(found[1]), user: printable(found[2] ?? '', 64), words: ''}
}
