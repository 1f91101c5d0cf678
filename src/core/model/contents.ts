import type {LogIndex} from './ids.js'

/** The key-value contents of one server in numbers, read in one answer. */
export interface ContentsDigest {
  readonly keys: number
  /** SHA-256 over keys, values, flags, ModifyIndex, LockIndex and session, in key order. */
  readonly sha256: string
  /** An index that the server had applied when it answered. */
  readonly appliedIndex: LogIndex
}

/** One key as one server has it. */
export interface KeySeen {
  /** Its ModifyIndex: the entry of the log that last changed it. */
  readonly modified: number
  /** A checksum over all that counts of it. */
  readonly sum: string
}

/**
 * The keys of one server as one answer shows them: the state after exactly one entry of the log. Which entry is not
 * told, so it is known between bounds.
 */
export interface ContentsSample {
  readonly host: string
  readonly digest: ContentsDigest
  /** Undefined when there are more than are held in memory. */
  readonly keys: ReadonlyMap<string, KeySeen> | undefined
  /** The server had applied this entry when it answered. */
  readonly from: LogIndex
  /** The server had applied no entry beyond this one when it answered. */
  readonly upTo: LogIndex
  /** Whether the server says that it kept back keys that our token may not read. */
  readonly filtered: boolean
}

/** What comparing the contents of several servers came to, key by key (safety rule S16). */
export interface ContentsComparison {
  /** The servers that were compared with one another. */
  readonly hosts: readonly string[]
  /** An index that all of them had applied: what no entry beyond it touches was compared. */
  readonly upTo: LogIndex
  /** Different keys that any of them has. */
  readonly keys: number
  /** Keys that are the same on all of them. */
  readonly same: number
  /** Keys that were changed or deleted while they were read, so that nothing can be said of them. */
  readonly moving: number
  /** Keys that look different, which a second reading neither confirmed nor cleared. */
  readonly doubtful: number
  /** Keys that differ and always will. */
  readonly divergent: Divergence | undefined
}

/** Keys that differ between servers although each has applied what the other shows. */
export interface Divergence {
  readonly keys: number
  /** The servers in groups within which no key was found to differ. */
  readonly sides: readonly (readonly string[])[]
  /** A few of them. */
  readonly examples: readonly DivergentKey[]
}

/** One key that differs, as each server has it; `modified` is undefined where it is missing. */
export interface DivergentKey {
  /** As the server tells it: hostile text. */
  readonly key: string
  readonly seen: readonly {
    readonly host: string
    readonly modified: number | undefined
    readonly sum: string | undefined
  }[]
}
