import type {Finding} from '../../model/finding.js'
import {valueOf} from '../../model/reading.js'
import {quorateCommand, restartCommands} from '../commands.js'
import type {ClusterFacts} from '../facts.js'
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

/** Elections far beyond what a healthy cluster needs. */
const TERM_LEAD_MAX = 10

const roleEvidence = (server: ServerFacts) =>
  readingEvidence(
    server.server.api.self,
    self => `role ${self.raft?.role ?? '?'}, term ${self.raft?.term ?? '?'}`,
  )

/** Signatures of a Raft leader that cannot take up its work, by what stands in its way. */
const establishSignatures = ['establish-failed', 'establish-ca', 'establish-acl']

/**
 * LEADER_NOT_ESTABLISHED: Raft has a leader, but the product cannot take up leadership (`establishLeadership` in
 * agent/consul/leader.go fails over ACL, CA or configuration entries), so clients see none.
 */
export function leaderNotEstablished(facts: ClusterFacts): readonly Finding[] {
  return [...cannotBegin(facts), ...cannotCommit(facts)]
}

/**
 * A leader that was watched while its commit index stood still. Up to Consul 0.6 a new leader follows the peer lists
 * of old log entries for a moment (`processLog` in hashicorp/raft before its version 1) and may lose count of who has
 * acknowledged what; peers and roles look right for ever after, and no write ends.
 */
function cannotCommit(facts: ClusterFacts): readonly Finding[] {
  return facts.leader.claims.flatMap(server => {
    const raft = valueOf(server.server.api.self)?.raft
    if (raft?.commitStandsMs === undefined || raft.commitIndex >= raft.lastLogIndex) return []
    const seconds = Math.round(raft.commitStandsMs / 1000)
    const {legacy} = server
    return [
      makeFinding({
        code: 'LEADER_NOT_ESTABLISHED',
        severity: 'fatal',
        on: server,
        summary: `${server.host} leads but commits nothing: its log ends at ${raft.lastLogIndex} and is committed up to ${raft.commitIndex}, unchanged for ${seconds} s.`,
        explanation: legacy
          ? 'Every write waits in vain. Up to Consul 0.6 a new leader takes the peer lists of its old log entries for new ones, and can get stuck over that. Its next election may end better.'
          : 'Every write waits in vain: too few voters acknowledge its entries, or it has lost them a moment ago.',
        evidence: [
          readingEvidence(
            server.server.api.self,
            () => `commit_index ${raft.commitIndex}, last_log_index ${raft.lastLogIndex}`,
          ),
        ],
        remedies: legacy
          ? [
              remedy(
                'availability',
                `Restart ${server.host}: that brings another election.`,
                'Nothing that was committed is lost.',
                restartCommands(server.server),
              ),
            ]
          : [
              remedy('nothing', 'Look again in half a minute.', 'Changes nothing.', [
                quorateCommand(facts.context, 'doctor'),
              ]),
            ],
        causes: ['NO_LEADER'],
      }),
    ]
  })
}

function cannotBegin(facts: ClusterFacts): readonly Finding[] {
  const told = journalMatches(facts, establishSignatures)
  const mute = facts.leader.claims.filter(server => server.names === '')
  const concerned = [...new Set([...serversOf(told), ...mute])]
  if (concerned.length === 0) return []
  return [
    makeFinding({
      code: 'LEADER_NOT_ESTABLISHED',
      severity: 'fatal',
      summary: `${listWords(concerned.map(server => server.host))} ${concerned.length === 1 ? 'wins' : 'win'} elections but cannot take up leadership.`,
      explanation:
        'Raft is well: a leader is elected and then fails at its first work, such as setting up ACLs or the certificate authority. Clients see no leader. peers.json changes nothing here and loses time.',
      evidence: [...told.map(matchEvidence), ...mute.map(roleEvidence)],
      remedies: [
        remedy(
          'nothing',
          'Put right what the leader’s journal names (ACL, CA provider, its credentials).',
          'Changes no Raft state. No recovery file.',
        ),
      ],
      causes: ['NO_LEADER', 'TERM_RUNAWAY'],
    }),
  ]
}

/** TWO_LEADERS: two servers lead by their own word. */
export function twoLeaders(facts: ClusterFacts): readonly Finding[] {
  const {claims} = facts.leader
  if (claims.length < 2) return []
  const apart = new Set(claims.map(server => server.term)).size > 1
  return [
    makeFinding({
      code: 'TWO_LEADERS',
      severity: 'fatal',
      summary: `${listWords(claims.map(server => `${server.host} (term ${server.term ?? '?'})`))} each say that they lead.`,
      explanation: apart
        ? 'An old leader notices its loss only after seconds. When both stay, there are two clusters and each takes writes that the other does not have.'
        : 'Two leaders in one term cannot belong to one cluster: there are two, and each takes writes that the other does not have.',
      evidence: claims.map(roleEvidence),
      remedies: [
        remedy(
          'nothing',
          'Look again in half a minute, before anything is started or stopped.',
          'When both still lead, stop clients from writing first; which side is kept is your decision.',
        ),
      ],
      causes: ['STATE_DIVERGENT', 'PEER_SETS_DIFFER'],
    }),
  ]
}

interface Runaway {
  readonly server: ServerFacts
  readonly from: number
  readonly to: number
}

/** A server whose term has run ahead of the last entry anybody wrote. */
function runaways(facts: ClusterFacts): Runaway[] {
  const lastTerms = facts.servers.flatMap(server => (server.end === undefined ? [] : [server.end.term]))
  if (lastTerms.length === 0) return []
  const from = Math.max(...lastTerms)
  return facts.servers.flatMap(server =>
    server.end !== undefined && server.term !== undefined && server.term - from > TERM_LEAD_MAX
      ? [{server, from, to: server.term}]
      : [],
  )
}

/** TERM_RUNAWAY: servers stand for election again and again. */
export function termRunaway(facts: ClusterFacts): readonly Finding[] {
  const retries = journalMatches(facts, ['election-retry'], {current: true}).filter(
    found => found.match.count >= TERM_LEAD_MAX,
  )
  const ahead = runaways(facts)
  const concerned = [...new Set([...ahead.map(one => one.server), ...serversOf(retries)])]
  return concerned.map(server => {
    const run = ahead.find(one => one.server === server)
    const retry = retries.find(found => found.server === server)
    const summary =
      run === undefined
        ? `${server.host} has stood for election ${retry?.match.count ?? 0} times.`
        : `${server.host} has stood for election ${run.to - run.from} times, term ${run.from} to ${run.to}.`
    const led = facts.leader.exists === 'yes'
    return makeFinding({
      code: 'TERM_RUNAWAY',
      severity: 'warning',
      on: server,
      summary,
      explanation: led
        ? 'It cannot hear the leader that the others have; when it comes back its higher term unseats that leader once.'
        : 'A symptom of the lost quorum; it ends when the quorum is back. Terms say nothing about who has more data.',
      evidence: [
        ...(run === undefined
          ? []
          : [
              evidenceOf(
                valueOf(server.server.api.self) ? server.server.api.self.source : server.server.store.source,
                `term ${run.to}`,
              ),
            ]),
        ...(retry === undefined ? [] : [matchEvidence(retry)]),
      ],
    })
  })
}
