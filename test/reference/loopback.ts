import {execa} from 'execa'
import {existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))

interface Sink {
  file: string
  append: boolean
}

/** Path of the reference server, built when missing or older than its sources. Needs Debian's Go packages. */
export async function referenceBinary(): Promise<string> {
  const binary = join(here, '..', '.build', 'consul')
  const built = existsSync(binary) ? statSync(binary).mtimeMs : 0
  const sources = readdirSync(here).filter(name => name.endsWith('.go'))
  if (sources.some(name => statSync(join(here, name)).mtimeMs > built)) await execa(join(here, 'build.sh'))
  return binary
}

/** A reference server on a loopback address, started and stopped by the test that owns it. */
export interface LoopbackServer {
  readonly address: string
  readonly dataDir: string
  readonly log: () => string
  readonly start: () => Promise<void>
  /** Waits for the exit and returns its status; undefined when a signal ended it. */
  readonly exit: () => Promise<number | undefined>
  readonly kill: (signal?: NodeJS.Signals) => Promise<void>
  readonly http: (path: string, init?: RequestInit) => Promise<Response>
}

/** Lays out a server below `dir` without starting it. Timing is short: a leader takes about half a second. */
export async function loopbackServer(
  dir: string,
  address: string,
  join_: readonly string[],
  config: Record<string, unknown> = {},
): Promise<LoopbackServer> {
  const binary = await referenceBinary()
  const dataDir = join(dir, address)
  mkdirSync(dataDir, {recursive: true})
  const file = `${dataDir}.json`
  const settings = {
    datacenter: 'dc1',
    node_name: address,
    bind_addr: address,
    client_addr: address,
    data_dir: dataDir,
    server: true,
    retry_join: join_.filter(other => other !== address),
    performance: {raft_multiplier: 0.3, leave_drain_time: '100ms'},
    gossip_lan: {probe_interval: '200ms', probe_timeout: '100ms', suspicion_mult: 2},
    ...config,
  }
  writeFileSync(file, JSON.stringify(settings))
  const logFile = `${dataDir}.log`
  let child:
    | {readonly ended: Promise<number | undefined>; readonly kill: (signal: NodeJS.Signals) => boolean}
    | undefined
  return {
    address,
    dataDir,
    log: () => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : ''),
    start: async () => {
      const to: Sink = {file: logFile, append: true}
      const run = execa(binary, ['agent', `-config-file=${file}`], {reject: false, stdout: to, stderr: to})
      child = {ended: run.then(({exitCode}) => exitCode), kill: signal => run.kill(signal)}
      await Promise.resolve()
    },
    exit: async () => child?.ended,
    kill: async (signal = 'SIGKILL') => {
      child?.kill(signal)
      await child?.ended
    },
    http: async (path, init) => fetch(`http://${address}:8500${path}`, init),
  }
}

/** Asks again until `probe` gives a value; fails with `what` after `limitMs`. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined>,
  limitMs = 20_000,
): Promise<T> {
  const end = Date.now() + limitMs
  for (;;) {
    const value = await probe().catch(() => undefined)
    if (value !== undefined) return value
    if (Date.now() > end) throw new Error(`not within ${String(limitMs)} ms: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

/** Waits until all `servers` name the same leader, and returns its Raft address. */
export async function leaderOf(servers: readonly LoopbackServer[]): Promise<string> {
  return eventually('one leader on every server', async () => {
    const seen = await Promise.all(
      servers.map(async server => (await server.http('/v1/status/leader')).json() as Promise<string>),
    )
    return seen[0] && seen.every(leader => leader === seen[0]) ? seen[0] : undefined
  })
}
