import {createHash} from 'node:crypto'
import {readFileSync, readdirSync} from 'node:fs'
import t from 'tap'
import {membersOfRpc, raftStatsOfRpc, readRpcReply} from '../../../src/core/codec/agent-rpc.js'
import {parseAnsibleIni} from '../../../src/core/codec/ansible-ini.js'
import {ansibleFromObject} from '../../../src/core/codec/ansible-object.js'
import {
  parseAgentSelf,
  parseAutopilot,
  parseMembers,
  parseRaftConfiguration,
  parseStatusLeader,
  parseStatusPeers,
} from '../../../src/core/codec/consul-api.js'
import {mergeConsulConfig} from '../../../src/core/codec/consul-config.js'
import {parseHcl1} from '../../../src/core/codec/hcl1.js'
import {parseInitctlStatus} from '../../../src/core/codec/initctl.js'
import {parseKeyring} from '../../../src/core/codec/keyring.js'
import {matchLog} from '../../../src/core/codec/log-match.js'
import {parseNodeId} from '../../../src/core/codec/node-id.js'
import {parsePeersJson} from '../../../src/core/codec/peers-json.js'
import {parseLockHolder} from '../../../src/core/codec/proc-locks.js'
import {parseProcNet} from '../../../src/core/codec/proc-net.js'
import {parseSerfSnapshot} from '../../../src/core/codec/serf-snapshot.js'
import {parseServerMetadata} from '../../../src/core/codec/server-metadata.js'
import {parseSupervisorStatus} from '../../../src/core/codec/supervisorctl.js'
import {parseSvStatus} from '../../../src/core/codec/sv-status.js'
import {parseSystemctlShow} from '../../../src/core/codec/systemctl-show.js'
import {parseSysvStatus} from '../../../src/core/codec/sysv-status.js'
import {parseVersion} from '../../../src/core/codec/version.js'
import {printable, printableBytes} from '../../../src/core/text.js'
import type {Target} from '../../helpers/fuzz.js'
import {SEED, decode, fuzz, makePrng, mutate, ofText} from '../../helpers/fuzz.js'

const HARMFUL = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/

const SAMPLES = 'fixtures/samples'
const file = (path: string): Uint8Array => Uint8Array.from(readFileSync(`${SAMPLES}/${path}`))

interface Captured {
  readonly path?: string
  readonly json?: unknown
  readonly body?: string
  readonly stdout?: string
}
const captured = (name: string): readonly Captured[] => JSON.parse(decode(file(name))) as readonly Captured[]
const answers = (path: string): readonly Uint8Array[] =>
  ['0.6.4', '0.7.5', '1.8'].flatMap(version =>
    captured(`consul-${version}-http/healthy-leader.http.json`)
      .filter(item => item.path === path)
      .map(item => ofText(item.json === undefined ? (item.body ?? '') : JSON.stringify(item.json))),
  )
const variants = (
  JSON.parse(decode(file('peers-json-variants/variants.json'))) as {readonly peersJson: string | null}[]
).map(({peersJson}) => Uint8Array.from(Buffer.from(peersJson ?? '', 'latin1')))
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

const CONFIGS = [
  'retry_join = ["10.0.0.1", "provider=aws"]\nports { http = 8500, server = 0x20 }\nacl { enabled = true }\n/* c */\nx = <<EOF\na\nEOF\n',
  'bind_addr = "{{ GetInterfaceIP \\"eth0\\" }}"\nnode_meta { "rack" = "${a}" }\nservice "web" "x" { port = -1.5e3 }\n',
  '{"server":true,"bootstrap_expect":3,"performance":{"raft_multiplier":1},"encrypt":"cg8StVXbQJ0gPvMd9o7yrg==","server_rejoin_age_max":"1h2m3.5s"}',
]
const INI =
  '[web]\na[1:3].x ansible_host=10.0.0.1 ansible_user="o p"\n[all:children]\nweb\n[web:vars]\nansible_port=22 # x\n'
const SHOW =
  'Id=consul.service\nActiveState=active\nSubState=running\nMainPID=1\nKillSignal=15\nTimeoutStopUSec=1min 30s\nExecStart={ path=/c ; argv[]=/c agent -server ; ignore_errors=no ; pid=0 }\nStateChangeTimestamp=Fri 2026-11-20 07:38:43 UTC\n'
const NET =
  '   0: 0100007F:2134 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 637 1 0 100 0 0 10 0\n'
const LOCKS =
  '2: FLOCK  ADVISORY  WRITE 7390 00:27:991342 0 EOF\n2: -> FLOCK  ADVISORY  WRITE 8 00:27:991342 0 EOF\n'
const RPC = Uint8Array.from(readFileSync('fixtures/codec/agent-rpc-0.6.4.bin'))

function rpc(bytes: Uint8Array): unknown {
  const seen: unknown[] = []
  let at = 0
  for (const hasBody of [false, true, true]) {
    const reply = readRpcReply(bytes, at, hasBody)
    if (reply.kind !== 'reply') return [...seen, reply]
    seen.push(raftStatsOfRpc(reply.body), membersOfRpc(reply.body))
    at = reply.end
  }
  return seen
}

const yamlLike = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(decode(bytes)) as unknown
  } catch {
    return decode(bytes)
  }
}

