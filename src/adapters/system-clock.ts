import {setTimeout as sleep} from 'node:timers/promises'
import type {Clock} from '../ports/clock.js'

/**
 * The time of day at which this process began, and the monotonic clock since: when NTP or a hand steps the machine's
 * clock in the middle of a plan, no time limit gets shorter or longer, and a minute watched stays a minute (rule S6).
 */
export const systemClock: Clock = {
  nowMs: () => Math.round(performance.timeOrigin + performance.now()),
  sleep: async (ms, signal) => {
    await sleep(ms, undefined, signal === undefined ? {} : {signal}).catch((error: unknown) => {
      if (signal?.aborted !== true) throw error
    })
  },
}
