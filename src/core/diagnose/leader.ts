import {parseHostPort} from '../codec/address.js'
import type {ServerAddress} from '../model/ids.js'
import {valueOf} from '../model/reading.js'
import type {ServerFacts} from './server-facts.js'
import type {Truth} from './truth.js'

/** Survivors may name a dead leader for as long as an election takes (5 to 13 s in Consul 0.7 to 1.8). */
const CONTACT_MAX_MS = 15_000

/** Who leads, as far as the servers tell. */
export interface LeaderFacts {
  /** Whether there is a leader; `no` needs a server that says so, silence leaves it `unknown`. */
  readonly exists: Truth
  readonly address: ServerAddress | undefined
  readonly server: ServerFacts | undefined
  /** Servers whose own role is leader. */
  readonly claims: readonly ServerFacts[]
  /** Servers that run and know no leader. */
  readonly without: readonly ServerFacts[]
  /** Servers that name a leader, whoever it is. */
  readonly naming: readonly ServerFacts[]
}

const isAt = (server: ServerFacts, address: ServerAddress): boolean => {
  if (server.raftAddress !== undefined) return server.raftAddress === address
  const at = parseHostPort(address)
  return at !== undefined && server.ownAddresses?.has(at.host) === true
}

/** Whether a named server can be taken for a leader that is there now, and not for one that died a moment ago. */
function leads(
  servers: readonly ServerFacts[],
  address: ServerAddress,
  naming: readonly ServerFacts[],
): Truth {
  const named = servers.find(server => isAt(server, address))
  if (named?.running === 'no') return 'no'
  if (named?.running === 'yes') {
    if (named.role !== undefined) return named.role === 'leader' ? 'yes' : 'no'
    return named.names === address ? 'yes' : named.names === '' ? 'no' : 'unknown'
  }
  const contacts = naming.map(server => valueOf(server.server.api.self)?.raft?.lastContactMs)
  if (contacts.some(ms => ms !== undefined && ms <= CONTACT_MAX_MS)) return 'yes'
  return contacts.some(ms => ms !== undefined) ? 'no' : 'unknown'
}

/** The address that most servers name. */
function mostNamed(naming: readonly ServerFacts[]): ServerAddress | undefined {
  const counts = new Map<ServerAddress, number>()
  for (const {names} of naming) {
    if (names !== undefined && names !== '') counts.set(names, (counts.get(names) ?? 0) + 1)
  }
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0]
}

/** Finds the leader: a server that leads by its own word, else one that others are in contact with. */
export function leaderFacts(servers: readonly ServerFacts[]): LeaderFacts {
  const running = servers.filter(server => server.running !== 'no')
  const claims = running
    .filter(server => server.role === 'leader')
    .sort((a, b) => (b.term ?? 0) - (a.term ?? 0))
  const naming = running.filter(server => server.names !== undefined && server.names !== '')
  const without = running.filter(server => server.names === '')
  const lists = {claims, without, naming}
  const claim = claims[0]
  if (claim !== undefined) {
    const own = claim.names === undefined || claim.names === '' ? claim.raftAddress : claim.names
    return {exists: 'yes', address: own, server: claim, ...lists}
  }
  const address = mostNamed(naming)
  if (address !== undefined) {
    const exists = leads(servers, address, naming)
    const server = servers.find(one => isAt(one, address))
    if (exists !== 'no') return {exists, address, server, ...lists}
  }
  const exists: Truth = without.length > 0 || naming.length > 0 ? 'no' : 'unknown'
  return {exists, address: undefined, server: undefined, ...lists}
}
