/** What the pure planner is given besides facts and intent: it has no clock and no cryptography of its own. */
export interface PlanContext {
  readonly nowMs: number
  /** How long a plan may wait for its apply; 15 minutes by default. */
  readonly lifeMs?: number
  /** SHA-256 of a text in UTF-8, as 64 lower-case hex digits. */
  readonly sha256: (text: string) => string
}
