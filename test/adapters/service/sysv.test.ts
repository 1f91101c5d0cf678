import {randomBytes} from 'node:crypto'
import {chmodSync, existsSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import t from 'tap'
import {custom} from '../../../src/adapters/service/custom.js'
import {serviceManagerFor} from '../../../src/adapters/service/index.js'
import {sysv} from '../../../src/adapters/service/sysv.js'
import type {ServiceUnit} from '../../../src/ports/service-manager.js'
import {connectHere} from '../../helpers/here.js'
import {makeKeyDir} from '../../helpers/sshd.js'

const connection = await connectHere()
const root = makeKeyDir()
const name = `qt${randomBytes(4).toString('hex')}`
const script = `/etc/init.d/${name}`
const pidFile = `/run/${name}.pid`
t.teardown(() => {
  rmSync(script, {force: true})
  rmSync(pidFile, {force: true})
  rmSync(root, {recursive: true, force: true})
})

/** An init script whose stop makes a server leave when there is one, as careless ones do. */
writeFileSync(
  script,
  `#!/bin/sh
case $1 in
start) sh -c 'trap "echo left >>${root}/left; exit 0" TERM; while :; do sleep 0.05; done' >/dev/null 2>&1 & echo $! >${pidFile} ;;
stop) if grep -q '^State:.[^ZX]' "/proc/$(cat ${pidFile})/status" 2>/dev/null; then echo left >>${root}/left; fi; echo stop >>${root}/stops; rm -f ${pidFile} ;;
esac
`,
)
chmodSync(script, 0o755)
const unit: ServiceUnit = {manager: 'sysv', unit: name}

t.test('a script stops its server without a leave, and its own stop only tidies up', async t => {
  t.match(await sysv.start(connection, unit), {ok: true})
  const pid = Number(readFileSync(pidFile, 'utf8'))
  t.match(await sysv.start(connection, unit), {ok: true, note: /already/})
  t.match(await sysv.hold(connection, unit, 'p1'), {ok: true})
  t.equal(await sysv.held(connection, unit, 'p1'), true)
  t.match(await sysv.stop(connection, unit, {firstSignal: 'SIGKILL', graceMs: 500}), {ok: true})
  t.notOk(existsSync(join(root, 'left')))
  t.ok(existsSync(join(root, 'stops')))
  t.notOk(existsSync(`/proc/${pid}`) && readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[2] !== 'Z')
  t.match(await sysv.stop(connection, unit, {firstSignal: 'SIGKILL', graceMs: 500}), {
    ok: true,
    note: /already/,
  })
  t.match(await sysv.release(connection, unit, 'p1'), {ok: true})
  t.equal(await sysv.held(connection, unit, 'p1'), false)
})

t.test('a script that is not there is refused', async t => {
  t.match(await sysv.hold(connection, {manager: 'sysv', unit: 'no-such-script'}, 'p1'), {ok: false})
  t.match(await sysv.hold(connection, {manager: 'sysv', unit: '../x'}, 'p1'), {ok: false})
})

t.test("the operator's own commands are run as argument arrays", async t => {
  const file = join(root, "it's a unit $(id)")
  const own: ServiceUnit = {
    manager: 'custom',
    unit: file,
    custom: {status: ['test', '-e', '{unit}'], start: ['touch', '{unit}'], stop: ['rm', '{unit}']},
  }
  t.match(await custom.start(connection, own), {ok: true})
  t.ok(existsSync(file))
  t.match(await custom.start(connection, own), {ok: true, note: /already/})
  t.match(await custom.hold(connection, own, 'p1'), {ok: true})
  t.equal(await custom.held(connection, own, 'p1'), true)
  t.match(await custom.stop(connection, own, {firstSignal: 'SIGTERM', graceMs: 100}), {ok: true})
  t.notOk(existsSync(file))
  t.match(await custom.release(connection, own, 'p1'), {ok: true})
  t.match(await custom.start(connection, {manager: 'custom', unit: 'x'}), {ok: false})
})

t.test('each name has its manager', async t => {
  for (const one of ['systemd', 'runit', 'supervisor', 'sysv', 'upstart', 'custom'] as const) {
    t.equal(serviceManagerFor(one).name, one)
  }
})
