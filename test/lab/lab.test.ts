import {existsSync} from 'node:fs'
import {execa} from 'execa'
import {Lab, eventually, labScript} from './lab.js'
import type {LabManager} from './provision.js'
import {labTest} from './permit.js'

const pairs = Array.from({length: 50}, (_, i) => ({key: `lab/${String(i)}`, value: `v${String(i)}`}))

const holdsAll = async (lab: Lab, i: number): Promise<boolean> =>
  eventually(`every key on server ${String(i)}`, async () =>
    (await lab.contents(i, 'lab/')).size === pairs.length ? true : undefined,
  )

for (const manager of ['runit', 'systemd', 'supervisor'] as const satisfies readonly LabManager[])
  labTest(`three hosts under ${manager} hold a cluster that survives a power cut`, async t => {
    const lab = await Lab.up({servers: 3, manager})
    t.teardown(async () => lab.down())
    const leader = await lab.leader()
    t.equal((await lab.put(leader, pairs)).length, pairs.length)
    await lab.kill(leader)
    const left = lab.numbers.filter(i => i !== leader)
    const next = await lab.leader(left)
    t.ok(await holdsAll(lab, next))
    const [one = 0, other = 0] = left
    await lab.halt(one)
    await eventually('no leader on the one that is left', async () =>
      (await lab.leaderSeen(other)) === '' ? true : undefined,
    )
    await lab.service(one, 'start')
    await lab.leader(left)
    await lab.boot(leader)
    await lab.leader()
    t.ok(await holdsAll(lab, leader))
    const {stdout, exitCode, stderr} = await lab.operator([
      'ssh',
      ...['-i', lab.ssh.key, '-o', `UserKnownHostsFile=${lab.ssh.knownHosts}`, '-o', 'BatchMode=yes'],
      'ops@192.168.1.11',
      'id -un; sudo -n true || echo password required',
    ])
    t.equal(exitCode, 0, stderr)
    t.match(stdout, /^ops\npassword required$/)
    t.ok(existsSync(lab.data(one, 'raft', 'raft.db')))
  })

labTest('a partition cuts servers off from each other until it is healed', async t => {
  const lab = await Lab.up({servers: 3})
  t.teardown(async () => lab.down())
  const leader = await lab.leader()
  const others = lab.numbers.filter(i => i !== leader)
  await lab.partition(leader, ...others)
  const next = await lab.leader(others)
  t.not(next, leader)
  await lab.heal()
  t.ok(await lab.leader())
})

labTest('what a killed test run leaves behind is gone before the next lab stands', async t => {
  const owner = execa('sleep', ['600'], {reject: false})
  const id = await labScript('claim', String(owner.pid))
  await labScript('net-up', id)
  owner.kill('SIGKILL')
  await owner
  const next = await labScript('claim', String(process.pid))
  t.teardown(() => labScript('down', next))
  t.equal(next, id, 'its number is free again')
  t.notOk(existsSync(`/run/netns/ql${id}-ops`), 'and its network is gone')
})
