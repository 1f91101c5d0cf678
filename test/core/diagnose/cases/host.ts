import type {ContentsComparison} from '../../../../src/core/model/contents.js'
import type {FindingCode} from '../../../../src/core/model/finding.js'
import {logIndex, term} from '../../../../src/core/model/ids.js'
import type {
  DataDisk,
  FileFacts,
  PeersFile,
  PeersProblem,
  SnapshotMeta,
  Trace,
} from '../../../../src/core/model/observation.js'
import {read} from '../../../../src/core/model/reading.js'
import {
  NOW_MS,
  configOf,
  end,
  liveConsul,
  match,
  member,
  missing,
  oldPeerSet,
  peerSet,
  peersList,
  peersObjects,
  processOf,
  server,
  serviceOf,
  silent,
  stoppedConsul,
  storeOf,
  voter,
} from '../../../helpers/fleet.js'
import type {RuleCases} from './case.js'
import {abc, leaderless, led, stopped} from './case.js'

const journal = (signature: string, text = signature) => ({
  lines: 100,
  fromMs: undefined,
  toMs: undefined,
  matches: [match(signature, {text})],
})
const problem = (kind: PeersProblem['kind'], text: string): PeersProblem => ({kind, line: 1, column: 2, text})
const file = (base: PeersFile, ...problems: PeersProblem[]): PeersFile => ({...base, problems})
const objects = peersObjects(abc.servers)
const addresses = abc.servers.map(one => String(one.address))
const list = peersList(addresses)
const waiting = (peersFile: PeersFile) => ({a: {peersFile}, b: {peersFile}, c: {peersFile}})
const old = (facts: Parameters<typeof stoppedConsul>[1] & object = {}) =>
  stoppedConsul('a', {version: '0.6.4', configuration: oldPeerSet(['a', 'b', 'c'], 1), ...facts})
const disk = (parts: Partial<DataDisk>): DataDisk => ({
  dataDir: '/var/consul',
  fileSystem: 'ext4',
  sizeBytes: 20 * 2 ** 30,
  freeBytes: 6 * 2 ** 30,
  freeInodes: 1000,
  raftBytes: 2 ** 20,
  readOnly: false,
  ...parts,
})
const facts = (path: string, parts: Partial<FileFacts> = {}): FileFacts => ({
  path,
  kind: 'file',
  sizeBytes: 100,
  mode: 0o100600,
  uid: 100,
  gid: 100,
  mtimeMs: NOW_MS,
  ...parts,
})
const files = (parts: {
  readonly peersJson?: FileFacts
  readonly raftDir?: FileFacts
  readonly store?: FileFacts
}) => ({
  dataDir: undefined,
  raftDir: parts.raftDir ?? facts('/var/consul/raft', {kind: 'directory', mode: 0o40755}),
  store: parts.store ?? facts('/var/consul/raft/raft.db'),
  peersJson: parts.peersJson,
  peersInfo: undefined,
  serviceUser: {uid: 100, gid: 100, name: 'consul'},
})
const snapshot = (index: number, parts: Partial<SnapshotMeta> = {}): SnapshotMeta => ({
  id: `2-${index}-1`,
  index: logIndex(index),
  term: term(2),
  configuration: abc,
  sizeBytes: 100,
  intact: missing('a', 'not-asked'),
  temporary: false,
  ...parts,
})
const compared = (parts: Partial<ContentsComparison>): ContentsComparison => ({
  ...{
    hosts: ['a', 'b'],
    upTo: logIndex(90),
    keys: 200,
    same: 0,
    moving: 0,
    doubtful: 0,
    divergent: undefined,
  },
  ...parts,
})
const digest = (keys: number, sha256: string, at: number) => ({keys, sha256, appliedIndex: logIndex(at)})
const source = {host: 'a', via: 'file', what: 'state.bin'} as const
const trace = (kind: Trace['kind']) => ({
  kind,
  plan: 'p1',
  path: '/var/consul/raft.fenced',
  text: 'd',
})

const leftOut = (...hosts: string[]) => ({
  kind: 'excluded' as const,
  plan: 'p1',
  path: '/var/lib/quorate/excluded-p1',
  text: '{}',
  excluded: {
    plan: 'p1',
    cluster: 'test',
    servers: hosts.map(host => ({...voter(host), name: host})),
    arithmetic: '1 of 4 voters are dead and not fenced.',
  },
})

