import type {Server} from '../model/configuration.js'
import {voters} from '../model/configuration.js'
import {compareLogEnds, logIndex, term as termOf} from '../model/ids.js'
import {quorumSize} from '../model/quorum.js'
import {lead} from './leading.js'
import {findServer} from './membership.js'
import type {PreVoteRequest, RaftResponse, VoteRequest} from './messages.js'
import {becomeFollower, setLeader, setRole} from './roles.js'
import {TERM_MAX} from './state.js'
import {isSoleVoter} from './wishes.js'
import type {Outstanding, RaftState} from './state.js'

/** The election timer ran out: whoever may stand asks around or stands; all others go on waiting. */
export function electionTimeout(raft: RaftState): void {
  // A vote for ourselves is one for another, too. Only a promise of before our start outlasts the timer
  const bound = raft.nowMs < raft.loyalUntilMs && !isSoleVoter(raft)
  const sinceMs = bound ? raft.loyalUntilMs : raft.nowMs
  raft.electionDueMs = sinceMs + raft.jitter(raft.options.electionTimeoutMs)
  if (bound) return
  setLeader(raft, undefined)
  if (!raft.standing) return
  if (raft.options.preVote) askAround(raft)
  else stand(raft, false)
}

const others = (raft: RaftState): readonly Server[] =>
  voters(raft.configurations.latest.configuration).filter(server => server.id !== raft.options.id)

const reached = (raft: RaftState, ids: ReadonlySet<string>): boolean => {
  const all = voters(raft.configurations.latest.configuration)
  return all.filter(server => ids.has(server.id)).length >= quorumSize(all.length)
}

/** Asks whether an election could be won, changing nothing (Raft thesis 9.6). */
function askAround(raft: RaftState): void {
  setRole(raft, 'pre-candidate')
  raft.requests.clear()
  raft.campaign = {
    transfer: false,
    persistId: 0,
    asked: true,
    granted: new Set([raft.options.id]), // counts where we have a vote
    refused: new Set(),
  }
  for (const server of others(raft)) ask(raft, server, 'pre-vote', false)
  if (reached(raft, raft.campaign.granted)) stand(raft, false)
}

/** Starts an election in the next term. Our own vote counts, and others are asked, once it is on disk. */
function stand(raft: RaftState, transfer: boolean): void {
  raft.requests.clear()
  raft.setTerm(raft.term + 1)
  raft.setVote(raft.options.address)
  setRole(raft, 'candidate')
  raft.electionDueMs = raft.nowMs + raft.jitter(raft.options.electionTimeoutMs)
  raft.campaign = {
    transfer,
    persistId: raft.disk.hardStateNeeds,
    asked: false,
    granted: new Set(),
    refused: new Set(),
  }
}

/** Goes on with an election whose own vote has reached the disk. */
export function continueElection(raft: RaftState): void {
  const {campaign} = raft
  if (raft.role !== 'candidate' || campaign === undefined || campaign.asked) return
  if (!raft.disk.isDone(campaign.persistId)) return
  campaign.asked = true
  campaign.granted.add(raft.options.id)
  for (const server of others(raft)) ask(raft, server, 'vote', campaign.transfer)
  if (reached(raft, campaign.granted)) lead(raft)
}

function ask(raft: RaftState, server: Server, rpc: 'vote' | 'pre-vote', leadershipTransfer: boolean): void {
  const request = {
    candidateId: raft.options.id,
    candidate: raft.options.address,
    lastIndex: raft.log.lastIndex,
    lastTerm: raft.log.lastTerm,
  }
  raft.send(
    {id: server.id, address: server.address},
    'vote',
    rpc === 'vote'
      ? {rpc, term: raft.term, ...request, leadershipTransfer}
      : {rpc, term: raft.term + 1, ...request},
    {epoch: 0, prevIndex: 0, lastIndex: 0},
  )
}

