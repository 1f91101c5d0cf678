import type {Diagnosis} from '../../core/diagnose/diagnose.js'
import type {FleetObservation} from '../../core/model/observation.js'
import {valueOf} from '../../core/model/reading.js'
import {collectContents} from '../collect-contents.js'
import type {CollectedFleet} from '../collect.js'
import type {Session} from '../session.js'
import {watchCommit} from '../watch-commit.js'

/** What doctor and peers list need besides the session. */
export interface LookIntent {
  readonly ourVersion: string
  /** Whether contents are compared and commits watched, where that can tell something; true. */
  readonly compareContents?: boolean
  /** Whether snapshots are read whole and their checksums checked; false. */
  readonly deep?: boolean
}

/** What comparing contents may cost a diagnosis, which is asked for often and waited for. */
const contentsLimits = {rounds: 3, allMs: 10_000, maxBytes: 8 * 1024 * 1024}

/** Observes the fleet once and judges what is seen. Changes nothing. */
export async function doctor(session: Session, intent: LookIntent): Promise<Diagnosis> {
  const compare = intent.compareContents ?? true
  const observing = session.observe({
    deep: intent.deep ?? false,
    ...(compare ? {contentsBytes: contentsLimits.maxBytes} : {}),
  })
  // The rules are loaded while the hosts answer
  const [collected, {diagnose}] = await Promise.all([observing, import('../../core/diagnose/diagnose.js')])
  session.requireServers(collected.observation)
  const observation = compare ? await lookCloser(session, collected) : collected.observation
  return diagnose(observation, {
    nowMs: observation.finishedAtMs,
    ourVersion: intent.ourVersion,
    invocation: session.named.invocation,
  })
}

async function lookCloser(session: Session, collected: CollectedFleet): Promise<FleetObservation> {
  const compared = await withContents(session, collected)
  return await watchCommit(session.deps.collect.clock, collected.hosts, compared)
}

/**
 * Compares contents where servers follow one leader: one leader, one peer set and accepted writes do not prove one
 * state (safety rule S16). Without a leader logs tell more, and a server by itself has nobody to differ from.
 */
async function withContents(session: Session, collected: CollectedFleet): Promise<FleetObservation> {
  const following = collected.observation.servers.filter(
    ({api}) => (valueOf(api.leader) ?? '') !== '' && api.self.kind === 'read',
  )
  if (following.length < 2) return collected.observation
  const {collect, options} = session.deps
  const {parallel} = options
  return await collectContents(collect, collected, {
    ...contentsLimits,
    ...(parallel === undefined ? {} : {parallel}),
  })
}
