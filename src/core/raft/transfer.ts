import type {ServerId} from '../model/ids.js'
import {leadershipOf} from './leading.js'
import {isVoter} from './membership.js'
import type {RaftResponse, Refusal} from './messages.js'
import type {RaftState} from './state.js'

/** Hands leadership to a voter, which first gets the rest of the log (Raft thesis 3.10). New wishes are refused meanwhile. */
export function transferWanted(raft: RaftState, token: number, to: ServerId | undefined): void {
  const {leadership} = raft
  if (leadership === undefined) return raft.refuse(token, 'not-leader')
  if (leadership.transfer !== undefined) return raft.refuse(token, 'transfer-in-progress')
  const target = to ?? mostCaughtUp(raft)
  const voter = target !== undefined && isVoter(raft.configurations.latest.configuration, target)
  if (!voter || target === raft.options.id) return raft.refuse(token, 'illegal-configuration')
  const untilMs = raft.nowMs + raft.options.electionTimeoutMs
  leadership.transfer = {token, to: target, untilMs, told: false}
}

/** The voter, other than us, that has most of our log; among equals the one heard of last. */
export function mostCaughtUp(raft: RaftState): ServerId | undefined {
  const peers = [...leadershipOf(raft).peers.values()].filter(
    peer => peer.voter && peer.leaving === undefined,
  )
  peers.sort((a, b) => b.match - a.match || b.lastContactMs - a.lastContactMs)
  return peers[0]?.target.id
}

/** Tells the chosen server to take over once it has the whole log, and gives up when that takes too long. */
export function continueTransfer(raft: RaftState): void {
  const transfer = raft.leadership?.transfer
  if (transfer === undefined) return
  if (raft.nowMs >= transfer.untilMs) return abandonTransfer(raft, 'timed-out')
  const peer = raft.leadership?.peers.get(transfer.to)
  if (peer === undefined || !peer.voter) return abandonTransfer(raft, 'illegal-configuration')
  if (transfer.told || peer.match < raft.log.lastIndex) return
  transfer.told = true
  tellToTakeOver(raft, transfer.to)
}

/** Asks a peer to stand for election at once. From then on a lease means nothing: the request may be late. */
export function tellToTakeOver(raft: RaftState, to: ServerId): void {
  const leadership = leadershipOf(raft)
  const peer = leadership.peers.get(to)
  if (peer === undefined) return
  leadership.leaseBroken = true
  raft.send(peer.target, 'vote', {rpc: 'timeout-now'}, {epoch: 0, prevIndex: 0, lastIndex: 0})
}

/** The chosen server took note, or could not be told. */
export function transferAnswered(raft: RaftState, peer: ServerId, response: RaftResponse | undefined): void {
  const transfer = raft.leadership?.transfer
  if (response === undefined && transfer?.told === true && transfer.to === peer)
    abandonTransfer(raft, 'timed-out')
}

function abandonTransfer(raft: RaftState, why: Refusal): void {
  const leadership = leadershipOf(raft)
  const {transfer} = leadership
  if (transfer === undefined) return
  leadership.transfer = undefined
  raft.refuse(transfer.token, why)
}
