import {randomUUID} from 'node:crypto'
import {availableParallelism} from 'node:os'
import type {StateMachine} from '../core/fsm/state-machine.js'
import type {Member} from '../core/gossip/member.js'
import type {Configuration} from '../core/model/configuration.js'
import type {Target} from '../core/raft/messages.js'
import {serverId} from '../core/model/ids.js'
import {LOG_LEVELS} from '../core/codec/agent-log-line.js'
import {AgentError} from './agent-error.js'
import {raftStats, serfStats} from './agent-stats.js'
import type {Stats} from './agent-stats.js'
import type {Autopilot} from './autopilot.js'
import type {
  AgentBackend,
  AgentIdentity,
  ApplyOutcome,
  HttpAnswer,
  HttpRequest,
  KeyringAnswer,
  KeyringOperation,
  OutgoingSnapshot,
  PoolMember,
  Problem,
  ServerHealth,
  UserEventRecord,
} from './backend.js'
import type {Gossip} from './gossip/gossip.js'
import {findTarget} from './leader-duties.js'
import type {Leadership} from './leadership.js'
import type {AgentLogger} from './logger.js'
import type {EncodedResult} from './rpc/call-pool.js'
import type {RaftDriver} from './raft-driver.js'
import {problemOf, refusalWords} from './refusal-words.js'
import {serversOf} from './server-members.js'
import {Strangers, isStranger} from './strangers.js'
import type {SnapshotStore} from './store/raft-store.js'
import {encodeUserEvent, gossipName} from './user-events.js'
import type {UserEventLog} from './user-events.js'

const NO_LEADER = 'No cluster leader'
const NO_SERVERS = 'No known Consul servers'
const STATUS_NUMBERS = {alive: 1, leaving: 2, left: 3, failed: 4} as const

/** What a server has and a client has not. */
export interface ServerParts {
  readonly driver: RaftDriver
  readonly machine: StateMachine
  readonly snapshots: SnapshotStore
  readonly leadership: Leadership
  readonly autopilot: Autopilot
  readonly ownId: string
  readonly raftProtocol: number
}

/** What the backend stands on. */
export interface BackendParts {
  readonly identity: AgentIdentity
  readonly server: ServerParts | undefined
  readonly lan: Gossip
  readonly wan: Gossip | undefined
  readonly userEvents: UserEventLog
  readonly logger: AgentLogger
  /** Sends a whole request to another agent of ours, at its server port. */
  readonly sendHttp: (address: string, request: HttpRequest) => Promise<HttpAnswer | Problem>
  readonly call: AgentBackend['call']
  readonly leave: () => Promise<Problem | undefined>
  readonly reload: () => Promise<Problem | undefined>
  readonly debugConfig: () => Readonly<Record<string, unknown>>
}

/** The bytes of a key in base64; undefined when it is none. */
const keyBytes = (text: string): Uint8Array | undefined => {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}

/** What the HTTP API asks, answered by the parts of a running agent. */
export class LocalBackend implements AgentBackend {
  private readonly strangers: Strangers

  constructor(private readonly parts: BackendParts) {
    const {lan, identity} = parts
    this.strangers = new Strangers(
      () => lan.members(),
      identity.datacenter,
      () => performance.now(),
    )
  }

  get identity(): AgentIdentity {
    return this.parts.identity
  }

  get machine(): StateMachine | undefined {
    return this.parts.server?.machine
  }

  leads(): boolean {
    const {server} = this.parts
    return server !== undefined && server.leadership.leads
  }

  holdsLease(): boolean {
    return this.parts.server?.driver.holdsLease ?? false
  }

  leader(): Target | undefined {
    return this.parts.server?.leadership.leader
  }

  lastContactMs(): number | undefined {
    const {server} = this.parts
    if (server === undefined || server.leadership.leads) return 0
    const at = server.driver.lastContactMs()
    return at === undefined ? undefined : Math.max(0, performance.now() - at)
  }

  awaitLeader(timeoutMs: number): Promise<boolean> {
    return this.parts.server?.leadership.wait(timeoutMs) ?? Promise.resolve(this.knowsServers())
  }

  knowsServers(): boolean {
    return this.parts.server !== undefined || this.liveServers().length > 0
  }

  async apply(command: Uint8Array): Promise<ApplyOutcome> {
    const {server} = this.parts
    if (server === undefined) return {problem: NO_LEADER}
    const outcome = await server.driver.propose(command)
    return outcome.ok ? outcome : {problem: refusalWords(outcome.why)}
  }

  async readBarrier(): Promise<Problem | undefined> {
    const {server} = this.parts
    return server === undefined ? {problem: NO_LEADER} : problemOf(await server.driver.read())
  }

