/** One thing that was judged. */
export interface DrillCheck {
  readonly name: 'leader' | 'writes' | 'peers' | 'care'
  readonly points: number
  readonly outOf: number
  readonly sentence: string
}

/** How a drill went; what `--json` prints. */
export interface DrillReport {
  readonly scenario: string
  readonly solved: boolean
  readonly score: number
  readonly checks: readonly DrillCheck[]
  readonly seconds: {
    /** From the failure to the loss of the leader; null when it was never lost. */
    readonly untilLost: number | null
    /** From the failure until there was a leader again. */
    readonly untilLeader: number | null
    /** From the failure until a write was acknowledged again. */
    readonly untilWrites: number | null
    readonly whole: number
  }
  readonly writes: {
    readonly acknowledged: number
    readonly found: number
    /** Acknowledged and held by nobody who was left. */
    readonly lostWithServers: readonly string[]
    /** Acknowledged, held by a server that was left, and not there any more. */
    readonly givenUp: readonly string[]
  }
  readonly commands: readonly {
    readonly seconds: number
    readonly line: string
    readonly exit: number | null
  }[]
}
