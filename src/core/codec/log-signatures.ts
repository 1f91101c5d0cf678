/** A line that servers log and that means something to who repairs a cluster. */
export interface LogSignature {
  readonly id: string
  /** Texts of which one is in every line that can match, in lower case: they are searched for first, and fast. */
  readonly anchors: readonly string[]
  /** Tried on a line that holds an anchor, in any case. Without nested repetition: lines are hostile. */
  readonly pattern: RegExp
  readonly meaning: string
}

const signature = (
  id: string,
  meaning: string,
  anchors: string | readonly string[],
  pattern?: RegExp,
): LogSignature => {
  const list = typeof anchors === 'string' ? [anchors] : anchors
  const literal = list.map(anchor => anchor.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|')
  return {id, anchors: list, pattern: pattern ?? new RegExp(literal, 'i'), meaning}
}

/** What hashicorp/raft, its store and its snapshots say. */
const RAFT: readonly LogSignature[] = [
  signature(
    'no-peers-old',
    'peers.json is empty, null or names only this server; it will not hold an election',
    'and no known peers. aborting election',
  ),
  signature(
    'no-peers',
    'the server has no peer set at all: never bootstrapped, or wiped',
    'no known peers, aborting election',
  ),
  signature(
    'not-in-config',
    'the server is no voter of the peer set it holds',
    'not part of stable configuration, aborting election',
  ),
  signature(
    'not-in-config-2',
    'the server was removed from the peer set or is a nonvoter',
    'not triggering a leader election',
    /heartbeat timeout reached, not part of (?:a )?stable configuration(?: or a non-voter)?, not triggering/i,
  ),
  signature(
    'election-start',
    'the server lost its leader and starts an election',
    'reached, starting election',
    /heartbeat timeout(?: from "([^"]*)")? reached, starting election/i,
  ),
  signature(
    'candidate',
    'the server stands for election',
    'entering candidate state',
    /entering candidate state(?:.*\bterm[ =](\d+))?/i,
  ),
  signature(
    'election-retry',
    'an election found no majority and is repeated',
    'election timeout reached, restarting election',
  ),
  signature(
    'vote-rpc',
    'a peer could not be asked for its vote',
    'failed to make requestvote rpc',
    /failed to make RequestVote RPC(?: to (\{[^}]*\}|\S+): |: target="?(\{[^}]*\}|\S+))/i,
  ),
  signature(
    'vote-rejected-leader',
    'a server that a leader does not know asks for votes: it was removed or cut off',
    'rejecting vote request',
    /rejecting vote request (?:from .* )?since we have a leader/i,
  ),
  signature(
    'vote-rejected-stale',
    'a candidate is behind this server',
    'rejecting vote request',
    /rejecting vote request .*since our last (term|index) is greater/i,
  ),
  signature(
    'vote-rejected-unknown',
    'a server outside the peer set asks for votes',
    'since node is not in configuration',
    /rejecting (?:pre-)?vote request since node is not in configuration/i,
  ),
  signature(
    'vote-rejected-nonvoter',
    'a nonvoter asks for votes',
    'since node is not a voter',
    /rejecting (?:pre-)?vote request since node is not a voter/i,
  ),
  signature(
    'prevote',
    'a pre-vote was held',
    'pre-vote ',
    /pre-vote (?:successful|campaign failed|denied|granted)/i,
  ),
  signature(
    'peer-lacks-us',
    'a peer does not have this server in its list: the lists differ',
    'does not have local node',
  ),
  signature('won', 'the server won an election', 'election won', /election won(?:.*\btally[:=] ?(\d+))?/i),
  signature(
    'leader',
    'there is a leader',
    ['entering leader state', 'cluster leadership acquired', 'new leader elected: '],
    /entering leader state|cluster leadership acquired|new leader elected: (?:payload=)?(\S+)/i,
  ),
  signature('leader-lost', 'this server lost leadership', [
    'cluster leadership lost',
    'failed to contact quorum of nodes, stepping down',
  ]),
  signature(
    'follower-unreachable',
    'the leader does not reach a follower',
    ['failed to appendentries to', 'failed to heartbeat to', 'failed to contact '],
    /failed to (?:AppendEntries to|heartbeat to|contact (?!quorum))/i,
  ),
  signature(
    'log-behind',
    'this server lacks entries or discarded some that differed from the leader’s',
    ['failed to get previous log', 'clearing log suffix'],
    /failed to get previous log|clearing log suffix(?: from |: from=)(\d+) to[ =](\d+)/i,
  ),
  signature('old-log-type', 'the log was written by a newer version', 'got unrecognized log type'),
  signature(
    'initial-config',
    'the peer set that was read at start',
    'initial configuration',
    /initial configuration(?: \(index=(\d+)\): \[(.*)\]|: index=(\d+) servers="?(.*?)"?$)/i,
  ),
  signature('snapshot-bad', 'a snapshot could not be used', [
    'crc checksum failed',
    'crc mismatch',
    'failed to load any existing snapshots',
    'failed to restore any of the available snapshots',
    'failed to read metadata',
  ]),
  signature(
    'store-bad',
    'the log store is damaged or not accessible',
    'failed to start raft: ',
    /failed to start raft: (?:invalid database|checksum error|version mismatch|file size too small|open .*permission denied)/i,
  ),
  signature(
    'fallback-addr',
    'harmless while gossip does not know all servers',
    'using fallback address',
    /unable to get address for (?:sever|server), using fallback address/i,
  ),
]

