import {Agent} from 'node:http'
import {askApi} from '../api.js'

/** A write that was acknowledged. */
export interface Acknowledged {
  readonly key: string
  readonly value: string
  readonly atMs: number
}

const PAUSE_MS = 100
const WRITE_MS = 1000
const READ_MS = 4000
const AT_ONCE = 8

/**
 * Writes keys of its own to a cluster and remembers which were acknowledged: first a number of them as fast as they go,
 * then one after another in the background, which also tells when writes stopped and when they worked again.
 */
export class Load {
  readonly acknowledged: Acknowledged[] = []
  /** Background writes that failed, by when they were begun. */
  readonly refusedAtMs: number[] = []
  #next = 0
  #turn = 0
  #going: Promise<void> | undefined
  #stopped = false
  #paused = false
  readonly #agent = new Agent({keepAlive: true, maxSockets: AT_ONCE})

  /** `prefix` is unique to the drill; `targets` names the addresses that may be asked now. */
  constructor(
    readonly prefix: string,
    private readonly targets: () => readonly string[],
  ) {}

  /** Writes until `count` more writes are acknowledged, to whoever answers. Throws after `withinMs`. */
  async write(count: number, withinMs: number, targets = this.targets): Promise<void> {
    const end = Date.now() + withinMs
    let left = count
    const worker = async (): Promise<void> => {
      while (left > 0) {
        if (Date.now() > end) throw new Error(`The cluster did not acknowledge ${count} writes in time.`)
        left--
        if (!(await this.#one(targets()))) left++
      }
    }
    await Promise.all(Array.from({length: AT_ONCE}, worker))
  }

  /** Begins to write in the background. */
  start(): void {
    this.#going ??= this.#goOn()
  }

  /** Writes nothing in the background for now. */
  pause(): void {
    this.#paused = true
  }

  /** Goes on writing in the background. */
  resume(): void {
    this.#paused = false
  }

  /** Ends the writing in the background. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#going
    this.#agent.destroy()
  }

  async #goOn(): Promise<void> {
    while (!this.#stopped) {
      const begunMs = Date.now()
      if (!this.#paused && !(await this.#one(this.targets()))) this.refusedAtMs.push(begunMs)
      await new Promise(resolve => setTimeout(resolve, PAUSE_MS))
    }
  }

  /** One attempt. No answer is no acknowledgement: such a write may or may not be there, and nobody was promised it. */
  async #one(targets: readonly string[]): Promise<boolean> {
    const target = targets[this.#turn++ % Math.max(1, targets.length)]
    const number = String(this.#next++).padStart(6, '0')
    const key = `${this.prefix}/${number}`
    const value = `value ${number} of ${this.prefix}`
    if (target === undefined) return pauseAndFail()
    try {
      const options = {method: 'PUT', body: value, timeoutMs: WRITE_MS, agent: this.#agent} as const
      const {status, text} = await askApi(target, `/v1/kv/${key}`, options)
      if (status !== 200 || text.trim() !== 'true') return await pauseAndFail()
    } catch {
      return pauseAndFail() // it is stopped, paused or cut off
    }
    this.acknowledged.push({key, value, atMs: Date.now()})
    return true
  }
}

/** An attempt that fails at once must not become a storm. */
async function pauseAndFail(): Promise<false> {
  await new Promise(resolve => setTimeout(resolve, PAUSE_MS / 2))
  return false
}

/**
 * The keys and values below a prefix as the first address gives them that answers: by a consistent read, or `stale` as
 * that server itself has them. Undefined when nobody answers.
 */
export async function readKeys(
  addresses: readonly string[],
  prefix: string,
  mode: 'consistent' | 'stale' = 'consistent',
): Promise<ReadonlyMap<string, string> | undefined> {
  for (const address of addresses) {
    try {
      const {status, text} = await askApi(address, `/v1/kv/${prefix}/?recurse&${mode}`, {
        timeoutMs: READ_MS,
      })
      if (status === 404) return new Map()
      if (status !== 200) continue
      const pairs = JSON.parse(text) as readonly {readonly Key: string; readonly Value: string | null}[]
      return new Map(pairs.map(({Key, Value}) => [Key, Buffer.from(Value ?? '', 'base64').toString('utf8')]))
    } catch {
      continue // the next one may answer
    }
  }
  return undefined
}
