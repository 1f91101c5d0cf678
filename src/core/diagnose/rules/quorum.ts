import type {Evidence, Finding, Remedy, Risk} from '../../model/finding.js'
import {commitsKept, hasQuorum} from '../../model/quorum.js'
import {quorateCommand, startCommands} from '../commands.js'
import type {Arithmetic, ClusterFacts, VoterFacts} from '../facts.js'
import {gossipViews, voterName} from '../facts.js'
import {evidenceOf, listWords, makeFinding, readingEvidence, remedy} from '../findings.js'
import {mayElectItself} from '../peer-set.js'
import {arithmeticSentence, namesOf, votersIn} from '../wording.js'

/** What is known of each voter, one line of evidence each. */
function voterEvidence(facts: ClusterFacts): Evidence[] {
  return facts.voters.map(voter => {
    const source = voter.server?.server.reached.source
    const value = `${voterName(facts, voter)} ${voter.peer.address}: ${voter.state}`
    return evidenceOf(
      source ?? {host: voterName(facts, voter), via: 'inventory', what: 'not among the hosts'},
      value,
    )
  })
}

function startRemedy(facts: ClusterFacts, of: Arithmetic, voters: readonly VoterFacts[]): Remedy {
  const commands = voters.flatMap(voter =>
    voter.server === undefined ? [] : startCommands(voter.server.server),
  )
  return remedy(
    'nothing',
    `Start ${namesOf(facts, voters)}: ${of.up + voters.length} of ${of.total} ${facts.leader.exists === 'yes' ? 'voters are then up' : 'is a quorum'}.`,
    commands.length === 0
      ? 'Changes no Raft state. The service manager is not known, so start it the way this host does.'
      : 'Changes no Raft state. Nothing can be lost.',
    commands,
  )
}

const keptWords = {
  all: 'Loses nothing that was committed.',
  'all-in-best-log':
    'Loses nothing that was committed if the best log among the kept leads; the plan sees to it.',
  unknown: 'May lose writes that were acknowledged; the plan says which.',
} as const
const keptRisk = {
  all: 'availability',
  'all-in-best-log': 'unacknowledged-writes',
  unknown: 'acknowledged-writes',
} as const satisfies Record<string, Risk>

/** Takes out of the peer set, by a recovery file, every voter that is not there to vote. */
function recoveryRemedies(facts: ClusterFacts, of: Arithmetic): Remedy[] {
  const kept = votersIn(facts, 'up', 'startable')
  const gone = facts.voters.filter(voter => !kept.includes(voter))
  if (kept.length === 0 || gone.length === 0) return []
  const removed = gone.flatMap(voter => ['--remove', voter.server?.host ?? voter.peer.address])
  const data = commitsKept(of.total, kept.length)
  return [
    remedy(
      keptRisk[data],
      `Take ${namesOf(facts, gone)} out of the peer set: ${namesOf(facts, kept)} ${kept.length === 1 ? 'goes' : 'go'} on alone.`,
      `Stops ${namesOf(facts, kept)} for the time of an election. ${keptWords[data]} Only if ${namesOf(facts, gone)} will never come back with the data ${gone.length === 1 ? 'it has' : 'they have'}.`,
      [quorateCommand(facts.context, 'peers', 'fix', ...removed)],
    ),
  ]
}

const lost = (facts: ClusterFacts): facts is ClusterFacts & {readonly arithmetic: Arithmetic} =>
  facts.arithmetic !== undefined &&
  facts.leader.exists !== 'yes' &&
  !hasQuorum(facts.arithmetic.total, facts.arithmetic.up)

/** Whether anything says that there is no leader: a server that runs, or too few voters that could be anywhere. */
function isCertain(facts: ClusterFacts, of: Arithmetic): boolean {
  return facts.leader.exists === 'no' || !hasQuorum(of.total, of.up + of.unseen)
}

