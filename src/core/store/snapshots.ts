import {crc64} from '../codec/checksums.js'
import type {Halves} from '../codec/checksums.js'
import {decodeMsgpack} from '../codec/msgpack.js'
import {addressList} from '../model/disk-state.js'
import type {Configuration, Server} from '../model/configuration.js'
import {logIndex, serverAddress, serverId, term} from '../model/ids.js'
import type {SnapshotMeta} from '../model/observation.js'
import {read, unread} from '../model/reading.js'
import type {Source} from '../model/reading.js'
import {addressTexts} from './log-entry.js'
import {corrupt, settle, StoreFault, StoreIo} from './requests.js'
import type {StoreReader, StoreResult} from './requests.js'

const DIRECTORY = 'snapshots'
const META_BYTES_MAX = 256 * 1024
const SNAPSHOTS_MAX = 64
const CHUNK_BYTES = 1024 * 1024
const SERVERS_MAX = 4096

/** What a meta.json says (`fileSnapshotMeta` in hashicorp/raft, file_snapshot.go); versions 0 and 1. */
export interface ParsedSnapshotMeta {
  readonly id: string
  readonly index: number
  readonly term: number
  readonly configuration: Configuration | undefined
  readonly sizeBytes: number
  /** CRC-64 of state.bin; undefined in a meta of a snapshot that was never finished. */
  readonly crc: Halves | undefined
}

/** How snapshots are read. */
export interface ReadSnapshotsOptions {
  /** Check size and CRC of every state.bin, which reads all of it. */
  readonly deep: boolean
  /** Where the facts come from, for the readings inside the result. */
  readonly source: Source
}

/**
 * Reads the snapshots of a raft directory, newest first, as the library lists them: directories only, by term, index
 * and name; `permTest` is its write probe. A missing directory is a list of none. One whose meta.json does not parse
 * is listed with what its name says and `intact` unread, because the server will skip it.
 */
export function readSnapshots(
  options: ReadSnapshotsOptions,
): StoreReader<StoreResult<readonly SnapshotMeta[]>> {
  return settle(readAll(options))
}

function* readAll(options: ReadSnapshotsOptions): StoreReader<readonly SnapshotMeta[]> {
  const names = yield* listSnapshots()
  const io = new StoreIo()
  const files = names.map(name => `${DIRECTORY}/${name}/meta.json`)
  const replies =
    files.length === 0
      ? []
      : yield files.map(file => ({kind: 'read', file, offset: 0, length: META_BYTES_MAX}) as const)
  const found: SnapshotMeta[] = []
  for (const [i, name] of names.entries()) {
    const reply = replies[i]
    const parsed = yield* settle(
      (function* (): StoreReader<ParsedSnapshotMeta> {
        return parseSnapshotMeta(io.bytesOf(reply, files[i] ?? ''))
      })(),
    )
    found.push(yield* describe(io, name, parsed, options))
  }
  return found.sort((a, b) => b.term - a.term || b.index - a.index || (a.id < b.id ? 1 : -1))
}

/** The names of snapshot directories; a missing directory holds none. */
function* listSnapshots(): StoreReader<readonly string[]> {
  const [reply] = yield [{kind: 'list', directory: DIRECTORY}]
  if (reply?.kind === 'unread') {
    if (reply.why === 'absent') return []
    throw new StoreFault(reply.why, reply.detail)
  }
  if (reply?.kind !== 'entries') throw new StoreFault('failed', 'There was no answer about the snapshots.')
  const names = reply.entries
    .filter(entry => entry.directory && entry.name !== 'permTest')
    .map(entry => entry.name)
  if (names.length > SNAPSHOTS_MAX)
    throw new StoreFault('over-budget', `There are ${names.length} snapshots.`)
  return names.filter(name => name !== '.' && name !== '..' && !name.includes('/'))
}

function* describe(
  io: StoreIo,
  name: string,
  parsed: StoreResult<ParsedSnapshotMeta>,
  {deep, source}: ReadSnapshotsOptions,
): StoreReader<SnapshotMeta> {
  const temporary = name.endsWith('.tmp')
  const from = {...source, what: `${DIRECTORY}/${name}`}
  if (parsed.kind === 'unread') {
    const [, byName, byIndex] = /^(\d{1,15})-(\d{1,15})-/.exec(name) ?? []
    return {
      id: name,
      index: logIndex(Number(byIndex ?? 0)),
      term: term(Number(byName ?? 0)),
      configuration: undefined,
      sizeBytes: 0,
      intact: parsed.why === 'corrupt' ? read(false, from) : unread(parsed.why, from, parsed.detail),
      temporary,
    }
  }
  const meta = parsed.value
  const checked = deep && !temporary ? yield* settle(isIntact(io, name, meta)) : undefined
  return {
    id: meta.id === '' ? name : meta.id,
    index: logIndex(meta.index),
    term: term(meta.term),
    configuration: meta.configuration,
    sizeBytes: meta.sizeBytes,
    intact:
      checked === undefined
        ? unread('not-asked', from)
        : checked.kind === 'read'
          ? read(checked.value, from)
          : unread(checked.why, from, checked.detail),
    temporary,
  }
}

