import {readFileSync} from 'node:fs'
import {request as askHttp} from 'node:http'
import type {RequestOptions} from 'node:http'
import {request as askHttps} from 'node:https'
import {setTimeout as sleep} from 'node:timers/promises'
import {QuorateError} from '../errors.js'
import type {AgentApi, ApiAnswer, ApiRequest} from '../ports/agent-api.js'

/** An answer beyond this is refused. */
const BODY_MAX = 1 << 30
const DEFAULT_TIMEOUT_MS = 30_000
/** Of several addresses the next is tried, too, when one is silent for so long; none has longer than the other. */
const HEAD_START_MS = 300
const SEARCH_MS = 5000

/** Where an agent is asked, and as whom. */
export interface AgentApiOptions {
  /** `host:port`, `http://…`, `https://…` or `unix:///path`; where there are several, the first that answers is asked. */
  readonly addresses: readonly string[]
  /** Sent as `X-Consul-Token`. */
  readonly token: string | undefined
  readonly tls: {
    readonly caFile: string | undefined
    readonly certFile: string | undefined
    readonly keyFile: string | undefined
    readonly serverName: string | undefined
    readonly verify: boolean
  }
}

interface Place {
  readonly secure: boolean
  readonly to: Pick<RequestOptions, 'host' | 'port' | 'socketPath'>
  /** In front of every path, where the address has one. */
  readonly prefix: string
}

/** Speaks to an agent's HTTP API from this machine. Throws USAGE for an address that is none. */
export function makeAgentApi(options: AgentApiOptions): AgentApi {
  const places = options.addresses.map(address => ({address, place: parsePlace(address)}))
  let chosen = 0
  let found: Promise<number> | undefined
  const api = {
    get address(): string {
      return options.addresses[chosen] ?? ''
    },
    async ask(request: ApiRequest): Promise<ApiAnswer> {
      if (places.length > 1) {
        // Once: what is asked later goes to the same agent
        found ??= firstThatAnswers(places, options)
        chosen = Math.max(chosen, await found)
      }
      for (;;) {
        const {address = '', place} = places[chosen] ?? {}
        if (place === undefined) throw new QuorateError('USAGE', 'No address of an HTTP API was given.')
        try {
          return await askAt(place, options, request)
        } catch (error) {
          if (isUnconnected(error) && chosen + 1 < places.length) {
            chosen += 1
            continue
          }
          throw unreachable(address, error)
        }
      }
    },
  }
  return api
}

/**
 * Which of several agents answers first, those in front given a head start. One that is stopped is connected to by the
 * system all the same and never answers: nothing that matters may be sent before it is known to be alive.
 */
async function firstThatAnswers(
  places: readonly {readonly address: string; readonly place: Place}[],
  options: AgentApiOptions,
): Promise<number> {
  const done = new AbortController()
  const attempts: Promise<number>[] = []
  const failures: {readonly address: string; readonly error: unknown}[] = []
  try {
    for (const [at, {address, place}] of places.entries()) {
      const request = {method: 'GET', path: '/v1/status/leader', timeoutMs: SEARCH_MS} as const
      const attempt = askAt(place, options, request, done.signal).then(() => at)
      attempts.push(attempt)
      const failed = attempt.then(
        () => undefined,
        (error: unknown) => void failures.push({address, error}),
      )
      const first = Promise.any(attempts).catch(() => undefined)
      const late = sleep(HEAD_START_MS, undefined, {signal: done.signal}).catch(() => undefined)
      const winner = await Promise.race([first, failed.then(() => first), late])
      if (winner !== undefined) return winner
    }
    return await Promise.any(attempts)
  } catch {
    const told = failures.find(({error}) => !isUnconnected(error)) ?? failures.at(-1)
    throw unreachable(told?.address ?? '', told?.error)
  } finally {
    done.abort()
  }
}

