import {randomBytes} from 'node:crypto'
import {printable, printableBytes} from '../../core/text.js'
import type {Unread} from '../../core/model/reading.js'
import type {RandomFile} from '../../ports/transport.js'
import {TransportError} from '../../ports/transport.js'
import type {Channel, Link} from './link.js'
import type {RootMethod} from './run.js'
import {prepareForRoot, startOf, sudoWords} from './run.js'

/**
 * Serves positioned reads from one shell that stays: a request names the number of lines of the path, then blocks to
 * skip and to read, and the path follows. Each answer ends with a line of a random mark, the request's number and an
 * exit code, so its length need not be known before and a file that grows or shrinks meanwhile does no harm.
 * `ls -n` and `dd` with whole blocks are POSIX; busybox has both.
 */
const READER = `mark=$1
while IFS=' ' read -r op seq lines skip count; do
p=; i=0
while [ "$i" -lt "$lines" ]; do
IFS= read -r l || exit 0
if [ "$i" -gt 0 ]; then p="$p
$l"; else p=$l; fi
i=$((i+1))
done
rc=0
case $op in
o) out=$(LC_ALL=C ls -dlnL "$p" 2>&1); rc=$?
if [ "$rc" -eq 0 ]; then case $out in
-*) err=$( (LC_ALL=C; : <"$p") 2>&1 ) || { rc=$?; out=$err; } ;;
*) rc=90; out='not a regular file' ;;
esac; fi
printf '%s\\n' "$out" ;;
r) dd if="$p" bs=4096 skip="$skip" count="$count" 2>/dev/null; rc=$? ;;
esac
printf '\\n%s %s %s\\n' "$mark" "$seq" "$rc"
done`

const BLOCK = 4096
/** Reads of more than this are split, so that one answer never fills memory. */
const BLOCKS_PER_READ = 256

interface Waiting {
  readonly seq: number
  readonly maxBytes: number
  readonly timer: NodeJS.Timeout
  settle(answer: {readonly code: number; readonly bytes: Buffer} | TransportError): void
}

/** A shell on the host that reads files for us, started when first needed and started again after it broke. */
export class ShReader {
  #running: Promise<RunningReader> | undefined
  constructor(
    private readonly link: Link,
    private readonly root: RootMethod | undefined,
  ) {}

  /** Opens a file. Throws `TransportError`: absent, denied, or the shell's own words. */
  async open(path: string, timeoutMs: number): Promise<RandomFile> {
    if (!path.startsWith('/') || path.includes('\0')) {
      throw new TransportError('unsupported', `${printable(path)} is not an absolute path.`)
    }
    const answer = await this.#ask('o', path, 0, 0, 65_536, timeoutMs)
    const text = answer.bytes.toString('utf8')
    if (answer.code !== 0) throw openFailure(path, text)
    // Fields of `ls -n`: mode, links, uid, gid, size
    const size = Number(text.split(/\s+/, 5)[4])
    if (!Number.isSafeInteger(size)) {
      throw new TransportError('unparsable', `ls says ${printable(text, 80)} of ${printable(path)}.`)
    }
    return {
      sizeBytes: size,
      read: async (offset, length) => this.#read(path, offset, length, timeoutMs),
      close: async () => Promise.resolve(),
    }
  }

  async close(): Promise<void> {
    const reader = await this.#running?.catch(() => undefined)
    reader?.close()
  }

  async #read(path: string, offset: number, length: number, timeoutMs: number): Promise<Uint8Array> {
    if (length <= 0) return new Uint8Array()
    const first = Math.floor(offset / BLOCK)
    const end = Math.ceil((offset + length) / BLOCK)
    const parts: Promise<Buffer>[] = []
    for (let at = first; at < end; at += BLOCKS_PER_READ) {
      parts.push(this.#readBlocks(path, at, Math.min(BLOCKS_PER_READ, end - at), timeoutMs))
    }
    const all = Buffer.concat(await Promise.all(parts))
    const from = offset - first * BLOCK
    return new Uint8Array(all.subarray(from, from + length))
  }

