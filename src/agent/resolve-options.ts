import {decodeGossipKey} from '../core/codec/keyring.js'
import type {AgentSettings} from '../core/codec/agent-config.js'
import {LOG_LEVELS, parseLogLevel} from '../core/codec/agent-log-line.js'
import type {LogLevel} from '../core/codec/agent-log-line.js'
import {printable} from '../core/text.js'
import {DEFAULT_LIMITS} from './options.js'
import type {AgentLimits, AgentOptions, AutopilotSettings, EncryptionOptions} from './options.js'
import type {GossipTimings, JoinOptions, RaftSettings} from './options.js'
import type {Complain, InterfaceAddress} from './resolve-addresses.js'
import {isUnspecified, resolveAddresses, resolvePorts} from './resolve-addresses.js'

/** What of the machine the options depend on. */
export interface AgentSurroundings {
  readonly hostname: string
  readonly interfaces: readonly InterfaceAddress[]
  /** Makes a path absolute. */
  readonly absolute: (path: string) => string
}

/** What the command line says beside settings. */
export interface AgentMode {
  readonly dev: boolean
  /** Directory of an agent that keeps nothing. */
  readonly devDir: string
  readonly peerFilter: string | undefined
  readonly sources: readonly string[]
}

/** Options, or what stands against them. */
export interface ResolvedOptions {
  /** Only to be used when there are no problems. */
  readonly options: AgentOptions
  readonly warnings: readonly string[]
  readonly problems: readonly string[]
}

/**
 * Fills in defaults and checks what contradicts itself, in the products' words (`builder.build` and `validate`,
 * agent/config/builder.go; `readConfig`, command/agent/command.go for protocol 0).
 */
export function resolveOptions(
  settings: AgentSettings,
  mode: AgentMode,
  surroundings: AgentSurroundings,
): ResolvedOptions {
  const problems: string[] = []
  const warnings: string[] = []
  const complain: Complain = problem => problems.push(problem)
  const {dev} = mode
  const server = settings.flag('server') ?? dev
  const raft = resolveRaft(settings, dev, complain)
  const old = raft.protocol === 0
  const founding = resolveFounding(settings, server, dev, warnings, complain)
  const ports = resolvePorts(settings, raft.protocol < 3, complain)
  if ((settings.number('ports.dns') ?? -1) > 0)
    warnings.push('DNS is not served by this agent: ports.dns changes nothing')
  if ((settings.number('ports.grpc') ?? -1) > 0 || (settings.number('ports.grpc_tls') ?? -1) > 0)
    warnings.push('gRPC is not served by this agent: ports.grpc changes nothing')
  const dataDir = dev ? mode.devDir : settings.text('data_dir')
  if (dataDir === undefined) complain('data_dir cannot be empty: say where to keep data with -data-dir')
  const nodeName = settings.text('node_name') ?? surroundings.hostname
  if (!/^[A-Za-z0-9-]+$/.test(nodeName))
    warnings.push(
      `node name '${printable(nodeName, 80)}' cannot be found by DNS: letters, digits and dashes can`,
    )
  const path = (name: string): string | undefined => {
    const text = settings.text(name)
    return text === undefined ? undefined : surroundings.absolute(text)
  }
  const {interfaces, absolute} = surroundings
  const addresses = resolveAddresses(settings, ports, interfaces, complain)
  const options: AgentOptions = {
    server,
    nonVoter: settings.flag('read_replica', 'non_voting_server') ?? false,
    dev,
    dataDir: absolute(dataDir ?? '.'),
    nodeName,
    nodeId: resolveNodeId(settings, complain),
    nodeMeta: resolveNodeMeta(settings, complain),
    datacenter: resolveDatacenter(settings, complain),
    ...founding,
    addresses,
    ports,
    join: {lan: resolveJoin(settings, '', complain), wan: resolveJoin(settings, '_wan', complain)},
    encryption: resolveEncryption(settings, complain),
    leaveOnTerminate: settings.flag('leave_on_terminate') ?? (dev || (!old && !server)),
    skipLeaveOnInterrupt: settings.flag('skip_leave_on_interrupt') ?? (dev || (!old && server)),
    leaveDrainMs: settings.number('performance.leave_drain_time') ?? (dev ? 0 : 5000),
    rejoinAfterLeave: settings.flag('rejoin_after_leave') ?? false,
    reconnectTimeoutMs: {
      lan: settings.number('reconnect_timeout') ?? THREE_DAYS_MS,
      wan: settings.number('reconnect_timeout_wan') ?? THREE_DAYS_MS,
    },
    gossip: {
      lan: resolveGossip(settings, 'gossip_lan', dev ? DEV_GOSSIP : LAN_GOSSIP, complain),
      wan: resolveGossip(settings, 'gossip_wan', dev ? DEV_GOSSIP : WAN_GOSSIP, complain),
    },
    raft,
    autopilot: resolveAutopilot(settings),
    queryTimeMs: {
      default: settings.number('default_query_time') ?? 300_000,
      max: settings.number('max_query_time') ?? 600_000,
    },
    limits: resolveLimits(settings, complain),
    logLevel: resolveLogLevel(settings, dev, complain),
    logJson: settings.flag('log_json') ?? false,
    logFile: path('log_file'),
    pidFile: path('pid_file'),
    sources: mode.sources,
    blockedPeersFile: mode.peerFilter === undefined ? undefined : absolute(mode.peerFilter),
  }
  checkListeners(options, complain)
  return {options, warnings, problems}
}

