import {diagnose} from '../../core/diagnose/diagnose.js'
import type {Diagnosis} from '../../core/diagnose/diagnose.js'
import type {Session} from '../session.js'

/** What doctor and peers list need besides the session. */
export interface LookIntent {
  readonly ourVersion: string
}

/** Observes the fleet once and judges what is seen. Changes nothing. */
export async function doctor(session: Session, intent: LookIntent): Promise<Diagnosis> {
  const {observation} = await session.observe()
  session.requireServers(observation)
  return diagnose(observation, {
    nowMs: observation.finishedAtMs,
    ourVersion: intent.ourVersion,
    invocation: session.named.invocation,
  })
}
