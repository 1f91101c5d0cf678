import type {Configuration, Server} from '../model/configuration.js'
import {serverAddress, serverId} from '../model/ids.js'
import {addressList} from '../model/disk-state.js'
import {decodeMsgpack, msgpackText} from '../codec/msgpack.js'
import type {MsgpackValue} from '../codec/msgpack.js'
import {viewOf} from './bolt-page.js'
import {corrupt} from './requests.js'

/** The kinds of log entries by number (`LogType` in hashicorp/raft, log.go). */
export const ENTRY_TYPES = ['command', 'noop', 'add-peer', 'remove-peer', 'barrier', 'configuration'] as const
/** The kind of a log entry. */
export type EntryType = (typeof ENTRY_TYPES)[number]

/** An instant as the stores keep it. */
export interface StoredTime {
  readonly unixSeconds: number
  readonly nanoseconds: number
}

/** A log entry without its data. Positions count from the beginning of the entry. */
export interface EntryHead {
  readonly index: number
  readonly term: number
  /** Undefined for a number that no version of the library has given out. */
  readonly type: EntryType | undefined
  readonly typeNumber: number
  readonly dataAt: number
  readonly dataLength: number
  readonly extensionsAt: number
  readonly extensionsLength: number
  readonly appendedAt: StoredTime | undefined
}

/** Whether an entry sets the peer set. */
export const setsPeers = (head: EntryHead): boolean =>
  head.type === 'configuration' || head.type === 'add-peer' || head.type === 'remove-peer'

/** Some bytes of an entry, or undefined when they have not been read. */
export type EntryBytes = (at: number, length: number) => Uint8Array | undefined

/** The head of an entry, or the bytes that are missing to tell it. */
export type HeadResult =
  | {readonly kind: 'head'; readonly head: EntryHead}
  | {readonly kind: 'need'; readonly at: number; readonly length: number}

const NEED_BYTES = 64

class Need extends Error {
  constructor(
    readonly at: number,
    readonly length: number,
  ) {
    super('need')
  }
}

/**
 * Reads the head of an entry in the msgpack map that raft-boltdb writes, without needing the bytes of its data: the
 * fields may come in any order, and a large value is stepped over. Faults with `corrupt` when it is no such map.
 */
export function parseEntryHead(get: EntryBytes, length: number): HeadResult {
  try {
    return {kind: 'head', head: new HeadParser(get, length).parse()}
  } catch (error) {
    if (error instanceof Need) return {kind: 'need', at: error.at, length: error.length}
    throw error
  }
}

interface Field {
  readonly at: number
  readonly length: number
}

class HeadParser {
  private at = 0
  /** The whole entry where it has been read, which is nearly always: numbers are taken from it without copies. */
  private readonly whole: Uint8Array | undefined
  private readonly view: DataView | undefined
  constructor(
    private readonly get: EntryBytes,
    private readonly length: number,
  ) {
    this.whole = get(0, length)
    this.view = this.whole === undefined ? undefined : viewOf(this.whole)
  }

  parse(): EntryHead {
    let index: number | undefined
    let term: number | undefined
    let typeNumber: number | undefined
    let data: Field | undefined
    let extensions: Field | undefined
    let appended: Field | undefined
    for (let left = this.mapLength(); left > 0; left--) {
      const key = this.key()
      if (key === 'Index') index = this.unsigned()
      else if (key === 'Term') term = this.unsigned()
      else if (key === 'Type') typeNumber = this.unsigned()
      else {
        const field = this.field()
        if (key === 'Data') data = field
        else if (key === 'Extensions') extensions = field
        else if (key === 'AppendedAt') appended = field
      }
    }
    if (this.at !== this.length) throw corrupt('A log entry has bytes behind its end.')
    if (index === undefined || term === undefined || typeNumber === undefined)
      throw corrupt('A log entry lacks its index, term or type.')
    return {
      index,
      term,
      type: ENTRY_TYPES[typeNumber],
      typeNumber,
      dataAt: data?.at ?? 0,
      dataLength: data?.length ?? 0,
      extensionsAt: extensions?.at ?? 0,
      extensionsLength: extensions?.length ?? 0,
      appendedAt:
        appended === undefined || appended.length > 16
          ? undefined
          : parseTime(this.bytes(appended.at, appended.length)),
    }
  }

  private bytes(at: number, length: number): Uint8Array {
    if (at + length > this.length) throw corrupt('A log entry ends too early.')
    const bytes = this.whole?.subarray(at, at + length) ?? this.get(at, length)
    if (bytes === undefined) throw new Need(at, Math.min(Math.max(length, NEED_BYTES), this.length - at))
    return bytes
  }

  private take(length: number): Uint8Array {
    const bytes = this.bytes(this.at, length)
    this.at += length
    return bytes
  }

  private number(size: 1 | 2 | 4 | 8): number {
    const inside = this.at + size <= this.length ? this.view : undefined
    const view = inside ?? viewOf(this.bytes(this.at, size))
    const at = inside === undefined ? 0 : this.at
    this.at += size
    if (size === 1) return view.getUint8(at)
    if (size === 2) return view.getUint16(at)
    return size === 4 ? view.getUint32(at) : Number(view.getBigUint64(at))
  }

  private mapLength(): number {
    const head = this.number(1)
    if (head >= 0x80 && head <= 0x8f) return head & 0x0f
    if (head === 0xde) return this.number(2)
    throw corrupt('A log entry is not a map.')
  }

