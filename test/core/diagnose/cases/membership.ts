import type {FindingCode} from '../../../../src/core/model/finding.js'
import {logIndex, serverAddress} from '../../../../src/core/model/ids.js'
import type {RaftStats, ServerObservation} from '../../../../src/core/model/observation.js'
import {valueOf} from '../../../../src/core/model/reading.js'
import {
  addressOf,
  configOf,
  end,
  idOf,
  liveConsul,
  match,
  member,
  missing,
  nonvoter,
  oldPeerSet,
  oldVoter,
  peerSet,
  peersList,
  server,
  silent,
  stoppedConsul,
  storeOf,
  voter,
  withFacts,
} from '../../../helpers/fleet.js'
import type {RuleCases} from './case.js'
import {abc, leaderless, led, stopped} from './case.js'

const everyone = ['a', 'b', 'c'].map(host => member(host))
const journal = (...signatures: string[]) => ({
  lines: 100,
  fromMs: undefined,
  toMs: undefined,
  matches: signatures.map(signature => match(signature)),
})
const old = (host: string, list: readonly string[], leader = '') =>
  liveConsul(host, {
    version: '0.6.4',
    leader,
    facts: {peersFile: peersList(list), api: {statusPeers: list, self: missing(host, 'unsupported')}},
  })
const oldStopped = (host: string, list: readonly string[], facts = {}) =>
  stoppedConsul(host, {
    version: '0.6.4',
    facts: {
      peersFile: peersList(list),
      store: storeOf({end: end(17, 1), configurations: [[1, 1, oldPeerSet(['a', 'b', 'c'])]]}),
      ...facts,
    },
  })
/** The leader among servers, its log committed but for the last entries. */
const behindCommit =
  (parts: Partial<RaftStats>) =>
  (of: ServerObservation): ServerObservation => {
    const self = valueOf(of.api.self)
    if (self?.raft?.role !== 'leader') return of
    const raft = {...self.raft, commitIndex: logIndex(self.raft.lastLogIndex - 15), ...parts}
    return withFacts(of, {api: {self: {...self, raft}}})
  }
const wide = peerSet(['a', 'b', 'c', 'd'], 1)

