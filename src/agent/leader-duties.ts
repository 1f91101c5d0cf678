import {encodeDeregistration, encodeRegistration} from '../core/fsm/commands.js'
import type {CatalogCheck, CatalogService} from '../core/fsm/messages.js'
import {isRefused} from '../core/fsm/messages.js'
import {NO_CHECK} from '../core/fsm/read-records.js'
import type {StateMachine} from '../core/fsm/state-machine.js'
import {nodeKey, partKey} from '../core/fsm/tables.js'
import type {Member} from '../core/gossip/member.js'
import type {ServerId} from '../core/model/ids.js'
import type {ConfigurationChange} from '../core/raft/messages.js'
import type {AgentLog} from './logger.js'
import type {RaftDriver} from './raft-driver.js'
import {asServer, serversOf} from './server-members.js'
import type {ServerMember} from './server-members.js'

const RECONCILE_MS = 60_000
const QUEUE_MAX = 4096
export const SERF_HEALTH = 'serfHealth'
const ALIVE = 'Agent alive and reachable'
const FAILED = 'Agent not live or unreachable'

/** What a leader's work on its members needs. */
export interface LeaderDeps {
  readonly driver: RaftDriver
  readonly machine: StateMachine
  readonly nodeName: string
  readonly datacenter: string
  readonly ownId: ServerId
  readonly members: () => readonly Member[]
  readonly log: AgentLog
}

/**
 * What a leader does about members (consul agent/consul/leader.go): who is alive gets into the catalog and, as a
 * server, into the configuration; who failed is marked; who left is taken out of both. One thing at a time.
 */
export class LeaderDuties {
  private leading = false
  private queue: Member[] = []
  private all = false
  private working = false
  private timer: NodeJS.Timeout | undefined

  constructor(private readonly deps: LeaderDeps) {}

  /** This server leads and may write. */
  begin(): void {
    this.leading = true
    this.all = true
    this.timer = setInterval(() => {
      this.all = true
      void this.work()
    }, RECONCILE_MS)
    void this.work()
  }

  /** This server leads no more. */
  end(): void {
    this.leading = false
    clearInterval(this.timer)
    this.queue = []
  }

  /** Something happened to a member; what is left out when too much happens is made good by the next full pass. */
  memberChanged(member: Member): void {
    if (!this.leading || this.queue.length >= QUEUE_MAX) return
    this.queue.push(member)
    void this.work()
  }

  private async work(): Promise<void> {
    if (this.working) return
    this.working = true
    try {
      while (this.leading && (this.all || this.queue.length > 0)) {
        if (this.all) {
          this.all = false
          await this.reconcileAll()
        } else {
          const member = this.queue.shift()
          if (member !== undefined) await this.reconcile(member)
        }
      }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      this.deps.log('error', 'server', `failed to reconcile members: error=${JSON.stringify(why)}`)
    } finally {
      this.working = false
    }
  }

  private async reconcileAll(): Promise<void> {
    const members = this.deps.members()
    for (const member of members) if (this.leading) await this.reconcile(member)
    const known = new Set(members.map(({name}) => name.toLowerCase()))
    for (const {value: node} of [...this.deps.machine.tables.nodes.prefixed('')]) {
      if (!this.leading || known.has(node.node.toLowerCase()) || !this.hasHealth(node.node)) continue
      await this.deregister(node.node, 'reaped')
    }
  }

  private async reconcile(member: Member): Promise<void> {
    const {nodeName, datacenter} = this.deps
    const {role, dc} = member.tags
    if ((role !== 'consul' && role !== 'node') || dc !== datacenter) return
    if (member.status === 'alive') {
      await this.registerAlive(member)
      const server = asServer(member)
      if (server !== undefined) await this.admit(server)
    } else if (member.status === 'failed') {
      await this.registerFailed(member)
    } else if (member.status === 'left' && member.name !== nodeName) {
      const server = asServer(member)
      if (server !== undefined) await this.dismiss(server)
      await this.deregister(member.name, 'left')
    }
  }

  private hasHealth(node: string): boolean {
    return this.deps.machine.tables.checks.get(partKey(node, SERF_HEALTH)) !== undefined
  }

  private async registerAlive(member: Member): Promise<void> {
    const {tables} = this.deps.machine
    const {name, ip, tags} = member
    const server = asServer(member)
    const node = tables.nodes.get(nodeKey(name))?.value
    const check = tables.checks.get(partKey(name, SERF_HEALTH))?.value
    const service = tables.services.get(partKey(name, 'consul'))?.value
    const inPlace =
      node?.address === ip &&
      node.id === (tags['id'] ?? '') &&
      check?.status === 'passing' &&
      (server === undefined || service?.port === server.port)
    if (inPlace) return
    this.deps.log('info', 'server', `member joined, marking health alive: member=${JSON.stringify(name)}`)
    await this.register(member, 'passing', server)
  }

  private async registerFailed(member: Member): Promise<void> {
    const {tables} = this.deps.machine
    const check = tables.checks.get(partKey(member.name, SERF_HEALTH))?.value
    if (tables.nodes.get(nodeKey(member.name)) === undefined || check?.status === 'critical') return
    this.deps.log(
      'info',
      'server',
      `member failed, marking health critical: member=${JSON.stringify(member.name)}`,
    )
    await this.register(member, 'critical', undefined)
  }

