import {createServer} from 'node:http'
import type {IncomingMessage, Server, ServerResponse} from 'node:http'
import type {AddressInfo, Socket} from 'node:net'
import {Readable} from 'node:stream'
import {pipeline} from 'node:stream/promises'
import type {HttpAnswer, HttpRequest} from '../backend.js'
import type {HttpApi} from './api.js'
import {textAnswer} from './answers.js'
import {tooLarge} from './kv.js'

const BODY_MAX = 8 * 1024 * 1024
const SNAPSHOT_MAX = 1024 * 1024 * 1024
const HEADERS_TIMEOUT_MS = 20_000
const REQUEST_TIMEOUT_MS = 600_000
const IDLE_TIMEOUT_MS = 120_000
const HEADERS_BYTES_MAX = 32 * 1024
const HEADERS_MAX = 200
const NOTHING = new Uint8Array(0)

/** Where to listen: an address, or a socket in the file system. */
export type HttpListen = {readonly host: string; readonly port: number} | {readonly path: string}

/** A listening server. */
export interface HttpServer {
  /** The port it has, when asked for port 0, too; undefined for a socket in the file system. */
  readonly port: number | undefined
  /** Stops listening and hangs up on everybody, blocking queries included. */
  close(): Promise<void>
}

/** Serves the API over HTTP; rejects when it cannot listen there. */
export async function serveHttp(api: HttpApi, listen: HttpListen): Promise<HttpServer> {
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: IDLE_TIMEOUT_MS,
      maxHeaderSize: HEADERS_BYTES_MAX,
      noDelay: true,
    },
    (request, response) => receive(api, request, response),
  )
  server.maxHeadersCount = HEADERS_MAX
  limitConnections(server, () => api.limits.httpConnectionsMax)
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (Number(request.headers['content-length'] ?? 0) <= bodyMax(api, request)) response.writeContinue()
    receive(api, request, response)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(listen, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const address = server.address()
  return {
    port: typeof address === 'object' ? (address as AddressInfo | null)?.port : undefined,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** An address that has too many connections is told so and hung up on. */
function limitConnections(server: Server, most: () => number): void {
  const counts = new Map<string, number>()
  server.on('connection', (socket: Socket) => {
    const from = socket.remoteAddress ?? ''
    const count = (counts.get(from) ?? 0) + 1
    counts.set(from, count)
    socket.once('close', () => {
      const left = (counts.get(from) ?? 1) - 1
      if (left === 0) counts.delete(from)
      else counts.set(from, left)
    })
    if (count <= most() || from === '') return
    const text = 'Your IP is issuing too many concurrent connections, please rate limit your calls\n'
    socket.end(
      `HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\nContent-Length: ${text.length}\r\nConnection: close\r\n\r\n${text}`,
    )
  })
}

const isKv = (request: IncomingMessage): boolean => request.url?.startsWith('/v1/kv/') === true

function bodyMax({limits}: HttpApi, request: IncomingMessage): number {
  if (isKv(request)) return limits.kvValueBytesMax
  return request.url?.startsWith('/v1/snapshot') === true ? SNAPSHOT_MAX : BODY_MAX
}

function receive(api: HttpApi, request: IncomingMessage, response: ServerResponse): void {
  const {method} = request
  if (
    method === 'GET' ||
    (request.headers['content-length'] === '0' && !('transfer-encoding' in request.headers))
  ) {
    // What a GET may bring along is of no interest, but must be taken off the connection.
    request.resume()
    return respond(api, request, response, NOTHING)
  }
  const most = bodyMax(api, request)
  const told = Number(request.headers['content-length'] ?? 0)
  if (told > most) return refuse(request, response, told, most)
  let first: Buffer | undefined
  let more: Buffer[] | undefined
  let length = 0
  request.on('data', (chunk: Buffer) => {
    length += chunk.length
    if (length > most) {
      more = undefined
      first = undefined
      request.removeAllListeners('data')
      request.removeAllListeners('end')
      return refuse(request, response, length, most)
    }
    if (first === undefined) first = chunk
    else (more ??= [first]).push(chunk)
  })
  request.on('end', () =>
    respond(api, request, response, more === undefined ? (first ?? NOTHING) : Buffer.concat(more, length)),
  )
  // A client that went away before its request was whole needs no answer.
  request.on('error', () => undefined)
}

function respond(api: HttpApi, incoming: IncomingMessage, response: ServerResponse, body: Uint8Array): void {
  const request: HttpRequest = {
    method: incoming.method ?? '',
    target: incoming.url ?? '/',
    headers: NO_HEADERS,
    body,
    onGone: callback => response.once('close', callback),
  }
  api.answer(request).then(
    answer => send(response, answer, request.method === 'HEAD'),
    () => response.destroy(),
  )
}

/** No header of a client changes an answer. */
const NO_HEADERS: Readonly<Record<string, string>> = {}

function send(response: ServerResponse, {status, headers, body}: HttpAnswer, head: boolean): void {
  if (response.destroyed) return
  if (body instanceof Uint8Array) {
    response.writeHead(status, {...headers, 'Content-Length': body.length})
    response.end(head ? undefined : body)
    return
  }
  response.writeHead(status, headers)
  response.flushHeaders()
  // A reader that goes away, or a source that fails half-way, ends the connection: the answer is then visibly not whole.
  pipeline(Readable.from(body, {objectMode: false}), response).catch(() => response.destroy())
}

/** A body that is too large is not read to its end. */
function refuse(request: IncomingMessage, response: ServerResponse, length: number, most: number): void {
  const failure = tooLarge(length, most)
  const {headers, body} = isKv(request)
    ? textAnswer(413, failure.message)
    : textAnswer(413, `Request body(${length} bytes) too large, max size: ${most} bytes.`)
  response.writeHead(413, {...headers, Connection: 'close'})
  response.end(body, () => request.destroy())
}
