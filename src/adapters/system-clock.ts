import {setTimeout as sleep} from 'node:timers/promises'
import type {Clock} from '../ports/clock.js'

/** The machine's own clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  sleep: async ms => {
    await sleep(ms)
  },
}
