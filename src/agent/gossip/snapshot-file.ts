import type {FileHandle} from 'node:fs/promises'
import {mkdir, open, rename} from 'node:fs/promises'
import {dirname} from 'node:path'
import {syncDirectory} from '../../adapters/durable-file.js'
import {AgentError} from '../agent-error.js'

/** A file of this size is not one of ours. */
const FILE_BYTES_MAX = 256 * 1024 * 1024
const FLUSH_INTERVAL_MS = 500
/** Smaller files are not rewritten (`minCompactSize`, serf snapshot.go). */
const COMPACT_MIN_BYTES = 128 * 1024
const COMPACT_BYTES_PER_MEMBER = 256

/**
 * The file in which a pool's members and clocks are noted line by line (`Snapshotter`, serf snapshot.go): appended,
 * flushed twice a second, and written anew when it has grown too long.
 */
export class SnapshotFile {
  private waiting: string[] = []
  private timer: NodeJS.Timeout | undefined
  private work: Promise<void> = Promise.resolve()
  private closed = false

  private constructor(
    private readonly path: string,
    private handle: FileHandle,
    private size: number,
    /** The shortest content that says the same, and the number of its members. */
    private readonly compacted: () => readonly string[],
    private readonly failed: (error: unknown) => void,
  ) {}

  /**
   * Opens the file, or makes it; `content` is what it holds, without an unfinished last line. Throws AgentError when it
   * is too large, and the system's error when it cannot be opened.
   */
  static async open(
    path: string,
    compacted: () => readonly string[],
    failed: (error: unknown) => void,
  ): Promise<{readonly file: SnapshotFile; readonly content: Uint8Array}> {
    await mkdir(dirname(path), {recursive: true, mode: 0o755})
    const handle = await open(path, 'a+', 0o644)
    try {
      const {size} = await handle.stat()
      if (size > FILE_BYTES_MAX) throw new AgentError(`the snapshot file ${path} is too large`)
      const bytes = Buffer.alloc(size)
      const {bytesRead} = await handle.read(bytes, 0, size, 0)
      const whole = bytes.subarray(0, bytes.subarray(0, bytesRead).lastIndexOf(0x0a) + 1)
      // What is appended must not be glued to half a line
      if (whole.length < size) await handle.truncate(whole.length)
      return {file: new SnapshotFile(path, handle, whole.length, compacted, failed), content: whole}
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** Adds lines; they are written within half a second. */
  append(lines: readonly string[]): void {
    if (this.closed) return
    this.waiting.push(...lines)
    // That we left must not be lost with a crash, or we would come back
    if (lines.includes('leave')) void this.flush()
    else this.timer ??= setTimeout(() => void this.flush(), FLUSH_INTERVAL_MS).unref()
  }

  /** Writes what waits, syncs it and closes the file. */
  async close(): Promise<void> {
    if (this.closed) return this.work
    this.closed = true
    await this.flush()
    await this.then(async () => {
      await this.handle.sync()
      await this.handle.close()
    })
  }

  private flush(): Promise<void> {
    clearTimeout(this.timer)
    this.timer = undefined
    return this.then(async () => {
      const lines = this.waiting.splice(0)
      if (lines.length === 0) return
      const bytes = Buffer.from(`${lines.join('\n')}\n`)
      await this.handle.appendFile(bytes)
      if (lines.includes('leave')) await this.handle.datasync()
      this.size += bytes.length
      if (this.size > COMPACT_MIN_BYTES && !lines.includes('leave')) await this.compact()
    })
  }

  private async compact(): Promise<void> {
    const lines = this.compacted()
    if (this.size <= Math.max(COMPACT_MIN_BYTES, lines.length * COMPACT_BYTES_PER_MEMBER)) return
    const fresh = `${this.path}.compact`
    const bytes = Buffer.from(`${lines.join('\n')}\n`)
    const handle = await open(fresh, 'w', 0o644)
    await handle.writeFile(bytes)
    await handle.sync()
    await handle.close()
    await rename(fresh, this.path)
    await syncDirectory(dirname(this.path))
    await this.handle.close()
    this.handle = await open(this.path, 'a', 0o644)
    this.size = bytes.length
    // The new file says all that had happened when it was begun, and more lines do no harm twice
  }

  /** One thing after the other; a failure is told and does not stop what follows. */
  private then(act: () => Promise<void>): Promise<void> {
    this.work = this.work.then(act).catch((error: unknown) => this.failed(error))
    return this.work
  }
}
