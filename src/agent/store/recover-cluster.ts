import {existsSync} from 'node:fs'
import {rm} from 'node:fs/promises'
import {join} from 'node:path'
import {syncDirectory, writeDurably} from '../../adapters/durable-file.js'
import {recoveryPeers} from '../../core/codec/peers-as-read.js'
import type {Readers} from '../../core/fsm/write-records.js'
import {StateMachine} from '../../core/fsm/state-machine.js'
import type {Configuration} from '../../core/model/configuration.js'
import {LogType} from '../../core/raft/messages.js'
import {AgentError} from '../agent-error.js'
import type {AgentLog} from '../logger.js'
import {readIfThere} from './identity-files.js'
import {openRaftStore} from './open-raft-store.js'
import type {StoreOptions} from './open-raft-store.js'
import type {RaftStore, SnapshotReader} from './raft-store.js'

const READ_BYTES = 4 * 1024 * 1024

const PEERS_INFO = `The file raft/peers.json is no longer the list of this server's peers: since Consul 0.7
the peer set is kept in the Raft log. A peers.json that is put here is read once
at the next start, to recover a cluster that has lost its quorum for good, and is
deleted afterwards.

With Raft protocol 3 it is a list of objects, the same on every server:

  [
    {"id": "<what the file node-id holds>", "address": "10.1.0.1:8300", "non_voter": false}
  ]

With Raft protocol 1 and 2 it is a list of texts: ["10.1.0.1:8300", "10.1.0.2:8300"].

This file says that peers.json has this meaning here. Without it a peers.json is
taken for one of an older version and deleted unread.
`

/** How old the servers may be with which a Raft protocol is shared. */
export const readersOf = (raftProtocol: number): Readers => (raftProtocol < 3 ? 'of-any-age' : 'newer')

/** Loads a snapshot into a state machine; throws when it is damaged. */
export async function loadSnapshot(machine: StateMachine, reader: SnapshotReader): Promise<void> {
  const restore = machine.restore()
  for await (const chunk of reader.chunks()) restore.push(chunk)
  const problem = restore.finish()
  if (problem !== undefined) throw new AgentError(problem)
}

/**
 * What a server does about peers.json before its Raft starts, from Raft protocol 1 on (`setupRaft`, consul
 * agent/consul/server.go): without peers.info the file is deleted unread; else it is taken as the new configuration,
 * and deleted when that is done. Throws AgentError and leaves the file where it is when it cannot be taken.
 */
export async function recoverFromPeersFile(
  raftDirectory: string,
  protocol: 1 | 2 | 3,
  log: AgentLog,
  options: StoreOptions = {},
): Promise<void> {
  const path = join(raftDirectory, 'peers.json')
  const info = join(raftDirectory, 'peers.info')
  if (!existsSync(info)) {
    // In this order: with peers.info in place, a list that a crash left behind would be taken for a recovery
    if (existsSync(path)) {
      await remove(
        raftDirectory,
        path,
        'failed to delete peers.json, please delete manually (see peers.info for details)',
      )
      log('info', 'server', 'deleted peers.json file (see peers.info for details)')
    }
    await writeDurably(info, PEERS_INFO)
    return
  }
  const bytes = await readIfThere(path)
  if (bytes === undefined) return
  log('info', 'server', 'found peers.json file, recovering Raft configuration...')
  const text = new TextDecoder('utf-8', {ignoreBOM: true}).decode(bytes)
  const peers = recoveryPeers(text, protocol === 3 ? 'objects' : 'list')
  if (!peers.ok) throw new AgentError(`recovery failed to parse peers.json: ${peers.reason}`)
  try {
    await recoverCluster(raftDirectory, peers.configuration, readersOf(protocol), options)
  } catch (error) {
    throw new AgentError(`recovery failed: ${error instanceof Error ? error.message : String(error)}`)
  }
  await remove(
    raftDirectory,
    path,
    'recovery failed to delete peers.json, please delete manually (see peers.info for details)',
  )
  log('info', 'server', 'deleted peers.json file after successful recovery')
}

async function remove(directory: string, path: string, failure: string): Promise<void> {
  try {
    await rm(path)
    await syncDirectory(directory)
  } catch (error) {
    throw new AgentError(`${failure}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/**
 * Gives a stopped server a new configuration (`RecoverCluster`, hashicorp/raft api.go): all entries of its log count
 * as committed from now on, the state they lead to becomes a snapshot with this configuration, and the log is emptied.
 * May be interrupted anywhere and repeated. Term and vote stay as they are.
 */
async function recoverCluster(
  raftDirectory: string,
  configuration: Configuration,
  readers: Readers,
  options: StoreOptions,
): Promise<void> {
  const machine = new StateMachine(readers)
  let [persisted, failed]: [() => void, (error: Error) => void] = [() => undefined, () => undefined]
  const store = await openRaftStore(
    raftDirectory,
    {onPersisted: () => persisted(), onFailure: error => failed(error)},
    {...options, restore: reader => loadSnapshot(machine, reader)},
  )
  try {
    const {snapshot, hardState, lastIndex, firstIndex} = store.found
    if (hardState === undefined && lastIndex < firstIndex && snapshot === undefined)
      throw new AgentError(
        'refused to recover cluster with no initial state, this is probably an operator error',
      )
    const last = await replay(store, machine)
    const writer = await store.snapshots.create({...last, configuration, configurationIndex: 1})
    try {
      for (const chunk of machine.snapshot()) await writer.write(chunk)
      await writer.finish()
    } catch (error) {
      await writer.abort()
      throw error
    }
    await new Promise<void>((resolve, reject) => {
      persisted = resolve
      failed = reject
      store.persist({do: 'reset-log', persistId: 1, nextIndex: last.index + 1})
    })
  } finally {
    await store.close()
  }
}

/** Applies what the log holds above the snapshot; returns where it ends. */
async function replay(
  store: RaftStore,
  machine: StateMachine,
): Promise<{readonly index: number; readonly term: number}> {
  const {snapshot, lastIndex} = store.found
  let end = {index: snapshot?.index ?? 0, term: snapshot?.term ?? 0}
  while (end.index < lastIndex) {
    const entries = await store.read(end.index + 1, lastIndex, READ_BYTES)
    for (const entry of entries) if (entry.type === LogType.command) machine.apply(entry.index, entry.data)
    const last = entries[entries.length - 1]
    if (last === undefined) throw new AgentError(`failed to get log at index ${end.index + 1}`)
    end = {index: last.index, term: last.term}
  }
  return end
}
