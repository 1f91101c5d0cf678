import {execFile} from 'node:child_process'
import {existsSync} from 'node:fs'
import {readdir, readFile, rm} from 'node:fs/promises'
import {randomBytes} from 'node:crypto'
import {promisify} from 'node:util'
import {printable} from '../core/text.js'
import {QuorateError} from '../errors.js'
import {askSelf, leaderSeenBy} from './api.js'
import {LocalCluster, newMember} from './cluster.js'
import {whileLocked} from './lock.js'
import {chooseNetwork} from './network.js'
import {endByForce, findAgent, signalAgent} from './process.js'
import {clusterDirectory, clusterNames, memberFiles, readState} from './state.js'
import type {AgentProgram, ClusterMember, ClusterState} from './state.js'

type Environment = Readonly<Record<string, string | undefined>>

/** What a cluster is to be. */
export interface ClusterOrder {
  readonly name: string
  readonly servers: number
  readonly clients: number
  readonly raftProtocol: number
  readonly encrypt: boolean
  readonly program: AgentProgram
  readonly leaderWithinMs: number
  /** Servers that never vote, beside the others. */
  readonly nonvoters?: number
  /** Settings of single members, beside the usual ones. */
  readonly settings?: (member: ClusterMember) => Readonly<Record<string, unknown>>
  /** Called once all is laid out, before anything is started. */
  readonly prepare?: (cluster: LocalCluster) => Promise<void>
  /** The members that must agree on a leader; all when undefined. */
  readonly awaited?: (cluster: LocalCluster) => readonly ClusterMember[]
}

/** A cluster that has a leader. `resumed`: it was there already, whole or in part. */
export interface RaisedCluster {
  readonly cluster: LocalCluster
  readonly resumed: boolean
  readonly leader: string
}

const POLL_MS = 50
const LOG_BYTES = 8000
const GRACE_MS = 5000

/**
 * Raises a cluster and returns when it has a leader. One of the same shape that is there already is started where it is
 * stopped: so an interrupted `up` goes on when it is called again. Throws CLUSTER_EXISTS for one of another shape,
 * AGENT_FAILED when an agent ends or no leader is found in time.
 */
export async function clusterUp(env: Environment, order: ClusterOrder): Promise<RaisedCluster> {
  const directory = clusterDirectory(env, order.name)
  const {cluster, resumed} = await whileLocked(directory, async () => {
    const there = await readState(directory)
    if (there === undefined) {
      await removeLeftovers(directory)
      return {cluster: await layOutCluster(env, directory, order), resumed: false}
    }
    requireSameShape(there, order)
    return {cluster: LocalCluster.of(directory, there), resumed: true}
  })
  const status = await cluster.status()
  const free = status.filter(({held, gone}) => held === undefined && !gone).map(({member}) => member)
  await cluster.start(free)
  const leader = await awaitLeader(cluster, order.awaited?.(cluster) ?? free, order.leaderWithinMs)
  await recordVersion(cluster)
  return {cluster, resumed, leader}
}

async function layOutCluster(
  env: Environment,
  directory: string,
  order: ClusterOrder,
): Promise<LocalCluster> {
  const {servers, clients, nonvoters = 0} = order
  const count = servers + nonvoters + clients
  const network = await chooseNetwork(directory, count, await takenNetworks(env))
  const members: ClusterMember[] = []
  for (let number = 1; number <= count; number++)
    members.push(newMember(members, network, number, kindOf(number, servers, nonvoters)))
  const state: ClusterState = {
    format: 1,
    name: order.name,
    network,
    raftProtocol: order.raftProtocol,
    encrypt: order.encrypt ? randomBytes(32).toString('base64') : null,
    expect: order.servers,
    ...order.program,
    version: null,
    members,
  }
  const cluster = LocalCluster.of(directory, state)
  for (const member of members) {
    // Somebody may have removed the directory of a running cluster
    await endByForce(cluster.files(member), GRACE_MS)
    await cluster.layOut(member, order.settings?.(member))
  }
  await order.prepare?.(cluster)
  // Last: a directory without a state is one whose making was interrupted, and is made anew
  await cluster.save(state)
  return cluster
}

function kindOf(number: number, servers: number, nonvoters: number): ClusterMember['kind'] {
  if (number <= servers) return 'server'
  return number <= servers + nonvoters ? 'nonvoter' : 'client'
}

async function takenNetworks(env: Environment): Promise<ReadonlySet<string>> {
  const states = await Promise.all(
    (await clusterNames(env)).map(async name =>
      readState(clusterDirectory(env, name)).catch(() => undefined),
    ),
  )
  return new Set(states.flatMap(state => (state === undefined ? [] : [state.network])))
}

