import type {Access} from '../core/model/observation.js'
import type {NotRead, Unread} from '../core/model/reading.js'

/** A program to run on a host. Arguments travel as an array; there is no way to pass a shell string. */
export interface RemoteCommand {
  readonly argv: readonly [string, ...string[]]
  readonly stdin?: Uint8Array
  readonly timeoutMs: number
  /** Output beyond this many bytes per stream is dropped and `truncated` set. */
  readonly maxBytes: number
  /** Run as root: directly when we are root, by sudo otherwise. */
  readonly root: boolean
}

/** How it went. `lost` means that the connection broke and nobody knows whether the program ran. */
export type CommandResult =
  | {
      readonly kind: 'exited'
      readonly code: number | undefined
      readonly signal: string | undefined
      readonly stdout: Uint8Array
      readonly stderr: Uint8Array
      readonly truncated: boolean
    }
  | {readonly kind: 'failed'; readonly why: Unread | 'lost'; readonly detail: string}

/** Positioned reads of one file. `read` returns fewer bytes only at the end of the file. Throws `TransportError`. */
export interface RandomFile {
  readonly sizeBytes: number
  read(offset: number, length: number): Promise<Uint8Array>
  close(): Promise<void>
}

/** A byte stream to something that listens on the host: TCP as seen from there, or a unix socket. */
export type ForwardTarget =
  | {readonly kind: 'tcp'; readonly host: string; readonly port: number}
  | {readonly kind: 'unix'; readonly path: string}

export interface ByteStream {
  write(bytes: Uint8Array): Promise<void>
  /** Chunks as they arrive; ends when the peer ends. */
  readonly chunks: AsyncIterable<Uint8Array>
  close(): void
}

/** A step of I/O that could not be done, in reading's words. */
export class TransportError extends Error {
  override readonly name = 'TransportError'
  constructor(
    readonly why: Unread | 'lost',
    message: string,
    options?: {readonly cause?: unknown},
  ) {
    super(message, options)
  }
}

/** One connection to one host, kept for a whole command. */
export interface HostConnection {
  readonly host: string
  readonly access: Access
  run(command: RemoteCommand): Promise<CommandResult>
  /** Opens a file for positioned reads, through root where `root` is set (raft.db is 0600 of the service's user). */
  openFile(
    path: string,
    options: {
      readonly root: boolean
      readonly timeoutMs: number
      /** Set where the path was just seen to be a regular file, which saves looking before the open. */
      readonly regular?: boolean
    },
  ): Promise<RandomFile>
  forward(target: ForwardTarget, timeoutMs: number): Promise<ByteStream>
  close(): Promise<void>
}

/** How a host is reached; from the inventory, the command line and ssh_config. */
export interface HostTarget {
  readonly host: string
  readonly address: string
  readonly port: number | undefined
  readonly transport: 'local' | 'ssh' | 'openssh'
  readonly user: string | undefined
  readonly identityFiles: readonly string[]
  readonly jump: readonly string[]
  readonly knownHostsFiles: readonly string[]
  readonly sudo: boolean | undefined
  /** Where the sudo password comes from; never the password itself. */
  readonly sudoPassword: {readonly env: string} | {readonly file: string} | 'ask' | undefined
  readonly connectTimeoutMs: number
  /** How long the host may take to accept the connection at all, where that is to be less than `connectTimeoutMs`. */
  readonly acceptTimeoutMs?: number
  /**
   * Set where the host is one of several servers of this machine and user, as in a local cluster. What quorate keeps on
   * a host (locks, copies, records) then lies in this directory, and no root is needed.
   */
  readonly ownDirectory?: string | undefined
}

/** Opens a connection. Resolves to a reason, never throws for what the world does. */
export interface Connector {
  connect(target: HostTarget): Promise<
    | {readonly kind: 'connected'; readonly connection: HostConnection}
    | {
        readonly kind: 'unread'
        readonly reason: NotRead
        readonly code:
          'HOST_UNREACHABLE' | 'HOST_KEY_UNKNOWN' | 'HOST_KEY_CHANGED' | 'LOGIN_REFUSED' | 'SUDO_REFUSED'
        readonly hints: readonly string[]
      }
  >
}
