import t from 'tap'
import {commandIn} from '../../../src/core/codec/probe-config.js'
import type {ProbeSection, SectionStatus} from '../../../src/core/codec/probe-frames.js'
import {
  absolute,
  flagValue,
  readAccounts,
  readProcesses,
  splitArguments,
  withoutSecrets,
} from '../../../src/core/codec/probe-process.js'
import {ProbeSections} from '../../../src/core/codec/probe-sections.js'
import {readService} from '../../../src/core/codec/probe-service.js'
import {excludedRecordPath, writeExcludedRecord} from '../../../src/core/codec/excluded-record.js'
import {readTraces} from '../../../src/core/codec/probe-traces.js'
import {parseVersionOutput} from '../../../src/core/codec/probe-version.js'
import {valueOf} from '../../../src/core/model/reading.js'

const section = (name: string, words: string, status: SectionStatus = 0): ProbeSection => ({
  name,
  bytes: new TextEncoder().encode(words),
  status,
})

function process(pid: number, exe: string, argv: readonly string[]): readonly ProbeSection[] {
  return [
    section('process', String(pid)),
    section('process.exe', exe),
    section('process.cwd', '/srv'),
    section('process.cmdline', `${argv.join('\0')}\0`),
    section(
      'process.status',
      `Name:\tx\nState:\tT (stopped)\nPPid:\t1\nUid:\t1\t800\t800\t800\nGid:\t1\t801\t801\t801\n`,
    ),
    section('process.stat', `${pid} (a) b) (c) T 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 8 0 5000 1 1`),
    section(
      'process.fd',
      'lrwx------ 1 c c 64 Nov 20 10:23 9 -> socket:[65421]\nlr-x 1 -> /x -> socket:[1]x\n',
    ),
  ]
}

const times = {nowSeconds: 1000, uptimeSeconds: 100}
const found = (...sections: readonly ProbeSection[]) =>
  readProcesses(sections, 'consul', [{name: 'consul', uid: 800, gid: 801}], times)

t.test('an agent is known by its program, a renamed one by how it is called', async t => {
  const [one] = found(
    ...process(7, '/opt/consul-1.8.19 (deleted)', ['consul', 'agent', '-data-dir', 'data/../d']),
  )
  t.match(one, {pid: 7, user: 'consul', state: 'T', executable: '/opt/consul-1.8.19', dataDir: '/srv/d'})
  t.equal(one?.startedAtMs, (1000 - 100 + 50) * 1000)
  t.same([...(one?.sockets ?? [])], [65421])
  t.equal(found(...process(7, '/opt/my agent', ['x', 'agent', '-config-dir=/c'])).length, 1)
})

t.test('programs that only carry such words are not the server', async t => {
  t.same(found(...process(7, '/usr/bin/sudo', ['sudo', 'consul', 'agent', '-data-dir=/d'])), [])
  t.same(found(...process(7, '/usr/bin/consul-template', ['consul-template', '-config-dir=/c'])), [])
  t.same(found(...process(7, '/usr/local/bin/consul', ['consul', 'monitor'])), [])
  t.same(found(...process(7, '/usr/bin/vim', ['vim', 'agent', '-data-dir'])), [])
})

t.test('a process that ended while it was looked at does not run', async t => {
  t.same(found(section('process', '7'), section('process.exe', ''), section('process.status', '')), [])
})

t.test('arguments keep spaces and newlines, and give up their secrets', async t => {
  t.same(splitArguments(new TextEncoder().encode('a b\0\0c\nd\0\0\0')), ['a b', '', 'c\nd'])
  t.same(withoutSecrets(['-encrypt', 'k', '-x=1', '--encrypt=k', '-token=t']), [
    '-encrypt',
    '(hidden)',
    '-x=1',
    '--encrypt=(hidden)',
    '-token=(hidden)',
  ])
  t.equal(flagValue(['-data-dir=/a', '--data-dir', '/b'], 'data-dir'), '/b')
  t.equal(absolute('x', undefined), undefined)
  t.same(readAccounts('root:x:0:0::/:/bin/sh\nbroken\nc:x:9:8:'), [
    {name: 'root', uid: 0, gid: 0},
    {name: 'c', uid: 9, gid: 8},
  ])
})

t.test('the command is found in every kind of definition', async t => {
  const flags = ['agent', '-config-dir=/c']
  t.same(
    commandIn('#!/bin/sh\n# exec consul agent -no\nexec chpst -u c /bin/consul agent -config-dir=/c $X\n'),
    ['/bin/consul', ...flags],
  )
  t.same(commandIn('command=/bin/consul agent -config-dir=/c\n'), ['/bin/consul', ...flags])
  t.same(commandIn('  start-stop-daemon --exec $D -- agent \\\n   "-config-dir=/c" > /log &\n'), flags)
  t.same(commandIn('exec /start.sh\n'), [])
})

