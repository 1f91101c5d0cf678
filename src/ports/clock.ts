/** Time, passed in so that tests own it. */
export interface Clock {
  nowMs(): number
  sleep(ms: number): Promise<void>
}
