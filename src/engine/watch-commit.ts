import type {FleetObservation, RaftStats, ServerObservation} from '../core/model/observation.js'
import {valueOf} from '../core/model/reading.js'
import type {Clock} from '../ports/clock.js'
import {askRaftStats} from './consul-contents.js'
import type {Answer, Commitment} from '../ports/host-actions.js'
import type {ConsulApi} from './consul-questions.js'
import type {ObservedHost} from './observe-host.js'

/** Pauses between looks at a leader whose commit index is behind its log. A healthy one is done within the first. */
const PAUSES_MS = [250, 1000, 1500]

/**
 * Looks again at leaders whose commit index was behind the end of their log. In a healthy cluster that lasts for
 * milliseconds; a leader that cannot commit stands still, and nothing else tells it from a good one.
 */
export async function watchCommit(
  clock: Clock,
  hosts: readonly ObservedHost[],
  observation: FleetObservation,
): Promise<FleetObservation> {
  const servers = await Promise.all(
    observation.servers.map(async server => {
      const raft = valueOf(server.api.self)?.raft
      const api = hosts.find(host => host.server.host === server.host)?.api
      if (api === undefined || raft?.role !== 'leader' || raft.commitIndex >= raft.lastLogIndex) return server
      return withRaft(server, await watch(clock, api, raft))
    }),
  )
  return {...observation, servers}
}

/** The statistics as they were at last; with the time of standing still when the commit index never moved. */
async function watch(clock: Clock, api: ConsulApi, first: RaftStats): Promise<RaftStats> {
  const sinceMs = clock.nowMs()
  let last = first
  for (const pauseMs of PAUSES_MS) {
    await clock.sleep(pauseMs)
    const now = await askRaftStats(api)
    if (now === undefined) return last
    if (now.role !== 'leader' || now.commitIndex !== first.commitIndex) return now
    last = now
  }
  return {...last, commitStandsMs: clock.nowMs() - sinceMs}
}

/** Pause between looks at a server that may still be electing. */
const LOOK_EVERY_MS = 1000

/**
 * Watches one server until its log is committed to its end in two looks in a row, or it leads and its commit index has
 * stood still below that end for `standsMs`. A server that does not tell for as long as that is no answer.
 */
export async function watchCommitment(
  api: ConsulApi,
  {standsMs, withinMs}: {readonly standsMs: number; readonly withinMs: number},
): Promise<Answer<Commitment>> {
  const untilMs = api.clock.nowMs() + withinMs
  let since: {readonly commitIndex: number; readonly term: number; readonly atMs: number} | undefined
  let wholeBefore = false
  let told = false
  while (api.clock.nowMs() < untilMs) {
    const raft = await askRaftStats(api)
    if (raft === undefined) wholeBefore = false
    else {
      told = true
      const voting = raft.role === 'leader' || raft.role === 'follower'
      const whole = voting && raft.commitIndex >= raft.lastLogIndex
      if (whole && wholeBefore) return {ok: true, value: 'whole'}
      wholeBefore = whole
      const {commitIndex, term} = raft
      const leads = raft.role === 'leader' && !whole
      if (!leads) since = undefined
      else if (since?.commitIndex !== commitIndex || since.term !== term)
        since = {commitIndex, term, atMs: api.clock.nowMs()}
      else if (api.clock.nowMs() - since.atMs >= standsMs) return {ok: true, value: 'stuck'}
    }
    await api.clock.sleep(LOOK_EVERY_MS)
  }
  if (told) return {ok: true, value: 'open'}
  return {ok: false, failure: 'failed', note: 'its commit index was not read'}
}

function withRaft(server: ServerObservation, raft: RaftStats): ServerObservation {
  const {self} = server.api
  if (self.kind === 'unread') return server
  return {...server, api: {...server.api, self: {...self, value: {...self.value, raft}}}}
}
