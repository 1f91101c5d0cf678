import {randomUUID} from 'node:crypto'
import {mkdir, rm} from 'node:fs/promises'
import {join} from 'node:path'
import type {Member} from '../core/gossip/member.js'
import {LocalBackend} from './agent-backend.js'
import {AgentError, reasonsOf} from './agent-error.js'
import type {AgentIdentity, HttpAnswer, HttpRequest, Problem} from './backend.js'
import {callMethods} from './calls/methods.js'
import {serveCliPort} from './cli-port.js'
import {lockDataDir} from './data-dir-lock.js'
import type {DataDirLock} from './data-dir-lock.js'
import type {Gossip, GossipNotice} from './gossip/gossip.js'
import {HttpApi} from './http/api.js'
import {serveHttp} from './http/server.js'
import type {HttpServer} from './http/server.js'
import type {AgentLogger} from './logger.js'
import type {AgentOptions, JoinOptions, Listener} from './options.js'
import {watchPeerFilter} from './peer-filter.js'
import type {PeerFilter} from './peer-filter.js'
import {startLan, startWan} from './pools.js'
import {CallPool} from './rpc/call-pool.js'
import {forwardHttp} from './rpc/http-call.js'
import type {RunningAgent, StartAgent} from './running-agent.js'
import {agentTags, asServer, VERSIONS} from './server-members.js'
import {ServerRole} from './server-role.js'
import {loadNodeId} from './store/identity-files.js'
import {withRights} from './unix-socket.js'
import {decodeUserEvent, UserEventLog} from './user-events.js'

/** Longer than any blocking query that is handed on. */
const FORWARD_MS = 660_000
/** How long whoever asked over HTTP has to hear that we have left. */
const LAST_ANSWER_MS = 100
const NEW_LEADER = 'consul:new-leader'

/** Starts an agent; see `StartAgent`. */
export const startAgent: StartAgent = async (options, logger, reread) => {
  const agent = new Agent(options, logger, reread)
  try {
    await agent.start()
  } catch (error) {
    await agent.letGo()
    throw error
  }
  return agent
}

class Agent implements RunningAgent {
  nodeId = ''
  readonly stopped: Promise<number>
  private tellStopped: (code: number) => void = () => undefined
  private readonly filter: PeerFilter
  private readonly pool: CallPool
  private readonly userEvents = new UserEventLog()
  private lock: DataDirLock | undefined
  private role: ServerRole | undefined
  private lan: Gossip | undefined
  private wan: Gossip | undefined
  private api: HttpApi | undefined
  private readonly listeners: {close(): Promise<void>}[] = []
  private ending: Promise<void> | undefined
  private leaving: Promise<void> | undefined

  constructor(
    private options: AgentOptions,
    private readonly logger: AgentLogger,
    private readonly reread: () => AgentOptions,
  ) {
    this.stopped = new Promise(resolve => (this.tellStopped = resolve))
    this.filter = watchPeerFilter(options.blockedPeersFile)
    const {bind} = options.addresses
    this.pool = new CallPool({
      localAddress: bind === '0.0.0.0' || bind === '::' ? undefined : bind,
      filter: this.filter,
      connectTimeoutMs: Math.max(1000, options.raft.heartbeatTimeoutMs),
      onProblem: (address, text) => logger.log('debug', 'agent.rpc', `connection to ${address}: ${text}`),
    })
  }

  async start(): Promise<void> {
    const {options, logger, filter, pool} = this
    await mkdir(join(options.dataDir, 'serf'), {recursive: true, mode: 0o755})
    this.lock = await lockDataDir(options.dataDir)
    this.nodeId = await loadNodeId(options.dataDir, options.nodeId, randomUUID)
    if (options.server)
      this.role = await ServerRole.open({
        options,
        nodeId: this.nodeId,
        filter,
        pool,
        log: logger.log,
        members: () => this.lan?.members() ?? [],
        forceLeave: name => this.lan?.forceLeave(name) ?? Promise.resolve(false),
        announceLeader: () => this.announceLeader(),
        handleHttp: request => this.handle(request),
        onFatal: error => this.giveUp(error.message),
      })
    const poolDeps = {options, nodeId: this.nodeId, filter, log: logger.log, ports: this.ports()}
    this.lan = await startLan(poolDeps)
    this.wan = await startWan(poolDeps)
    this.lan.on(notice => this.heard(notice))
    this.wan?.on(notice => this.heardWan(notice))
    await this.startApi(this.lan)
    await this.role?.start()
    for (const member of this.lan.members()) this.memberChanged(member)
    await this.join(this.lan, options.join.lan, 'LAN')
    if (this.wan !== undefined) await this.join(this.wan, options.join.wan, 'WAN')
  }

