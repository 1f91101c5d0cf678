import {spawn} from 'node:child_process'
import type {ChildProcess} from 'node:child_process'
import {existsSync, mkdirSync, openSync, writeFileSync} from 'node:fs'
import {Agent, request} from 'node:http'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

const CLI = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url))

/** Waits. */
export const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** What a server answered. */
export interface Answer {
  readonly status: number
  readonly text: string
}

/** Servers of ours as real processes, which may be killed, paused and cut off from one another. */
export class Victims {
  readonly processes = new Map<number, ChildProcess>()
  private readonly connections = new Agent({keepAlive: true})
  readonly unexpected: string[] = []

  constructor(
    private readonly directory: string,
    readonly count: number,
    private readonly net: string,
    private readonly settings: readonly string[] = [],
    /** A real Consul instead of ours. */
    private readonly consul?: string,
  ) {}

  ip = (n: number): string => `127.${this.net}.${n}`

  private filter = (n: number): string => join(this.directory, `refused-${n}`)

  /** Lets the servers refuse each other's traffic, both ways, between two groups; `[]` heals. */
  part(group: readonly number[]): void {
    for (let n = 1; n <= this.count; n++) {
      const others = Array.from({length: this.count}, (_, i) => i + 1).filter(
        one => group.length > 0 && group.includes(one) !== group.includes(n),
      )
      writeFileSync(this.filter(n), others.map(one => `${this.ip(one)}\n`).join(''))
    }
  }

  start(n: number): void {
    const dataDir = join(this.directory, `s${n}`)
    mkdirSync(dataDir, {recursive: true})
    const out = openSync(join(this.directory, `s${n}.log`), 'a')
    if (!existsSync(this.filter(n))) writeFileSync(this.filter(n), '')
    const ip = this.ip(n)
    const ours = this.consul === undefined
    const child = spawn(
      this.consul ?? 'env',
      [
        // What the test runner has every Node process load takes 65 MB, which are not the server's
        ...(ours ? ['-u', 'NODE_OPTIONS', process.execPath, CLI] : []),
        'agent',
        '-server',
        `-bootstrap-expect=${this.count}`,
        `-data-dir=${dataDir}`,
        `-node=s${n}`,
        `-bind=${ip}`,
        `-client=${ip}`,
        ...(ours ? [`-peer-filter=${this.filter(n)}`] : []),
        ...this.settings,
        '-hcl=retry_interval = "1s"',
        `-retry-join=${this.ip(n === 1 ? 2 : 1)}`,
      ],
      {stdio: ['ignore', out, out]},
    )
    child.once('exit', (code, signal) => {
      if (signal !== 'SIGKILL') this.unexpected.push(`s${n} ended with ${code ?? signal}`)
      if (this.processes.get(n) === child) this.processes.delete(n)
    })
    this.processes.set(n, child)
  }

  async kill(n: number): Promise<void> {
    const child = this.processes.get(n)
    if (child === undefined) return
    const gone = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
  }

  /** The number of the leader, once some server names one. */
  async leader(): Promise<number | undefined> {
    for (let n = 1; n <= this.count; n++) {
      if (!this.processes.has(n)) continue
      const answer = await this.ask(n, 'GET', '/v1/status/leader', undefined, 500)
      for (let one = 1; one <= this.count; one++)
        if (answer?.text.includes(`"${this.ip(one)}:`) === true) return one
    }
    return undefined
  }

  async killAll(): Promise<void> {
    await Promise.all([...this.processes.keys()].map(n => this.kill(n)))
    this.connections.destroy()
  }

  ask(n: number, method: string, path: string, body?: string, timeoutMs = 3000): Promise<Answer | undefined> {
    return new Promise(resolve => {
      const asked = request(
        {agent: this.connections, host: this.ip(n), port: 8500, method, path, timeout: timeoutMs},
        response => {
          let text = ''
          response.setEncoding('utf8')
          response.on('data', (chunk: string) => (text += chunk))
          response.on('end', () => resolve({status: response.statusCode ?? 0, text}))
          response.on('error', () => resolve(undefined))
        },
      )
      asked.on('error', () => resolve(undefined))
      asked.on('timeout', () => asked.destroy())
      asked.end(body)
    })
  }
}
