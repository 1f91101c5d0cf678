/** Time, passed in so that tests own it. */
export interface Clock {
  nowMs(): number
  /** Resolves after `ms`, or as soon as `signal` is aborted: a wait that lost its race must not hold the process. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}