  private async register(
    {name, ip, tags}: Member,
    status: 'passing' | 'critical',
    server: ServerMember | undefined,
  ): Promise<void> {
    const {datacenter, driver} = this.deps
    const check: CatalogCheck = {
      ...NO_CHECK,
      node: name,
      checkId: SERF_HEALTH,
      name: 'Serf Health Status',
      status,
      output: status === 'passing' ? ALIVE : FAILED,
    }
    const node = {
      id: tags['id'] ?? '',
      node: name,
      address: ip,
      datacenter,
      taggedAddresses: null,
      meta: null,
      createIndex: 0,
      modifyIndex: 0,
    }
    const known = this.deps.machine.tables.nodes.get(nodeKey(name))?.value
    const kept = known === undefined ? node : {...known, id: node.id, address: ip}
    const service = server === undefined ? undefined : consulService(server)
    const command = encodeRegistration({node: kept, skipNodeUpdate: false, service, checks: [check]})
    const outcome = await driver.propose(command)
    const refused = outcome.ok && isRefused(outcome.result) ? outcome.result.error : undefined
    const why = outcome.ok ? refused : outcome.why
    if (why !== undefined)
      this.deps.log(
        'error',
        'server',
        `failed to reconcile member: member=${JSON.stringify(name)} error=${why}`,
      )
  }

  private async deregister(node: string, reason: 'left' | 'reaped'): Promise<void> {
    const {datacenter, driver, machine, nodeName, log} = this.deps
    if (node.toLowerCase() === nodeName.toLowerCase()) {
      log('warn', 'server', `deregistering self should be done by follower: name=${JSON.stringify(node)}`)
      return
    }
    if (machine.tables.nodes.get(nodeKey(node)) === undefined) return
    log('info', 'server', `deregistering member: member=${JSON.stringify(node)} reason=${reason}`)
    await driver.propose(encodeDeregistration(datacenter, {node, serviceId: '', checkId: ''}))
  }

  /** Takes a server into the configuration (`addServer`, consul agent/consul/leader.go), without a vote where possible. */
  private async admit(server: ServerMember): Promise<void> {
    const {driver, datacenter, members, log, ownId} = this.deps
    const {servers} = driver.status().latest.configuration
    if (server.id === ownId && servers.length < 3) return
    const alive = serversOf(members(), datacenter).filter(({member}) => member.status === 'alive')
    const rival = alive.find(other => other.bootstrap && other.name !== server.name)
    if (server.bootstrap && rival !== undefined) {
      const names = `${JSON.stringify(server.name)} and ${JSON.stringify(rival.name)}`
      log(
        'error',
        'server',
        `${names} are both in bootstrap mode. Only one node should be in bootstrap mode, not adding Raft peer.`,
      )
      return
    }
    if (servers.some(one => one.id === server.id && one.address === server.address)) return
    const stale = servers.find(one => one.address === server.address && one.id !== server.id)
    if (stale !== undefined) {
      log('info', 'server', `removing server with duplicate address: address=${stale.address} id=${stale.id}`)
      if (!(await this.change({change: 'remove-server', id: stale.id}))) return
    }
    const byId = alive.every(other => other.raftProtocol >= 3)
    const {id, address} = server
    log('info', 'server', `adding server: id=${id} address=${address}`)
    await this.change({change: byId ? 'add-nonvoter' : 'add-voter', id, address})
  }

  /** Takes a server out of the configuration (`removeConsulServer`). */
  private async dismiss(server: ServerMember): Promise<void> {
    const {servers} = this.deps.driver.status().latest.configuration
    const listed =
      servers.find(one => one.id === server.id) ?? servers.find(one => one.address === server.address)
    if (listed === undefined) return
    this.deps.log('info', 'server', `removing server by id: id=${listed.id}`)
    await this.change({change: 'remove-server', id: listed.id})
  }

  /** Changes the configuration; waits while another change is under way. */
  private async change(change: ConfigurationChange): Promise<boolean> {
    for (let tries = 0; tries < 20 && this.leading; tries++) {
      const outcome = await this.deps.driver.changeConfiguration(change)
      if (outcome.ok) return true
      if (outcome.why !== 'configuration-in-progress') {
        this.deps.log('error', 'server', `failed to change the Raft configuration: error=${outcome.why}`)
        return false
      }
      await new Promise(resolve => setTimeout(resolve, 100))
    }
    return false
  }
}

function consulService(server: ServerMember): CatalogService {
  const {name, port, version, raftProtocol, nonVoter} = server
  return {
    node: name,
    id: 'consul',
    service: 'consul',
    kind: '',
    tags: [],
    address: '',
    taggedAddresses: null,
    meta: {
      non_voter: String(nonVoter),
      raft_version: String(raftProtocol),
      serf_protocol_current: '2',
      serf_protocol_max: '5',
      serf_protocol_min: '1',
      version,
    },
    port,
    weights: {passing: 1, warning: 1},
    enableTagOverride: false,
    createIndex: 0,
    modifyIndex: 0,
  }
}

/** The id in a configuration that an API names by id or by address. */
export function findTarget(
  servers: readonly {readonly id: ServerId; readonly address: string}[],
  target: {readonly id: string} | {readonly address: string},
): ServerId | undefined {
  if ('id' in target) return servers.find(one => one.id === target.id)?.id
  return servers.find(one => one.address === target.address)?.id
}
