/** A seeded stream of chance (sfc32): one seed decides a whole world, and the same seed gives the same world. */
export class Chance {
  private a: number
  private b = 0x9e3779b9
  private c = 0x243f6a88
  private counter = 1

  constructor(seed: number) {
    this.a = seed | 0
    for (let i = 0; i < 16; i++) this.next()
  }

  private next(): number {
    const t = (((this.a + this.b) | 0) + this.counter) | 0
    this.counter = (this.counter + 1) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = ((this.c << 21) | (this.c >>> 11)) + t
    this.c |= 0
    return t >>> 0
  }

  /** A number in [0, 1). */
  readonly real = (): number => this.next() / 4294967296

  /** A number in [low, high). */
  between(low: number, high: number): number {
    return low + this.real() * (high - low)
  }

  /** A whole number in [0, count). */
  below(count: number): number {
    return Math.floor(this.real() * count)
  }

  /** True once in `1 / probability` times. */
  happens(probability: number): boolean {
    return this.real() < probability
  }

  /** One of several; they must not be none. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }

  /** `count` of several, in any order. */
  some<T>(items: readonly T[], count: number): T[] {
    const rest = [...items]
    const taken: T[] = []
    while (taken.length < count && rest.length > 0) taken.push(...rest.splice(this.below(rest.length), 1))
    return taken
  }

  /** A stream of its own, so that drawing from one does not move the other. */
  fork(): Chance {
    return new Chance(this.next())
  }
}
