import type {Finding} from '../../model/finding.js'
import type {Server} from '../../model/configuration.js'
import type {Member} from '../../model/observation.js'
import {valueOf} from '../../model/reading.js'
import {quorateCommand} from '../commands.js'
import type {ClusterFacts} from '../facts.js'
import {gossipViews, peerName} from '../facts.js'
import {
  evidenceOf,
  journalMatches,
  listWords,
  makeFinding,
  matchEvidence,
  readingEvidence,
  remedy,
  serversOf,
} from '../findings.js'
import type {ServerFacts} from '../server-facts.js'

const isMember = (member: Member, peer: Server): boolean =>
  member.raftAddress === peer.address || (member.id !== undefined && member.id === peer.id)

const membersEvidence = (server: ServerFacts, text: string) =>
  evidenceOf(server.server.api.members.source, text)

/**
 * PEER_NOT_IN_SERF: a peer that a running server's gossip has never heard of. Without a leader nobody removes it, and a
 * peer that is down is what gossip cannot know after a restart: then the rule has nothing to add.
 */
export function peerNotInSerf(facts: ClusterFacts): readonly Finding[] {
  const views = gossipViews(facts)
  const peers = facts.peerSet?.configuration.servers ?? []
  return peers.flatMap(peer => {
    const lacking = views.filter(view => !view.members.some(member => isMember(member, peer)))
    const voter = facts.voters.find(one => one.peer === peer)
    const up = voter === undefined || voter.state === 'up'
    if (lacking.length === 0 || (!up && facts.leader.exists !== 'yes')) return []
    const name = peerName(facts, peer)
    return [
      makeFinding({
        code: 'PEER_NOT_IN_SERF',
        severity: 'warning',
        subject: {kind: 'peer', id: peer.id, address: peer.address},
        summary: `${name} (${peer.address}) is a peer in Raft and unknown to gossip on ${listWords(lacking.map(view => view.server.host))}.`,
        explanation:
          'A leader removes peers that gossip does not know within about a minute. When servers do not join each other, that can cost the quorum again.',
        evidence: lacking.map(view => membersEvidence(view.server, `no member at ${peer.address}`)),
        remedies: up ? [remedy('nothing', `Join the servers to each other.`, 'Changes gossip only.')] : [],
      }),
    ]
  })
}

function aliveServers(facts: ClusterFacts): readonly {readonly member: Member; readonly view: ServerFacts}[] {
  const datacenter = (view: ServerFacts): string | undefined =>
    valueOf(view.server.api.self)?.datacenter ?? valueOf(view.server.config)?.datacenter
  return gossipViews(facts).flatMap(view =>
    view.members
      .filter(member => member.server && member.status === 'alive')
      .filter(member => {
        const own = datacenter(view.server)
        return member.datacenter === undefined || own === undefined || member.datacenter === own
      })
      .map(member => ({member, view: view.server})),
  )
}

/** SERVER_NOT_IN_RAFT: a server that gossip calls alive is no peer. */
export function serverNotInRaft(facts: ClusterFacts): readonly Finding[] {
  const peers = facts.peerSet?.configuration.servers
  if (peers === undefined) return []
  const outside = aliveServers(facts).filter(({member}) => !peers.some(peer => isMember(member, peer)))
  const names = [...new Set(outside.map(one => one.member.name))]
  return names.map(name => {
    const seen = outside.filter(one => one.member.name === name)
    const address = seen[0]?.member.raftAddress ?? '?'
    return makeFinding({
      code: 'SERVER_NOT_IN_RAFT',
      severity: 'warning',
      subject: {kind: 'peer', id: seen[0]?.member.id ?? name, address},
      summary: `${name} (${address}) is alive in gossip and not in the peer set.`,
      explanation:
        facts.leader.exists === 'yes'
          ? 'A leader adds such a server by itself. When it stays outside, look at its id, its version and at autopilot.'
          : 'Only a leader can add it. Until then it does not vote.',
      evidence: seen.map(one => membersEvidence(one.view, `${name} is alive`)),
    })
  })
}

