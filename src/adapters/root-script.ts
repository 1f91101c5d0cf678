import {printable} from '../core/text.js'
import type {ActFailure, ActResult, Answer} from '../ports/host-actions.js'
import type {HostConnection} from '../ports/transport.js'

/**
 * Exit codes with a meaning that our scripts share; every other code but 0 is a failure in the script's own words.
 * They begin high enough not to meet those of the tools that scripts call.
 */
export const EXIT_ALREADY = 70
const FAILURE_OF_EXIT: Readonly<Record<number, ActFailure>> = {
  71: 'changed',
  72: 'no-space',
  73: 'barrier',
  74: 'locked',
}
export const EXIT_ABSENT = 75

/** Where sbin programs are even for a session that is no login; messages that are read back stay in English. */
const PREAMBLE =
  'LC_ALL=C; export LC_ALL; PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; ' +
  'export PATH; umask 077\n'

/** How a script went. */
export type ScriptResult =
  | {readonly kind: 'exited'; readonly code: number; readonly stdout: Uint8Array; readonly stderr: Uint8Array}
  | {readonly kind: 'failed'; readonly failure: ActFailure; readonly note: string}

export interface ScriptOptions {
  readonly stdin?: Uint8Array
  readonly timeoutMs?: number
  readonly maxBytes?: number
}

const TIMEOUT_MS = 30_000
const OUTPUT_MAX_BYTES = 65_536

/** Runs a constant script as root; values travel only as its positional arguments and its stdin. */
export async function runRootScript(
  connection: HostConnection,
  script: string,
  args: readonly string[],
  options: ScriptOptions = {},
): Promise<ScriptResult> {
  const result = await connection.run({
    argv: ['sh', '-c', PREAMBLE + script, 'sh', ...args],
    ...(options.stdin === undefined ? {} : {stdin: options.stdin}),
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    maxBytes: options.maxBytes ?? OUTPUT_MAX_BYTES,
    root: true,
  })
  if (result.kind === 'failed') {
    // After a time limit nobody knows either whether it was done
    const unknown = result.why === 'lost' || result.why === 'timed-out'
    return {kind: 'failed', failure: unknown ? 'lost' : 'failed', note: printable(result.detail)}
  }
  if (result.code === undefined) {
    const note = `The script was ended by ${printable(result.signal ?? 'a signal', 20)}.`
    return {kind: 'failed', failure: 'lost', note}
  }
  return {kind: 'exited', code: result.code, stdout: result.stdout, stderr: result.stderr}
}

/** Runs a script that does something, and says how it went. `done` is the note for when it was done just now. */
export async function actByScript(
  connection: HostConnection,
  script: string,
  args: readonly string[],
  done: string,
  options: ScriptOptions = {},
): Promise<ActResult> {
  const result = await runRootScript(connection, script, args, options)
  if (result.kind === 'failed') return {ok: false, failure: result.failure, note: result.note}
  if (result.code === 0) return {ok: true, already: false, note: printable(done)}
  if (result.code === EXIT_ALREADY)
    return {ok: true, already: true, note: `${printable(done)} It was so already.`}
  return {ok: false, failure: FAILURE_OF_EXIT[result.code] ?? 'failed', note: wordsOf(result)}
}

/** Turns a script's end into an answer: its value by `parse` when it ended well, undefined when absent. */
export async function answerByScript<T>(
  connection: HostConnection,
  script: string,
  args: readonly string[],
  parse: (stdout: Uint8Array) => T,
  options: ScriptOptions = {},
): Promise<Answer<T | undefined>> {
  const result = await runRootScript(connection, script, args, options)
  if (result.kind === 'failed') return {ok: false, failure: result.failure, note: result.note}
  if (result.code === EXIT_ABSENT) return {ok: true, value: undefined}
  if (result.code !== 0) {
    return {ok: false, failure: FAILURE_OF_EXIT[result.code] ?? 'failed', note: wordsOf(result)}
  }
  return {ok: true, value: parse(result.stdout)}
}

/** What a script said before it failed: stderr, else stdout, else its code. */
export function wordsOf(result: {
  readonly code: number
  readonly stdout: Uint8Array
  readonly stderr: Uint8Array
}): string {
  const text = (bytes: Uint8Array): string =>
    new TextDecoder()
      .decode(bytes.subarray(0, 2000))
      .split(/\s*\n\s*/)
      .join(' ')
      .trim()
  return printable(text(result.stderr) || text(result.stdout) || `It ended with ${result.code}.`)
}
