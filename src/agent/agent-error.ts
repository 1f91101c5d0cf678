/** Why an agent cannot start or go on, in words for its log; `commands/agent.ts` ends with exit code 1 on it. */
export class AgentError extends Error {
  override readonly name = 'AgentError'
}
