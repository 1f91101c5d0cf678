import {createHash} from 'node:crypto'
import {printable} from '../core/text.js'
import type {ActResult, Answer, LockHolder} from '../ports/host-actions.js'
import type {HostConnection} from '../ports/transport.js'
import {
  ACQUIRE_LOCK,
  COPY_TREE,
  MOVE_ASIDE,
  READ_LOCK,
  RELEASE_LOCK,
  RESTORE_TREE,
  SHA256_OF,
  STAT_FILE,
  WRITE_FILE,
} from './remote-file-scripts.js'
import {actByScript, answerByScript} from './root-script.js'

/**
 * A constant script with arguments that must end with 0 right before the act, in the same shell run on the host: there
 * is then no window between a proof and the write that rests on it. Failing makes the act end as `barrier`.
 */
export interface Guard {
  readonly script: string
  readonly args: readonly string[]
}

const NO_GUARD: Guard = {script: '', args: []}
/** Copies of large stores take their time; reading and writing 10 GiB twice fits. */
const COPY_TIMEOUT_MS = 3_600_000

/** What a file is; times are left out because nothing is decided by them. */
export interface FileStat {
  readonly kind: 'file' | 'directory' | 'other'
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly sizeBytes: number
}

/** SHA-256 in lower-case hex. */
export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/**
 * Writes a file whole or not at all: a temporary in the same directory, flushed, renamed, the directory flushed, and
 * read back. `replaces` is the SHA-256 of what must be there now, undefined when nothing may be. Already there with the
 * same bytes: owner and mode are set and it counts as done.
 */
export async function writeFileAtomic(
  connection: HostConnection,
  file: {
    readonly path: string
    readonly bytes: Uint8Array
    readonly mode: number
    readonly uid: number
    readonly gid: number
    readonly replaces: string | undefined
    readonly guard?: Guard
  },
): Promise<ActResult> {
  const refusal = refusePath(file.path)
  if (refusal !== undefined) return refusal
  const guard = file.guard ?? NO_GUARD
  const args = [
    file.path,
    (file.mode & 0o7777).toString(8).padStart(4, '0'),
    `${file.uid}:${file.gid}`,
    sha256Hex(file.bytes),
    file.replaces ?? '',
    guard.script,
    ...guard.args,
  ]
  return actByScript(connection, WRITE_FILE, args, `${file.path} holds the bytes of the plan.`, {
    stdin: file.bytes,
  })
}

/** Renames within one file system, over nothing. Already moved counts as done. */
export async function moveAside(
  connection: HostConnection,
  from: string,
  to: string,
  guard: Guard = NO_GUARD,
): Promise<ActResult> {
  const refusal = refusePath(from) ?? refusePath(to)
  if (refusal !== undefined) return refusal
  return actByScript(connection, MOVE_ASIDE, [from, to, guard.script, ...guard.args], `${from} is now ${to}.`)
}

/**
 * Copies paths with owners and modes into the new directory `to` (0700), with a manifest of checksums proved against
 * the source. Paths that are not there are left out, which `restoreTree` understands. Free space is checked first.
 */
export async function copyTree(
  connection: HostConnection,
  paths: readonly string[],
  to: string,
  needBytes: number,
  timeoutMs = COPY_TIMEOUT_MS,
): Promise<ActResult> {
  const refusal = [...paths, to].map(refusePath).find(one => one !== undefined)
  if (refusal !== undefined) return refusal
  return actByScript(connection, COPY_TREE, [to, String(needBytes), ...paths], `The copy is in ${to}.`, {
    timeoutMs,
  })
}

/** Puts paths back as `copyTree` found them; what is there now is kept beside them under `.quorate-aside-N`. */
export async function restoreTree(
  connection: HostConnection,
  from: string,
  paths: readonly string[],
  guard: Guard = NO_GUARD,
  timeoutMs = COPY_TIMEOUT_MS,
): Promise<ActResult> {
  const refusal = [...paths, from].map(refusePath).find(one => one !== undefined)
  if (refusal !== undefined) return refusal
  const five = [0, 1, 2, 3, 4].map(at => guard.args[at] ?? '')
  const args = [from, guard.script, ...five, ...paths]
  return actByScript(connection, RESTORE_TREE, args, `What ${from} holds is back in place.`, {timeoutMs})
}

