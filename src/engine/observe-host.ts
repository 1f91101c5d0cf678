import {parseProbeFrames} from '../core/codec/probe-frames.js'
import {readProbe} from '../core/codec/probe.js'
import type {ProbeResult} from '../core/codec/probe.js'
import type {ContentsDigest, ContentsSample} from '../core/model/contents.js'
import type {AgentSelf, RaftFiles, ServerObservation, StoreState} from '../core/model/observation.js'
import type {Reading} from '../core/model/reading.js'
import {mapReading, read, unread, valueOf} from '../core/model/reading.js'
import {unreadApi, unreadServer} from '../core/model/unread-server.js'
import type {Reason} from '../core/model/unread-server.js'
import {readStore} from '../core/store/read-store.js'
import type {StoreResult} from '../core/store/requests.js'
import {readSnapshots} from '../core/store/snapshots.js'
import {TermRuns} from '../core/store/term-runs.js'
import {printableBytes} from '../core/text.js'
import type {Clock} from '../ports/clock.js'
import type {HttpClient} from '../ports/http.js'
import type {HostConnection} from '../ports/transport.js'
import type {Connections} from './connections.js'
import {readContents} from './consul-contents.js'
import {askConsul} from './consul-questions.js'
import type {ConsulApi} from './consul-questions.js'
import {consulTarget, rpcTarget} from './consul-target.js'
import {driveStore} from './drive-store.js'
import type {FleetMember, FleetTarget} from './fleet-target.js'
import {hostStoreFiles} from './host-files.js'
import {beforeDeadline} from './limits.js'
import {PROBE_SCRIPT} from './probe/probe-script.js'

/** What observing needs of the world. */
export interface ObserveDeps {
  readonly connections: Connections
  readonly http: HttpClient
  readonly clock: Clock
  /** SHA-256 in lower-case hexadecimal. */
  readonly sha256: (bytes: Uint8Array) => string
}

/** Limits of one observation. */
export interface ObserveLimits {
  /** Everything about one host. */
  readonly hostMs: number
  /** Each question to an API, besides the time of four round trips to the host. */
  readonly questionMs: number
  /** Bytes that reading one log store may cost. */
  readonly storeBytes: number
  /** Whether the size and checksum of every snapshot are checked, which reads all of them. */
  readonly deep: boolean
  /** Whether only the files and the log store are of interest: then neither unit, log, version nor API is asked. */
  readonly storeOnly: boolean
  /** Bytes of contents read beside the API's later questions; undefined for none. */
  readonly contentsBytes: number | undefined
}

/** A host as observed, with what a further look at it needs. */
export interface ObservedHost {
  readonly server: ServerObservation
  readonly connection: HostConnection | undefined
  readonly raftDir: string | undefined
  readonly api: ConsulApi | undefined
  /** Terms that came along when its store was read. */
  readonly seenTerms: TermRuns | undefined
  /** Its contents, where they were read beside the API's later questions. */
  readonly contents: ContentsSample | undefined
}

const PROBE_BYTES_MAX = 4 * 1024 * 1024
const PROBE_MS = 15_000
/** Enough for the entries between two snapshots of a busy Consul: 16 384 of them, half a kilobyte each. */
const SEARCH_BYTES = 16 * 1024 * 1024
const TAKEN = {configBytes: 65_536, logBytes: 262_144, journalLines: 2000}

/**
 * Observes one host: connect, one probe, then the store and the API side by side. What fails is unread with its
 * reason, and what is known when the time is over counts. The connection stays open for later phases.
 */
export async function observeHost(
  deps: ObserveDeps,
  fleet: FleetTarget,
  member: FleetMember,
  token: string | undefined,
  limits: ObserveLimits,
): Promise<ObservedHost> {
  const observer = new HostObserver(deps, fleet, member, token, limits)
  return beforeDeadline(observer.observe(), deps.clock, observer.deadlineMs, () => observer.known)
}

class HostObserver {
  readonly deadlineMs: number
  known: ObservedHost

  constructor(
    private readonly deps: ObserveDeps,
    private readonly fleet: FleetTarget,
    private readonly member: FleetMember,
    private readonly token: string | undefined,
    private readonly limits: ObserveLimits,
  ) {
    this.deadlineMs = deps.clock.nowMs() + limits.hostMs
    const {host, address} = member.target
    const late: Reason = {why: 'timed-out', detail: 'The host did not answer in time.'}
    const reached = unread('timed-out', {host, via: 'transport', what: address}, late.detail)
    this.known = {
      server: unreadServer(host, address, reached, late),
      connection: undefined,
      raftDir: undefined,
      api: undefined,
      seenTerms: undefined,
      contents: undefined,
    }
  }

