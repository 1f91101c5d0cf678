import type {Chance} from './chance.js'

/** How bad the network of a world is; all times in milliseconds. */
export interface NetworkWeather {
  readonly loss: number
  readonly duplication: number
  readonly delayMinMs: number
  readonly delayMaxMs: number
  /** How often a message is held up for long, and so overtaken. */
  readonly clogging: number
  readonly clogMs: number
  /** Whether messages between two servers on one channel keep their order, as on a TCP connection. */
  readonly inOrder: boolean
}

/** Which server hears which, and when. Partitions may be one-way. */
export class Network {
  private readonly cut = new Set<string>()
  private readonly lastArrival = new Map<string, number>()
  private calm = false

  constructor(
    private readonly chance: Chance,
    private readonly weather: NetworkWeather,
  ) {}

  /** When a message sent now arrives, once for each copy; empty when it is lost. */
  arrivals(from: string, to: string, channel: string, nowMs: number): readonly number[] {
    if (this.cut.has(`${from} ${to}`)) return []
    const {chance, weather} = this
    if (!this.calm && chance.happens(weather.loss)) return []
    const copies = !this.calm && chance.happens(weather.duplication) ? 2 : 1
    return Array.from({length: copies}, () => {
      const clogged = !this.calm && chance.happens(weather.clogging) ? chance.between(0, weather.clogMs) : 0
      const at = nowMs + chance.between(weather.delayMinMs, weather.delayMaxMs) + clogged
      if (!weather.inOrder) return at
      const key = `${from} ${to} ${channel}`
      const ordered = Math.max(at, (this.lastArrival.get(key) ?? 0) + 0.001)
      this.lastArrival.set(key, ordered)
      return ordered
    })
  }

  /** Whether a message on its way still gets through. */
  passes(from: string, to: string): boolean {
    return !this.cut.has(`${from} ${to}`)
  }

  /** Cuts the servers into two sides; one-way cuts leave the other direction whole. */
  partition(side: readonly string[], other: readonly string[], oneWay: boolean): void {
    for (const a of side)
      for (const b of other) {
        this.cut.add(`${a} ${b}`)
        if (!oneWay) this.cut.add(`${b} ${a}`)
      }
  }

  heal(): void {
    this.cut.clear()
  }

  /** No loss, no copies, no clogging from now on. */
  calmDown(): void {
    this.calm = true
    this.heal()
  }
}
