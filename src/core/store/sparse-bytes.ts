import type {Range, StoreIo, StoreReader} from './requests.js'

/** A stretch of a file of which only parts were read; positions count from its beginning. */
export class SparseBytes {
  private readonly chunks: {readonly at: number; readonly bytes: Uint8Array}[] = []
  constructor(
    readonly file: string,
    /** Where the stretch begins in the file. */
    readonly offset: number,
    readonly length: number,
  ) {}

  /** Adds a part that was read. */
  add(at: number, bytes: Uint8Array): void {
    this.chunks.push({at, bytes})
  }

  /** The bytes at a position, or undefined when they were not read. */
  get(at: number, length: number): Uint8Array | undefined {
    for (const chunk of this.chunks) {
      const from = at - chunk.at
      if (from >= 0 && from + length <= chunk.bytes.length) return chunk.bytes.subarray(from, from + length)
    }
    return undefined
  }

  /** Reads what is missing of some parts, in one batch. */
  *fetch(io: StoreIo, parts: readonly Range[]): StoreReader<void> {
    yield* fetchAll(
      io,
      parts.map(part => ({sparse: this, part})),
    )
  }
}

/** Reads what is missing of parts of several stretches of one file, in one batch. */
export function* fetchAll(
  io: StoreIo,
  wants: readonly {readonly sparse: SparseBytes; readonly part: Range}[],
): StoreReader<void> {
  const missing = wants.filter(({sparse, part}) => sparse.get(part.offset, part.length) === undefined)
  const file = missing[0]?.sparse.file
  if (file === undefined) return
  const read = yield* io.ranges(
    file,
    missing.map(({sparse, part}) => ({offset: sparse.offset + part.offset, length: part.length})),
  )
  missing.forEach(({sparse, part}, i) => {
    const bytes = read[i]
    if (bytes !== undefined) sparse.add(part.offset, bytes)
  })
}