/** An answer to our question for a vote; undefined when none came, which is a refusal. */
export function voteAnswered(raft: RaftState, asked: Outstanding, response: RaftResponse | undefined): void {
  const {campaign} = raft
  const waits = asked.rpc === 'vote' ? 'candidate' : 'pre-candidate'
  const granted =
    response !== undefined && 'granted' in response && response.rpc === asked.rpc && response.granted
  if (campaign === undefined || raft.role !== waits) return
  if (response !== undefined && 'term' in response) {
    // A grant of a pre-vote, and some refusals of one, carry the term that was asked for
    const known = asked.rpc === 'pre-vote' ? raft.term + 1 : raft.term
    if (response.term > known) return becomeFollower(raft, response.term, undefined)
  }
  if (granted) campaign.granted.add(asked.peer)
  else campaign.refused.add(asked.peer)
  if (reached(raft, campaign.granted)) {
    if (asked.rpc === 'vote') lead(raft)
    else stand(raft, false)
  }
}

type Judged =
  'granted' | 'loyal' | 'not a voter' | 'impossible term' | 'old term' | 'voted for another' | 'log is behind'

/**
 * Whether the candidate of a request may have our vote, apart from the one vote in a term. A candidate that our
 * configuration does not know as a voter may be one by an entry that we do not have: it is judged by its log when
 * that is ahead of ours, and turned away otherwise.
 */
function judge(raft: RaftState, request: VoteRequest | PreVoteRequest): Judged {
  if (request.term > TERM_MAX) return 'impossible term'
  const {configuration} = raft.configurations.latest
  const order = compareLogEnds(
    {index: logIndex(request.lastIndex), term: termOf(request.lastTerm)},
    {index: logIndex(raft.log.lastIndex), term: termOf(raft.log.lastTerm)},
  )
  const server = findServer(configuration, request.candidateId, request.candidate)
  if (configuration.servers.length > 0 && server?.suffrage !== 'voter' && order <= 0) return 'not a voter'
  const transfer = request.rpc === 'vote' && request.leadershipTransfer
  const loyal = raft.role === 'leader' || raft.nowMs < raft.loyalUntilMs
  if (loyal && !transfer && request.candidate !== raft.leader?.address) return 'loyal'
  if (request.term < raft.term) return 'old term'
  return order < 0 ? 'log is behind' : 'granted'
}

/** Answers a candidate (`requestVote`, hashicorp/raft raft.go). The vote is on disk before the answer is given. */
export function voteRequested(raft: RaftState, token: number, request: VoteRequest): void {
  let judged = judge(raft, request)
  if (judged === 'granted' || judged === 'log is behind') {
    if (request.term > raft.term) becomeFollower(raft, request.term, undefined)
    if (raft.votedFor !== undefined && raft.votedFor !== request.candidate) judged = 'voted for another'
  }
  const granted = judged === 'granted'
  if (granted) {
    if (raft.votedFor === undefined) raft.setVote(request.candidate)
    raft.electionDueMs = raft.nowMs + raft.jitter(raft.options.heartbeatTimeoutMs)
  } else
    raft.logLine(
      'info',
      `rejected the vote request of ${request.candidate} for term ${request.term}: ${judged}`,
    )
  raft.respond(token, {rpc: 'vote', term: raft.term, granted})
}

/** Answers whether a candidate would have our vote; changes nothing (`requestPreVote`, hashicorp/raft raft.go). */
export function preVoteRequested(raft: RaftState, token: number, request: PreVoteRequest): void {
  const judged = judge(raft, request)
  const granted = judged === 'granted'
  const term =
    judged === 'granted' || judged === 'log is behind' ? Math.max(raft.term, request.term) : raft.term
  raft.respond(token, {rpc: 'pre-vote', term, granted})
}

/** The leader wants us to take over: an election at once, which others may not refuse out of loyalty. */
export function timeoutNow(raft: RaftState, token: number): void {
  raft.respond(token, {rpc: 'timeout-now'})
  if (!raft.standing || raft.role === 'leader') return
  setLeader(raft, undefined)
  stand(raft, true)
}
