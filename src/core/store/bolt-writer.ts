import {fnv1a64} from '../codec/checksums.js'
import {PAGE_HEADER_BYTES, viewOf} from './bolt-page.js'

/**
 * Writes small BoltDB files whole (bolt/db.go, page.go): two metas, an empty freelist, the root leaf with the names
 * of the buckets, and one leaf for each bucket, inline where bolt itself would keep it so.
 */

const ELEMENT_BYTES = 16
const BUCKET_HEADER_BYTES = 16
const LEAF = 0x02
const META = 0x04
const FREELIST = 0x10
const MAGIC = 0xed0cdaed
const VERSION = 2
const FREELIST_PAGE = 2
const ROOT_PAGE = 3

/** A key with its value. */
export interface BoltItem {
  readonly key: string
  readonly value: Uint8Array
}

/** A flat bucket. */
export interface BoltBucket {
  readonly name: string
  readonly items: readonly BoltItem[]
}

interface Element {
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly bucket: boolean
}

const utf8 = new TextEncoder()

const byKey = (a: Element, b: Element): number => {
  for (let i = 0; i < Math.min(a.key.length, b.key.length); i++) {
    const difference = (a.key[i] ?? 0) - (b.key[i] ?? 0)
    if (difference !== 0) return difference
  }
  return a.key.length - b.key.length
}

/** The bytes of a leaf page as long as its elements need; `id` is 0 for an inline one. */
function leafBytes(id: number, unsorted: readonly Element[], pageSize: number): Uint8Array {
  const elements = [...unsorted].sort(byKey)
  const used = elements.reduce(
    (sum, {key, value}) => sum + ELEMENT_BYTES + key.length + value.length,
    PAGE_HEADER_BYTES,
  )
  const bytes = new Uint8Array(id === 0 ? used : Math.ceil(used / pageSize) * pageSize)
  const view = viewOf(bytes)
  pageHeader(view, {id, flags: LEAF, count: elements.length, pages: Math.max(1, Math.ceil(used / pageSize))})
  let at = PAGE_HEADER_BYTES + elements.length * ELEMENT_BYTES
  elements.forEach(({key, value, bucket}, i) => {
    const element = PAGE_HEADER_BYTES + i * ELEMENT_BYTES
    view.setUint32(element, bucket ? 1 : 0, true)
    view.setUint32(element + 4, at - element, true)
    view.setUint32(element + 8, key.length, true)
    view.setUint32(element + 12, value.length, true)
    bytes.set(key, at)
    bytes.set(value, at + key.length)
    at += key.length + value.length
  })
  return bytes
}

function pageHeader(
  view: DataView,
  {id, flags, count, pages}: {id: number; flags: number; count: number; pages: number},
): void {
  view.setBigUint64(0, BigInt(id), true)
  view.setUint16(8, flags, true)
  view.setUint16(10, count, true)
  view.setUint32(12, pages - 1, true)
}

function metaPage(pageSize: number, id: number, txid: number, highWater: number): Uint8Array {
  const bytes = new Uint8Array(pageSize)
  const view = viewOf(bytes)
  pageHeader(view, {id, flags: META, count: 0, pages: 1})
  view.setUint32(16, MAGIC, true)
  view.setUint32(20, VERSION, true)
  view.setUint32(24, pageSize, true)
  view.setBigUint64(32, BigInt(ROOT_PAGE), true)
  view.setBigUint64(48, BigInt(FREELIST_PAGE), true)
  view.setBigUint64(56, BigInt(highWater), true)
  view.setBigUint64(64, BigInt(txid), true)
  view.setBigUint64(72, fnv1a64(bytes.subarray(16, 72)), true)
  return bytes
}

/** The value under a bucket's name: the number of its root page, or 0 and the page itself behind it. */
function bucketValue(rootPage: number, inline: Uint8Array | undefined): Uint8Array {
  const value = new Uint8Array(BUCKET_HEADER_BYTES + (inline?.length ?? 0))
  viewOf(value).setBigUint64(0, BigInt(rootPage), true)
  if (inline !== undefined) value.set(inline, BUCKET_HEADER_BYTES)
  return value
}

/** A whole BoltDB file that holds these buckets as of transaction `txid`, which is at least 1. */
export function boltFile(buckets: readonly BoltBucket[], txid: number, pageSize = 4096): Uint8Array {
  const leaves: Uint8Array[] = []
  const names: Element[] = []
  const root = (): Uint8Array => leafBytes(ROOT_PAGE, names, pageSize)
  const contents = buckets.map(({name, items}) => ({
    name: utf8.encode(name),
    elements: items.map(({key, value}) => ({key: utf8.encode(key), value, bucket: false})),
  }))
  // How many pages the root takes depends on the inline buckets alone, so these are placed first
  const inlined = contents.map(({elements}) => leafBytes(0, elements, pageSize))
  const isInline = (i: number): boolean => (inlined[i]?.length ?? 0) <= pageSize / 4
  contents.forEach(({name}, i) =>
    names.push({key: name, value: bucketValue(0, isInline(i) ? inlined[i] : undefined), bucket: true}),
  )
  let next = ROOT_PAGE + root().length / pageSize
  contents.forEach(({name, elements}, i) => {
    if (isInline(i)) return
    const leaf = leafBytes(next, elements, pageSize)
    names[i] = {key: name, value: bucketValue(next, undefined), bucket: true}
    leaves.push(leaf)
    next += leaf.length / pageSize
  })
  const freelist = new Uint8Array(pageSize)
  pageHeader(viewOf(freelist), {id: FREELIST_PAGE, flags: FREELIST, count: 0, pages: 1})
  const even = txid % 2 === 0 ? txid : txid - 1
  const odd = txid % 2 === 1 ? txid : txid - 1
  const pages = [
    metaPage(pageSize, 0, even, next),
    metaPage(pageSize, 1, odd, next),
    freelist,
    root(),
    ...leaves,
  ]
  const file = new Uint8Array(next * pageSize)
  let at = 0
  for (const page of pages) {
    file.set(page, at)
    at += page.length
  }
  return file
}
