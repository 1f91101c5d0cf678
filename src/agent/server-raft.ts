import {mkdir} from 'node:fs/promises'
import {join} from 'node:path'
import {StateMachine} from '../core/fsm/state-machine.js'
import type {Configuration, Server} from '../core/model/configuration.js'
import type {ServerAddress} from '../core/model/ids.js'
import {serverAddress, serverId} from '../core/model/ids.js'
import type {RaftNews, SnapshotRules} from '../core/raft/messages.js'
import {DEFAULT_OPTIONS} from '../core/raft/options.js'
import type {RaftOptions, Restored} from '../core/raft/types.js'
import type {AgentLog} from './logger.js'
import type {AgentOptions, RaftSettings} from './options.js'
import {RaftDriver} from './raft-driver.js'
import type {RaftCarrier} from './raft-driver.js'
import {readLivePeers, writeLivePeers} from './store/identity-files.js'
import {keepLoyalty} from './store/loyalty-file.js'
import {openRaftStore} from './store/open-raft-store.js'
import type {SnapshotStore} from './store/raft-store.js'
import {loadSnapshot, recoverFromPeersFile, readersOf} from './store/recover-cluster.js'

/** A small entry takes several times its bytes in memory; followers that lag behind this are served from disk. */
const CACHE_BYTES_MAX = 4 * 1024 * 1024
/** Few enough to be applied in some milliseconds, so that heartbeats are answered in between. */
const APPLY_ENTRIES_MAX = 1024

/** What a server's Raft is opened with. */
export interface ServerRaftDeps {
  readonly options: AgentOptions
  readonly nodeId: string
  /** What others reach our Raft at. */
  readonly address: ServerAddress
  readonly carrier: RaftCarrier
  readonly log: AgentLog
  readonly onNews: (news: RaftNews) => void
  readonly onFatal: (error: Error) => void
}

/** The Raft of a server, opened but not started. */
export interface ServerRaft {
  readonly driver: RaftDriver
  readonly machine: StateMachine
  readonly snapshots: SnapshotStore
  readonly self: Server
  /** Whether there was neither log nor snapshot nor term. */
  readonly blank: boolean
  /** Notes on disk that this server has left its cluster, where that is kept (Raft protocol 0). */
  noteLeft(): Promise<void>
  stop(): Promise<void>
}

/**
 * Opens the Raft of a server: takes a peers.json in the manner of its Raft protocol, then log, vote and snapshot.
 * Throws AgentError when it must not start on what is there.
 */
export async function openServerRaft(deps: ServerRaftDeps): Promise<ServerRaft> {
  const {options, nodeId, address, log} = deps
  const {protocol} = options.raft
  const directory = join(options.dataDir, 'raft')
  const raftLog = (level: 'info' | 'warn' | 'error', text: string): void => log(level, 'server.raft', text)
  await mkdir(directory, {recursive: true, mode: 0o755})
  if (protocol > 0) await recoverFromPeersFile(directory, protocol as 1 | 2 | 3, log, {log: raftLog})
  const machine = new StateMachine(readersOf(protocol))
  const late: {driver?: RaftDriver} = {}
  const store = await openRaftStore(
    directory,
    {
      onPersisted: id => late.driver?.persisted(id),
      onFailure: error => late.driver?.diskFailed(error),
    },
    {restore: reader => loadSnapshot(machine, reader), log: raftLog},
  )
  const {found} = store
  const blank = found.hardState === undefined && found.lastIndex === 0 && found.snapshot === undefined
  const self: Server = {
    id: protocol >= 3 ? serverId(nodeId) : serverId(address),
    address,
    suffrage: options.nonVoter ? 'nonvoter' : 'voter',
  }
  const loyalty = await keepLoyalty(directory, options.raft.heartbeatTimeoutMs)
  const live = protocol === 0 ? new LiveList(directory, self, log) : undefined
  const restored = live === undefined ? found : await live.restored(found, options.bootstrap)
  tellInitial(restored, log)
  const driver = new RaftDriver({
    options: raftOptions(options, self, loyalty.atStartMs),
    store,
    restored,
    machine,
    carrier: deps.carrier,
    onNews: news => {
      live?.take(news)
      deps.onNews(news)
    },
    onFatal: deps.onFatal,
  })
  late.driver = driver
  return {
    driver,
    machine,
    snapshots: store.snapshots,
    self,
    blank,
    noteLeft: () => live?.leave() ?? Promise.resolve(),
    stop: () => {
      loyalty.stop()
      return driver.stop()
    },
  }
}

