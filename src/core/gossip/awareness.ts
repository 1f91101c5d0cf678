/**
 * Our own health as Lifeguard sees it: 0 is well, and every probe that fails for a reason that may be ours adds to it.
 * All our timeouts grow with the score, so that a slow member does not accuse others (memberlist awareness.go).
 */
export class Awareness {
  private score = 0

  /** `max` is the number of scores there are. */
  constructor(private readonly max: number) {}

  /** 0 for well; higher for worse. */
  get health(): number {
    return this.score
  }

  /** Adds to the score, or takes from it, within its bounds. */
  add(delta: number): void {
    this.score = Math.min(this.max - 1, Math.max(0, this.score + delta))
  }

  /** A timeout as long as our health demands. */
  scaleMs(timeoutMs: number): number {
    return timeoutMs * (this.score + 1)
  }
}
