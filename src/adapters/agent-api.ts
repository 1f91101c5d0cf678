import {readFileSync} from 'node:fs'
import {request as askHttp} from 'node:http'
import type {RequestOptions} from 'node:http'
import {request as askHttps} from 'node:https'
import {QuorateError} from '../errors.js'
import type {AgentApi, ApiAnswer, ApiRequest} from '../ports/agent-api.js'

/** An answer beyond this is refused. */
const BODY_MAX = 1 << 30
const DEFAULT_TIMEOUT_MS = 30_000

/** Where an agent is asked, and as whom. */
export interface AgentApiOptions {
  /** `host:port`, `http://…`, `https://…` or `unix:///path`; where there are several, the first that listens answers. */
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
  const api = {
    get address(): string {
      return options.addresses[chosen] ?? ''
    },
    async ask(request: ApiRequest): Promise<ApiAnswer> {
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

async function askAt(place: Place, {token, tls}: AgentApiOptions, request: ApiRequest): Promise<ApiAnswer> {
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
