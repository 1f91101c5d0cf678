import {positionsBelowClash} from '../core/diagnose/histories.js'
import {discoverHosts} from '../core/discover.js'
import type {DiscoveredHost} from '../core/discover.js'
import type {LogEnd} from '../core/model/ids.js'
import {logIndex, term} from '../core/model/ids.js'
import type {FleetObservation, ServerObservation, StoreState} from '../core/model/observation.js'
import {read, valueOf} from '../core/model/reading.js'
import type {Secrets} from '../ports/secrets.js'
import type {FleetMember, FleetTarget} from './fleet-target.js'
import {beforeDeadline, inParallel} from './limits.js'
import {observeHost, readHostStore, snapshotIndexOf} from './observe-host.js'
import type {ObservedHost, ObserveDeps, ObserveLimits} from './observe-host.js'

/** What collecting needs of the world. */
export interface CollectDeps extends ObserveDeps {
  readonly secrets: Secrets
}

/** How to collect; what is not said has its default. */
export interface CollectOptions {
  /** Hosts at a time; 32. */
  readonly parallel?: number
  /** Milliseconds for everything about one host; 20 000. */
  readonly hostMs?: number
  /** Milliseconds for one question to an API, besides four round trips; 1000. */
  readonly questionMs?: number
  /** Bytes that reading one log store may cost; 256 KiB. */
  readonly storeBytes?: number
  /** Whether snapshots are read whole and their checksums checked; false. */
  readonly deep?: boolean
  /** Whether terms are read at the other servers' positions, to tell histories apart; true. */
  readonly compareHistories?: boolean
  /** Whether only files and log stores are read; false. */
  readonly storeOnly?: boolean
  /** Bytes of contents read from each server on the way, for comparison; by default none is. */
  readonly contentsBytes?: number
  /** Told when a host is done. */
  readonly onHost?: (server: ServerObservation) => void
}

const PARALLEL = 32
const LIMITS: ObserveLimits = {
  ...{hostMs: 20_000, questionMs: 1000, storeBytes: 256 * 1024, deep: false, storeOnly: false},
  contentsBytes: undefined,
}
const COMPARE_MS = 5000
const POSITIONS_MAX = 64

/** A fleet as observed, with what further questions to its hosts need. */
export interface CollectedFleet {
  readonly observation: FleetObservation
  readonly hosts: readonly ObservedHost[]
}

/**
 * Observes all servers of a fleet. Hosts run in parallel, each within its own time; what one of them does not tell is
 * a reading with a reason and holds nobody else up. Throws only for secrets that the operator named and that are not
 * there. Connections stay open in `deps.connections`.
 */
export async function collect(
  deps: CollectDeps,
  fleet: FleetTarget,
  options: CollectOptions = {},
): Promise<FleetObservation> {
  return (await collectFleet(deps, fleet, options)).observation
}

/** As `collect`, for callers that go on asking the same hosts. */
export async function collectFleet(
  deps: CollectDeps,
  fleet: FleetTarget,
  options: CollectOptions = {},
): Promise<CollectedFleet> {
  const startedAtMs = deps.clock.nowMs()
  const limits: ObserveLimits = {
    hostMs: options.hostMs ?? LIMITS.hostMs,
    questionMs: options.questionMs ?? LIMITS.questionMs,
    storeBytes: options.storeBytes ?? LIMITS.storeBytes,
    deep: options.deep ?? LIMITS.deep,
    storeOnly: options.storeOnly ?? LIMITS.storeOnly,
    // A server by itself has nobody to differ from
    contentsBytes: fleet.members.length > 1 ? options.contentsBytes : undefined,
  }
  const tokens = await readTokens(deps, fleet.members)
  const first = await inParallel(fleet.members, options.parallel ?? PARALLEL, async (member, i) => {
    const host = await observeHost(deps, fleet, member, tokens[i], limits)
    options.onHost?.(host.server)
    return host
  })
  const compare = options.compareHistories ?? true
  const hosts = compare ? await compareStores(deps, first, options.parallel ?? PARALLEL) : first
  const observation: FleetObservation = {
    cluster: fleet.cluster,
    product: fleet.product,
    startedAtMs,
    finishedAtMs: deps.clock.nowMs(),
    servers: hosts.map(host => host.server),
  }
  return {observation, hosts}
}

/** Tokens are read before the first host is asked: a missing one is the operator's to mend, not a host's failure. */
async function readTokens(
  deps: CollectDeps,
  members: readonly FleetMember[],
): Promise<readonly (string | undefined)[]> {
  const known = new Map<string, Promise<string>>()
  return Promise.all(
    members.map(({overrides: {token}}) => {
      if (token === undefined) return undefined
      const key = JSON.stringify(token)
      const reading = known.get(key) ?? deps.secrets.read(token)
      known.set(key, reading)
      return reading
    }),
  )
}

