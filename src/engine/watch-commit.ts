import type {FleetObservation, RaftStats, ServerObservation} from '../core/model/observation.js'
import {valueOf} from '../core/model/reading.js'
import type {Clock} from '../ports/clock.js'
import {askRaftStats} from './consul-contents.js'
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

function withRaft(server: ServerObservation, raft: RaftStats): ServerObservation {
  const {self} = server.api
  if (self.kind === 'unread') return server
  return {...server, api: {...server.api, self: {...self, value: {...self.value, raft}}}}
}