  async forward(to: 'leader' | 'any-server', request: HttpRequest): Promise<HttpAnswer | Problem> {
    const {server, sendHttp} = this.parts
    if (to === 'leader') {
      const leader = server?.leadership.leader
      if (leader === undefined || leader.id === server?.ownId) return {problem: NO_LEADER}
      return sendHttp(leader.address, request)
    }
    // Only those of our make take whole requests
    const servers = this.liveServers().filter(({member}) => !isStranger(member))
    let last: Problem = {problem: NO_SERVERS}
    while (servers.length > 0) {
      const [chosen] = servers.splice(Math.floor(Math.random() * servers.length), 1)
      if (chosen === undefined) break
      const answer = await sendHttp(chosen.address, request)
      if (!('problem' in answer)) return answer
      last = answer
      // What may have reached a server is not sent to another
      if (request.method !== 'GET' && !answer.problem.startsWith('connect')) return answer
    }
    return last
  }

  stranger(): string | undefined {
    const {server} = this.parts
    if (server !== undefined) {
      const {leader} = server.leadership
      if (leader === undefined || leader.id === server.ownId) return undefined
      return this.strangers.has(leader.address) ? leader.address : undefined
    }
    const servers = this.liveServers()
    if (!servers.every(({member}) => isStranger(member))) return undefined
    return servers[Math.floor(Math.random() * servers.length)]?.address
  }

  call(...[address, method, argument, options]: Parameters<AgentBackend['call']>): Promise<EncodedResult> {
    return this.parts.call(address, method, argument, options)
  }

  peers(): readonly string[] {
    return this.configuration().servers.map(({address}) => address)
  }

  configuration(): Configuration {
    const latest = this.parts.server?.driver.status().latest
    if (latest === undefined) return {servers: []}
    return {servers: latest.configuration.servers, index: latest.index as NonNullable<Configuration['index']>}
  }

  async removeServer(
    target: {readonly id: string} | {readonly address: string},
  ): Promise<Problem | undefined> {
    const {server} = this.parts
    if (server === undefined) return {problem: NO_LEADER}
    const id = findTarget(this.configuration().servers, target)
    if (id === undefined) {
      const named = 'id' in target ? `id "${target.id}"` : `address "${target.address}"`
      return {problem: `${named} was not found in the Raft configuration`}
    }
    return problemOf(await server.driver.changeConfiguration({change: 'remove-server', id}))
  }

  async transferLeadership(id: string | undefined): Promise<Problem | undefined> {
    const {server} = this.parts
    if (server === undefined) return {problem: NO_LEADER}
    return problemOf(await server.driver.transferLeadership(id === undefined ? undefined : serverId(id)))
  }

  serverHealth(): readonly ServerHealth[] {
    return this.parts.server?.autopilot.look() ?? []
  }

  members(pool: 'lan' | 'wan'): readonly PoolMember[] {
    const gossip = pool === 'lan' ? this.parts.lan : this.parts.wan
    return (gossip?.members() ?? []).map(poolMember)
  }

  async join(addresses: readonly string[], pool: 'lan' | 'wan'): Promise<number | Problem> {
    const gossip = pool === 'lan' ? this.parts.lan : this.parts.wan
    if (gossip === undefined) return {problem: 'this agent is in no WAN pool'}
    const {contacted, problems} = await gossip.join(addresses)
    return contacted > 0 ? contacted : {problem: problems.join('; ') || 'nobody answered'}
  }

  leave(): Promise<Problem | undefined> {
    return this.parts.leave()
  }

  async forceLeave(
    node: string,
    {prune, wan}: {readonly prune: boolean; readonly wan: boolean},
  ): Promise<Problem | undefined> {
    const {lan, identity} = this.parts
    const pool = wan ? this.parts.wan : lan
    const name = wan && !node.includes('.') ? `${node}.${identity.datacenter}` : node
    const found = (await pool?.forceLeave(name, {prune})) ?? false
    if (!wan) await this.parts.wan?.forceLeave(`${node}.${identity.datacenter}`, {prune})
    return found ? undefined : {problem: `agent: No node found with name '${node}'`}
  }

  reload(): Promise<Problem | undefined> {
    return this.parts.reload()
  }

