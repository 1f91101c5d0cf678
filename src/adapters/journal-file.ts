import {open, readFile, readdir, stat, truncate} from 'node:fs/promises'
import type {FileHandle} from 'node:fs/promises'
import {homedir} from 'node:os'
import {join} from 'node:path'
import type {JournalEntry} from '../core/model/journal.js'
import type {Plan} from '../core/model/plan.js'
import {QuorateError} from '../errors.js'
import type {JournalStore} from '../ports/journal-store.js'
import {makePrivateDirectory, syncDirectory, writeDurably} from './durable-file.js'
import {loadPlanFile} from './plan-file.js'
import {journalEntrySchema, planId} from './plan-schema.js'
import {takePidLock} from './pid-lock.js'

/** Where journals live: `$XDG_STATE_HOME/quorate/journal`, by default below ~/.local/state. */
export function journalDirectory(environment: Readonly<Record<string, string | undefined>>): string {
  const state = environment['XDG_STATE_HOME']
  const base = state !== undefined && state.startsWith('/') ? state : join(homedir(), '.local', 'state')
  return join(base, 'quorate', 'journal')
}

/**
 * Plans and journals as files of one directory: `<id>.plan.json`, `<id>.jsonl` (one entry per line, appended and
 * fsynced), `<id>.lock`. A line without its newline was torn by a crash and never acknowledged: it is dropped, and
 * cut off before the next append, or two entries would share a line.
 */
export class JournalFile implements JournalStore {
  readonly #directory: string
  readonly #open = new Map<string, Promise<FileHandle>>()
  #tail: Promise<void> = Promise.resolve()

  constructor(directory: string) {
    this.#directory = directory
  }

  async savePlan(plan: Plan): Promise<void> {
    await makeUsable(this.#directory)
    const there = await this.loadPlan(plan.id)
    if (there?.fingerprint === plan.fingerprint) return // ids are digests of plans: it is the same one
    if (there !== undefined)
      throw new QuorateError(
        'PLAN_UNREADABLE',
        `Another plan with the id ${plan.id} is kept in ${this.#directory}; ids must not be used twice.`,
      )
    await writeDurably(this.#path(plan.id, 'plan.json'), `${JSON.stringify(plan, undefined, 2)}\n`)
  }

  async loadPlan(id: string): Promise<Plan | undefined> {
    if (!planId.safeParse(id).success) return undefined
    const path = this.#path(id, 'plan.json')
    if (!(await isThere(path))) return undefined
    return await loadPlanFile(path, id)
  }

  /** Appends are in the order of the calls, whichever host's step they are about. */
  async append(entry: JournalEntry): Promise<void> {
    const appended = this.#tail.then(() => this.#append(entry))
    this.#tail = appended.catch(() => undefined)
    await appended
  }

  async entries(id: string): Promise<readonly JournalEntry[]> {
    if (!planId.safeParse(id).success) return []
    const path = this.#path(id, 'jsonl')
    if (!(await isThere(path))) return []
    const lines = (await readFile(path, 'utf8')).split('\n')
    lines.pop()
    return lines.map((line, at) => parseLine(path, line, at + 1))
  }

  async list(
    skipped: (unreadable: QuorateError) => void,
  ): Promise<readonly {readonly id: string; readonly cluster: string; readonly madeAtMs: number}[]> {
    if (!(await isThere(this.#directory))) return []
    const names = (await readdir(this.#directory)).filter(name => name.endsWith('.plan.json')).sort()
    const plans = await Promise.all(
      names.map(async name => {
        try {
          return await this.loadPlan(name.slice(0, -'.plan.json'.length))
        } catch (error) {
          if (!(error instanceof QuorateError)) throw error
          skipped(error)
          return undefined
        }
      }),
    )
    return plans
      .filter(plan => plan !== undefined)
      .map(({id, cluster, madeAtMs}) => ({id, cluster, madeAtMs}))
      .sort((a, b) => b.madeAtMs - a.madeAtMs || (a.id < b.id ? -1 : 1))
  }

  async lock(id: string): Promise<{release(): Promise<void>} | {readonly heldBy: string}> {
    await makeUsable(this.#directory)
    return await takePidLock(this.#path(id, 'lock'))
  }

  /** Closes what is open; entries are on disk before. */
  async close(): Promise<void> {
    await this.#tail
    for (const handle of this.#open.values()) await (await handle).close()
    this.#open.clear()
  }

  async #append(entry: JournalEntry): Promise<void> {
    let opening = this.#open.get(entry.plan)
    if (opening === undefined) {
      opening = this.#openForAppend(this.#path(entry.plan, 'jsonl'))
      this.#open.set(entry.plan, opening)
    }
    try {
      const handle = await opening
      await handle.appendFile(`${JSON.stringify(entry)}\n`)
      await handle.datasync()
    } catch (error) {
      // What was half written must not share a line with the next entry: opening anew cuts it off
      this.#open.delete(entry.plan)
      await opening.then(handle => handle.close()).catch(() => undefined)
      throw error instanceof QuorateError ? error : unusable(this.#path(entry.plan, 'jsonl'), error)
    }
  }

  async #openForAppend(path: string): Promise<FileHandle> {
    await makeUsable(this.#directory)
    if (await isThere(path)) await cutTornLine(path)
    const handle = await open(path, 'a', 0o600)
    await syncDirectory(this.#directory)
    return handle
  }

  #path(id: string, kind: string): string {
    planId.parse(id)
    return join(this.#directory, `${id}.${kind}`)
  }
}

function unusable(path: string, error: unknown): QuorateError {
  const words = error instanceof Error ? error.message : String(error)
  return new QuorateError('JOURNAL_UNUSABLE', `Plans and journals cannot be kept at ${path}: ${words}.`, {
    hints: ['set XDG_STATE_HOME to a directory of yours'],
    details: {path},
    cause: error,
  })
}

async function makeUsable(directory: string): Promise<void> {
  try {
    await makePrivateDirectory(directory)
  } catch (error) {
    throw unusable(directory, error)
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw unusable(path, error)
  }
}

async function cutTornLine(path: string): Promise<void> {
  const bytes = await readFile(path)
  const end = bytes.lastIndexOf(0x0a) + 1
  if (end !== bytes.length) await truncate(path, end)
}

function parseLine(path: string, line: string, number: number): JournalEntry {
  try {
    return journalEntrySchema.parse(JSON.parse(line))
  } catch (error) {
    throw new QuorateError(
      'PLAN_UNREADABLE',
      `Line ${number} of the journal ${path} is not a journal entry.`,
      {
        hints: [`quorate resume looks at the hosts; put line ${number} right or take it out first`],
        details: {path, line: number},
        cause: error,
      },
    )
  }
}
