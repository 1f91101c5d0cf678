const WINDOW_MS = 1000
const LINES_MAX = 20

/** A log that strangers cannot flood: 20 lines a second pass, the others are dropped. */
export function limitedLog(log: (text: string) => void): (text: string) => void {
  let windowMs = -Infinity
  let lines = 0
  return text => {
    const nowMs = performance.now()
    if (nowMs - windowMs >= WINDOW_MS) {
      windowMs = nowMs
      lines = 0
    }
    if (++lines <= LINES_MAX) log(text)
  }
}
