import type {
  ContentsComparison,
  ContentsSample,
  Divergence,
  DivergentKey,
  KeySeen,
} from '../model/contents.js'
import {logIndex} from '../model/ids.js'

/** How many keys that differ are told by name. */
const EXAMPLES_MAX = 5

/** Two servers that cannot both be right about a key, until another reading decides. */
interface Suspect {
  readonly hosts: string
  readonly states: string
  /** No entry beyond this one was applied by either when it was first seen. */
  readonly until: number
}

/** What one round of readings left to be decided by the next. */
export interface Suspicions {
  readonly byKey: ReadonlyMap<string, readonly Suspect[]>
  /** What each server that was compared had applied in that round. */
  readonly from: ReadonlyMap<string, number>
}

/** A round judged. */
export interface ComparedContents {
  readonly comparison: ContentsComparison
  readonly suspicions: Suspicions
}

/**
 * Compares the keys of servers under one leader that each were read at a moment of their own, while writes go on.
 *
 * Every sample is the state F(i) after some entry i of the one log, with `from` <= i <= `upTo`, and every change of a
 * key, locks and sessions included, sets its ModifyIndex to its entry (`kvsSetTxn`, consul agent/consul/state/kvs.go).
 * So of sound servers a and b, where a shows key k with ModifyIndex m:
 *
 * 1. b shows k with m as well: then all else of k is the same, whatever the two indexes are.
 * 2. b shows k with a smaller index: then b has not applied m yet. If b's `from` is m or more, that cannot be.
 * 3. b lacks k: then b has not applied m yet or has applied a deletion d > m that a has not. Deletions leave no trace in
 *    k, so where b's `from` is m or more the key is a suspect. Since b had applied d, d is at most b's `upTo`. In a later
 *    round in which a's `from` has reached that, a has applied d too, and cannot show k with m any longer. If it does,
 *    there was no d.
 * 4. m is at most a's own `upTo`: a key from beyond a server's own log came from another history.
 *
 * One round therefore raises suspects only, and never an alarm. The alarm is given by a second round that begins when
 * both servers of a pair have applied all that either had in the first, and finds both states unchanged. For 3 that is
 * the proof. For 1, 2 and 4 one round would do; the second one bears with what is outside the argument: a server started
 * again between its questions, a snapshot restored by a user (`PUT /v1/snapshot`, which puts old indexes back in one
 * entry, here before there), and Raft's `applied_index`, which is counted when an entry is handed to the state machine
 * and not when it is done (`processLogs`, hashicorp/raft raft.go).
 * Only a user's snapshot that is restored during the second round, and brings back a key whose deletion the first one
 * fell upon, could still deceive it.
 *
 * What it cannot see, and counts as `moving`: keys that were changed or deleted between the readings of the round.
 * What it does not look at: sessions and the catalog. What our token may not read is not seen; servers of which
 * only some say that they kept keys back are not set against each other, for they may not know the same rights yet.
 */
export function compareContents(
  samples: readonly ContentsSample[],
  before: Suspicions | undefined,
): ComparedContents {
  const [first] = samples
  if (first !== undefined && samples.every(({digest}) => digest.sha256 === first.digest.sha256)) {
    const {keys} = first.digest
    const counts = {keys, same: keys, moving: 0, doubtful: 0, divergent: undefined}
    return {
      comparison: {...scopeOf(samples), ...counts},
      suspicions: {byKey: new Map(), from: fromOf(samples)},
    }
  }
  const listed = samples.filter(sample => sample.keys !== undefined)
  const tally = new Tally(listed, before)
  listed.forEach(({keys}, at) => {
    for (const key of keys?.keys() ?? [])
      if (!listed.slice(0, at).some(earlier => earlier.keys?.has(key) === true)) tally.add(key)
  })
  return {
    comparison: {...scopeOf(listed), ...tally.counts, divergent: tally.divergence()},
    suspicions: {byKey: tally.suspects, from: fromOf(listed)},
  }
}

const fromOf = (samples: readonly ContentsSample[]): ReadonlyMap<string, number> =>
  new Map(samples.map(({host, from}) => [host, from]))

function scopeOf(samples: readonly ContentsSample[]): Pick<ContentsComparison, 'hosts' | 'upTo'> {
  const [first, ...others] = samples.map(({from}) => from)
  return {
    hosts: samples.map(({host}) => host),
    upTo: others.reduce((least, from) => logIndex(Math.min(least, from)), first ?? logIndex(0)),
  }
}