  async observe(): Promise<ObservedHost> {
    const {host, address} = this.member.target
    const answer = await this.deps.connections.reach(this.member.target)
    if (answer.kind === 'unread') {
      const reason = {why: answer.reason.why, detail: answer.reason.detail ?? ''}
      return this.put({server: unreadServer(host, address, answer.reason, reason)})
    }
    const {connection} = answer
    this.deps.http.prepare?.()
    const what = `${connection.access.transport} as ${connection.access.user}`
    const reached = read(connection.access, {host, via: 'transport', what})
    const blank = (reason: Reason): ServerObservation => unreadServer(host, address, reached, reason)
    this.put({server: blank({why: 'timed-out', detail: 'The probe did not end in time.'}), connection})
    const probe = await this.probe(connection)
    if ('why' in probe) return this.put({server: blank(probe)})
    const late: Reason = {why: 'timed-out', detail: 'There was no answer in time.'}
    this.put({
      server: {...blank(late), ...probe.facts},
      raftDir: probe.raftDir,
      api: this.apiOf(connection, probe),
    })
    const deep = this.limits.deep ? this.checkSnapshots(connection, probe) : undefined
    await Promise.all([this.store(connection, probe), this.api(probe), deep])
    // Only by now is it known whether the host serves files and forwards streams
    return this.put({
      server: {...this.known.server, reached: read(connection.access, {host, via: 'transport', what})},
    })
  }

  private put(part: Partial<ObservedHost>): ObservedHost {
    this.known = {...this.known, ...part}
    return this.known
  }

  /** One probe; a second one where the configuration, read properly, names another data directory than was guessed. */
  private async probe(connection: HostConnection): Promise<ProbeResult | Reason> {
    const {overrides} = this.member
    const first = await this.runProbe(connection, overrides.dataDir)
    const other = 'why' in first || overrides.dataDir !== undefined ? undefined : first.configuredDataDir
    if (other === undefined || !other.startsWith('/')) return first
    const second = await this.runProbe(connection, other)
    return 'why' in second ? first : second
  }

  private async runProbe(
    connection: HostConnection,
    dataDir: string | undefined,
  ): Promise<ProbeResult | Reason> {
    const {overrides} = this.member
    const asked = [dataDir, overrides.configDir, overrides.unit, overrides.serviceManager, overrides.logFile]
    const {configBytes, logBytes, journalLines} = TAKEN
    const sentAtMs = this.deps.clock.nowMs()
    const result = await connection.run({
      argv: [
        'sh',
        '-s',
        '--',
        this.fleet.product,
        ...asked.map(word => word ?? ''),
        ...[configBytes, logBytes, journalLines].map(String),
        this.member.target.ownDirectory === undefined ? '' : 'only',
        this.limits.storeOnly ? 'store' : '',
      ],
      stdin: new TextEncoder().encode(PROBE_SCRIPT),
      timeoutMs: Math.max(1000, Math.min(PROBE_MS, this.deadlineMs - sentAtMs)),
      maxBytes: PROBE_BYTES_MAX,
      root: connection.access.root !== 'none',
    })
    const receivedAtMs = this.deps.clock.nowMs()
    if (result.kind === 'failed') {
      if (result.why === 'lost') await this.deps.connections.drop(connection.host)
      return {why: result.why === 'lost' ? 'failed' : result.why, detail: result.detail}
    }
    const frames = parseProbeFrames(result.stdout)
    if (!frames.ok) {
      const words = printableBytes(result.stderr, 160)
      return {why: 'failed', detail: words === '' ? frames.problem.message : words}
    }
    return readProbe(frames.value, {
      host: connection.host,
      product: this.fleet.product,
      sentAtMs,
      receivedAtMs,
      sha256: this.deps.sha256,
      ...(this.member.target.ownDirectory === undefined ? {} : {only: {address: this.member.target.address}}),
    })
  }

  private async store(connection: HostConnection, probe: ProbeResult): Promise<void> {
    const {host} = connection
    const {reading, seen} = await readHostStore(this.deps, connection, probe.raftDir, {
      host,
      deadlineMs: this.deadlineMs,
      byteBudget: this.limits.storeBytes,
      snapshotIndex: snapshotIndexOf(this.known.server),
      termsAt: [],
      thorough: valueOf(probe.facts.processes)?.length === 0,
      files: valueOf(probe.facts.files),
    })
    this.put({server: {...this.known.server, store: reading}, seenTerms: seen})
  }

  /** Reads every snapshot whole; what the probe knows of them stays where that fails. */
  private async checkSnapshots(connection: HostConnection, {raftDir}: ProbeResult): Promise<void> {
    if (raftDir === undefined) return
    const {host, access} = connection
    const source = {host, via: 'file', what: `${raftDir}/snapshots`} as const
    const timeoutMs = Math.max(1, this.deadlineMs - this.deps.clock.nowMs())
    const files = hostStoreFiles(connection, raftDir, {root: access.root !== 'none', timeoutMs})
    const limits = {clock: this.deps.clock, deadlineMs: this.deadlineMs}
    const {result} = await driveStore(() => readSnapshots({deep: true, source}), files, limits)
    if (result.kind === 'unread') return
    this.put({server: {...this.known.server, snapshots: read(result.value, source)}})
  }

