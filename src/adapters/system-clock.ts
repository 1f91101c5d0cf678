import {setTimeout as sleep} from 'node:timers/promises'
import type {Clock} from '../ports/clock.js'

/** The machine's own clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  sleep: async (ms, signal) => {
    await sleep(ms, undefined, signal === undefined ? {} : {signal}).catch((error: unknown) => {
      if (signal?.aborted !== true) throw error
    })
  },
}
