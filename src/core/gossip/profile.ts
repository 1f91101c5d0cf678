/** All times and sizes of one pool; multipliers are those of memberlist's config.go and serf's config.go. */
export interface GossipProfile {
  readonly probeIntervalMs: number
  readonly probeTimeoutMs: number
  /** Helpers that are asked to ping a member that does not answer us. */
  readonly indirectChecks: number
  readonly suspicionMult: number
  readonly suspicionMaxTimeoutMult: number
  /** Health scores run from 0 up to, but without, this. */
  readonly awarenessMax: number
  readonly gossipIntervalMs: number
  readonly gossipNodes: number
  /** How long dead members are still told the news, so that one that is alive hears of its death. */
  readonly gossipToTheDeadMs: number
  readonly pushPullIntervalMs: number
  readonly retransmitMult: number
  readonly streamTimeoutMs: number
  /** After this time a dead member's name may be taken by another address; 0 for never. */
  readonly deadNodeReclaimMs: number
  readonly reapIntervalMs: number
  readonly reconnectIntervalMs: number
  /** How long a failed member is kept; its tag `rc_tm` may say otherwise. */
  readonly reconnectTimeoutMs: number
  /** How long a member that left is kept. */
  readonly tombstoneTimeoutMs: number
  /** How long a leave or a force-leave waits until it was told to others. */
  readonly broadcastTimeoutMs: number
  /** How long one that has left goes on answering. */
  readonly leavePropagateMs: number
}

const lan: GossipProfile = {
  probeIntervalMs: 1000,
  probeTimeoutMs: 500,
  indirectChecks: 3,
  suspicionMult: 4,
  suspicionMaxTimeoutMult: 6,
  awarenessMax: 8,
  gossipIntervalMs: 200,
  gossipNodes: 3,
  gossipToTheDeadMs: 30_000,
  pushPullIntervalMs: 30_000,
  retransmitMult: 4,
  streamTimeoutMs: 10_000,
  deadNodeReclaimMs: 30_000,
  reapIntervalMs: 15_000,
  reconnectIntervalMs: 30_000,
  reconnectTimeoutMs: 72 * 3_600_000,
  tombstoneTimeoutMs: 24 * 3_600_000,
  broadcastTimeoutMs: 5000,
  leavePropagateMs: 3000,
}

/**
 * The three profiles of memberlist (`DefaultLANConfig`, `DefaultWANConfig`, `DefaultLocalConfig`) with what Consul sets
 * besides: 30 s until a dead member's name is free, 72 h until a failed one is forgotten, 3 s between leaving and
 * falling silent (`DefaultConfig`, consul agent/consul/config.go).
 */
export const PROFILES: Readonly<Record<'lan' | 'wan' | 'local', GossipProfile>> = {
  lan,
  wan: {
    ...lan,
    probeIntervalMs: 5000,
    probeTimeoutMs: 3000,
    suspicionMult: 6,
    gossipIntervalMs: 500,
    gossipNodes: 4,
    gossipToTheDeadMs: 60_000,
    pushPullIntervalMs: 60_000,
    streamTimeoutMs: 30_000,
  },
  local: {
    ...lan,
    probeTimeoutMs: 200,
    indirectChecks: 1,
    suspicionMult: 3,
    gossipIntervalMs: 100,
    gossipToTheDeadMs: 15_000,
    pushPullIntervalMs: 15_000,
    retransmitMult: 2,
    streamTimeoutMs: 1000,
    leavePropagateMs: 1000,
  },
}

/** How often one broadcast is sent at most (`retransmitLimit`, memberlist util.go). */
export function retransmitLimit(mult: number, members: number): number {
  return mult * Math.ceil(Math.log10(members + 1))
}

/** The shortest time from suspicion to death: `mult` × max(1, log10 members) × `intervalMs` (memberlist util.go). */
export function suspicionMinMs(mult: number, members: number, intervalMs: number): number {
  const scale = Math.max(1, Math.log10(Math.max(1, members)))
  // memberlist multiplies the thousandths of the scale
  return (mult * Math.floor(scale * 1000) * intervalMs) / 1000
}

/** Push/pulls grow rarer in pools above 32, so that their traffic stays bounded (`pushPullScale`, memberlist util.go). */
export function pushPullMs(intervalMs: number, members: number): number {
  if (members <= 32) return intervalMs
  return intervalMs * (Math.ceil(Math.log2(members) - Math.log2(32)) + 1)
}

/** How long answers to a query are waited for (`DefaultQueryTimeout`, serf query.go). */
export function queryTimeoutMs(gossipIntervalMs: number, members: number): number {
  return gossipIntervalMs * 16 * Math.ceil(Math.log10(members + 1))
}
