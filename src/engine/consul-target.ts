import {isIpAddress} from '../core/codec/address.js'
import type {ListeningSocket, ServerConfig} from '../core/model/observation.js'
import type {HttpTls} from '../ports/http.js'
import type {ForwardTarget} from '../ports/transport.js'
import type {ServerOverrides} from './fleet-target.js'

const HTTP_PORT = 8500
const HTTPS_PORT = 8501
const RPC_PORT = 8400

/** Where a server's HTTP API is asked, and how. */
export interface ApiTarget {
  readonly target: ForwardTarget
  readonly tls: HttpTls | undefined
}

/**
 * Where a Consul server's API listens as seen from its host: what the operator says, else what the configuration says
 * (agent/config: `addresses.http` over `client_addr`, `ports.http`), narrowed to a socket that the server holds.
 */
export function consulTarget(
  overrides: ServerOverrides,
  config: ServerConfig | undefined,
  sockets: readonly ListeningSocket[],
): ApiTarget {
  const httpPort = config?.ports.http ?? HTTP_PORT
  // TLS settings without an address mean the HTTPS port; so does an HTTP port that is switched off.
  const isTls = overrides.tls !== undefined || httpPort <= 0
  const tls = isTls ? (overrides.tls ?? DEFAULT_TLS) : undefined
  if (overrides.http !== undefined) return {target: overrides.http, tls: overrides.tls}
  const address = config?.httpAddress ?? config?.clientAddress
  const unix = address?.split(/\s+/).find(word => word.startsWith('unix://'))
  if (unix !== undefined && !isTls) return {target: {kind: 'unix', path: unix.slice('unix://'.length)}, tls}
  const configured = isTls ? (config?.ports.https ?? HTTPS_PORT) : httpPort
  const port = configured > 0 ? configured : HTTPS_PORT
  return {target: {kind: 'tcp', host: hostOf(address, port, sockets), port}, tls}
}

/** Where the RPC port of Consul before 0.8 listens as seen from its host. */
export function rpcTarget(
  config: ServerConfig | undefined,
  sockets: readonly ListeningSocket[],
): ForwardTarget {
  const port = config?.ports.rpc ?? RPC_PORT
  return {kind: 'tcp', host: hostOf(config?.clientAddress, port, sockets), port}
}

const DEFAULT_TLS: HttpTls = {
  caFile: undefined,
  certFile: undefined,
  keyFile: undefined,
  serverName: undefined,
  verify: true,
}

/** An address that the server listens on: one that is configured and numeric, else the socket's, else loopback. */
function hostOf(address: string | undefined, port: number, sockets: readonly ListeningSocket[]): string {
  const listening = sockets.filter(socket => socket.protocol === 'tcp' && socket.port === port)
  const named = (address ?? '').split(/\s+/).find(isIpAddress)
  const found = named ?? listening.find(socket => socket.pid !== undefined)?.address ?? listening[0]?.address
  if (found === undefined || found === '0.0.0.0') return '127.0.0.1'
  // A socket of both families is reached by the older one; a host without IPv6 has no ::1.
  return found === '::' ? '127.0.0.1' : found
}
