import type {Plan, Step} from '../core/model/plan.js'
import type {ApplyEvent} from '../core/model/progress.js'
import {hostWidthOf, renderEvent, renderRunning} from './views/progress.js'
import type {Theme} from './views/theme.js'

/** Where progress is written: stderr, or a stand-in. */
export interface ProgressStream {
  readonly isTTY?: boolean | undefined
  write(text: string): unknown
}

/** How progress is shown: a line per step with a running one on a terminal, events as JSON lines, or not at all. */
export type ProgressStyle = 'lines' | 'json' | 'silent'

const redrawMs = 100
const clearLine = '\r\u001b[K'

/**
 * Shows a plan being applied. On a terminal the last line tells what runs, how long, within what limit and what it
 * waits for, redrawn at most ten times a second; elsewhere every step leaves its line when it ends.
 */
export class LiveProgress {
  readonly #stream: ProgressStream
  readonly #layout: {readonly theme: Theme; readonly width: number}
  readonly #style: ProgressStyle
  readonly #hostWidth: number
  readonly #running = new Map<
    string,
    {step: Step; sinceMs: number; withinMs: number | undefined; missing: readonly string[]}
  >()
  #timer: NodeJS.Timeout | undefined
  #drawn = false

  constructor(
    plan: Plan,
    options: {
      readonly stream: ProgressStream
      readonly style: ProgressStyle
      readonly theme: Theme
      readonly width: number
    },
  ) {
    this.#stream = options.stream
    this.#style = options.style
    this.#layout = {theme: options.theme, width: options.width}
    this.#hostWidth = hostWidthOf(plan)
  }

  /** Takes an event of the executor. */
  readonly show = (event: ApplyEvent): void => {
    if (this.#style === 'silent') return
    if (this.#style === 'json') {
      this.#stream.write(`${JSON.stringify(eventJson(event))}\n`)
      return
    }
    this.#follow(event)
    if (event.type === 'phase') return
    const line = renderEvent(event, this.#hostWidth, this.#layout)
    if (line !== undefined) this.#print(line)
    this.#schedule()
  }

  /** Takes the running line away; to be called before anything else is written. */
  end(): void {
    if (this.#timer !== undefined) clearInterval(this.#timer)
    this.#timer = undefined
    this.#wipe()
  }

  #follow(event: ApplyEvent): void {
    if (event.type === 'begin') {
      const {step, atMs, withinMs} = event
      this.#running.set(step.id, {step, sinceMs: atMs, withinMs, missing: []})
    } else if (event.type === 'waiting') {
      const running = this.#running.get(event.step.id)
      if (running !== undefined) running.missing = event.missing
    } else if (event.type !== 'phase') this.#running.delete(event.step.id)
  }

  #schedule(): void {
    if (this.#stream.isTTY !== true) return
    this.#timer ??= setInterval(() => this.#draw(), redrawMs)
    this.#timer.unref()
  }

  #draw(): void {
    const [first] = this.#running.values()
    if (first === undefined) return this.#wipe()
    this.#stream.write(clearLine + renderRunning(first, Date.now(), this.#layout))
    this.#drawn = true
  }

  #wipe(): void {
    if (this.#drawn) this.#stream.write(clearLine)
    this.#drawn = false
  }

  #print(line: string): void {
    this.#wipe()
    this.#stream.write(`${line}\n`)
  }
}

/** An event as a line of JSON: the step by its id, host and action instead of the whole of it. */
function eventJson(event: ApplyEvent): unknown {
  if (event.type === 'phase') return event
  const {step, ...rest} = event
  return {...rest, step: step.id, host: step.host, do: step.action.do}
}
