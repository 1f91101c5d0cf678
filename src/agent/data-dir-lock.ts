import {randomBytes} from 'node:crypto'
import {link, open, rename, rm, stat} from 'node:fs/promises'
import type {FileHandle} from 'node:fs/promises'
import {connect, createServer} from 'node:net'
import type {Server} from 'node:net'
import {join} from 'node:path'
import {errorCode} from './store/wal-files.js'
import {AgentError} from './agent-error.js'

const FILE = '.quorate-agent.lock'
const ATTEMPTS_MAX = 3
/** What the file systems that hold no sockets say: those of some virtual machines, and FAT. */
const NO_SOCKETS = ['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS', 'EINVAL']

/** A directory that no other agent may use until it is released. */
export interface DataDirLock {
  release(): Promise<void>
}

/**
 * Makes sure that one agent alone uses a data directory: two that write to one log would destroy it. A socket in the
 * directory is listened on, which every process of this machine can try, whatever its namespaces of network and
 * processes; the system stops answering on it with the process, however that ends, so that what is left of a killed
 * agent is known for what it is. A second socket, without a file, holds where the first cannot be or was removed. Where
 * there are no such sockets, which is everywhere but on Linux, nothing is locked. Throws AgentError when it is taken.
 */
export async function lockDataDir(directory: string): Promise<DataDirLock> {
  if (process.platform !== 'linux') return {release: () => Promise.resolve()}
  const {dev, ino} = await stat(directory)
  const nameless = await listen(`\0quorate-agent-${dev}-${ino}`, directory)
  const handle = await open(directory, 'r')
  try {
    const named = await takeFile(new LockDirectory(directory, handle))
    return {
      release: async () => {
        if (named !== undefined) {
          await rm(join(directory, FILE), {force: true})
          await close(named)
        }
        await handle.close()
        await close(nameless)
      },
    }
  } catch (error) {
    await handle.close()
    await close(nameless)
    throw error
  }
}

/** A directory with names for sockets in it: a socket's path has room for some 100 bytes, a directory's is longer. */
class LockDirectory {
  constructor(
    readonly path: string,
    private readonly handle: FileHandle,
  ) {}

  file(name: string): string {
    return join(this.path, name)
  }

  socket(name: string): string {
    return `/proc/self/fd/${this.handle.fd}/${name}`
  }
}

/** Listens under a name of its own, and gives that the lock's name where nobody holds it. */
async function takeFile(directory: LockDirectory): Promise<Server | undefined> {
  const name = `${FILE}.${randomBytes(6).toString('hex')}`
  let server: Server
  try {
    server = await listen(directory.socket(name), directory.path)
  } catch (error) {
    if (NO_SOCKETS.includes(errorCode(error) ?? '')) return undefined
    throw error
  }
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      if (await linked(directory.file(name), directory.file(FILE))) return server
      if (await answers(directory.socket(FILE))) break
      await setAside(directory, `${name}.stale`)
    }
    throw taken(directory.path)
  } catch (error) {
    await close(server)
    throw error
  } finally {
    await rm(directory.file(name), {force: true})
  }
}

/** Takes away what a dead agent left. Whoever else judged it dead may have put a live lock there since: that goes back. */
async function setAside(directory: LockDirectory, aside: string): Promise<void> {
  try {
    await rename(directory.file(FILE), directory.file(aside))
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return
    throw error
  }
  try {
    if (await answers(directory.socket(aside))) await linked(directory.file(aside), directory.file(FILE))
  } finally {
    await rm(directory.file(aside), {force: true})
  }
}

/** Gives a file a second name; false when that is in use. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false
    throw error
  }
}

/** Whether somebody listens on a socket, be it stopped. What cannot be told is taken for a yes. */
function answers(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({path}, () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', error => resolve(!['ECONNREFUSED', 'ENOENT'].includes(errorCode(error) ?? '')))
  })
}

function listen(path: string, directory: string): Promise<Server> {
  const server = createServer(socket => void socket.destroy())
  server.unref()
  return new Promise((resolve, reject) => {
    server.once('error', error => reject(errorCode(error) === 'EADDRINUSE' ? taken(directory) : error))
    // Whoever may enter the directory may ask, also an agent of another user
    server.listen({path, readableAll: !path.startsWith('\0'), writableAll: !path.startsWith('\0')}, () =>
      resolve(server),
    )
  })
}

const close = (server: Server): Promise<void> => new Promise(resolve => server.close(() => resolve()))

const taken = (directory: string): AgentError =>
  new AgentError(`the data directory ${directory} is in use by another agent`)