/** The SHA-256 of a file, undefined when there is none. */
export async function sha256OfFile(
  connection: HostConnection,
  path: string,
  timeoutMs?: number,
): Promise<Answer<string | undefined>> {
  const options = timeoutMs === undefined ? {} : {timeoutMs}
  return answerByScript(connection, SHA256_OF, [path], text, options)
}

/** What is at a path, itself and not what a link points to; undefined when nothing is. */
export async function statFile(
  connection: HostConnection,
  path: string,
): Promise<Answer<FileStat | undefined>> {
  const answer = await answerByScript(connection, STAT_FILE, [path], text)
  if (!answer.ok || answer.value === undefined) return answer as Answer<undefined>
  const stat = parseStat(answer.value)
  if (stat !== undefined) return {ok: true, value: stat}
  return {ok: false, failure: 'failed', note: `ls says ${printable(answer.value, 80)} of ${printable(path)}.`}
}

/** Which server of a host a lock is about: hosts with several servers have several data directories. */
export function lockScope(dataDir: string): string {
  return sha256Hex(new TextEncoder().encode(dataDir)).slice(0, 16)
}

/** Takes the lock of a server for a plan. Held by the same plan counts as done; by another is `locked`. */
export async function acquireLock(
  connection: HostConnection,
  scope: string,
  holder: LockHolder,
): Promise<ActResult> {
  const args = [scope, oneWord(holder.plan), printable(holder.by, 120)]
  return actByScript(connection, ACQUIRE_LOCK, args, `The lock is held by plan ${holder.plan}.`)
}

/** Gives the lock back. Not held counts as done; another plan's lock stays. */
export async function releaseLock(
  connection: HostConnection,
  scope: string,
  plan: string,
): Promise<ActResult> {
  return actByScript(connection, RELEASE_LOCK, [scope, oneWord(plan)], 'The lock is released.')
}

/** Who holds the lock; undefined when nobody does. */
export async function readLock(
  connection: HostConnection,
  scope: string,
): Promise<Answer<LockHolder | undefined>> {
  return answerByScript(connection, READ_LOCK, [scope], bytes => {
    const [plan, by] = text(bytes).split('\n')
    return {plan: printable(plan ?? '', 80), by: printable(by ?? '', 120)}
  })
}

/** A plan's id is part of a file name on the host. */
function oneWord(plan: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/.test(plan))
    throw new Error(`not a plan id: ${printable(plan, 80)}`)
  return plan
}

function refusePath(path: string): ActResult | undefined {
  const good =
    path.startsWith('/') && !path.endsWith('/') && !path.includes('\0') && !/\/\.{1,2}(\/|$)/.test(path)
  if (good) return undefined
  return {ok: false, failure: 'failed', note: `${printable(path)} is not an absolute path of one thing.`}
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).trimEnd()
}

/** Reads the mode, owner, group and size of `ls -n`. */
export function parseStat(line: string): FileStat | undefined {
  const found = /^([-a-z])([-rwxsStT]{9})\S* (\d+) (\d+) (\d+)/.exec(line)
  if (found === null) return undefined
  const [, type, bits, uid, gid, size] = found
  let mode = 0
  for (const [at, bit] of [...(bits ?? '')].entries()) {
    if (bit !== '-' && bit !== 'S' && bit !== 'T') mode |= 0o400 >> at
    if (/[sS]/.test(bit)) mode |= at === 2 ? 0o4000 : 0o2000
    if (/[tT]/.test(bit)) mode |= 0o1000
  }
  const kind = type === '-' ? 'file' : type === 'd' ? 'directory' : 'other'
  return {kind, mode, uid: Number(uid), gid: Number(gid), sizeBytes: Number(size)}
}
