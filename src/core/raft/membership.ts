import {assertNever} from '../assert.js'
import type {Configuration, ConfigurationProblem, Server} from '../model/configuration.js'
import {checkConfiguration} from '../model/configuration.js'
import type {ServerAddress, ServerId} from '../model/ids.js'
import type {ConfigurationChange, SnapshotMeta} from './messages.js'
import type {ConfigurationAt, Restored} from './types.js'

/** What comes of a change: the configuration after it, or why there cannot be one. */
export type ChangeResult =
  | {readonly kind: 'configuration'; readonly configuration: Configuration}
  | {readonly kind: 'problems'; readonly problems: readonly ConfigurationProblem[]}

/**
 * The configuration after a change of one server, with hashicorp/raft's rules (`nextConfiguration`,
 * configuration.go): a voter that is added again keeps its vote and gets the new address, also when it is added as
 * nonvoter; what is not there is removed or demoted without complaint; the result must be legal.
 */
export function nextConfiguration(current: Configuration, change: ConfigurationChange): ChangeResult {
  const servers = changedServers(current.servers, change)
  const problems = checkConfiguration({servers})
  return problems.length > 0
    ? {kind: 'problems', problems}
    : {kind: 'configuration', configuration: {servers}}
}

function changedServers(servers: readonly Server[], change: ConfigurationChange): readonly Server[] {
  const {id} = change
  const present = servers.find(server => server.id === id)
  const replace = (next: Server): readonly Server[] =>
    present === undefined ? [...servers, next] : servers.map(server => (server.id === id ? next : server))
  switch (change.change) {
    case 'add-voter':
      return replace({id, address: change.address, suffrage: 'voter'})
    case 'add-nonvoter':
      return replace({id, address: change.address, suffrage: present?.suffrage ?? 'nonvoter'})
    case 'demote-voter':
      return present === undefined ? servers : replace({...present, suffrage: 'nonvoter'})
    case 'remove-server':
      return servers.filter(server => server.id !== id)
    default:
      return assertNever(change)
  }
}

/** The server of a configuration with this id. */
export const serverOf = (configuration: Configuration, id: ServerId): Server | undefined =>
  configuration.servers.find(server => server.id === id)

/** Whether the server with this id has a vote. */
export const isVoter = (configuration: Configuration, id: ServerId): boolean =>
  serverOf(configuration, id)?.suffrage === 'voter'

/**
 * Finds who is meant by what a request says of its sender. Libraries of before hashicorp/raft 1.3.7 give no id; up
 * to Raft protocol 2 the id is the address.
 */
export function findServer(
  configuration: Configuration,
  id: ServerId,
  address: ServerAddress,
): Server | undefined {
  return id === ''
    ? configuration.servers.find(server => server.address === address)
    : serverOf(configuration, id)
}

const NONE: ConfigurationAt = {index: 0, configuration: {servers: []}}

/**
 * The configurations in the log from the newest committed one on. The newest of all is the one that counts, committed
 * or not (Raft §6); when the log is cut the one before it counts again.
 */
export class Configurations {
  private known: ConfigurationAt[]

  constructor(restored: Restored) {
    const {snapshot} = restored
    const base =
      snapshot === undefined
        ? NONE
        : {index: snapshot.configurationIndex, configuration: snapshot.configuration}
    this.known = [base, ...restored.configurations.filter(one => one.index > (snapshot?.index ?? 0))]
  }

  get latest(): ConfigurationAt {
    return this.known[this.known.length - 1] ?? NONE
  }

  /** The one before the latest, when it is still in the log. */
  get previous(): ConfigurationAt | undefined {
    return this.known[this.known.length - 2]
  }

  /** An entry of the log sets the configuration. */
  append(at: ConfigurationAt): void {
    this.known.push(at)
  }

  /** The log was cut from `index` on. Returns whether another configuration counts now. */
  truncate(index: number): boolean {
    const before = this.known.length
    while (this.known.length > 1 && this.latest.index >= index) this.known.pop()
    return this.known.length < before
  }

  /** The configuration as of `index`: the last one set at or before it. */
  asOf(index: number): ConfigurationAt {
    for (let at = this.known.length - 1; at > 0; at--) {
      const one = this.known[at]
      if (one !== undefined && one.index <= index) return one
    }
    return this.known[0] ?? NONE
  }

  /** Forgets what was replaced before `index`, which is applied. */
  settle(index: number): void {
    while ((this.known[1]?.index ?? Infinity) <= index) this.known.shift()
  }

  /** A snapshot is in place. With `reset`, it replaces the log. */
  restore(meta: SnapshotMeta, reset: boolean): void {
    const base = {index: meta.configurationIndex, configuration: meta.configuration}
    this.known = [base, ...(reset ? [] : this.known.filter(one => one.index > meta.index))]
  }
}
