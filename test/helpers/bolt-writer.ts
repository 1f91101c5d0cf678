import {closeSync, ftruncateSync, openSync, writeSync} from 'node:fs'
import {fnv1a64} from '../../src/core/codec/checksums.js'
import {encodeMsgpack} from '../../src/core/codec/msgpack.js'
import type {MsgpackInput} from '../../src/core/codec/msgpack.js'

/** An entry of the log to be written. */
export interface WrittenEntry {
  readonly index: number
  readonly term: number
  readonly type: number
  readonly data: Uint8Array | null
}

export interface WrittenStore {
  readonly pageSize?: number
  readonly currentTerm: number
  readonly candidate?: string
  readonly txid?: number
  readonly count: number
  readonly entry: (n: number) => WrittenEntry
  /** Size the file is extended to, sparsely. */
  readonly sizeBytes?: number
}

interface Item {
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly bucket?: boolean
}

export const bigEndian = (value: number): Uint8Array => {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value))
  return bytes
}

function page(id: number, flags: number, count: number, bytes: Uint8Array, pageSize: number): Uint8Array {
  const view = new DataView(bytes.buffer)
  view.setBigUint64(0, BigInt(id), true)
  view.setUint16(8, flags, true)
  view.setUint16(10, count, true)
  view.setUint32(12, Math.max(0, bytes.length / pageSize - 1), true)
  return bytes
}

function leaf(id: number, items: readonly Item[], pageSize: number | undefined): Uint8Array {
  const used = items.reduce((sum, item) => sum + 16 + item.key.length + item.value.length, 16)
  const bytes = new Uint8Array(pageSize === undefined ? used : Math.ceil(used / pageSize) * pageSize)
  const view = new DataView(bytes.buffer)
  let at = 16 + items.length * 16
  items.forEach((item, i) => {
    const element = 16 + i * 16
    view.setUint32(element, item.bucket === true ? 1 : 0, true)
    view.setUint32(element + 4, at - element, true)
    view.setUint32(element + 8, item.key.length, true)
    view.setUint32(element + 12, item.value.length, true)
    bytes.set(item.key, at)
    bytes.set(item.value, at + item.key.length)
    at += item.key.length + item.value.length
  })
  return page(id, 2, items.length, bytes, pageSize ?? bytes.length)
}

function branch(
  id: number,
  children: readonly {key: Uint8Array; id: number}[],
  pageSize: number,
): Uint8Array {
  const bytes = new Uint8Array(pageSize)
  const view = new DataView(bytes.buffer)
  let at = 16 + children.length * 16
  children.forEach((child, i) => {
    const element = 16 + i * 16
    view.setUint32(element, at - element, true)
    view.setUint32(element + 4, child.key.length, true)
    view.setBigUint64(element + 8, BigInt(child.id), true)
    bytes.set(child.key, at)
    at += child.key.length
  })
  return page(id, 1, children.length, bytes, pageSize)
}

function meta(id: number, fields: {root: number; high: number; txid: number; pageSize: number}): Uint8Array {
  const bytes = new Uint8Array(fields.pageSize)
  const view = new DataView(bytes.buffer)
  view.setUint32(16, 0xed0cdaed, true)
  view.setUint32(20, 2, true)
  view.setUint32(24, fields.pageSize, true)
  view.setBigUint64(32, BigInt(fields.root), true)
  view.setBigUint64(48, 0xffffffffffffffffn, true)
  view.setBigUint64(56, BigInt(fields.high), true)
  view.setBigUint64(64, BigInt(fields.txid), true)
  view.setBigUint64(72, fnv1a64(bytes.subarray(16, 72)), true)
  return page(id, 4, 0, bytes, fields.pageSize)
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

/** The bytes of a log entry as raft-boltdb writes them. */
export const entryBytes = (entry: WrittenEntry): Uint8Array =>
  encodeMsgpack({
    Data: entry.data,
    Index: entry.index,
    Term: entry.term,
    Type: entry.type,
  } satisfies MsgpackInput)

function bucketValue(root: number, inline: Uint8Array = new Uint8Array(0)): Uint8Array {
  const value = new Uint8Array(16 + inline.length)
  new DataView(value.buffer).setBigUint64(0, BigInt(root), true)
  value.set(inline, 16)
  return value
}

/** Writes a raft.db of any size, page by page, as a tree with branches and overflow pages. */
export function writeRaftDb(file: string, store: WrittenStore): void {
  const pageSize = store.pageSize ?? 4096
  const fd = openSync(file, 'w')
  let nextPage = 3
  const put = (bytes: Uint8Array, id: number) => writeSync(fd, bytes, 0, bytes.length, id * pageSize)
  const allocate = (pages: number) => (nextPage += pages) - pages
  let level: {key: Uint8Array; id: number}[] = []
  let items: Item[] = []
  let used = 16
  const flush = () => {
    const [first] = items
    if (first === undefined) return
    const id = allocate(Math.ceil(used / pageSize))
    put(leaf(id, items, pageSize), id)
    level.push({key: first.key, id})
    items = []
    used = 16
  }
  for (let n = 0; n < store.count; n++) {
    const entry = store.entry(n)
    const item = {key: bigEndian(entry.index), value: entryBytes(entry)}
    const size = 16 + 8 + item.value.length
    if (used + size > pageSize && items.length >= 2) flush()
    items.push(item)
    used += size
  }
  flush()
  const fan = Math.floor((pageSize - 16) / 24)
  while (level.length > 1) {
    const above: typeof level = []
    for (let at = 0; at < level.length; at += fan) {
      const children = level.slice(at, at + fan)
      const id = allocate(1)
      put(branch(id, children, pageSize), id)
      above.push({key: children[0]?.key ?? new Uint8Array(8), id})
    }
    level = above
  }
  const conf = leaf(
    0,
    [
      {key: text('CurrentTerm'), value: bigEndian(store.currentTerm)},
      {key: text('LastVoteCand'), value: text(store.candidate ?? '10.0.0.1:8300')},
      {key: text('LastVoteTerm'), value: bigEndian(store.currentTerm)},
    ],
    undefined,
  )
  const logs = level[0] === undefined ? bucketValue(0, leaf(0, [], undefined)) : bucketValue(level[0].id)
  const root = [
    {key: text('conf'), value: bucketValue(0, conf), bucket: true},
    {key: text('logs'), value: logs, bucket: true},
  ]
  put(leaf(2, root, pageSize), 2)
  const txid = store.txid ?? 100
  const fields = {root: 2, high: nextPage, pageSize}
  put(meta(0, {...fields, txid: txid % 2 === 0 ? txid : txid - 1}), 0)
  put(meta(1, {...fields, txid: txid % 2 === 1 ? txid : txid - 1}), 1)
  ftruncateSync(fd, Math.max(nextPage * pageSize, store.sizeBytes ?? 0))
  closeSync(fd)
}
