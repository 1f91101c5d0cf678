import type {SFTPWrapper, Stats} from 'ssh2'
import type {Unread} from '../../core/model/reading.js'
import {printable} from '../../core/text.js'
import type {RandomFile} from '../../ports/transport.js'
import {TransportError} from '../../ports/transport.js'
import {withinMs} from './host-connection.js'

/** Opens a file over SFTP for positioned reads; many reads may be under way at once. Throws `TransportError`. */
export async function openSftpFile(
  sftp: SFTPWrapper,
  path: string,
  options: {readonly timeoutMs: number; readonly regular: boolean; readonly gone: () => boolean},
): Promise<RandomFile> {
  const {timeoutMs, gone} = options
  const name = printable(path)
  const limited = async <T>(ask: () => Promise<T>): Promise<T> => {
    // A request over a connection that is gone is never answered
    if (gone()) throw new TransportError('lost', 'The connection is gone.')
    try {
      return await withinMs(ask(), timeoutMs, name, () => undefined)
    } catch (error) {
      throw sftpFailure(error, name, gone())
    }
  }
  const look = async (): Promise<Stats> => call<Stats>(sftp, done => sftp.stat(path, done))
  const open = async (): Promise<Buffer> => call<Buffer>(sftp, done => sftp.open(path, 'r', done))
  const close = async (handle: Buffer): Promise<void> =>
    limited(async () => call<void>(sftp, done => sftp.close(handle, error => done(error, undefined))))
  // A fifo or a device could block the open or never end: stat comes first, unless somebody has just looked
  const before = options.regular ? undefined : await limited(look)
  if (before?.isFile() === false) throw new TransportError('unsupported', `${name}: not a regular file`)
  const opening = limited(open)
  // The size is asked behind the open in the same breath; the host answers in order
  const sizing = limited(look)
  const [handle, size] = await Promise.all([opening, sizing]).then(
    ([opened, stats]) => {
      if (stats.isFile()) return [opened, stats.size] as const
      void close(opened).catch(() => undefined)
      throw new TransportError('unsupported', `${name}: not a regular file`)
    },
    async (error: unknown) => {
      await opening.then(close).catch(() => undefined)
      throw error
    },
  )
  return {
    sizeBytes: size,
    read: async (offset, length) => limited(async () => readAll(sftp, handle, offset, length)),
    // Nobody needs to know how that went
    close: async () => {
      void close(handle).catch(() => undefined)
      return Promise.resolve()
    },
  }
}

async function readAll(
  sftp: SFTPWrapper,
  handle: Buffer,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafe(length)
  let filled = 0
  while (filled < length) {
    const got = await readOnce(sftp, handle, bytes, filled, offset + filled)
    if (got === 0) break
    filled += got
  }
  return new Uint8Array(bytes.subarray(0, filled))
}

/** SSH_FX_EOF of draft-ietf-secsh-filexfer-02, 7: the end of a file, not a problem. */
const STATUS_EOF = 1
const STATUS_ABSENT = 2
const STATUS_DENIED = 3

async function readOnce(
  sftp: SFTPWrapper,
  handle: Buffer,
  into: Buffer,
  at: number,
  position: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const lost = (): void => reject(new TransportError('lost', 'The connection broke during a read.'))
    sftp.once('close', lost)
    sftp.read(handle, into, at, into.length - at, position, (error, count) => {
      sftp.off('close', lost)
      if (error === undefined || error === null) resolve(count)
      else if ((error as {code?: unknown}).code === STATUS_EOF) resolve(0)
      else reject(error)
    })
  })
}

async function call<T>(
  sftp: SFTPWrapper,
  ask: (done: (error: Error | null | undefined, value: T) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const lost = (): void => reject(new TransportError('lost', 'The connection broke.'))
    sftp.once('close', lost)
    ask((error, value) => {
      sftp.off('close', lost)
      if (error === undefined || error === null) resolve(value)
      else reject(error)
    })
  })
}

function sftpFailure(error: unknown, name: string, gone: boolean): TransportError {
  if (error instanceof TransportError) return error
  const problem = error as Error & {code?: number}
  let why: Unread | 'lost' = 'failed'
  if (gone || /no response from server|not connected/i.test(problem.message)) why = 'lost'
  else if (problem.code === STATUS_ABSENT) why = 'absent'
  else if (problem.code === STATUS_DENIED) why = 'denied'
  return new TransportError(why, `${name}: ${printable(problem.message, 160)}`, {cause: error})
}
