import type {JournalEntry} from '../core/model/journal.js'
import type {Clock} from '../ports/clock.js'
import type {JournalStore} from '../ports/journal-store.js'

/** An entry without what every entry has: number, time and plan. */
export type JournalFact = JournalEntry extends infer Entry
  ? Entry extends JournalEntry
    ? Omit<Entry, 'seq' | 'atMs' | 'plan'>
    : never
  : never

/** Numbers entries and puts them on disk, each before `append` returns. */
export class JournalWriter {
  readonly #store: JournalStore
  readonly #clock: Clock
  readonly #plan: string
  readonly #prefix: string
  #seq: number

  private constructor(store: JournalStore, clock: Clock, plan: string, prefix: string, seq: number) {
    this.#store = store
    this.#clock = clock
    this.#plan = plan
    this.#prefix = prefix
    this.#seq = seq
  }

  /** Goes on behind the last entry of the plan's journal; `prefix` is put before the ids of steps. */
  static async open(store: JournalStore, clock: Clock, plan: string, prefix: string): Promise<JournalWriter> {
    const entries = await store.entries(plan)
    return new JournalWriter(store, clock, plan, prefix, entries.at(-1)?.seq ?? 0)
  }

  async append(fact: JournalFact): Promise<void> {
    this.#seq += 1
    const head = {seq: this.#seq, atMs: this.#clock.nowMs(), plan: this.#plan}
    const named = 'step' in fact ? {...fact, step: this.#prefix + fact.step} : fact
    await this.#store.append({...head, ...named} as JournalEntry)
  }
}
