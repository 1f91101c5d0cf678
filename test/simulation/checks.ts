import type {LogEntry} from '../../src/core/raft/messages.js'
import type {StateMark} from './disk.js'

/** A rule of Raft that was broken. */
export class Broken extends Error {
  override readonly name = 'Broken'
}

/** Folds one entry into the hash of all before it. */
export function fold(hash: number, entry: LogEntry): number {
  let h = hash ^ 0x811c9dc5
  const mix = (value: number): void => {
    h = Math.imul(h ^ (value & 0xffff), 0x01000193)
    h = Math.imul(h ^ (value >>> 16), 0x01000193)
  }
  mix(entry.index)
  mix(entry.term)
  mix(entry.type)
  for (const byte of entry.data) mix(byte)
  return h | 0
}

interface Known {
  readonly prevTerm: number
  readonly type: number
  readonly text: string
}

/**
 * What must hold in every run, checked as things happen. It knows all of the world and nothing of the core's insides.
 * Sources: the five properties of figure 3 in the Raft paper, and the durability of hard state.
 */
export class Checks {
  private readonly leaders = new Map<number, string>()
  private readonly entries = new Map<string, Known>()
  private readonly chain: StateMark[] = [{index: 0, hash: 0}]
  private readonly terms: number[] = [0]
  private readonly texts: string[] = ['']
  /** By index, the newest term that had a leader when the entry was first seen to be committed. */
  private readonly committedBy: number[] = [0]
  private newestTerm = 0
  private readonly hard = new Map<string, {term: number; votedFor: string | undefined}>()
  /** What to add to an index to find it in `chain`: 0 until a recovery by file began a new history. */
  epoch = 0

  /** The last index known to be committed. */
  get committedIndex(): number {
    return this.chain.length - 1
  }

  termAt(index: number): number | undefined {
    return this.terms[index]
  }

  textAt(index: number): string | undefined {
    return this.texts[index]
  }

  markAt(index: number): StateMark | undefined {
    return this.chain[index]
  }

  /** Election safety: at most one leader in a term; leader completeness: it has all that was committed. */
  leader(server: string, term: number, holds: (index: number, term: number) => boolean): void {
    const key = term + this.epoch * 1_000_000
    const other = this.leaders.get(key)
    if (other !== undefined && other !== server)
      throw new Broken(`two leaders in term ${term}: ${other} and ${server}`)
    this.leaders.set(key, server)
    this.newestTerm = Math.max(this.newestTerm, term)
    // A leader of an old term, held up on its way to the lead, cannot have what later terms committed
    const last = this.committedBy.findLastIndex(by => by < term)
    if (last > 0 && !holds(last, this.terms[last] as number))
      throw new Broken(`${server} leads term ${term} without committed entry ${last}`)
  }

  /** Log matching: an index and a term name one entry, after one entry. */
  entry(server: string, entry: LogEntry, prevTerm: number | undefined): void {
    const key = `${this.epoch} ${entry.index} ${entry.term}`
    const text = String.fromCharCode(...entry.data.subarray(0, 48))
    const known = this.entries.get(key)
    if (known === undefined) {
      if (prevTerm !== undefined) this.entries.set(key, {prevTerm, type: entry.type, text})
      return
    }
    if (known.type !== entry.type || known.text !== text)
      throw new Broken(`${server} has another entry ${entry.index} of term ${entry.term}`)
    if (prevTerm !== undefined && known.prevTerm !== prevTerm)
      throw new Broken(`${server} has entry ${entry.index} of term ${entry.term} after another entry`)
  }

  /** State machine safety: what is applied at an index is the same everywhere and for ever. */
  applied(server: string, entry: LogEntry, state: StateMark): void {
    const known = this.chain[entry.index]
    if (known === undefined) {
      if (entry.index !== this.chain.length) throw new Broken(`${server} applies ${entry.index} too early`)
      this.chain.push(state)
      this.terms.push(entry.term)
      this.texts.push(String.fromCharCode(...entry.data))
      this.committedBy.push(this.newestTerm)
    } else if (known.hash !== state.hash) throw new Broken(`${server} applies another entry ${entry.index}`)
  }

  /** A state machine loaded from a snapshot is what applying would have made of it. */
  restored(server: string, state: StateMark): void {
    const known = this.chain[state.index]
    if (known === undefined || known.hash !== state.hash)
      throw new Broken(`${server} was restored to a state that never was, at ${state.index}`)
  }

  /** Hard state never goes back, and a vote is never changed within a term. */
  hardState(server: string, term: number, votedFor: string | undefined): void {
    const before = this.hard.get(server)
    if (before !== undefined) {
      if (term < before.term) throw new Broken(`the term of ${server} went back to ${term}`)
      if (term === before.term && before.votedFor !== undefined && votedFor !== before.votedFor)
        throw new Broken(`${server} voted for ${before.votedFor} and ${votedFor} in term ${term}`)
    }
    this.hard.set(server, {term, votedFor})
  }

  /** A disk was replaced, or a file began a new history: what was before binds no more. */
  forget(server: string): void {
    this.hard.delete(server)
  }

  /** A recovery by file: what its best log held is committed by decree, what only others held is given up. */
  newHistory(kept: readonly LogEntry[], base: StateMark): void {
    this.epoch += 1
    this.chain.length = base.index + 1
    this.terms.length = base.index + 1
    this.texts.length = base.index + 1
    this.committedBy.length = base.index + 1
    this.committedBy.fill(0)
    this.newestTerm = 0
    let state = base
    for (const entry of kept) {
      state = {index: entry.index, hash: fold(state.hash, entry)}
      this.chain.push(state)
      this.terms.push(entry.term)
      this.texts.push(String.fromCharCode(...entry.data))
      this.committedBy.push(0)
    }
  }
}
