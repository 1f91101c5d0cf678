import {askApi} from '../api.js'
import type {LocalCluster} from '../cluster.js'
import {findAgent} from '../process.js'
import {readKeys} from './load.js'

const CATCH_UP_MS = 4000

/** The peer set as each running server tells it, by names of members; addresses of nobody we know stay as they are. */
export async function peerSets(cluster: LocalCluster): Promise<ReadonlyMap<string, readonly string[]>> {
  const running = cluster.servers.filter(member => findAgent(cluster.files(member))?.paused === false)
  const asked = await Promise.all(
    running.map(async member => {
      const addresses = await peersOf(member.address)
      return [member.name, addresses?.map(address => nameOf(cluster, address))] as const
    }),
  )
  return new Map(asked.flatMap(([name, peers]) => (peers === undefined ? [] : [[name, peers] as const])))
}

/** Asked of the server itself (`stale`); agents with live lists have no such endpoint, and tell theirs as status. */
async function peersOf(address: string): Promise<readonly string[] | undefined> {
  for (const [path, read] of [
    ['/v1/operator/raft/configuration?stale', fromConfiguration],
    ['/v1/status/peers', fromStatus],
  ] as const) {
    try {
      const {status, text} = await askApi(address, path)
      if (status === 200) return read(JSON.parse(text))
    } catch {
      continue // it does not answer, or not this
    }
  }
  return undefined
}

function fromConfiguration(answer: unknown): readonly string[] {
  const {Servers = []} = answer as {readonly Servers?: readonly {readonly Address: string}[]}
  return Servers.map(server => server.Address)
}

const fromStatus = (answer: unknown): readonly string[] => answer as readonly string[]

function nameOf(cluster: LocalCluster, raftAddress: string): string {
  const ip = raftAddress.slice(0, raftAddress.lastIndexOf(':'))
  return cluster.state.members.find(member => member.address === ip)?.name ?? raftAddress
}

/**
 * Running servers whose own contents are not those of a consistent read: keys that were acknowledged up to some moment
 * and that a server lacks or has otherwise. A server that is only behind has some seconds to catch up.
 */
export async function strayServers(
  cluster: LocalCluster,
  prefix: string,
  keys: readonly string[],
): Promise<readonly string[]> {
  const running = cluster.servers.filter(member => findAgent(cluster.files(member))?.paused === false)
  const addresses = running.map(member => member.address)
  const end = Date.now() + CATCH_UP_MS
  for (;;) {
    const truth = await readKeys(addresses, prefix)
    if (truth === undefined) return [] // without a leader nobody can say who is astray
    const strays = await Promise.all(
      running.map(async member => {
        const own = await readKeys([member.address], prefix, 'stale')
        return keys.every(key => own?.get(key) === truth?.get(key)) ? [] : [member.name]
      }),
    )
    if (strays.flat().length === 0 || Date.now() > end) return strays.flat()
    await new Promise(resolve => setTimeout(resolve, CATCH_UP_MS / 20))
  }
}
