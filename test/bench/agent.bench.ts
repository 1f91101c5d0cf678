import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import t from 'tap'
import type {Test} from 'tap'
import {sleep, Victims} from '../helpers/victims.js'
import {realConsuls} from '../lab/binaries.js'
import {load} from './load.js'
import type {LoadResult} from './load.js'

/** Our agent beside real Consul, three servers each on this machine, one cluster after the other. */
const CLIENTS = 64
const SECONDS = Number(process.env['QUORATE_BENCH_SECONDS'] ?? 10)
const KEYS = 100_000
const VALUE_BYTES = 100
const TICKS_PER_SECOND = 100

interface Measured {
  readonly put: LoadResult
  readonly get: LoadResult
  readonly newLeaderMs: number
  readonly idleCpuPercent: number
  readonly residentMiB: number
}

const pids = (servers: Victims): number[] => [...servers.processes.values()].flatMap(({pid}) => pid ?? [])

/** Processor time that a process has had, in seconds (proc_pid_stat(5), fields 14 and 15). */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

const residentMiB = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024

async function untilLed(servers: Victims): Promise<number> {
  for (const end = Date.now() + 60_000; Date.now() < end; await sleep(20)) {
    const leader = await servers.leader()
    if (leader === undefined || !servers.processes.has(leader)) continue
    const answer = await servers.ask(leader, 'PUT', '/v1/kv/bench/ready', 'x', 500)
    if (answer?.status === 200) return leader
  }
  throw new Error('no leader')
}

async function measure(t: Test, servers: Victims): Promise<Measured> {
  t.teardown(() => servers.killAll())
  for (let n = 1; n <= servers.count; n++) servers.start(n)
  const leader = await untilLed(servers)
  await sleep(12_000) // until autopilot has given all of them a vote
  const before = pids(servers).map(cpuSeconds)
  await sleep(SECONDS * 1000)
  const spent = pids(servers).map((pid, i) => cpuSeconds(pid) - (before[i] ?? 0))
  const ip = servers.ip(leader)
  const puts = {verb: 'put', keys: KEYS, valueBytes: VALUE_BYTES} as const
  await load(ip, CLIENTS, SECONDS / 4, {...puts, keys: 1000})
  const put = await load(ip, CLIENTS, SECONDS, puts)
  const get = await load(ip, CLIENTS, SECONDS, {verb: 'get', keys: 1000})
  // Memory is judged with all keys there
  await load(ip, CLIENTS, 120, {...puts, times: KEYS})
  const residents = pids(servers).map(residentMiB)
  await servers.kill(leader)
  const since = Date.now()
  await untilLed(servers)
  const newLeaderMs = Date.now() - since
  await servers.killAll()
  const idleCpuPercent = (Math.max(...spent) / SECONDS) * 100
  return {put, get, newLeaderMs, idleCpuPercent, residentMiB: Math.max(...residents)}
}

const said = ({perSecond, p50Ms, p99Ms, failed}: LoadResult): string =>
  `${perSecond.toFixed(0)}/s, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms, ${failed} failed`

function tell(t: Test, name: string, one: Measured): void {
  t.comment(`${name}: PUT ${said(one.put)}`)
  t.comment(`${name}: consistent GET ${said(one.get)}`)
  t.comment(`${name}: new leader ${(one.newLeaderMs / 1000).toFixed(1)} s after the old one was killed`)
  t.comment(
    `${name}: idle ${one.idleCpuPercent.toFixed(1)} % of a processor, ${one.residentMiB.toFixed(0)} MiB`,
  )
}

t.test('three servers of ours beside three of Consul', async t => {
  const directory = t.testdir()
  const ours = await measure(t, new Victims(join(directory, 'ours'), 3, '71.20'))
  tell(t, 'quorate', ours)
  for (const {version, path} of realConsuls()) {
    if (!version.startsWith('1.8.')) continue
    const theirs = await measure(t, new Victims(join(directory, version), 3, '71.21', [], path))
    tell(t, `Consul ${version}`, theirs)
    const ratio = (a: number, b: number): string => (a / b).toFixed(2)
    t.comment(
      `PUT ratio ${ratio(ours.put.perSecond, theirs.put.perSecond)} (at least 1), p99 ${ratio(ours.put.p99Ms, theirs.put.p99Ms)} (at most 1)`,
    )
    t.comment(
      `GET ratio ${ratio(ours.get.perSecond, theirs.get.perSecond)} (at least 1), p99 ${ratio(ours.get.p99Ms, theirs.get.p99Ms)} (at most 1)`,
    )
    t.comment(`new leader ratio ${ratio(ours.newLeaderMs, theirs.newLeaderMs)} (at most 1)`)
  }
  t.equal(ours.put.failed + ours.get.failed, 0, 'every request was answered')
})
