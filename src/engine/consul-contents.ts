import {createHash} from 'node:crypto'
import {makeObjectSplitter} from '../core/codec/json-objects.js'
import type {ContentsDigest, ContentsSample, KeySeen} from '../core/model/contents.js'
import {logIndex} from '../core/model/ids.js'
import type {RaftStats} from '../core/model/observation.js'
import type {NotRead, Reading, Source, Unread} from '../core/model/reading.js'
import {read, unread, valueOf} from '../core/model/reading.js'
import {parseAgentSelf} from '../core/codec/consul-api.js'
import type {HttpAnswer} from '../ports/http.js'
import {askAgentRpc} from './agent-rpc.js'
import type {ConsulApi} from './consul-questions.js'
import {ask, troubleOf} from './consul-questions.js'

const PATH = '/v1/kv/?recurse&stale'
const SELF_BYTES = 1024 * 1024
/** A value has at most 512 KiB (`maxKVSize`, agent/kvs_endpoint.go); in base64, with its key, it fits thrice. */
const OBJECT_MAX = 2 * 1024 * 1024
const CONTENTS_MS = 60_000
/** Keys of one server held in memory, some 100 bytes each; of more, only the digest is compared. */
const KEYS_MAX = 500_000

/** The contents of one server; the sample is there where they were read. */
export interface ContentsRead {
  readonly reading: Reading<ContentsDigest>
  readonly sample: ContentsSample | undefined
}

/**
 * The keys as this server sees them (`stale`), for the comparison of safety rule S16. One answer is one moment of its
 * state machine, and the statistics before and after it say between which entries of the log that moment lies. The body
 * is taken in pieces and only checksums of its values are kept.
 */
export async function readContents(
  api: ConsulApi,
  options: {
    /** Bytes beyond which the contents are not read; without a limit by default. */
    readonly maxBytes?: number
    /** Statistics that were read before, which saves asking for them once. */
    readonly before?: RaftStats | undefined
  } = {},
): Promise<ContentsRead> {
  const source: Source = {host: api.host, via: 'api', what: PATH}
  const before = options.before ?? (await askRaftStats(api))
  if (before === undefined) return unreadContents('failed', source, 'Its applied index was not read.')
  const entries = new EntryTaker()
  const {target, token, tls} = api
  const answer = await api.http.request(api.connection, {
    ...{method: 'GET', path: PATH, target, token, tls},
    timeoutMs: Math.max(api.timeoutMs, CONTENTS_MS),
    maxBytes: options.maxBytes ?? Number.MAX_SAFE_INTEGER,
    onChunk: bytes => entries.take(bytes),
  })
  // A store without any key answers 404 with an empty body.
  const empty = answer.kind === 'answered' && answer.status === 404
  const trouble = empty ? undefined : troubleOf(answer)
  if (trouble !== undefined) return unreadContents(trouble.why, source, trouble.detail)
  if (!entries.withinBudget) return unreadContents('over-budget', source, 'One entry is longer than is read.')
  if (entries.broken) return unreadContents('unparsable', source, 'An entry is not what the API describes.')
  const after = await askRaftStats(api)
  if (after === undefined) return unreadContents('failed', source, 'Its applied index was not read.')
  if (after.appliedIndex < before.appliedIndex)
    return unreadContents('changed', source, 'The server started again while they were read.')
  return sampleOf(api.host, source, {entries, before, after, answer})
}

function sampleOf(
  host: string,
  source: Source,
  {
    entries,
    before,
    after,
    answer,
  }: {entries: EntryTaker; before: RaftStats; after: RaftStats; answer: HttpAnswer},
): ContentsRead {
  const headers = answer.kind === 'answered' ? answer.headers : {}
  const told = Number(headers['x-consul-index'] ?? 0)
  // What its state machine shows it has applied; what Raft handed to it counts once nothing waits any more.
  const seen = Math.max(entries.newest, Number.isSafeInteger(told) ? told : 0)
  const handed = (before.fsmPending ?? 0) === 0 ? before.appliedIndex : 0
  // Nothing is applied before it is committed. After a start only the snapshot is, whatever the commit index says.
  const upTo = Math.max(after.commitIndex, after.appliedIndex, after.snapshotIndex)
  const from = logIndex(Math.min(Math.max(seen, handed), upTo))
  const digest: ContentsDigest = {keys: entries.count, sha256: entries.digest(), appliedIndex: from}
  const filtered = headers['x-consul-results-filtered-by-acls'] === 'true'
  return {
    reading: read(digest, source),
    sample: {host, digest, keys: entries.keys, from, upTo: logIndex(upTo), filtered},
  }
}

/** The entries of an answer as they arrive. */
class EntryTaker {
  withinBudget = true
  broken = false
  count = 0
  /** The highest ModifyIndex so far. */
  newest = 0
  keys: Map<string, KeySeen> | undefined = new Map<string, KeySeen>()
  readonly #hash = createHash('sha256')
  readonly #split = makeObjectSplitter(text => {
    this.#add(text)
  }, OBJECT_MAX)

  take(bytes: Uint8Array): void {
    this.withinBudget = this.#split(bytes) && this.withinBudget
  }

  digest(): string {
    return this.#hash.digest('hex')
  }

  #add(text: string): void {
    const entry = parseEntry(text)
    if (entry === undefined) {
      this.broken = true
      return
    }
    this.count += 1
    this.newest = Math.max(this.newest, entry.modified)
    this.#hash.update(`${entry.line}\n`)
    if (this.count > KEYS_MAX) this.keys = undefined
    const sum = createHash('sha256').update(entry.line).digest('base64url').slice(0, 16)
    this.keys?.set(entry.key, {modified: entry.modified, sum})
  }
}

/** Contents that were not read, for a reason. */
export function unreadContents(why: Unread, source: Source, detail: string): ContentsRead {
  const reading: NotRead = unread(why, source, detail)
  return {reading, sample: undefined}
}

/** A server's own Raft statistics at this moment, whichever of its ports tells them. */
export async function askRaftStats(api: ConsulApi): Promise<RaftStats | undefined> {
  const self = valueOf(await ask(api, '/v1/agent/self', SELF_BYTES, parseAgentSelf))
  if (self === undefined || self.raft !== undefined) return self?.raft
  return (await askAgentRpc(api))?.raft
}

/**
 * What counts of an entry: its key and the index that last changed it, and all in one line. Locks count, for taking and
 * giving them up sets ModifyIndex too; CreateIndex says nothing that ModifyIndex does not.
 */
function parseEntry(text: string): {key: string; modified: number; line: string} | undefined {
  try {
    const entry = JSON.parse(text) as Readonly<Record<string, unknown>>
    const {Key: key, Value: value, Flags: flags, ModifyIndex: modified, LockIndex: lock, Session: by} = entry
    if (typeof key !== 'string' || typeof modified !== 'number') return undefined
    const line = JSON.stringify([key, value ?? null, flags ?? 0, modified, lock ?? 0, by ?? ''])
    return {key, modified, line}
  } catch {
    return undefined // the caller says that the answer does not parse
  }
}
