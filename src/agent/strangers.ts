import type {Member} from '../core/gossip/member.js'
import {REVISION, serversOf} from './server-members.js'

/** For how long what was found out about a server is taken to be so. */
const REMEMBERED_MS = 1000

/** Tells servers of another make, such as real Consul, from ours by the build that their tags name. */
export class Strangers {
  private readonly known = new Map<string, {readonly untilMs: number; readonly stranger: boolean}>()

  constructor(
    private readonly members: () => readonly Member[],
    private readonly datacenter: string,
    private readonly monotonicMs: () => number,
  ) {}

  /** Whether a server of another make goes by this address; one that gossip does not know is taken for ours. */
  has(address: string): boolean {
    const known = this.known.get(address)
    const nowMs = this.monotonicMs()
    if (known !== undefined && nowMs < known.untilMs) return known.stranger
    const servers = serversOf(this.members(), this.datacenter)
    const stranger = servers.some(server => server.address === address && isStranger(server.member))
    if (this.known.size > servers.length) this.known.clear()
    this.known.set(address, {untilMs: nowMs + REMEMBERED_MS, stranger})
    return stranger
  }
}

/** Whether a member is an agent of another make. */
export const isStranger = ({tags}: Pick<Member, 'tags'>): boolean =>
  !(tags['build'] ?? '').endsWith(`:${REVISION}`)