const THREE_DAYS_MS = 72 * 3_600_000
const LAN_GOSSIP: GossipTimings = {
  gossipIntervalMs: 200,
  gossipNodes: 3,
  probeIntervalMs: 1000,
  probeTimeoutMs: 500,
  suspicionMultiplier: 4,
  retransmitMultiplier: 4,
}
const WAN_GOSSIP: GossipTimings = {
  ...LAN_GOSSIP,
  gossipIntervalMs: 500,
  probeIntervalMs: 5000,
  probeTimeoutMs: 3000,
  suspicionMultiplier: 6,
}
const DEV_GOSSIP: GossipTimings = {
  ...LAN_GOSSIP,
  gossipIntervalMs: 100,
  probeIntervalMs: 100,
  probeTimeoutMs: 100,
  suspicionMultiplier: 3,
}

function resolveFounding(
  settings: AgentSettings,
  server: boolean,
  dev: boolean,
  warnings: string[],
  complain: Complain,
): {readonly bootstrap: boolean; readonly bootstrapExpect: number} {
  const bootstrap = settings.flag('bootstrap') ?? false
  const expect = settings.number('bootstrap_expect') ?? 0
  const whence = settings.whence(expect === 0 ? 'bootstrap' : 'bootstrap_expect')
  if (!Number.isInteger(expect) || expect < 0)
    complain(`bootstrap_expect cannot be ${expect}. Must be greater than or equal to zero${whence}`)
  if (expect > 0 && dev) complain(`'bootstrap_expect > 0' not allowed in dev mode${whence}`)
  if (expect > 0 && !server) complain(`'bootstrap_expect > 0' requires 'server = true'${whence}`)
  if (bootstrap && !server) complain(`'bootstrap = true' requires 'server = true'${whence}`)
  if (expect > 0 && bootstrap)
    complain(`'bootstrap_expect > 0' and 'bootstrap = true' are mutually exclusive${whence}`)
  const alone = bootstrap || expect === 1
  if (expect === 1) warnings.push('BootstrapExpect is set to 1; this is the same as Bootstrap mode.')
  if (alone && !dev) warnings.push('bootstrap = true: do not enable unless necessary')
  if (expect === 2)
    warnings.push('bootstrap_expect = 2: A cluster with 2 servers will provide no failure tolerance.')
  else if (expect > 2 && expect % 2 === 0)
    warnings.push(
      'bootstrap_expect is even number: A cluster with an even number of servers does not achieve optimum fault tolerance.',
    )
  if (expect > 1) warnings.push(`bootstrap_expect > 0: expecting ${expect} servers`)
  return {bootstrap: alone || dev, bootstrapExpect: alone || dev ? 0 : expect}
}

