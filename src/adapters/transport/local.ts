import {open, stat} from 'node:fs/promises'
import net from 'node:net'
import type {Duplex, Readable, Writable} from 'node:stream'
import {execa} from 'execa'
import {printable} from '../../core/text.js'
import type {ForwardTarget, RandomFile} from '../../ports/transport.js'
import {TransportError} from '../../ports/transport.js'
import {whyOfSocketError} from './connect-problem.js'
import type {Channel, Link} from './link.js'

/** Starts a program on this machine and shows it as a channel. */
export function spawnLocally(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Channel {
  const [file, ...args] = argv
  if (file === undefined || argv.some(argument => argument.includes('\0'))) {
    throw new TransportError('unsupported', 'An argument holds a NUL byte.')
  }
  const child = execa(file, args, {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
    buffer: false,
    reject: false,
    // Its own process group, so that a time limit reaches what it started, and Ctrl-C does not
    detached: true,
    cleanup: true,
    env,
  })
  const ended = child.then(result => {
    const missing = result.exitCode === undefined && result.signal === undefined
    return {code: missing ? 127 : result.exitCode, signal: result.signal}
  })
  return {
    stdin: child.stdin as Writable,
    stdout: child.stdout as Readable,
    stderr: child.stderr as Readable,
    ended,
    kill: () => {
      killGroup(child.pid)
      child.stdin?.destroy()
      child.stdout?.destroy()
      child.stderr?.destroy()
    },
  }
}

function killGroup(pid: number | undefined): void {
  // A group id of 1 would mean every process of the machine
  if (pid === undefined || pid <= 1) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Gone already, or root's since sudo started it: its closed streams then end it
  }
}

/** This machine, without a network between. */
export class LocalLink implements Link {
  readonly kind = 'local'
  readonly sftp = true
  readonly forwarding = true

  async spawn(argv: readonly string[]): Promise<Channel> {
    return Promise.resolve(spawnLocally(argv))
  }

  async forward(target: ForwardTarget, timeoutMs: number): Promise<Duplex> {
    const name = target.kind === 'tcp' ? `${target.host}:${target.port}` : target.path
    return new Promise((resolve, reject) => {
      const socket =
        target.kind === 'tcp'
          ? net.connect({host: target.host, port: target.port})
          : net.connect({path: target.path})
      const timer = setTimeout(() => {
        socket.destroy()
        reject(new TransportError('timed-out', `${printable(name)}: no answer within ${timeoutMs / 1000} s.`))
      }, timeoutMs)
      const fail = (error: NodeJS.ErrnoException): void => {
        clearTimeout(timer)
        const words = `${printable(name)}: ${printable(error.message, 160)}`
        reject(new TransportError(whyOfSocketError(error.code), words, {cause: error}))
      }
      socket.once('error', fail)
      socket.once('connect', () => {
        clearTimeout(timer)
        socket.off('error', fail)
        resolve(socket)
      })
    })
  }

  async openOwn(path: string): Promise<RandomFile> {
    try {
      if (!(await stat(path)).isFile()) {
        throw new TransportError('unsupported', `${printable(path)}: not a regular file`)
      }
      const file = await open(path, 'r')
      const {size} = await file.stat()
      return {
        sizeBytes: size,
        read: async (offset, length) => {
          const bytes = new Uint8Array(length)
          let filled = 0
          while (filled < length) {
            const {bytesRead} = await file.read(bytes, filled, length - filled, offset + filled)
            if (bytesRead === 0) break
            filled += bytesRead
          }
          return bytes.subarray(0, filled)
        },
        close: async () => file.close(),
      }
    } catch (error) {
      if (error instanceof TransportError) throw error
      const problem = error as NodeJS.ErrnoException
      const words = `${printable(path)}: ${printable(problem.message, 160)}`
      throw new TransportError(whyOfSocketError(problem.code), words, {cause: error})
    }
  }

  async close(): Promise<void> {
    await Promise.resolve()
  }
}
