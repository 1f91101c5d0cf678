// Servers that moved, files that humans left, survivors that differ.
import {rmSync, writeFileSync} from 'node:fs'
import {atLeast, realConsuls, type ServerBinary} from '../lab/binaries.js'
import {eventually} from '../lab/lab.js'
import {labTest} from '../lab/permit.js'
import {holds, isWhole, raise, scenario, someKeys, type Scene} from './scenario.js'
import {lastIndex} from './crash.js'
import {consent, doctor, fix, gone, planned, endedWell} from './steps.js'
import {Operator} from './operator.js'

/** Leases long enough to write to a leader that is already cut off; before 0.7 they are fixed at half a second. */
function leasesFor(binary: ServerBinary): Readonly<Record<string, unknown>> {
  if (binary.kind === 'reference') return {performance: {raft_multiplier: 4, leave_drain_time: '200ms'}}
  return atLeast(binary.version, '0.7.0') ? {performance: {raft_multiplier: 8}} : {}
}

/** Gives every server a new address while all are off. */
async function moveAll({t, lab, operator}: Scene): Promise<{moved: Operator; pairs: readonly string[]}> {
  const old = lab.numbers.map(i => lab.address(i))
  await lab.kill(...lab.numbers)
  for (const i of lab.numbers) lab.readdress(i, `192.168.1.2${String(i)}`)
  await Promise.all(lab.numbers.map(async i => lab.boot(i)))
  const moved = new Operator(lab, operator.login)
  t.teardown(() => moved.leave())
  // With ports and without: a bare host keeps its port.
  const pairs = lab.numbers.flatMap(i => {
    const port = i === 1 ? ':8300' : ''
    return ['--readdress', `${old[i - 1] ?? ''}${port}=${lab.address(i)}${port}`]
  })
  return {moved, pairs}
}

/** Raft protocol 3 of real Consul: peers are dialled where gossip has them, so that new addresses are no outage. */
const dialsByGossip = (binary: ServerBinary): boolean =>
  binary.kind === 'consul' && atLeast(binary.version, '1.16.0')

scenario(
  'all servers have new addresses: the peer set follows them',
  {
    servers: 3,
    suits: binary => !dialsByGossip(binary),
    configFor: binary =>
      binary.kind === 'consul' && atLeast(binary.version, '1.0.0') ? {raft_protocol: 2} : {},
  },
  async scene => {
    const {moved, pairs} = await moveAll(scene)
    const done = await fix(moved, 'recovery-file', ...pairs)
    endedWell(scene.t, done)
    await isWhole({...scene, operator: moved}, scene.lab.numbers)
  },
)

for (const binary of realConsuls().filter(dialsByGossip))
  labTest(
    `all servers have new addresses and lead by themselves: no recovery (Consul ${binary.version})`,
    async t => {
      const scene = await raise(t, {servers: 3}, binary)
      const {moved, pairs} = await moveAll(scene)
      await isWhole({...scene, operator: moved}, scene.lab.numbers)
      const {exitCode, answer, text} = await planned(moved, ...pairs)
      t.equal(exitCode, 3, text)
      t.equal(answer.error?.code, 'QUORUM_PRESENT', text)
    },
  )

scenario(
  'a recovery file in the wrong dialect keeps the survivor from starting: it is named and replaced',
  {servers: 3, manager: 'systemd'},
  async scene => {
    const {t, lab, operator} = scene
    await lab.kill(2, 3)
    await lab.bereaved([1])
    const address = `${lab.address(1)}:8300`
    const other = atLeast(lab.binary.version, '1.0.0') ? [address] : [{id: address, address}]
    writeFileSync(lab.data(1, 'raft', 'peers.json'), JSON.stringify(other))
    await lab.exec(1, 'systemctl restart consul || true')
    await eventually('a server that will not start', async () =>
      /cannot unmarshal (string|object)/.test(await lab.log(1, 100)) ? true : undefined,
    )
    const before = await doctor(operator)
    t.ok(before.codes.has('DIALECT_MISMATCH'), before.text)
    const starts = before.remedies.filter(
      ({title, risk}) => risk === 'nothing' && /^Start server1\b/.test(title),
    )
    t.same(starts, [], 'no start is advised while the file lies there')
    const [way] = before.remedies.filter(({risk}) => risk !== 'nothing')
    t.match(way?.commands.join(), /peers fix/, 'the way out is a planned file')
    const done = await fix(operator, 'recovery-file', ...gone(operator, 2, 3))
    endedWell(t, done)
    await isWhole(scene, [1])
  },
)

