import type {FindingCode} from '../../model/finding.js'
import type {Rule} from '../findings.js'
import {fencedServer, unfencedExcluded} from './earlier-plans.js'
import {failedMemberVotes, gossipKeysDiffer, peerNotInSerf, serverNotInRaft} from './gossip.js'
import {
  duplicateAddress,
  duplicateId,
  duplicateName,
  idMismatch,
  loopbackAddress,
  mixedIds,
  staleAddress,
} from './identity.js'
import {leaderNotEstablished, termRunaway, twoLeaders} from './leader.js'
import {blankVoter, divergentTail, logGap, logLag, severalHistories, stateDivergent} from './logs.js'
import {lastLeaverAlone, peerSetEmpty, peerSetsDiffer, selfNotInConfiguration} from './peer-sets.js'
import {
  dialectMismatch,
  peersInfoMissing,
  peersJsonDiffers,
  peersJsonInvalid,
  peersJsonPermissions,
  peersJsonPresent,
  peersJsonUnknownKey,
  peersJsonWrongPort,
} from './peers-file.js'
import {evenVoters, noLeader, onlyNonvoters, quorumAtRisk, quorumLost, transientLoss} from './quorum.js'
import {clockSkew, leaveTraps, restartLoop, serviceFailed, tlsFails, unreachable} from './service.js'
import {
  bootstrapLeftover,
  expectDiffers,
  protocolsDiffer,
  rejoinAge,
  severalBootstrap,
  versionsDiffer,
} from './settings.js'
import {
  diskFull,
  networkFileSystem,
  otherDataDir,
  snapshotCorrupt,
  storeCorrupt,
  storePermissions,
  unsupportedStore,
} from './store.js'
import {unfinishedPlan} from './unfinished-plan.js'

/** The rule that notices each finding; by type there is one for every code. */
export const RULES: Readonly<Record<FindingCode, Rule>> = {
  QUORUM_LOST: quorumLost,
  QUORUM_AT_RISK: quorumAtRisk,
  TRANSIENT_LOSS: transientLoss,
  LEADER_NOT_ESTABLISHED: leaderNotEstablished,
  TWO_LEADERS: twoLeaders,
  NO_LEADER: noLeader,
  PEER_SETS_DIFFER: peerSetsDiffer,
  PEER_NOT_IN_SERF: peerNotInSerf,
  SERVER_NOT_IN_RAFT: serverNotInRaft,
  FAILED_MEMBER_VOTES: failedMemberVotes,
  PEER_SET_EMPTY: peerSetEmpty,
  LAST_LEAVER_ALONE: lastLeaverAlone,
  SELF_NOT_IN_CONFIGURATION: selfNotInConfiguration,
  ONLY_NONVOTERS: onlyNonvoters,
  STALE_ADDRESS: staleAddress,
  LOOPBACK_ADDRESS: loopbackAddress,
  DUPLICATE_ID: duplicateId,
  DUPLICATE_ADDRESS: duplicateAddress,
  DUPLICATE_NAME: duplicateName,
  MIXED_IDS: mixedIds,
  DIALECT_MISMATCH: dialectMismatch,
  PEERS_JSON_INVALID: peersJsonInvalid,
  PEERS_JSON_UNKNOWN_KEY: peersJsonUnknownKey,
  PEERS_JSON_PRESENT: peersJsonPresent,
  PEERS_JSON_DIFFERS: peersJsonDiffers,
  PEERS_JSON_PERMISSIONS: peersJsonPermissions,
  PEERS_JSON_WRONG_PORT: peersJsonWrongPort,
  PEERS_INFO_MISSING: peersInfoMissing,
  ID_MISMATCH: idMismatch,
  SEVERAL_HISTORIES: severalHistories,
  DIVERGENT_TAIL: divergentTail,
  STATE_DIVERGENT: stateDivergent,
  LOG_GAP: logGap,
  LOG_LAG: logLag,
  STORE_CORRUPT: storeCorrupt,
  STORE_PERMISSIONS: storePermissions,
  SNAPSHOT_CORRUPT: snapshotCorrupt,
  BLANK_VOTER: blankVoter,
  VERSIONS_DIFFER: versionsDiffer,
  PROTOCOLS_DIFFER: protocolsDiffer,
  EXPECT_DIFFERS: expectDiffers,
  SEVERAL_BOOTSTRAP: severalBootstrap,
  BOOTSTRAP_LEFTOVER: bootstrapLeftover,
  GOSSIP_KEYS_DIFFER: gossipKeysDiffer,
  TLS_FAILS: tlsFails,
  LEAVE_TRAP: leaveTraps,
  RESTART_LOOP: restartLoop,
  DISK_FULL: diskFull,
  NETWORK_FILE_SYSTEM: networkFileSystem,
  CLOCK_SKEW: clockSkew,
  REJOIN_AGE: rejoinAge,
  EVEN_VOTERS: evenVoters,
  TERM_RUNAWAY: termRunaway,
  OTHER_DATA_DIR: otherDataDir,
  SERVICE_FAILED: serviceFailed,
  UNREACHABLE: unreachable,
  UNSUPPORTED_STORE: unsupportedStore,
  FENCED_SERVER: fencedServer,
  UNFINISHED_PLAN: unfinishedPlan,
  UNFENCED_EXCLUDED: unfencedExcluded,
}
