import {encodeAutopilot} from '../core/fsm/commands.js'
import type {Member} from '../core/gossip/member.js'
import type {ServerAddress} from '../core/model/ids.js'
import type {RaftNews} from '../core/raft/messages.js'
import {AgentError} from './agent-error.js'
import {Autopilot, autopilotConfig} from './autopilot.js'
import type {ServerParts} from './agent-backend.js'
import type {HttpAnswer, HttpRequest} from './backend.js'
import {Founding} from './founding.js'
import {goDuration} from './go-time.js'
import {LeaderDuties} from './leader-duties.js'
import {Leadership} from './leadership.js'
import type {AgentLog} from './logger.js'
import type {AgentOptions} from './options.js'
import type {PeerFilter} from './peer-filter.js'
import type {RaftCarrier, RaftDriver} from './raft-driver.js'
import {logRaftNews} from './raft-log-lines.js'
import {RaftTransport} from './raft-transport.js'
import type {CallPool} from './rpc/call-pool.js'
import type {RpcMethod, RpcMethods} from './rpc/call-server.js'
import {HTTP_METHOD, httpMethod} from './rpc/http-call.js'
import {openServerPort} from './rpc/server-port.js'
import type {ServerPort} from './rpc/server-port.js'
import {serverAddress} from '../core/model/ids.js'
import {formatHostPort} from '../core/codec/address.js'
import {serversOf} from './server-members.js'
import type {ServerMember} from './server-members.js'
import {isStranger} from './strangers.js'
import {openServerRaft, snapshotRules} from './server-raft.js'
import type {ServerRaft} from './server-raft.js'

const ASK_MS = 3000
const REMOVAL_MS = 5000
const TRANSFER_MS = 5000
const POLL_MS = 50

/** What the part of an agent that is a server works with. */
export interface ServerRoleDeps {
  readonly options: AgentOptions
  readonly nodeId: string
  readonly filter: PeerFilter
  readonly pool: CallPool
  readonly log: AgentLog
  readonly members: () => readonly Member[]
  readonly forceLeave: (name: string) => Promise<unknown>
  /** Tells the pool that this server leads now. */
  readonly announceLeader: () => void
  /** Answers a request that another agent hands on. */
  readonly handleHttp: (request: HttpRequest) => Promise<HttpAnswer>
  readonly onFatal: (error: Error) => void
}

/** A server: its Raft with port and transport, and what it does as leader and on its way to a cluster. */
export class ServerRole {
  private stopping = false
  private constructor(
    private readonly deps: ServerRoleDeps,
    private readonly raft: ServerRaft,
    private readonly port: ServerPort,
    private readonly methods: Map<string, RpcMethod>,
    private readonly transport: RaftTransport,
    readonly leadership: Leadership,
    readonly autopilot: Autopilot,
    private readonly duties: LeaderDuties,
    private readonly founding: Founding,
  ) {}

  /** Opens store and port; Raft does not begin before `start`. */
  static async open(deps: ServerRoleDeps): Promise<ServerRole> {
    const {options, filter, log} = deps
    const {addresses, raft: settings} = options
    const late: {role?: ServerRole; driver?: RaftDriver} = {}
    const local = {
      localAddress: isUnspecified(addresses.bind) ? undefined : addresses.bind,
      filter,
      connectTimeoutMs: Math.max(1000, settings.heartbeatTimeoutMs),
    }
    const transport = new RaftTransport({
      ...local,
      answerMs: {
        heartbeat: Math.max(500, settings.heartbeatTimeoutMs),
        replicate: 10_000,
        vote: Math.max(500, settings.electionTimeoutMs),
        snapshot: 10_000,
      },
      onProblem: (address, text) => log('debug', 'server.raft', `connection to ${address}: ${text}`),
    })
    const driver = (): RaftDriver | undefined => late.driver
    const methods = new Map<string, RpcMethod>([
      ...statusMethods(driver, () => late.role?.leadership),
      [HTTP_METHOD, httpMethod(deps.handleHttp)],
    ])
    const port = await openServerPort({
      host: addresses.bind,
      port: options.ports.server,
      filter,
      log,
      raft: {
        request: (request, respond) => {
          const running = driver()
          if (running === undefined) respond(undefined)
          else running.request(request, respond)
        },
        receiveSnapshot: (request, state) => {
          const running = driver()
          if (running === undefined) return Promise.reject(new AgentError('this server is not ready'))
          return running.receiveSnapshot(request, state)
        },
        peers: () =>
          driver()
            ?.status()
            .latest.configuration.servers.map(({address}) => address) ?? [],
      },
      methods,
      ...(settings.protocol < 2 ? {raftLimits: {protocolOldest: 0}} : {}),
    })
    const address = serverAddress(formatHostPort(addresses.advertise, port.port))
    try {
      const raft = await openServerRaft({
        options,
        nodeId: deps.nodeId,
        address,
        carrier: sparingQuestions(transport, deps),
        log,
        onNews: news => late.role?.take(news),
        onFatal: deps.onFatal,
      })
      const role = ServerRole.assemble(deps, raft, port, methods, transport)
      late.role = role
      late.driver = raft.driver
      return role
    } catch (error) {
      await port.close()
      throw error
    }
  }

