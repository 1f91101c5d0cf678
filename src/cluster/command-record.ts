import {appendFileSync, existsSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {writeDurably} from '../adapters/durable-file.js'

/** A command of quorate that was run on a cluster. */
export interface CommandRun {
  readonly atMs: number
  readonly words: readonly string[]
  readonly exit: number | null
}

const WORDS_MAX = 60
const pathOf = (directory: string): string => join(directory, 'commands')

/** From now on, commands on this cluster are written down. */
export async function recordCommands(directory: string): Promise<void> {
  await writeDurably(pathOf(directory), '')
}

/** Writes this process down when it ends, where somebody records; called once the command knows its cluster. */
export function noteCommand(directory: string): void {
  const path = pathOf(directory)
  if (!existsSync(path) || noted.has(path)) return
  noted.add(path)
  const atMs = Date.now()
  const words = process.argv.slice(2, 2 + WORDS_MAX)
  process.once('exit', code => {
    // The cluster may have been taken down meanwhile, by this very command
    if (existsSync(path)) appendFileSync(path, `${JSON.stringify({atMs, words, exit: code})}\n`)
  })
}

const noted = new Set<string>()

/** The commands that were written down, in the order of their ends. A torn last line is left out. */
export async function recordedCommands(directory: string): Promise<readonly CommandRun[]> {
  if (!existsSync(pathOf(directory))) return []
  const lines = (await readFile(pathOf(directory), 'utf8')).split('\n').slice(0, -1)
  return lines.map(line => JSON.parse(line) as CommandRun)
}
