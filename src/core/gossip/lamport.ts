/** Counters above this are no honest clock and are not followed: far below where adding one fails. */
export const LAMPORT_MAX = 2 ** 52

/** A Lamport clock (serf lamport.go): orders what happens without agreeing on the time. */
export class LamportClock {
  private value: number

  /** The next time to give out. */
  constructor(start = 1) {
    this.value = start
  }

  get time(): number {
    return this.value
  }

  /** Gives out the current time and goes on. */
  increment(): number {
    const time = this.value
    if (this.value < LAMPORT_MAX) this.value++
    return time
  }

  /** Moves past a time that somebody else has seen. */
  witness(seen: number): void {
    if (seen >= this.value && seen < LAMPORT_MAX) this.value = seen + 1
  }
}