function tellInitial(restored: Restored, log: AgentLog): void {
  const {snapshot, configurations} = restored
  const latest = configurations.at(-1) ?? {
    index: snapshot?.configurationIndex ?? 0,
    configuration: snapshot?.configuration ?? {servers: []},
  }
  const servers = latest.configuration.servers
    .map(
      ({suffrage, id, address}) =>
        `{Suffrage:${suffrage === 'voter' ? 'Voter' : 'Nonvoter'} ID:${id} Address:${address}}`,
    )
    .join(' ')
  log('info', 'server.raft', `initial configuration: index=${latest.index} servers="[${servers}]"`)
}

/** How a server was told to make snapshots. */
export function snapshotRules(raft: RaftSettings): SnapshotRules {
  const {snapshotIntervalMs, snapshotThreshold, trailingLogs} = raft
  return {snapshotIntervalMs, snapshotThreshold, trailingEntries: trailingLogs}
}

function raftOptions({raft}: AgentOptions, self: Server, loyalAtStartMs: number): RaftOptions {
  return {
    id: self.id,
    address: self.address,
    random: Math.random,
    heartbeatTimeoutMs: raft.heartbeatTimeoutMs,
    loyalAtStartMs,
    electionTimeoutMs: raft.electionTimeoutMs,
    leaderLeaseMs: Math.min(raft.leaderLeaseTimeoutMs, raft.heartbeatTimeoutMs),
    commitTimeoutMs: raft.commitTimeoutMs,
    ...snapshotRules(raft),
    preVote: DEFAULT_OPTIONS.preVote,
    raftProtocol: raft.protocol,
    limits: {
      ...DEFAULT_OPTIONS.limits,
      cacheBytesMax: CACHE_BYTES_MAX,
      applyEntriesMax: APPLY_ENTRIES_MAX,
    },
  }
}

/** The peers.json of Raft protocol 0: authoritative at the start, rewritten when a change of membership is committed. */
class LiveList {
  private written: Promise<void> = Promise.resolve()
  private left = false
  constructor(
    private readonly directory: string,
    private readonly self: Server,
    private readonly log: AgentLog,
  ) {}

  /**
   * What was found, with the peers of the file instead of those in the log. A server counts itself, but alone it only
   * stands for election when it was told to bootstrap (`EnableSingleNode`, hashicorp/raft before 2016).
   */
  async restored(found: Restored, bootstrap: boolean): Promise<Restored> {
    const listed = [...new Set(await readLivePeers(this.directory))]
    const {address} = this.self
    if (bootstrap && !listed.includes(address)) {
      listed.push(address)
      await writeLivePeers(this.directory, listed)
    }
    const others = listed.filter(one => one !== address)
    const known = others.length > 0 || bootstrap ? [address, ...others] : []
    const configuration: Configuration = {
      servers: known.map(one => ({id: serverId(one), address: serverAddress(one), suffrage: 'voter'})),
    }
    const snapshotIndex = found.snapshot?.index ?? 0
    const index = Math.max(found.configurations.at(-1)?.index ?? 0, snapshotIndex + 1)
    if (known.length === 0 && snapshotIndex === 0) return {...found, configurations: []}
    return {...found, configurations: [{index, configuration}]}
  }

  take(news: RaftNews): void {
    if (news.news !== 'configuration' || !news.committed || this.left) return
    this.write(news.configuration.servers.map(({address}) => address))
  }

  async leave(): Promise<void> {
    this.left = true
    this.write(undefined)
    await this.written
  }

  private write(addresses: readonly string[] | undefined): void {
    this.written = this.written
      .then(() => writeLivePeers(this.directory, addresses))
      .catch((error: unknown) =>
        this.log(
          'error',
          'server.raft',
          `failed to write peers.json: error=${JSON.stringify(String(error))}`,
        ),
      )
  }
}
