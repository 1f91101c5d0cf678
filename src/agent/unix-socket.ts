import {execFile} from 'node:child_process'
import {chmod, chown} from 'node:fs/promises'
import {promisify} from 'node:util'
import {AgentError} from './agent-error.js'
import type {Listener} from './options.js'

type UnixListener = Extract<Listener, {readonly kind: 'unix'}>

const NUMBER = /^\d{1,10}$/

/**
 * Gives a socket that is listened on its owner, group and mode (`setFilePermissions`, consul agent/agent.go): the user
 * by name or number, the group by number. Throws AgentError when that cannot be.
 */
async function setSocketRights({path, user, group, mode}: UnixListener): Promise<void> {
  if (group !== undefined && !NUMBER.test(group)) throw new AgentError(`invalid group specified: ${group}`)
  if (user !== undefined || group !== undefined) {
    const uid = user === undefined ? -1 : await userId(user)
    const gid = group === undefined ? -1 : Number(group)
    await attempt(`setting ownership to ${uid}:${gid}`, path, () => chown(path, uid, gid))
  }
  if (mode !== undefined)
    await attempt(`setting permissions to ${mode.toString(8)}`, path, () => chmod(path, mode))
}

/** The server that listens on a socket, with the socket's rights set; it is closed where they cannot be. */
export async function withRights<T extends {close(): Promise<void>}>(
  server: T,
  listener: Listener,
): Promise<T> {
  if (listener.kind === 'tcp') return server
  try {
    await setSocketRights(listener)
    return server
  } catch (error) {
    await server.close()
    throw error
  }
}

async function userId(user: string): Promise<number> {
  if (NUMBER.test(user)) return Number(user)
  try {
    // The system's own way to names knows more than /etc/passwd
    const {stdout} = await promisify(execFile)('id', ['-u', '--', user], {timeout: 10_000})
    if (NUMBER.test(stdout.trim())) return Number(stdout)
  } catch {
    // No such user, or no way to ask: both leave the owner unknown
  }
  throw new AgentError(`invalid user specified: ${user}`)
}

async function attempt(what: string, path: string, act: () => Promise<void>): Promise<void> {
  try {
    await act()
  } catch (error) {
    throw new AgentError(
      `failed ${what} on ${path}: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}
