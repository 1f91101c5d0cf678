import {readdirSync, readFileSync, statSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import t from 'tap'
import {JournalFile} from '../../src/adapters/journal-file.js'
import {loadPlanFile, savePlanFile} from '../../src/adapters/plan-file.js'
import {canonicalJson} from '../../src/core/planning/fingerprint.js'
import {history, historyOf} from '../../src/engine/use-cases/history.js'
import {newestPlan} from '../../src/engine/use-cases/verify.js'
import {planFor} from '../model/rehearsal.js'
import {scenarios} from '../model/scenes.js'

const plans = scenarios.map(scenario => planFor(scenario.make(), {remove: scenario.dead}))
const [first] = plans
if (first === undefined) throw new Error('no plan')
const plan = first

t.test('every kind of plan comes back from its file as it went in', async t => {
  const directory = t.testdir()
  for (const plan of plans) {
    const path = join(directory, `${plan.id}.json`)
    await savePlanFile(path, plan)
    const back = await loadPlanFile(path, plan.id)
    t.ok(canonicalJson(back) === canonicalJson(plan), plan.method)
    t.equal(statSync(path).mode & 0o777, 0o600)
  }
  t.equal(readdirSync(directory).length, plans.length, 'no temporary is left behind')
})

t.test('what is no plan is refused with its file, the place and what would be right', async t => {
  const path = join(t.testdir(), 'plan.json')
  const refused = async (text: string, why: RegExp, id?: string): Promise<void> => {
    writeFileSync(path, text)
    await t.rejects(loadPlanFile(path, id), {code: 'PLAN_UNREADABLE', message: why, exitCode: 2})
  }
  await t.rejects(loadPlanFile(`${path}.missing`), {
    code: 'PLAN_UNREADABLE',
    message: /missing cannot be used: ENOENT/,
  })
  await refused('', /it is not JSON/)
  await refused('{"format": 1', /it is not JSON/)
  await refused('[]', /its format is missing; this quorate reads format 1/)
  await refused(JSON.stringify({...plan, format: 2}), /its format is 2; this quorate reads format 1/)
  await refused(JSON.stringify({...plan, id: '../../etc'}), /at id: .*lower-case/)
  await refused(JSON.stringify(plan), /it holds plan \w+; plan other was expected/, 'other')
  const steps = JSON.stringify(plan).replace('"do":"stop-service"', '"do":"reboot"')
  await refused(steps, /at phases\.\d+\.steps\.0\.action/)
  await refused(
    JSON.stringify(plan).replaceAll('"/var/consul/raft/peers.json"', '"peers.json"'),
    /at phases\./,
  )
})

t.test('a flipped byte is refused or changes nothing but a text', async t => {
  const path = join(t.testdir(), 'plan.json')
  const text = JSON.stringify(plan)
  let refused = 0
  for (let at = 0; at < text.length; at += 37) {
    const bytes = Buffer.from(text)
    bytes[at] = (bytes[at] ?? 0) ^ 0x15
    writeFileSync(path, bytes)
    await loadPlanFile(path).catch((error: unknown) => {
      if ((error as {code?: string}).code !== 'PLAN_UNREADABLE') throw error
      refused += 1
    })
  }
  t.ok(refused > 0, `${refused} refused`)
})

t.test('a journal keeps its plan, once, and refuses another one of the same id', async t => {
  const directory = t.testdir()
  const store = new JournalFile(directory)
  await store.savePlan(plan)
  const written = readFileSync(join(directory, `${plan.id}.plan.json`))
  await store.savePlan(plan)
  t.same(readFileSync(join(directory, `${plan.id}.plan.json`)), written)
  t.ok(canonicalJson(await store.loadPlan(plan.id)) === canonicalJson(plan))
  const none = (error: Error): void => void t.fail(error.message)
  t.same(await store.list(none), [{id: plan.id, cluster: plan.cluster, madeAtMs: plan.madeAtMs}])
  await t.rejects(store.savePlan({...plan, fingerprint: 'other'}), {code: 'PLAN_UNREADABLE'})
  t.equal(await store.loadPlan('nothing'), undefined)
})

t.test('a plan or journal that cannot be read hides no other plan, and is named', async t => {
  const directory = t.testdir()
  const store = new JournalFile(directory)
  for (const one of plans) await store.savePlan(one)
  const [broken, torn] = [plans[1]?.id ?? '', plans[2]?.id ?? '']
  writeFileSync(join(directory, `${broken}.plan.json`), '{"format": 1')
  writeFileSync(join(directory, `${torn}.jsonl`), 'no entry\n')
  const told = await history(store)
  t.same(
    told.plans.map(({plan: {id}}) => id).sort(),
    plans
      .map(({id}) => id)
      .filter(id => id !== broken && id !== torn)
      .sort(),
  )
  t.equal(told.skipped.length, 2)
  t.ok(told.skipped.some(why => why.includes(`${directory}/${broken}.plan.json`)))
  t.ok(told.skipped.some(why => why.includes(`${directory}/${torn}.jsonl`)))
  t.equal((await historyOf(store, plan.id)).plan.id, plan.id, 'another plan can be gone on with')
  await t.rejects(newestPlan(store, undefined), {code: 'PLAN_UNREADABLE'})
})
