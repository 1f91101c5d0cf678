import {appendFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {dirname, join} from 'node:path'
import {QuorateError} from '../errors.js'
import {AgentError} from './agent-error.js'
import {keepHeapTight} from './heap.js'
import {loadAgentOptions} from './load-options.js'
import {AgentLogger} from './logger.js'
import type {AgentOptions} from './options.js'
import type {StartAgent} from './running-agent.js'
import type {AgentSignal} from './signals.js'
import {SignalDelivery} from './signals.js'

const SIGNALS: readonly AgentSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

/** What running an agent needs of the process around it. */
export interface AgentProcess {
  readonly start: StartAgent
  /** Takes text for stdout, newline included. */
  readonly out: (text: string) => void
  /** What to print when the agent has started, before its log. */
  readonly banner: (options: AgentOptions, nodeId: string) => string
  readonly nowMs: () => number
}

/**
 * Runs an agent from its flags to its end; resolves to its exit code. Signals of this process are the agent's until
 * then. Throws AGENT_CONFIG_INVALID and AGENT_NOT_STARTED.
 */
export async function runAgent(argv: readonly string[], around: AgentProcess): Promise<number> {
  keepHeapTight()
  const fresh = freshDirectory()
  try {
    const reread = (): AgentOptions => loadAgentOptions(argv, fresh.path).options
    const {options, warnings} = loadAgentOptions(argv, fresh.path)
    return await runWith(options, warnings, reread, around)
  } finally {
    fresh.remove()
  }
}

async function runWith(
  options: AgentOptions,
  warnings: readonly string[],
  reread: () => AgentOptions,
  {start, out, banner, nowMs}: AgentProcess,
): Promise<number> {
  // What is logged while the agent starts stands below the banner, which tells what only a started agent knows
  let held: string[] | undefined = []
  const release = (): void => {
    for (const line of held ?? []) out(line)
    held = undefined
  }
  const {logLevel: level, logJson: json, logFile: file} = options
  const write = (line: string): void => {
    if (held === undefined) out(line)
    else held.push(line)
  }
  const logger = new AgentLogger({level, json, file, nowMs, out: write})
  for (const warning of warnings) logger.log('warn', 'agent', warning)
  const removePidFile = preparePaths(options)
  const agent = await start(options, logger, reread).catch((error: unknown) => {
    release()
    removePidFile()
    throw cannotStart(error)
  })
  out(banner(options, agent.nodeId))
  release()
  const signals = new SignalDelivery(agent, options, {
    log: logger.log,
    reread,
    exit: code => {
      removePidFile()
      process.exit(code)
    },
  })
  const deliver = (signal: AgentSignal): void => signals.deliver(signal)
  for (const signal of SIGNALS) process.on(signal, deliver)
  try {
    return await agent.stopped
  } finally {
    for (const signal of SIGNALS) process.off(signal, deliver)
    removePidFile()
  }
}

/** What the system refuses, and what the agent refuses by itself, is the operator's to mend; the rest is a bug. */
function cannotStart(error: unknown): unknown {
  const refused = error instanceof AgentError || typeof (error as NodeJS.ErrnoException).syscall === 'string'
  if (!refused) return error
  const {message} = error as Error
  return new QuorateError('AGENT_NOT_STARTED', `The agent cannot start: ${message.replace(/\.$/, '')}.`, {
    cause: error,
  })
}

/** Makes sure of the data directory, the log file and the pid file; returns what removes the latter. */
function preparePaths({dataDir, logFile, pidFile}: AgentOptions): () => void {
  try {
    makeDirectory(dataDir)
    if (logFile !== undefined) appendFileSync(logFile, '', {mode: 0o600})
    if (pidFile !== undefined) writeFileSync(pidFile, `${process.pid}\n`)
  } catch (error) {
    throw cannotStart(error)
  }
  return () => {
    if (pidFile !== undefined) rmSync(pidFile, {force: true})
  }
}

/** One directory after the other: Node's own recursion never ends where a file system says ENOENT, as /proc does. */
function makeDirectory(path: string): void {
  if (existsSync(path)) return
  makeDirectory(dirname(path))
  mkdirSync(path, {mode: 0o755})
}

/** A directory that is made when first asked for and removed with all that is in it. */
function freshDirectory(): {readonly path: () => string; readonly remove: () => void} {
  let made: string | undefined
  return {
    path: () => (made ??= mkdtempSync(join(tmpdir(), 'quorate-dev-'))),
    remove: () => {
      if (made !== undefined) rmSync(made, {recursive: true, force: true})
    },
  }
}
