import {fnv1a64} from '../codec/checksums.js'
import {parsePageHeader, tableBytes, uint64, viewOf} from './bolt-page.js'
import type {PageHeader} from './bolt-page.js'
import {corrupt, settle, StoreFault} from './requests.js'
import type {StoreIo, StoreReader} from './requests.js'
import {fetchAll, SparseBytes} from './sparse-bytes.js'

const MAGIC = 0xed0cdaed
const VERSION = 2
const META_BYTES = 80 // page header and meta
const HEAD_BYTES = 16384 // both metas for pages of 4 and 8 KiB, and the first pages behind them
const SMALL_FILE_BYTES = 128 * 1024 // a file that is read whole at once: cheaper than one round trip for each level
const PAGES_CACHED = 64
const PAGE_SIZES = [4096, 1024, 2048, 8192, 16384, 32768, 65536]

/** One of the two metas of a BoltDB file (bolt/db.go): the root of the tree as of one transaction. */
export interface BoltMeta {
  readonly pageSize: number
  readonly root: number
  readonly highWater: number
  readonly txid: number
  /** Whether the checksum is there and right. Zero was taken for "none" by every bolt before bbolt 1.4. */
  readonly checksum: 'right' | 'none'
}

/** Reads a meta page; undefined when magic, version, checksum or sizes are wrong. */
export function parseMeta(page: Uint8Array): BoltMeta | undefined {
  if (page.length < META_BYTES) return undefined
  const meta = page.subarray(16, META_BYTES)
  const view = viewOf(meta)
  if (view.getUint32(0, true) !== MAGIC || view.getUint32(4, true) !== VERSION) return undefined
  const stored = view.getBigUint64(56, true)
  if (stored !== 0n && stored !== fnv1a64(meta.subarray(0, 56))) return undefined
  const pageSize = view.getUint32(8, true)
  const parsed = {
    pageSize,
    root: uint64(view, 16),
    highWater: uint64(view, 40),
    txid: uint64(view, 48),
    checksum: stored === 0n ? 'none' : 'right',
  } as const
  const sane = PAGE_SIZES.includes(pageSize) && parsed.root < parsed.highWater
  return sane && Number.isSafeInteger(parsed.highWater * pageSize) ? parsed : undefined
}

/** Both metas of a file; one that is wrong is undefined. */
export type Metas = readonly [BoltMeta | undefined, BoltMeta | undefined]

/** The meta that a bolt library uses: the right one with the highest transaction id. */
export function bestMeta([first, second]: Metas): BoltMeta | undefined {
  if (first === undefined || second === undefined) return first ?? second
  return second.txid > first.txid ? second : first
}

/** A page that was read at least up to its table of elements. */
export interface BoltPage {
  readonly header: PageHeader
  readonly bytes: SparseBytes
}

/** An open BoltDB file, read as of one transaction. */
export class BoltFile {
  private readonly cache = new Map<number, BoltPage>()
  constructor(
    readonly io: StoreIo,
    readonly file: string,
    readonly sizeBytes: number,
    readonly meta: BoltMeta,
    readonly metas: Metas,
    private readonly head: Uint8Array,
  ) {}

  /** Reads pages up to their tables of elements, in one batch, and checks id, bounds and kind of each. */
  *pages(ids: readonly number[]): StoreReader<readonly BoltPage[]> {
    const missing = [...new Set(ids)].filter(id => !this.cache.has(id))
    const fresh = missing.map(id => this.stretch(id, 1))
    const size = this.meta.pageSize
    fresh.forEach((sparse, i) => {
      const at = (missing[i] ?? 0) * size
      if (at + size <= this.head.length) sparse.add(0, this.head.subarray(at, at + size))
    })
    yield* fetchAll(
      this.io,
      fresh.map(sparse => ({sparse, part: {offset: 0, length: size}})),
    )
    const parsed = fresh.map((sparse, i) => this.parse(missing[i] ?? 0, sparse))
    yield* fetchAll(
      this.io,
      parsed.map(page => ({sparse: page.bytes, part: {offset: 0, length: tableBytes(page.header)}})),
    )
    const found = new Map<number, BoltPage>([
      ...this.cache,
      ...parsed.map(page => [page.header.id, page] as const),
    ])
    for (const page of parsed) this.remember(page)
    return ids.map(id => {
      const page = found.get(id)
      if (page === undefined) throw corrupt(`Page ${id} of ${this.file} was not found.`)
      return page
    })
  }

  // The size is not asked here: it is older than the meta, and a live file may have grown between
  private stretch(id: number, pages: number): SparseBytes {
    const {pageSize, highWater} = this.meta
    if (id < 2 || id + pages > highWater)
      throw corrupt(`${this.file} refers to page ${id}, which it does not use.`)
    return new SparseBytes(this.file, id * pageSize, pages * pageSize)
  }