/** Judges key after key and keeps count. */
class Tally {
  readonly counts = {keys: 0, same: 0, moving: 0, doubtful: 0}
  readonly suspects = new Map<string, readonly Suspect[]>()
  readonly #clashes = new Set<string>()
  readonly #examples: DivergentKey[] = []
  #divergent = 0

  constructor(
    private readonly samples: readonly ContentsSample[],
    private readonly before: Suspicions | undefined,
  ) {}

  add(key: string): void {
    this.counts.keys += 1
    const row = this.samples.map((sample): Seen => ({sample, seen: sample.keys?.get(key)}))
    const state = stateOf(row[0]?.seen)
    if (row.every(({seen}) => stateOf(seen) === state)) {
      this.counts.same += 1
      return
    }
    const suspects: Suspect[] = []
    let [isDivergent, isDoubtful] = [false, false]
    for (const [at, a] of row.entries())
      for (const b of row.slice(at + 1)) {
        if (!clash(a, b)) continue
        const suspect = this.#suspect(key, a, b)
        suspects.push(suspect.kept)
        isDivergent ||= suspect.is === 'confirmed'
        isDoubtful ||= suspect.is === 'open'
        if (suspect.is === 'confirmed') this.#clashes.add(suspect.kept.hosts)
      }
    if (suspects.length > 0) this.suspects.set(key, suspects)
    if (isDivergent) {
      this.#divergent += 1
      if (this.#examples.length < EXAMPLES_MAX)
        this.#examples.push({
          key,
          seen: row.map(({sample: {host}, seen}) => ({host, modified: seen?.modified, sum: seen?.sum})),
        })
    } else if (isDoubtful) this.counts.doubtful += 1
    else this.counts.moving += 1
  }

  /**
   * What is known of two servers that clash over a key. `cleared`: in the round before, both had applied what they show
   * now and did not clash, so the key has been changed or deleted since.
   */
  #suspect(key: string, a: Seen, b: Seen): {is: 'confirmed' | 'open' | 'cleared'; kept: Suspect} {
    const hosts = pairName(a.sample.host, b.sample.host)
    const states = JSON.stringify([stateOf(a.seen), stateOf(b.seen)])
    const earlier = this.before?.byKey.get(key)?.find(suspect => suspect.hosts === hosts)
    if (earlier?.states === states) {
      const decides = [a, b].every(({sample}) => sample.from >= earlier.until)
      return {is: decides ? 'confirmed' : 'open', kept: earlier}
    }
    const comparable = a.sample.filtered === b.sample.filtered
    const until = comparable ? Math.max(a.sample.upTo, b.sample.upTo) : Infinity
    const newest = Math.max(a.seen?.modified ?? 0, b.seen?.modified ?? 0)
    const wasLooked = [a, b].every(({sample}) => newest <= (this.before?.from.get(sample.host) ?? -1))
    const isCleared = comparable && earlier === undefined && wasLooked
    return {is: isCleared ? 'cleared' : 'open', kept: {hosts, states, until}}
  }

  divergence(): Divergence | undefined {
    if (this.#divergent === 0) return undefined
    const sides: string[][] = []
    for (const {host} of this.samples) {
      const side = sides.find(others => !others.some(other => this.#clashes.has(pairName(other, host))))
      if (side === undefined) sides.push([host])
      else side.push(host)
    }
    return {keys: this.#divergent, sides, examples: this.#examples}
  }
}

interface Seen {
  readonly sample: ContentsSample
  readonly seen: KeySeen | undefined
}

const stateOf = (seen: KeySeen | undefined): string =>
  seen === undefined ? '' : `${seen.modified} ${seen.sum}`
const pairName = (a: string, b: string): string => JSON.stringify([a, b])

/** Whether two sound servers could not show this, deletions and what is kept back from us left aside. */
function clash(a: Seen, b: Seen): boolean {
  if (stateOf(a.seen) === stateOf(b.seen)) return false
  if (a.seen?.modified === b.seen?.modified || a.sample.filtered !== b.sample.filtered) return true
  return contradicts(a, b) || contradicts(b, a)
}

/** Whether `b` has applied what `a` shows and yet shows something older or nothing. */
function contradicts({sample, seen}: Seen, b: Seen): boolean {
  if (seen === undefined) return false
  if (seen.modified > sample.upTo) return true
  return seen.modified <= b.sample.from && (b.seen === undefined || b.seen.modified < seen.modified)
}
