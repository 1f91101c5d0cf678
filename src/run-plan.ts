// What the commands that apply plans share: progress on stderr, Ctrl-C, and how an outcome ends the command.
import type {Plan} from './core/model/plan.js'
import type {ApplyEvent, ApplyOutcome} from './core/model/progress.js'
import {ERRORS} from './errors.js'
import {EXIT} from './exit-codes.js'
import type {ExitName} from './exit-codes.js'
import {LiveProgress} from './ui/live-progress.js'
import type {ProgressStyle} from './ui/live-progress.js'
import type {Terminal} from './ui/terminal.js'
import {makeTheme} from './ui/theme.js'

/** What a use case that applies a plan is handed for the time it runs. */
export interface Running {
  readonly progress: (event: ApplyEvent) => void
  readonly stopRequested: () => boolean
}

/**
 * Runs `work` while showing its progress on stderr. The first Ctrl-C asks it to stop after the step it is at; the
 * second ends the process at once: the journal already says which step was in flight.
 */
export async function runPlan<T>(
  plan: Plan,
  terminal: Terminal,
  style: ProgressStyle,
  work: (running: Running) => Promise<T>,
): Promise<T> {
  const live = new LiveProgress(plan, {
    stream: process.stderr,
    style,
    theme: await makeTheme(terminal),
    width: terminal.width,
  })
  let asked = false
  const onInterrupt = (): void => {
    if (asked) process.exit(EXIT.interrupted)
    asked = true
    live.end()
    process.stderr.write(
      'Stopping after the step that runs. Ctrl-C again leaves at once; the journal knows which step was in flight.\n',
    )
  }
  process.on('SIGINT', onInterrupt)
  process.on('SIGTERM', onInterrupt)
  try {
    return await work({progress: live.show, stopRequested: () => asked})
  } finally {
    live.end()
    process.off('SIGINT', onInterrupt)
    process.off('SIGTERM', onInterrupt)
  }
}

/** The exit status that an outcome ends the command with. */
export function exitOf(outcome: ApplyOutcome): ExitName {
  return outcome.kind === 'finished' ? 'ok' : ERRORS[outcome.code].exit
}
