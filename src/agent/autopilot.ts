import type {AutopilotConfig} from '../core/fsm/messages.js'
import type {StateMachine} from '../core/fsm/state-machine.js'
import type {Member} from '../core/gossip/member.js'
import type {ServerId} from '../core/model/ids.js'
import type {RaftStatus} from '../core/raft/types.js'
import type {ServerHealth} from './backend.js'
import type {AgentLog} from './logger.js'
import type {AutopilotSettings} from './options.js'
import type {RaftDriver} from './raft-driver.js'
import {serversOf} from './server-members.js'

const INTERVAL_MS = 2000
const NS_PER_MS = 1_000_000

/** Autopilot's settings as the state machine keeps them, from those of the agent's options. */
export const autopilotConfig = (settings: AutopilotSettings): AutopilotConfig => ({
  cleanupDeadServers: settings.cleanupDeadServers,
  lastContactThresholdNs: settings.lastContactThresholdMs * NS_PER_MS,
  maxTrailingLogs: settings.maxTrailingLogs,
  minQuorum: settings.minQuorum,
  serverStabilizationTimeNs: settings.serverStabilizationMs * NS_PER_MS,
  redundancyZoneTag: '',
  disableUpgradeMigration: false,
  upgradeVersionTag: '',
  createIndex: 0,
  modifyIndex: 0,
})

/** What autopilot works with. */
export interface AutopilotDeps {
  readonly driver: RaftDriver
  readonly machine: StateMachine
  readonly ownId: ServerId
  readonly datacenter: string
  /** What holds until the state machine has settings. */
  readonly defaults: AutopilotConfig
  /** Contact is not held against a server before a heartbeat could have been missed. */
  readonly heartbeatTimeoutMs: number
  readonly members: () => readonly Member[]
  readonly forceLeave: (name: string) => Promise<unknown>
  readonly nowMs: () => number
  readonly log: AgentLog
}

/** What is known of one server between two looks. */
interface Track {
  healthy: boolean
  stableSinceMs: number
  /** Since when gossip does not know it; undefined while it does. */
  unknownSinceMs: number | undefined
}

/** Gives votes to servers that have proven themselves and clears away dead ones, on the leader (consul autopilot). */
export class Autopilot {
  private readonly tracks = new Map<ServerId, Track>()
  private timer: NodeJS.Timeout | undefined
  private working = false

  constructor(private readonly deps: AutopilotDeps) {}

  begin(): void {
    this.tracks.clear()
    this.timer = setInterval(() => void this.round(), INTERVAL_MS)
    this.look()
  }

  end(): void {
    clearInterval(this.timer)
    this.timer = undefined
  }

  private get config(): AutopilotConfig {
    return this.deps.machine.tables.autopilot ?? this.deps.defaults
  }

  /** The health of all servers of the configuration, as of now. */
  look(): readonly ServerHealth[] {
    const {driver, datacenter, members, nowMs} = this.deps
    const status = driver.status()
    const known = serversOf(members(), datacenter)
    const now = nowMs()
    const healths = status.latest.configuration.servers.map(({id, address, suffrage}): ServerHealth => {
      const member = known.find(one => one.id === id) ?? known.find(one => one.address === address)
      const self = id === this.deps.ownId
      const peer = status.peers.find(one => one.peer.id === id)
      const lastContactMs = self
        ? 0
        : peer?.lastContactMs === undefined
          ? undefined
          : Math.max(0, performance.now() - peer.lastContactMs)
      const lastIndex = self ? status.lastIndex : (peer?.matchIndex ?? 0)
      const serfStatus = member?.member.status ?? 'none'
      const healthy = serfStatus === 'alive' && this.isFresh(status, lastContactMs, lastIndex)
      const track = this.track(id, healthy, member === undefined, now)
      return {
        id,
        name: member?.name ?? '',
        address,
        serfStatus,
        version: member?.version ?? '',
        leader: self && status.role === 'leader',
        lastContactMs,
        lastTerm: self || peer?.lastContactMs !== undefined ? status.term : 0,
        lastIndex,
        healthy,
        voter: suffrage === 'voter',
        stableSinceMs: track.stableSinceMs,
      }
    })
    const ids = new Set<string>(healths.map(({id}) => id))
    for (const id of this.tracks.keys()) if (!ids.has(id)) this.tracks.delete(id)
    return healths
  }

