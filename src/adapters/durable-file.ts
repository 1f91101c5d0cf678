import {randomBytes} from 'node:crypto'
import {mkdir, open, rename, rm} from 'node:fs/promises'
import {dirname} from 'node:path'

/** Makes a name in a directory durable: until then a crash may lose the file though its bytes are on disk. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes a directory that only its owner can enter; does nothing when it is there. */
export async function makePrivateDirectory(directory: string): Promise<void> {
  const made = await mkdir(directory, {recursive: true, mode: 0o700})
  if (made !== undefined) await syncDirectory(dirname(made))
}

/** Writes a whole file or none: temporary name beside it, fsync, rename, fsync of the directory. */
export async function writeDurably(path: string, text: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    const handle = await open(temporary, 'wx', 0o600)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, {force: true})
    throw error
  }
  await syncDirectory(dirname(path))
}
