import type {Configuration, Server} from '../model/configuration.js'
import {sameServers, voters} from '../model/configuration.js'
import {newestSnapshot} from '../model/disk-state.js'
import {valueOf} from '../model/reading.js'
import type {Candidate} from './situation.js'

/** The peer set before a recovery, and how sure we are of it. */
export interface PeerSetBefore {
  readonly configuration: Configuration
  /** False when servers disagree or it had to be taken from old log entries. */
  readonly agreed: boolean
  /** Why it is not agreed; empty when it is. */
  readonly doubt: string
  /** Other sets under which entries may have been committed: one in flight, or one that another server believes. */
  readonly others: readonly Configuration[]
  /** Consul up to 0.6: every live list is empty, as a graceful leave of all servers leaves them. */
  readonly allLeft?: true
}

/** Consul up to 0.6 counts the server itself whether its live list names it or not. */
function withSelf(candidate: Candidate, configuration: Configuration): Configuration {
  const self = selfEntry(candidate)
  if (!candidate.legacy || self === undefined) return configuration
  if (configuration.servers.some(server => server.address === self.address)) return configuration
  return {...configuration, servers: [...configuration.servers, self]}
}

function selfEntry(candidate: Candidate): Server | undefined {
  if (candidate.peer !== undefined) return candidate.peer
  const {id, address} = candidate
  return id === undefined || address === undefined ? undefined : {id, address, suffrage: 'voter'}
}

/** The peer set that a server believes in, itself counted as its product counts it; undefined when unknown. */
export function believedSet(candidate: Candidate): Configuration | undefined {
  const {configuration, configurationKnown} = candidate.believed
  if (!configurationKnown || configuration === undefined) return undefined
  // Objects in a live list are a human's doing: the server does not start on them, so they are no belief of its own.
  if (candidate.legacy && valueOf(candidate.seen.peersFile)?.dialect === 'objects') return undefined
  return withSelf(candidate, configuration)
}

/** The peer sets in a server's log and snapshot, oldest first. */
export function loggedSets(candidate: Candidate): readonly Configuration[] {
  const snapshot = newestSnapshot(valueOf(candidate.seen.snapshots) ?? [])
  const entries = (valueOf(candidate.seen.store)?.configurations ?? []).map(entry => ({
    ...entry.configuration,
    index: entry.index,
  }))
  const first = snapshot?.configuration
  return first === undefined ? entries : [first, ...entries]
}

/** The peer sets at the end of a log that only shrink or repeat, oldest first; the last one is the newest. */
function lastShrinking(sets: readonly Configuration[]): readonly Configuration[] {
  let place = sets.length - 1
  while (place > 0) {
    const now = sets[place]
    const earlier = sets[place - 1]
    if (now === undefined || earlier === undefined) break
    // Every new leader writes its peer set down once more, so equal ones do not end a row of removals.
    if (!isRemoval(earlier, now) && !sameServers(earlier, now)) break
    place--
  }
  return sets.slice(Math.max(0, place))
}

/**
 * The last full peer set before a row of removals at the end of a log: where every server left gracefully, Consul
 * up to 0.6 leaves `null` in every live list and the log alone still tells who was there. Those who were removed
 * since the last election count in any case; those before only when they are seen to have left with their data, for
 * a server that was removed for good long ago stands in the log alike.
 */
export function setBeforeRemovals(
  candidate: Candidate,
  seen: readonly Candidate[],
): Configuration | undefined {
  const row = lastShrinking(loggedSets(candidate))
  const elections = row.map((set, place) => {
    const earlier = row[place - 1]
    return earlier !== undefined && sameServers(earlier, set)
  })
  const since = row[Math.max(0, elections.lastIndexOf(true))]
  if (since === undefined) return undefined
  const here = new Set(seen.flatMap(one => [one.address, one.peer?.address]))
  const named = new Set(since.servers.map(server => server.address))
  const before = row.flatMap(set => set.servers).filter(server => here.has(server.address))
  const more = before.filter(
    (server, place) =>
      !named.has(server.address) && before.findIndex(one => one.address === server.address) === place,
  )
  return more.length === 0 ? since : {servers: [...since.servers, ...more]}
}

