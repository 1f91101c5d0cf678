import {randomBytes} from 'node:crypto'
import type {Readable} from 'node:stream'
import {printable} from '../../core/text.js'
import type {CommandResult, RemoteCommand} from '../../ports/transport.js'
import {TransportError} from '../../ports/transport.js'
import type {Channel, Ending, Link} from './link.js'

/** How root is reached on a host. A sudo password is kept in memory for the command's life, nowhere else. */
export type RootMethod =
  | {readonly kind: 'direct'}
  | {readonly kind: 'sudo'; readonly password: string | undefined}
  | {readonly kind: 'none'}

/**
 * Runs as root what follows. It says on stderr when it has got that far, so that sudo's own words and failures can be
 * told from those of the program. With a password it then skips stdin up to the same mark: sudo has read the password
 * line by then, or, where no password was wanted after all, the line is dropped here and never reaches the program.
 */
const AS_ROOT =
  'printf "%s\\n" "$1" >&2; ' +
  'if [ "$2" = password ]; then while IFS= read -r line && [ "$line" != "$1" ]; do :; done; fi; ' +
  'shift 2; exec "$@"'

/** Room for what sudo says before the program starts: lectures and prompts. */
const SUDO_WORDS_BYTES = 16_384

/** An argument array with what has to go before its stdin, and the mark after which stderr is the program's. */
export interface Prepared {
  readonly argv: readonly string[]
  /** The line that sudo reads; empty where it needs none. */
  readonly password: string
  /** The line up to which the wrapper skips; empty where there is nothing to skip. */
  readonly barrier: string
  readonly mark: string | undefined
}

/** Wraps an argument array for root. `-k` makes sudo ask each time, so that its cache cannot change what stdin means. */
export function prepareForRoot(argv: readonly string[], root: RootMethod): Prepared {
  if (root.kind === 'direct') return {argv, password: '', barrier: '', mark: undefined}
  if (root.kind === 'none') throw new TransportError('denied', 'There is no way to root on this host.')
  const mark = `quorate-${randomBytes(12).toString('hex')}`
  const wrapper = ['--', 'sh', '-c', AS_ROOT, 'sh', mark]
  if (root.password === undefined) {
    return {argv: ['sudo', '-n', ...wrapper, 'plain', ...argv], password: '', barrier: '', mark}
  }
  return {
    argv: ['sudo', '-k', '-S', '-p', promptOf(mark), ...wrapper, 'password', ...argv],
    password: `${root.password}\n`,
    barrier: `${mark}\n`,
    mark,
  }
}

function promptOf(mark: string): string {
  return `${mark}?`
}

/** Where the program's own stderr begins, or -1 when it was never started. */
export function startOf(stderr: Uint8Array, mark: string): number {
  const at = Buffer.from(stderr).indexOf(`${mark}\n`)
  return at < 0 ? -1 : at + mark.length + 1
}

/**
 * Runs one program over a link, within its limits. Never throws for what the world does. `firstUse` of a password
 * sends nothing after it until sudo has taken it: a second line would count as a second try and may lock the account.
 */
export async function runOverLink(
  link: Link,
  command: RemoteCommand,
  root: RootMethod,
  firstUse = false,
): Promise<CommandResult> {
  try {
    const plain = {argv: command.argv, password: '', barrier: '', mark: undefined}
    const prepared = command.root ? prepareForRoot(command.argv, root) : plain
    return await runPrepared(link, command, prepared, firstUse)
  } catch (error) {
    if (error instanceof TransportError) return {kind: 'failed', why: error.why, detail: error.message}
    throw error
  }
}

async function runPrepared(
  link: Link,
  command: RemoteCommand,
  prepared: Prepared,
  firstUse: boolean,
): Promise<CommandResult> {
  const limit = new TimeLimit(command.timeoutMs)
  try {
    const spawning = link.spawn(prepared.argv)
    const channel = await Promise.race([spawning, limit.over])
    if (channel === 'timed-out') {
      spawning.then(late => late.kill()).catch(() => undefined)
      return timedOut(command)
    }
    const stdout = new Collector(channel.stdout, command.maxBytes)
    const stderr = new Collector(
      channel.stderr,
      command.maxBytes + (prepared.mark === undefined ? 0 : SUDO_WORDS_BYTES),
    )
    feed(channel, prepared, command.stdin, firstUse ? stderr : undefined)
    const ending = await Promise.race([channel.ended, limit.over])
    if (ending === 'timed-out') {
      channel.kill()
      return timedOut(command)
    }
    const truncated = stdout.truncated || stderr.truncated
    return conclude(
      ending,
      {stdout: stdout.bytes(), stderr: stderr.bytes(), truncated},
      command,
      prepared.mark,
    )
  } finally {
    limit.cancel()
  }
}

