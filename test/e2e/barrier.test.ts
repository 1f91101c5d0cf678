// Behind quorate's back a server is started again between the proof that it is stopped and the write. No byte may
// reach its raft directory.
import {createHash} from 'node:crypto'
import {existsSync, readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {atLeast} from '../lab/binaries.js'
import {eventually, type Lab} from '../lab/lab.js'
import type {LabManager} from '../lab/provision.js'
import {untilRecord} from './crash.js'
import {isWhole, scenario} from './scenario.js'
import {consent, gone, planned, endedWell} from './steps.js'

/** How someone else starts a server, each against another hold. */
const restarts: readonly {
  readonly title: string
  readonly manager: LabManager
  readonly script: string
  readonly managed: boolean
}[] = [
  {
    title: 'by hand as the service user',
    managed: false,
    manager: 'runit',
    script:
      'setsid chpst -u consul:consul /usr/local/bin/consul agent -config-dir=/etc/consul.d/server </dev/null >/dev/null 2>&1 &',
  },
  {
    title: 'by runit, with the hold taken away',
    managed: true,
    manager: 'runit',
    script: 'rm -f /etc/sv/consul/down; sv up consul; sleep 1; pidof consul',
  },
  {
    title: 'by systemd with Restart=always, with the hold taken away',
    managed: true,
    manager: 'systemd',
    script: 'rm -rf /run/systemd/system/consul.service.d; systemctl daemon-reload; systemctl start consul',
  },
]

const files = (lab: Lab, i: number): Map<string, string> => {
  const dir = lab.data(i, 'raft')
  const names = readdirSync(dir).filter(name => name !== 'raft.db' && name !== 'snapshots')
  return new Map(
    names.map(name => [
      name,
      createHash('sha256')
        .update(readFileSync(join(dir, name)))
        .digest('hex'),
    ]),
  )
}

for (const {title, manager, script, managed} of restarts)
  scenario(
    `a server started again ${title} between barrier and write: nothing is written`,
    {servers: 3, manager, restart: 'always'},
    async scene => {
      const {t, lab, operator} = scene
      await lab.kill(2, 3)
      await lab.bereaved([1])
      const before = files(lab, 1)
      const args = gone(operator, 2, 3)
      const {plan, text} = await planned(operator, ...args)
      if (plan === undefined) throw new Error(text)
      const proof = plan.phases.flatMap(phase => phase.steps).find(step => step.action.do === 'prove-stopped')
      const run = operator.start(['peers', 'fix', '--cluster', 'lab', ...args, ...consent(plan)])
      t.ok(await untilRecord(operator, run, 1), 'quorate runs')
      const proved = (): boolean =>
        operator
          .journal()
          .some(line => line.type === 'done' && line.step?.split('.').at(-1) === proof?.action.do)
      while (!run.over() && !proved()) await new Promise(resolve => setTimeout(resolve, 1))
      run.signal('SIGSTOP')
      const writes = (): boolean =>
        operator.journal().some(line => line.step?.includes('write-file') === true)
      t.notOk(writes(), 'it is held between barrier and write')
      await lab.exec(1, script)
      await eventually('the server started behind its back', async () =>
        (await lab.exec(1, 'pidof consul')) === '' ? undefined : true,
      )
      run.signal('SIGCONT')
      const ended = await run.ended
      t.not(ended.exitCode, 0, 'quorate stops')
      if (atLeast(lab.binary.version, '0.7.0'))
        t.notOk(existsSync(lab.data(1, 'raft', 'peers.json')), 'no recovery file')
      t.same(files(lab, 1), before, 'no byte of the raft directory is quorate’s')
      if (!managed) await lab.exec(1, 'kill -KILL $(pidof consul)')
      const resumed = await operator.run('resume', operator.plans().at(-1) ?? '', ...consent(plan))
      endedWell(t, resumed)
      await isWhole(scene, [1])
    },
  )
