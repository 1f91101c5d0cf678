import {parsePeersJson} from '../../src/core/codec/peers-json.js'
import {logIndex, serverAddress, serverId, term} from '../../src/core/model/ids.js'
import type {AgentSelf, FleetObservation, ServerObservation, Trace} from '../../src/core/model/observation.js'
import type {ServerFacts} from '../helpers/fleet.js'
import {
  configOf,
  end,
  fleet,
  ipOf,
  member,
  missing,
  processOf,
  server,
  serviceOf,
  storeOf,
} from '../helpers/fleet.js'
import {endOf, paths, peersOf, sha256} from './disk.js'
import type {ModelHost} from './server.js'
import {contentsNow, isLegacy, raftId, raftOf, readConfig} from './server.js'
import {compareContents} from '../../src/core/verifying/contents.js'
import type {ContentsSample} from '../../src/core/model/contents.js'
import type {World} from './world.js'

/** What `collect` would bring home from a modelled datacenter. */
export function observe(world: World): FleetObservation {
  const samples = world.hosts.filter(host => host.reachable && host.running !== undefined).map(sampleOf)
  const first = compareContents(samples, undefined)
  const {comparison} = compareContents(samples, first.suspicions)
  return {
    ...fleet({servers: world.hosts.map(host => observeHost(world, host))}),
    startedAtMs: world.nowMs,
    finishedAtMs: world.nowMs,
    ...(samples.length > 1 ? {contents: comparison} : {}),
  }
}

/** The contents of a server that runs, read at one moment. */
function sampleOf(host: ModelHost): ContentsSample {
  const contents = contentsNow(host)
  const applied = logIndex(host.running?.commit ?? 0)
  const keys = new Map([...contents].map(([key, {value, modified}]) => [key, {modified, sum: value}]))
  const digest = {
    keys: contents.size,
    sha256: sha256(JSON.stringify([...contents].sort())),
    appliedIndex: applied,
  }
  return {host: host.identity.name, digest, keys, from: applied, upTo: applied, filtered: false}
}

function observeHost(world: World, host: ModelHost): ServerObservation {
  const {name} = host.identity
  if (!host.reachable) {
    const gone = missing(name, 'no-route', 'No route to host')
    return server(name, {reached: gone, processes: gone, store: gone, config: gone, service: gone})
  }
  return server(name, {...fileFacts(host), ...processFacts(host), api: apiFacts(world, host)})
}

function fileFacts(host: ModelHost): ServerFacts {
  const {identity, disk} = host
  const {name} = identity
  const absent = missing(name, 'absent')
  const state = raftOf(host)
  const peers = disk.text(paths.peers)
  const config = readConfig(disk)
  const expect = config['bootstrap_expect']
  const owner = {uid: 100, gid: 100, mtimeMs: 0, mode: 0o644, sizeBytes: 4096}
  const facts = (path: string) => (disk.exists(path) ? {path, kind: 'file' as const, ...owner} : undefined)
  const {servers, index} = peersOf(state)
  return {
    reached: {transport: 'ssh', user: 'root', root: 'root', sftp: true, forwarding: true},
    product: 'consul',
    version: identity.version,
    clockOffsetMs: 0,
    hostAddresses: [ipOf(name)],
    config: configOf(name, {
      sources: disk.below(paths.config),
      raftProtocol: typeof config['raft_protocol'] === 'number' ? config['raft_protocol'] : undefined,
      bootstrapExpect: typeof expect === 'number' ? expect : undefined,
      bootstrap: config['bootstrap'] === true ? true : undefined,
      bootstrapSource: expect === undefined ? undefined : disk.below(paths.config).at(-1),
    }),
    disk: {
      dataDir: paths.data,
      fileSystem: 'ext4',
      sizeBytes: 1e11,
      freeBytes: 5e10,
      freeInodes: 1e6,
      raftBytes: 1e6,
      readOnly: false,
    },
    files: {
      dataDir: {path: paths.data, kind: 'directory', ...owner},
      raftDir: facts(paths.raft),
      store: facts(paths.store),
      peersJson: facts(paths.peers),
      peersInfo: facts(paths.peersInfo),
      serviceUser: {uid: 100, gid: 100, name: 'consul'},
    },
    nodeId: disk.text(paths.nodeId) ?? absent,
    peersFile: peers === undefined ? absent : parsePeersJson(new TextEncoder().encode(peers), sha256(peers)),
    peersInfo: disk.exists(paths.peersInfo),
    lastSeenUnix: absent,
    snapshots: state.snapshot === undefined ? [] : [snapshotFacts(state.snapshot)],
    serfSnapshot: {
      members: [
        {name: 'a', address: '10.0.0.1:8301'},
        {name: 'b', address: '10.0.0.2:8301'},
      ],
      left: disk.text(paths.serf) === 'left',
      clock: 9,
    },
    keyring: absent,
    store: disk.exists(paths.store)
      ? storeOf({
          end: end(state.entries.at(-1)?.index ?? 0, state.entries.at(-1)?.term ?? 0),
          term: state.currentTerm,
          configurations: state.entries.some(entry => entry.kind === 'peers') ? [[index, 1, {servers}]] : [],
          terms: state.entries.map(entry => end(entry.index, entry.term)),
        })
      : absent,
    journal: {lines: 0, fromMs: undefined, toMs: undefined, matches: []},
    traces: tracesOf(host),
  }
}

