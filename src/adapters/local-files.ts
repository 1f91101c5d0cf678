import {open, readdir} from 'node:fs/promises'
import path from 'node:path'
import type {StoreEntry} from '../core/store/requests.js'
import type {Unread} from '../core/model/reading.js'
import type {RandomFile} from '../ports/transport.js'
import {TransportError} from '../ports/transport.js'

const whyOf = (code: string | undefined): Unread => {
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'absent'
  return code === 'EACCES' || code === 'EPERM' ? 'denied' : 'failed'
}

const translated = (name: string, error: unknown): TransportError => {
  const code = (error as NodeJS.ErrnoException).code
  return new TransportError(whyOf(code), `${name} cannot be read (${code ?? 'unknown error'}).`, {
    cause: error,
  })
}

/** A file of this machine, opened for positioned reads only. */
export async function openLocalFile(name: string): Promise<RandomFile> {
  try {
    const handle = await open(name, 'r')
    const stats = await handle.stat()
    if (!stats.isFile()) {
      await handle.close()
      throw new TransportError('absent', `${name} is no file.`)
    }
    return {
      sizeBytes: stats.size,
      read: async (offset, length) => {
        const bytes = new Uint8Array(Math.max(0, Math.min(length, Number.MAX_SAFE_INTEGER)))
        let filled = 0
        while (filled < length) {
          const {bytesRead} = await handle.read(bytes, filled, length - filled, offset + filled)
          if (bytesRead === 0) break
          filled += bytesRead
        }
        return bytes.subarray(0, filled)
      },
      close: () => handle.close(),
    }
  } catch (error) {
    throw error instanceof TransportError ? error : translated(name, error)
  }
}

/** The files of a raft directory on this machine. */
export function localStoreFiles(raftDir: string): {
  open(file: string): Promise<RandomFile>
  list(directory: string): Promise<readonly StoreEntry[]>
} {
  return {
    open: file => openLocalFile(path.join(raftDir, file)),
    list: async directory => {
      const name = path.join(raftDir, directory)
      try {
        const entries = await readdir(name, {withFileTypes: true})
        return entries.map(entry => ({name: entry.name, directory: entry.isDirectory()}))
      } catch (error) {
        throw translated(name, error)
      }
    },
  }
}

/** A raft directory found on this machine. */
export interface FoundRaftDirectory {
  readonly path: string
  readonly files: ReturnType<typeof localStoreFiles>
  /** Whether it lies in a data directory of Consul. */
  readonly consul: boolean
}

const STORES = ['raft.db', 'wal', 'mdb']

/**
 * Finds the raft directory in a directory that an operator named: the directory itself, `raft/` in a data directory of
 * Consul or Vault, `server/raft/` in one of Nomad. Undefined when none of them holds a store or snapshots. Throws
 * `TransportError` when the directory cannot be listed.
 */
export async function findRaftDirectory(directory: string): Promise<FoundRaftDirectory | undefined> {
  await localStoreFiles(directory).list('')
  for (const below of ['', 'raft', path.join('server', 'raft')]) {
    const candidate = path.join(directory, below)
    const files = localStoreFiles(candidate)
    const names = new Set((await listOrNone(files, '')).map(entry => entry.name))
    const bare =
      below !== '' && (names.has('snapshots') || names.has('peers.json') || names.has('peers.info'))
    if (!bare && !names.has('snapshots') && !STORES.some(store => names.has(store))) continue
    return {path: candidate, files, consul: await isInConsul(candidate)}
  }
  return undefined
}

async function listOrNone(
  files: ReturnType<typeof localStoreFiles>,
  directory: string,
): Promise<readonly StoreEntry[]> {
  try {
    return await files.list(directory)
  } catch (error) {
    if (error instanceof TransportError && error.why === 'absent') return []
    throw error
  }
}

/** Consul keeps its gossip snapshots beside its raft directory, one for each of its two pools. */
async function isInConsul(raftDir: string): Promise<boolean> {
  const serf = await listOrNone(localStoreFiles(path.dirname(path.resolve(raftDir))), 'serf')
  return serf.some(entry => entry.name === 'local.snapshot' || entry.name === 'remote.snapshot')
}
