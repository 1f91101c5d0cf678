import type {ApplyResult} from '../../core/fsm/messages.js'
import {isRefused} from '../../core/fsm/messages.js'
import type {AgentBackend, HttpAnswer} from '../backend.js'
import type {AgentLimits} from '../options.js'
import {Failure, NOT_LEADER, NO_LEADER} from './answers.js'
import {appliedThere} from './applied-there.js'
import type {Consistency} from './consistency.js'
import type {LockDelays} from './lock-delays.js'
import type {ParsedRequest} from './request.js'
import type {SessionTimers} from './session-timers.js'

/** What handlers share. */
export interface Context {
  readonly backend: AgentBackend
  readonly consistency: Consistency
  readonly lockDelays: LockDelays
  readonly sessionTimers: SessionTimers
  /** Checks of this agent itself, by id, with why: what maintenance mode leaves here. */
  readonly ownChecks: Map<string, string>
  readonly limits: () => AgentLimits
}

/** Answers requests under one path. `rest` is what follows the path, a byte string. */
export type Handler = (context: Context, parsed: ParsedRequest, rest: string) => Promise<HttpAnswer>

/** Proposes a command and gives what applying it answered; refusals and lost leadership become failures. */
export async function applied(
  {backend, consistency}: Context,
  command: Uint8Array,
  refusal = 'raft apply failed: ',
): Promise<Exclude<ApplyResult, {readonly error: string}>> {
  if (consistency.asksThere()) return appliedThere(consistency, command)
  const outcome = await backend.apply(command)
  // What was never proposed may be tried again, by the server that forwarded it or by the client.
  if ('problem' in outcome)
    throw new Failure(500, outcome.problem === NOT_LEADER ? NO_LEADER : outcome.problem)
  const {result} = outcome
  if (isRefused(result)) throw new Failure(500, refusal + result.error)
  return result
}
