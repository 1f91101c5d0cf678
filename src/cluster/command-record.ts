import {appendFileSync, existsSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {writeDurably} from '../adapters/durable-file.js'

/** A command of quorate that was run on a cluster. `exit` is null while it runs, and when it was killed. */
export interface CommandRun {
  readonly atMs: number
  readonly words: readonly string[]
  readonly pid: number
  readonly exit: number | null
}

const WORDS_MAX = 60
const pathOf = (directory: string): string => join(directory, 'commands')

/** From now on, commands on this cluster are written down. */
export async function recordCommands(directory: string): Promise<void> {
  await writeDurably(pathOf(directory), '')
}

/** Writes this process down, and how it ends, where somebody records; called once the command knows its cluster. */
export function noteCommand(directory: string): void {
  const path = pathOf(directory)
  if (!existsSync(path) || noted.has(path)) return
  noted.add(path)
  const atMs = Date.now()
  const words = process.argv.slice(2, 2 + WORDS_MAX)
  const append = (exit: number | null): void =>
    appendFileSync(path, `${JSON.stringify({atMs, words, pid: process.pid, exit})}\n`)
  append(null)
  process.once('exit', code => {
    // The cluster may have been taken down meanwhile, by this very command
    if (existsSync(path)) append(code)
  })
}

const noted = new Set<string>()

/** The commands that were written down, in the order of their beginnings. A torn last line is left out. */
export async function recordedCommands(directory: string): Promise<readonly CommandRun[]> {
  if (!existsSync(pathOf(directory))) return []
  const lines = (await readFile(pathOf(directory), 'utf8')).split('\n').slice(0, -1)
  const runs = new Map<string, CommandRun>()
  for (const line of lines) {
    const run = JSON.parse(line) as CommandRun
    runs.set(`${run.pid} ${run.atMs}`, run)
  }
  return [...runs.values()]
}

/** Whether a command that was written down is still at work. */
export async function commandRuns(directory: string): Promise<boolean> {
  const open = (await recordedCommands(directory)).filter(run => run.exit === null && run.pid !== process.pid)
  return open.some(({pid}) => existsSync(`/proc/${pid}`))
}