  private isFresh(status: RaftStatus, contactMs: number | undefined, lastIndex: number): boolean {
    const {lastContactThresholdNs, maxTrailingLogs} = this.config
    const threshold = Math.max(lastContactThresholdNs / NS_PER_MS, this.deps.heartbeatTimeoutMs / 2)
    return (
      contactMs !== undefined && contactMs <= threshold && status.lastIndex - lastIndex <= maxTrailingLogs
    )
  }

  private track(id: ServerId, healthy: boolean, unknown: boolean, now: number): Track {
    const before = this.tracks.get(id)
    const track: Track = {
      healthy,
      stableSinceMs: before?.healthy === healthy ? before.stableSinceMs : now,
      unknownSinceMs: unknown ? (before?.unknownSinceMs ?? now) : undefined,
    }
    this.tracks.set(id, track)
    return track
  }

  private async round(): Promise<void> {
    if (this.working || this.deps.driver.status().role !== 'leader') return
    this.working = true
    try {
      const healths = this.look()
      await this.promote(healths)
      if (this.config.cleanupDeadServers) await this.clearAway(healths)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      this.deps.log('error', 'server.autopilot', `autopilot: error=${JSON.stringify(why)}`)
    } finally {
      this.working = false
    }
  }

  /** One server at a time gets a vote, after it was healthy for the time of stabilization. */
  private async promote(healths: readonly ServerHealth[]): Promise<void> {
    const {driver, datacenter, members, nowMs, log} = this.deps
    const known = serversOf(members(), datacenter)
    const due = healths.find(({id, voter, healthy, stableSinceMs}) => {
      const wantsNone = known.some(one => one.id === id && one.nonVoter)
      const stableMs = nowMs() - stableSinceMs
      return !voter && !wantsNone && healthy && stableMs >= this.config.serverStabilizationTimeNs / NS_PER_MS
    })
    const server = driver.status().latest.configuration.servers.find(({id}) => id === due?.id)
    if (server === undefined) return
    log(
      'info',
      'server.autopilot',
      `Promoting server: id=${server.id} address=${server.address} name=${due?.name ?? ''}`,
    )
    const {id, address} = server
    const outcome = await driver.changeConfiguration({change: 'add-voter', id, address})
    if (!outcome.ok)
      log('warn', 'server.autopilot', `Failed to promote server: id=${id} error=${outcome.why}`)
  }

  /**
   * Makes failed servers leave, and removes those that gossip has not known for a while, as long as most voters live
   * (`pruneDeadServers`).
   */
  private async clearAway(healths: readonly ServerHealth[]): Promise<void> {
    const {driver, log, forceLeave} = this.deps
    const now = this.deps.nowMs()
    const graceMs = Math.max(INTERVAL_MS, this.config.serverStabilizationTimeNs / NS_PER_MS)
    const isDead = ({id, serfStatus}: ServerHealth): boolean => {
      const since = this.tracks.get(id as ServerId)?.unknownSinceMs
      return (
        serfStatus === 'failed' || (serfStatus === 'none' && since !== undefined && now - since >= graceMs)
      )
    }
    const dead = healths.filter(isDead)
    if (dead.length === 0) return
    const voters = healths.filter(({voter}) => voter).length
    const deadVoters = dead.filter(({voter}) => voter)
    const allowed =
      deadVoters.length <= (voters - 1) / 2 && voters - deadVoters.length >= this.config.minQuorum
    for (const {id, name, voter, serfStatus} of dead) {
      if (voter && !allowed) continue
      if (serfStatus === 'failed') {
        log(
          'info',
          'server.autopilot',
          `Attempting removal of failed server node: name=${JSON.stringify(name)}`,
        )
        await forceLeave(name)
      } else {
        log('info', 'server.autopilot', `Attempting removal of stale server: id=${id}`)
        await driver.changeConfiguration({change: 'remove-server', id: id as ServerId})
      }
    }
    if (deadVoters.length > 0 && !allowed)
      log(
        'debug',
        'server.autopilot',
        `Failed to remove dead servers: too many dead servers: ${deadVoters.length}/${voters}`,
      )
  }
}