function resolveRaft(settings: AgentSettings, dev: boolean, complain: Complain): RaftSettings {
  const protocol = settings.number('raft_protocol') ?? 3
  if (![0, 1, 2, 3].includes(protocol))
    complain(`raft_protocol version ${protocol} is not supported: 0 to 3${settings.whence('raft_protocol')}`)
  const multiplier = settings.number('performance.raft_multiplier') ?? 1
  if (!(multiplier >= 0.1 && multiplier <= 10))
    complain(
      `performance.raft_multiplier cannot be ${multiplier}. Must be between 0.1 and 10${settings.whence('performance.raft_multiplier')}`,
    )
  return {
    protocol: protocol as RaftSettings['protocol'],
    multiplier,
    heartbeatTimeoutMs: Math.round((dev ? 200 : 1000) * multiplier),
    electionTimeoutMs: Math.round((dev ? 200 : 1000) * multiplier),
    leaderLeaseTimeoutMs: Math.round((dev ? 100 : 500) * multiplier),
    commitTimeoutMs: Math.max(5, Math.round(50 * Math.min(1, multiplier))),
    snapshotThreshold: count(settings, 'raft_snapshot_threshold', 16_384, complain),
    snapshotIntervalMs: positive(settings, 'raft_snapshot_interval', 30_000, complain),
    trailingLogs: count(settings, 'raft_trailing_logs', 10_240, complain),
  }
}

function resolveJoin(settings: AgentSettings, pool: '' | '_wan', complain: Complain): JoinOptions {
  const addresses = (path: string): readonly string[] => {
    const all = settings.texts(`${path}${pool}`)
    const cloud = all.find(address => address.includes('='))
    if (cloud !== undefined)
      complain(
        `${path}${pool}: '${printable(cloud, 60)}' asks a cloud for addresses, which this agent does not do${settings.whence(`${path}${pool}`)}`,
      )
    return all.filter(address => address.trim() !== '')
  }
  const retryMax = settings.number(`retry_max${pool}`) ?? 0
  return {
    once: addresses('start_join'),
    retry: addresses('retry_join'),
    retryIntervalMs: positive(settings, `retry_interval${pool}`, 30_000, complain),
    retryMax: Math.max(0, retryMax),
  }
}

function resolveEncryption(settings: AgentSettings, complain: Complain): EncryptionOptions {
  const text = settings.text('encrypt')
  const key = text === undefined ? undefined : decodeGossipKey(text)
  // The key is a secret: no message shows it
  if (text !== undefined && key === undefined)
    complain(`encrypt: the key must be base64 of 16, 24 or 32 bytes${settings.whence('encrypt')}`)
  return {
    key,
    verifyIncoming: settings.flag('encrypt_verify_incoming') ?? true,
    verifyOutgoing: settings.flag('encrypt_verify_outgoing') ?? true,
    disableKeyringFile: settings.flag('disable_keyring_file') ?? false,
  }
}

function resolveGossip(
  settings: AgentSettings,
  block: string,
  base: GossipTimings,
  complain: Complain,
): GossipTimings {
  return {
    gossipIntervalMs: positive(settings, `${block}.gossip_interval`, base.gossipIntervalMs, complain),
    gossipNodes: positive(settings, `${block}.gossip_nodes`, base.gossipNodes, complain),
    probeIntervalMs: positive(settings, `${block}.probe_interval`, base.probeIntervalMs, complain),
    probeTimeoutMs: positive(settings, `${block}.probe_timeout`, base.probeTimeoutMs, complain),
    suspicionMultiplier: positive(settings, `${block}.suspicion_mult`, base.suspicionMultiplier, complain),
    retransmitMultiplier: positive(settings, `${block}.retransmit_mult`, base.retransmitMultiplier, complain),
  }
}

function resolveLimits(settings: AgentSettings, complain: Complain): AgentLimits {
  const connections = settings.number('limits.http_max_conns_per_client')
  const path = 'limits.http_max_conns_per_client'
  if (connections !== undefined && !(Number.isInteger(connections) && connections >= 0))
    complain(`${path} must be a whole number, 0 for no limit${settings.whence(path)}`)
  return {
    kvValueBytesMax: positive(settings, 'limits.kv_max_value_size', DEFAULT_LIMITS.kvValueBytesMax, complain),
    txnBytesMax: positive(settings, 'limits.txn_max_req_len', DEFAULT_LIMITS.txnBytesMax, complain),
    httpConnectionsMax: connections === 0 ? Infinity : (connections ?? DEFAULT_LIMITS.httpConnectionsMax),
  }
}

