import t from 'tap'
import {parseInitctlStatus} from '../../../src/core/codec/initctl.js'
import {parseSupervisorStatus} from '../../../src/core/codec/supervisorctl.js'
import {parseSvStatus} from '../../../src/core/codec/sv-status.js'
import {parseSystemctlShow} from '../../../src/core/codec/systemctl-show.js'
import {parseSysvStatus} from '../../../src/core/codec/sysv-status.js'

const SHOW = `Restart=on-failure
NRestarts=4
TimeoutStopUSec=1min 30s
ExecMainCode=1
ExecMainStatus=1
MainPID=1234
Result=success
KillSignal=2
ExecStart={ path=/usr/bin/consul ; argv[]=/usr/bin/consul agent -config-dir=/etc/consul.d/ ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }
ExecStop={ path=/usr/bin/consul ; argv[]=/usr/bin/consul leave ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }
Id=consul.service
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
StateChangeTimestamp=Fri 2026-11-20 07:38:43 UTC
`
const show = (...changes: readonly (readonly [string, string])[]) =>
  parseSystemctlShow(changes.reduce((text, [from, to]) => text.replace(from, to), SHOW))

t.test('systemctl show tells state, enablement, traps and restarts', async t => {
  t.match(show(), {
    manager: 'systemd',
    unit: 'consul.service',
    state: 'running',
    mainPid: 1234,
    enabled: true,
    enablement: 'enabled',
    masked: false,
    restart: 'on-failure',
    restarts: 4,
    killSignal: 'SIGINT',
    execStart: ['/usr/bin/consul', 'agent', '-config-dir=/etc/consul.d/'],
    execStop: ['/usr/bin/consul', 'leave'],
    stopTimeoutMs: 90_000,
    exitCode: 1,
    result: 'success',
    sinceMs: Date.UTC(2026, 10, 20, 7, 38, 43),
  })
})

t.test('every state of a unit has its word', async t => {
  const state = (active: string, sub: string) =>
    show(['ActiveState=active', `ActiveState=${active}`], ['SubState=running', `SubState=${sub}`])?.state
  t.equal(state('activating', 'auto-restart'), 'restarting')
  t.equal(state('activating', 'start'), 'starting')
  t.equal(state('deactivating', 'stop-sigterm'), 'stopping')
  t.equal(state('failed', 'failed'), 'failed')
  t.equal(state('inactive', 'dead'), 'stopped')
  t.equal(state('reloading', 'reload'), 'running')
  t.equal(state('strange', 'x'), 'unknown')
  t.match(show(['LoadState=loaded', 'LoadState=masked'], ['=enabled', '=masked-runtime']), {
    masked: true,
    enabled: false,
  })
  t.equal(show(['LoadState=loaded', 'LoadState=not-found']), undefined)
  t.equal(parseSystemctlShow('System has not been booted with systemd as init system'), undefined)
  t.equal(show(['1min 30s', 'infinity'])?.stopTimeoutMs, undefined)
})

t.test('a time in a named zone needs the offset of the host', async t => {
  const text = SHOW.replace('43 UTC', '43 CET')
  t.equal(parseSystemctlShow(text)?.sinceMs, undefined)
  t.equal(parseSystemctlShow(text, 3_600_000)?.sinceMs, Date.UTC(2026, 10, 20, 6, 38, 43))
})

t.test('sv status is read as runit prints it', async t => {
  const read = (text: string) => parseSvStatus(text, '/etc/service/consul', 100_000)
  t.match(read('run: /tmp/run1: (pid 10859) 2s; down: log: 1s, normally up, want up\n'), {
    state: 'running',
    mainPid: 10859,
    enabled: true,
    sinceMs: 98_000,
  })
  t.match(read('run: /tmp/run1: (pid 10859) 2s, normally down; run: log: (pid 1) 0s'), {
    state: 'running',
    enabled: false,
  })
  t.match(read('run: a: (pid 3) 5s, want down, got TERM'), {state: 'stopping', mainPid: 3})
  t.match(read('down: a: 3s, normally up'), {state: 'stopped', enabled: true, mainPid: undefined})
  t.match(read('down: a: 1s, normally up, want up'), {state: 'starting'})
  t.match(read('finish: a: (pid 4) 0s'), {state: 'restarting', mainPid: undefined})
  t.equal(read('fail: /tmp/nix: unable to change to service directory: file does not exist'), undefined)
  t.equal(read('warning: a: unable to open supervise/ok: file does not exist'), undefined)
  t.equal(read(''), undefined)
})

t.test('supervisorctl status is read as supervisor prints it', async t => {
  const read = (text: string, unit = 'consul') => parseSupervisorStatus(text, unit, 1_000_000_000)
  t.match(read('consul                           RUNNING   pid 10907, uptime 0:00:03\n'), {
    state: 'running',
    mainPid: 10907,
    sinceMs: 999_997_000,
  })
  t.equal(read('consul RUNNING   pid 1, uptime 1 day, 2:03:04')?.sinceMs, 1_000_000_000 - 93_784_000)
  const others = `bad     BACKOFF   Exited too quickly (process log may have details)
worse   FATAL     Exited too quickly (process log may have details)
off     STOPPED   Not started
once    EXITED    Nov 20 10:39 AM
new     STARTING  
grp:a   STOPPING
`
  const states = ['bad', 'worse', 'off', 'once', 'new', 'a'].map(unit => read(others, unit)?.state)
  t.same(states, ['restarting', 'failed', 'stopped', 'stopped', 'starting', 'stopping'])
  t.match(read(others, 'worse')?.result, /^FATAL: Exited too quickly/)
  t.equal(read(others, 'a')?.unit, 'grp:a')
  t.equal(read('nope: ERROR (no such process)', 'nope'), undefined)
  t.equal(read('unix:///tmp/sup/sock no such file'), undefined)
})

t.test('initctl status is read as upstart prints it', async t => {
  const read = (text: string) => parseInitctlStatus(text, 'consul')
  t.match(read('consul start/running, process 1234\n'), {state: 'running', mainPid: 1234})
  t.match(read('consul stop/waiting'), {state: 'stopped', mainPid: undefined})
  t.match(read('consul start/spawned, process 7'), {state: 'starting'})
  t.match(read('consul stop/killed, process 7'), {state: 'stopping'})
  t.match(read('consul (dc1) start/running, process 9'), {mainPid: 9})
  t.equal(read('initctl: Unknown job: consul'), undefined)
})

t.test('an init script is believed by its exit code and, where that says nothing, by its words', async t => {
  const state = (text: string, code: number | undefined) => parseSysvStatus(text, code, 'consul').state
  t.match(parseSysvStatus('consul (pid  1234) is running...\n', 0, 'consul'), {
    state: 'running',
    mainPid: 1234,
  })
  t.equal(state('consul is stopped', 3), 'stopped')
  t.equal(state('consul dead but pid file exists', 1), 'failed')
  t.equal(state('consul is not running', 0), 'stopped')
  t.equal(state('', 0), 'running')
  t.equal(state('Usage: consul {start|stop}', 2), 'unknown')
  t.equal(state('', 2), 'failed')
  t.equal(state('', undefined), 'unknown')
})