/** What becomes of recovery files. */
const RECOVERY: readonly LogSignature[] = [
  signature(
    'recovery-found',
    'peers.json was found and is being taken',
    'found peers.json file, recovering raft configuration',
  ),
  signature(
    'recovery-done',
    'peers.json was taken and deleted',
    'deleted peers.json file after successful recovery',
  ),
  signature(
    'recovery-discarded',
    'peers.json was deleted unread, because peers.info was missing',
    'deleted peers.json file (see peers.info for details)',
  ),
  signature(
    'recovery-parse',
    'peers.json was refused',
    'recovery failed to parse peers.json',
    /recovery failed to parse peers\.json: (.*)/i,
  ),
  signature('recovery-failed', 'the recovery failed', 'recovery failed: ', /recovery failed: (.*)/i),
  signature(
    'recovery-delete',
    'the recovery is done, but the server may not delete peers.json and does not start',
    'recovery failed to delete peers.json',
  ),
  signature(
    'peers-read-old',
    'the living peers.json cannot be read',
    'failed to get list of peers',
    /failed to get list of peers: (.*)/i,
  ),
  signature('rqlite', 'rqlite is recovering from a peers.json', [
    'attempting node recovery using',
    'node recovered successfully using',
    'failed to read peers file: ',
    'failed to recover node: ',
  ]),
  signature('vault', 'Vault or OpenBao is recovering from a peers.json', [
    'raft recovery initiated',
    'raft recovery found new config',
    'raft recovery deleted peers.json',
    'raft recovery failed',
  ]),
]

/** Bootstrapping. */
const BOOTSTRAP: readonly LogSignature[] = [
  signature(
    'expect-mismatch',
    'servers expect different numbers of servers',
    'conflicting expect value',
    /member (?:.* )?has a conflicting expect value/i,
  ),
  signature(
    'expect-bootstrap',
    'a server in bootstrap mode stands beside servers that expect others',
    'has bootstrap mode. expect disabled',
  ),
  signature('two-bootstrap', 'two clusters of one server each were made', [
    'are both in bootstrap mode',
    'two nodes are in bootstrap mode',
  ]),
  signature(
    'expect-off-data',
    'normal when a server with data starts again',
    'raft data found, disabling bootstrap mode',
  ),
  signature(
    'expect-off-peers',
    'a cluster exists already; this server joins it',
    'existing raft peers reported by',
    /existing raft peers reported by (?:server, disabling bootstrap mode: server=)?(\S+)/i,
  ),
  signature('bootstrap-go', 'a new cluster is being made', [
    'attempting bootstrap with nodes: ',
    'found expected number of peers, attempting bootstrap',
  ]),
]

