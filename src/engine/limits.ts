import type {Clock} from '../ports/clock.js'

/** Runs `work` on each item, at most `width` at a time, and keeps the order. `work` must not throw for what the world does. */
export async function inParallel<T, U>(
  items: readonly T[],
  width: number,
  work: (item: T, index: number) => Promise<U>,
): Promise<readonly U[]> {
  const results: U[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    for (let i = next++; i < items.length; i = next++) results[i] = await work(items[i] as T, i)
  }
  await Promise.all(Array.from({length: Math.min(Math.max(1, width), items.length)}, worker))
  return results
}

/** The value of a promise, or `late` when the clock passes `deadlineMs` first. The promise is left to itself then. */
export async function beforeDeadline<T>(
  promise: Promise<T>,
  clock: Clock,
  deadlineMs: number,
  late: () => T,
): Promise<T> {
  const timer = new AbortController()
  const end = clock.sleep(Math.max(0, deadlineMs - clock.nowMs()), timer.signal).then(() => LATE)
  try {
    const first = await Promise.race([promise, end])
    return first === LATE ? late() : (first as T)
  } finally {
    timer.abort()
  }
}

const LATE = Symbol('late')
