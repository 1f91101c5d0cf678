import {existsSync} from 'node:fs'
import {mkdir, open, readdir, rename, rm} from 'node:fs/promises'
import type {FileHandle} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {syncDirectory} from '../../adapters/durable-file.js'
import {crc64} from '../../core/codec/checksums.js'
import type {Halves} from '../../core/codec/checksums.js'
import {encodeMsgpack} from '../../core/codec/msgpack.js'
import {voters} from '../../core/model/configuration.js'
import type {SnapshotMeta} from '../../core/raft/messages.js'
import {parseSnapshotMeta} from '../../core/store/snapshots.js'
import {StoreFault} from '../../core/store/requests.js'
import {AgentError} from '../agent-error.js'
import {errorCode} from './wal-files.js'
import type {SnapshotHead, SnapshotReader, SnapshotStore, SnapshotWriter} from './raft-store.js'

const RETAINED = 2
const CHUNK_BYTES = 256 * 1024
const TEMPORARY = '.tmp'
/** Names of our making and hashicorp/raft's: term, index, milliseconds. */
const NAME = /^\d{1,16}-\d{1,16}-(\d{1,16})$/
const ZERO: Halves = {high: 0, low: 0}

/** The snapshots under a raft directory, laid out as hashicorp/raft does it (file_snapshot.go). */
export class FileSnapshots implements SnapshotStore {
  private readonly directory: string
  private lastMs = 0
  constructor(
    raftDirectory: string,
    private readonly nowMs: () => number,
  ) {
    this.directory = join(raftDirectory, 'snapshots')
  }

  async create(head: SnapshotHead): Promise<SnapshotWriter> {
    const writer = await this.begin(head)
    return {
      write: chunk => writer.write(chunk),
      finish: async () => {
        const meta = await writer.finish()
        await this.install(meta)
        return meta
      },
      abort: () => writer.abort(),
    }
  }

  receive(head: SnapshotHead): Promise<SnapshotWriter> {
    return this.begin(head)
  }

  async install({id}: SnapshotMeta): Promise<void> {
    const target = this.path(id)
    if (!existsSync(target)) {
      await rename(target + TEMPORARY, target)
      await syncDirectory(this.directory)
    }
    for (const old of (await this.listUsable()).slice(RETAINED)) await this.remove(old.id)
  }

  async discard({id}: SnapshotMeta): Promise<void> {
    await rm(this.path(id) + TEMPORARY, {recursive: true, force: true})
  }

  async open(id: string): Promise<SnapshotReader> {
    const placed = this.path(id)
    const path = existsSync(placed) ? placed : placed + TEMPORARY
    const {meta, crc} = await readMeta(path)
    return {meta, chunks: () => checkedChunks(join(path, 'state.bin'), meta, crc)}
  }

  list(): Promise<readonly SnapshotMeta[]> {
    return this.listUsable()
  }

  /** Whole snapshots, newest first by term, index and time of making. One whose meta.json does not parse is passed over. */
  async listUsable(): Promise<readonly SnapshotMeta[]> {
    const metas: SnapshotMeta[] = []
    for (const name of await this.names()) {
      if (!NAME.test(name)) continue
      try {
        metas.push((await readMeta(join(this.directory, name))).meta)
      } catch (error) {
        if (!(error instanceof StoreFault) && errorCode(error) !== 'ENOENT') throw error
      }
    }
    return metas.sort((a, b) => b.term - a.term || b.index - a.index || madeMs(b.id) - madeMs(a.id))
  }

  /** Removes what crashes have left behind under temporary names. */
  async removeTemporary(): Promise<void> {
    for (const name of await this.names())
      if (name.endsWith(TEMPORARY)) await rm(join(this.directory, name), {recursive: true, force: true})
  }

  private async names(): Promise<readonly string[]> {
    try {
      const entries = await readdir(this.directory, {withFileTypes: true})
      return entries.filter(entry => entry.isDirectory()).map(entry => entry.name)
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return []
      throw error
    }
  }

  private path(id: string): string {
    if (!NAME.test(id)) throw new AgentError(`${JSON.stringify(id.slice(0, 60))} is no name of a snapshot`)
    return join(this.directory, id)
  }

  private async remove(id: string): Promise<void> {
    await rm(this.path(id), {recursive: true, force: true})
  }

