// Plays drills from the outside, as the README's first command does: the built program, its own agent, real processes.
// One scenario by default; QUORATE_DRILLS=all plays every one that this machine can.
import {execFile} from 'node:child_process'
import {mkdtempSync, readdirSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import t from 'tap'
import type {Test} from 'tap'
import {SCENARIOS} from '../../src/cluster/drill/scenarios/index.js'

const cli = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url))

interface Ended {
  readonly code: number
  readonly json: {
    readonly exit: number
    readonly result: {
      readonly solved: boolean
      readonly score: number
      readonly writes: {
        readonly acknowledged: number
        readonly found: number
        readonly lostWithServers: readonly string[]
        readonly givenUp: readonly string[]
      }
      readonly commands: readonly {readonly line: string}[]
      readonly scenarios: readonly {readonly name: string}[]
    }
  }
}

async function quorate(state: string, words: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [cli, ...words, '--json'],
      {env: {PATH: process.env['PATH'], HOME: state, XDG_STATE_HOME: state}, maxBuffer: 64 << 20},
      (error, stdout, stderr) => {
        try {
          resolve({code: Number(error?.code ?? 0), json: JSON.parse(stdout) as Ended['json']})
        } catch {
          reject(new Error(`${words.join(' ')}: ${stderr.slice(-3000)}`))
        }
      },
    )
  })
}

function stateHome(t: Test): string {
  const state = mkdtempSync(join(tmpdir(), 'quorate-drill-'))
  t.teardown(async () => {
    await quorate(state, ['cluster', 'down', '--name', 'drill'])
    rmSync(state, {recursive: true, force: true})
  })
  return state
}

const all = process.env['QUORATE_DRILLS'] === 'all'

t.test('every scenario is listed', async t => {
  const {code, json} = await quorate(stateHome(t), ['drill', '--list'])
  t.equal(code, 0)
  t.same(
    json.result.scenarios.map(({name}) => name),
    SCENARIOS.map(({name}) => name),
  )
})

for (const {name, unplayable} of all ? SCENARIOS : SCENARIOS.slice(0, 1)) {
  t.test(
    `${name} is repaired by quorate's own commands, and no write that a server held is lost`,
    async t => {
      const why = unplayable?.()
      if (why !== undefined) return t.pass(why)
      const state = stateHome(t)
      const {code, json} = await quorate(state, ['drill', name, '--auto'])
      const {solved, score, writes, commands} = json.result
      t.match({code, solved, score}, {code: 0, solved: true, score: 100}, JSON.stringify(json.result))
      t.same(writes.givenUp, [])
      t.equal(
        writes.found + writes.lostWithServers.length,
        writes.acknowledged,
        'every write is accounted for',
      )
      t.ok(commands.some(({line}) => line.startsWith('doctor')))
      t.same(readdirSync(join(state, 'quorate', 'clusters')), [], 'nothing of it is left')
    },
  )
}

t.test('a drill that nobody repairs is not solved, and is gone all the same', async t => {
  const state = stateHome(t)
  const {code, json} = await quorate(state, ['drill', 'majority-dead', '--limit', '5'])
  t.match({code, solved: json.result.solved}, {code: 11, solved: false})
  t.same(json.result.commands, [])
  t.same(readdirSync(join(state, 'quorate', 'clusters')), [])
})
