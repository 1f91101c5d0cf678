import {open, readdir} from 'node:fs/promises'
import {join} from 'node:path'

const CHUNK_BYTES = 4 * 1024 * 1024
const DIGITS = 6

/**
 * Keys below a prefix whose bytes stand in the files of a raft directory, log or snapshot, whatever their format. Looks
 * at bytes on purpose: what a server held must not be told by the same reader that repairs it. A key that was replaced
 * or cut off may still be found, so this is the most that the server can have held.
 */
export async function keysOnDisk(raftDirectory: string, prefix: string): Promise<ReadonlySet<string>> {
  const found = new Set<string>()
  for (const path of await filesBelow(raftDirectory)) await scanFile(path, `${prefix}/`, found)
  return found
}

async function filesBelow(directory: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(directory, {withFileTypes: true, recursive: true})
    return entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [] // its machine burned
    throw error
  }
}

async function scanFile(path: string, start: string, found: Set<string>): Promise<void> {
  const overlap = start.length + DIGITS
  const file = await open(path, 'r').catch(() => undefined)
  if (file === undefined) return // a log segment or snapshot that was just dropped
  try {
    const buffer = Buffer.alloc(CHUNK_BYTES)
    for (let offset = 0; ; offset += CHUNK_BYTES - overlap) {
      const {bytesRead} = await file.read(buffer, 0, CHUNK_BYTES, offset)
      const bytes = buffer.subarray(0, bytesRead)
      for (let at = bytes.indexOf(start); at !== -1; at = bytes.indexOf(start, at + 1)) {
        const digits = bytes.toString('latin1', at + start.length, at + start.length + DIGITS)
        if (/^\d{6}$/.test(digits)) found.add(start + digits)
      }
      if (bytesRead < CHUNK_BYTES) return
    }
  } finally {
    await file.close()
  }
}