function resolveAutopilot(settings: AgentSettings): AutopilotSettings {
  return {
    cleanupDeadServers: settings.flag('autopilot.cleanup_dead_servers') ?? true,
    lastContactThresholdMs: settings.number('autopilot.last_contact_threshold') ?? 200,
    maxTrailingLogs: settings.number('autopilot.max_trailing_logs') ?? 250,
    minQuorum: settings.number('autopilot.min_quorum') ?? 0,
    serverStabilizationMs: settings.number('autopilot.server_stabilization_time') ?? 10_000,
  }
}

function resolveNodeId(settings: AgentSettings, complain: Complain): string | undefined {
  const id = settings.text('node_id')?.trim().toLowerCase()
  if (id !== undefined && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id))
    complain(`node_id: '${printable(id, 60)}' is not a UUID${settings.whence('node_id')}`)
  return id
}

/** The bounds of `ValidateMetaData` (agent/structs/structs.go). */
function resolveNodeMeta(settings: AgentSettings, complain: Complain): Readonly<Record<string, string>> {
  const meta = settings.map('node_meta')
  if (Object.keys(meta).length > 64) complain('node_meta cannot contain more than 64 key pairs')
  for (const [key, value] of Object.entries(meta)) {
    const bad =
      !/^[A-Za-z0-9_-]{1,128}$/.test(key) ||
      /^consul-/i.test(key) ||
      new TextEncoder().encode(value).length > 512
    if (bad) complain(`node_meta: '${printable(key, 60)}' is no key, or its value is too long`)
  }
  return meta
}

function resolveDatacenter(settings: AgentSettings, complain: Complain): string {
  const datacenter = (settings.text('datacenter') ?? 'dc1').toLowerCase()
  if (!/^[a-z0-9_-]{1,64}$/.test(datacenter))
    complain(
      `datacenter can only contain lowercase alphanumeric, - or _ characters, not '${printable(datacenter, 60)}'${settings.whence('datacenter')}`,
    )
  return datacenter
}

function resolveLogLevel(settings: AgentSettings, dev: boolean, complain: Complain): LogLevel {
  const text = settings.text('log_level')
  if (text === undefined) return dev ? 'debug' : 'info'
  const known = parseLogLevel(text)
  if (known === undefined)
    complain(
      `log_level: '${printable(text, 40)}' is none of ${LOG_LEVELS.join(', ')}${settings.whence('log_level')}`,
    )
  return known ?? 'info'
}

function positive(settings: AgentSettings, path: string, byDefault: number, complain: Complain): number {
  const value = settings.number(path) ?? byDefault
  if (value > 0) return value
  complain(`${path} must be more than zero${settings.whence(path)}`)
  return byDefault
}

/** A number of entries: a part of one would end up in the store's own bookkeeping. */
function count(settings: AgentSettings, path: string, byDefault: number, complain: Complain): number {
  const value = positive(settings, path, byDefault, complain)
  if (Number.isInteger(value)) return value
  complain(`${path} must be a whole number${settings.whence(path)}`)
  return byDefault
}

/** Two listeners cannot share a port, as `addrUnique` (agent/config/builder.go) has it. */
function checkListeners({addresses, ports}: AgentOptions, complain: Complain): void {
  const taken: {readonly what: string; readonly host: string; readonly port: number}[] = []
  const take = (what: string, host: string, port: number): void => {
    if (port === -1) return
    const clash = taken.find(
      other =>
        other.port === port && (other.host === host || isUnspecified(other.host) || isUnspecified(host)),
    )
    if (clash !== undefined) complain(`${what} and ${clash.what} cannot both listen on port ${port}`)
    taken.push({what, host, port})
  }
  take('ports.server', addresses.bind, ports.server)
  take('ports.serf_lan', addresses.serfLanBind, ports.serfLan)
  take('ports.serf_wan', addresses.serfWanBind, ports.serfWan)
  for (const [what, listeners] of [
    ['ports.http', addresses.http],
    ['ports.rpc', addresses.cli],
  ] as const)
    for (const listener of listeners) if (listener.kind === 'tcp') take(what, listener.host, listener.port)
}