/** Gossip, leaving, and what clients see. */
const GOSSIP: readonly LogSignature[] = [
  signature(
    'node-id-conflict',
    'two servers have the same node id',
    'conflicting node id',
    /member '([^']+)' has conflicting node id '([^']+)'/i,
  ),
  signature(
    'name-conflict',
    'two servers have the same name',
    ['conflicting address for ', 'node name conflicts with another node at'],
    /conflicting address for (\S+)\. mine: (\S+) theirs: (\S+)|node name conflicts with another node at/i,
  ),
  signature(
    'key-mismatch',
    'servers have different gossip keys',
    'no installed keys could decrypt the message',
  ),
  signature('key-one-side', 'only one side encrypts gossip', [
    'encryption is configured but remote state is not encrypted',
    'remote state is encrypted and encryption is not configured',
  ]),
  signature('join-eof', 'the other side refused the join, often for its gossip key', 'join failed: eof'),
  signature('left', 'the server left the cluster', [
    'server starting leave',
    'removed ourself, transitioning to follower',
  ]),
  signature(
    'leave-timeout',
    'the server left without a quorum to record it',
    'gracefully, timeout',
    /failed to leave raft (?:peer set|configuration) gracefully, timeout/i,
  ),
  signature('unclean-stop', 'the server stopped without leaving', 'shutdown without a leave'),
  signature(
    'no-leader',
    'a symptom: there is no leader',
    'failed to sync remote state',
    /failed to sync remote state:? (?:error=")?no cluster leader/i,
  ),
  signature('client-blind', 'a client knows no server', 'no known consul servers'),
]

/** What keeps a server from starting or a leader from working. */
const TROUBLE: readonly LogSignature[] = [
  signature(
    'establish-failed',
    'the server wins elections but cannot take up leadership',
    'failed to establish leadership',
    /failed to establish leadership(?:: (?:error=)?(.*))?/i,
  ),
  signature(
    'establish-ca',
    'leadership fails on the certificate authority of Connect',
    'failed to establish leadership',
    /failed to establish leadership.*\b(?:CA|certificate|connect|vault|intermediate)\b/i,
  ),
  signature(
    'establish-acl',
    'leadership fails on ACLs',
    'failed to establish leadership',
    /failed to establish leadership.*\bACLs?\b/i,
  ),
  signature('disk-full', 'the disk is full', 'no space left on device'),
  signature('read-only', 'the file system is read-only', 'read-only file system'),
  signature('too-many-files', 'the limit of open files is reached', 'too many open files'),
  signature(
    'tls-refused',
    'a certificate is refused',
    ['x509: ', 'remote error: tls: ', 'tls: bad certificate'],
    /x509: (.*)|remote error: tls: (.*)|tls: bad certificate/i,
  ),
  signature(
    'rejoin-refused',
    'the server was away longer than server_rejoin_age_max and refuses to start',
    'refusing to rejoin cluster because server has been offline',
  ),
  signature(
    'protocol-refused',
    'the configured Raft protocol is no longer supported',
    ['raft_protocol version ', 'raft_protocol must be 3'],
    /raft_protocol version \d+ is not supported|raft_protocol must be 3/i,
  ),
]

/** All signatures. More than one can match a line. */
export const LOG_SIGNATURES: readonly LogSignature[] = [
  ...RAFT,
  ...RECOVERY,
  ...BOOTSTRAP,
  ...GOSSIP,
  ...TROUBLE,
]

/** Not a line but the lack of one: the log ends where the agent was about to open its store, which another holds. */
export const HUNG_SIGNATURE = {
  id: 'hung',
  meaning: 'nothing was logged after the start: another process holds the log store',
  lastLine: /==> (?:Starting Consul agent\.\.\.|Log data will now stream in)/,
} as const