/** Quorum, leader, peer sets and gossip. */
export const membershipCases = {
  QUORUM_LOST: {
    fires: {
      'one of three is up and says that it has no leader': [
        liveConsul('a', {configuration: abc, leader: ''}),
        silent('b'),
        silent('c'),
      ],
      'all are proved stopped': stopped(),
    },
    silent: {
      'a quorum is up': leaderless(),
      'the only server read is stopped and the others may well lead': [
        stoppedConsul('a', {configuration: abc}),
        silent('b'),
        silent('c'),
      ],
      'one is up, and in contact with a leader that we cannot see': [
        liveConsul('a', {configuration: abc, leader: 'b'}),
        silent('b'),
        silent('c'),
      ],
    },
  },
  QUORUM_AT_RISK: {
    fires: {
      'two of three are up': [...led().slice(0, 2), stoppedConsul('c', {configuration: abc})],
      'two voters are all there are': ['a', 'b'].map(host =>
        liveConsul(host, {configuration: peerSet(['a', 'b'], 1), leader: 'a'}),
      ),
    },
    silent: {
      'three of three are up': led(),
      'the third is only not seen': [...led().slice(0, 2), silent('c')],
      'there is no leader, so it is more than a risk': [
        ...leaderless().slice(0, 2),
        stoppedConsul('c', {configuration: abc}),
      ],
    },
  },
  TRANSIENT_LOSS: {
    fires: {
      'two of three are only stopped': [
        liveConsul('a', {configuration: abc, leader: ''}),
        ...stopped().slice(1),
      ],
      'all run, and one is given up by gossip': leaderless({
        a: {api: {members: [member('a'), member('b', {status: 'failed'}), member('c')]}},
      }),
    },
    silent: {
      'the stopped ones lost their data': [
        liveConsul('a', {configuration: abc, leader: ''}),
        ...stopped({
          b: {store: storeOf(), snapshots: []},
          c: {store: storeOf(), snapshots: []},
        }).slice(1),
      ],
      'starting the one that is stopped is not enough': [
        liveConsul('a', {configuration: peerSet(['a', 'b', 'c', 'd', 'e'], 1), leader: ''}),
        stoppedConsul('b', {configuration: peerSet(['a', 'b', 'c', 'd', 'e'], 1)}),
        silent('c'),
      ],
      'there is a leader': [...led().slice(0, 2), stoppedConsul('c', {configuration: abc})],
    },
  },
  LEADER_NOT_ESTABLISHED: {
    fires: {
      'its journal says so': leaderless({a: {journal: journal('establish-failed')}}),
      'it leads by its own word and names no leader': [
        liveConsul('a', {configuration: abc, leader: '', role: 'leader'}),
        ...leaderless().slice(1),
      ],
      'it leads and its commit index stands still': led().map(behindCommit({commitStandsMs: 2750})),
    },
    silent: {
      'a follower names no leader': leaderless(),
      'its commit index was behind its log at one glance': led().map(behindCommit({})),
      'the journal tells only of lost elections': leaderless({a: {journal: journal('election-retry')}}),
    },
  },
  TWO_LEADERS: {
    fires: {
      'two lead by their own word': [
        liveConsul('a', {configuration: abc, leader: 'a'}),
        liveConsul('b', {configuration: abc, leader: 'b', term: 14}),
        liveConsul('c', {configuration: abc, leader: 'b'}),
      ],
    },
    silent: {
      'one leads and another still names the one before': [
        liveConsul('a', {configuration: abc, leader: 'a'}),
        liveConsul('b', {configuration: abc, leader: 'c'}),
        liveConsul('c', {configuration: abc, leader: 'a'}),
      ],
    },
  },
  NO_LEADER: {
    fires: {'three of three are up and none knows a leader': leaderless()},
    silent: {
      'one has not noticed the new leader': [
        ...led().slice(0, 2),
        liveConsul('c', {configuration: abc, leader: ''}),
      ],
      'nobody was asked': ['a', 'b', 'c'].map(host =>
        liveConsul(host, {configuration: abc, facts: {api: {leader: missing(host, 'timed-out')}}}),
      ),
      'too few are up for one': [liveConsul('a', {configuration: abc, leader: ''}), silent('b'), silent('c')],
    },
  },
  ONLY_NONVOTERS: {
    fires: {
      'the voter is silent': ['b', 'c'].map(host =>
        liveConsul(host, {configuration: peerSet(['a', nonvoter('b'), nonvoter('c')], 1), leader: ''}),
      ),
    },
    silent: {
      'the voter is only stopped': [
        stoppedConsul('a', {configuration: peerSet(['a', nonvoter('b')], 1)}),
        liveConsul('b', {configuration: peerSet(['a', nonvoter('b')], 1), leader: ''}),
      ],
      'voters alone are left': [liveConsul('a', {configuration: abc, leader: ''}), silent('b'), silent('c')],
    },
  },
  EVEN_VOTERS: {
    fires: {
      'four voters': ['a', 'b', 'c', 'd'].map(host => liveConsul(host, {configuration: wide, leader: 'a'})),
    },
    silent: {
      'three voters and a nonvoter': ['a', 'b', 'c'].map(host =>
        liveConsul(host, {configuration: peerSet(['a', 'b', 'c', nonvoter('d')], 1), leader: 'a'}),
      ),
    },
  },
  TERM_RUNAWAY: {
    fires: {
      'a term far above the last entry': [
        liveConsul('a', {configuration: abc, leader: '', term: 40}),
        ...leaderless().slice(1),
      ],
      'the journal tells of many elections': leaderless({
        a: {
          journal: {
            lines: 9,
            fromMs: undefined,
            toMs: undefined,
            matches: [match('election-retry', {count: 50})],
          },
        },
      }),
    },
    silent: {
      'a few elections': [
        liveConsul('a', {configuration: abc, leader: '', term: 16}),
        ...leaderless().slice(1),
      ],
      'many elections, and then a leader': led({
        a: {
          journal: {
            lines: 9,
            fromMs: undefined,
            toMs: undefined,
            matches: [
              match('election-retry', {count: 50, lastAtMs: 1000}),
              match('leader', {lastAtMs: 2000}),
            ],
          },
        },
      }),
    },
  },
  PEER_SETS_DIFFER: {
    fires: {
      'one holds a smaller set': [
        ...leaderless().slice(0, 2),
        liveConsul('c', {configuration: peerSet(['c'], 80), end: end(85, 14), leader: ''}),
      ],
      'a peer of old does not list this server': [
        old('a', ['a', 'b'].map(addressOf)),
        old('b', ['b', 'c'].map(addressOf)),
      ],
      'the journal says that a peer lacks us': [server('a', {journal: journal('peer-lacks-us')})],
    },
    silent: {
      'the same servers in another order': [
        ...leaderless().slice(0, 2),
        liveConsul('c', {configuration: peerSet(['c', 'b', 'a'], 1), leader: ''}),
      ],
      'a follower has not got the newest entry yet': [
        liveConsul('a', {configuration: peerSet(['a', 'b', 'c', 'd'], 90), end: end(95, 13), leader: 'a'}),
        liveConsul('b', {configuration: abc, end: end(80, 13), leader: 'a'}),
      ],
      'a list of old without its own address': [
        old('a', ['b', 'c'].map(addressOf)),
        old('b', ['a', 'b', 'c'].map(addressOf)),
      ],
    },
  },
  PEER_SET_EMPTY: {
    fires: {
      'null after a graceful leave': ['a', 'b', 'c'].map(host => oldStopped(host, [])),
      'no peers.json at all, with data': [oldStopped('a', [], {peersFile: missing('a', 'absent')})],
      'the journal says that nobody is known': [server('a', {journal: journal('no-peers-old')})],
    },
    silent: {
      'a new server of old without data': [oldStopped('a', [], {store: storeOf(), snapshots: []})],
      'a peers.json that was not read': [oldStopped('a', [], {peersFile: missing('a', 'denied')})],
      'a list that names others': [oldStopped('a', ['a', 'b'].map(addressOf))],
    },
  },
  LAST_LEAVER_ALONE: {
    fires: {
      'the log names three and the last set one': [
        stoppedConsul('a', {
          facts: {
            store: storeOf({
              end: end(20, 2),
              configurations: [
                [1, 1, abc],
                [17, 2, peerSet(['a', 'b'])],
                [19, 2, peerSet(['a'])],
              ],
            }),
          },
        }),
      ],
    },
    silent: {
      'a server that was always alone': [stoppedConsul('a', {configuration: peerSet(['a'], 1)})],
      'two are left': [
        stoppedConsul('a', {
          facts: {
            store: storeOf({
              end: end(20, 2),
              configurations: [
                [1, 1, abc],
                [17, 2, peerSet(['a', 'b'])],
              ],
            }),
          },
        }),
      ],
    },
  },
  SELF_NOT_IN_CONFIGURATION: {
    fires: {
      'its set names others': [liveConsul('c', {configuration: peerSet(['a', 'b'], 17), leader: ''})],
      'its set has its address under another id': [
        liveConsul('a', {configuration: peerSet([voter('a', {id: 'feedbeef'})], 80), leader: ''}),
      ],
      'a list of old names others, which is legal': [oldStopped('a', ['b', 'c'].map(addressOf))],
      'the journal says so': [server('a', {journal: journal('not-in-config')})],
    },
    silent: {
      'the id is its own at an address it no longer has': [
        liveConsul('a', {
          configuration: peerSet([voter('a', {address: '10.9.9.9:8300'}), 'b'], 1),
          leader: '',
        }),
      ],
      'its own id is not known': [
        stoppedConsul('a', {configuration: peerSet(['b', 'c'], 1), facts: {nodeId: missing('a', 'denied')}}),
      ],
    },
  },
  PEER_NOT_IN_SERF: {
    fires: {
      'gossip knows two of three': led({a: {api: {members: [member('a'), member('b')]}}}),
      'servers that are up and leaderless do not know each other': leaderless({
        a: {api: {members: [member('a')]}},
      }),
    },
    silent: {
      'gossip knows all, one as failed': led({
        a: {api: {members: [...everyone.slice(0, 2), member('c', {status: 'failed'})]}},
      }),
      'nobody’s gossip was read': led(),
      'a survivor was restarted without a leader while the others are down': [
        liveConsul('a', {configuration: abc, leader: '', facts: {api: {members: [member('a')]}}}),
        silent('b'),
        silent('c'),
      ],
    },
  },
  SERVER_NOT_IN_RAFT: {
    fires: {'a fourth server is alive': led({a: {api: {members: [...everyone, member('d')]}}})},
    silent: {
      'a fourth member is a client': led({a: {api: {members: [...everyone, member('d', {server: false})]}}}),
      'a fourth server is of another datacenter': led({
        a: {api: {members: [...everyone, member('d', {datacenter: 'dc2'})]}},
      }),
      'a fourth server left': led({a: {api: {members: [...everyone, member('d', {status: 'left'})]}}}),
    },
  },
  FAILED_MEMBER_VOTES: {
    fires: {
      'a voter is failed': led({
        a: {api: {members: [...everyone.slice(0, 2), member('c', {status: 'failed'})]}},
      }),
      'a voter left': led({a: {api: {members: [...everyone.slice(0, 2), member('c', {status: 'left'})]}}}),
    },
    silent: {
      'a member outside the peer set is failed': led({
        a: {api: {members: [...everyone, member('d', {status: 'failed'})]}},
      }),
      'a voter is leaving': led({
        a: {api: {members: [...everyone.slice(0, 2), member('c', {status: 'leaving'})]}},
      }),
    },
  },
  GOSSIP_KEYS_DIFFER: {
    fires: {
      'primary keys differ': led({
        a: {keyring: {fingerprints: ['aaa']}},
        b: {keyring: {fingerprints: ['bbb']}},
      }),
      'the journal cannot decrypt': [server('a', {journal: journal('key-mismatch')})],
      'the journal meets a side in the clear': [server('a', {journal: journal('key-one-side')})],
    },
    silent: {
      'a rotation is on its way and each holds both': led({
        a: {keyring: {fingerprints: ['aaa', 'bbb']}},
        b: {keyring: {fingerprints: ['bbb', 'aaa']}},
      }),
      'no keyring was read': led(),
    },
  },
  STALE_ADDRESS: {
    fires: {
      'the set has the id at an address the host does not have': [
        liveConsul('a', {
          configuration: peerSet([voter('a', {address: '10.9.9.9:8300'}), 'b'], 1),
          leader: '',
        }),
      ],
      'the host has both addresses, and its server now uses the other': leaderless({
        a: {
          hostAddresses: ['10.0.0.1', '10.0.9.1'],
          api: {members: [member('a', {address: '10.0.9.1', raftAddress: serverAddress('10.0.9.1:8300')})]},
        },
      }),
      'every address is another, and addresses are ids': ['a', 'b'].map(host =>
        stoppedConsul(host, {
          version: '0.7.5',
          configuration: peerSet([oldVoter('x'), oldVoter('y')], 1),
          facts: {nodeId: missing(host, 'absent')},
        }),
      ),
    },
    silent: {
      'the address is the advertised one behind a translation': [
        liveConsul('a', {
          configuration: peerSet([voter('a', {address: '203.0.113.7:8300'}), 'b'], 1),
          leader: '',
          facts: {config: configOf('a', {advertiseAddress: '203.0.113.7'})},
        }),
      ],
      'the host has a second address, which its server does not use': leaderless({
        a: {hostAddresses: ['10.0.0.1', '10.0.9.1'], api: {members: [member('a')]}},
      }),
      'a leader is about to take the new address': led({
        b: {
          hostAddresses: ['10.0.0.2', '10.0.9.2'],
          api: {members: [member('b', {address: '10.0.9.2', raftAddress: serverAddress('10.0.9.2:8300')})]},
        },
      }),
      'the addresses of the host were not read': [
        liveConsul('a', {
          configuration: peerSet([voter('a', {address: '10.9.9.9:8300'}), 'b'], 1),
          leader: '',
          facts: {hostAddresses: missing('a', 'failed')},
        }),
      ],
    },
  },
  LOOPBACK_ADDRESS: {
    fires: {
      'a peer at 127.0.0.1': [
        liveConsul('a', {
          configuration: peerSet([voter('a', {address: '127.0.0.1:8300'}), 'b'], 1),
          leader: '',
        }),
      ],
      'a peer at a wildcard': [
        liveConsul('a', {configuration: peerSet([voter('a', {address: '[::]:8300'}), 'b'], 1), leader: ''}),
      ],
    },
    silent: {
      'a server all alone': [
        liveConsul('a', {configuration: peerSet([voter('a', {address: '127.0.0.1:8300'})], 1), leader: 'a'}),
      ],
      'an address that only begins alike': [
        liveConsul('a', {
          configuration: peerSet([voter('a', {address: '12.127.0.1:8300'}), 'b'], 1),
          leader: '',
        }),
      ],
    },
  },
  DUPLICATE_ID: {
    fires: {
      'two hosts with one node-id': led({b: {nodeId: idOf('a')}}),
      'the journal refuses a member for it': [server('a', {journal: journal('node-id-conflict')})],
    },
    silent: {'three ids': led(), 'ids that were not read': led({a: {nodeId: missing('a', 'denied')}})},
  },
  DUPLICATE_ADDRESS: {
    fires: {
      'one address under two ids': [
        liveConsul('a', {
          configuration: peerSet(['a', voter('b', {address: addressOf('a')})], 1),
          leader: '',
        }),
      ],
      'two hosts advertise the same': led({b: {config: configOf('b', {advertiseAddress: '10.0.0.1'})}}),
    },
    silent: {
      'one host at two ports': led({
        b: {
          config: configOf('b', {
            advertiseAddress: '10.0.0.1',
            ports: {server: 8310, serfLan: 8301, http: 8500, https: undefined, rpc: undefined},
          }),
        },
      }),
    },
  },
  DUPLICATE_NAME: {
    fires: {
      'two hosts use one name': led({
        b: {config: configOf('b', {nodeName: 'a'}), api: {self: missing('b', 'timed-out')}},
      }),
      'the journal tells of a conflict': [server('a', {journal: journal('name-conflict')})],
    },
    silent: {'each has its own': led()},
  },
  MIXED_IDS: {
    fires: {
      'one id is still an address': [
        liveConsul('a', {configuration: peerSet(['a', oldVoter('b')], 1), leader: ''}),
      ],
    },
    silent: {
      'all ids are addresses': [
        liveConsul('a', {configuration: oldPeerSet(['a', 'b'], 1), leader: '', version: '0.7.5'}),
      ],
      'no id is': leaderless(),
    },
  },
  ID_MISMATCH: {
    fires: {
      'the set has its address under another id': [
        liveConsul('a', {configuration: peerSet([voter('a', {id: 'feedbeef'})], 80), leader: ''}),
      ],
      'the file writes its id in upper case': [
        stoppedConsul('a', {
          configuration: abc,
          facts: {
            nodeId: 'abcdef00-0000-4000-8000-000000000000',
            peersFile: {
              text: '[]',
              sha256: 'x',
              dialect: 'objects',
              servers: [
                {id: 'ABCDEF00-0000-4000-8000-000000000000', address: addressOf('a'), nonVoter: false},
              ],
              problems: [],
            },
          },
        }),
      ],
    },
    silent: {
      'the address is that of the host, with its own id': led(),
      'another server of the set has another id': [
        liveConsul('a', {configuration: peerSet(['b'], 1), leader: ''}),
      ],
    },
  },
} satisfies Partial<Record<FindingCode, RuleCases>>
