import {mkdirSync} from 'node:fs'
import {join} from 'node:path'
import {startAgent} from '../../src/agent/agent.js'
import {loadAgentOptions} from '../../src/agent/load-options.js'
import {AgentLogger} from '../../src/agent/logger.js'
import type {RunningAgent} from '../../src/agent/running-agent.js'

/** An agent in this process, on a loopback address of its own. */
export interface TestAgent {
  readonly agent: RunningAgent
  readonly name: string
  readonly ip: string
  readonly dataDir: string
  readonly url: string
  readonly lines: string[]
}

/** Fast enough for tests, slow enough for a loaded machine. */
const FAST = [
  '-hcl=performance { raft_multiplier = 1 }',
  '-hcl=gossip_lan { probe_interval = "300ms" probe_timeout = "200ms" }',
]

/** Starts agents of one test on 127.`net`.x.y. */
export class Agents {
  readonly running = new Map<string, TestAgent>()
  constructor(
    private readonly directory: string,
    private readonly net: string,
  ) {}

  ip(name: string): string {
    return `127.${this.net}.${Number(name.replace(/\D/g, ''))}`
  }

  async start(name: string, ...flags: readonly string[]): Promise<TestAgent> {
    const ip = this.ip(name)
    const dataDir = join(this.directory, name)
    mkdirSync(dataDir, {recursive: true})
    const argv = [`-data-dir=${dataDir}`, `-node=${name}`, `-bind=${ip}`, `-client=${ip}`, ...FAST, ...flags]
    const unused = (): never => {
      throw new Error('no agent of these tests is one of development')
    }
    const reread = () => loadAgentOptions(argv, unused).options
    const lines: string[] = []
    const logger = new AgentLogger({
      level: 'debug',
      json: false,
      file: undefined,
      out: line => void lines.push(line),
      nowMs: Date.now,
    })
    const agent = await startAgent(reread(), logger, reread)
    const running = {agent, name, ip, dataDir, url: `http://${ip}:8500`, lines}
    this.running.set(name, running)
    return running
  }

  async stop(name: string): Promise<void> {
    await this.running.get(name)?.agent.stop()
    this.running.delete(name)
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.running.keys()].map(name => this.stop(name)))
  }

  /** Waits until all agents know the same leader, and gives its address. */
  async leader(): Promise<string> {
    return until('a leader that all know', async () => {
      const leaders = await Promise.all(
        [...this.running.values()].map(async ({url}) => (await call(url, '/v1/status/leader')).text),
      )
      const [first] = leaders
      return first !== undefined && first !== '""' && leaders.every(one => one === first)
        ? (JSON.parse(first) as string)
        : undefined
    })
  }
}

/** One request and its whole answer. */
export async function call(
  url: string,
  path: string,
  method = 'GET',
  body?: string,
): Promise<{readonly status: number; readonly text: string; readonly headers: Headers}> {
  const response = await fetch(url + path, {method, ...(body === undefined ? {} : {body})})
  return {status: response.status, text: await response.text(), headers: response.headers}
}

/** Asks again until there is an answer; throws after half a minute. */
export async function until<T>(what: string, ask: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const deadline = Date.now() + 30_000
  for (;;) {
    const found = await ask()
    if (found !== undefined) return found
    if (Date.now() > deadline) throw new Error(`waited too long for ${what}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}