  async #readBlocks(path: string, skip: number, count: number, timeoutMs: number): Promise<Buffer> {
    const answer = await this.#ask('r', path, skip, count, count * BLOCK, timeoutMs)
    if (answer.code !== 0) throw new TransportError('failed', `dd cannot read ${printable(path)} any more.`)
    return answer.bytes
  }

  async #ask(
    op: 'o' | 'r',
    path: string,
    skip: number,
    count: number,
    maxBytes: number,
    timeoutMs: number,
  ): Promise<{readonly code: number; readonly bytes: Buffer}> {
    const starting = (this.#running ??= RunningReader.start(this.link, this.root))
    try {
      const reader = await starting
      return await reader.ask(op, path, skip, count, maxBytes, timeoutMs)
    } catch (error) {
      // A reader that broke is not used again; what it was asked is reported, not asked twice
      const reader = await starting.catch(() => undefined)
      if (this.#running === starting && reader?.alive !== true) this.#running = undefined
      throw error
    }
  }
}

function openFailure(path: string, words: string): TransportError {
  let why: Unread = 'failed'
  if (/No such file|Not a directory|nonexistent/i.test(words)) why = 'absent'
  else if (/Permission denied|Operation not permitted/i.test(words)) why = 'denied'
  else if (/not a regular file/.test(words)) why = 'unsupported'
  return new TransportError(why, `${printable(path)}: ${printable(words.trim(), 160)}`)
}

class RunningReader {
  alive = true
  #seq = 0
  #waiting: Waiting[] = []
  #held: Buffer[] = []
  #heldBytes = 0
  #stderr = Buffer.alloc(0)
  private constructor(
    private readonly channel: Channel,
    private readonly mark: string,
    private readonly sudoMark: string | undefined,
  ) {
    channel.stdin.on('error', () => undefined)
    channel.stdout.on('error', () => undefined)
    channel.stderr.on('error', () => undefined)
    channel.stdout.on('data', (chunk: Buffer) => this.#take(chunk))
    channel.stderr.on('data', (chunk: Buffer) => {
      if (this.#stderr.length < 16_384) this.#stderr = Buffer.concat([this.#stderr, chunk])
    })
    void channel.ended.then(ending => {
      this.#breakOff(
        ending === 'lost' ? new TransportError('lost', 'The connection broke during a read.') : this.#ended(),
      )
    })
  }

  static async start(link: Link, root: RootMethod | undefined): Promise<RunningReader> {
    const mark = `quorate-${randomBytes(16).toString('hex')}`
    const argv = ['sh', '-c', READER, 'sh', mark]
    const prepared = root === undefined ? undefined : prepareForRoot(argv, root)
    const channel = await link.spawn(prepared?.argv ?? argv)
    const reader = new RunningReader(channel, mark, prepared?.mark)
    if (prepared !== undefined) channel.stdin.write(prepared.password + prepared.barrier)
    return reader
  }

  async ask(
    op: 'o' | 'r',
    path: string,
    skip: number,
    count: number,
    maxBytes: number,
    timeoutMs: number,
  ): Promise<{readonly code: number; readonly bytes: Buffer}> {
    if (!this.alive) throw new TransportError('lost', 'The reader on the host has ended.')
    const seq = ++this.#seq
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#breakOff(new TransportError('timed-out', `No answer within ${timeoutMs / 1000} s.`))
      }, timeoutMs)
      const settle: Waiting['settle'] = answer =>
        answer instanceof TransportError ? reject(answer) : resolve(answer)
      this.#waiting.push({seq, maxBytes, timer, settle})
      this.channel.stdin.write(`${op} ${seq} ${path.split('\n').length} ${skip} ${count}\n${path}\n`)
    })
  }

  close(): void {
    this.alive = false
    this.channel.stdin.end()
    this.#breakOff(new TransportError('lost', 'The connection was closed.'))
  }

  #ended(): TransportError {
    const mark = this.sudoMark
    if (mark !== undefined && startOf(this.#stderr, mark) < 0) {
      return new TransportError('denied', sudoWords(this.#stderr, mark))
    }
    return new TransportError(
      'failed',
      `The reader on the host ended: ${printableBytes(this.#stderr, 200) || 'no reason given'}`,
    )
  }

  #take(chunk: Buffer): void {
    this.#held.push(chunk)
    this.#heldBytes += chunk.length
    // Answers are joined only when one may be complete: its mark ends in a line feed at the end of some chunk
    for (;;) {
      const first = this.#waiting[0]
      if (first === undefined) return
      const all = this.#held.length === 1 ? (this.#held[0] ?? chunk) : Buffer.concat(this.#held)
      this.#held = [all]
      const trailer = `\n${this.mark} ${first.seq} `
      const at = all.indexOf(trailer)
      const lineEnd = at < 0 ? -1 : all.indexOf(0x0a, at + trailer.length)
      if (lineEnd < 0) {
        if (this.#heldBytes > first.maxBytes + 4096) {
          this.#breakOff(new TransportError('failed', 'The host sends more than was asked for.'))
        }
        return
      }
      const code = Number(all.toString('latin1', at + trailer.length, lineEnd))
      const rest = all.subarray(lineEnd + 1)
      this.#held = rest.length > 0 ? [rest] : []
      this.#heldBytes = rest.length
      this.#waiting.shift()
      clearTimeout(first.timer)
      first.settle({code, bytes: Buffer.from(all.subarray(0, at))})
    }
  }

  #breakOff(error: TransportError): void {
    this.alive = false
    const waiting = this.#waiting
    this.#waiting = []
    for (const one of waiting) {
      clearTimeout(one.timer)
      one.settle(error)
    }
    this.channel.kill()
  }
}