function parsePlace(address: string): Place {
  const socketPath = /^unix:\/\/(\/.*)$/.exec(address)?.[1]
  if (socketPath !== undefined) return {secure: false, to: {socketPath}, prefix: ''}
  const text = /^[a-z]+:\/\//i.test(address) ? address : `http://${address}`
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol) || url.hostname === '')
    throw new QuorateError(
      'USAGE',
      `'${address.slice(0, 100)}' is not an address such as 127.0.0.1:8500 or unix:///path.`,
    )
  const secure = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  // Consul's own default, which is not that of the web
  const port =
    url.port !== '' ? Number(url.port) : /:\d+\/?$/.test(text) ? (secure ? 443 : 80) : secure ? 8501 : 8500
  return {secure, to: {host, port}, prefix: url.pathname.replace(/\/$/, '')}
}

async function askAt(
  place: Place,
  {token, tls}: AgentApiOptions,
  request: ApiRequest,
  signal?: AbortSignal,
): Promise<ApiAnswer> {
  const {method, path, body, timeoutMs = DEFAULT_TIMEOUT_MS, onChunk} = request
  const headers = {
    'user-agent': 'quorate',
    ...(token === undefined ? {} : {'x-consul-token': token}),
    ...(method === 'PUT' || method === 'POST' ? {'content-length': String(body?.length ?? 0)} : {}),
  }
  const secure = place.secure
    ? {
        ...file('ca', tls.caFile),
        ...file('cert', tls.certFile),
        ...file('key', tls.keyFile),
        ...(tls.serverName === undefined ? {} : {servername: tls.serverName}),
        rejectUnauthorized: tls.verify,
      }
    : {}
  return new Promise((resolve, reject) => {
    const options = {
      ...place.to,
      ...secure,
      method,
      path: `${place.prefix}${path}`,
      headers,
      agent: false,
      ...(signal === undefined ? {} : {signal}),
    } as const
    const asked = (place.secure ? askHttps : askHttp)(options, response => {
      const status = response.statusCode ?? 0
      const streamed = onChunk !== undefined && status === 200
      if (streamed) clearTimeout(timer)
      const chunks: Buffer[] = []
      let size = 0
      response.on('data', (chunk: Buffer) => {
        if (streamed) {
          onChunk(chunk)
          return
        }
        size += chunk.length
        if (size > BODY_MAX) asked.destroy(new Error(`the answer is larger than ${BODY_MAX} bytes`))
        else chunks.push(chunk)
      })
      response.once('error', reject)
      response.once('end', () => resolve({status, body: Buffer.concat(chunks)}))
    })
    const timer = setTimeout(
      () => asked.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)),
      timeoutMs,
    )
    asked.once('close', () => clearTimeout(timer))
    asked.once('error', reject)
    asked.end(body)
  })
}

function file(name: 'ca' | 'cert' | 'key', path: string | undefined): Readonly<Record<string, Buffer>> {
  if (path === undefined) return {}
  try {
    return {[name]: readFileSync(path)}
  } catch (error) {
    throw new QuorateError('USAGE', `${path} cannot be read: ${(error as Error).message}.`)
  }
}

/** Whether nothing was sent: another address may be asked instead. */
function isUnconnected(error: unknown): boolean {
  return ['ECONNREFUSED', 'ENOENT', 'EHOSTUNREACH'].includes((error as NodeJS.ErrnoException).code ?? '')
}

function unreachable(address: string, error: unknown): unknown {
  if (error instanceof QuorateError) return error
  const {code, message} = error as NodeJS.ErrnoException
  const why: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'connection refused',
    ENOENT: 'there is no such socket',
    ENOTFOUND: 'the name is not known',
    EACCES: 'permission denied',
    ECONNRESET: 'the connection was cut',
  }
  return new QuorateError(
    'API_UNREACHABLE',
    `No agent answers at ${address}: ${why[code ?? ''] ?? message}.`,
    {
      hints: ['quorate agent -dev', 'export QUORATE_HTTP_ADDR=HOST:PORT'],
      cause: error,
    },
  )
}
