// Servers that moved, files that humans left, survivors that differ.
import {writeFileSync} from 'node:fs'
import {atLeast} from '../lab/binaries.js'
import {eventually} from '../lab/lab.js'
import {holds, isWhole, scenario, someKeys} from './scenario.js'
import {consent, doctor, fix, gone, planned, endedWell} from './steps.js'
import {Operator} from './operator.js'

scenario('all servers have new addresses: the peer set follows them', {servers: 3}, async scene => {
  const {t, lab, operator} = scene
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
  const done = await fix(moved, 'recovery-file', ...pairs)
  endedWell(t, done)
  await isWhole({...scene, operator: moved}, lab.numbers)
})

scenario(
  'a recovery file in the wrong dialect keeps the survivor from starting: it is named and replaced',
  {servers: 3, manager: 'systemd', suits: binary => atLeast(binary.version, '1.0.0')},
  async scene => {
    const {t, lab, operator} = scene
    await lab.kill(2, 3)
    await lab.bereaved([1])
    writeFileSync(lab.data(1, 'raft', 'peers.json'), `["${lab.address(1)}:8300"]\n`)
    await lab.exec(1, 'systemctl restart consul || true')
    await eventually('a server that will not start', async () =>
      /cannot unmarshal string/.test(await lab.log(1, 100)) ? true : undefined,
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
  for (const i of [2, 3, 4, 5]) await lab.partition(1, i)
  const leader = await lab.leader([2, 3, 4, 5])
  const late = await lab.put(leader, someKeys('late', 50))
  t.equal(late.length, 50)
  await holds(lab, 2, late)
  await lab.kill(3, 4, 5)
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

scenario(
  'the tails of two survivors conflict: the better log goes first and the other follows it',
  {servers: 5, config: {performance: {raft_multiplier: 4, leave_drain_time: '200ms'}}, suits: () => false},
  async scene => {
    const {t, lab, operator, keys} = scene
    const old = await lab.leader()
    const others = lab.numbers.filter(i => i !== old)
    const [best = 0, ...doomed] = others
    await Promise.all(others.map(async i => lab.partition(old, i)))
    const lost = await lab.put(old, someKeys('lost', 20))
    t.equal(lost.length, 0, 'the cut-off leader acknowledges nothing')
    const leader = await lab.leader(others)
    const late = await lab.put(leader, someKeys('late', 20))
    t.equal(late.length, 20)
    await holds(lab, best, late)
    await lab.kill(...doomed)
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
    t.equal((await lab.contents(old, 'lost/')).size, 0, 'what nobody acknowledged is gone')
  },
)
