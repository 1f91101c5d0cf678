import {spawnSync} from 'node:child_process'
import {existsSync} from 'node:fs'
import {fileURLToPath} from 'node:url'
import type {Command} from '@oclif/core'
import {captureOutput} from '@oclif/test'

const root = fileURLToPath(new URL('../../', import.meta.url))
const cli = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url))

/** How a command ended: what it wrote, and its exit status as a shell would see it. */
export interface Ended {
  readonly stdout: string
  readonly stderr: string
  readonly exit: number
}

/** Runs a command class in this process. */
export async function runCommand(command: Command.Class, argv: readonly string[]): Promise<Ended> {
  const before = process.exitCode
  process.exitCode = undefined
  try {
    const {stdout, stderr, error} = await captureOutput(async () => command.run([...argv], {root}), {
      print: false,
      stripAnsi: false,
    })
    const thrown = error as (Error & {oclif?: {exit?: number}}) | undefined
    const exit = thrown === undefined ? Number(process.exitCode ?? 0) : (thrown.oclif?.exit ?? 1)
    return {stdout, stderr, exit}
  } finally {
    process.exitCode = before
  }
}

/** Runs the built executable, `npm run build` given, with `env` over this process's environment. */
export function runBuilt(
  argv: readonly string[],
  {
    env = {},
    through = [],
    options = [],
  }: {
    readonly env?: NodeJS.ProcessEnv
    /** A command line that runs it, such as `unshare`. */
    readonly through?: readonly string[]
    /** Options of Node. */
    readonly options?: readonly string[]
  } = {},
): Ended {
  if (!existsSync(cli)) throw new Error('dist/src/cli.js is missing: npm run build')
  const [program = '', ...args] = [...through, process.execPath, ...options, cli, ...argv]
  const own = {...process.env, ...env, NODE_OPTIONS: ''}
  const {stdout, stderr, status} = spawnSync(program, args, {encoding: 'utf8', env: own, timeout: 60_000})
  return {stdout, stderr, exit: status ?? -1}
}