function tracesOf({held, disk}: ModelHost): readonly Trace[] {
  const fenced = new Set(
    disk.below(paths.data).flatMap(path => /^.*\/raft\.fenced-[^/]+/.exec(path)?.[0] ?? []),
  )
  return [
    ...[...fenced].map(path => ({
      ...{kind: 'fenced' as const, path, text: ''},
      plan: path.slice(path.lastIndexOf('-') + 1),
    })),
    ...(held ? [{kind: 'hold' as const, plan: 'p', path: '/run', text: ''}] : []),
  ]
}

function snapshotFacts(snapshot: NonNullable<ReturnType<typeof raftOf>['snapshot']>) {
  return {
    id: `${snapshot.term}-${snapshot.index}-0`,
    index: logIndex(snapshot.index),
    term: term(snapshot.term),
    configuration: {servers: snapshot.servers, index: logIndex(1)},
    sizeBytes: 100,
    intact: missing('x', 'not-asked'),
    temporary: false,
  }
}

function processFacts(host: ModelHost): ServerFacts {
  const running = host.running !== undefined
  return {
    processes: running ? [processOf({dataDir: paths.data, startedAtMs: 0})] : [],
    service: serviceOf({
      state: running ? 'running' : 'stopped',
      mainPid: running ? 412 : undefined,
      masked: host.held,
    }),
    sockets: running ? [{protocol: 'tcp', address: '0.0.0.0', port: 8300, pid: 412}] : [],
    storeLock: {pid: running ? 412 : undefined},
  }
}

function apiFacts(world: World, host: ModelHost): NonNullable<ServerFacts['api']> {
  const {running} = host
  if (running === undefined) return {}
  const alive = [...running.gossip].map(name => {
    const other = world.host(name).identity
    return member(name, {
      version: other.version,
      id: isLegacy(other) ? undefined : serverId(other.nodeId),
      raftProtocol: other.version === '1.8.19' ? 3 : undefined,
    })
  })
  return {
    leader: serverAddress(running.leader ?? ''),
    statusPeers: running.peers.map(peer => String(peer.address)),
    self: selfFacts(host, running),
    members: alive,
    contents: sampleOf(host).digest,
  }
}

function selfFacts(host: ModelHost, running: NonNullable<ModelHost['running']>): AgentSelf {
  const state = raftOf(host)
  const last = endOf(state)
  const self = raftId(host.identity)
  const listed = running.peers.some(peer => String(peer.id) === self)
  return {
    nodeName: host.identity.name,
    nodeId: isLegacy(host.identity) ? undefined : host.identity.nodeId,
    datacenter: 'dc1',
    version: host.identity.version,
    server: true,
    raft: {
      role: running.role,
      term: term(state.currentTerm),
      lastLogIndex: logIndex(last.index),
      lastLogTerm: term(last.term),
      commitIndex: logIndex(running.commit),
      appliedIndex: logIndex(running.commit),
      snapshotIndex: logIndex(state.snapshot?.index ?? 0),
      snapshotTerm: term(state.snapshot?.term ?? 0),
      numPeers: Math.max(0, running.peers.length - (listed ? 1 : 0)),
      lastContactMs: running.leader === undefined ? undefined : 20,
      protocolVersion: isLegacy(host.identity) ? undefined : host.identity.version === '1.8.19' ? 3 : 2,
      latestConfiguration: isLegacy(host.identity) ? undefined : {servers: running.peers},
      latestConfigurationIndex: isLegacy(host.identity) ? undefined : logIndex(running.peersIndex),
    },
  }
}
