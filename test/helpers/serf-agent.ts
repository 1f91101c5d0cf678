import type {ChildProcess} from 'node:child_process'
import {execFile, spawn} from 'node:child_process'
import {once} from 'node:events'
import {createServer} from 'node:net'
import type {AddressInfo} from 'node:net'
import {setTimeout as sleep} from 'node:timers/promises'
import {promisify} from 'node:util'

const run = promisify(execFile)

/** A member in the words of `serf members -format=json`. */
export interface SerfMemberJson {
  readonly name: string
  readonly addr: string
  readonly port: number
  readonly tags: Readonly<Record<string, string>>
  readonly status: string
}

/** Ports that nothing listens at now, packets or streams. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({length: count}, async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      return server
    }),
  )
  const ports = servers.map(server => (server.address() as AddressInfo).port)
  await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))))
  return ports
}

/** Waits until the condition holds; false when it does not in time. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
  everyMs = 50,
): Promise<boolean> {
  for (const end = performance.now() + timeoutMs; performance.now() < end; await sleep(everyMs))
    if (await condition()) return true
  return condition()
}

/** A real `serf agent` of Debian on loopback. */
export class SerfAgent {
  private output = ''
  private constructor(
    readonly name: string,
    readonly address: string,
    private readonly rpc: string,
    private readonly child: ChildProcess,
  ) {
    child.stdout?.on('data', (chunk: Buffer) => (this.output += chunk.toString()))
    child.stderr?.on('data', (chunk: Buffer) => (this.output += chunk.toString()))
  }

  /** Starts an agent and waits until it answers. */
  static async start(
    name: string,
    args: readonly string[] = [],
    {ip, port}: {readonly ip?: string; readonly port?: number} = {},
  ): Promise<SerfAgent> {
    const [free = 0, rpc = 0] = await freePorts(2)
    const address = `${ip ?? '127.0.0.1'}:${port ?? free}`
    const child = spawn(
      '/usr/bin/serf',
      [
        'agent',
        `-node=${name}`,
        `-bind=${address}`,
        `-rpc-addr=127.0.0.1:${rpc}`,
        '-log-level=debug',
        ...args,
      ],
      {stdio: ['ignore', 'pipe', 'pipe']},
    )
    const agent = new SerfAgent(name, address, `127.0.0.1:${rpc}`, child)
    if (!(await until(async () => (await agent.members()).length > 0))) throw new Error(agent.log())
    return agent
  }

  /** All that it has said. */
  log(): string {
    return this.output
  }

  /** Runs a command of `serf` against it and gives what it prints, whether it succeeds or not. */
  async command(...args: readonly string[]): Promise<string> {
    const [name = '', ...rest] = args
    try {
      const {stdout, stderr} = await run('/usr/bin/serf', [name, `-rpc-addr=${this.rpc}`, ...rest])
      return stdout + stderr
    } catch (error) {
      const {stdout = '', stderr = ''} = error as {stdout?: string; stderr?: string}
      return stdout + stderr
    }
  }

  async members(): Promise<readonly SerfMemberJson[]> {
    try {
      return (JSON.parse(await this.command('members', '-format=json')) as {members: SerfMemberJson[]})
        .members
    } catch {
      return []
    }
  }

  /** The status of a member as this agent sees it; `none` when it knows none of the name. */
  async statusOf(name: string): Promise<string> {
    return (await this.members()).find(member => member.name === name)?.status ?? 'none'
  }

  /** Waits until it sees a member in this status. */
  async sees(name: string, status: string, timeoutMs = 10_000): Promise<boolean> {
    return until(async () => (await this.statusOf(name)) === status, timeoutMs)
  }

  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const gone = once(this.child, 'exit')
    this.child.kill(signal)
    await gone
  }
}
