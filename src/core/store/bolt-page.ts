import {corrupt} from './requests.js'
import type {SparseBytes} from './sparse-bytes.js'

/**
 * Pages of BoltDB and bbolt (bolt/page.go): a 16-byte header, a table of 16-byte elements, then keys and values.
 * The position in an element counts from that element.
 */

/** Bytes of a page header. */
export const PAGE_HEADER_BYTES = 16
const ELEMENT_BYTES = 16
const BRANCH = 0x01
const LEAF = 0x02

/** What a page says of itself. */
export interface PageHeader {
  readonly id: number
  readonly kind: 'branch' | 'leaf' | 'other'
  readonly count: number
  /** Whole pages that belong to this one, itself included. */
  readonly pages: number
}

/** Where a key and what belongs to it lie, counted from the beginning of the page. */
export interface LeafElement {
  readonly bucket: boolean
  readonly keyAt: number
  readonly keyLength: number
  readonly valueAt: number
  readonly valueLength: number
}
/** A child of a branch page and where its first key lies. */
export interface BranchElement {
  readonly keyAt: number
  readonly keyLength: number
  readonly child: number
}

/** A little-endian 64-bit number; beyond 2^53 it is no page or transaction that a real file has. */
export function uint64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true)
}

/** A DataView over exactly these bytes. */
export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Reads a page header; `bytes` holds at least 16. */
export function parsePageHeader(bytes: Uint8Array): PageHeader {
  const view = viewOf(bytes)
  const flags = view.getUint16(8, true)
  return {
    id: uint64(view, 0),
    kind: flags === BRANCH ? 'branch' : flags === LEAF ? 'leaf' : 'other',
    count: view.getUint16(10, true),
    pages: view.getUint32(12, true) + 1,
  }
}

/** How many bytes the header and the table of elements take. */
export const tableBytes = (header: PageHeader): number => PAGE_HEADER_BYTES + header.count * ELEMENT_BYTES

const inside = (page: SparseBytes, id: number, at: number, length: number): void => {
  if (at + length > page.length) throw corrupt(`Page ${id} has an element that reaches beyond it.`)
}

/** The elements of a leaf page, checked to lie inside it. */
export function leafElements(page: SparseBytes, header: PageHeader): readonly LeafElement[] {
  return table(page, header).map((view, i) => {
    const keyAt = PAGE_HEADER_BYTES + i * ELEMENT_BYTES + view.getUint32(4, true)
    const keyLength = view.getUint32(8, true)
    const valueLength = view.getUint32(12, true)
    const valueAt = keyAt + keyLength
    inside(page, header.id, keyAt, keyLength + valueLength)
    if (keyAt < tableBytes(header)) throw corrupt(`Page ${header.id} has an element inside its table.`)
    return {bucket: (view.getUint32(0, true) & 1) === 1, keyAt, keyLength, valueAt, valueLength}
  })
}

/** The elements of a branch page, checked to lie inside it. */
export function branchElements(page: SparseBytes, header: PageHeader): readonly BranchElement[] {
  return table(page, header).map((view, i) => {
    const keyAt = PAGE_HEADER_BYTES + i * ELEMENT_BYTES + view.getUint32(0, true)
    const keyLength = view.getUint32(4, true)
    inside(page, header.id, keyAt, keyLength)
    return {keyAt, keyLength, child: uint64(view, 8)}
  })
}

function table(page: SparseBytes, header: PageHeader): readonly DataView[] {
  const bytes = page.get(0, tableBytes(header))
  if (bytes === undefined) throw corrupt(`Page ${header.id} has a table that reaches beyond it.`)
  return Array.from({length: header.count}, (_, i) =>
    viewOf(
      bytes.subarray(PAGE_HEADER_BYTES + i * ELEMENT_BYTES, PAGE_HEADER_BYTES + (i + 1) * ELEMENT_BYTES),
    ),
  )
}
