import type {Configuration} from '../core/model/configuration.js'
import type {Member} from '../core/gossip/member.js'
import type {AgentLog} from './logger.js'
import type {RaftDriver} from './raft-driver.js'
import {serversOf} from './server-members.js'
import type {ServerMember} from './server-members.js'

const ASKS = 6
const FIRST_WAIT_MS = 250

/** What a server that waits for others to found a cluster with needs. */
export interface FoundingDeps {
  readonly driver: RaftDriver
  readonly datacenter: string
  readonly raftProtocol: 0 | 1 | 2 | 3
  readonly expect: number
  readonly nonVoter: boolean
  readonly members: () => readonly Member[]
  /** The peers that a server reports (`Status.Peers`); undefined when it does not answer. */
  readonly askPeers: (server: ServerMember) => Promise<readonly string[] | undefined>
  readonly log: AgentLog
}

/** The configuration of a new cluster of these servers. */
export function foundingConfiguration(
  servers: readonly ServerMember[],
  raftProtocol: 0 | 1 | 2 | 3,
): Configuration {
  const byId = raftProtocol >= 3 && servers.every(server => server.raftProtocol >= 3)
  return {
    servers: servers.map(({nodeId, address, nonVoter}) => ({
      id: (byId ? nodeId : address) as Configuration['servers'][number]['id'],
      address,
      suffrage: nonVoter ? 'nonvoter' : 'voter',
    })),
  }
}

/** Founds a cluster when as many servers as expected have found one another (`maybeBootstrap`, consul server_serf.go). */
export class Founding {
  private expect: number
  private busy = false
  private again = false
  private stopped = false

  constructor(private readonly deps: FoundingDeps) {
    this.expect = deps.expect
  }

  /** Looks again who is there; at each server that joins. */
  async look(): Promise<void> {
    if (this.busy) {
      this.again = true
      return
    }
    this.busy = true
    try {
      do {
        this.again = false
        if (this.expect > 0 && !this.stopped) await this.tryToFound()
      } while (this.again)
    } finally {
      this.busy = false
    }
  }

  stop(): void {
    this.stopped = true
  }

  private async tryToFound(): Promise<void> {
    const {driver, log, members, datacenter, nonVoter, raftProtocol} = this.deps
    const {lastIndex, snapshotIndex} = driver.status()
    if (lastIndex > 0 || snapshotIndex > 0) {
      log('info', 'server', 'Raft data found, disabling bootstrap mode')
      this.expect = 0
      return
    }
    const servers = serversOf(members(), datacenter).filter(({member}) => member.status === 'alive')
    for (const server of servers) {
      if (server.expect !== 0 && server.expect !== this.expect) {
        const member = `member=${JSON.stringify(server.name)}`
        log(
          'error',
          'server',
          `Member has a conflicting expect value. All nodes should expect the same number.: ${member}`,
        )
        return
      }
      if (server.bootstrap) {
        log(
          'error',
          'server',
          `Member has bootstrap mode. Expect disabled.: member=${JSON.stringify(server.name)}`,
        )
        return
      }
    }
    const voters = servers.filter(server => !server.nonVoter)
    if (nonVoter || voters.length < this.expect) return
    for (const server of servers) {
      const peers = await this.ask(server)
      if (this.stopped) return
      if (peers !== undefined && peers.length > 0) {
        log(
          'info',
          'server',
          `Existing Raft peers reported by server, disabling bootstrap mode: server=${server.name}`,
        )
        this.expect = 0
        return
      }
    }
    const found = foundingConfiguration(servers, raftProtocol)
    const addresses = found.servers.map(({address}) => address).join(',')
    log('info', 'server', `Found expected number of peers, attempting bootstrap: peers=${addresses}`)
    const outcome = await driver.bootstrap(found)
    if (!outcome.ok) log('error', 'server', `Failed to bootstrap cluster: error=${outcome.why}`)
    this.expect = 0
  }

  /** A server that does not answer after several tries counts as one without peers. */
  private async ask(server: ServerMember): Promise<readonly string[] | undefined> {
    for (let n = 0, waitMs = FIRST_WAIT_MS; n < ASKS && !this.stopped; n++, waitMs *= 2) {
      const peers = await this.deps.askPeers(server)
      if (peers !== undefined) return peers
      this.deps.log(
        'error',
        'server',
        `Failed to confirm peer status for server, retrying...: server=${server.name}`,
      )
      await new Promise(resolve => setTimeout(resolve, waitMs).unref())
    }
    return undefined
  }
}
