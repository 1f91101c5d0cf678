// Servers that left, or that would leave if they were stopped carelessly.
import {existsSync, readFileSync} from 'node:fs'
import {atLeast} from '../lab/binaries.js'
import type {Lab} from '../lab/lab.js'
import {isWhole, scenario} from './scenario.js'
import {doctor, fix, gone, planned, consent, endedWell} from './steps.js'

const serfLeaves = (lab: Lab, i: number): number => {
  const path = lab.data(i, 'serf', 'local.snapshot')
  return existsSync(path) ? (readFileSync(path, 'utf8').match(/^leave$/gm) ?? []).length : 0
}

/** In what order servers leave: those of one group at one time. */
const orders: readonly {readonly how: string; readonly groups: readonly (readonly number[])[]}[] = [
  {how: 'one after another', groups: [[1], [2], [3]]},
  {how: 'the last two at one time', groups: [[1], [2, 3]]},
]

for (const {how, groups} of orders)
  scenario(
    `all servers left gracefully, ${how}: they are one cluster again without a lost key`,
    {servers: 3, manager: 'systemd', config: {rejoin_after_leave: false}},
    async scene => {
      const {t, lab, operator} = scene
      for (const group of groups)
        await Promise.all(group.map(async i => lab.exec(i, 'consul leave || true; systemctl stop consul')))
      for (const i of lab.numbers) t.ok(serfLeaves(lab, i) > 0, `${lab.name(i)} left`)
      if (!atLeast(lab.binary.version, '0.7.0'))
        for (const i of lab.numbers)
          t.equal(readFileSync(lab.data(i, 'raft', 'peers.json'), 'utf8').trim(), 'null')
      const before = await doctor(operator)
      // From 0.7 on the last two may both leave before the removal of the one is committed by the other.
      const signs = ['LAST_LEAVER_ALONE', 'PEER_SET_EMPTY', 'TRANSIENT_LOSS']
      t.ok(
        signs.some(code => before.codes.has(code)),
        before.text,
      )
      const {plan, text} = await planned(operator)
      if (plan === undefined) throw new Error(text)
      t.same(
        plan.risks.filter(risk => risk.mustAccept),
        [],
        'nothing is to be accepted: every log is there',
      )
      const done = await operator.run('peers', 'fix', '--cluster', 'lab', ...consent(plan))
      endedWell(t, done)
      await isWhole(scene, lab.numbers)
    },
  )

scenario(
  "with the handbook's own leave_on_terminate=true no server leaves and no list turns null while it is mended",
  {servers: 3, manager: 'systemd', config: {leave_on_terminate: true}},
  async scene => {
    const {t, lab, operator} = scene
    await lab.kill(3)
    await lab.halt(2)
    await lab.bereaved([1])
    await lab.kill(2)
    const leaves = serfLeaves(lab, 1)
    const lists: string[] = []
    const path = lab.data(1, 'raft', 'peers.json')
    const watch = setInterval(() => {
      if (existsSync(path)) lists.push(readFileSync(path, 'utf8').trim())
    }, 20)
    const done = await fix(operator, 'recovery-file', ...gone(operator, 2, 3))
    clearInterval(watch)
    endedWell(t, done)
    t.equal(serfLeaves(lab, 1), leaves, 'the survivor never left')
    t.notOk(lists.includes('null'), 'no list turned null')
    await isWhole(scene, [1])
  },
)
