import type {AgentLogger} from './logger.js'
import type {AgentOptions} from './options.js'

/** An agent at work. */
export interface RunningAgent {
  /** The id it goes by, from the options, its data directory or made anew. */
  readonly nodeId: string
  /**
   * Resolves when it has ended and let go of everything, with its exit code: 0 after it left gracefully, by whichever
   * way, 1 after it was stopped without leaving or could not go on.
   */
  readonly stopped: Promise<number>
  /** Leaves gracefully, then ends; `stopped` resolves. Resolves when it has left or given up. */
  leave(): Promise<void>
  /** Ends without leaving; others will see it fail. */
  stop(): Promise<void>
  /** Takes over what can change while it runs: log level, node meta, keys to join with. */
  reload(options: AgentOptions): Promise<void>
}

/**
 * Starts an agent; resolves when it listens, before there is a leader. `reread` reads flags and files again, for a
 * reload that is asked for over HTTP; it throws when they are wrong. Throws AgentError when it cannot start.
 */
export type StartAgent = (
  options: AgentOptions,
  logger: AgentLogger,
  reread: () => AgentOptions,
) => Promise<RunningAgent>
