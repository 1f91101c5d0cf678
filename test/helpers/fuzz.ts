import t from 'tap'

/** QUORATE_SEED repeats a run; QUORATE_FUZZ makes it longer. */
export const SEED = Number(process.env['QUORATE_SEED'] ?? 20261120)
const ROUNDS = Number(process.env['QUORATE_FUZZ'] ?? 60)
const INPUT_MS_MAX = 2000

/** A small generator of numbers in [0, 1) from a seed (mulberry32). */
export function makePrng(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** What parsers like least. */
const NASTY = [
  '\u0000',
  '\u001b[2J',
  '\u202e',
  '\ufeff',
  '\r',
  '\n',
  '"',
  "'",
  '\\',
  '\\u',
  '{',
  '[',
  '{{',
  '${',
  '<<EOF\n',
  '/*',
  '#',
  ']',
  '}',
  '=',
  ':',
  ',',
  '-',
  '99999999999999999999',
  '1e999',
  '\u00ff',
  '__proto__',
  'null',
  ' ',
  '\t',
  '\ud83d',
].map(text => new TextEncoder().encode(text))

/** A copy of a sample with up to eight bytes or pieces changed, cut, taken out, repeated or made nasty. */
export function mutate(sample: Uint8Array, random: () => number): Uint8Array {
  const below = (limit: number) => Math.floor(random() * limit)
  let bytes = Uint8Array.from(sample)
  const times = 1 + below(8)
  for (let i = 0; i < times; i++) {
    const at = below(bytes.length + 1)
    const length = below(Math.min(64, bytes.length - at) + 1)
    const piece =
      random() < 0.5 ? (NASTY[below(NASTY.length)] ?? new Uint8Array()) : bytes.subarray(at, at + length)
    const kind = below(6)
    if (kind === 0) bytes[at] = below(256)
    else if (kind === 1) bytes = bytes.slice(0, at)
    else if (kind === 2) bytes = join(bytes.subarray(0, at), bytes.subarray(at + length))
    else if (kind === 3)
      bytes = join(bytes.subarray(0, at), repeat(piece, 1 + below(300)), bytes.subarray(at))
    else bytes = join(bytes.subarray(0, at), piece, bytes.subarray(at))
  }
  return bytes.subarray(0, 300_000)
}
export const join = (...parts: readonly Uint8Array[]) => Uint8Array.from(Buffer.concat(parts))
const repeat = (piece: Uint8Array, times: number) => join(...Array.from({length: times}, () => piece))

/** Text as bytes, and bytes as text. */
export const ofText = (text: string): Uint8Array => new TextEncoder().encode(text)
export const decode = (bytes: Uint8Array): string => new TextDecoder('utf-8', {ignoreBOM: true}).decode(bytes)

/** A parser, and what it is fed with. */
export interface Target {
  readonly name: string
  readonly samples: readonly Uint8Array[]
  /** Characters of output for each byte of input, above a floor, that count as bounded. */
  readonly growth?: number
  /** Characters of output that are bounded whatever the input; 20,000 unless told. */
  readonly floor?: number
  readonly parse: (bytes: Uint8Array) => unknown
}
function sizeOf(value: unknown): number {
  const text = JSON.stringify(value, (_key, item: unknown) =>
    item instanceof Uint8Array
      ? item.length
      : item instanceof Map
        ? [...item]
        : typeof item === 'bigint'
          ? String(item)
          : item,
  ) as string | undefined
  return text?.length ?? 0
}

/** Claims that no mutation of the target's samples makes its parser throw, hang or swell. */
export function fuzz(target: Target): void {
  t.test(`${target.name}: no mutation of a real sample makes the parser throw, hang or swell`, async t => {
    const random = makePrng(SEED)
    let slowestMs = 0
    for (let round = 0; round < ROUNDS; round++)
      for (const sample of target.samples) {
        const bytes = round === 0 ? sample : mutate(sample, random)
        const startedAt = performance.now()
        try {
          const size = sizeOf(await target.parse(bytes))
          if (size > (target.floor ?? 20_000) + bytes.length * (target.growth ?? 6))
            return t.fail(`output of ${size} from ${bytes.length} bytes`, {seed: SEED, round})
        } catch (error) {
          return t.fail(`threw ${String(error)}`, {
            seed: SEED,
            round,
            input: Buffer.from(bytes).toString('base64').slice(0, 2000),
          })
        }
        slowestMs = Math.max(slowestMs, performance.now() - startedAt)
      }
    t.ok(slowestMs < INPUT_MS_MAX, `slowest input took ${Math.round(slowestMs)} ms`)
  })
}
