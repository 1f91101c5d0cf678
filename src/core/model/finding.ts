import type {Source} from './reading.js'

export type Severity = 'fatal' | 'error' | 'warning' | 'info'

/** What a remedy puts at risk, mildest first; remedies are offered in this order. */
export type Risk = 'nothing' | 'availability' | 'unacknowledged-writes' | 'acknowledged-writes'

/** A way out, with its cost. `commands` are complete enough to paste. */
export interface Remedy {
  readonly title: string
  readonly risk: Risk
  readonly detail: string
  readonly commands: readonly string[]
}

/** One observed value that supports a finding. */
export interface Evidence {
  readonly source: Source
  readonly value: string
}

export type Subject =
  | {readonly kind: 'cluster'}
  | {readonly kind: 'server'; readonly host: string}
  | {readonly kind: 'peer'; readonly id: string; readonly address: string}

/** Something a rule noticed. Compared and counted by `code`; the text is for people. */
export interface Finding {
  readonly code: FindingCode
  readonly severity: Severity
  readonly subject: Subject
  /** One sentence, present tense, numbers in it. */
  readonly summary: string
  /** What it means and what follows; may be several sentences. */
  readonly explanation: string
  readonly evidence: readonly Evidence[]
  readonly remedies: readonly Remedy[]
  /** Codes of findings that this one explains. */
  readonly causes: readonly FindingCode[]
}

/** The closed list of what doctor can notice; each has one rule, one page of man, one positive and one near-miss test. */
export type FindingCode =
  | 'QUORUM_LOST'
  | 'QUORUM_AT_RISK'
  | 'TRANSIENT_LOSS'
  | 'LEADER_NOT_ESTABLISHED'
  | 'TWO_LEADERS'
  | 'NO_LEADER'
  | 'PEER_SETS_DIFFER'
  | 'PEER_NOT_IN_SERF'
  | 'SERVER_NOT_IN_RAFT'
  | 'FAILED_MEMBER_VOTES'
  | 'PEER_SET_EMPTY'
  | 'LAST_LEAVER_ALONE'
  | 'SELF_NOT_IN_CONFIGURATION'
  | 'ONLY_NONVOTERS'
  | 'STALE_ADDRESS'
  | 'LOOPBACK_ADDRESS'
  | 'DUPLICATE_ID'
  | 'DUPLICATE_ADDRESS'
  | 'DUPLICATE_NAME'
  | 'MIXED_IDS'
  | 'DIALECT_MISMATCH'
  | 'PEERS_JSON_INVALID'
  | 'PEERS_JSON_UNKNOWN_KEY'
  | 'PEERS_JSON_PRESENT'
  | 'PEERS_JSON_DIFFERS'
  | 'PEERS_JSON_PERMISSIONS'
  | 'PEERS_JSON_WRONG_PORT'
  | 'PEERS_INFO_MISSING'
  | 'ID_MISMATCH'
  | 'SEVERAL_HISTORIES'
  | 'DIVERGENT_TAIL'
  | 'STATE_DIVERGENT'
  | 'LOG_GAP'
  | 'LOG_LAG'
  | 'STORE_CORRUPT'
  | 'STORE_PERMISSIONS'
  | 'SNAPSHOT_CORRUPT'
  | 'BLANK_VOTER'
  | 'VERSIONS_DIFFER'
  | 'PROTOCOLS_DIFFER'
  | 'EXPECT_DIFFERS'
  | 'SEVERAL_BOOTSTRAP'
  | 'BOOTSTRAP_LEFTOVER'
  | 'GOSSIP_KEYS_DIFFER'
  | 'TLS_FAILS'
  | 'LEAVE_TRAP'
  | 'RESTART_LOOP'
  | 'DISK_FULL'
  | 'NETWORK_FILE_SYSTEM'
  | 'CLOCK_SKEW'
  | 'REJOIN_AGE'
  | 'EVEN_VOTERS'
  | 'TERM_RUNAWAY'
  | 'OTHER_DATA_DIR'
  | 'SERVICE_FAILED'
  | 'UNREACHABLE'
  | 'UNSUPPORTED_STORE'
  | 'FENCED_SERVER'
  | 'UNFINISHED_PLAN'
  | 'UNFENCED_EXCLUDED'