  private parse(id: number, first: SparseBytes): BoltPage {
    const bytes = first.get(0, this.meta.pageSize)
    if (bytes === undefined) throw corrupt(`Page ${id} of ${this.file} could not be read.`)
    const header = parsePageHeader(bytes)
    if (header.id !== id) throw corrupt(`Page ${id} of ${this.file} carries the number of another page.`)
    if (header.kind === 'other') throw corrupt(`Page ${id} of ${this.file} is neither branch nor leaf.`)
    const whole = this.stretch(id, header.pages)
    if (tableBytes(header) > whole.length)
      throw corrupt(`Page ${id} of ${this.file} has a table beyond its end.`)
    whole.add(0, bytes)
    if (whole.offset + whole.length <= this.head.length)
      whole.add(0, this.head.subarray(whole.offset, whole.offset + whole.length))
    return {header, bytes: whole}
  }

  private remember(page: BoltPage): void {
    this.cache.set(page.header.id, page)
    for (const id of this.cache.keys()) {
      if (this.cache.size <= PAGES_CACHED) break
      this.cache.delete(id)
    }
  }
}

function* readMetas(io: StoreIo, file: string, head: Uint8Array): StoreReader<Metas> {
  const first = parseMeta(head)
  const sizes = first === undefined ? PAGE_SIZES : [first.pageSize]
  const beyond = sizes.filter(size => size + META_BYTES > head.length)
  const far = new Map<number, Uint8Array>()
  if (first !== undefined || head.length >= HEAD_BYTES)
    for (const size of beyond) far.set(size, yield* io.upTo(file, size, META_BYTES))
  for (const size of sizes) {
    const second = parseMeta(far.get(size) ?? head.subarray(size, size + META_BYTES))
    if (second?.pageSize === size) return [first, second]
  }
  return [first, undefined]
}

function join(head: Uint8Array, tail: Uint8Array): Uint8Array {
  const all = new Uint8Array(head.length + tail.length)
  all.set(head)
  all.set(tail, head.length)
  return all
}

/** Opens a BoltDB file: reads both metas and chooses the better. */
export function* openBolt(io: StoreIo, file: string): StoreReader<BoltFile> {
  const {sizeBytes, head} = yield* io.sizeAndHead(file, HEAD_BYTES)
  if (sizeBytes === 0) throw corrupt(`${file} is empty; a server would start on it as new.`)
  const metas = yield* readMetas(io, file, head)
  const meta = bestMeta(metas)
  if (meta === undefined) throw corrupt(`${file} has no valid meta page.`)
  if (sizeBytes < 2 * meta.pageSize) throw corrupt(`${file} is too small: it ends before its second page.`)
  const rest = sizeBytes <= SMALL_FILE_BYTES ? sizeBytes - head.length : 0
  const all = rest > 0 ? join(head, yield* io.upTo(file, head.length, rest)) : head
  return new BoltFile(io, file, sizeBytes, meta, metas, all)
}

/**
 * Reads something from a BoltDB file that may be written to meanwhile. Pages of the newest transaction are not
 * reused before the one after the next is being written, so what was read is right if the highest transaction id
 * is still the same afterwards; otherwise the fault is `changed`, also when damage was seen on the way. Checked
 * metas alone prove nothing: in torn copies both are right.
 */
export function* readBolt<T>(
  io: StoreIo,
  file: string,
  body: (bolt: BoltFile) => StoreReader<T>,
): StoreReader<T> {
  const opened = yield* settle(openBolt(io, file))
  const bolt =
    opened.kind === 'read'
      ? opened.value
      : opened.why === 'corrupt'
        ? yield* openBolt(io, file)
        : fail(opened.why, opened.detail)
  const result = yield* settle(body(bolt))
  yield* demandUnchanged(bolt)
  return result.kind === 'read' ? result.value : fail(result.why, result.detail)
}

const fail = (...fault: ConstructorParameters<typeof StoreFault>): never => {
  throw new StoreFault(...fault)
}

/** Reads both metas again and faults with `changed` unless the highest transaction id is still the same. */
export function* demandUnchanged(bolt: BoltFile): StoreReader<void> {
  const {io, file, meta} = bolt
  const replies = yield [
    {kind: 'read', file, offset: 0, length: META_BYTES},
    {kind: 'read', file, offset: meta.pageSize, length: META_BYTES},
  ]
  const first = parseMeta(io.bytesOf(replies[0], file))
  const second = parseMeta(io.bytesOf(replies[1], file))
  if (bestMeta([first, second])?.txid !== meta.txid)
    throw new StoreFault('changed', `${file} was written to while it was read.`)
}
