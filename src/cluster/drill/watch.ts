import {askSelf, leaderSeenBy} from '../api.js'
import type {LocalCluster} from '../cluster.js'
import {findAgent} from '../process.js'

const POLL_MS = 200

/** What was seen of a cluster's leadership, all by the clock of this machine. */
export interface Sightings {
  readonly lostAtMs: number | undefined
  /** When there was a leader again for the last time it came; undefined while there is none. */
  readonly backAtMs: number | undefined
  /** The name of the member that leads by its own word and whom all that answer name. */
  readonly leader: string | undefined
}

/**
 * Looks again and again for a leader: a member that says so of itself and that others name. A member that merely names
 * a leader may name a dead one.
 */
export class Watch {
  #sightings: Sightings = {lostAtMs: undefined, backAtMs: undefined, leader: undefined}
  #going: Promise<void> | undefined
  #stopped = false

  constructor(private readonly cluster: () => LocalCluster) {}

  get sightings(): Sightings {
    return this.#sightings
  }

  /** Forgets what was seen: what came before was no part of the failure. */
  reset(): void {
    this.#sightings = {...this.#sightings, lostAtMs: undefined, backAtMs: undefined}
  }

  start(): void {
    this.#going ??= this.#goOn()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#going
  }

  async #goOn(): Promise<void> {
    while (!this.#stopped) {
      const leader = await currentLeader(this.cluster())
      const now = Date.now()
      const before = this.#sightings
      if (leader === undefined)
        this.#sightings = {lostAtMs: before.lostAtMs ?? now, backAtMs: undefined, leader: undefined}
      else
        this.#sightings = {
          ...before,
          backAtMs: before.backAtMs ?? (before.lostAtMs === undefined ? undefined : now),
          leader,
        }
      await new Promise(resolve => setTimeout(resolve, POLL_MS))
    }
  }
}

/** The member that leads by its own word and that another member, if any runs beside it, names too. */
export async function currentLeader(cluster: LocalCluster): Promise<string | undefined> {
  const running = cluster.servers.filter(member => findAgent(cluster.files(member))?.paused === false)
  const seen = await Promise.all(
    running.map(async member => {
      const [self, leader] = await Promise.all([askSelf(member.address), leaderSeenBy(member.address)])
      return {member, leads: self?.role === 'leader', leader: leader ?? ''}
    }),
  )
  for (const {member, leads} of seen) {
    if (!leads) continue
    const named = seen.filter(({leader}) => leader.startsWith(`${member.address}:`)).length
    if (named >= Math.min(2, running.length)) return member.name
  }
  return undefined
}