  private static assemble(
    deps: ServerRoleDeps,
    raft: ServerRaft,
    port: ServerPort,
    methods: Map<string, RpcMethod>,
    transport: RaftTransport,
  ): ServerRole {
    const {options, members, log, pool} = deps
    const {driver, machine, self} = raft
    const {datacenter, nodeName} = options
    const shared = {driver, machine, datacenter, members, log, ownId: self.id}
    const askPeers = async (server: ServerMember): Promise<readonly string[] | undefined> => {
      if (server.address === self.address) return []
      const result = await pool.call(server.address, 'Status.Peers', {}, {timeoutMs: ASK_MS})
      if (result.kind !== 'value') return undefined
      const list = Array.isArray(result.value) ? (result.value as readonly unknown[]) : []
      return list.map(textOf)
    }
    return new ServerRole(
      deps,
      raft,
      port,
      methods,
      transport,
      new Leadership(self),
      new Autopilot({
        ...shared,
        defaults: autopilotConfig(options.autopilot),
        heartbeatTimeoutMs: options.raft.heartbeatTimeoutMs,
        forceLeave: deps.forceLeave,
        nowMs: Date.now,
      }),
      new LeaderDuties({...shared, nodeName}),
      new Founding({
        driver,
        datacenter,
        members,
        log,
        raftProtocol: options.raft.protocol,
        expect: options.bootstrapExpect,
        nonVoter: options.nonVoter,
        askPeers,
      }),
    )
  }

  get parts(): ServerParts {
    const {driver, machine, self} = this.raft
    return {
      driver,
      machine,
      snapshots: this.raft.snapshots,
      leadership: this.leadership,
      autopilot: this.autopilot,
      ownId: self.id,
      raftProtocol: this.deps.options.raft.protocol,
    }
  }

  /** Answers these calls, too, from now on. */
  answer(methods: RpcMethods): void {
    for (const [name, method] of methods) this.methods.set(name, method)
  }

  /** The port that others reach this server at. */
  get serverPort(): number {
    return this.port.port
  }

  /** Begins to take part; a server that is to found a cluster alone does so where it holds nothing. */
  async start(): Promise<void> {
    const {driver, self, blank} = this.raft
    const {options, log} = this.deps
    driver.start()
    if (!options.bootstrap || !blank || options.raft.protocol === 0) return
    const outcome = await driver.bootstrap({servers: [{...self, suffrage: 'voter'}]})
    if (!outcome.ok) log('error', 'server', `Failed to bootstrap: error=${outcome.why}`)
  }

  /** Something happened to a member of the LAN pool. */
  memberChanged(member: Member): void {
    this.duties.memberChanged(member)
    if (member.status === 'alive') void this.founding.look()
  }

  /**
   * Gets out of the cluster before its gossip falls silent: a leader hands over, or where it cannot, removes itself.
   */
  async beginLeave(): Promise<void> {
    const {driver, self} = this.raft
    const {options, log} = this.deps
    this.founding.stop()
    const {servers} = driver.status().latest.configuration
    if (driver.status().role !== 'leader' || servers.filter(({suffrage}) => suffrage === 'voter').length < 2)
      return
    if (options.raft.protocol >= 3) {
      await Promise.race([driver.transferLeadership(undefined), sleep(TRANSFER_MS)])
      await until(() => driver.status().role !== 'leader', TRANSFER_MS)
      if (driver.status().role !== 'leader') return
    }
    log('info', 'server', 'server is leaving: removing itself from the configuration')
    await Promise.race([
      driver.changeConfiguration({change: 'remove-server', id: self.id}),
      sleep(REMOVAL_MS),
    ])
  }

  /** Waits until the leader has removed us, for a while; then notes on disk that we have left. */
  async endLeave(): Promise<void> {
    const {driver, self} = this.raft
    const {servers} = driver.status().latest.configuration
    const alone = servers.every(({id}) => id === self.id)
    if (!alone && !(await this.isRemoved()))
      this.deps.log('warn', 'server', 'failed to leave raft configuration gracefully, timeout')
    await this.raft.noteLeft()
  }

