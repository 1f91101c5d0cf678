import {spawn} from 'node:child_process'
import {chmodSync, existsSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import t from 'tap'
import type {Test} from 'tap'
import {supervisor} from '../../../src/adapters/service/supervisor.js'
import type {ServiceUnit} from '../../../src/ports/service-manager.js'
import {connectHere} from '../../helpers/here.js'
import {childrenOf, kill, makeKeyDir, requireProgram} from '../../helpers/sshd.js'

requireProgram('/usr/bin/supervisord', 'supervisor')
const connection = await connectHere()
const options = {firstSignal: 'SIGKILL', graceMs: 500} as const

/** A program that supervisord restarts always, and that leaves on its stop signal. */
async function world(
  t: Test,
  wrapped: boolean,
): Promise<{unit: ServiceUnit; starts: () => number; left: () => boolean; pid: () => number}> {
  const root = makeKeyDir()
  const server = join(root, 'server')
  writeFileSync(
    server,
    `#!/bin/sh\ntrap 'echo left >>${root}/left; exit 0' TERM\necho start >>${root}/starts\nwhile :; do sleep 0.05; done\n`,
  )
  writeFileSync(join(root, 'wrapper'), `#!/bin/sh\n${server}\nexit $?\n`)
  chmodSync(server, 0o755)
  chmodSync(join(root, 'wrapper'), 0o755)
  const conf = join(root, 'supervisord.conf')
  const lines = [
    `[unix_http_server]\nfile=${root}/s.sock`,
    '[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface',
    `[supervisorctl]\nserverurl=unix://${root}/s.sock`,
    `[supervisord]\nlogfile=${root}/log\npidfile=${root}/pid\nnodaemon=true\nuser=root`,
    `[program:consul]\ncommand=${wrapped ? join(root, 'wrapper') : server}\nautorestart=true\nstartsecs=0\nstopsignal=TERM\nstopasgroup=true`,
  ]
  writeFileSync(conf, `${lines.join('\n')}\n`)
  const daemon = spawn('/usr/bin/supervisord', ['-c', conf], {stdio: 'ignore'})
  const starts = (): number =>
    existsSync(join(root, 'starts'))
      ? readFileSync(join(root, 'starts'), 'utf8').trim().split('\n').length
      : 0
  t.teardown(async () => {
    const children = childrenOf(daemon.pid ?? 0)
    const all = [...children, ...children.flatMap(pid => childrenOf(pid))]
    await new Promise<void>(resolve => {
      daemon.once('exit', () => resolve())
      daemon.kill('SIGKILL')
    })
    for (const pid of all) kill(pid)
    rmSync(root, {recursive: true, force: true})
  })
  await until(() => starts() === 1)
  return {
    unit: {manager: 'supervisor', unit: `consul@${conf}`},
    starts,
    left: () => existsSync(join(root, 'left')),
    pid: () => childrenOf(daemon.pid ?? 0)[0] ?? 0,
  }
}

async function until(claim: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !claim(); i++) await new Promise(resolve => setTimeout(resolve, 50))
  if (!claim()) throw new Error(`not so in time: ${String(claim)}`)
}

for (const wrapped of [false, true]) {
  t.test(
    `a program that would leave is stopped without leaving${wrapped ? ', behind a wrapper too' : ''}`,
    async t => {
      const {unit, starts, left, pid} = await world(t, wrapped)
      t.match(await supervisor.hold(connection, unit, 'p1'), {ok: true})
      t.match(await supervisor.hold(connection, unit, 'p1'), {ok: true, note: /already/})
      t.match(await supervisor.stop(connection, unit, options), {ok: true})
      t.equal(left(), false)
      t.equal(pid(), 0)
      const before = starts()
      await new Promise(resolve => setTimeout(resolve, 2500))
      t.equal(starts(), before, 'supervisord does not start it again')
      t.equal(await supervisor.held(connection, unit, 'p1'), true)
      t.match(await supervisor.stop(connection, unit, options), {ok: true, note: /already/})
      t.match(await supervisor.release(connection, unit, 'p1'), {ok: true})
      t.equal(await supervisor.held(connection, unit, 'p1'), false)
      t.match(await supervisor.start(connection, unit), {ok: true})
      await until(() => starts() === before + 1)
      kill(pid())
      await until(() => starts() > before + 1)
      t.pass('supervisord restarts it again')
    },
  )
}

t.test('a program that supervisord does not know is refused in one sentence', async t => {
  const {unit} = await world(t, false)
  const unknown: ServiceUnit = {manager: 'supervisor', unit: unit.unit.replace('consul@', 'nosuch@')}
  t.match(await supervisor.hold(connection, unknown, 'p1'), {ok: false, note: /no such process/})
  t.match(await supervisor.hold(connection, {manager: 'supervisor', unit: 'a b'}, 'p1'), {ok: false})
})
