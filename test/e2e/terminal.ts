import {spawn} from 'node:child_process'
import type {ChildProcessWithoutNullStreams} from 'node:child_process'

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`

/** A program at a real terminal of its own (a pty that util-linux's `script` makes), with somebody typing. */
export class Terminal {
  private readonly child: ChildProcessWithoutNullStreams
  private shown = ''
  private readonly over: Promise<number | null>
  private seenUpTo = 0

  constructor(words: readonly string[], cwd: string, environment: Readonly<Record<string, string>>) {
    const command = `stty cols 110 rows 40; exec ${words.map(quoted).join(' ')}`
    this.child = spawn('script', ['--quiet', '--flush', '--return', '--command', command, '/dev/null'], {
      cwd,
      env: {...environment, SHELL: '/bin/sh', TERM: 'xterm'},
    })
    this.child.stdout.on('data', (bytes: Buffer) => (this.shown += bytes.toString('utf8')))
    this.over = new Promise(resolve => this.child.on('close', resolve))
  }

  /** Everything that was printed so far, escapes included. */
  get screen(): string {
    return this.shown
  }

  /** Waits until a text is printed that was not there at the last call. */
  async sees(text: string, withinMs = 60_000): Promise<void> {
    const until = Date.now() + withinMs
    for (;;) {
      const at = this.shown.indexOf(text, this.seenUpTo)
      if (at >= 0) {
        this.seenUpTo = at + text.length
        return
      }
      if (Date.now() > until || this.child.exitCode !== null)
        throw new Error(`'${text}' never came; the screen shows:\n${this.shown.slice(this.seenUpTo)}`)
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }

  /** Types, as a person would: the keys arrive once the question stands. */
  types(keys: string): void {
    this.child.stdin.write(keys)
  }

  /** The exit status, when the program has ended. */
  async ends(): Promise<number | null> {
    const status = await this.over
    return status
  }
}