const TARGETS: readonly Target[] = [
  {name: 'peers.json', samples: variants, growth: 40, parse: bytes => parsePeersJson(bytes, '')},
  {
    name: 'serf snapshot',
    samples: [file('consul-1.8-leave-one/s2/serf/local.snapshot')],
    growth: 10,
    parse: parseSerfSnapshot,
  },
  {
    name: 'keyring',
    samples: [ofText('["cg8StVXbQJ0gPvMd9o7yrg==","cg8StVXbQJ0gPvMd9o7yrg=="]')],
    parse: bytes => parseKeyring(bytes, sha256),
  },
  {name: 'server metadata', samples: [ofText('{"last_seen_unix":1700000000}')], parse: parseServerMetadata},
  {
    name: 'node id',
    samples: [file('consul-1.8-cluster/s1/node-id')],
    parse: bytes => parseNodeId(bytes, 'consul', '1.8.19'),
  },
  {
    name: 'version',
    samples: [ofText('1.16.6+ent'), ofText('0.6.4.dev')],
    parse: bytes => parseVersion(decode(bytes)),
  },
  {name: 'HCL 1', samples: CONFIGS.map(ofText), growth: 10, parse: bytes => parseHcl1(decode(bytes))},
  {
    name: 'Consul config',
    samples: CONFIGS.map(ofText),
    growth: 10,
    parse: bytes =>
      mergeConsulConfig({
        files: [
          {path: '/d/a.hcl', text: decode(bytes)},
          {path: '/d/b.json', text: decode(bytes)},
        ],
        argv: ['consul', 'agent', '-config-dir', '/d', ...decode(bytes).split(' ')],
        version: '1.16.6',
      }),
  },
  {name: 'status leader', samples: answers('/v1/status/leader'), parse: parseStatusLeader},
  {name: 'status peers', samples: answers('/v1/status/peers'), parse: parseStatusPeers},
  {name: 'agent self', samples: answers('/v1/agent/self'), parse: parseAgentSelf},
  {name: 'members', samples: answers('/v1/agent/members'), growth: 10, parse: parseMembers},
  {
    name: 'raft configuration',
    samples: answers('/v1/operator/raft/configuration'),
    growth: 10,
    parse: parseRaftConfiguration,
  },
  {
    name: 'autopilot',
    samples: answers('/v1/operator/autopilot/health'),
    parse: bytes => parseAutopilot(bytes, bytes),
  },
  {name: 'agent RPC', samples: [RPC], growth: 10, parse: rpc},
  {
    name: 'log',
    samples: readdirSync(`${SAMPLES}/log-signatures`)
      .filter(name => name.startsWith('rem-') || name.includes('nodeid'))
      .map(name => file(`log-signatures/${name}`)),
    parse: bytes => matchLog(bytes),
  },
  {
    name: 'systemctl show',
    samples: [ofText(SHOW)],
    growth: 10,
    parse: bytes => parseSystemctlShow(decode(bytes)),
  },
  {
    name: 'sv status',
    samples: [ofText('run: a: (pid 3) 5s, want down, got TERM; run: log: (pid 4) 5s')],
    parse: bytes => parseSvStatus(decode(bytes), 'a', 0),
  },
  {
    name: 'supervisorctl',
    samples: [ofText('consul   RUNNING   pid 12, uptime 1 day, 2:03:04\n')],
    parse: bytes => parseSupervisorStatus(decode(bytes), 'consul', 0),
  },
  {
    name: 'initctl',
    samples: [ofText('consul start/running, process 1234\n')],
    parse: bytes => parseInitctlStatus(decode(bytes), 'consul'),
  },
  {
    name: 'sysv',
    samples: [ofText('consul (pid  1234) is running...\n')],
    parse: bytes => parseSysvStatus(decode(bytes), 0, 'consul'),
  },
  {
    name: '/proc/locks',
    samples: [ofText(LOCKS)],
    parse: bytes => parseLockHolder(decode(bytes), {inode: 991342}),
  },
  {
    name: '/proc/net',
    samples: [ofText(NET.repeat(3))],
    growth: 10,
    parse: bytes => parseProcNet(decode(bytes), 'tcp'),
  },
  {
    name: 'Ansible INI',
    samples: [ofText(INI)],
    growth: 100_000,
    parse: bytes => parseAnsibleIni(decode(bytes)),
  },
  {
    name: 'Ansible object',
    samples: [
      ofText(
        '{"all":{"hosts":{"a[1:3]":{"ansible_port":22}},"children":{"web":{"vars":{"x":"y"},"hosts":{"b":null}}}}}',
      ),
    ],
    growth: 100_000,
    parse: bytes => ansibleFromObject(yamlLike(bytes)),
  },
]

for (const target of TARGETS) fuzz(target)

t.test('printable text of anything holds no control character and keeps its bound', async t => {
  const random = makePrng(SEED)
  for (let round = 0; round < 2000; round++) {
    const bytes = mutate(ofText('a name\u001b[0m\n'), random)
    const max = Math.floor(random() * 200)
    for (const shown of [printable(decode(bytes), max), printableBytes(bytes, max)])
      if (HARMFUL.test(shown) || shown.length > max) return t.fail(JSON.stringify(shown))
  }
  t.pass(`seed ${SEED}`)
})
