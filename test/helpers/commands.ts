import {readdirSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import type {Command} from '@oclif/core'
import type {ManualCommand} from '../../src/docs/man.js'

const commandsDir = fileURLToPath(new URL('../../commands/', import.meta.url))

/** A command as its class declares it, with the flags that it shares with others. */
export interface DeclaredCommand {
  readonly id: string
  readonly command: Command.Class
  readonly manual: ManualCommand
}

/** Every command, by the files under `commands/`: what a build would put into oclif's manifest, without one. */
export async function declaredCommands(): Promise<readonly DeclaredCommand[]> {
  const files = readdirSync(commandsDir, {recursive: true, encoding: 'utf8'}).filter(name =>
    name.endsWith('.ts'),
  )
  const found: DeclaredCommand[] = []
  for (const file of files.sort()) {
    const {default: command} = (await import(join(commandsDir, file))) as {default: Command.Class}
    const id = file.replace(/\.ts$/, '').replaceAll('/', ':')
    const named = <T extends object>(all: Readonly<Record<string, T>>): Record<string, T & {name: string}> =>
      Object.fromEntries(Object.entries(all).map(([name, one]) => [name, {...one, name}]))
    const manual = {
      id,
      summary: command.summary,
      description: command.description,
      examples: command.examples,
      flags: named({...command.baseFlags, ...command.flags}),
      args: named(command.args),
      strict: command.strict,
    } as unknown as ManualCommand
    found.push({id, command, manual})
  }
  return found
}
