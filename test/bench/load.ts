import {execa} from 'execa'
import {fileURLToPath} from 'node:url'

const client = fileURLToPath(new URL('load-client.js', import.meta.url))

/** What a load brought. */
export interface LoadResult {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly failed: number
}

/** What is asked, one key after the other. */
export interface LoadKind {
  readonly verb: 'get' | 'put'
  /** Different keys, named `bench/0` and so on. */
  readonly keys: number
  /** Requests in all; no end by default. */
  readonly times?: number
  readonly valueBytes?: number
}

/** Sends requests over some connections for a time, or until there are no more, from a process of its own. */
export async function load(
  host: string,
  connections: number,
  seconds: number,
  {verb, keys, times = Number.MAX_SAFE_INTEGER, valueBytes = 0}: LoadKind,
): Promise<LoadResult> {
  const words = [host, connections, seconds, verb, keys, times, valueBytes].map(String)
  const {stdout} = await execa(process.execPath, [client, ...words], {env: {NODE_OPTIONS: ''}})
  return JSON.parse(stdout) as LoadResult
}