scenario('one survivor is behind: what the other holds is kept', {servers: 5}, async scene => {
  const {t, lab, operator, keys} = scene
  await lab.partition(1, 2, 3, 4, 5)
  const leader = await lab.leader([2, 3, 4, 5])
  const late = await lab.put(leader, someKeys('late', 50))
  t.equal(late.length, 50)
  await holds(lab, 2, late)
  await lab.kill(3, 4, 5)
  // If it led, it would hand on what it has as long as it has not noticed its loss
  await lab.leaderless([2])
  await lab.heal()
  await lab.bereaved([1, 2])
  t.equal((await lab.contents(1, 'late/')).size, 0, 'server1 has none of the late keys')
  const {plan, text} = await planned(operator, ...gone(operator, 3, 4, 5))
  if (plan === undefined) throw new Error(text)
  const args = [...gone(operator, 3, 4, 5), ...consent(plan)]
  const done = await operator.run('peers', 'fix', '--cluster', 'lab', ...args)
  endedWell(t, done)
  await isWhole(scene, [1, 2], [...keys, ...late])
})

/** A leader cut off from all others while it writes what nobody else gets; the others have a new one. */
async function cutOffLeader({
  t,
  lab,
}: Scene): Promise<{old: number; others: readonly number[]; leader: number; prefix: string}> {
  // On a busy machine a leader may fall before it has been written to, or a packet slip through before the cut.
  for (let trial = 1; trial <= 4; trial++) {
    const old = await lab.leader()
    const others = lab.numbers.filter(i => i !== old)
    const prefix = `lost${String(trial)}`
    const before = await lastIndex(lab, old)
    await lab.partition(old, ...others)
    const lost = await lab.put(old, someKeys(prefix, 20))
    const written = (await lastIndex(lab, old)) - before
    const leader = await lab.leader(others)
    if (lost.length === 0 && written >= 20 && (await lab.contents(leader, `${prefix}/`)).size === 0) {
      t.pass('the cut-off leader acknowledges nothing, and has written it down')
      return {old, others, leader, prefix: `${prefix}/`}
    }
    t.comment(
      `trial ${String(trial)}: ${String(written)} entries written, ${String(lost.length)} acknowledged`,
    )
    await lab.heal()
  }
  throw new Error('no leader could be cut off while it wrote')
}

scenario(
  'the tails of two survivors conflict: the better log goes first and the other follows it',
  {servers: 5, configFor: leasesFor},
  async scene => {
    const {t, lab, operator, keys} = scene
    const {old, others, leader, prefix} = await cutOffLeader(scene)
    const [best = 0, ...doomed] = others
    const late = await lab.put(leader, someKeys('late', 20))
    t.equal(late.length, 20)
    await holds(lab, best, late)
    await lab.kill(...doomed)
    // While it still leads it would mend the other's log as soon as they meet
    await lab.bereaved([best])
    await lab.heal()
    await lab.bereaved([old, best])
    const args = gone(operator, ...doomed)
    const before = await doctor(operator)
    t.ok(before.codes.has('DIVERGENT_TAIL'), before.text)
    const {plan, text} = await planned(operator, ...args)
    t.equal(plan?.method, 'best-log-alone', text)
    if (plan === undefined) return
    const done = await operator.run('peers', 'fix', '--cluster', 'lab', ...args, ...consent(plan))
    endedWell(t, done)
    await isWhole(scene, [old, best], [...keys, ...late])
    t.equal((await lab.contents(old, prefix)).size, 0, 'what nobody acknowledged is gone')
  },
)

scenario(
  "a blank machine stands under a dead voter's id: it gets no file, and rejoins once the survivor leads",
  {servers: 4, manager: 'systemd'},
  async scene => {
    const {t, lab, operator} = scene
    await lab.kill(2, 3, 4)
    await lab.bereaved([1])
    for (const part of ['raft', 'serf']) rmSync(lab.data(3, part), {recursive: true, force: true})
    await lab.boot(3)
    await eventually('the blank server answers', async () => lab.leaderSeen(3))
    const before = await doctor(operator)
    t.ok(before.codes.has('BLANK_VOTER'), before.text)
    const args = gone(operator, 2, 4)
    const {plan, text} = await planned(operator, ...args)
    if (plan === undefined) throw new Error(text)
    const writes = plan.phases.flatMap(phase =>
      phase.steps.filter(step => step.action.path?.endsWith('/raft/peers.json') === true),
    )
    t.notOk(
      writes.some(step => step.action.do === 'write-file' && step.host === lab.name(3)),
      'the blank server is given no peer set',
    )
    const done = await operator.run('peers', 'fix', '--cluster', 'lab', ...args, ...consent(plan))
    endedWell(t, done)
    await isWhole(scene, [1, 3])
  },
)
