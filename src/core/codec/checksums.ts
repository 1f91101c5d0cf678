/** The checksums of stores and packets: FNV-1a 64 (BoltDB metas), CRC-32C (raft-wal), CRC-64/XZ (snapshots), CRC-32 (gossip). */

/** A 64-bit value in two unsigned halves; bigint would be many times slower over whole files. */
export interface Halves {
  readonly high: number
  readonly low: number
}

/** FNV-1a, 64 bits. */
export function fnv1a64(bytes: Uint8Array): bigint {
  let hash = 0xcbf29ce484222325n
  for (const byte of bytes) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn
  return hash
}

const reflectedTable = (polynomial: number): Uint32Array =>
  Uint32Array.from({length: 256}, (_, n) => {
    let crc = n
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1
    return crc >>> 0
  })
const crc32cTable = reflectedTable(0x82f63b78)
const crc32Table = reflectedTable(0xedb88320)

/** CRC-32C (Castagnoli), continued from `previous`; 0 starts a new one. */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  let crc = ~previous >>> 0
  for (const byte of bytes) crc = (crc32cTable[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8)
  return ~crc >>> 0
}

/** CRC-32 with the IEEE polynomial, as zlib has it. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (crc32Table[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8)
  return ~crc >>> 0
}

const crc64High = new Uint32Array(256)
const crc64Low = new Uint32Array(256)
for (let n = 0; n < 256; n++) {
  let high = 0
  let low = n
  for (let bit = 0; bit < 8; bit++) {
    const odd = low & 1
    low = ((low >>> 1) | (high << 31)) >>> 0
    high >>>= 1
    if (odd) {
      high = (high ^ 0xc96c5795) >>> 0
      low = (low ^ 0xd7870f42) >>> 0
    }
  }
  crc64High[n] = high
  crc64Low[n] = low
}

/** CRC-64/XZ (Go's `crc64.ECMA`), continued from `previous`; both halves 0 start a new one. */
export function crc64(bytes: Uint8Array, previous: Halves = {high: 0, low: 0}): Halves {
  let high = ~previous.high >>> 0
  let low = ~previous.low >>> 0
  for (const byte of bytes) {
    const n = (low ^ byte) & 0xff
    low = (((low >>> 8) | (high << 24)) ^ (crc64Low[n] ?? 0)) >>> 0
    high = ((high >>> 8) ^ (crc64High[n] ?? 0)) >>> 0
  }
  return {high: ~high >>> 0, low: ~low >>> 0}
}
