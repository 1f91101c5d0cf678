import type {Duplex} from 'node:stream'
import type {Access} from '../../core/model/observation.js'
import {printable} from '../../core/text.js'
import type {
  ByteStream,
  CommandResult,
  ForwardTarget,
  HostConnection,
  RandomFile,
  RemoteCommand,
} from '../../ports/transport.js'
import {TransportError} from '../../ports/transport.js'
import type {Link} from './link.js'
import type {ReadyShell} from './ready-shell.js'
import type {RootMethod} from './run.js'
import {runOverLink} from './run.js'
import {ShReader} from './sh-reader.js'

/** One connection to a host over any link: root by the method found at its start, files by SFTP or a shell. */
export class HostLinkConnection implements HostConnection {
  #ownReader: ShReader | undefined
  #rootReader: ShReader | undefined
  constructor(
    readonly host: string,
    private readonly link: Link,
    private readonly user: string,
    private readonly root: RootMethod,
    private shell: ReadyShell | undefined,
  ) {}

  /** What is known now: forwarding counts as possible until the host refuses it. */
  get access(): Access {
    const ways = {direct: 'root', sudo: 'sudo', none: 'none'} as const
    return {
      transport: this.link.kind,
      user: this.user,
      root: ways[this.root.kind],
      sftp: this.link.sftp,
      forwarding: this.link.forwarding,
    }
  }

  async run(command: RemoteCommand): Promise<CommandResult> {
    const {shell} = this
    if (shell === undefined || !this.#suits(shell, command)) return runOverLink(this.link, command, this.root)
    this.shell = undefined
    return shell.run(command)
  }

  /** A shell of sudo's runs what is root's, a user's own what is not; where the login is root's both are one. */
  #suits(shell: ReadyShell, command: RemoteCommand): boolean {
    const {kind} = this.root
    const sayable = !command.argv.some(argument => argument.includes('\0'))
    return shell.waiting && sayable && (kind === 'direct' || command.root === (kind === 'sudo'))
  }

  async openFile(
    path: string,
    options: {readonly root: boolean; readonly timeoutMs: number; readonly regular?: boolean},
  ): Promise<RandomFile> {
    if (options.root && this.root.kind === 'none') {
      throw new TransportError('denied', 'There is no way to root on this host.')
    }
    if (options.root && this.root.kind === 'sudo') {
      this.#rootReader ??= new ShReader(this.link, this.root)
      return this.#rootReader.open(path, options.timeoutMs)
    }
    const own = await this.link.openOwn(path, options.timeoutMs, options.regular ?? false)
    if (own !== undefined) return own
    this.#ownReader ??= new ShReader(this.link, undefined)
    return this.#ownReader.open(path, options.timeoutMs)
  }

  async forward(target: ForwardTarget, timeoutMs: number): Promise<ByteStream> {
    return byteStream(await this.link.forward(target, timeoutMs))
  }

  async close(): Promise<void> {
    this.shell?.close()
    await Promise.all([this.#ownReader?.close(), this.#rootReader?.close()])
    await this.link.close()
  }
}

/** A Node stream as the port's byte stream. Errors of the stream come out as `TransportError`, once. */
export function byteStream(duplex: Duplex): ByteStream {
  let problem: Error | undefined
  duplex.on('error', error => (problem = error))
  const failure = (error: unknown): TransportError => {
    const words = error instanceof Error ? error.message : String(error)
    return new TransportError('lost', `The stream broke: ${printable(words, 160)}`, {cause: error})
  }
  async function* chunks(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of duplex) yield chunk as Buffer
    } catch (error) {
      throw failure(error)
    }
  }
  return {
    write: async bytes =>
      new Promise((resolve, reject) => {
        if (problem !== undefined) reject(failure(problem))
        else duplex.write(bytes, error => (error ? reject(failure(error)) : resolve()))
      }),
    chunks: chunks(),
    close: () => duplex.destroy(),
  }
}

/** A promise with a time limit; what comes too late is handed to `dispose`. */
export async function withinMs<T>(
  promise: Promise<T>,
  timeoutMs: number,
  what: string,
  dispose: (late: T) => void,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new TransportError('timed-out', `${what}: no answer within ${timeoutMs / 1000} s.`)),
      timeoutMs,
    )
  })
  try {
    return await Promise.race([promise, late])
  } catch (error) {
    promise.then(dispose).catch(() => undefined)
    throw error
  } finally {
    clearTimeout(timer)
  }
}
