import {createHash} from 'node:crypto'
import {makeObjectSplitter} from '../core/codec/json-objects.js'
import type {LogIndex} from '../core/model/ids.js'
import type {ContentsDigest, RaftStats} from '../core/model/observation.js'
import type {Reading, Source} from '../core/model/reading.js'
import {read, unread, valueOf} from '../core/model/reading.js'
import {parseAgentSelf} from '../core/codec/consul-api.js'
import {askAgentRpc} from './agent-rpc.js'
import type {ConsulApi} from './consul-questions.js'
import {ask, troubleOf} from './consul-questions.js'

const PATH = '/v1/kv/?recurse&stale'
const SELF_BYTES = 1024 * 1024
/** A value has at most 512 KiB (`maxKVSize`, agent/kvs_endpoint.go); in base64, with its key, it fits thrice. */
const OBJECT_MAX = 2 * 1024 * 1024
const CONTENTS_MS = 60_000

/**
 * A digest of the keys as this server sees them (`stale`), for the comparison of safety rule S16. The applied index is
 * read before and after; contents that moved meanwhile belong to no index and are unread. The body is taken in pieces,
 * so that contents of any size cost constant memory.
 */
export async function readContents(
  api: ConsulApi,
  options: {
    /** Bytes beyond which the contents are not read; without a limit by default. */
    readonly maxBytes?: number
    /** An applied index that was read before, which saves asking for it once. */
    readonly before?: LogIndex | undefined
  } = {},
): Promise<Reading<ContentsDigest>> {
  const source: Source = {host: api.host, via: 'api', what: PATH}
  const before = options.before ?? (await appliedIndex(api))
  if (before === undefined) return unread('failed', source, 'Its applied index was not read.')
  const hash = createHash('sha256')
  let keys = 0
  let broken = false
  const split = makeObjectSplitter(text => {
    const entry = parseEntry(text)
    if (entry === undefined) broken = true
    else {
      keys += 1
      hash.update(`${entry}\n`)
    }
  }, OBJECT_MAX)
  let withinBudget = true
  const {target, token, tls} = api
  const answer = await api.http.request(api.connection, {
    ...{method: 'GET', path: PATH, target, token, tls},
    timeoutMs: Math.max(api.timeoutMs, CONTENTS_MS),
    maxBytes: options.maxBytes ?? Number.MAX_SAFE_INTEGER,
    onChunk: bytes => {
      withinBudget = split(bytes) && withinBudget
    },
  })
  // A store without any key answers 404 with an empty body.
  const empty = answer.kind === 'answered' && answer.status === 404
  const trouble = empty ? undefined : troubleOf(answer)
  if (trouble !== undefined) return unread(trouble.why, source, trouble.detail)
  if (!withinBudget) return unread('over-budget', source, 'One entry is longer than is read.')
  if (broken) return unread('unparsable', source, 'An entry is not what the API describes.')
  const after = await appliedIndex(api)
  if (after !== before) return unread('changed', source, 'The contents changed while they were read.')
  return read({keys, sha256: hash.digest('hex'), appliedIndex: before}, source)
}

async function appliedIndex(api: ConsulApi): Promise<LogIndex | undefined> {
  return (await askRaftStats(api))?.appliedIndex
}

/** A server's own Raft statistics at this moment, whichever of its ports tells them. */
export async function askRaftStats(api: ConsulApi): Promise<RaftStats | undefined> {
  const self = valueOf(await ask(api, '/v1/agent/self', SELF_BYTES, parseAgentSelf))
  if (self === undefined || self.raft !== undefined) return self?.raft
  return (await askAgentRpc(api))?.raft
}

/** What counts of an entry, in one line: key, value, flags and the index that last changed it. */
function parseEntry(text: string): string | undefined {
  try {
    const entry = JSON.parse(text) as Readonly<Record<string, unknown>>
    const {Key: key, Value: value, Flags: flags, ModifyIndex: index} = entry
    if (typeof key !== 'string' || typeof index !== 'number') return undefined
    return JSON.stringify([key, value ?? null, flags ?? 0, index])
  } catch {
    return undefined // the caller says that the answer does not parse
  }
}