  private async begin(head: SnapshotHead): Promise<SnapshotFileWriter> {
    const made = await mkdir(this.directory, {recursive: true, mode: 0o755})
    if (made !== undefined) await syncDirectory(dirname(this.directory))
    // Above all that are there, even if the clock was set back: of two snapshots of one entry, as a recovery makes
    // them, the name alone tells which one counts
    const there = (await this.names()).map(madeMs)
    this.lastMs = Math.max(Math.floor(this.nowMs()), Math.max(this.lastMs, ...there) + 1)
    const id = `${head.term}-${head.index}-${this.lastMs}`
    const path = this.path(id) + TEMPORARY
    await mkdir(path, {mode: 0o755})
    const state = await open(join(path, 'state.bin'), 'wx', 0o644)
    return new SnapshotFileWriter(path, id, head, state)
  }
}

/** Milliseconds in the name of a snapshot, also of one that is being written. */
const madeMs = (name: string): number => Number(NAME.exec(name.replace(TEMPORARY, ''))?.[1] ?? 0)

class SnapshotFileWriter implements SnapshotWriter {
  private crc = ZERO
  private size = 0
  private ended = false
  constructor(
    private readonly path: string,
    private readonly id: string,
    private readonly head: SnapshotHead,
    private readonly state: FileHandle,
  ) {}

  async write(chunk: Uint8Array): Promise<void> {
    if (this.ended) throw new Error('the snapshot was ended before')
    this.crc = crc64(chunk, this.crc)
    this.size += chunk.length
    for (let done = 0; done < chunk.length;) done += (await this.state.write(chunk, done)).bytesWritten
  }

  async finish(): Promise<SnapshotMeta> {
    this.ended = true
    try {
      await this.state.sync()
    } finally {
      await this.state.close()
    }
    const meta: SnapshotMeta = {...this.head, id: this.id, size: this.size}
    const file = await open(join(this.path, 'meta.json'), 'wx', 0o644)
    try {
      await file.writeFile(metaJson(meta, this.crc))
      await file.sync()
    } finally {
      await file.close()
    }
    await syncDirectory(this.path)
    return meta
  }

  async abort(): Promise<void> {
    const open = !this.ended
    this.ended = true
    try {
      if (open) await this.state.close()
    } finally {
      await rm(this.path, {recursive: true, force: true})
    }
  }
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

/** The text of a meta.json, version 1 (`fileSnapshotMeta`). */
export function metaJson(meta: SnapshotMeta, crc: Halves): string {
  const checksum = new Uint8Array(8)
  const view = new DataView(checksum.buffer)
  view.setUint32(0, crc.high)
  view.setUint32(4, crc.low)
  const {configuration} = meta
  const json = {
    Version: 1,
    ID: meta.id,
    Index: meta.index,
    Term: meta.term,
    Peers: base64(encodeMsgpack(voters(configuration).map(({address}) => address))),
    Configuration: {
      Servers: configuration.servers.map(({id, address, suffrage}) => ({
        Suffrage: suffrage === 'voter' ? 0 : 1,
        ID: id,
        Address: address,
      })),
    },
    ConfigurationIndex: meta.configurationIndex,
    Size: meta.size,
    CRC: base64(checksum),
  }
  return `${JSON.stringify(json)}\n`
}

async function readMeta(path: string): Promise<{meta: SnapshotMeta; crc: Halves}> {
  const file = await open(join(path, 'meta.json'), 'r')
  let bytes: Uint8Array
  try {
    bytes = await file.readFile()
  } finally {
    await file.close()
  }
  const parsed = parseSnapshotMeta(bytes)
  const {id, index, term, configuration, sizeBytes, crc} = parsed
  if (crc === undefined || configuration === undefined)
    throw new StoreFault('corrupt', 'meta.json is that of a snapshot that was not finished.')
  const configurationIndex = configuration.index ?? 1
  const {servers} = configuration
  return {meta: {id, index, term, configuration: {servers}, configurationIndex, size: sizeBytes}, crc}
}

async function* checkedChunks(
  path: string,
  meta: SnapshotMeta,
  expected: Halves,
): AsyncGenerator<Uint8Array, void, void> {
  const file = await open(path, 'r')
  let crc = ZERO
  let size = 0
  try {
    for (;;) {
      const chunk = new Uint8Array(CHUNK_BYTES)
      const {bytesRead} = await file.read(chunk, 0, chunk.length)
      if (bytesRead === 0) break
      size += bytesRead
      const bytes = chunk.subarray(0, bytesRead)
      crc = crc64(bytes, crc)
      yield bytes
    }
  } finally {
    await file.close()
  }
  if (size !== meta.size || crc.high !== expected.high || crc.low !== expected.low)
    throw new AgentError(`CRC checksum failed: the state of snapshot ${meta.id} is damaged`)
}