  private key(): string {
    const {at, length} = this.field()
    if (length > 64) throw corrupt('A log entry has a key that is too long.')
    return String.fromCharCode(...this.bytes(at, length))
  }

  private unsigned(): number {
    const head = this.number(1)
    if (head <= 0x7f) return head
    const size = ({0xcc: 1, 0xcd: 2, 0xce: 4, 0xcf: 8} as const)[head as 0xcc | 0xcd | 0xce | 0xcf]
    const value = size === undefined ? -1 : this.number(size)
    if (!Number.isSafeInteger(value) || value < 0) throw corrupt('A log entry has a number that is none.')
    return value
  }

  /** Steps over raw bytes, nil, an extension or a number. */
  private field(): Field {
    const head = this.number(1)
    const length = this.fieldLength(head)
    const at = this.at
    if (at + length > this.length) throw corrupt('A log entry ends too early.')
    this.at += length
    return {at, length}
  }

  private fieldLength(head: number): number {
    if (head === 0xc0 || head <= 0x7f || head >= 0xe0 || head === 0xc2 || head === 0xc3) return 0
    if (head >= 0xa0 && head <= 0xbf) return head & 0x1f
    if (head === 0xc4 || head === 0xd9) return this.number(1)
    if (head === 0xc5 || head === 0xda) return this.number(2)
    if (head === 0xc6 || head === 0xdb) return this.number(4)
    if (head === 0xc7) return this.skipExtensionType(this.number(1))
    if (head >= 0xd4 && head <= 0xd8) return this.skipExtensionType(1 << (head - 0xd4))
    if (head >= 0xcc && head <= 0xcf) return 1 << (head - 0xcc)
    if (head >= 0xd0 && head <= 0xd3) return 1 << (head - 0xd0)
    throw corrupt('A log entry has a field of an unexpected kind.')
  }

  private skipExtensionType(length: number): number {
    this.take(1)
    return length
  }
}

const SECONDS_BEFORE_UNIX = 62_135_596_800

/**
 * An AppendedAt in any of its encodings: Go's binary time (15 or 16 bytes, seconds since the year 1), or the payload
 * of a msgpack timestamp (4, 8 or 12 bytes). Undefined for the zero time and for what is none of these.
 */
export function parseTime(bytes: Uint8Array): StoredTime | undefined {
  const view = viewOf(bytes)
  if (bytes.length === 4) return {unixSeconds: view.getUint32(0), nanoseconds: 0}
  if (bytes.length === 8) {
    const high = view.getUint32(0)
    return {unixSeconds: (high & 3) * 0x1_0000_0000 + view.getUint32(4), nanoseconds: high >>> 2}
  }
  if (bytes.length === 12) return {unixSeconds: Number(view.getBigInt64(4)), nanoseconds: view.getUint32(0)}
  if ((bytes.length !== 15 && bytes.length !== 16) || bytes[0] !== bytes.length - 14) return undefined
  const seconds = view.getBigInt64(1)
  const nanoseconds = view.getUint32(9)
  if (seconds === 0n && nanoseconds === 0) return undefined
  return {unixSeconds: Number(seconds) - SECONDS_BEFORE_UNIX, nanoseconds}
}

/** A stored time as RFC 3339 text with nanoseconds; undefined outside the years 1 to 9999. */
export function timeText({unixSeconds, nanoseconds}: StoredTime): string | undefined {
  if (unixSeconds < -SECONDS_BEFORE_UNIX || unixSeconds > 253_402_300_799) return undefined
  const date = new Date(unixSeconds * 1000).toISOString()
  return nanoseconds === 0
    ? date.replace('.000Z', 'Z')
    : date.replace('000Z', `${String(nanoseconds).padStart(9, '0')}Z`)
}

const SUFFRAGES = ['voter', 'nonvoter', 'nonvoter'] as const // the third is staging, which has no vote either

/** The peer set in the data of a membership entry. Add-peer and remove-peer entries hold the complete set after them. */
export function entryConfiguration(type: EntryType, data: Uint8Array): Configuration {
  const result = decodeMsgpack(data, 0, {rawBytesMax: 4096})
  if (result.kind !== 'value') throw corrupt('A membership entry does not parse.')
  if (type !== 'configuration') return addressList(addressTexts(result.value))
  const servers =
    result.value instanceof Map ? (result.value as Map<string, MsgpackValue>).get('Servers') : undefined
  if (servers === null) return {servers: []}
  if (!Array.isArray(servers)) throw corrupt('A configuration entry names no servers.')
  return {servers: (servers as readonly MsgpackValue[]).map(parseServer)}
}

/** The texts of a msgpack array of raw values; nil is an empty one. */
export function addressTexts(value: MsgpackValue): readonly string[] {
  if (value === null) return []
  if (!Array.isArray(value)) throw corrupt('A list of peers is not a list.')
  return (value as readonly MsgpackValue[]).map(item => {
    const text = msgpackText(item)
    if (text === undefined) throw corrupt('A list of peers holds something that is not text.')
    return text
  })
}

function parseServer(value: MsgpackValue): Server {
  if (!(value instanceof Map)) throw corrupt('A configuration entry holds something that is no server.')
  const fields = value as Map<string, MsgpackValue>
  const id = msgpackText(fields.get('ID'))
  const address = msgpackText(fields.get('Address'))
  const suffrage = SUFFRAGES[Number(fields.get('Suffrage') ?? 0)]
  if (id === undefined || address === undefined || suffrage === undefined)
    throw corrupt('A configuration entry holds a server without id, address or suffrage.')
  return {id: serverId(id), address: serverAddress(address), suffrage}
}