  async keyring(operation: KeyringOperation): Promise<readonly KeyringAnswer[] | Problem> {
    const {lan, wan, identity} = this.parts
    if (!lan.encrypted) return {problem: 'Keyring is empty (encryption not enabled)'}
    const key = operation.operation === 'list' ? undefined : keyBytes(operation.key)
    if (operation.operation !== 'list' && key === undefined) return {problem: 'key is not base64'}
    const answers: KeyringAnswer[] = []
    for (const [gossip, isWan] of [
      [wan, true],
      [lan, false],
    ] as const) {
      if (gossip === undefined || !gossip.encrypted) continue
      const report = await gossip.keys(operation.operation, key)
      const failed = report.errors > 0 || report.responses < report.nodes
      answers.push({
        wan: isWan,
        datacenter: identity.datacenter,
        messages: report.messages,
        keys: report.keys,
        primaryKeys: report.primaryKeys,
        nodes: report.nodes,
        error: failed
          ? `${report.nodes - report.responses + report.errors}/${report.nodes} nodes reported failure`
          : undefined,
      })
    }
    return answers
  }

  fireEvent(event: Omit<UserEventRecord, 'id' | 'version' | 'lTime'>): Promise<UserEventRecord | Problem> {
    const record: UserEventRecord = {...event, id: randomUUID(), version: 1, lTime: 0}
    try {
      this.parts.lan.userEvent(gossipName(event.name), encodeUserEvent(record), {coalesce: false})
    } catch (error) {
      if (error instanceof AgentError) return Promise.resolve({problem: error.message})
      throw error
    }
    return Promise.resolve(record)
  }

  events(): readonly UserEventRecord[] {
    return this.parts.userEvents.list()
  }

  watchEvents(wake: () => void): () => void {
    return this.parts.userEvents.watch(wake)
  }

  async saveSnapshot(): Promise<OutgoingSnapshot | Problem> {
    const {server} = this.parts
    if (server === undefined) return {problem: NO_LEADER}
    if (server.leadership.leads) {
      const barrier = problemOf(await server.driver.barrier())
      if (barrier !== undefined) return barrier
    }
    if (server.driver.status().appliedIndex === 0)
      return {problem: 'Raft error when taking snapshot: nothing new to snapshot'}
    const outcome = await server.driver.takeSnapshot()
    if (!outcome.ok) return {problem: `Raft error when taking snapshot: ${refusalWords(outcome.why)}`}
    const [newest] = await server.snapshots.list()
    if (newest === undefined) return {problem: 'Raft error when taking snapshot: nothing new to snapshot'}
    const reader = await server.snapshots.open(newest.id)
    return {meta: reader.meta, state: reader.chunks()}
  }

  stats(): Stats {
    const {identity, server, lan, wan} = this.parts
    const sections: Record<string, Readonly<Record<string, string>>> = {
      agent: {check_monitors: '0', check_ttls: '0', checks: '0', services: '0'},
      build: {prerelease: '', revision: identity.revision, version: identity.version},
      runtime: {
        arch: process.arch,
        cpu_count: String(availableParallelism()),
        max_procs: String(availableParallelism()),
        os: process.platform,
        version: `node ${process.version}`,
      },
      serf_lan: serfStats(lan.stats(), lan.encrypted),
    }
    if (wan !== undefined) sections['serf_wan'] = serfStats(wan.stats(), wan.encrypted)
    if (server === undefined) {
      sections['consul'] = {known_servers: String(this.liveServers().length), server: 'false'}
      return sections
    }
    const status = server.driver.status()
    sections['consul'] = {
      bootstrap: String(lan.local().tags['bootstrap'] === '1'),
      known_datacenters: '1',
      leader: String(status.role === 'leader'),
      leader_addr: server.leadership.leader?.address ?? '',
      server: 'true',
    }
    sections['raft'] = raftStats(status, server.ownId, server.raftProtocol, performance.now())
    return sections
  }

  debugConfig(): Readonly<Record<string, unknown>> {
    return this.parts.debugConfig()
  }

  monitor(level: string, sink: (line: string) => void): () => void {
    const wanted = LOG_LEVELS.find(one => one === level.toLowerCase()) ?? 'info'
    return this.parts.logger.monitor(wanted, sink)
  }

  monotonicMs(): number {
    return performance.now()
  }

  nowMs(): number {
    return Date.now()
  }

  chance(): number {
    return Math.random()
  }

  uuid(): string {
    return randomUUID()
  }

  private liveServers(): ReturnType<typeof serversOf> {
    const {lan, identity} = this.parts
    return serversOf(lan.members(), identity.datacenter).filter(({member}) => member.status === 'alive')
  }
}

function poolMember({name, ip, port, tags, status, protocol, delegate}: Member): PoolMember {
  return {
    name,
    address: ip,
    port,
    tags,
    status: STATUS_NUMBERS[status],
    protocol: [protocol.min, protocol.max, protocol.current],
    delegate: [delegate.min, delegate.max, delegate.current],
  }
}
