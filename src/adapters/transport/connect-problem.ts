import type {Unread} from '../../core/model/reading.js'

/** The codes under which a connection is refused; each is in the catalogue of errors. */
export type ConnectCode =
  'HOST_UNREACHABLE' | 'HOST_KEY_UNKNOWN' | 'HOST_KEY_CHANGED' | 'LOGIN_REFUSED' | 'SUDO_REFUSED'

/** Why there is no connection, thrown inside this family of adapters and turned into a value by the connector. */
export class ConnectProblem extends Error {
  override readonly name = 'ConnectProblem'
  constructor(
    readonly code: ConnectCode,
    readonly why: Unread,
    message: string,
    readonly hints: readonly string[] = [],
    options?: {readonly cause?: unknown},
  ) {
    super(message, options)
  }
}

/** The reading's word for an error code of the system's sockets and resolver. */
export function whyOfSocketError(code: string | undefined): Unread {
  switch (code) {
    case 'ECONNREFUSED':
    case 'ECONNRESET':
      return 'refused'
    case 'ETIMEDOUT':
      return 'timed-out'
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EHOSTDOWN':
    case 'ENETDOWN':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'no-route'
    case 'EACCES':
    case 'EPERM':
      return 'denied'
    case 'ENOENT':
    case 'ENOTDIR':
      return 'absent'
    case undefined:
    default:
      return 'failed'
  }
}
