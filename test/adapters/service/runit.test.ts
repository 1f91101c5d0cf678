import {spawn} from 'node:child_process'
import {chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import t from 'tap'
import type {Test} from 'tap'
import {runit} from '../../../src/adapters/service/runit.js'
import type {ServiceUnit} from '../../../src/ports/service-manager.js'
import {connectHere} from '../../helpers/here.js'
import {childrenOf, kill, makeKeyDir, requireProgram} from '../../helpers/sshd.js'

requireProgram('/usr/bin/runsvdir', 'runit')
requireProgram('/usr/bin/sv', 'runit')
const connection = await connectHere()

interface World {
  readonly unit: ServiceUnit
  readonly dir: string
  readonly pid: () => number
  readonly starts: () => number
  readonly killRunsv: () => void
}

/** A service that notes its starts and the signals it gets; the run script does not exec, as many do not. */
async function world(t: Test): Promise<World> {
  const root = makeKeyDir()
  const dir = join(root, 'services', 'consul')
  mkdirSync(join(dir, 'control'), {recursive: true})
  const server = `echo start >>${root}/starts; trap 'echo left >>${root}/left; exit 0' TERM; while :; do sleep 0.05; done`
  writeFileSync(join(root, 'server'), `#!/bin/sh\n${server}\n`)
  writeFileSync(join(dir, 'run'), `#!/bin/sh\n${root}/server\n`)
  writeFileSync(join(dir, 'control', 't'), `#!/bin/sh\necho left >>${root}/left\n`)
  for (const file of [join(root, 'server'), join(dir, 'run'), join(dir, 'control', 't')])
    chmodSync(file, 0o755)
  const runsvdir = spawn('/usr/bin/runsvdir', [join(root, 'services')], {stdio: 'ignore'})
  /** Descendants of runsvdir, one level per step; undefined when there is none, so that nothing else is signalled. */
  const down = (steps: number): number | undefined => {
    let pid = runsvdir.pid
    for (let step = 0; step < steps && pid !== undefined; step++) pid = childrenOf(pid)[0]
    return pid
  }
  const starts = (): number => {
    const file = join(root, 'starts')
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').length : 0
  }
  t.teardown(() => {
    const all = [1, 2, 3].map(down).filter(pid => pid !== undefined)
    runsvdir.kill('SIGKILL')
    for (const pid of all) kill(pid)
    rmSync(root, {recursive: true, force: true})
  })
  await until(() => starts() === 1)
  return {
    unit: {manager: 'runit', unit: dir},
    dir,
    starts,
    pid: () => down(3) ?? 0,
    killRunsv: () => kill(down(1) ?? 0),
  }
}

async function until(claim: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !claim(); i++) await new Promise(resolve => setTimeout(resolve, 50))
  if (!claim()) throw new Error(`not so in time: ${String(claim)}`)
}

const pause = async (ms: number): Promise<unknown> => new Promise(resolve => setTimeout(resolve, ms))

t.test('a held service runs on, and is not started again after it dies', async t => {
  const {unit, pid, starts} = await world(t)
  t.equal(await runit.held(connection, unit, 'p1'), false)
  t.match(await runit.hold(connection, unit, 'p1'), {ok: true})
  t.match(await runit.hold(connection, unit, 'p1'), {ok: true, note: /already/})
  t.equal(await runit.held(connection, unit, 'p1'), true)
  t.ok(pid() > 1, 'still running')
  t.match(await runit.stop(connection, unit, {firstSignal: 'SIGKILL', graceMs: 500}), {ok: true})
  await pause(1500)
  t.equal(starts(), 1)
  t.equal(await runit.held(connection, unit, 'p1'), true)
  t.match(await runit.stop(connection, unit, {firstSignal: 'SIGKILL', graceMs: 500}), {
    ok: true,
    note: /already/,
  })
})

t.test('SIGKILL first means that nothing leaves, and no child is left behind', async t => {
  const {unit, dir, pid} = await world(t)
  await runit.hold(connection, unit, 'p1')
  const server = pid()
  t.match(await runit.stop(connection, unit, {firstSignal: 'SIGKILL', graceMs: 500}), {ok: true})
  t.notOk(existsSync(join(dir, '..', '..', 'left')))
  // Killed and not yet reaped, it still has its number for a moment.
  await until(() => !existsSync(`/proc/${String(server)}`))
  t.throws(() => process.kill(server, 0), {code: 'ESRCH'})
})

t.test('the hold outlives runsv, and a start by hand breaks it visibly', async t => {
  const {unit, dir, starts, killRunsv} = await world(t)
  await runit.hold(connection, unit, 'p1')
  await runit.stop(connection, unit, {firstSignal: 'SIGKILL', graceMs: 500})
  killRunsv()
  await pause(6500)
  t.equal(starts(), 1, 'runsvdir started runsv again, and runsv did not start the service')
  t.equal(await runit.held(connection, unit, 'p1'), true)
  await connection.run({argv: ['sv', 'up', dir], timeoutMs: 9000, maxBytes: 100, root: true})
  await until(() => starts() === 2)
  t.equal(await runit.held(connection, unit, 'p1'), false)
})

t.test('release and start give back what was there, and leave no file', async t => {
  const {unit, dir, starts, pid} = await world(t)
  await runit.hold(connection, unit, 'p1')
  await runit.stop(connection, unit, {firstSignal: 'SIGTERM', graceMs: 3000})
  t.ok(existsSync(join(dir, 'down')))
  t.match(await runit.release(connection, unit, 'p1'), {ok: true})
  t.match(await runit.release(connection, unit, 'p1'), {ok: true, note: /already/})
  t.notOk(existsSync(join(dir, 'down')))
  t.match(await runit.start(connection, unit), {ok: true})
  await until(() => starts() === 2)
  t.match(await runit.start(connection, unit), {ok: true, note: /already/})
  const before = starts()
  kill(pid())
  await until(() => starts() > before)
  t.pass('runit restarts it again')
})

t.test('a down file that was there before stays', async t => {
  const {unit, dir} = await world(t)
  writeFileSync(join(dir, 'down'), '')
  await runit.hold(connection, unit, 'p1')
  await runit.release(connection, unit, 'p1')
  t.equal(readFileSync(join(dir, 'down'), 'utf8'), '')
})

t.test('without a hold nothing is stopped, because runit would start it again', async t => {
  const {unit, pid} = await world(t)
  t.match(await runit.stop(connection, unit, {firstSignal: 'SIGKILL', graceMs: 100}), {ok: false})
  t.ok(pid() > 1)
})

t.test('a service that runit does not know is refused in one sentence', async t => {
  const nowhere: ServiceUnit = {manager: 'runit', unit: 'no-such-service'}
  t.match(await runit.hold(connection, nowhere, 'p1'), {ok: false, note: /does not supervise/})
  t.match(await runit.hold(connection, {manager: 'runit', unit: '-x;reboot'}, 'p1'), {ok: false})
})
