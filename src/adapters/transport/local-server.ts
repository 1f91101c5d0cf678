import type {CommandResult, ForwardTarget, HostConnection, RemoteCommand} from '../../ports/transport.js'

/** Where quorate keeps its things on a host, as scripts and plans name it. */
const PLACES = /\/(run|var\/lib|var\/backups)\/quorate(?![A-Za-z0-9_-])/g

/**
 * A server of a local cluster as a host of its own. It shares machine and user with the others, so what quorate keeps on
 * a host lies in the server's own directory: scripts, plans and probes name the usual places, and are shown to the shell
 * with these in their stead. Everything there belongs to the user, who needs no root.
 */
export class LocalServerConnection implements HostConnection {
  constructor(
    private readonly machine: HostConnection,
    private readonly directory: string,
  ) {}

  get host(): string {
    return this.machine.host
  }

  get access(): HostConnection['access'] {
    return this.machine.access
  }

  async run(command: RemoteCommand): Promise<CommandResult> {
    const [program, ...args] = command.argv
    const argv = [this.#own(program), ...args.map(one => this.#own(one))] as const
    // Only a script for `sh -s` is text of ours; any other input is a file's bytes and must arrive as it is
    const isScript = program === 'sh' && args[0] === '-s' && command.stdin !== undefined
    if (!isScript) return this.machine.run({...command, argv})
    const script = new TextDecoder().decode(command.stdin)
    return this.machine.run({...command, argv, stdin: new TextEncoder().encode(this.#own(script))})
  }

  async openFile(...args: Parameters<HostConnection['openFile']>): ReturnType<HostConnection['openFile']> {
    const [path, options] = args
    return this.machine.openFile(this.#own(path), options)
  }

  async forward(target: ForwardTarget, timeoutMs: number): ReturnType<HostConnection['forward']> {
    return this.machine.forward(target, timeoutMs)
  }

  async close(): Promise<void> {
    await this.machine.close()
  }

  #own(text: string): string {
    return text.replace(PLACES, (_, place: string) => `${this.directory}/${place}/quorate`)
  }
}