  /** Takes over the settings of a reload that concern a server. */
  reload({raft}: AgentOptions): void {
    this.raft.driver.setSnapshots(snapshotRules(raft))
  }

  async stop(): Promise<void> {
    this.stopping = true
    this.founding.stop()
    this.duties.end()
    this.autopilot.end()
    this.transport.close()
    await this.port.close()
    await this.raft.stop()
  }

  /** A removed server is sent nothing more, perhaps not even its removal: others are asked, too. */
  private async isRemoved(): Promise<boolean> {
    const {driver, self} = this.raft
    const deadlineMs = performance.now() + REMOVAL_MS
    while (performance.now() < deadlineMs) {
      const {servers} = driver.status().latest.configuration
      if (servers.every(({id}) => id !== self.id)) return true
      for (const {address} of servers) {
        if (address === self.address) continue
        const result = await this.deps.pool.call(address, 'Status.Peers', {}, {timeoutMs: 500})
        if (result.kind !== 'value' || !Array.isArray(result.value) || result.value.length === 0) continue
        const listed = (result.value as readonly unknown[]).map(textOf)
        if (!listed.includes(self.address)) return true
        break
      }
      await sleep(POLL_MS)
    }
    return false
  }

  private take(news: RaftNews): void {
    const {log, announceLeader} = this.deps
    logRaftNews(news, this.raft.self, log)
    const meaning = this.leadership.take(news)
    if (meaning === undefined || this.stopping) return
    if (meaning === 'ended') {
      log('info', 'server', 'cluster leadership lost')
      this.duties.end()
      this.autopilot.end()
      return
    }
    announceLeader()
    this.duties.begin()
    if (this.deps.options.raft.protocol < 2) return
    this.autopilot.begin()
    void this.settleAutopilot()
  }

  /** A cluster without settings of autopilot gets those of its first leader. */
  private async settleAutopilot(): Promise<void> {
    const {machine, driver} = this.raft
    const {options} = this.deps
    if (machine.tables.autopilot !== undefined) return
    await driver.propose(encodeAutopilot(options.datacenter, autopilotConfig(options.autopilot), false))
  }
}

const textOf = (value: unknown): string =>
  value instanceof Uint8Array ? new TextDecoder().decode(value) : ''
const isUnspecified = (address: string): boolean => address === '0.0.0.0' || address === '::'
const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

async function until(condition: () => boolean, timeoutMs: number): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs
  while (!condition() && performance.now() < deadlineMs) await sleep(POLL_MS)
}

/**
 * A transport that does not ask real Consul for pre-votes: before hashicorp/raft 1.7 it hangs up on the question, and a
 * server of ours that alone holds the last entries would never stand for election. A living one counts as willing,
 * which is safe, because its vote is asked for all the same.
 */
function sparingQuestions(transport: RaftTransport, {members, options}: ServerRoleDeps): RaftCarrier {
  const isLivingStranger = (address: string): boolean =>
    serversOf(members(), options.datacenter).some(
      ({address: other, member}) => other === address && member.status === 'alive' && isStranger(member),
    )
  return {
    send: (to, channel, request, done) => {
      if (request.rpc !== 'pre-vote' || !isLivingStranger(to.address))
        transport.send(to, channel, request, done)
      else setImmediate(done, {rpc: 'pre-vote', term: request.term - 1, granted: true})
    },
    sendSnapshot: (to, request, state, done) => transport.sendSnapshot(to, request, state, done),
  }
}

/** What Consul's servers ask of one another (consul agent/consul/status_endpoint.go). */
function statusMethods(
  driver: () => RaftDriver | undefined,
  leadership: () => Leadership | undefined,
): readonly (readonly [string, RpcMethod])[] {
  const addresses = (): readonly ServerAddress[] =>
    driver()
      ?.status()
      .latest.configuration.servers.map(({address}) => address) ?? []
  return [
    ['Status.Ping', () => Promise.resolve({})],
    ['Status.Peers', () => Promise.resolve(addresses())],
    ['Status.Leader', () => Promise.resolve(leadership()?.leader?.address ?? '')],
    ['Status.RaftStats', () => Promise.resolve(raftStatsOf(driver()))],
  ]
}

function raftStatsOf(driver: RaftDriver | undefined): {readonly [key: string]: string | number} {
  const status = driver?.status()
  const at = status?.lastContactMs
  const contact =
    status?.role === 'leader' ? '0' : at === undefined ? 'never' : goDuration(performance.now() - at)
  return {LastContact: contact, LastTerm: status?.lastTerm ?? 0, LastIndex: status?.lastIndex ?? 0}
}