/** QUORUM_LOST: fewer voters are up than a quorum, and nobody leads. */
export function quorumLost(facts: ClusterFacts): readonly Finding[] {
  if (!lost(facts)) return []
  const of = facts.arithmetic
  if (!isCertain(facts, of)) return []
  const elsewhere = hasQuorum(of.total, of.unseen)
    ? ` The ${of.unseen} unseen voters would be a quorum by themselves: they may have a leader on the other side of a partition.`
    : ''
  const unseen = votersIn(facts, 'unseen')
  const back =
    unseen.length === 0
      ? []
      : [
          remedy(
            'nothing',
            `Bring ${namesOf(facts, unseen)} back, or the network to ${unseen.length === 1 ? 'it' : 'them'}.`,
            'A server that does not answer may be well and only cut off from here. Nothing can be lost.',
          ),
        ]
  return [
    makeFinding({
      code: 'QUORUM_LOST',
      severity: 'fatal',
      summary: arithmeticSentence(of),
      explanation: `Without a quorum there is no leader: every write and every consistent read fails.${elsewhere}`,
      evidence: voterEvidence(facts),
      remedies: [...back, ...recoveryRemedies(facts, of)],
      causes: ['TERM_RUNAWAY'],
    }),
  ]
}

/** TRANSIENT_LOSS: enough voters that have their data are only stopped, or are up and cut off from each other. */
export function transientLoss(facts: ClusterFacts): readonly Finding[] {
  const of = facts.arithmetic
  if (of === undefined || facts.leader.exists === 'yes') return []
  if (hasQuorum(of.total, of.up)) return cutOff(facts, of)
  if (!hasQuorum(of.total, of.up + of.startable)) return []
  const stopped = votersIn(facts, 'startable')
  // The only server of an old cluster does not elect itself by being started.
  const [only] = stopped
  if (of.total === 1 && only?.server !== undefined && mayElectItself(only.server) !== 'yes') return []
  return [
    makeFinding({
      code: 'TRANSIENT_LOSS',
      severity: 'error',
      summary: `${namesOf(facts, stopped)} ${stopped.length === 1 ? 'is' : 'are'} only stopped and ${stopped.length === 1 ? 'has its' : 'have their'} data: starting is enough.`,
      explanation: 'A recovery file would be the wrong medicine. It gives up what a start keeps.',
      evidence: stopped.flatMap(voter =>
        voter.server === undefined
          ? []
          : [readingEvidence(voter.server.server.processes, list => `${list.length} processes`)],
      ),
      remedies: [startRemedy(facts, of, stopped)],
      causes: ['QUORUM_LOST'],
    }),
  ]
}

/** Voters that are up and that another voter's gossip has given up. */
function cutOff(facts: ClusterFacts, of: Arithmetic): readonly Finding[] {
  const up = votersIn(facts, 'up')
  const lines = gossipViews(facts).flatMap(({server, members}) =>
    members
      .filter(member => member.status === 'failed')
      .flatMap(member => {
        const voter = up.find(one => one.peer.address === member.raftAddress || one.peer.id === member.id)
        return voter === undefined || voter.server === server ? [] : [{server, voter}]
      }),
  )
  if (lines.length === 0) return []
  const voters = up.filter(voter => lines.some(line => line.voter === voter))
  return [
    makeFinding({
      code: 'TRANSIENT_LOSS',
      severity: 'error',
      summary: `${of.up} of ${of.total} voters are up, but ${namesOf(facts, voters)} cannot be heard by the others.`,
      explanation:
        'The servers run and have their data; the network between them does not carry their traffic.',
      evidence: lines.map(({server, voter}) =>
        evidenceOf(
          server.server.api.members.source,
          `${voterName(facts, voter)} is failed as seen by ${server.host}`,
        ),
      ),
      remedies: [
        remedy(
          'nothing',
          'Open the Raft and gossip ports between the servers, TCP and UDP, both ways.',
          'Changes no Raft state. Nothing can be lost.',
        ),
      ],
      causes: ['NO_LEADER'],
    }),
  ]
}