/** Files, logs, settings, services and hosts. */
export const hostCases = {
  DIALECT_MISMATCH: {
    fires: {
      'strings for Raft protocol 3': stopped(waiting(list)),
      'objects for Consul 0.7': [
        stoppedConsul('a', {
          version: '0.7.5',
          configuration: oldPeerSet(['a'], 1),
          facts: {peersFile: objects},
        }),
      ],
      'the journal says so': [
        server('a', {
          journal: journal(
            'recovery-parse',
            'recovery failed to parse peers.json: json: cannot unmarshal string into Go value of type raft.configEntry',
          ),
        }),
      ],
    },
    silent: {
      'objects for Raft protocol 3': stopped(waiting(objects)),
      'strings where protocol 2 is configured': [
        stoppedConsul('a', {
          configuration: oldPeerSet(['a', 'b', 'c'], 1),
          facts: {peersFile: list, config: configOf('a', {raftProtocol: 2})},
        }),
      ],
      'the live list of old': [old()],
      'a version that is not known': [server('a', {product: 'consul', peersFile: list})],
    },
  },
  PEERS_JSON_INVALID: {
    fires: {
      'it does not parse': stopped(waiting({...file(list, problem('syntax', 'x')), dialect: 'unparsable'})),
      'an empty recovery file': stopped(waiting(peersList([]))),
      'a doubled entry of old': [
        old({
          facts: {
            peersFile: file(
              peersList([addresses[0] ?? '', addresses[0] ?? '']),
              problem('duplicate-address', 'x'),
            ),
          },
        }),
      ],
      'the journal says so': [
        server('a', {journal: journal('recovery-parse', 'recovery failed to parse peers.json: EOF')}),
      ],
    },
    silent: {
      'a good file': stopped(waiting(objects)),
      'text behind the value, which Go ignores': stopped(
        waiting(file(objects, problem('trailing-text', 'x'))),
      ),
      'null of old is an empty set, not a broken file': [old({facts: {peersFile: peersList([])}})],
    },
  },
  PEERS_JSON_UNKNOWN_KEY: {
    fires: {'a suffrage key': stopped(waiting(file(objects, problem('unknown-key', 'suffrage'))))},
    silent: {'known keys': stopped(waiting(objects))},
  },
  PEERS_JSON_PRESENT: {
    fires: {
      'it waits for the next start': stopped(waiting(objects)),
      'beside a running server': led({a: {peersFile: objects}}),
    },
    silent: {'the live list of old': [old()], 'there is none': stopped()},
  },
  PEERS_JSON_DIFFERS: {
    fires: {
      'two texts': stopped({...waiting(objects), b: {peersFile: peersObjects([voter('b')])}}),
      'one has none': stopped({a: {peersFile: objects}, b: {peersFile: objects}}),
    },
    silent: {
      'the same everywhere': stopped(waiting(objects)),
      'the third could not be read': stopped({...waiting(objects), c: {peersFile: missing('c', 'denied')}}),
      'the third holds no data': stopped({
        a: {peersFile: objects},
        b: {peersFile: objects},
        c: {store: storeOf(), snapshots: []},
      }),
    },
  },
  PEERS_JSON_PERMISSIONS: {
    fires: {
      'root alone may read it': [
        stoppedConsul('a', {
          configuration: abc,
          facts: {files: files({peersJson: facts('p', {uid: 0, gid: 0})})},
        }),
      ],
      'the directory is root’s': [
        stoppedConsul('a', {
          configuration: abc,
          facts: {
            files: files({
              peersJson: facts('p'),
              raftDir: facts('r', {kind: 'directory', mode: 0o40755, uid: 0, gid: 0}),
            }),
          },
        }),
      ],
      'the journal says so': [server('a', {journal: journal('recovery-delete')})],
    },
    silent: {
      'root’s, and everyone may read': [
        stoppedConsul('a', {
          configuration: abc,
          facts: {files: files({peersJson: facts('p', {uid: 0, gid: 0, mode: 0o100644})})},
        }),
      ],
      'the service’s user is not known': [
        stoppedConsul('a', {
          configuration: abc,
          facts: {files: {...files({peersJson: facts('p', {uid: 0, gid: 0})}), serviceUser: undefined}},
        }),
      ],
    },
  },
  PEERS_JSON_WRONG_PORT: {
    fires: {
      'the port of the API': stopped(waiting(peersObjects([voter('a', {address: '10.0.0.1:8500'})]))),
      'a scheme': stopped(waiting(file(objects, problem('scheme', 'http://10.0.0.1:8300')))),
    },
    silent: {
      'the Raft port': stopped(waiting(objects)),
      'a port that was changed for all': stopped({
        a: {
          peersFile: peersObjects([voter('a', {address: '10.0.0.1:9300'})]),
          config: configOf('a', {
            ports: {server: 9300, serfLan: 8301, http: 8500, https: undefined, rpc: undefined},
          }),
        },
        b: {config: missing('b', 'denied')},
        c: {config: missing('c', 'denied')},
      }),
    },
  },
  PEERS_INFO_MISSING: {
    fires: {
      'a recovery file would be deleted unread': stopped({a: {peersFile: objects, peersInfo: false}}),
      'the journal says that one was': [server('a', {journal: journal('recovery-discarded')})],
    },
    silent: {
      'Consul up to 0.6 has none': [old()],
      'it was not read': stopped({a: {peersFile: objects, peersInfo: missing('a', 'denied')}}),
      'a new server has none yet': [
        stoppedConsul('a', {facts: {peersInfo: false, store: storeOf(), snapshots: []}}),
      ],
    },
  },
  SEVERAL_HISTORIES: {
    fires: {
      'entry 1 founds two clusters': [
        stoppedConsul('a', {configuration: abc, end: end(184, 42)}),
        stoppedConsul('b', {configuration: peerSet(['b', 'x', 'y'], 1), end: end(190, 80)}),
      ],
      'snapshots of one index and two terms': [
        stoppedConsul('a', {
          configuration: abc,
          facts: {snapshots: [snapshot(60)], store: storeOf({end: end(60, 2)})},
        }),
        stoppedConsul('b', {
          configuration: abc,
          facts: {snapshots: [snapshot(60, {term: term(7)})], store: storeOf({end: end(60, 7)})},
        }),
      ],
    },
    silent: {
      'a much higher term at another index': [
        stoppedConsul('a', {configuration: abc, end: end(184, 42)}),
        stoppedConsul('b', {configuration: abc, end: end(190, 80)}),
      ],
      'nothing is known of one': [stoppedConsul('a', {configuration: abc}), silent('b')],
    },
  },
  DIVERGENT_TAIL: {
    fires: {
      'agreement below, other terms above': ['a', 'b'].map(host =>
        stoppedConsul(host, {
          facts: {
            store: storeOf({
              configuration: abc,
              end: end(90, host === 'a' ? 13 : 14),
              terms: [end(50, 12), end(90, host === 'a' ? 13 : 14)],
            }),
          },
        }),
      ),
    },
    silent: {
      'one is only shorter': ['a', 'b'].map(host =>
        stoppedConsul(host, {
          facts: {
            store: storeOf({
              configuration: abc,
              end: end(host === 'a' ? 90 : 80, 13),
              terms: [end(50, 12), end(80, 13)],
            }),
          },
        }),
      ),
    },
  },
  STATE_DIVERGENT: {
    fires: {
      'a key that one of them lacks': led({
        a: {api: {contents: digest(200, 'aa', 90)}},
        b: {api: {contents: digest(150, 'bb', 90)}},
      }),
    },
    silent: {
      'keys that were changed meanwhile': led({
        a: {api: {contents: digest(200, 'aa', 90)}},
        b: {api: {contents: digest(199, 'bb', 89)}},
      }),
      'keys that look different at first sight': led({
        a: {api: {contents: digest(200, 'aa', 90)}},
        b: {api: {contents: digest(199, 'bb', 90)}},
      }),
      'the same contents': led({
        a: {api: {contents: digest(200, 'aa', 90)}},
        b: {api: {contents: digest(200, 'aa', 90)}},
      }),
      'other contents that nobody compared': led({
        a: {api: {contents: digest(200, 'aa', 90)}},
        b: {api: {contents: digest(199, 'bb', 90)}},
      }),
    },
    contents: {
      'a key that one of them lacks': compared({
        same: 150,
        divergent: {
          keys: 50,
          sides: [['a'], ['b']],
          examples: [
            {
              key: 'app/x',
              seen: [
                {host: 'a', modified: 5, sum: 'x'},
                {host: 'b', modified: undefined, sum: undefined},
              ],
            },
          ],
        },
      }),
      'keys that were changed meanwhile': compared({same: 198, moving: 2}),
      'keys that look different at first sight': compared({same: 199, doubtful: 1}),
      'the same contents': compared({same: 200}),
    },
  },
  LOG_GAP: {
    fires: {
      'the log begins behind the snapshot': [
        stoppedConsul('a', {
          facts: {
            snapshots: [snapshot(60)],
            store: {...storeOf({end: end(90, 13)}), firstIndex: logIndex(70)},
          },
        }),
      ],
      'indexes are missing inside': [
        stoppedConsul('a', {
          configuration: abc,
          facts: {
            store: {
              ...storeOf({configuration: abc, end: end(90, 13)}),
              gaps: [{before: logIndex(50), after: logIndex(60)}],
            },
          },
        }),
      ],
    },
    silent: {
      'the log begins right behind the snapshot': [
        stoppedConsul('a', {
          facts: {
            snapshots: [snapshot(60)],
            store: {...storeOf({end: end(90, 13)}), firstIndex: logIndex(61)},
          },
        }),
      ],
      'trailing entries lie below it': [
        stoppedConsul('a', {
          facts: {
            snapshots: [snapshot(60)],
            store: {...storeOf({end: end(90, 13)}), firstIndex: logIndex(40)},
          },
        }),
      ],
      'the snapshots were not read': [
        stoppedConsul('a', {
          facts: {
            snapshots: missing('a', 'denied'),
            store: {...storeOf({end: end(90, 13)}), firstIndex: logIndex(70)},
          },
        }),
      ],
    },
  },
  LOG_LAG: {
    fires: {
      'thousands behind': [
        liveConsul('a', {configuration: abc, leader: 'a', end: end(9000, 13)}),
        liveConsul('b', {configuration: abc, leader: 'a', end: end(5000, 13)}),
      ],
    },
    silent: {
      'a few behind, as on any busy leader': [
        liveConsul('a', {configuration: abc, leader: 'a', end: end(9000, 13)}),
        liveConsul('b', {configuration: abc, leader: 'a', end: end(8990, 13)}),
      ],
      'thousands behind only because it was read first, while entries poured in': [
        liveConsul('a', {
          configuration: abc,
          leader: 'a',
          end: end(9000, 13),
          facts: {store: storeOf({end: end(7000, 13)})},
        }),
        liveConsul('b', {
          configuration: abc,
          leader: 'a',
          end: end(7500, 13),
          facts: {store: storeOf({end: end(5000, 13)})},
        }),
      ],
    },
  },
  BLANK_VOTER: {
    fires: {
      'a voter without log or snapshot': [
        liveConsul('a', {configuration: abc, leader: ''}),
        stoppedConsul('b', {facts: {store: storeOf(), snapshots: []}}),
        silent('c'),
      ],
      'the journal refuses a recovery without state': [
        server('a', {
          journal: journal(
            'recovery-failed',
            'recovery failed: refused to recover cluster with no initial state',
          ),
        }),
      ],
    },
    silent: {
      'a blank server outside the peer set': [
        ...leaderless(),
        stoppedConsul('d', {facts: {store: storeOf(), snapshots: []}}),
      ],
      'its store was not read': [
        ...leaderless().slice(0, 2),
        stoppedConsul('c', {facts: {store: missing('c', 'denied'), snapshots: []}}),
      ],
      'its log is empty after a recovery and the snapshot has all': [
        stoppedConsul('a', {facts: {store: storeOf({term: 13}), snapshots: [snapshot(78)]}}),
      ],
    },
  },
  STORE_CORRUPT: {
    fires: {
      'it could not be read': stopped({a: {store: missing('a', 'corrupt', 'page 10 is not page 10')}}),
      'one meta page is bad': stopped({
        a: {store: {...storeOf({end: end(78, 13)}), damage: ['One of two meta pages is damaged.']}},
      }),
      'the journal says so': [
        server('a', {journal: journal('store-bad', 'Failed to start Raft: invalid database')}),
      ],
    },
    silent: {
      'it kept changing while it was read': leaderless({a: {store: missing('a', 'changed')}}),
      'we may not read it': stopped({a: {store: missing('a', 'denied')}}),
    },
  },
  STORE_PERMISSIONS: {
    fires: {
      'root’s after a start by hand': [
        stoppedConsul('a', {
          configuration: abc,
          facts: {files: files({store: facts('raft.db', {uid: 0, gid: 0})})},
        }),
      ],
      'the journal says so': [
        server('a', {
          journal: journal(
            'store-bad',
            'Failed to start Raft: open /var/consul/raft/raft.db: permission denied',
          ),
        }),
      ],
    },
    silent: {'the service’s own': [stoppedConsul('a', {configuration: abc, facts: {files: files({})}})]},
  },
  SNAPSHOT_CORRUPT: {
    fires: {
      'a checksum differs': stopped({a: {snapshots: [snapshot(60, {intact: read(false, source)})]}}),
      'the journal says so': [server('a', {journal: journal('snapshot-bad')})],
    },
    silent: {
      'checked and good': stopped({a: {snapshots: [snapshot(60, {intact: read(true, source)})]}}),
      'a temporary one was never finished': stopped({
        a: {snapshots: [snapshot(60, {intact: read(false, source), temporary: true})]},
      }),
    },
  },
  UNSUPPORTED_STORE: {
    fires: {LMDB: stopped({a: {store: missing('a', 'unsupported', 'LMDB')}})},
    silent: {'there is no store': stopped({a: {store: missing('a', 'absent')}})},
  },
  NETWORK_FILE_SYSTEM: {
    fires: {
      NFS: led({a: {disk: disk({fileSystem: 'nfs4'})}}),
      memory: led({a: {disk: disk({fileSystem: 'tmpfs'})}}),
    },
    silent: {'a local disk': led({a: {disk: disk({fileSystem: 'xfs'})}})},
  },
  DISK_FULL: {
    fires: {
      'no byte left': stopped({a: {disk: disk({freeBytes: 0})}}),
      'no inode left': stopped({a: {disk: disk({freeInodes: 0})}}),
      'no room for a copy': stopped({a: {disk: disk({freeBytes: 2 ** 30, raftBytes: 2 ** 30})}}),
      'mounted read-only': stopped({a: {disk: disk({readOnly: true})}}),
      'the journal of a stopped server says so': stopped({
        a: {disk: disk({}), journal: journal('disk-full')},
      }),
    },
    silent: {
      'room enough': stopped({a: {disk: disk({})}}),
      'it was full once, and runs again': led({a: {disk: disk({}), journal: journal('disk-full')}}),
    },
  },
  OTHER_DATA_DIR: {
    fires: {'the process has another': led({a: {processes: [processOf({dataDir: '/srv/consul'})]}})},
    silent: {
      'the same, written otherwise': led({a: {processes: [processOf({dataDir: '/var//consul/'})]}}),
      'it is not on the command line': led({a: {processes: [processOf({dataDir: undefined})]}}),
    },
  },
  VERSIONS_DIFFER: {
    fires: {
      'two versions': led({a: {version: '1.8.4'}}),
      'the journal meets entries of a newer one': [server('a', {journal: journal('old-log-type')})],
    },
    silent: {'one version': led(), 'one was not read': led({a: {version: missing('a', 'failed')}})},
  },
  PROTOCOLS_DIFFER: {
    fires: {
      'gossip shows 2 and 3': led({
        a: {api: {members: [member('a'), member('b', {raftProtocol: 3}), member('d', {raftProtocol: 2})]}},
      }),
      'the journal refuses the one that is configured': [server('a', {journal: journal('protocol-refused')})],
    },
    silent: {
      'all speak 3': led(),
      'a client speaks another': led({
        a: {api: {members: [member('a'), member('d', {raftProtocol: 2, server: false})]}},
      }),
    },
  },
  EXPECT_DIFFERS: {
    fires: {
      'three and five': led({
        a: {config: configOf('a', {bootstrapExpect: 3})},
        b: {config: configOf('b', {bootstrapExpect: 5})},
      }),
      'the journal says so': [server('a', {journal: journal('expect-mismatch')})],
      'the journal meets a server in bootstrap mode': [server('a', {journal: journal('expect-bootstrap')})],
    },
    silent: {
      'three and three': led({
        a: {config: configOf('a', {bootstrapExpect: 3})},
        b: {config: configOf('b', {bootstrapExpect: 3})},
      }),
      'three and not set': led({a: {config: configOf('a', {bootstrapExpect: 3})}}),
      'three and zero': led({
        a: {config: configOf('a', {bootstrapExpect: 3})},
        b: {config: configOf('b', {bootstrapExpect: 0})},
      }),
    },
  },
  SEVERAL_BOOTSTRAP: {
    fires: {
      'two flags': led({
        a: {config: configOf('a', {bootstrap: true})},
        b: {config: configOf('b', {bootstrap: true})},
      }),
      'gossip shows two': led({
        c: {api: {members: [member('a', {bootstrap: true}), member('b', {bootstrap: true})]}},
      }),
      'the journal says so': [server('a', {journal: journal('two-bootstrap')})],
    },
    silent: {
      'one flag, seen by two': led({
        a: {config: configOf('a', {bootstrap: true})},
        b: {api: {members: [member('a', {bootstrap: true})]}},
      }),
    },
  },
  BOOTSTRAP_LEFTOVER: {
    fires: {
      'expect 1 among three voters': led({
        a: {config: configOf('a', {bootstrapExpect: 1, bootstrapSource: 'flag'})},
      }),
    },
    silent: {
      'expect 3': led({a: {config: configOf('a', {bootstrapExpect: 3})}}),
      'a server all alone needs it': [
        liveConsul('a', {
          configuration: peerSet(['a'], 1),
          leader: 'a',
          facts: {config: configOf('a', {bootstrapExpect: 1})},
        }),
      ],
    },
  },
  REJOIN_AGE: {
    fires: {
      'eight days': stopped({a: {version: '1.16.6', lastSeenUnix: NOW_MS / 1000 - 8 * 86_400}}),
      'in the future': stopped({a: {version: '1.16.6', lastSeenUnix: NOW_MS / 1000 + 30 * 86_400}}),
      'the journal says so': [server('a', {journal: journal('rejoin-refused')})],
    },
    silent: {
      'six days': stopped({a: {version: '1.16.6', lastSeenUnix: NOW_MS / 1000 - 6 * 86_400}}),
      'eight days where ten are allowed': stopped({
        a: {
          version: '1.16.6',
          lastSeenUnix: NOW_MS / 1000 - 8 * 86_400,
          config: configOf('a', {rejoinAgeMaxMs: 10 * 86_400_000}),
        },
      }),
      'it runs': led({a: {version: '1.16.6', lastSeenUnix: NOW_MS / 1000 - 8 * 86_400}}),
    },
  },
  LEAVE_TRAP: {
    fires: {
      leave_on_terminate: led({a: {config: configOf('a', {leaveOnTerminate: true})}}),
      'a stop command that leaves': led({a: {service: serviceOf({execStop: ['/usr/bin/consul', 'leave']})}}),
      'an interrupt up to 0.6': [old({facts: {service: serviceOf({killSignal: 'SIGINT'})}})],
      'an interrupt that is told to leave': led({
        a: {service: serviceOf({killSignal: 'SIGINT'}), config: configOf('a', {skipLeaveOnInterrupt: false})},
      }),
    },
    silent: {
      'an interrupt from 0.7 on': led({a: {service: serviceOf({killSignal: 'SIGINT'})}}),
      'an interrupt up to 0.6 that is skipped': [
        old({
          facts: {
            service: serviceOf({killSignal: 'SIGINT'}),
            config: configOf('a', {skipLeaveOnInterrupt: true}),
          },
        }),
      ],
      'leave_on_terminate where an interrupt stops it': led({
        a: {
          service: serviceOf({killSignal: 'SIGINT'}),
          config: configOf('a', {leaveOnTerminate: true, skipLeaveOnInterrupt: true}),
        },
      }),
    },
  },
  RESTART_LOOP: {
    fires: {
      'its manager gave up': stopped({
        a: {service: serviceOf({state: 'failed', restarts: 5, result: 'start-limit-hit'})},
      }),
      'seven restarts': led({a: {service: serviceOf({restarts: 7})}}),
    },
    silent: {
      'one restart': led({a: {service: serviceOf({restarts: 1})}}),
      'stopped after some': stopped({a: {service: serviceOf({state: 'stopped', restarts: 4})}}),
    },
  },
  SERVICE_FAILED: {
    fires: {
      failed: stopped({a: {service: serviceOf({state: 'failed', exitCode: 1})}}),
      stopped: stopped(),
    },
    silent: {
      running: led(),
      'its manager could not be asked': stopped({
        a: {service: missing('a', 'failed')},
        b: {service: missing('b', 'failed')},
        c: {service: missing('c', 'failed')},
      }),
    },
  },
  UNREACHABLE: {
    fires: {'it timed out': [silent('a')], 'it refuses us': [server('a', {reached: missing('a', 'denied')})]},
    silent: {'it was not asked': [server('a')], 'it was reached': led()},
  },
  CLOCK_SKEW: {
    fires: {
      'one is a minute ahead': led({a: {clockOffsetMs: 60_000}}),
      'all are off ours': led({
        a: {clockOffsetMs: 60_000},
        b: {clockOffsetMs: 60_100},
        c: {clockOffsetMs: 60_050},
      }),
    },
    silent: {
      'within a second': led({a: {clockOffsetMs: 900}}),
      'not read': led({a: {clockOffsetMs: missing('a', 'failed')}}),
    },
  },
  TLS_FAILS: {
    fires: {
      'the journal refuses certificates': [
        server('a', {journal: journal('tls-refused', 'x509: certificate has expired')}),
      ],
    },
    silent: {'the journal tells of something else': [server('a', {journal: journal('vote-rpc')})]},
  },
  FENCED_SERVER: {
    fires: {'a fence lies there': stopped({a: {traces: [trace('fenced')]}})},
    silent: {'only a copy lies there': stopped({a: {traces: [trace('copy')]}})},
  },
  UNFINISHED_PLAN: {
    fires: {
      'a lock is left': led({
        a: {traces: [{...trace('lock'), path: '/run/quorate/0a1b.lock', text: 'p1 ops@desk'}]},
      }),
      'a hold is left': stopped({a: {traces: [trace('hold')]}}),
      'a lock is left beside a fence': stopped({
        a: {traces: [trace('fenced'), {...trace('lock'), path: '/run/quorate/0a1b.lock'}]},
      }),
    },
    silent: {
      'what the plan set aside stays held': stopped({a: {traces: [trace('fenced'), trace('hold')]}}),
      'only a copy lies there': led({a: {traces: [trace('copy')]}}),
    },
  },
  UNFENCED_EXCLUDED: {
    fires: {
      'a dead server was excluded and does not answer': [...led({a: {traces: [leftOut('d')]}}), silent('d')],
      'it is no longer among the hosts': led({a: {traces: [leftOut('d')]}, b: {traces: [leftOut('d')]}}),
      'it is back with its old data': [
        ...led({a: {traces: [leftOut('d')]}}),
        stoppedConsul('d', {configuration: peerSet(['a', 'b', 'c', 'd'], 1)}),
      ],
      'it is back, and what it holds was not read': [
        ...led({a: {traces: [leftOut('d')]}}),
        stoppedConsul('d', {facts: {store: missing('d', 'denied'), snapshots: missing('d', 'denied')}}),
      ],
      'one of two is blank, the other is still out of sight': [
        ...led({a: {traces: [leftOut('d', 'e')]}}),
        stoppedConsul('d', {facts: {store: storeOf(), snapshots: []}}),
      ],
      'the record was cut off, so that nobody is known to be harmless': led({
        a: {traces: [trace('excluded')]},
      }),
      'it is fenced once more, and holds data again': [
        ...led({a: {traces: [leftOut('d')]}}),
        stoppedConsul('d', {
          configuration: peerSet(['a', 'b', 'c', 'd'], 1),
          facts: {traces: [trace('fenced')]},
        }),
      ],
      'it is in the present peer set, but its log conflicts with the others': [
        ...led({a: {traces: [leftOut('b')]}}).filter(one => one.host !== 'b'),
        stoppedConsul('b', {configuration: abc, end: end(78, 12)}),
      ],
    },
    silent: {
      'the excluded one was fenced': led({a: {traces: [trace('fenced')]}}),
      'it was reached and is blank': [
        ...led({a: {traces: [leftOut('d')]}}),
        stoppedConsul('d', {facts: {store: storeOf(), snapshots: []}}),
      ],
      'it was reached and its raft directory is fenced': [
        ...led({a: {traces: [leftOut('d')]}}),
        stoppedConsul('d', {
          facts: {store: missing('d', 'denied'), snapshots: [], traces: [trace('fenced')]},
        }),
      ],
      'it is a member again, with the history of the others': led({a: {traces: [leftOut('b')]}}),
    },
  },
} satisfies Partial<Record<FindingCode, RuleCases>>
