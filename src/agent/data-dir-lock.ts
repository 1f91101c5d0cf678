import {stat} from 'node:fs/promises'
import {createServer} from 'node:net'
import {errorCode} from './store/wal-files.js'
import {AgentError} from './agent-error.js'

/** A directory that no other agent may use until it is released. */
export interface DataDirLock {
  release(): Promise<void>
}

/**
 * Makes sure that one agent alone uses a data directory: two that write to one log would destroy it. A socket without
 * a file is named after the directory's inode; the system lets it go with the process, however that ends. Where there
 * are no such sockets, which is everywhere but on Linux, nothing is locked. Throws AgentError when it is taken.
 */
export async function lockDataDir(directory: string): Promise<DataDirLock> {
  if (process.platform !== 'linux') return {release: () => Promise.resolve()}
  const {dev, ino} = await stat(directory)
  const server = createServer(socket => void socket.destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', error => {
      const taken = errorCode(error) === 'EADDRINUSE'
      reject(taken ? new AgentError(`the data directory ${directory} is in use by another agent`) : error)
    })
    server.listen({path: `\0quorate-agent-${dev}-${ino}`}, resolve)
  })
  server.unref()
  return {release: () => new Promise(resolve => server.close(() => resolve()))}
}