/** FAILED_MEMBER_VOTES: gossip has given up a member that still counts as a voter. */
export function failedMemberVotes(facts: ClusterFacts): readonly Finding[] {
  const lines = gossipViews(facts).flatMap(view =>
    view.members
      .filter(member => member.server && (member.status === 'failed' || member.status === 'left'))
      .flatMap(member => {
        const voter = facts.voters.find(one => isMember(member, one.peer))
        return voter === undefined ? [] : [{view: view.server, member, voter}]
      }),
  )
  return facts.voters.flatMap(voter => {
    const seen = lines.filter(line => line.voter === voter)
    const [first] = seen
    if (first === undefined) return []
    const name = voter.server?.host ?? first.member.name
    // Whom we see up, others only do not hear: that is the network's matter, and no reason to take anybody out.
    const up = voter.state === 'up'
    const led = facts.leader.exists === 'yes' && facts.leader.claims.length <= 1
    return [
      makeFinding({
        code: 'FAILED_MEMBER_VOTES',
        severity: 'warning',
        subject: {kind: 'peer', id: voter.peer.id, address: voter.peer.address},
        summary: `${name} is ${first.member.status} in gossip and still a voter.`,
        explanation: up
          ? `It runs, but ${listWords(seen.map(line => line.view.host))} ${seen.length === 1 ? 'does' : 'do'} not hear it: they may be cut off from each other.`
          : 'It counts towards the quorum and does not vote.',
        evidence: seen.map(line =>
          membersEvidence(line.view, `${line.member.name} is ${line.member.status}`),
        ),
        remedies:
          led && !up
            ? [
                remedy(
                  'nothing',
                  `Take ${name} out of the peer set while there is a leader.`,
                  'Done online by the product itself. Only if it will never come back.',
                  [
                    quorateCommand(
                      facts.context,
                      'peers',
                      'fix',
                      '--remove',
                      voter.server?.host ?? voter.peer.address,
                    ),
                  ],
                ),
              ]
            : [],
      }),
    ]
  })
}

/** GOSSIP_KEYS_DIFFER: servers cannot read each other's gossip. */
export function gossipKeysDiffer(facts: ClusterFacts): readonly Finding[] {
  const rings = facts.servers.flatMap(server => {
    const ring = valueOf(server.server.keyring)
    return ring === undefined ? [] : [{server, primary: ring.fingerprints[0] ?? 'none', ring}]
  })
  // A ring that holds the other's primary key can still read it: keys are rotated that way.
  const deaf = rings.filter(one => rings.some(other => !one.ring.fingerprints.includes(other.primary)))
  const told = journalMatches(facts, ['key-mismatch', 'key-one-side'])
  if (deaf.length === 0 && told.length === 0) return []
  const hosts = deaf.length > 0 ? deaf.map(one => one.server) : serversOf(told)
  return [
    makeFinding({
      code: 'GOSSIP_KEYS_DIFFER',
      severity: 'error',
      summary: `${listWords(hosts.map(one => one.host))} cannot read the gossip of the others: the keys differ.`,
      explanation:
        'Servers that cannot gossip do not find each other, which looks like a lost quorum. peers.json does not cure it. A keyring file on disk wins over the encrypt setting.',
      evidence: [
        ...deaf.map(one => readingEvidence(one.server.server.keyring, () => `primary key ${one.primary}`)),
        ...told.map(matchEvidence),
      ],
      remedies: [
        remedy(
          'nothing',
          'Give all servers the same primary key, in the keyring file where there is one.',
          'Changes no Raft state.',
        ),
      ],
      causes: ['TRANSIENT_LOSS', 'PEER_NOT_IN_SERF', 'FAILED_MEMBER_VOTES'],
    }),
  ]
}
