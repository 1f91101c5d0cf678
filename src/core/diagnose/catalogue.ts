import type {FindingCode} from '../model/finding.js'

/** What each finding means, in one or two sentences: the text of quorate-findings(7). Exhaustive by type. */
export const FINDINGS: Readonly<Record<FindingCode, string>> = {
  QUORUM_LOST:
    'Fewer voters are up than a quorum needs, and nobody leads. When starting what is stopped is enough, TRANSIENT_LOSS says so.',
  QUORUM_AT_RISK: 'The quorum holds, and losing one more voter would lose it.',
  TRANSIENT_LOSS:
    'The quorum is lost only because voters that still have their data are stopped or cut off. Start them; no recovery file is needed.',
  LEADER_NOT_ESTABLISHED:
    'Raft has a leader that cannot finish taking office (ACL, CA or a failing backend). Clients see "No cluster leader"; a recovery file changes nothing.',
  TWO_LEADERS: 'Two servers claim to lead, in different terms or different peer sets.',
  NO_LEADER: 'Enough voters are up, and yet none leads.',
  PEER_SETS_DIFFER: 'Servers believe in different peer sets. Each set may elect a leader of its own.',
  PEER_NOT_IN_SERF: 'A peer of the Raft configuration is unknown to gossip.',
  SERVER_NOT_IN_RAFT: 'A server is alive in gossip and not in the Raft configuration.',
  FAILED_MEMBER_VOTES: 'A member that gossip calls failed or left still counts as a voter.',
  PEER_SET_EMPTY:
    'A server that holds data has no peer set: null or [] after a graceful leave. It cannot start an election.',
  LAST_LEAVER_ALONE:
    'All servers left gracefully and the last one holds a peer set of itself alone. Start it, let it lead, join the others.',
  SELF_NOT_IN_CONFIGURATION:
    'A server is not in its own peer set. From Consul 0.7 on it then never stands for election; up to 0.6 that is legal.',
  ONLY_NONVOTERS: 'Only nonvoters are left; they cannot elect a leader.',
  STALE_ADDRESS: 'The peer set has an address that its server no longer has.',
  LOOPBACK_ADDRESS: 'The peer set has a loopback or wildcard address; others cannot reach the server there.',
  DUPLICATE_ID: 'Two hosts carry the same server id, usually cloned disks.',
  DUPLICATE_ADDRESS: 'One address stands in the peer set under two ids.',
  DUPLICATE_NAME: 'Two servers use one node name; gossip takes them for one that moves to and fro.',
  MIXED_IDS: 'The peer set mixes ids of Raft protocol 3 with ids that are addresses.',
  DIALECT_MISMATCH:
    'peers.json is written in the dialect of another Raft protocol; the server will not start with it.',
  PEERS_JSON_INVALID:
    'peers.json does not parse or is an illegal peer set; the server will not start, or will never have a leader.',
  PEERS_JSON_UNKNOWN_KEY:
    'peers.json has a key that the server ignores in silence; a server meant as a nonvoter becomes a voter.',
  PEERS_JSON_PRESENT:
    'A peers.json lies beside a running server or waits for the next start: a trap, or somebody else at work.',
  PEERS_JSON_DIFFERS: 'peers.json differs between servers. All must be the same to the byte.',
  PEERS_JSON_PERMISSIONS:
    "The service's user cannot read peers.json, or cannot delete it from its directory.",
  PEERS_JSON_WRONG_PORT:
    'peers.json has an address without a port, with a scheme, or with a port that is not the Raft port.',
  PEERS_INFO_MISSING: 'raft/peers.info is missing: a recovery file would be deleted unread.',
  ID_MISMATCH: "peers.json or the peer set has another id for a server than the server's own node-id.",
  SEVERAL_HISTORIES:
    'The logs are of different histories: some server was bootstrapped anew. Positions cannot be compared across them.',
  DIVERGENT_TAIL:
    'Two servers hold different entries at the same index. One tail was never committed and must not be recovered beside the other.',
  STATE_DIVERGENT:
    'Servers agree on leader, peer set and position, and hold different contents. Nothing will heal this by itself.',
  LOG_GAP: 'Entries between the newest snapshot and the log are missing; the server cannot start.',
  LOG_LAG: 'A server is far behind the best log.',
  STORE_CORRUPT: 'The log store is damaged.',
  STORE_PERMISSIONS: "The log store does not belong to the service's user; the server cannot open it.",
  SNAPSHOT_CORRUPT: 'A snapshot is damaged; a recovery would use an older one without a word.',
  BLANK_VOTER: "A server without any log stands under a voter's id or address. It would grant any vote.",
  VERSIONS_DIFFER: 'The servers run different versions.',
  PROTOCOLS_DIFFER:
    'The servers speak different Raft protocols, so they read different dialects of peers.json.',
  EXPECT_DIFFERS: 'bootstrap_expect differs between servers; none of them will bootstrap.',
  SEVERAL_BOOTSTRAP: 'More than one server has bootstrap set; each may found a cluster of its own.',
  BOOTSTRAP_LEFTOVER:
    'bootstrap or bootstrap_expect=1 is left over; on empty data, and up to Consul 0.6 on any, the server elects itself.',
  GOSSIP_KEYS_DIFFER: 'The gossip keys differ; servers cannot hear each other although the network is fine.',
  TLS_FAILS:
    'Servers refuse each other over certificates. It looks like a lost quorum, and a recovery file does not cure it.',
  LEAVE_TRAP: 'Stopping this server in the usual way makes it leave the cluster and shrinks the peer set.',
  RESTART_LOOP: 'The service manager starts the server again and again.',
  DISK_FULL: 'The disk of the data directory is full or nearly so.',
  NETWORK_FILE_SYSTEM:
    'The data directory is on a network or memory file system; the log store needs a local disk.',
  CLOCK_SKEW: "The host's clock differs from ours by more than certificates and rejoin ages forgive.",
  REJOIN_AGE:
    'The server was offline for longer than server_rejoin_age_max and will refuse to start. Move server_metadata.json aside; never wipe data for it.',
  EVEN_VOTERS: 'An even number of voters tolerates no more failures than one voter fewer.',
  TERM_RUNAWAY: 'A server has stood for election again and again; its term has run ahead of the log.',
  OTHER_DATA_DIR: 'The running process uses another data directory than the one inspected.',
  SERVICE_FAILED: 'The service manager calls the server failed.',
  UNREACHABLE: 'A host does not answer. That is no proof that its server is dead.',
  UNSUPPORTED_STORE: 'The log store is of a kind that quorate does not read (LMDB, up to Consul 0.5.0).',
  FENCED_SERVER: 'An earlier plan fenced this server: its old raft directory was renamed.',
  UNFINISHED_PLAN:
    'A plan of ours holds servers or locks hosts: it is being applied, or it stopped part-way.',
  UNFENCED_EXCLUDED:
    'A server that an earlier plan excluded was never fenced. If it returns with its old data, it may be a second cluster.',
}