/** QUORUM_AT_RISK: there is a leader, and one failure more stops the cluster. */
export function quorumAtRisk(facts: ClusterFacts): readonly Finding[] {
  const of = facts.arithmetic
  if (of === undefined || facts.leader.exists !== 'yes' || of.unseen > 0 || of.faultTolerance > 0) return []
  const missing = facts.voters.filter(voter => voter.state !== 'up')
  const startable = votersIn(facts, 'startable')
  const dead = missing.filter(voter => !startable.includes(voter))
  const remedies: Remedy[] = []
  if (startable.length > 0) remedies.push(startRemedy(facts, of, startable))
  if (dead.length > 0)
    remedies.push(
      remedy(
        'nothing',
        `Take ${namesOf(facts, dead)} out of the peer set while there is a leader.`,
        'Done online by the product itself. Only if it will never come back.',
        [
          quorateCommand(
            facts.context,
            'peers',
            'fix',
            ...dead.flatMap(one => ['--remove', one.server?.host ?? one.peer.address]),
          ),
        ],
      ),
    )
  return [
    makeFinding({
      code: 'QUORUM_AT_RISK',
      severity: 'warning',
      summary: `${arithmeticSentence(of)} Losing one more server stops the cluster.`,
      explanation:
        missing.length === 0
          ? `A peer set of ${of.total} tolerates no failure; 3 tolerate one.`
          : `${namesOf(facts, missing)} ${missing.length === 1 ? 'does' : 'do'} not vote now.`,
      evidence: voterEvidence(facts),
      remedies,
    }),
  ]
}

/** NO_LEADER: a quorum of voters is up, and the servers that answer know no leader. */
export function noLeader(facts: ClusterFacts): readonly Finding[] {
  const of = facts.arithmetic
  if (of === undefined || facts.leader.exists !== 'no' || !hasQuorum(of.total, of.up)) return []
  const asked = facts.leader.without
  return [
    makeFinding({
      code: 'NO_LEADER',
      severity: 'fatal',
      summary: `${arithmeticSentence(of)} Yet ${listWords(asked.map(server => server.host))} ${asked.length === 1 ? 'knows' : 'know'} no leader.`,
      explanation:
        'An election takes seconds. When it does not end, the servers cannot reach each other, do not agree on the peer set, or each refuses the others.',
      evidence: asked.map(server => readingEvidence(server.server.api.leader, value => `leader "${value}"`)),
      remedies: [
        remedy('nothing', 'Look again in half a minute: an election may be going on.', 'Changes nothing.', [
          quorateCommand(facts.context, 'doctor'),
        ]),
      ],
    }),
  ]
}

/** ONLY_NONVOTERS: no voter of the peer set is there, but nonvoters are. */
export function onlyNonvoters(facts: ClusterFacts): readonly Finding[] {
  const set = facts.peerSet?.configuration
  if (set === undefined || facts.leader.exists === 'yes') return []
  const mayVote = facts.voters.some(
    ({state, server}) =>
      state === 'up' || state === 'startable' || (state === 'stopped' && server?.startable === 'unknown'),
  )
  if (mayVote) return []
  const nonvoters = set.servers.filter(peer => peer.suffrage === 'nonvoter')
  const there = facts.servers.filter(
    server =>
      (server.running === 'yes' || server.startable === 'yes') &&
      nonvoters.some(peer => peer.id === server.nodeId || peer.address === server.raftAddress),
  )
  if (there.length === 0) return []
  return [
    makeFinding({
      code: 'ONLY_NONVOTERS',
      severity: 'fatal',
      summary: `Of ${set.servers.length} peers only ${listWords(there.map(server => server.host))} ${there.length === 1 ? 'is' : 'are'} there, and ${there.length === 1 ? 'it does' : 'they do'} not vote.`,
      explanation: 'Nonvoters hold the data but can never elect a leader; no wait ends this.',
      evidence: there.flatMap(server =>
        server.believedFrom === undefined ? [] : [evidenceOf(server.believedFrom, 'nonvoter')],
      ),
      remedies: [
        remedy(
          'unacknowledged-writes',
          'Bring a voter back, or make the nonvoters voters by a recovery file.',
          'Nonvoters may be behind what was acknowledged.',
          [quorateCommand(facts.context, 'peers', 'list')],
        ),
      ],
    }),
  ]
}

/** EVEN_VOTERS: an even number of voters tolerates no more than one fewer. */
export function evenVoters(facts: ClusterFacts): readonly Finding[] {
  const of = facts.arithmetic
  if (of === undefined || of.total % 2 === 1) return []
  return [
    makeFinding({
      code: 'EVEN_VOTERS',
      severity: 'warning',
      summary: `${of.total} voters tolerate no more failures than ${of.total - 1} would.`,
      explanation: 'A quorum of an even number needs one more server and gives nothing for it.',
      evidence:
        facts.peerSet?.believers.flatMap(server =>
          server.believedFrom === undefined ? [] : [evidenceOf(server.believedFrom, `${of.total} voters`)],
        ) ?? [],
    }),
  ]
}
