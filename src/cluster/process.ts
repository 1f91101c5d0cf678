import {spawn} from 'node:child_process'
import {readdirSync, readFileSync, rmSync} from 'node:fs'
import {open} from 'node:fs/promises'
import {writeDurably} from '../adapters/durable-file.js'
import type {AgentProgram, MemberFiles} from './state.js'

/** A running agent. A paused one (SIGSTOP) runs: it holds its sockets and its store. */
export interface AgentProcess {
  readonly pid: number
  readonly paused: boolean
}

interface KernelProcess {
  readonly state: string
  /** Clock ticks from boot to its start: what tells a reused pid from the old process. */
  readonly startTicks: string
}

/** What the kernel says of a process; undefined when it is gone, a zombie included. */
function kernelProcess(pid: number): KernelProcess | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name in field 2 may hold anything, parentheses too
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [state = '', startTicks = ''] = [fields[0], fields[19]]
    return state === 'Z' || state === 'X' ? undefined : {state, startTicks}
  } catch {
    return undefined // it is gone
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return '-' // a kernel without it: the start time alone must do
  }
}

function seen(pid: number): AgentProcess | undefined {
  const found = kernelProcess(pid)
  return found === undefined ? undefined : {pid, paused: found.state === 'T'}
}

function namesDataDir(pid: string, data: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(`-data-dir=${data}`)
  } catch {
    return false // it is gone, or another user's
  }
}

/**
 * The process of a member: the one that its pid file names, if that is still the same one, else whoever was started on
 * its data directory. The search is for a start that was interrupted between the process and its pid file.
 */
export function findAgent(files: MemberFiles): AgentProcess | undefined {
  const named = fromPidFile(files.pid)
  if (named !== undefined) return named
  try {
    const pid = readdirSync('/proc').find(name => /^[1-9]\d*$/.test(name) && namesDataDir(name, files.data))
    return pid === undefined ? undefined : seen(Number(pid))
  } catch {
    return undefined // no /proc
  }
}

function fromPidFile(path: string): AgentProcess | undefined {
  let words: readonly string[]
  try {
    words = readFileSync(path, 'utf8').trim().split(' ')
  } catch {
    return undefined // never started, or stopped and cleaned
  }
  const [pid, startTicks, boot] = words
  if (pid === undefined || !/^[1-9]\d{0,9}$/.test(pid) || boot !== bootId()) return undefined
  return kernelProcess(Number(pid))?.startTicks === startTicks ? seen(Number(pid)) : undefined
}

/** What follows the agent's program. The data directory is named here, since it tells the members' processes apart. */
export function memberArguments({partitions}: AgentProgram, files: MemberFiles): readonly string[] {
  const filter = partitions ? [`-peer-filter=${files.refused}`] : []
  return [`-config-dir=${files.configDir}`, `-data-dir=${files.data}`, ...filter]
}

/** Starts a member's agent apart from this process, with its output appended to its log. Does nothing when it runs. */
export async function startAgent(program: AgentProgram, files: MemberFiles): Promise<AgentProcess> {
  const running = findAgent(files)
  if (running !== undefined) return running
  const [path = process.execPath, ...before] = program.command
  const log = await open(files.log, 'a', 0o600)
  try {
    const child = spawn(path, [...before, ...memberArguments(program, files)], {
      cwd: files.directory,
      detached: true, // its own session: it outlives us and the terminal
      stdio: ['ignore', log.fd, log.fd],
    })
    const pid = await new Promise<number>((resolve, reject) => {
      child.once('error', reject)
      child.once('spawn', () => resolve(child.pid ?? 0))
    })
    child.unref()
    const {startTicks} = kernelProcess(pid) ?? {startTicks: '-'}
    await writeDurably(files.pid, `${pid} ${startTicks} ${bootId()}\n`)
    return {pid, paused: false}
  } finally {
    await log.close()
  }
}

/** Sends a signal to a member's agent; false when it does not run. */
export function signalAgent(files: MemberFiles, signal: NodeJS.Signals): boolean {
  const running = findAgent(files)
  if (running === undefined) return false
  try {
    process.kill(running.pid, signal)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

/** Ends whoever runs on a member's data directory by SIGKILL; false when somebody still does after `withinMs`. */
export async function endByForce(files: MemberFiles, withinMs: number): Promise<boolean> {
  const end = Date.now() + withinMs
  // Again and again: an interrupted start may have left one beside another
  while (signalAgent(files, 'SIGKILL')) {
    if (Date.now() > end) return false
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  rmSync(files.pid, {force: true})
  return true
}

/** Waits until a member's agent is gone; false when it still runs after `withinMs`. */
export async function awaitEnd(files: MemberFiles, withinMs: number): Promise<boolean> {
  const end = Date.now() + withinMs
  while (findAgent(files) !== undefined) {
    if (Date.now() > end) return false
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  rmSync(files.pid, {force: true})
  return true
}