  private apiOf(connection: HostConnection, probe: ProbeResult): ConsulApi | undefined {
    if (this.fleet.product !== 'consul') return undefined
    const config = valueOf(probe.facts.config)
    const sockets = valueOf(probe.facts.sockets) ?? []
    const {target, tls} = consulTarget(this.member.overrides, config, sockets)
    return {
      host: connection.host,
      connection,
      http: this.deps.http,
      clock: this.deps.clock,
      target,
      tls,
      token: this.token,
      timeoutMs: this.limits.questionMs + 4 * probe.roundTripMs,
      rpc: rpcTarget(config, sockets),
    }
  }

  private contentsReader(
    api: ConsulApi,
  ): ((self: AgentSelf) => Promise<Reading<ContentsDigest>>) | undefined {
    const maxBytes = this.limits.contentsBytes
    if (maxBytes === undefined) return undefined
    return async self => {
      const {reading, sample} = await readContents(api, {maxBytes, before: self.raft})
      this.put({contents: sample})
      return reading
    }
  }

  private async api(probe: ProbeResult): Promise<void> {
    const {host} = this.member.target
    const {api} = this.known
    const {processes} = probe.facts
    // An address that the operator gave is asked in any case: the server may run where /proc does not show it.
    const nobody =
      this.limits.storeOnly ||
      (this.member.overrides.http === undefined && processes.kind === 'read' && processes.value.length === 0)
    const answers =
      api === undefined
        ? unreadApi(host, {why: 'unsupported', detail: `The API of ${this.fleet.product} is not asked.`})
        : nobody
          ? unreadApi(host, {why: 'not-asked', detail: 'The server does not run.'})
          : await askConsul(api, valueOf(probe.facts.version), this.contentsReader(api))
    // A running server knows its version better than whoever may not run its program.
    const version = this.known.server.version
    const told = mapReading(answers.self, self => self.version)
    const known = version.kind === 'unread' && told.kind === 'read' ? told : version
    this.put({server: {...this.known.server, api: answers, version: known}})
  }
}

/** Index of the newest whole snapshot, below which membership entries are of no interest; 0 when there is none. */
export function snapshotIndexOf(server: ServerObservation): number {
  const whole = (valueOf(server.snapshots) ?? []).filter(
    snapshot => !snapshot.temporary && snapshot.configuration !== undefined,
  )
  return whole.reduce((highest, snapshot) => Math.max(highest, snapshot.index), 0)
}

/** Whether the search for membership entries ended at its budget without having found the newest one. */
function lacksPeerSet(result: StoreResult<StoreState>): boolean {
  return (
    result.kind !== 'unread' &&
    !result.value.configurationsComplete &&
    result.value.configurations.length === 0
  )
}

/** Reads the log store of a host in place. */
export async function readHostStore(
  deps: Pick<ObserveDeps, 'clock'>,
  connection: HostConnection,
  raftDir: string | undefined,
  options: {
    readonly host: string
    readonly deadlineMs: number
    readonly byteBudget: number
    readonly snapshotIndex: number
    readonly termsAt: readonly number[]
    /** Search on for the peer set where the first bytes did not hold it: of a stopped server nobody else tells it. */
    readonly thorough?: boolean
    /** What the probe told of the files. */
    readonly files: RaftFiles | undefined
  },
): Promise<{readonly reading: Reading<StoreState>; readonly seen: TermRuns}> {
  let seen = new TermRuns()
  const source = {host: options.host, via: 'store', what: raftDir ?? 'log store'} as const
  if (raftDir === undefined)
    return {reading: unread('not-asked', source, 'No data directory was found on this host.'), seen}
  const {byteBudget, snapshotIndex, termsAt} = options
  const timeoutMs = Math.max(1, options.deadlineMs - deps.clock.nowMs())
  const regular = options.files?.store?.kind === 'file' ? [options.files.store.path] : []
  const files = hostStoreFiles(connection, raftDir, {
    root: connection.access.root !== 'none',
    timeoutMs,
    regular,
  })
  const limits = {clock: deps.clock, deadlineMs: options.deadlineMs}
  const readWithin = async (budget: number) =>
    driveStore(
      attempt => {
        seen = new TermRuns()
        return readStore({byteBudget: budget, snapshotIndex, termsAt, seen}, attempt)
      },
      files,
      limits,
    )
  let driven = await readWithin(byteBudget)
  if (options.thorough === true && lacksPeerSet(driven.result)) driven = await readWithin(SEARCH_BYTES)
  const {result} = driven
  if (result.kind === 'unread') return {reading: unread(result.why, source, result.detail), seen}
  const path = result.value.path.startsWith('/') ? result.value.path : `${raftDir}/${result.value.path}`
  return {reading: read({...result.value, path, bytesRead: driven.bytesRead}, {...source, what: path}), seen}
}
