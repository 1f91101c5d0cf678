import {
  branchElements,
  leafElements,
  PAGE_HEADER_BYTES,
  parsePageHeader,
  uint64,
  viewOf,
} from './bolt-page.js'
import type {BranchElement, LeafElement} from './bolt-page.js'
import type {BoltFile, BoltPage} from './bolt-file.js'
import {corrupt} from './requests.js'
import type {StoreReader} from './requests.js'
import {fetchAll, SparseBytes} from './sparse-bytes.js'

const DEPTH_MAX = 32
const SMALL_PAGE_BYTES = 1024 * 1024 // pages that are read whole: branches, and leaves of small buckets
const BUCKET_HEADER_BYTES = 16

/** A bucket: a tree of its own, or a single leaf inside the value that names it. */
export type Bucket =
  {readonly kind: 'tree'; readonly root: number} | {readonly kind: 'inline'; readonly leaf: BoltPage}

const compare = (a: Uint8Array, b: Uint8Array): number => {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

const utf8 = new TextEncoder()

/** Opens a bucket of the root tree by its name; undefined when there is none. */
export function* openBucket(bolt: BoltFile, name: string): StoreReader<Bucket | undefined> {
  const found = yield* findInTree(bolt, bolt.meta.root, utf8.encode(name))
  if (found === undefined) return undefined
  if (!found.bucket) throw corrupt(`${bolt.file} has a value where its bucket ${name} should be.`)
  if (found.value.length < BUCKET_HEADER_BYTES)
    throw corrupt(`The bucket ${name} of ${bolt.file} is too short.`)
  const root = uint64(viewOf(found.value), 0)
  if (root !== 0) return {kind: 'tree', root}
  const bytes = found.value.subarray(BUCKET_HEADER_BYTES)
  if (bytes.length < PAGE_HEADER_BYTES) throw corrupt(`The bucket ${name} of ${bolt.file} is too short.`)
  const header = parsePageHeader(bytes)
  if (header.kind !== 'leaf') throw corrupt(`The inline bucket ${name} of ${bolt.file} is no leaf.`)
  const leaf = new SparseBytes(bolt.file, found.offset + BUCKET_HEADER_BYTES, bytes.length)
  leaf.add(0, bytes)
  return {kind: 'inline', leaf: {header, bytes: leaf}}
}

/** The value of a key in a bucket of few and small values; undefined when it has no such key. */
export function* findInBucket(
  bolt: BoltFile,
  bucket: Bucket,
  key: string,
): StoreReader<Uint8Array | undefined> {
  const name = utf8.encode(key)
  if (bucket.kind === 'tree') return (yield* findInTree(bolt, bucket.root, name))?.value
  return findInLeaf(bucket.leaf, name)?.value
}

interface Found {
  readonly bucket: boolean
  readonly value: Uint8Array
  /** Where the value lies in the file. */
  readonly offset: number
}

function* findInTree(bolt: BoltFile, root: number, key: Uint8Array): StoreReader<Found | undefined> {
  let id = root
  for (let depth = 0; depth < DEPTH_MAX; depth++) {
    const [page] = yield* bolt.pages([id])
    if (page === undefined) return undefined
    yield* readWhole(bolt, page)
    if (page.header.kind === 'leaf') return findInLeaf(page, key)
    let child: BranchElement | undefined
    for (const element of branchElements(page.bytes, page.header)) {
      if (child !== undefined && compare(keyOf(page, element), key) > 0) break
      child = element
    }
    if (child === undefined) throw corrupt(`Page ${id} of ${bolt.file} is a branch without children.`)
    id = child.child
  }
  throw corrupt(`${bolt.file} has a tree that is too deep.`)
}

function findInLeaf(page: BoltPage, key: Uint8Array): Found | undefined {
  for (const element of leafElements(page.bytes, page.header)) {
    if (compare(keyOf(page, element), key) !== 0) continue
    const value = page.bytes.get(element.valueAt, element.valueLength)
    if (value === undefined) throw corrupt(`Page ${page.header.id} has a value that could not be read.`)
    return {bucket: element.bucket, value, offset: page.bytes.offset + element.valueAt}
  }
  return undefined
}

const keyOf = (page: BoltPage, element: LeafElement | BranchElement): Uint8Array =>
  page.bytes.get(element.keyAt, element.keyLength) ?? new Uint8Array(0)

/** Reads all of a page, overflow pages too; for pages that are small in any store. */
export function* readWhole(bolt: BoltFile, page: BoltPage): StoreReader<void> {
  if (page.bytes.length > SMALL_PAGE_BYTES)
    throw corrupt(`Page ${page.header.id} of ${bolt.file} is larger than a page of its kind can be.`)
  yield* page.bytes.fetch(bolt.io, [{offset: 0, length: page.bytes.length}])
}

/** A branch of the log's tree: its children with the lowest index each may hold. */
export interface LogBranch {
  readonly kind: 'branch'
  readonly id: number
  readonly children: readonly {readonly key: number; readonly child: number}[]
}

/** An entry of the log as its leaf names it. */
export interface LogSlot {
  readonly index: number
  readonly bytes: SparseBytes
  readonly at: number
  readonly length: number
}
/** A leaf of the log's tree. */
export interface LogLeaf {
  readonly kind: 'leaf'
  readonly id: number
  readonly slots: readonly LogSlot[]
}
/** A node of the log's tree. */
export type LogNode = LogBranch | LogLeaf

const KEY_BYTES = 8
const HEAD_BYTES = 64 // read behind a key that its page does not hold, to spare a second round trip for the entry's head

/** Reads nodes of the log's tree, in as few batches as can be, and checks their keys: 8 bytes, ascending. */
export function* logNodes(bolt: BoltFile, ids: readonly number[]): StoreReader<readonly LogNode[]> {
  const pages = yield* bolt.pages(ids)
  return yield* toNodes(bolt, pages)
}

/** The leaf of a log so small that it lies inside its bucket's value. */
export function* inlineLeaf(bolt: BoltFile, page: BoltPage): StoreReader<LogNode> {
  const [node] = yield* toNodes(bolt, [page])
  if (node === undefined) throw corrupt(`${bolt.file} has no log.`)
  return node
}

function* toNodes(bolt: BoltFile, pages: readonly BoltPage[]): StoreReader<readonly LogNode[]> {
  const tables = pages.map(page => ({
    page,
    elements:
      page.header.kind === 'leaf'
        ? leafElements(page.bytes, page.header)
        : branchElements(page.bytes, page.header),
  }))
  yield* fetchAll(
    bolt.io,
    tables.flatMap(({page, elements}) =>
      elements
        .filter(({keyAt}) => page.bytes.get(keyAt, KEY_BYTES) === undefined)
        .map(({keyAt}) => ({
          sparse: page.bytes,
          part: {offset: keyAt, length: Math.min(KEY_BYTES + HEAD_BYTES, page.bytes.length - keyAt)},
        })),
    ),
  )
  return tables.map(({page, elements}) => {
    const keys = elements.map(element => indexKey(page, element))
    keys.forEach((key, i) => {
      if (i > 0 && key <= (keys[i - 1] ?? 0))
        throw corrupt(`Page ${page.header.id} of ${bolt.file} is not in order.`)
    })
    const id = page.header.id
    if (page.header.kind === 'branch')
      return {
        kind: 'branch',
        id,
        children: (elements as readonly BranchElement[]).map((element, i) => ({
          key: keys[i] ?? 0,
          child: element.child,
        })),
      }
    return {
      kind: 'leaf',
      id,
      slots: (elements as readonly LeafElement[]).map((element, i) => ({
        index: keys[i] ?? 0,
        bytes: page.bytes,
        at: element.valueAt,
        length: element.valueLength,
      })),
    }
  })
}

function indexKey(page: BoltPage, element: LeafElement | BranchElement): number {
  const key = element.keyLength === KEY_BYTES ? page.bytes.get(element.keyAt, KEY_BYTES) : undefined
  const index = key === undefined ? Number.NaN : Number(viewOf(key).getBigUint64(0))
  if (!Number.isSafeInteger(index)) throw corrupt(`Page ${page.header.id} has a key that is no log index.`)
  return index
}
