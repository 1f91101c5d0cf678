import {readFileSync} from 'node:fs'

/** A packet or stream captured from a real agent. */
export const sample = (name: string): Uint8Array => new Uint8Array(readFileSync(`fixtures/wire/${name}.bin`))

export const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'))
export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** Numbers below `below`, the same ones for the same seed. */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed >>> 0
  return below => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 0x1_0000_0000) * below)
  }
}

/** The bytes with some of them changed, taken out, put in or cut off. */
export function mutated(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  const list = Array.from(bytes)
  for (let i = random(4) + 1; i > 0; i--) {
    const at = random(list.length)
    const kind = random(6)
    if (kind === 0) list.splice(at, random(8))
    else if (kind === 1) list.splice(at, 0, random(256))
    else if (kind === 2) list.length = at
    else if (kind === 3) list[at] = [0xff, 0xdf, 0xdd, 0xdb, 0xcf, 0xd3, 0xc1, 0x80][random(8)] ?? 0
    else list[at] = random(256)
  }
  return Uint8Array.from(list)
}