function isRemoval(earlier: Configuration, later: Configuration): boolean {
  const names = new Set(earlier.servers.map(server => server.address))
  return (
    earlier.servers.length > later.servers.length && later.servers.every(server => names.has(server.address))
  )
}

/** Whether a live list of Consul up to 0.6 names nobody but the server itself. */
export function namesNobodyElse(candidate: Candidate): boolean {
  const set = believedSet(candidate)
  return set !== undefined && set.servers.every(server => server.address === candidate.address)
}

/**
 * The peer set before, as the best survivor has it; what the others believe beside it. A set that a lagging server
 * still has from an older index is no disagreement; one of the same or a newer index is.
 */
export function peerSetBefore(ranked: readonly Candidate[]): PeerSetBefore | undefined {
  const best = ranked[0]
  if (best === undefined) return undefined
  if (ranked.every(one => one.legacy && namesNobodyElse(one))) return fromLog(best, ranked)
  const own = believedSet(best)
  const configuration = own ?? (best.legacy ? loggedSets(best).at(-1) : undefined)
  if (configuration === undefined || configuration.servers.length === 0) return undefined
  const edited = ranked.find(one => one.legacy && logNamesMore(one))
  const others = ranked.slice(1).flatMap(one => {
    const set = believedSet(one)
    return set === undefined || sameServers(set, configuration) || isOlder(set, configuration) ? [] : [set]
  })
  const logged = edited === undefined ? [] : loggedSets(edited).slice(-1)
  const doubt =
    edited !== undefined
      ? `The log of ${edited.host} names servers that its peers.json does not; it looks edited by hand.`
      : own === undefined
        ? `The peers.json of ${best.host} does not tell; its log had this peer set.`
        : others.length > 0
          ? 'The survivors do not agree on the peer set.'
          : ''
  return {
    configuration,
    agreed: doubt === '',
    doubt,
    others: [...others, ...logged, ...inFlightBefore(best, configuration)],
  }
}

/**
 * Whether the newest peer set in the log of a server of Consul up to 0.6 has servers that its live list lacks. The
 * server itself writes the list on every change, so somebody else did, and those servers may still have their data.
 */
function logNamesMore(candidate: Candidate): boolean {
  const list = believedSet(candidate)
  const logged = loggedSets(candidate).at(-1)
  if (list === undefined || logged === undefined) return false
  const names = new Set(list.servers.map(server => server.address))
  return logged.servers.some(server => !names.has(server.address))
}

const isOlder = (set: Configuration, than: Configuration): boolean =>
  set.index !== undefined && than.index !== undefined && set.index < than.index

/**
 * The peer set before all servers left. It is agreed when each of them is seen to have left with its log: any change
 * of the peer set after the newest in the best log would be on a quorum of that, and so in one of those logs.
 */
function fromLog(best: Candidate, ranked: readonly Candidate[]): PeerSetBefore | undefined {
  const configuration = setBeforeRemovals(best, ranked) ?? believedSet(best)
  if (configuration === undefined || voters(configuration).length === 0) return undefined
  if (configuration.servers.length === 1) return {configuration, agreed: true, doubt: '', others: []}
  const here = new Set(ranked.flatMap(one => [one.address, one.peer?.address]))
  const agreed = configuration.servers.every(server => here.has(server.address))
  const others = lastShrinking(loggedSets(best)).filter(
    set =>
      set.servers.every(server => configuration.servers.some(one => one.address === server.address)) &&
      !sameServers(set, configuration),
  )
  return {
    configuration,
    agreed,
    doubt: agreed
      ? ''
      : `The live lists are empty; the log of ${best.host} had this peer set before the servers left.`,
    others,
    allLeft: true,
  }
}

/** The set before a membership entry that is not known to be committed: entries may have been committed under it. */
function inFlightBefore(best: Candidate, configuration: Configuration): readonly Configuration[] {
  const index = configuration.index
  if (best.legacy || index === undefined || index <= best.committed) return []
  const earlier = loggedSets(best).filter(set => set.index !== undefined && set.index < index)
  const previous = earlier.at(-1)
  return previous === undefined ? [] : [previous]
}
