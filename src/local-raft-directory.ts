import type {RaftDirectory} from './engine/use-cases/inspect.js'
import {QuorateError} from './errors.js'
import {TransportError} from './ports/transport.js'
import type {Clock} from './ports/clock.js'

/** Composition for commands that read a raft directory of this machine: the adapters behind their use case. */
export async function openLocalRaftDirectory(
  name: string,
): Promise<{readonly directory: RaftDirectory; readonly clock: Clock}> {
  const {findRaftDirectory} = await import('./adapters/local-files.js')
  const {systemClock} = await import('./adapters/system-clock.js')
  try {
    const found = await findRaftDirectory(name)
    if (found !== undefined) return {directory: found, clock: systemClock}
  } catch (error) {
    if (!(error instanceof TransportError)) throw error
    if (error.why !== 'absent') throw new QuorateError('STORE_UNREADABLE', error.message, {cause: error})
    throw new QuorateError('NOT_A_RAFT_DIRECTORY', `${name} is not a directory.`, {cause: error})
  }
  throw new QuorateError('NOT_A_RAFT_DIRECTORY', `${name} holds no raft.db, wal or snapshots.`, {
    hints: ['Name the data directory of a server, or the raft directory in it.'],
  })
}
