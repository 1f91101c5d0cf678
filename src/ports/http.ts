import type {Unread} from '../core/model/reading.js'
import type {ForwardTarget, HostConnection} from './transport.js'

/** TLS to a server's HTTPS API. Files are on the operator's machine; unset ones are the system's or none. */
export interface HttpTls {
  readonly caFile: string | undefined
  readonly certFile: string | undefined
  readonly keyFile: string | undefined
  /** Name expected in the certificate, such as `server.dc1.consul`; undefined for the target's host. */
  readonly serverName: string | undefined
  /** False accepts any certificate; only where the operator asked for it. */
  readonly verify: boolean
}

/** One question to an HTTP API that listens on a host, asked through the connection to that host. */
export interface HttpRequest {
  /** Where the API listens, as seen from the host. */
  readonly target: ForwardTarget
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** Path with its query, beginning with `/`. */
  readonly path: string
  /** Sent as given; names in lower case. The token and Host are added by the client. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  /** Sent as `X-Consul-Token`; never logged, never on a command line of the host. */
  readonly token: string | undefined
  readonly tls: HttpTls | undefined
  /** For the whole question, from asking to the last byte. */
  readonly timeoutMs: number
  /** A body beyond this many bytes is cut there and `truncated` set. */
  readonly maxBytes: number
  /**
   * Takes the body in pieces as it arrives, for bodies that must not be held in memory; the answer's `body` is then
   * empty. Called for the body of any status.
   */
  readonly onChunk?: (bytes: Uint8Array) => void
}

/** How a question went. Every status is an answer; `failed` means that there was none. */
export type HttpAnswer =
  | {
      readonly kind: 'answered'
      readonly status: number
      /** Names in lower case; repeated headers joined by comma and space. */
      readonly headers: Readonly<Record<string, string>>
      readonly body: Uint8Array
      readonly truncated: boolean
      /** How the question travelled: through the connection itself, or through a program on the host. */
      readonly through: 'forward' | 'curl' | 'wget' | 'nc'
    }
  | {readonly kind: 'failed'; readonly why: Unread | 'lost'; readonly detail: string}

/**
 * Asks HTTP APIs through host connections. Resolves for whatever the world does. A refused TCP connection is
 * `refused`, silence is `timed-out`, no way to forward and no curl, wget or nc on the host is `unsupported`,
 * an answer that is not HTTP is `unparsable`.
 */
export interface HttpClient {
  request(connection: HostConnection, request: HttpRequest): Promise<HttpAnswer>
  /** Said while there is something else to wait for: loads what the first request will need. */
  prepare?(): void
}
