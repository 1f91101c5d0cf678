import {dirname} from 'node:path'
import {makePrivateDirectory} from '../adapters/durable-file.js'
import {takePidLock} from '../adapters/pid-lock.js'
import {QuorateError} from '../errors.js'

const WAIT_MS = 20_000
const POLL_MS = 50

/**
 * Does something to a cluster while nobody else changes it. The lock stands beside the cluster's directory, so that
 * taking the cluster down can take all of it. Throws LOCKED where another process holds it for long.
 */
export async function whileLocked<T>(directory: string, act: () => Promise<T>): Promise<T> {
  await makePrivateDirectory(dirname(directory))
  const end = Date.now() + WAIT_MS
  for (;;) {
    const lock = await takePidLock(`${directory}.lock`)
    if ('release' in lock) {
      try {
        return await act()
      } finally {
        await lock.release()
      }
    }
    if (Date.now() > end)
      throw new QuorateError(
        'LOCKED',
        `${lock.heldBy} is changing this cluster for ${WAIT_MS / 1000} s already.`,
      )
    await new Promise(resolve => setTimeout(resolve, POLL_MS))
  }
}