  leave(): Promise<void> {
    return (this.leaving ??= this.leaveGracefully().then(() => this.end(0)))
  }

  stop(): Promise<void> {
    return this.end(1)
  }

  /** What Consul takes over at a reload, too (`reloadConfigInternal`, agent/agent.go); the rest waits for a restart. */
  reload(options: AgentOptions): Promise<void> {
    const {logLevel, nodeMeta, limits} = options
    const {snapshotIntervalMs, snapshotThreshold, trailingLogs} = options.raft
    const raft = {...this.options.raft, snapshotIntervalMs, snapshotThreshold, trailingLogs}
    const changed = {...this.options, logLevel, nodeMeta, limits, raft}
    this.options = changed
    this.logger.setLevel(logLevel)
    if (this.api !== undefined) this.api.limits = limits
    this.role?.reload(changed)
    this.lan?.setTags(agentTags(changed, this.nodeId, 'lan', this.ports()))
    return Promise.resolve()
  }

  /** Lets go of everything without a word to others. */
  async letGo(): Promise<void> {
    this.api?.stop()
    await Promise.all(this.listeners.map(listener => listener.close()))
    await Promise.all([this.lan?.shutdown(), this.wan?.shutdown()])
    await this.role?.stop()
    this.pool.close()
    this.filter.close()
    await this.lock?.release()
  }

  private ports(): {readonly server: number; readonly serfWan: number} {
    const {ports} = this.options
    return {server: this.role?.serverPort ?? ports.server, serfWan: ports.serfWan}
  }

  private end(code: number): Promise<void> {
    return (this.ending ??= this.letGo()
      .catch((error: unknown) => this.logger.log('error', 'agent', `error on the way out: ${String(error)}`))
      .then(() => this.tellStopped(code)))
  }

  private giveUp(why: string): void {
    this.logger.log('error', 'agent', `shutting down: ${why}`)
    void this.end(1)
  }

  private async startApi(lan: Gossip): Promise<void> {
    const {options, nodeId, logger} = this
    const identity: AgentIdentity = {
      nodeName: options.nodeName,
      nodeId,
      datacenter: options.datacenter,
      server: options.server,
      version: VERSIONS[options.raft.protocol],
      revision: 'quorate',
      address: options.addresses.advertise,
      nodeMeta: options.nodeMeta,
    }
    const backend = new LocalBackend({
      identity,
      server: this.role?.parts,
      lan,
      wan: this.wan,
      userEvents: this.userEvents,
      logger,
      sendHttp: (address, request) => this.sendHttp(address, request),
      call: (...call) => this.pool.callEncoded(...call),
      leave: () => this.leaveForClient(),
      reload: () => this.reloadForClient(),
      debugConfig: () => debugConfig(this.options),
    })
    this.api = new HttpApi(backend, text => logger.log('error', 'agent.http', text))
    this.api.limits = options.limits
    this.role?.answer(callMethods(this.api.context))
    this.api.start()
    for (const listener of options.addresses.http) this.listeners.push(await this.listen(listener, this.api))
    for (const listener of options.addresses.cli) {
      const served = await serveCliPort(backend, listener)
      this.listeners.push(await withRights(served, listener))
    }
  }

  private async listen(listener: Listener, api: HttpApi): Promise<HttpServer> {
    if (listener.kind === 'tcp') return serveHttp(api, listener)
    await rm(listener.path, {force: true})
    const server = await serveHttp(api, {path: listener.path})
    return withRights(server, listener)
  }

  private handle(request: HttpRequest): Promise<HttpAnswer> {
    if (this.api === undefined) throw new AgentError('this agent is not ready')
    return this.api.answer(request)
  }

  private async sendHttp(address: string, request: HttpRequest): Promise<HttpAnswer | Problem> {
    const answer = await forwardHttp(this.pool, address, request, FORWARD_MS)
    return answer ?? {problem: `rpc error making call to ${address}: the connection failed`}
  }

  private heard(notice: GossipNotice): void {
    switch (notice.on) {
      case 'member':
        if (notice.change === 'update') return
        return this.memberChanged(
          notice.change === 'reap' ? {...notice.member, status: 'left'} : notice.member,
        )
      case 'user-event': {
        if (notice.name === NEW_LEADER) {
          const name = new TextDecoder().decode(notice.payload)
          return this.logger.log('info', 'server', `New leader elected: payload=${JSON.stringify(name)}`)
        }
        const event = decodeUserEvent(notice.name, notice.payload, notice.lamportTime)
        return event === undefined ? undefined : this.userEvents.add(event)
      }
      case 'name-lost':
        return this.giveUp('another member of the pool has our name')
      case 'query':
        return
    }
  }

  private heardWan(notice: GossipNotice): void {
    if (notice.on === 'name-lost') this.giveUp('another member of the WAN pool has our name')
  }