/**
 * Reads, on every server whose store could be read, the terms at the other servers' ends, starts and snapshots. Equal
 * terms at an index mean equal entries up to it (Raft §5.3, log matching); that is how histories are told apart. Logs
 * that clash there are read once more below the clash, to tell a fork from a foreign log.
 */
async function compareStores(
  deps: ObserveDeps,
  first: readonly ObservedHost[],
  parallel: number,
): Promise<readonly ObservedHost[]> {
  const all = new Set(first.flatMap(({server}) => positionsOf(server)))
  const hosts = await inParallel(first, parallel, async host => withTerms(deps, host, all))
  const logs = hosts.map(({server}) => ({server, end: undefined}))
  const below = logs.map(log => new Set(logs.flatMap(other => positionsBelowClash(log, other))))
  return inParallel(hosts, parallel, async (host, i) => withTerms(deps, host, below[i] ?? new Set()))
}

/** Reads the terms at some positions of a server's log, beside those that were read before. */
async function withTerms(
  deps: ObserveDeps,
  host: ObservedHost,
  positions: ReadonlySet<number>,
): Promise<ObservedHost> {
  const store = host.server.store
  if (store.kind === 'unread' || host.connection === undefined) return host
  const wanted = termsWanted(store.value, positions)
  if (wanted.length === 0) return host
  const seen = wanted.flatMap(index => {
    const known = host.seenTerms?.at(index)
    return known === undefined ? [] : [{index: logIndex(index), term: term(known)}]
  })
  const withMore = (value: StoreState, more: readonly LogEnd[]): ObservedHost => {
    const terms = [...value.terms, ...more]
    return {...host, server: {...host.server, store: read({...value, terms}, store.source)}}
  }
  if (seen.length === wanted.length) return withMore(store.value, seen)
  const {connection, raftDir, server} = host
  const deadlineMs = deps.clock.nowMs() + COMPARE_MS
  const again = readHostStore(deps, connection, raftDir, {
    host: server.host,
    deadlineMs,
    byteBudget: LIMITS.storeBytes,
    snapshotIndex: snapshotIndexOf(server),
    termsAt: wanted,
    files: valueOf(server.files),
  }).then(({reading}) => reading)
  const second = valueOf(await beforeDeadline(again, deps.clock, deadlineMs, () => store))
  if (second === undefined || second === store.value) return host
  // Only the terms are taken: the rest of the observation is of the moment of the first reading.
  const bytesRead = store.value.bytesRead + second.bytesRead
  return withMore({...store.value, bytesRead}, second.terms)
}

function positionsOf(server: ServerObservation): readonly number[] {
  const store = valueOf(server.store)
  if (store === undefined) return []
  return [store.firstIndex, store.lastIndex, snapshotIndexOf(server)].filter(index => index > 0)
}

/** Positions that this log covers, its own end left out, which is known; at most so many, spread evenly. */
function termsWanted(store: StoreState, positions: ReadonlySet<number>): readonly number[] {
  const covered = [...positions]
    .filter(index => index >= store.firstIndex && index < store.lastIndex && store.firstIndex > 0)
    .sort((a, b) => a - b)
  if (covered.length <= POSITIONS_MAX) return covered
  const step = covered.length / POSITIONS_MAX
  return Array.from({length: POSITIONS_MAX}, (_, i) => covered[Math.floor(i * step)] ?? 0)
}

/** A fleet grown from one server, and what each host was named by. */
export interface Discovered {
  readonly fleet: FleetTarget
  readonly hosts: readonly DiscoveredHost[]
}

/**
 * Asks one server for the rest: observes it and adds every server that it names to the fleet, reached in the same way
 * as the seed. The hosts found are not asked in turn, since each server names all others that it knows of.
 */
export async function discover(
  deps: CollectDeps,
  seed: FleetTarget,
  options: CollectOptions = {},
): Promise<Discovered> {
  const [member] = seed.members
  if (member === undefined) return {fleet: seed, hosts: []}
  const observation = await collect(deps, seed, {...options, compareHistories: false})
  const known = new Set(seed.members.flatMap(({target}) => [target.host, target.address]))
  const hosts = observation.servers.flatMap(discoverHosts).filter(host => !known.has(host.address))
  const byAddress = new Map(hosts.map(host => [host.address, host]))
  const found = [...byAddress.values()]
  const members = found.map(({address}): FleetMember => {
    const target = {...member.target, host: address, address}
    const {token, tls} = member.overrides
    return {target, overrides: {token, tls}}
  })
  return {fleet: {...seed, members: [...seed.members, ...members]}, hosts: found}
}
