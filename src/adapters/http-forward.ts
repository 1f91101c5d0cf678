import {readFile} from 'node:fs/promises'
import {Duplex} from 'node:stream'
import {connect as tlsConnect} from 'node:tls'
import type {Dispatcher, Pool} from 'undici'
import type {Unread} from '../core/model/reading.js'
import {printable} from '../core/text.js'
import type {HttpAnswer, HttpRequest, HttpTls} from '../ports/http.js'
import {TransportError} from '../ports/transport.js'
import type {ByteStream, ForwardTarget, HostConnection} from '../ports/transport.js'

/** Sockets of one connection to one API; more questions at a time wait for one of them. */
const SOCKETS_MAX = 6

const pools = new WeakMap<HostConnection, Map<string, Promise<Pool>>>()

/** A byte stream as a socket that undici and TLS can use. */
function duplexOf(stream: ByteStream): Duplex {
  const chunks = stream.chunks[Symbol.asyncIterator]()
  const duplex = new Duplex({
    read() {
      chunks.next().then(
        ({value, done}) => duplex.push(done === true ? null : value),
        (error: unknown) => duplex.destroy(error as Error),
      )
    },
    write(chunk: Buffer, _encoding, done) {
      stream.write(chunk).then(() => done(), done)
    },
    final(done) {
      done()
    },
    destroy(error, done) {
      stream.close()
      done(error)
    },
  })
  return duplex
}

async function file(path: string | undefined): Promise<Buffer | undefined> {
  return path === undefined ? undefined : readFile(path)
}

async function withTls(socket: Duplex, tls: HttpTls, target: ForwardTarget): Promise<Duplex> {
  const [ca, cert, key] = await Promise.all([file(tls.caFile), file(tls.certFile), file(tls.keyFile)])
  const host = target.kind === 'tcp' ? target.host : 'localhost'
  const named = tls.serverName ?? (/^[\d.]+$|:/.test(host) ? undefined : host)
  return new Promise((resolve, reject) => {
    const secure = tlsConnect({
      socket,
      ...(ca === undefined ? {} : {ca}),
      ...(cert === undefined ? {} : {cert}),
      ...(key === undefined ? {} : {key}),
      ...(named === undefined ? {host} : {servername: named, host: named}),
      rejectUnauthorized: tls.verify,
    })
    secure.once('secureConnect', () => resolve(secure))
    // A certificate that the server refuses shows after the handshake; its end would hide that reason from undici.
    secure.on('error', error => {
      reject(error)
      secure.destroy(error)
    })
  })
}

interface Undici {
  readonly ThinPool: typeof Pool
  readonly ask: (this: Pool, options: Dispatcher.RequestOptions) => Promise<Dispatcher.ResponseData>
}

/** The two parts of undici that are used here: loading the whole package takes four times as long. */
export async function loadUndici(): Promise<Undici> {
  const parts: readonly string[] = ['undici/lib/dispatcher/pool.js', 'undici/lib/api/api-request.js']
  const [pool, ask] = await Promise.all(parts.map(async part => import(part) as Promise<{default: unknown}>))
  return {ThinPool: pool?.default as Undici['ThinPool'], ask: ask?.default as Undici['ask']}
}

async function openPool(connection: HostConnection, request: HttpRequest): Promise<Pool> {
  const {ThinPool} = await loadUndici()
  const {target, tls} = request
  const connect = (_options: unknown, done: (error: Error | null, socket: Duplex | null) => void): void => {
    connection
      .forward(target, request.timeoutMs)
      .then(async stream => (tls === undefined ? duplexOf(stream) : withTls(duplexOf(stream), tls, target)))
      .then(
        socket => done(null, socket),
        (error: unknown) => done(error as Error, null),
      )
  }
  return new ThinPool('http://host', {
    connections: SOCKETS_MAX,
    connect: connect as never,
    keepAliveTimeout: 10_000,
    headersTimeout: 0,
    bodyTimeout: 0,
  })
}

async function poolFor(connection: HostConnection, request: HttpRequest): Promise<Pool> {
  const mine = pools.get(connection) ?? new Map<string, Promise<Pool>>()
  pools.set(connection, mine)
  const key = JSON.stringify([request.target, request.tls])
  const known = mine.get(key) ?? openPool(connection, request)
  mine.set(key, known)
  return known
}

/** Ends the sockets kept open through a connection. */
export async function closeForwards(connection: HostConnection): Promise<void> {
  const mine = pools.get(connection)
  pools.delete(connection)
  for (const opening of mine?.values() ?? []) {
    const pool = await opening
    await pool.destroy()
  }
}

function hostHeader(target: ForwardTarget): string {
  if (target.kind === 'unix') return 'localhost'
  return `${target.host.includes(':') ? `[${target.host}]` : target.host}:${target.port}`
}

/** Asks through the connection itself: direct-tcpip, streamlocal, or a plain socket on this machine. */
export async function askThroughForward(
  connection: HostConnection,
  request: HttpRequest,
): Promise<HttpAnswer> {
  const limit = AbortSignal.timeout(Math.ceil(request.timeoutMs))
  try {
    const pool = await poolFor(connection, request)
    const {ask} = await loadUndici()
    const {statusCode, headers, body} = await ask.call(pool, {
      method: request.method,
      path: request.path,
      headers: {
        host: hostHeader(request.target),
        ...(request.headers ?? {}),
        ...(request.token === undefined ? {} : {'x-consul-token': request.token}),
      },
      body: request.body === undefined ? null : Buffer.from(request.body),
      signal: limit,
    })
    const kept: Uint8Array[] = []
    let bytes = 0
    let truncated = false
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      const room = request.maxBytes - bytes
      const piece = chunk.length > room ? chunk.subarray(0, Math.max(0, room)) : chunk
      bytes += piece.length
      if (request.onChunk === undefined) kept.push(piece)
      else if (piece.length > 0) request.onChunk(piece)
      if (chunk.length > room) {
        truncated = true
        break
      }
    }
    return {
      kind: 'answered',
      status: statusCode,
      headers: flatten(headers),
      body: Buffer.concat(kept),
      truncated,
      through: 'forward',
    }
  } catch (error) {
    return {kind: 'failed', ...reasonOf(error, limit.aborted)}
  }
}

function flatten(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name.toLowerCase(),
      Array.isArray(value) ? value.join(', ') : (value ?? ''),
    ]),
  )
}

/** Why there was no answer, in reading's words, with the library's own as detail. */
function reasonOf(error: unknown, late: boolean): {why: Unread | 'lost'; detail: string} {
  for (let one: unknown = error; one instanceof Error; one = one.cause) {
    if (one instanceof TransportError) return {why: one.why, detail: printable(one.message, 200)}
  }
  const {code, message, name, reason} = error as {
    code?: string
    message: string
    name: string
    reason?: unknown
  }
  if (late) return {why: 'timed-out', detail: 'No answer in time.'}
  if (code === 'ECONNREFUSED') return {why: 'refused', detail: printable(message, 200)}
  // undici names its parser's errors; the newest of them has no code
  if (name === 'HTTPParserError') return {why: 'unparsable', detail: 'The answer is not HTTP.'}
  // OpenSSL's own words, without the places in its source
  return {why: 'failed', detail: printable(typeof reason === 'string' ? reason : message, 200)}
}
