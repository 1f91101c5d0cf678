import type {Access, ApiObservation, ServerObservation} from './observation.js'
import type {NotRead, Reading, Source, Unread, Via} from './reading.js'

/** Why a whole group of facts is unread. */
export interface Reason {
  readonly why: Unread
  readonly detail: string
}

/** A server of which nothing but its name is known, for one reason. It says nothing of whether the server lives. */
export function unreadServer(
  host: string,
  address: string,
  reached: Reading<Access>,
  reason: Reason,
): ServerObservation {
  const at = (via: Via, what: string): NotRead => notRead({host, via, what}, reason)
  return {
    host,
    address,
    reached,
    product: at('process', 'product'),
    version: at('process', 'version'),
    clockOffsetMs: at('host', 'date'),
    hostAddresses: at('host', 'addresses'),
    processes: at('process', '/proc'),
    service: at('service-manager', 'service'),
    sockets: at('host', 'sockets'),
    config: at('config', 'configuration'),
    disk: at('host', 'df'),
    files: at('file', 'raft files'),
    nodeId: at('file', 'node-id'),
    peersFile: at('file', 'peers.json'),
    peersInfo: at('file', 'peers.info'),
    lastSeenUnix: at('file', 'server_metadata.json'),
    snapshots: at('file', 'snapshots'),
    serfSnapshot: at('file', 'serf snapshot'),
    keyring: at('file', 'keyring'),
    store: at('store', 'log store'),
    storeLock: at('file', '/proc/locks'),
    api: unreadApi(host, reason),
    journal: at('journal', 'log'),
    traces: at('file', 'traces of quorate'),
  }
}

/** An API of which nothing is known, for one reason. */
export function unreadApi(host: string, reason: Reason): ApiObservation {
  const at = (what: string): NotRead => notRead({host, via: 'api', what}, reason)
  return {
    leader: at('/v1/status/leader'),
    statusPeers: at('/v1/status/peers'),
    self: at('/v1/agent/self'),
    members: at('/v1/agent/members'),
    raftConfiguration: at('/v1/operator/raft/configuration?stale'),
    autopilot: at('/v1/operator/autopilot/configuration'),
    contents: at('/v1/kv'),
  }
}

function notRead(source: Source, reason: Reason): NotRead {
  return reason.detail === ''
    ? {kind: 'unread', why: reason.why, source}
    : {kind: 'unread', why: reason.why, detail: reason.detail, source}
}
