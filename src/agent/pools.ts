import {join} from 'node:path'
import type {Member} from '../core/gossip/member.js'
import {PROFILES} from '../core/gossip/profile.js'
import type {GossipProfile} from '../core/gossip/profile.js'
import {startGossip} from './gossip-driver.js'
import type {Gossip, GossipSettings} from './gossip/gossip.js'
import type {AgentLog} from './logger.js'
import type {AgentOptions, GossipTimings} from './options.js'
import type {PeerFilter} from './peer-filter.js'
import {agentTags, lanMergeRule, wanMergeRule} from './server-members.js'

/** What the pools of an agent are joined with. */
export interface PoolDeps {
  readonly options: AgentOptions
  readonly nodeId: string
  readonly ports: {readonly server: number; readonly serfWan: number}
  readonly filter: PeerFilter
  readonly log: AgentLog
}

/** How long one that left goes on answering; Consul waits for that from 0.8 on. */
const leavePropagateMs = (base: GossipProfile, {raft}: AgentOptions): number =>
  raft.protocol < 2 ? 0 : base.leavePropagateMs

function profile(base: GossipProfile, timings: GossipTimings, reconnectTimeoutMs: number): GossipProfile {
  return {
    ...base,
    gossipIntervalMs: timings.gossipIntervalMs,
    gossipNodes: timings.gossipNodes,
    probeIntervalMs: timings.probeIntervalMs,
    probeTimeoutMs: timings.probeTimeoutMs,
    suspicionMult: timings.suspicionMultiplier,
    retransmitMult: timings.retransmitMultiplier,
    reconnectTimeoutMs,
  }
}

/** Takes part in the LAN pool of the datacenter. */
export async function startLan(deps: PoolDeps): Promise<Gossip> {
  const {options, nodeId} = deps
  const {addresses, ports, gossip, reconnectTimeoutMs, nodeName, datacenter} = options
  const late: {pool?: Gossip} = {}
  const members = (): readonly Member[] => late.pool?.members() ?? []
  late.pool = await startGossip({
    ...shared(deps, 'lan'),
    name: nodeName,
    bind: {ip: addresses.serfLanBind, port: ports.serfLan},
    advertise: {ip: addresses.advertise, port: ports.serfLan},
    profile: {
      ...profile(PROFILES.lan, gossip.lan, reconnectTimeoutMs.lan),
      leavePropagateMs: leavePropagateMs(PROFILES.lan, options),
    },
    mergeRule: lanMergeRule({name: nodeName, nodeId, datacenter}, members),
    resolveNameConflicts: !options.server,
  })
  return late.pool
}

/** Takes part in the WAN pool, of the servers of all datacenters; undefined where that is off. */
export async function startWan(deps: PoolDeps): Promise<Gossip | undefined> {
  const {options} = deps
  const {addresses, ports, gossip, reconnectTimeoutMs} = options
  if (!options.server || ports.serfWan < 0) return undefined
  return startGossip({
    ...shared(deps, 'wan'),
    name: `${options.nodeName}.${options.datacenter}`,
    bind: {ip: addresses.serfWanBind, port: ports.serfWan},
    advertise: {ip: addresses.advertiseWan, port: ports.serfWan},
    profile: {
      ...profile(PROFILES.wan, gossip.wan, reconnectTimeoutMs.wan),
      leavePropagateMs: leavePropagateMs(PROFILES.wan, options),
    },
    mergeRule: wanMergeRule,
    resolveNameConflicts: false,
  })
}

type Shared = Omit<
  GossipSettings,
  'name' | 'bind' | 'advertise' | 'profile' | 'mergeRule' | 'resolveNameConflicts'
>

function shared({options, nodeId, ports, filter, log}: PoolDeps, pool: 'lan' | 'wan'): Shared {
  const {encryption, dataDir, rejoinAfterLeave, server} = options
  const name = pool === 'lan' ? 'local' : 'remote'
  const scope = `${server ? 'server' : 'client'}.serf.${pool}`
  return {
    tags: agentTags(options, nodeId, pool, ports),
    key: encryption.key,
    keyringFile: encryption.disableKeyringFile ? undefined : join(dataDir, 'serf', `${name}.keyring`),
    verifyIncoming: encryption.verifyIncoming,
    verifyOutgoing: encryption.verifyOutgoing,
    snapshotFile: options.dev ? undefined : join(dataDir, 'serf', `${name}.snapshot`),
    rejoinAfterLeave,
    delegateProtocol: 4,
    filter,
    log: (level, text) => log(level, scope, text),
  }
}
