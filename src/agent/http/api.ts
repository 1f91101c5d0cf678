import {DEFAULT_LIMITS} from '../options.js'
import type {AgentBackend, HttpAnswer, HttpRequest} from '../backend.js'
import {Failure, emptyAnswer, textAnswer} from './answers.js'
import {Consistency} from './consistency.js'
import type {Context} from './context.js'
import {LockDelays} from './lock-delays.js'
import {parseRequest} from './request.js'
import type {ParsedRequest} from './request.js'
import {findRoute} from './routes.js'
import {SessionTimers} from './session-timers.js'

/**
 * Consul's HTTP API over an agent: takes whole requests, whether they came over HTTP or were forwarded by another
 * agent, and gives whole answers. `start` begins the leader's clock for sessions.
 */
export class HttpApi {
  readonly context: Context
  /** What one client may ask for; may be replaced at any time. */
  limits = DEFAULT_LIMITS

  constructor(
    backend: AgentBackend,
    /** Takes what went wrong in here that no client is to blame for. */
    private readonly logError: (text: string) => void,
  ) {
    const lockDelays = new LockDelays(() => backend.monotonicMs())
    const sessionTimers = new SessionTimers(backend)
    const consistency = new Consistency(backend)
    this.context = {
      backend,
      consistency,
      lockDelays,
      sessionTimers,
      ownChecks: new Map(),
      limits: () => this.limits,
    }
    if (backend.machine !== undefined)
      backend.machine.onLockDelay = (key, delayMs) => lockDelays.add(key, delayMs)
  }

  start(): void {
    this.context.sessionTimers.start()
  }

  stop(): void {
    this.context.sessionTimers.stop()
  }

  /** Answers a request; never rejects. */
  async answer(request: HttpRequest): Promise<HttpAnswer> {
    try {
      return await this.dispatch(parseRequest(request))
    } catch (error) {
      if (error instanceof Failure) return textAnswer(error.status, error.message, error.headers)
      this.logError(
        `http: ${request.method} failed: ${error instanceof Error ? error.message : String(error)}`,
      )
      return textAnswer(500, 'Internal error')
    }
  }

  private dispatch(parsed: ParsedRequest): HttpAnswer | Promise<HttpAnswer> {
    const {path, request} = parsed
    if (hasControls(path)) return emptyAnswer(400)
    const clean = cleaned(path)
    if (clean !== path) return moved(clean, parsed)
    const found = findRoute(path)
    if (found === undefined) return unknown(path)
    const {methods, handler} = found.route
    if (methods.includes(request.method)) return handler(this.context, parsed, found.rest)
    const allow = {Allow: ['OPTIONS', ...methods].join(',')}
    return request.method === 'OPTIONS'
      ? emptyAnswer(200, allow)
      : textAnswer(405, `method ${request.method} not allowed`, allow)
  }
}

function unknown(path: string): HttpAnswer {
  return path.startsWith('/v1/')
    ? textAnswer(404, 'Invalid URL path: not a recognized HTTP API endpoint\n')
    : textAnswer(404, '404 page not found\n', {'X-Content-Type-Options': 'nosniff'})
}

/** Control characters in a path are refused whole (`PrintablePathCheckHandler`, hashicorp/go-cleanhttp). */
function hasControls(path: string): boolean {
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i)
    if (code < 0x20 || code === 0x7f) return true
  }
  return false
}

/** A path without empty, `.` and `..` segments, as Go's ServeMux wants it. */
function cleaned(path: string): string {
  if (!path.includes('//') && !path.includes('/.')) return path
  const segments: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.') continue
    if (segment === '..') segments.pop()
    else segments.push(segment)
  }
  const slash = path.endsWith('/') && segments.length > 0 ? '/' : ''
  return `/${segments.join('/')}${slash}`
}

function moved(path: string, {request}: ParsedRequest): HttpAnswer {
  const escaped = path
    .split('/')
    .map(segment => segment.replace(/[^A-Za-z0-9._~!$&'()*+,;=:@-]/g, percent))
    .join('/')
  const mark = request.target.indexOf('?')
  const location = escaped + (mark < 0 ? '' : request.target.slice(mark))
  return {
    status: 301,
    headers: {'Content-Type': 'text/html; charset=utf-8', Location: location},
    body: Buffer.from(
      `<a href="${location.replaceAll('&', '&amp;').replaceAll('"', '&#34;')}">Moved Permanently</a>.\n\n`,
    ),
  }
}

const percent = (char: string): string => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
