// Contents of a cluster of our own agents, compared from the outside while it is written to: sound servers never alarm,
// a server whose contents differ is found, and a recovery is verified.
import {execFile} from 'node:child_process'
import {mkdtempSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import t from 'tap'
import {Load} from '../../src/cluster/drill/load.js'
import {silentDivergence} from '../../src/cluster/drill/scenarios/divergence.js'
import {fixWords} from '../../src/cluster/drill/scenarios/losses.js'
import type {DrillWorld} from '../../src/cluster/drill/scenario.js'
import {clusterDown, clusterUp} from '../../src/cluster/up-down.js'
import type {ContentsComparison} from '../../src/core/model/contents.js'
import type {Check} from '../../src/core/model/verdict.js'

const cli = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url))
const name = 'contents'
const state = mkdtempSync(join(tmpdir(), 'quorate-contents-'))
const env = {PATH: process.env['PATH'], HOME: state, XDG_STATE_HOME: state}
/** Keys that are written and deleted without end, besides those that are only added. */
const HOT_KEYS = 30
const EVERY_MS = 25

interface Ended {
  readonly exit: number
  readonly result: {
    readonly verdict: string
    readonly sentence: string
    readonly findings: readonly {readonly code: string; readonly summary: string}[]
    readonly checks: readonly Check[]
    readonly observation: {readonly contents?: ContentsComparison}
  }
}

async function quorate(...words: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [cli, ...words, '--json'], {env, maxBuffer: 64 << 20}, (_, stdout, stderr) => {
      try {
        resolve(JSON.parse(stdout) as Ended)
      } catch {
        reject(new Error(`${words.join(' ')}: ${stderr.slice(-3000)}`))
      }
    })
  })
}

const doctor = () => quorate('doctor', '--cluster', name)
const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** Puts and deletes hot keys through one server after the other until it is stopped; tells how many were acknowledged. */
function churn(targets: () => readonly string[]) {
  let going = true
  let done = 0
  const one = async (turn: number): Promise<void> => {
    const host = targets()[turn % targets().length] ?? ''
    const url = `http://${host}:8500/v1/kv/hot/${Math.floor(Math.random() * HOT_KEYS)}`
    const method = Math.random() < 0.3 ? 'DELETE' : 'PUT'
    const body = method === 'PUT' ? {body: `value ${turn}`} : {}
    const answer = await fetch(url, {method, signal: AbortSignal.timeout(1000), ...body})
    if (answer.ok) done += 1
    await answer.arrayBuffer()
  }
  const loop = (async () => {
    for (let turn = 0; going; turn++) {
      await one(turn).catch(() => undefined) // a server that is down takes none
      await sleep(EVERY_MS)
    }
  })()
  return {
    count: () => done,
    stop: async () => {
      going = false
      await loop
    },
  }
}

t.test('contents are compared under steady writes', async t => {
  const {cluster} = await clusterUp(env, {
    ...{name, servers: 4, clients: 0, raftProtocol: 3, encrypt: false, leaderWithinMs: 30_000},
    program: {command: [process.execPath, cli, 'agent'], partitions: true},
    ...(silentDivergence.settings === undefined ? {} : {settings: silentDivergence.settings}),
  })
  const up = () => cluster.servers.filter(member => cluster.process(member) !== undefined)
  const addresses = () => up().map(({address}) => address)
  const load = new Load('contents', addresses)
  await load.write(150, 30_000)
  load.start()
  const hot = churn(addresses)
  t.teardown(async () => {
    await Promise.all([load.stop(), hot.stop()])
    await clusterDown(env, name)
    rmSync(state, {recursive: true, force: true})
  })

  await t.test('sound servers are healthy, and most keys were compared', async t => {
    for (let look = 0; look < 4; look++) {
      const before = hot.count() + load.acknowledged.length
      const {exit, result} = await doctor()
      t.match(
        {exit, verdict: result.verdict, findings: result.findings.map(({code}) => code)},
        {
          ...{exit: 0, verdict: 'healthy'},
        },
      )
      const contents = result.observation.contents
      t.match(contents, {hosts: {length: 4}, doubtful: 0, divergent: undefined})
      t.ok((contents?.same ?? 0) >= 150, `${contents?.same} of ${contents?.keys}, up to ${contents?.upTo}`)
      const meanwhile = hot.count() + load.acknowledged.length - before
      t.ok(meanwhile >= 3, `${meanwhile} writes were acknowledged while it looked`)
    }
  })

  await t.test('a server whose contents silently differ is found', async t => {
    const world: DrillWorld = {
      ...{cluster, load, sleep, auto: true, failing: () => undefined},
      until: async (what, condition) => {
        for (let i = 0; !(await condition()); i++) {
          if (i > 300) throw new Error(`Not in time: ${what}.`)
          await sleep(100)
        }
      },
    }
    await silentDivergence.inject(world)
    const {exit, result} = await doctor()
    t.equal(exit, 4)
    t.match(
      result.findings.find(({code}) => code === 'STATE_DIVERGENT')?.summary,
      /server1, server2 and server4 \(\d+ keys\) \| server3 \(\d+ keys\)/,
    )
    const {divergent} = result.observation.contents ?? {}
    t.ok((divergent?.keys ?? 0) >= 20, `${divergent?.keys} keys`)
    t.ok(divergent?.examples.every(({key}) => key.startsWith('contents/')))
  })

  await t.test('a recovery of the others is verified although writes go on at once', async t => {
    await cluster.stop(cluster.members(['server3', 'server4']), 'SIGKILL')
    const fix = fixWords(cluster, '--remove', 'server3', '--remove', 'server4')
    if (!('run' in fix)) throw new Error('a command of quorate')
    t.match(await quorate(...fix.run), {exit: 0})
    const before = hot.count()
    const {exit, result} = await quorate('verify', '--cluster', name, '--reconcile', '5')
    t.equal(exit, 0, JSON.stringify(result.checks))
    const check = result.checks.find(one => one.name === 'contents')
    t.match(check, {state: 'ok'}, check?.text ?? 'no check')
    t.ok(hot.count() > before + 20, `${hot.count() - before} writes while it was verified`)
  })
})
