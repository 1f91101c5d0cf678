import {QuorateError} from '../errors.js'

/** Why an agent cannot start or go on, in words for its log; `commands/agent.ts` ends with exit code 1 on it. */
export class AgentError extends Error {
  override readonly name = 'AgentError'
}

/** What an error says; of settings that are wrong everything that is, each with its place. */
export function reasonsOf(error: unknown): readonly string[] {
  const problems = error instanceof QuorateError ? error.details['problems'] : undefined
  if (Array.isArray(problems)) return problems.map(String)
  return [error instanceof Error ? error.message : String(error)]
}
