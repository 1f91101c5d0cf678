import {
  agentChecks,
  agentForceLeave,
  agentHost,
  agentJoin,
  agentLeave,
  agentMaintenance,
  agentMembers,
  agentMetrics,
  agentMonitor,
  agentReload,
  agentSelf,
  agentServices,
  agentVersion,
} from './agent.js'
import {
  catalogDeregister,
  catalogNode,
  catalogNodes,
  catalogRegister,
  catalogService,
  catalogServices,
  healthChecks,
  healthNode,
  healthService,
  healthState,
} from './catalog.js'
import type {Handler} from './context.js'
import {fireEvent, listEvents} from './event.js'
import {handleKv} from './kv.js'
import {
  autopilotConfiguration,
  autopilotHealth,
  operatorKeyring,
  raftConfiguration,
  raftPeer,
  transferLeader,
} from './operator.js'
import {
  createSession,
  destroySession,
  listSessions,
  nodeSessions,
  renewSession,
  sessionInfo,
} from './session.js'
import {handleSnapshot} from './snapshot.js'
import {datacenters, statusLeader, statusPeers} from './status.js'
import {handleTxn} from './txn.js'

/** An endpoint: the methods it has, in the order in which it tells them, and what answers. */
export interface Route {
  readonly methods: readonly string[]
  readonly handler: Handler
}

const GET = ['GET']
const PUT = ['PUT']

/** Endpoints by path; one that ends in `/` takes what follows as its argument. */
const ROUTES: ReadonlyMap<string, Route> = new Map([
  ['/v1/kv/', {methods: ['GET', 'PUT', 'DELETE'], handler: handleKv}],
  ['/v1/txn', {methods: PUT, handler: handleTxn}],
  ['/v1/session/create', {methods: PUT, handler: createSession}],
  ['/v1/session/destroy/', {methods: PUT, handler: destroySession}],
  ['/v1/session/renew/', {methods: PUT, handler: renewSession}],
  ['/v1/session/info/', {methods: GET, handler: sessionInfo}],
  ['/v1/session/node/', {methods: GET, handler: nodeSessions}],
  ['/v1/session/list', {methods: GET, handler: listSessions}],
  ['/v1/status/leader', {methods: GET, handler: statusLeader}],
  ['/v1/status/peers', {methods: GET, handler: statusPeers}],
  ['/v1/agent/self', {methods: GET, handler: agentSelf}],
  ['/v1/agent/members', {methods: GET, handler: agentMembers}],
  ['/v1/agent/join/', {methods: PUT, handler: agentJoin}],
  ['/v1/agent/leave', {methods: PUT, handler: agentLeave}],
  ['/v1/agent/force-leave/', {methods: PUT, handler: agentForceLeave}],
  ['/v1/agent/reload', {methods: PUT, handler: agentReload}],
  ['/v1/agent/maintenance', {methods: PUT, handler: agentMaintenance}],
  ['/v1/agent/monitor', {methods: GET, handler: agentMonitor}],
  ['/v1/agent/metrics', {methods: GET, handler: agentMetrics}],
  ['/v1/agent/host', {methods: GET, handler: agentHost}],
  ['/v1/agent/version', {methods: GET, handler: agentVersion}],
  ['/v1/agent/services', {methods: GET, handler: agentServices}],
  ['/v1/agent/checks', {methods: GET, handler: agentChecks}],
  ['/v1/catalog/datacenters', {methods: GET, handler: datacenters}],
  ['/v1/catalog/nodes', {methods: GET, handler: catalogNodes}],
  ['/v1/catalog/services', {methods: GET, handler: catalogServices}],
  ['/v1/catalog/service/', {methods: GET, handler: catalogService}],
  ['/v1/catalog/node/', {methods: GET, handler: catalogNode}],
  ['/v1/catalog/register', {methods: PUT, handler: catalogRegister}],
  ['/v1/catalog/deregister', {methods: PUT, handler: catalogDeregister}],
  ['/v1/health/node/', {methods: GET, handler: healthNode}],
  ['/v1/health/checks/', {methods: GET, handler: healthChecks}],
  ['/v1/health/state/', {methods: GET, handler: healthState}],
  ['/v1/health/service/', {methods: GET, handler: healthService}],
  ['/v1/operator/raft/configuration', {methods: GET, handler: raftConfiguration}],
  ['/v1/operator/raft/peer', {methods: ['DELETE'], handler: raftPeer}],
  ['/v1/operator/raft/transfer-leader', {methods: ['POST'], handler: transferLeader}],
  ['/v1/operator/autopilot/configuration', {methods: ['GET', 'PUT'], handler: autopilotConfiguration}],
  ['/v1/operator/autopilot/health', {methods: GET, handler: autopilotHealth}],
  ['/v1/operator/keyring', {methods: ['GET', 'POST', 'PUT', 'DELETE'], handler: operatorKeyring}],
  ['/v1/snapshot', {methods: ['GET', 'PUT'], handler: handleSnapshot}],
  ['/v1/event/fire/', {methods: PUT, handler: fireEvent}],
  ['/v1/event/list', {methods: GET, handler: listEvents}],
])

/** The endpoint of a path with its argument; undefined where there is none. */
export function findRoute(path: string): {readonly route: Route; readonly rest: string} | undefined {
  // The busiest first; a key may have slashes of its own, other arguments have none.
  const slash = path.startsWith('/v1/kv/') ? 6 : path.lastIndexOf('/')
  const exact = ROUTES.get(path)
  if (exact !== undefined && slash !== 6) return {route: exact, rest: ''}
  const route = ROUTES.get(path.slice(0, slash + 1))
  return route === undefined ? undefined : {route, rest: path.slice(slash + 1)}
}
