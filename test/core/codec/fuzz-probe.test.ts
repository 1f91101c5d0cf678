import {spawnSync} from 'node:child_process'
import {createHash, createHmac} from 'node:crypto'
import {cpSync, mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import t from 'tap'
import {parseConsulFlags} from '../../../src/core/codec/consul-flags.js'
import {parseExcludedRecord, writeExcludedRecord} from '../../../src/core/codec/excluded-record.js'
import {judgeHostKey, knownKeyTypes, parseKnownHosts} from '../../../src/core/codec/known-hosts.js'
import {parseProbeFrames} from '../../../src/core/codec/probe-frames.js'
import type {ProbeSection} from '../../../src/core/codec/probe-frames.js'
import {readProbe} from '../../../src/core/codec/probe.js'
import {PROBE_SCRIPT} from '../../../src/engine/probe/probe-script.js'
import {decode, fuzz, ofText} from '../../helpers/fuzz.js'

/** Everything that one host says; what it says of a host without mutations is far below. */
const FACTS_MAX = 2_000_000

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const facts = (sections: readonly ProbeSection[]) =>
  readProbe(sections, {host: 'a', product: 'consul', sentAtMs: 0, receivedAtMs: 1, sha256})

/** What the probe prints of a stopped server's directory on this machine. */
function probed(): Uint8Array {
  const dir = t.testdir({conf: {'a.json': '{"server": true, "retry_join": ["10.0.0.1"]}'}})
  const [data, conf, log] = ['data', 'conf', 'x.log'].map(name => join(dir, name)) as [string, string, string]
  cpSync('fixtures/samples/consul-1.8-cluster/s1', data, {recursive: true})
  mkdirSync(join(data, 'raft/snapshots/2-1-1'), {recursive: true})
  writeFileSync(join(data, 'raft/peers.json'), '["10.0.0.1:8300"]\n')
  writeFileSync(log, '2026/11/20 07:38:43 [ERR] agent: failed to sync remote state: No cluster leader\n')
  const parameters = ['consul', data, conf, '', '', log, '65536', '262144', '100']
  const {stdout} = spawnSync('sh', ['-s', '--', ...parameters], {input: PROBE_SCRIPT, maxBuffer: 1 << 24})
  return Uint8Array.from(stdout)
}

const output = probed()
const frames = parseProbeFrames(output)
if (!frames.ok) throw new Error(frames.problem.message)

fuzz({
  name: 'a whole probe',
  samples: [output],
  floor: FACTS_MAX,
  parse: bytes => {
    const split = parseProbeFrames(bytes)
    return split.ok ? facts(split.value) : split
  },
})

const section = (name: string, words: string): ProbeSection => ({name, bytes: ofText(words), status: 0})

/** A server that runs, as the sections of its process and of each service manager tell it. */
const RUNNING: readonly ProbeSection[] = [
  section('process', '7'),
  section('process.exe', '/opt/consul'),
  section('process.cwd', '/srv'),
  section('process.cmdline', 'consul\0agent\0-data-dir=/srv/d\0-encrypt\0k\0'),
  section(
    'process.status',
    'Name:\tx\nState:\tT (stopped)\nPPid:\t1\nUid:\t1\t800\t800\t800\nGid:\t1\t801\t801\t801\n',
  ),
  section('process.stat', '7 (a) b) (c) T 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 8 0 5000 1 1'),
  section('process.fd', 'lrwx------ 1 c c 64 Nov 20 10:23 9 -> socket:[637]\n'),
]
const NET =
  'tcp    0: 0100007F:2134 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 637 1 0 100 0 0 10 0\n'
const EXTRA: readonly ProbeSection[] = [
  section('sockets', NET),
  section('version', 'Consul v1.8.19\nRevision abc\nProtocol 2 spoken by default\n'),
  section('trace.dir', '/srv/d/raft.fenced-4f1c9a'),
  section('trace.file', '/var/lib/quorate/hold-4f1c9a\0plan 4f1c9a\n'),
]
const MANAGERS: Readonly<Record<string, readonly [string, string]>> = {
  systemd: [
    'Id=consul.service\nActiveState=active\nSubState=running\nMainPID=7\nKillSignal=15\nExecStart={ path=/c ; argv[]=/c agent -server ; ignore_errors=no ; pid=0 }\n',
    '[Service]\nExecStart=/opt/consul agent -data-dir /srv/d\n',
  ],
  upstart: [
    'consul start/running, process 7\n',
    'start on runlevel [2345]\nrespawn\nkill signal INT\nkill timeout 30\nexec /opt/consul agent -data-dir=/srv/d\n',
  ],
  supervisor: [
    'consul   RUNNING   pid 7, uptime 1 day, 2:03:04\n',
    '[program:consul]\ncommand = /opt/consul agent ; c\nautostart=true\nstopsignal=INT\nstopwaitsecs=20\n',
  ],
  runit: [
    'run: consul: (pid 7) 5s, want down, got TERM; run: log: (pid 4) 5s',
    '#!/bin/sh\nexec consul agent\n',
  ],
  sysv: ['consul (pid  7) is running...\n', '#!/bin/sh\nDAEMON=/opt/consul\n'],
}

/** Mutates each section by itself, so that those who read it get to see it. */
function fuzzSections(
  title: string,
  sections: readonly ProbeSection[],
  only: (name: string) => boolean,
): void {
  const seen = new Set<string>()
  for (const [place, {name, bytes, status}] of sections.entries()) {
    if (seen.has(name) || bytes.length === 0 || !only(name)) continue
    seen.add(name)
    fuzz({
      name: `${title}, ${name}`,
      samples: [bytes],
      growth: 40,
      floor: FACTS_MAX,
      parse: changed => facts(sections.with(place, {name, bytes: changed, status})),
    })
  }
}

const real = frames.value.filter(({name}) => !name.startsWith('process'))
fuzzSections('probe', [...real, ...RUNNING, ...EXTRA], () => true)
for (const [manager, [status, definition]] of Object.entries(MANAGERS)) {
  const rest = real.filter(({name}) => !['manager', 'status', 'unit.file'].includes(name))
  const mine = [
    section('manager', `${manager}\0consul\0/etc/unit`),
    section('status', status),
    section('unit.file', `/etc/unit\0${definition}`),
    section('unit.links', '/etc/rc2.d/S20consul\n'),
  ]
  fuzzSections(manager, [...rest, ...RUNNING, ...mine], name => mine.some(one => one.name === name))
}

const SALT = 'b7hBOEHlXlwMBjYmQ0qY0C1Sp2M='
const hmac = (salt: string, name: string): string =>
  createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64')
const KEY = 'AAAAC3NzaC1lZDI1NTE5AAAAIA'

fuzz({
  name: 'known_hosts',
  samples: [
    ofText(
      `# c\nserver1,10.0.0.1 ssh-ed25519 ${KEY} c\n@revoked *.x,!a? ssh-rsa ${KEY}\n|1|${SALT}|${hmac(SALT, '[server1]:2222')} ssh-ed25519 ${KEY}\n@cert-authority [*]:22 ssh-ed25519 ${KEY}\n`,
    ),
  ],
  growth: 40,
  parse: bytes => {
    const entries = parseKnownHosts(decode(bytes), 'kh')
    const offered = {host: 'server1', port: 2222, keyType: 'ssh-ed25519', keyBase64: KEY}
    return [entries, judgeHostKey(entries, offered, hmac), knownKeyTypes(entries, 'server1', 22, hmac)]
  },
})

fuzz({
  name: 'a record of excluded servers',
  samples: [
    ofText(
      writeExcludedRecord({
        plan: '4f1c9a',
        cluster: 'prod',
        servers: [{id: 'x', address: '10.0.0.2:8300', name: 'b'}],
        arithmetic: '2 of 3',
      }),
    ),
  ],
  parse: bytes => parseExcludedRecord(decode(bytes)),
})

fuzz({
  name: 'a command line',
  samples: [
    ofText('consul\0agent\0-server\0-data-dir=/d\0--config-dir\0/c\0-ui=true\0-retry-join=a\0-encrypt\0k'),
  ],
  growth: 40,
  parse: bytes => parseConsulFlags(decode(bytes).split('\0')),
})