function probe(manager: string, status: string, ...more: readonly ProbeSection[]): ProbeSections {
  return new ProbeSections('h', [
    section('begin', '1795170182.5\n'),
    section('manager', `${manager}\0consul\0/def`),
    section('status', status),
    ...more,
  ])
}

t.test('a definition says what the state does not', async t => {
  const conf =
    '[program:other]\nautostart=false\n[program:consul]\ncommand=/c agent\nstopsignal=INT ; leaves\nautostart=no\n'
  const running = 'consul   RUNNING   pid 41, uptime 0:00:05\nexit 0'
  const supervisor = valueOf(readService(probe('supervisor', running, section('unit.file', `/def\0${conf}`))))
  t.match(supervisor, {
    state: 'running',
    mainPid: 41,
    enabled: false,
    killSignal: 'SIGINT',
    stopTimeoutMs: 10_000,
  })
  const job = 'start on runlevel [2345]\nrespawn\nkill signal INT\nkill timeout 30\nexec /c agent\n'
  const upstart = probe(
    'upstart',
    'consul start/running, process 12\nexit 0',
    section('unit.file', `/def\0${job}`),
    section('unit.override', '/o\0manual\n'),
  )
  t.match(valueOf(readService(upstart)), {
    manager: 'upstart',
    state: 'running',
    enabled: false,
    enablement: 'manual',
    restart: 'respawn',
    killSignal: 'SIGINT',
    stopTimeoutMs: 30_000,
  })
  const sysv = probe(
    'sysv',
    'consul is stopped\nexit 3',
    section('unit.links', '/etc/rc2.d/S20consul\n/etc/rc3.d/S*consul\n'),
  )
  t.match(valueOf(readService(sysv)), {manager: 'sysv', state: 'stopped', enabled: true})
})

t.test('no manager found, or one that does not answer, is no state', async t => {
  t.match(readService(probe('', '\nexit 0')), {kind: 'unread', why: 'unsupported'})
  t.match(readService(probe('runit', 'warning: /s: unable to open supervise/ok\nexit 1')), {
    kind: 'unread',
    why: 'failed',
    detail: /unable to open/,
  })
})

t.test('what earlier runs left is told by kind and plan', async t => {
  const traces = readTraces(
    new ProbeSections('h', [
      section('trace.dir', '/var/consul/raft.fenced-20261120-ab12'),
      section('trace.file', '/run/quorate/consul.lock\0plan-7\nops@desk\n'),
      section('trace.dir', '/var/backups/quorate/plan-7'),
      section('trace.file', '/run/systemd/system/consul.service.d/zz-quorate-plan-7.conf\0[Unit]\n'),
    ]),
  )
  t.same(
    traces.map(({kind, plan}) => [kind, plan]),
    [
      ['fenced', '20261120-ab12'],
      ['copy', 'plan-7'],
      ['lock', 'plan-7'],
      ['hold', 'plan-7'],
    ],
  )
})

t.test(
  'a record of excluded servers is read whole, and one that is cut off or foreign names nobody',
  async t => {
    const record = {
      plan: 'p7',
      cluster: 'prod',
      servers: [
        {id: 'id-4', address: '10.0.0.4:8300', name: 'dead\u001b[31m'},
        {id: '10.0.0.5:8300', address: '10.0.0.5:8300'},
      ],
      arithmetic: '2 of 5 voters are dead and not fenced.',
    }
    const text = writeExcludedRecord(record)
    const [whole, cut, foreign, half] = readTraces(
      new ProbeSections('h', [
        section('trace.file', `${excludedRecordPath('p7')}\0${text}`),
        section('trace.file', `/var/lib/quorate/excluded-p8\0${text.slice(0, -9)}`),
        section('trace.file', '/var/lib/quorate/excluded-p9\0["p9"]'),
        section('trace.file', '/var/lib/quorate/excluded-pa\0{"plan":"pa","servers":[{"address":"a"},7]}'),
      ]),
    )
    t.match(whole, {kind: 'excluded', plan: 'p7'})
    t.same(whole?.excluded?.servers[1], {id: '10.0.0.5:8300', address: '10.0.0.5:8300'})
    t.match(whole?.excluded?.arithmetic, /2 of 5/)
    t.notMatch(whole?.excluded?.servers[0]?.name, /\u001b/, 'nothing in it reaches a terminal raw')
    t.match(cut, {kind: 'excluded', excluded: undefined})
    t.match(foreign, {kind: 'excluded', plan: 'p9', excluded: undefined}, 'the plan is known by the name')
    t.match(half, {kind: 'excluded', excluded: undefined}, 'nobody is dropped in silence')
  },
)

t.test('versions are read from what every release prints', async t => {
  t.equal(parseVersionOutput('Consul v1.16.6\nBuild Date 1970'), '1.16.6')
  t.equal(parseVersionOutput('Consul 0.6.4\nConsul Protocol: 2\n'), '0.6.4')
  t.equal(parseVersionOutput('Nomad v1.7.0-beta.1'), '1.7.0-beta.1')
  t.equal(parseVersionOutput('sh: not found'), undefined)
})
