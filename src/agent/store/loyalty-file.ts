import {join} from 'node:path'
import {writeDurably} from '../../adapters/durable-file.js'
import {readIfThere} from './identity-files.js'

const FILE = 'loyalty'
/** What a file that cannot be read is taken to say: the longest that can be configured. */
const UNKNOWN_MS = 10_000

/** What is known at a start of the promises that were given before it. */
export interface Loyalty {
  /** The longest time, in milliseconds, for which this server may have promised a leader to vote for no other. */
  readonly atStartMs: number
  /** Ends the keeping; the file stays as it is. */
  stop(): void
}

/**
 * Keeps in the file `loyalty` of a raft directory for how long this server promises leaders to vote for no other: its
 * heartbeat timeout, which may be set shorter from one start to the next. A longer time is on disk before it is first
 * promised, and a shorter one takes its place when the last promise of before has run out.
 */
export async function keepLoyalty(raftDirectory: string, ownMs: number): Promise<Loyalty> {
  const path = join(raftDirectory, FILE)
  const bytes = await readIfThere(path)
  const before = bytes === undefined ? 0 : parse(new TextDecoder().decode(bytes))
  const write = (): Promise<void> => writeDurably(path, `${ownMs}\n`)
  if (ownMs > before || bytes === undefined) await write()
  if (ownMs >= before) return {atStartMs: ownMs, stop: () => undefined}
  // What cannot be written now stays longer than it need: that is only slow
  const timer = setTimeout(() => void write().catch(() => undefined), before)
  timer.unref()
  return {atStartMs: before, stop: () => clearTimeout(timer)}
}

const parse = (text: string): number => (/^\d{1,5}\n?$/.test(text) ? Number(text) : UNKNOWN_MS)