/** The result of a command whose time is over. */
export function timedOut(command: RemoteCommand): CommandResult {
  return {
    kind: 'failed',
    why: 'timed-out',
    detail: `${command.argv[0]} did not end within ${command.timeoutMs / 1000} s.`,
  }
}

function feed(
  channel: Channel,
  prepared: Prepared,
  stdin: Uint8Array | undefined,
  waitFor: Collector | undefined,
): void {
  // A program that does not read its stdin is no error
  channel.stdin.on('error', () => undefined)
  const rest = Buffer.concat([Buffer.from(prepared.barrier), stdin ?? new Uint8Array()])
  const {mark} = prepared
  if (waitFor === undefined || mark === undefined || prepared.password === '') {
    channel.stdin.end(Buffer.concat([Buffer.from(prepared.password), rest]))
    return
  }
  channel.stdin.write(prepared.password)
  let done = false
  channel.stderr.on('data', () => {
    if (done) return
    const said = waitFor.bytes()
    const asked = Buffer.from(said).toString('latin1').split(promptOf(mark)).length - 1
    if (startOf(said, mark) >= 0) channel.stdin.end(rest)
    else if (asked >= 2) channel.stdin.end()
    else return
    done = true
  })
}

/** The result of a command that has ended: with a mark, what sudo said before it is taken off or is the reason. */
export function conclude(
  ending: Ending,
  streams: {readonly stdout: Uint8Array; readonly stderr: Uint8Array; readonly truncated: boolean},
  command: RemoteCommand,
  mark: string | undefined,
): CommandResult {
  if (ending === 'lost') {
    return {
      kind: 'failed',
      why: 'lost',
      detail: `The connection broke while ${command.argv[0]} was running.`,
    }
  }
  let errors = streams.stderr
  if (mark !== undefined) {
    const at = startOf(errors, mark)
    if (at < 0) return {kind: 'failed', why: 'denied', detail: sudoWords(errors, mark)}
    errors = errors.subarray(at)
  }
  const errorsCut = errors.length > command.maxBytes
  return {
    kind: 'exited',
    code: ending.code,
    signal: ending.signal,
    stdout: streams.stdout,
    stderr: errorsCut ? errors.subarray(0, command.maxBytes) : errors,
    truncated: streams.truncated || errorsCut,
  }
}

/** What sudo said, in its own words, on one printable line. */
export function sudoWords(stderr: Uint8Array, mark: string): string {
  const text = new TextDecoder().decode(stderr).replaceAll(promptOf(mark), '')
  const said = printable(
    text
      .split(/\s*\n\s*/)
      .join(' ')
      .trim(),
    400,
  )
  return said === '' ? 'sudo refused without a word.' : said
}

/** Collects a stream up to a limit and lets the rest pass by, so that the program is not blocked. */
export class Collector {
  truncated = false
  #chunks: Uint8Array[] = []
  #size = 0
  constructor(
    stream: Readable,
    public maxBytes: number,
  ) {
    stream.on('error', () => undefined)
    stream.on('data', (chunk: Buffer) => {
      const room = this.maxBytes - this.#size
      if (chunk.length > room) this.truncated = true
      if (room <= 0) return
      const kept = chunk.length > room ? Buffer.from(chunk.subarray(0, room)) : chunk
      this.#chunks.push(kept)
      this.#size += kept.length
    })
  }

  bytes(): Uint8Array {
    const all = Buffer.concat(this.#chunks)
    return new Uint8Array(all.buffer, all.byteOffset, all.length)
  }
}

/** A time limit that can be raced against. */
export class TimeLimit {
  readonly over: Promise<'timed-out'>
  #timer: NodeJS.Timeout | undefined
  constructor(ms: number) {
    this.over = new Promise(resolve => {
      this.#timer = setTimeout(() => resolve('timed-out'), ms)
    })
  }

  cancel(): void {
    clearTimeout(this.#timer)
  }
}
