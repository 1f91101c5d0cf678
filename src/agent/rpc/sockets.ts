import type {Socket} from 'node:net'
import {connect} from 'node:net'
import {parseHostPort} from '../../core/codec/address.js'
import type {PeerFilter} from '../peer-filter.js'

/** The first byte of a connection to a server's port says what it carries (`RPCType`, consul agent/pool/conn.go). */
export const Carries = {rpc: 0, raft: 1, yamux: 4} as const

const KEEP_ALIVE_MS = 15_000
/** A peer that leaves more than this unread is cut off. */
export const UNREAD_BYTES_MAX = 64 << 20

/** How connections to servers are made. */
export interface DialSettings {
  /** The address that connections go out from; undefined to leave it to the system. */
  readonly localAddress: string | undefined
  readonly filter: PeerFilter
  readonly connectTimeoutMs: number
}

/**
 * Begins a connection to a server's port and says what it will carry. Undefined when the address is none or the filter
 * refuses it. A connection that cannot be made in time is destroyed, which its `close` tells.
 */
export function dial(address: string, carries: number, settings: DialSettings): Socket | undefined {
  const target = parseHostPort(address)
  if (target === undefined || !settings.filter.allows(address)) return undefined
  const {localAddress} = settings
  const socket = connect({
    host: target.host,
    port: target.port,
    ...(localAddress === undefined ? {} : {localAddress}),
  })
  socket.setNoDelay(true)
  socket.setKeepAlive(true, KEEP_ALIVE_MS)
  const timer = setTimeout(() => socket.destroy(), settings.connectTimeoutMs)
  socket.once('connect', () => clearTimeout(timer))
  socket.once('close', () => clearTimeout(timer))
  // Every failure is told by `close`; what kind it was makes no difference to what is done.
  socket.on('error', () => socket.destroy())
  socket.write(Uint8Array.of(carries))
  return socket
}

/** The numeric address of the other end, without the prefix of IPv4 within IPv6. */
export const remoteOf = (socket: Socket): string => (socket.remoteAddress ?? '').replace(/^::ffff:/, '')

/** Joins what one turn of the process writes into few system calls. */
export class Batcher {
  private corked = false

  constructor(private readonly socket: Socket) {}

  /** Writes behind all that was written before. */
  write(bytes: Uint8Array): void {
    if (this.socket.destroyed) return
    if (!this.corked) {
      this.corked = true
      this.socket.cork()
      process.nextTick(() => {
        this.corked = false
        this.socket.uncork()
      })
    }
    this.socket.write(bytes)
    if (this.socket.writableLength > UNREAD_BYTES_MAX) this.socket.destroy()
  }
}
