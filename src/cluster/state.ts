import {existsSync} from 'node:fs'
import {readFile, readdir} from 'node:fs/promises'
import {homedir} from 'node:os'
import {join} from 'node:path'
import {makePrivateDirectory, writeDurably} from '../adapters/durable-file.js'
import {QuorateError} from '../errors.js'

/** An agent of a local cluster. `nonvoter` is a server that takes part in replication and never votes. */
export interface ClusterMember {
  readonly name: string
  readonly kind: 'server' | 'nonvoter' | 'client'
  readonly address: string
}

/** The program that members run. */
export interface AgentProgram {
  /** The program, and the arguments before those of one member. */
  readonly command: readonly string[]
  /** Whether it takes a file of peers whose traffic it refuses. */
  readonly partitions: boolean
}

/** What a local cluster is: everything that its processes are started from. */
export interface ClusterState extends AgentProgram {
  readonly format: 1
  readonly name: string
  /** The first three numbers of its loopback network, such as `127.83.12`. */
  readonly network: string
  readonly raftProtocol: number
  /** Gossip key in base64. */
  readonly encrypt: string | null
  /** Servers that found the cluster together. */
  readonly expect: number
  /** What the agents said their version was, once one had answered. */
  readonly version: string | null
  readonly members: readonly ClusterMember[]
}

/** Names are parts of paths, datacenters and units. */
const CLUSTER_NAME = /^[a-z][a-z0-9-]{0,30}$/

/** Whether a local cluster could have this name. */
export function isClusterName(name: string): boolean {
  return CLUSTER_NAME.test(name)
}

type Environment = Readonly<Record<string, string | undefined>>

/** Where local clusters live: `$XDG_STATE_HOME/quorate/clusters`, by default below ~/.local/state. */
export function clustersDirectory(env: Environment): string {
  const state = env['XDG_STATE_HOME']
  const base =
    state !== undefined && state.startsWith('/') ? state : join(env['HOME'] || homedir(), '.local', 'state')
  return join(base, 'quorate', 'clusters')
}

/** What stands in scripts as it is: a path with other signs in it would need quotes there. */
const PLAIN_PATH = /^[A-Za-z0-9/._@%+,-]+$/

/** The directory of one cluster. Throws USAGE for what cannot be a name. */
export function clusterDirectory(env: Environment, name: string): string {
  if (!isClusterName(name))
    throw new QuorateError(
      'USAGE',
      `'${name.slice(0, 60)}' cannot be the name of a local cluster: small letters, digits and dashes are, a letter first.`,
    )
  const all = clustersDirectory(env)
  if (PLAIN_PATH.test(all)) return join(all, name)
  throw new QuorateError(
    'USAGE',
    `Local clusters cannot live in ${all}: the path holds signs that need quotes.`,
    {
      hints: ['XDG_STATE_HOME=/tmp/quorate-state quorate cluster up'],
    },
  )
}

/** Names of the clusters that are on this machine, in the order of the alphabet. */
export async function clusterNames(env: Environment): Promise<readonly string[]> {
  try {
    const entries = await readdir(clustersDirectory(env), {withFileTypes: true})
    return entries
      .filter(entry => entry.isDirectory() && CLUSTER_NAME.test(entry.name))
      .map(entry => entry.name)
      .sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** Reads a cluster's state; undefined where there is none, or where its making was interrupted before it had any. */
export async function readState(directory: string): Promise<ClusterState | undefined> {
  const path = join(directory, 'cluster.json')
  if (!existsSync(path)) return undefined
  const state = JSON.parse(await readFile(path, 'utf8')) as ClusterState
  if (state.format === 1) return state
  throw new QuorateError('USAGE', `${path} was written by another version of quorate.`, {
    hints: [`quorate cluster down --name ${directory.slice(directory.lastIndexOf('/') + 1)}`],
  })
}

/** Writes a cluster's state, whole or not at all. */
export async function writeState(directory: string, state: ClusterState): Promise<void> {
  await makePrivateDirectory(directory)
  await writeDurably(join(directory, 'cluster.json'), `${JSON.stringify(state, null, 2)}\n`)
}

/** The files of one member, all in a directory of its own. */
export interface MemberFiles {
  readonly directory: string
  /** A directory, so that a plan can lay a one-time setting beside the agent's own. */
  readonly configDir: string
  readonly config: string
  readonly data: string
  readonly log: string
  readonly pid: string
  /** Holds the id of the plan that keeps the member from being started. */
  readonly hold: string
  /** The command line and the version of the agent, for who asks while it is stopped. */
  readonly unit: string
  /** Where it exists, the operator's commands do not reach the member's machine. */
  readonly unreachable: string
  /** Addresses whose traffic the member refuses. */
  readonly refused: string
}

/** Where a member's files are. */
export function memberFiles(clusterDirectory: string, member: string): MemberFiles {
  const directory = join(clusterDirectory, member)
  return {
    directory,
    configDir: join(directory, 'config'),
    config: join(directory, 'config', 'agent.json'),
    data: join(directory, 'data'),
    log: join(directory, 'agent.log'),
    pid: join(directory, 'pid'),
    hold: join(directory, 'hold'),
    unit: join(directory, 'unit'),
    unreachable: join(directory, 'unreachable'),
    refused: join(directory, 'refused'),
  }
}
