import type {Duplex, Readable, Writable} from 'node:stream'
import type {ForwardTarget, RandomFile} from '../../ports/transport.js'

/** How a program ended; `lost` when the connection broke before the host said. */
export type Ending = {readonly code: number | undefined; readonly signal: string | undefined} | 'lost'

/** A program that runs on a host, with its streams. */
export interface Channel {
  readonly stdin: Writable
  readonly stdout: Readable
  readonly stderr: Readable
  /** Settles when the program has ended and its output is complete. Never rejects. */
  readonly ended: Promise<Ending>
  /** Ends the program as far as we may, and our side of its streams in any case. */
  kill(): void
}

/**
 * What differs between transports: starting programs and opening streams. All else (root, limits, time-outs, reads
 * by a shell) is the same for all and lives in `HostLinkConnection`. All methods throw `TransportError`.
 */
export interface Link {
  readonly kind: 'local' | 'ssh' | 'openssh'
  spawn(argv: readonly string[]): Promise<Channel>
  forward(target: ForwardTarget, timeoutMs: number): Promise<Duplex>
  /** Opens a file with the rights of the logged-in user, or undefined where the link has no such service. */
  openOwn(path: string, timeoutMs: number, regular: boolean): Promise<RandomFile | undefined>
  /** Whether `openOwn` works; by SFTP over ssh, always on this machine. */
  readonly sftp: boolean
  /** False once the host has refused to forward. */
  readonly forwarding: boolean
  close(): Promise<void>
}
