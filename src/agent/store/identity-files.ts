import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {writeDurably} from '../../adapters/durable-file.js'
import {parseNodeId} from '../../core/codec/node-id.js'
import {livePeers} from '../../core/codec/peers-as-read.js'
import {AgentError} from '../agent-error.js'
import {errorCode} from './wal-files.js'

const PEERS = 'peers.json'

/** Reads a file; undefined when there is none. */
export async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/**
 * The id of this agent (`setupNodeID`, consul agent/agent.go): the configured one, which replaces the file; else what
 * the file `node-id` says; else a fresh one, which is put there. Throws AgentError when the file holds no UUID.
 */
export async function loadNodeId(
  dataDir: string,
  configured: string | undefined,
  uuid: () => string,
): Promise<string> {
  const path = join(dataDir, 'node-id')
  const bytes = configured === undefined ? await readIfThere(path) : undefined
  if (bytes !== undefined) {
    const id = parseNodeId(bytes, 'consul', '1.8.0')
    if (!id.ok) throw new AgentError(`NodeID in ${path} is invalid: ${id.problem.message}`)
    return id.value
  }
  const id = configured ?? uuid()
  await writeDurably(path, id)
  return id
}

/** The live peer list of Raft protocol 0 (`JSONPeers`, hashicorp/raft before 2016): no file and `null` are an empty one. */
export async function readLivePeers(raftDirectory: string): Promise<readonly string[]> {
  const bytes = await readIfThere(join(raftDirectory, PEERS))
  const read = livePeers(new TextDecoder('utf-8', {ignoreBOM: true}).decode(bytes ?? new Uint8Array(0)))
  if (!read.ok) throw new AgentError(`failed to get list of peers: ${read.reason}`)
  return read.configuration.servers.map(({address}) => address)
}

/** Writes the live peer list; undefined is the `null` that a graceful leave ends with. */
export async function writeLivePeers(
  raftDirectory: string,
  addresses: readonly string[] | undefined,
): Promise<void> {
  await writeDurably(join(raftDirectory, PEERS), `${JSON.stringify(addresses ?? null)}\n`)
}