function requireSameShape(there: ClusterState, order: ClusterOrder): void {
  const servers = there.members.filter(member => member.kind === 'server').length
  const clients = there.members.filter(member => member.kind === 'client').length
  const same =
    servers === order.servers &&
    clients === order.clients &&
    there.raftProtocol === order.raftProtocol &&
    (there.encrypt !== null) === order.encrypt
  if (same) return
  throw new QuorateError(
    'CLUSTER_EXISTS',
    `Cluster '${there.name}' is there already, with ${servers} servers, ${clients} clients, Raft protocol ` +
      `${there.raftProtocol}, ${there.encrypt === null ? 'plain' : 'encrypted'} gossip.`,
    {hints: [`quorate cluster down --name ${there.name}`, 'quorate cluster up --name another']},
  )
}

/** Waits until all of `members` name the same leader. Throws AGENT_FAILED when one ends, or when time is up. */
export async function awaitLeader(
  cluster: LocalCluster,
  members: readonly ClusterMember[],
  withinMs: number,
): Promise<string> {
  const end = Date.now() + withinMs
  for (;;) {
    const ended = members.filter(member => cluster.process(member) === undefined)
    if (ended.length > 0) throw await agentFailed(cluster, ended, 'ended')
    const seen = await Promise.all(members.map(async member => leaderSeenBy(member.address)))
    const [first] = seen
    if (first !== undefined && first !== '' && seen.every(leader => leader === first)) return first
    if (Date.now() > end) {
      const blind = members.filter((_, i) => (seen[i] ?? '') === '')
      throw await agentFailed(
        cluster,
        blind.length > 0 ? blind : members,
        `knows no leader after ${Math.round(withinMs / 1000)} s`,
      )
    }
    await new Promise(resolve => setTimeout(resolve, POLL_MS))
  }
}

async function agentFailed(
  cluster: LocalCluster,
  members: readonly ClusterMember[],
  how: string,
): Promise<QuorateError> {
  const [member] = members
  if (member === undefined)
    return new QuorateError('AGENT_FAILED', `Cluster '${cluster.name}' has no members.`)
  const lines = (await cluster.logTail(member, LOG_BYTES)).trimEnd().split('\n')
  // What an agent says at its end may be followed by a trace
  const word = lines.findLast(line => /\berror\b|\bfailed\b|\bcannot\b/i.test(line))
  const said = word === undefined ? '.' : `: ${printable(word.trim(), 240)}`
  return new QuorateError('AGENT_FAILED', `${member.name} ${how}${said}`, {
    hints: [
      `quorate cluster logs ${member.name} --name ${cluster.name}`,
      `quorate cluster down --name ${cluster.name}`,
    ],
    details: {member: member.name, log: lines.slice(-20)},
  })
}

/** A stopped server cannot be asked for its version, so that of the program is noted once somebody has said it. */
async function recordVersion(cluster: LocalCluster): Promise<void> {
  for (const member of cluster.servers) {
    const version = (await askSelf(member.address))?.version
    if (version === undefined) continue
    return cluster.noteVersion(version)
  }
}

/** What came of taking a cluster down. */
export interface ClusterDown {
  readonly name: string
  /** Members whose processes were ended. */
  readonly ended: readonly string[]
  readonly existed: boolean
}

/** Ends every process of a cluster and removes all its files. Nothing to do is no failure. */
export async function clusterDown(env: Environment, name: string): Promise<ClusterDown> {
  const directory = clusterDirectory(env, name)
  if (!existsSync(directory)) return {name, ended: [], existed: false}
  return whileLocked(directory, async () => {
    const ended = await removeLeftovers(directory)
    return {name, ended, existed: true}
  })
}

/** Also for a cluster whose making was interrupted: members are found by their directories. */
async function removeLeftovers(directory: string): Promise<readonly string[]> {
  if (!existsSync(directory)) return []
  const entries = await readdir(directory, {withFileTypes: true})
  const names = entries.filter(entry => entry.isDirectory()).map(entry => entry.name)
  const all = names.map(member => ({name: member, files: memberFiles(directory, member)}))
  const running = all.filter(({files}) => findAgent(files) !== undefined)
  for (const {files} of running) signalAgent(files, 'SIGKILL')
  for (const {name, files} of running) {
    if (!(await endByForce(files, GRACE_MS)))
      throw new QuorateError('STILL_RUNS', `${name} does not end by SIGKILL; its files stay in ${directory}.`)
  }
  await unmountBelow(directory)
  await rm(directory, {recursive: true, force: true})
  return running.map(({name}) => name)
}

/** A drill may have put a small file system under a server's data, and may have been killed before it took it away. */
async function unmountBelow(directory: string): Promise<void> {
  const mounts = await readFile('/proc/mounts', 'utf8').catch(() => '')
  const below = mounts.split('\n').flatMap(line => line.split(' ')[1] ?? [])
  for (const path of below.filter(one => one.startsWith(`${directory}/`)))
    await promisify(execFile)('umount', [path])
}
