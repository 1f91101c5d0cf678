import {readFileSync} from 'node:fs'
import {link, open, readFile, rename, rm} from 'node:fs/promises'
import {hostname} from 'node:os'
import {dirname} from 'node:path'
import {randomBytes} from 'node:crypto'
import {syncDirectory} from './durable-file.js'

/** Start time of a process in clock ticks since boot (field 22 of /proc/PID/stat); undefined when it is gone. */
function startTicks(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined // gone, or a system without /proc: then the pid alone must do
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Whether the holder that a lock names still runs; the start time tells a reused pid from the old process. */
function isHeld(holder: {pid: number; start: string | undefined; machine: string}): boolean {
  if (holder.machine !== hostname()) return true // a shared home directory: we cannot look there
  if (!isAlive(holder.pid)) return false
  const start = startTicks(holder.pid)
  return start === undefined || holder.start === undefined || start === holder.start
}

async function readHolder(
  path: string,
): Promise<{pid: number; start: string | undefined; machine: string} | undefined> {
  try {
    const [pid, start, machine] = (await readFile(path, 'utf8')).trim().split(' ')
    const number = Number(pid)
    if (!Number.isInteger(number) || number <= 0) return undefined
    return {pid: number, start: start === '-' ? undefined : start, machine: machine ?? ''}
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Takes a dead holder's lock away. Whoever else judged it dead may have put a live one there since: that goes back. */
async function removeStale(path: string, aside: string): Promise<void> {
  try {
    await rename(path, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  try {
    const holder = await readHolder(aside)
    if (holder !== undefined && isHeld(holder)) await link(aside, path)
  } finally {
    await rm(aside, {force: true})
  }
}

/**
 * A lock between processes of this machine. It appears whole (written aside, then linked), so that nobody reads a
 * half-written holder; a lock whose process is gone is taken over.
 */
export async function takePidLock(
  path: string,
): Promise<{release(): Promise<void>} | {readonly heldBy: string}> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  const handle = await open(temporary, 'wx', 0o600)
  await handle.writeFile(`${process.pid} ${startTicks(process.pid) ?? '-'} ${hostname()}\n`)
  await handle.close()
  try {
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        await link(temporary, path)
        await syncDirectory(dirname(path))
        return {release: async () => await rm(path, {force: true})}
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      const holder = await readHolder(path)
      if (holder !== undefined && isHeld(holder))
        return {heldBy: `process ${holder.pid} on ${holder.machine}`}
      await removeStale(path, `${temporary}.stale`)
    }
    return {heldBy: 'another process'}
  } finally {
    await rm(temporary, {force: true})
  }
}
