import type {Refusal} from './select.js'
import {refuse} from './select.js'
import type {Candidate, Situation} from './situation.js'

/**
 * Why the host of a server that is to be dead is not silent: it answered, and did not let us in. A changed host key or
 * a refused login says that a machine is up there; what runs on it nobody knows (safety rule S14).
 */
export function shutDoor(candidate: Candidate | undefined): string | undefined {
  const reached = candidate?.seen.reached
  if (reached?.kind !== 'unread' || reached.why !== 'denied') return undefined
  const detail = reached.detail === undefined ? '' : ` (${reached.detail})`
  return `its host answers and does not let us in${detail}`
}

/**
 * Refuses two hosts that are one server: named twice, or cloned with its id. One of the two could be set aside while
 * the other is written, and the server that the second name was meant for would be left untouched (safety rule S1).
 */
export function checkDoubles({candidates}: Situation): Refusal | undefined {
  const reached = candidates.filter(one => one.reached)
  for (const [at, one] of reached.entries()) {
    const other = reached
      .slice(0, at)
      .find(
        earlier =>
          (one.id !== undefined && earlier.id === one.id) ||
          (one.address !== undefined && earlier.address === one.address),
      )
    if (other === undefined) continue
    const same =
      other.id !== undefined && other.id === one.id ? `the id ${one.id}` : `the address ${one.address}`
    return refuse('DUPLICATE_SERVER', `${other.host} and ${one.host} are one server by ${same}.`, [
      'Leave out one of the names when both are one machine; give a cloned machine its own node-id otherwise.',
    ])
  }
  return undefined
}
