import type {ChildProcess} from 'node:child_process'
import {execFile, spawn} from 'node:child_process'
import {randomUUID} from 'node:crypto'
import {once} from 'node:events'
import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {promisify} from 'node:util'
import type {ServerBinary} from '../lab/binaries.js'
import {atLeast, realConsuls} from '../lab/binaries.js'
import {call} from './agents.js'

const run = promisify(execFile)

/** The raft_protocol with which our server goes together with a Consul of this version. */
export function raftProtocolOf(version: string): 0 | 1 | 2 | 3 {
  if (!atLeast(version, '0.7.0')) return 0
  if (!atLeast(version, '0.8.0')) return 1
  return atLeast(version, '1.0.0') ? 3 : 2
}

/** The Consul of this version, of those that are there; throws when it is not. */
export function consulOf(version: string): ServerBinary {
  const found = realConsuls().find(binary => binary.version === version)
  if (found === undefined) throw new Error(`QUORATE_CONSUL_BIN_DIR names no Consul ${version}`)
  return found
}

/** Where a real server runs, and what of its configuration is not as usual in these tests. */
export interface RealConsulSettings {
  readonly name: string
  readonly ip: string
  /** Holds the directory of the server, which is named as it is. */
  readonly directory: string
  readonly config?: Readonly<Record<string, unknown>>
}

/** A real Consul server on a loopback address of its own, with the usual ports. */
export class RealConsul {
  readonly url: string
  readonly dataDir: string
  private readonly nodeId = randomUUID()
  private output = ''
  private child: ChildProcess | undefined

  constructor(
    readonly binary: ServerBinary,
    readonly settings: RealConsulSettings,
  ) {
    const {ip, directory, name} = settings
    this.url = `http://${ip}:8500`
    this.dataDir = join(directory, name)
  }

  start(): void {
    const {name, ip, directory, config} = this.settings
    const modern = atLeast(this.binary.version, '1.0.0')
    const whole = {
      server: true,
      datacenter: 'dc1',
      node_name: name,
      data_dir: this.dataDir,
      bind_addr: ip,
      client_addr: ip,
      disable_update_check: true,
      log_level: 'DEBUG',
      ...(atLeast(this.binary.version, '0.7.0') ? {performance: {raft_multiplier: 1}} : {}),
      // Up to 0.8.4 its id is that of the host, and the catalog takes no two nodes with one id
      ...(atLeast(this.binary.version, '0.7.3') && !modern ? {node_id: this.nodeId} : {}),
      ...(modern ? {connect: {enabled: false}, ports: {grpc: -1}} : {}),
      ...config,
    }
    mkdirSync(this.dataDir, {recursive: true})
    const file = join(directory, `${name}.json`)
    writeFileSync(file, JSON.stringify(whole))
    const child = spawn(this.binary.path, ['agent', `-config-file=${file}`], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child.stdout.on('data', (chunk: Buffer) => (this.output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (this.output += chunk.toString()))
    this.child = child
  }

  /** All that it has said. */
  log(): string {
    return this.output
  }

  /** Sends its process a signal. */
  signal(name: NodeJS.Signals): void {
    this.child?.kill(name)
  }

  /** Ends the process at once, as a crash would. */
  async kill(): Promise<void> {
    const {child} = this
    this.child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  /** Runs a command of `consul` against it and gives what it prints, whether it succeeds or not. */
  async command(...args: readonly string[]): Promise<string> {
    const env = {CONSUL_HTTP_ADDR: `${this.settings.ip}:8500`, CONSUL_RPC_ADDR: `${this.settings.ip}:8400`}
    try {
      const {stdout, stderr} = await run(this.binary.path, [...args], {env})
      return stdout + stderr
    } catch (error) {
      const {stdout = '', stderr = ''} = error as {stdout?: string; stderr?: string}
      return stdout + stderr
    }
  }

  /** A request to its HTTP API; status 0 when it does not answer. */
  async ask(path: string, method = 'GET', body?: string): ReturnType<typeof call> {
    try {
      return await call(this.url, path, method, body)
    } catch {
      return {status: 0, text: '', headers: new Headers()}
    }
  }

  /** The JSON that its HTTP API answers; undefined for anything but a success. */
  async json(path: string): Promise<unknown> {
    const {status, text} = await this.ask(path)
    return status === 200 ? JSON.parse(text) : undefined
  }

  /** The address of the leader as it knows it; empty when it knows none. */
  async leader(): Promise<string> {
    return String((await this.json('/v1/status/leader')) ?? '')
  }
}
