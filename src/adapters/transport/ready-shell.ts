import {printable} from '../../core/text.js'
import type {CommandResult, RemoteCommand} from '../../ports/transport.js'
import {TransportError} from '../../ports/transport.js'
import type {Channel, Link} from './link.js'
import type {RootMethod} from './run.js'
import {Collector, conclude, prepareForRoot, startOf, sudoWords, TimeLimit, timedOut} from './run.js'

/**
 * Says who it is, then waits for one command: the number of its arguments, and before each argument the number of its
 * lines. It says that it goes on, so that a shell that ended early cannot be taken for a command that ran. `read`
 * takes no byte beyond its line (POSIX), so what follows is the command's own stdin.
 */
const WAIT = `printf 'quorate:%s:%s:\\n' "$(id -u)" "$(id -un)"
IFS= read -r n || exit 97
set --
while [ "$n" -gt 0 ]; do
IFS= read -r lines || exit 97
a=; i=0
while [ "$i" -lt "$lines" ]; do
IFS= read -r l || exit 97
if [ "$i" -gt 0 ]; then a="$a
$l"; else a=$l; fi
i=$((i+1))
done
set -- "$@" "$a"
n=$((n-1))
done
printf 'quorate:go:\\n'
exec "$@"`

const ANSWER = /quorate:(\d+):([^:\n]*):\n/
const GO = Buffer.from('quorate:go:\n')
const HEAD_BYTES = 4096

/** What a shell says of itself, or why there is none. */
export type WhoAnswer =
  | {readonly kind: 'ready'; readonly uid: number; readonly user: string; readonly shell: ReadyShell}
  | {readonly kind: 'none'; readonly why: 'timed-out' | 'failed'; readonly words: string}

/** Asks who we are, as ourselves or through sudo without a password. The shell that answers can run one command. */
export async function askWho(link: Link, root: RootMethod, timeoutMs: number): Promise<WhoAnswer> {
  const limit = new TimeLimit(timeoutMs)
  const argv = ['sh', '-c', WAIT]
  try {
    const prepared = root.kind === 'none' ? {argv, mark: undefined} : prepareForRoot(argv, root)
    const spawning = link.spawn(prepared.argv)
    const channel = await Promise.race([spawning, limit.over])
    if (channel === 'timed-out') {
      spawning.then(late => late.kill()).catch(() => undefined)
      return {kind: 'none', why: 'timed-out', words: `sh did not start within ${timeoutMs / 1000} s.`}
    }
    return await new ReadyShell(channel, prepared.mark).introduce(limit, timeoutMs)
  } catch (error) {
    if (!(error instanceof TransportError)) throw error
    return {kind: 'none', why: error.why === 'timed-out' ? 'timed-out' : 'failed', words: error.message}
  } finally {
    limit.cancel()
  }
}

/** A shell on a host that has said who it is and waits to become the first command: one round trip instead of three. */
export class ReadyShell {
  readonly #stdout: Collector
  readonly #stderr: Collector
  #over = false
  constructor(
    private readonly channel: Channel,
    private readonly mark: string | undefined,
  ) {
    this.#stdout = new Collector(channel.stdout, HEAD_BYTES)
    this.#stderr = new Collector(channel.stderr, HEAD_BYTES)
    // A shell that has ended does not read its stdin: no error
    channel.stdin.on('error', () => undefined)
    void channel.ended.then(() => (this.#over = true))
  }

  /** Waits until the shell has said who it is. */
  async introduce(limit: TimeLimit, timeoutMs: number): Promise<WhoAnswer> {
    const said = new Promise<'said'>(resolve => {
      this.channel.stdout.on('data', () => {
        if (this.#who() !== undefined) resolve('said')
      })
    })
    const first = await Promise.race([said, this.channel.ended, limit.over])
    const who = this.#who()
    if (who !== undefined) return {kind: 'ready', ...who, shell: this}
    this.#over = true
    this.channel.kill()
    if (first === 'timed-out')
      return {kind: 'none', why: 'timed-out', words: `sh did not answer within ${timeoutMs / 1000} s.`}
    return {kind: 'none', why: 'failed', words: first === 'lost' ? 'The connection broke.' : this.#words()}
  }

  #who(): {readonly uid: number; readonly user: string} | undefined {
    const found = ANSWER.exec(Buffer.from(this.#stdout.bytes()).toString('utf8'))
    return found === null ? undefined : {uid: Number(found[1]), user: printable(found[2] ?? '', 64)}
  }

  #words(): string {
    const errors = this.#stderr.bytes()
    if (this.mark !== undefined && startOf(errors, this.mark) < 0) return sudoWords(errors, this.mark)
    const said = printable(Buffer.from(errors).toString('utf8').trim(), 200)
    return said === '' ? 'no answer to id(1).' : said
  }

  /** Whether it still waits for its command. */
  get waiting(): boolean {
    return !this.#over
  }

  /** Becomes the command and returns how that ended. Never throws for what the world does. At most once. */
  async run(command: RemoteCommand): Promise<CommandResult> {
    this.#over = true
    const limit = new TimeLimit(command.timeoutMs)
    this.#stdout.maxBytes += command.maxBytes
    this.#stderr.maxBytes += command.maxBytes
    try {
      this.channel.stdin.end(Buffer.concat([header(command.argv), command.stdin ?? new Uint8Array()]))
      const ending = await Promise.race([this.channel.ended, limit.over])
      if (ending === 'timed-out') {
        this.channel.kill()
        return timedOut(command)
      }
      const all = Buffer.from(this.#stdout.bytes())
      const at = all.indexOf(GO)
      const ended = at < 0 ? 'lost' : ending
      const stdout = all.subarray(at + GO.length)
      const truncated = this.#stdout.truncated || this.#stderr.truncated || stdout.length > command.maxBytes
      const streams = {
        stdout: new Uint8Array(stdout.subarray(0, command.maxBytes)),
        stderr: this.#stderr.bytes(),
        truncated,
      }
      return conclude(ended, streams, command, this.mark)
    } finally {
      limit.cancel()
    }
  }

  /** Lets the shell end where there is no command for it. */
  close(): void {
    if (!this.#over) this.channel.stdin.end()
    this.#over = true
  }
}

function header(argv: readonly string[]): Buffer {
  const parts = argv.map(argument => `${String(argument.split('\n').length)}\n${argument}\n`)
  return Buffer.from(`${String(argv.length)}\n${parts.join('')}`)
}
