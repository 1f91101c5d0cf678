import type {RaftLimits, RaftOptions} from './types.js'

/** Limits that suit servers on one network. */
const DEFAULT_LIMITS: RaftLimits = {
  appendEntriesMax: 256,
  appendBytesMax: 1024 * 1024,
  appendsInFlightMax: 8,
  proposalsInFlightMax: 8192,
  readsInFlightMax: 8192,
  uncommittedBytesMax: 64 * 1024 * 1024,
  cacheBytesMax: 16 * 1024 * 1024,
  applyEntriesMax: 4096,
  applyBytesMax: 16 * 1024 * 1024,
}

/** All options that have a usual value, with the values of hashicorp/raft's `DefaultConfig` (config.go). */
export const DEFAULT_OPTIONS: Omit<RaftOptions, 'id' | 'address' | 'random'> = {
  heartbeatTimeoutMs: 1000,
  loyalAtStartMs: 0,
  electionTimeoutMs: 1000,
  leaderLeaseMs: 500,
  commitTimeoutMs: 50,
  snapshotIntervalMs: 120_000,
  snapshotThreshold: 8192,
  trailingEntries: 10_240,
  preVote: true,
  raftProtocol: 3,
  limits: DEFAULT_LIMITS,
}