/** Whether state.bin has the size and the CRC that its meta names. */
function* isIntact(io: StoreIo, name: string, meta: ParsedSnapshotMeta): StoreReader<boolean> {
  const file = `${DIRECTORY}/${name}/state.bin`
  const present = yield* settle(io.size(file))
  if (present.kind === 'unread') {
    if (present.why === 'absent') return false
    throw new StoreFault(present.why, present.detail)
  }
  if (present.value !== meta.sizeBytes || meta.crc === undefined) return false
  let crc: Halves = {high: 0, low: 0}
  for (let at = 0; at < meta.sizeBytes; at += CHUNK_BYTES) {
    const length = Math.min(CHUNK_BYTES, meta.sizeBytes - at)
    const bytes = yield* io.upTo(file, at, length)
    if (bytes.length < length) return false
    crc = crc64(bytes, crc)
  }
  return crc.high === meta.crc.high && crc.low === meta.crc.low
}

/** Parses a meta.json. Faults with `corrupt` for what the library could not restore from either. */
export function parseSnapshotMeta(bytes: Uint8Array): ParsedSnapshotMeta {
  if (bytes.length >= META_BYTES_MAX) throw corrupt('meta.json is larger than any can be.')
  const json = parseJson(new TextDecoder().decode(bytes))
  if (typeof json !== 'object' || json === null) throw corrupt('meta.json does not parse.')
  const meta = json as Readonly<Record<string, unknown>>
  const version = meta['Version'] ?? 0
  if (version !== 0 && version !== 1)
    throw new StoreFault('unsupported', 'The snapshot is of an unknown version.')
  const crc = typeof meta['CRC'] === 'string' ? decodeBase64(meta['CRC']) : undefined
  const peers = typeof meta['Peers'] === 'string' ? decodeBase64(meta['Peers']) : undefined
  return {
    id: typeof meta['ID'] === 'string' ? meta['ID'].slice(0, 200) : '',
    index: integer(meta['Index'], 'Index'),
    term: integer(meta['Term'], 'Term'),
    configuration:
      version === 1 && meta['Configuration'] !== undefined
        ? jsonConfiguration(meta['Configuration'], meta['ConfigurationIndex'])
        : peers === undefined
          ? undefined
          : peersConfiguration(peers),
    sizeBytes: integer(meta['Size'] ?? 0, 'Size'),
    crc: crc?.length === 8 ? halves(crc) : undefined,
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) throw corrupt('meta.json does not parse.')
    throw error
  }
}

function integer(value: unknown, name: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw corrupt(`meta.json has no usable ${name}.`)
  return value
}

const halves = (bytes: Uint8Array): Halves => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8)
  return {high: view.getUint32(0), low: view.getUint32(4)}
}

function jsonConfiguration(value: unknown, index: unknown): Configuration {
  const list = (value as {Servers?: unknown} | null)?.Servers ?? []
  if (!Array.isArray(list) || list.length > SERVERS_MAX)
    throw corrupt('meta.json holds a peer set that is none.')
  const servers = (list as readonly unknown[]).map((item): Server => {
    const {ID, Address, Suffrage} = (item ?? {}) as Readonly<Record<string, unknown>>
    if (typeof ID !== 'string' || typeof Address !== 'string')
      throw corrupt('meta.json holds a server without id or address.')
    return {
      id: serverId(ID),
      address: serverAddress(Address),
      suffrage: (Suffrage ?? 0) === 0 ? 'voter' : 'nonvoter',
    }
  })
  return typeof index === 'number' && Number.isSafeInteger(index) && index >= 0
    ? {servers, index: logIndex(index)}
    : {servers}
}

function peersConfiguration(peers: Uint8Array): Configuration {
  const decoded = decodeMsgpack(peers, 0, {rawBytesMax: 4096, valuesMax: SERVERS_MAX})
  if (decoded.kind !== 'value') throw corrupt('meta.json holds peers that do not parse.')
  return addressList(addressTexts(decoded.value))
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** Standard base64; faults with `corrupt` on other characters. The core has no `atob` of its own. */
export function decodeBase64(text: string): Uint8Array {
  const body = text.replace(/=+$/, '')
  const bytes = new Uint8Array(Math.floor((body.length * 3) / 4))
  let bits = 0
  let held = 0
  let at = 0
  for (const character of body) {
    const value = ALPHABET.indexOf(character)
    if (value === -1) throw corrupt('meta.json holds bytes that are not base64.')
    bits = ((bits << 6) | value) & 0xffffff
    held += 6
    if (held < 8) continue
    held -= 8
    bytes[at++] = (bits >> held) & 0xff
  }
  return bytes
}