  private memberChanged(member: Member): void {
    this.role?.memberChanged(member)
    const server = asServer(member)
    if (server === undefined || member.status !== 'alive' || this.wan === undefined) return
    // Servers that meet in the LAN pool bring one another into the WAN pool
    const wanName = `${server.name}.${server.datacenter}`
    if (server.wanJoinPort === undefined || this.wan.member(wanName)?.status === 'alive') return
    if (server.name === this.options.nodeName) return
    const host = server.ip.includes(':') ? `[${server.ip}]` : server.ip
    void this.wan.join([`${host}:${server.wanJoinPort}`])
  }

  private announceLeader(): void {
    this.lan?.userEvent(NEW_LEADER, new TextEncoder().encode(this.options.nodeName), {coalesce: false})
  }

  /** Joins those that must be there, and goes on trying those that may come later. */
  private async join(
    gossip: Gossip,
    {once, retry, retryIntervalMs, retryMax}: JoinOptions,
    pool: string,
  ): Promise<void> {
    if (once.length > 0) {
      const {contacted, problems} = await gossip.join(once)
      if (contacted === 0) throw new AgentError(`Failed to join the ${pool} pool: ${problems.join('; ')}`)
    }
    if (retry.length > 0)
      void this.retryJoin(gossip, {addresses: retry, intervalMs: retryIntervalMs, max: retryMax, pool})
  }

  private async retryJoin(
    gossip: Gossip,
    how: {
      readonly addresses: readonly string[]
      readonly intervalMs: number
      readonly max: number
      readonly pool: string
    },
  ): Promise<void> {
    const {log} = this.logger
    log('info', 'agent', `Retry join is supported for: cluster=${how.pool}`)
    for (let attempt = 1; this.ending === undefined; attempt++) {
      const {contacted, problems} = await gossip.join(how.addresses)
      if (this.ending !== undefined) return
      if (contacted > 0) {
        log(
          'info',
          'agent',
          `Join cluster completed. Synced with initial agents: cluster=${how.pool} num_agents=${contacted}`,
        )
        return
      }
      if (how.max > 0 && attempt >= how.max)
        return this.giveUp(`max join retry exhausted, exiting: cluster=${how.pool}`)
      const why = JSON.stringify(problems.join('; '))
      log(
        'warn',
        'agent',
        `Join cluster failed, will retry: cluster=${how.pool} retry_interval=${how.intervalMs}ms error=${why}`,
      )
      await new Promise(resolve => setTimeout(resolve, how.intervalMs).unref())
    }
  }

  private async leaveGracefully(): Promise<void> {
    const {logger, options, role} = this
    logger.log(
      'info',
      options.server ? 'server' : 'client',
      options.server ? 'server starting leave' : 'client starting leave',
    )
    await role?.beginLeave()
    await Promise.all([this.wan?.leave(), this.lan?.leave()])
    await role?.endLeave()
    if (options.server && options.leaveDrainMs > 0)
      await new Promise(resolve => setTimeout(resolve, options.leaveDrainMs))
  }

  private async leaveForClient(): Promise<Problem | undefined> {
    this.leaving ??= this.leaveGracefully().then(async () => {
      setTimeout(() => void this.end(0), LAST_ANSWER_MS)
    })
    try {
      await this.leaving
      return undefined
    } catch (error) {
      return {problem: error instanceof Error ? error.message : String(error)}
    }
  }

  private async reloadForClient(): Promise<Problem | undefined> {
    try {
      await this.reload(this.reread())
      return undefined
    } catch (error) {
      return {problem: `Failed to reload configs: ${reasonsOf(error).join('; ')}`}
    }
  }
}

/** What `/v1/agent/self` shows of the settings; keys stay out. */
function debugConfig(options: AgentOptions): Readonly<Record<string, unknown>> {
  const {addresses, ports} = options
  return {
    Bootstrap: options.bootstrap,
    BootstrapExpect: options.bootstrapExpect,
    DataDir: options.dataDir,
    Datacenter: options.datacenter,
    EncryptKey: options.encryption.key === undefined ? '' : 'hidden',
    LeaveOnTerm: options.leaveOnTerminate,
    NodeName: options.nodeName,
    RaftProtocol: options.raft.protocol,
    RaftSnapshotThreshold: options.raft.snapshotThreshold,
    RaftTrailingLogs: options.raft.trailingLogs,
    RejoinAfterLeave: options.rejoinAfterLeave,
    RPCAdvertiseAddr: `tcp://${addresses.advertise}:${ports.server}`,
    SerfPortLAN: ports.serfLan,
    SerfPortWAN: ports.serfWan,
    ServerMode: options.server,
    ServerPort: ports.server,
    SkipLeaveOnInt: options.skipLeaveOnInterrupt,
  }
}
