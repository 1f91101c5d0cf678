import {printable} from '../../core/text.js'
import type {HostTarget} from '../../ports/transport.js'
import {ConnectProblem} from './connect-problem.js'
import type {Link} from './link.js'
import type {ReadyShell, WhoAnswer} from './ready-shell.js'
import {askWho} from './ready-shell.js'
import type {RootMethod} from './run.js'
import {runOverLink} from './run.js'

const WHO = 'printf "quorate:%s:\\n" "$(id -u)"'
const ANSWER = /quorate:(\d+):/

/** Who we are on a host, and how root is reached there. */
export interface WhoAmI {
  readonly user: string
  readonly root: RootMethod
  /** The shell that told it, root's where there is a way to root; it can run the first command. */
  readonly shell: ReadyShell | undefined
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
  const limitMs = target.connectTimeoutMs
  // Asked together to save a round trip; root's own answer makes the second one void
  const trySudo = target.sudo !== false && !(target.transport !== 'local' && target.user === 'root')
  const [own, free] = await Promise.all([
    askWho(link, {kind: 'none'}, limitMs),
    trySudo ? askWho(link, {kind: 'sudo', password: undefined}, limitMs) : undefined,
  ])
  let kept: ReadyShell | undefined
  try {
    const found = await choose(link, target, password, own, free)
    // On this machine starting another shell costs nothing, and an idle one would keep us from ending
    kept = link.kind === 'local' ? undefined : found.shell
    return {...found, shell: kept}
  } finally {
    for (const answer of [own, free])
      if (answer?.kind === 'ready' && answer.shell !== kept) answer.shell.close()
  }
}

async function choose(
  link: Link,
  target: HostTarget,
  password: () => Promise<string | undefined>,
  own: WhoAnswer,
  free: WhoAnswer | undefined,
): Promise<WhoAmI> {
  if (own.kind === 'none') {
    throw new ConnectProblem(
      'HOST_UNREACHABLE',
      own.why,
      `${printable(target.host)} runs no commands for us: ${own.words}`,
    )
  }
  const {user, shell} = own
  if (own.uid === 0) return {user, root: {kind: 'direct'}, shell}
  if (target.sudo === false) return {user, root: {kind: 'none'}, shell}
  if (free?.kind === 'ready' && free.uid === 0)
    return {user, root: {kind: 'sudo', password: undefined}, shell: free.shell}
  const freeWords = free?.kind === 'none' ? free.words : ''
  const secret = await password()
  if (secret === undefined) {
    if (target.sudo === true) throw refused(target, user, freeWords)
    return {user, root: {kind: 'none'}, shell}
  }
  const method: RootMethod = {kind: 'sudo', password: secret}
  const paid = await whoIs(link, method, target.connectTimeoutMs)
  if (paid.uid !== 0) throw refused(target, user, paid.words)
  return {user, root: method, shell: undefined}
}

function refused(target: HostTarget, user: string, words: string): ConnectProblem {
  return new ConnectProblem(
    'SUDO_REFUSED',
    'denied',
    `${printable(target.host)} refused sudo to ${printable(user)}: ${words}`,
  )
}

/** Who we are with a sudo password that was not used yet. */
async function whoIs(
  link: Link,
  root: RootMethod,
  timeoutMs: number,
): Promise<{readonly uid: number | undefined; readonly words: string}> {
  const command = {argv: ['sh', '-c', WHO], timeoutMs, maxBytes: 4096, root: true} as const
  const result = await runOverLink(link, command, root, true)
  if (result.kind === 'failed') return {uid: undefined, words: result.detail}
  const found = ANSWER.exec(Buffer.from(result.stdout).toString('utf8'))
  if (found !== null) return {uid: Number(found[1]), words: ''}
  const said = printable(Buffer.from(result.stderr).toString('utf8').trim(), 200)
  return {uid: undefined, words: said === '' ? 'no answer to id(1).' : said}
}
