import {request} from 'node:http'
import type {Agent} from 'node:http'

/** An answer of an agent's HTTP API. */
export interface ApiAnswer {
  readonly status: number
  readonly text: string
}

const PORT = 8500
const BODY_MAX = 64 * 1024 * 1024

/** Asks an agent's API on its own loopback address. Throws where there is no whole answer in time. */
export async function askApi(
  address: string,
  path: string,
  options: {
    readonly method?: 'GET' | 'PUT'
    readonly body?: string
    readonly timeoutMs?: number
    readonly agent?: Agent
  } = {},
): Promise<ApiAnswer> {
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: address,
        port: PORT,
        path,
        method: options.method ?? 'GET',
        ...(options.agent === undefined ? {} : {agent: options.agent}),
        ...(options.body === undefined ? {} : {headers: {'content-length': Buffer.byteLength(options.body)}}),
      },
      response => {
        const chunks: Buffer[] = []
        let size = 0
        response.on('data', (chunk: Buffer) => {
          size += chunk.length
          if (size > BODY_MAX) asked.destroy(new Error(`The answer is larger than ${BODY_MAX} bytes.`))
          chunks.push(chunk)
        })
        response.once('error', reject)
        response.once('end', () =>
          resolve({status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8')}),
        )
      },
    )
    // One limit for the whole answer: an idle timeout would never end a body that drips
    const timer = setTimeout(() => asked.destroy(new Error('no answer in time')), options.timeoutMs ?? 1000)
    asked.once('close', () => clearTimeout(timer))
    asked.once('error', reject)
    asked.end(options.body)
  })
}

/** The Raft address of the leader that an agent knows: empty when it knows none, undefined when it does not answer. */
export async function leaderSeenBy(address: string): Promise<string | undefined> {
  try {
    const {status, text} = await askApi(address, '/v1/status/leader')
    if (status !== 200) return ''
    const leader: unknown = JSON.parse(text)
    return typeof leader === 'string' ? leader : ''
  } catch {
    return undefined // it is stopped, paused or cut off
  }
}

/** What an agent says of itself at `/v1/agent/self`, as far as clusters need it. */
export interface AgentSelfFacts {
  readonly version: string | undefined
  readonly role: string | undefined
  readonly lastIndex: number | undefined
}

/** Asks an agent about itself; undefined when it does not answer. */
export async function askSelf(address: string): Promise<AgentSelfFacts | undefined> {
  try {
    const {status, text} = await askApi(address, '/v1/agent/self')
    if (status !== 200) return undefined
    const self = JSON.parse(text) as {
      readonly Config?: {readonly Version?: string}
      readonly Stats?: {readonly raft?: Readonly<Record<string, string>>}
    }
    const raft = self.Stats?.raft
    const last = Number(raft?.['last_log_index'] ?? NaN)
    return {
      version: self.Config?.Version,
      role: raft?.['state']?.toLowerCase(),
      lastIndex: Number.isFinite(last) ? last : undefined,
    }
  } catch {
    return undefined // it is stopped, paused or cut off
  }
}
