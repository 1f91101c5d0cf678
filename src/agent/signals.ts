import {reasonsOf} from './agent-error.js'
import type {AgentLog} from './logger.js'
import type {AgentOptions} from './options.js'
import type {RunningAgent} from './running-agent.js'

/** A signal that the agent answers to. */
export type AgentSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP'

const SPOKEN: Readonly<Record<AgentSignal, string>> = {
  SIGINT: 'interrupt',
  SIGTERM: 'terminated',
  SIGHUP: 'hangup',
}
/** How long a graceful leave may take, as in Consul since 0.8 (`gracefulTimeout`, command/agent/agent.go). */
const GRACEFUL_MS = 15_000

/** Whether a signal makes an agent leave (`handleSignals`, command/agent/agent.go); the defaults are in the options. */
export function leavesOn(
  signal: AgentSignal,
  options: Pick<AgentOptions, 'leaveOnTerminate' | 'skipLeaveOnInterrupt'>,
): boolean {
  if (signal === 'SIGINT') return !options.skipLeaveOnInterrupt
  return signal === 'SIGTERM' && options.leaveOnTerminate
}

/** What signals do to an agent: the first leaves or stops, a second ends it at once, SIGHUP reads the config again. */
export class SignalDelivery {
  private ending = false

  constructor(
    private readonly agent: RunningAgent,
    private options: AgentOptions,
    private readonly deps: {
      readonly log: AgentLog
      readonly reread: () => AgentOptions
      /** Ends the process at once. */
      readonly exit: (code: number) => void
    },
  ) {}

  /** Answers to a signal; returns at once. */
  deliver(signal: AgentSignal): void {
    const {log, exit} = this.deps
    if (signal === 'SIGHUP') {
      log('info', 'agent', `Caught: signal=${SPOKEN[signal]}`)
      log('info', 'agent', 'Reloading configuration...')
      void this.reload()
      return
    }
    if (this.ending) {
      log('error', 'agent', `Caught second signal, Exiting: signal=${SPOKEN[signal]}`)
      exit(1)
      return
    }
    this.ending = true
    log('info', 'agent', `Caught: signal=${SPOKEN[signal]}`)
    if (!leavesOn(signal, this.options)) {
      log('info', 'agent', 'Graceful shutdown disabled. Exiting')
      this.end(this.agent.stop())
      return
    }
    log('info', 'agent', 'Gracefully shutting down agent...')
    setTimeout(() => {
      log('error', 'agent', 'Timeout on graceful leave. Exiting')
      exit(1)
    }, GRACEFUL_MS + this.options.leaveDrainMs).unref()
    this.end(this.agent.leave())
  }

  /** Whoever waits for `stopped` hears how it ended; a failure on the way is said and ends the process. */
  private end(done: Promise<void>): void {
    done.catch((error: unknown) => {
      this.deps.log('error', 'agent', `Error on shutdown: error="${String(error)}"`)
      this.deps.exit(1)
    })
  }

  private async reload(): Promise<void> {
    try {
      const options = this.deps.reread()
      await this.agent.reload(options)
      this.options = options
      this.deps.log('info', 'agent', 'Configuration reloaded')
    } catch (error) {
      for (const why of reasonsOf(error))
        this.deps.log('error', 'agent', `Failed to reload configs: error=${JSON.stringify(why)}`)
    }
  }
}
