import type {LogIndex, ServerAddress, ServerId} from './ids.js'

/** Whether a server's vote and match index count. */
export type Suffrage = 'voter' | 'nonvoter'

/** An entry of the peer set. */
export interface Server {
  readonly id: ServerId
  readonly address: ServerAddress
  readonly suffrage: Suffrage
}

/** A Raft configuration (to operators: the peer set), with the index of the entry that set it when known. */
export interface Configuration {
  readonly servers: readonly Server[]
  readonly index?: LogIndex
}

/** What is wrong with a configuration, in the order hashicorp/raft reports it (`checkConfiguration`, configuration.go). */
export type ConfigurationProblem =
  | {readonly kind: 'empty-id'; readonly server: Server}
  | {readonly kind: 'empty-address'; readonly server: Server}
  | {readonly kind: 'duplicate-id'; readonly id: ServerId}
  | {readonly kind: 'duplicate-address'; readonly address: ServerAddress}
  | {readonly kind: 'no-voter'}

/** The voters of a configuration. */
export function voters(configuration: Configuration): readonly Server[] {
  return configuration.servers.filter(server => server.suffrage === 'voter')
}

/**
 * What makes a configuration illegal for hashicorp/raft; empty when it is legal. Every way in goes through this
 * check. It accepts what the library accepts: an address without a port is legal here and judged elsewhere.
 */
export function checkConfiguration(configuration: Configuration): readonly ConfigurationProblem[] {
  const problems: ConfigurationProblem[] = []
  const ids = new Set<string>()
  const addresses = new Set<string>()
  for (const server of configuration.servers) {
    if (server.id === '') problems.push({kind: 'empty-id', server})
    else if (ids.has(server.id)) problems.push({kind: 'duplicate-id', id: server.id})
    if (server.address === '') problems.push({kind: 'empty-address', server})
    else if (addresses.has(server.address))
      problems.push({kind: 'duplicate-address', address: server.address})
    ids.add(server.id)
    addresses.add(server.address)
  }
  if (voters(configuration).length === 0) problems.push({kind: 'no-voter'})
  return problems
}

const serverKey = (server: Server): string => `${server.id}\n${server.address}\n${server.suffrage}`

/** Whether two configurations name the same servers with the same addresses and suffrage, in any order. */
export function sameServers(a: Configuration, b: Configuration): boolean {
  if (a.servers.length !== b.servers.length) return false
  const keys = new Set(a.servers.map(serverKey))
  return b.servers.every(server => keys.has(serverKey(server)))
}
