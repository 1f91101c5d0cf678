import {createHash} from 'node:crypto'
import {Readable} from 'node:stream'
import {createGzip, gunzip} from 'node:zlib'
import type {Hash} from 'node:crypto'
import {encodeMsgpack} from '../../core/codec/msgpack.js'
import {voters} from '../../core/model/configuration.js'
import type {SnapshotMeta} from '../../core/raft/messages.js'
import {parseSnapshotMeta} from '../../core/store/snapshots.js'
import type {OutgoingSnapshot, Problem} from '../backend.js'

const BLOCK = 512
/** Largest state that is taken in, unpacked. */
const STATE_MAX = 2 ** 31 - 1

/**
 * A snapshot as a file: a gzip tar of `meta.json`, `state.bin` and `SHA256SUMS` (`archive.go`, consul snapshot). Sums
 * are made as the state passes, so nothing is held in memory.
 */
export function packSnapshot({meta, state}: OutgoingSnapshot, nowMs: number): AsyncIterable<Uint8Array> {
  const gzip = createGzip({level: 1})
  const source = Readable.from(tarOf(meta, state, Math.floor(nowMs / 1000)), {objectMode: false})
  source.on('error', error => gzip.destroy(error))
  return source.pipe(gzip) as AsyncIterable<Uint8Array>
}

async function* tarOf(
  meta: SnapshotMeta,
  state: AsyncIterable<Uint8Array>,
  seconds: number,
): AsyncIterable<Uint8Array> {
  const json = Buffer.from(metaJson(meta))
  yield* [tarHeader('meta.json', json.length, seconds), json, padding(json.length)]
  yield tarHeader('state.bin', meta.size, seconds)
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of state) {
    hash.update(chunk)
    size += chunk.length
    yield chunk
  }
  if (size !== meta.size) throw new Error(`the snapshot has ${size} bytes and not ${meta.size}`)
  yield padding(size)
  const sums = Buffer.from(`${sum(createHash('sha256').update(json))}  meta.json\n${sum(hash)}  state.bin\n`)
  yield* [tarHeader('SHA256SUMS', sums.length, seconds), sums, padding(sums.length)]
  yield Buffer.alloc(2 * BLOCK)
}

const sum = (hash: Hash): string => hash.digest('hex')
const padding = (size: number): Uint8Array => Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK)

function metaJson(meta: SnapshotMeta): string {
  const {configuration} = meta
  const peers = encodeMsgpack(voters(configuration).map(server => server.address))
  const servers = configuration.servers.map(({suffrage, id, address}) => ({
    Suffrage: suffrage === 'voter' ? 0 : 1,
    ID: id,
    Address: address,
  }))
  const json = {
    Version: 1,
    ID: meta.id,
    Index: meta.index,
    Term: meta.term,
    Peers: Buffer.from(peers).toString('base64'),
    Configuration: {Servers: servers},
    ConfigurationIndex: meta.configurationIndex,
    Size: meta.size,
  }
  return `${JSON.stringify(json)}\n`
}

/** A header of the ustar format. */
function tarHeader(name: string, size: number, seconds: number): Uint8Array {
  const header = Buffer.alloc(BLOCK)
  const octal = (value: number, at: number, length: number): void => {
    header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1')
  }
  header.write(name, 0, 'latin1')
  octal(0o600, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(size, 124, 12)
  octal(seconds, 136, 12)
  header.write('        ', 148, 'latin1')
  header.write('0', 156, 'latin1')
  header.write('ustar\x0000', 257, 'latin1')
  const checksum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${checksum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return header
}

/** A snapshot that came in as a file. */
export interface UnpackedSnapshot {
  readonly meta: SnapshotMeta
  readonly state: Uint8Array
}

/** Unpacks a snapshot file and checks its sums; the words of a problem are those of Consul. */
export async function unpackSnapshot(archive: Uint8Array): Promise<UnpackedSnapshot | Problem> {
  const tar = await unzipped(archive)
  if (typeof tar === 'string') return {problem: `failed to decompress snapshot: ${tar}`}
  const files = untar(tar)
  if (typeof files === 'string') return {problem: `failed to read snapshot file: ${files}`}
  const [meta, state, sums] = ['meta.json', 'state.bin', 'SHA256SUMS'].map(name => files.get(name))
  if (meta === undefined || state === undefined || sums === undefined)
    return {problem: 'failed to read snapshot file: failed checking integrity of snapshot: files are missing'}
  const wrong = wrongSum(Buffer.from(sums).toString('latin1'), files)
  if (wrong !== undefined)
    return {
      problem: `failed to read snapshot file: failed checking integrity of snapshot: hash check failed for "${wrong}"`,
    }
  return readMeta(meta, state)
}

function readMeta(bytes: Uint8Array, state: Uint8Array): UnpackedSnapshot | Problem {
  try {
    const {id, index, term, configuration, sizeBytes} = parseSnapshotMeta(bytes)
    if (configuration === undefined || sizeBytes !== state.length)
      return {problem: 'failed to read snapshot file: the meta data does not fit the state'}
    const {servers} = configuration
    const configurationIndex = configuration.index ?? 1
    return {meta: {id, index, term, configuration: {servers}, configurationIndex, size: sizeBytes}, state}
  } catch (error) {
    return {problem: `failed to read snapshot file: ${error instanceof Error ? error.message : ''}`}
  }
}

function unzipped(archive: Uint8Array): Promise<Uint8Array | string> {
  return new Promise(resolve => {
    gunzip(archive, {maxOutputLength: STATE_MAX}, (error, tar) => {
      const short = archive.length < 10 || error?.message === 'unexpected end of file'
      resolve(error === null ? tar : short ? 'unexpected EOF' : 'gzip: invalid header')
    })
  })
}

function untar(tar: Uint8Array): ReadonlyMap<string, Uint8Array> | string {
  const files = new Map<string, Uint8Array>()
  let at = 0
  while (at + BLOCK <= tar.length && tar[at] !== 0) {
    const header = Buffer.from(tar.buffer, tar.byteOffset + at, BLOCK)
    const name = header.toString('latin1', 0, 100).replace(/\0.*$/s, '')
    const digits = header.toString('latin1', 124, 136).replace(/[\0 ]/g, '')
    if (!/^[0-7]{1,11}$/.test(digits)) return 'archive/tar: invalid tar header'
    const size = Number.parseInt(digits, 8)
    if (at + BLOCK + size > tar.length) return 'unexpected EOF'
    files.set(name, tar.subarray(at + BLOCK, at + BLOCK + size))
    at += BLOCK + size + ((BLOCK - (size % BLOCK)) % BLOCK)
  }
  return files
}

/** The first file whose sum is wrong, or that has none. */
function wrongSum(sums: string, files: ReadonlyMap<string, Uint8Array>): string | undefined {
  const known = new Map(
    [...sums.matchAll(/^([0-9a-f]{64}) [ *](\S+)$/gm)].map(match => [match[2] ?? '', match[1] ?? '']),
  )
  return ['meta.json', 'state.bin'].find(name => {
    const bytes = files.get(name)
    return bytes === undefined || known.get(name) !== sum(createHash('sha256').update(bytes))
  })
}
