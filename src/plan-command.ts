import {Flags} from '@oclif/core'
import {BaseCommand} from './base-command.js'
import type {GivenConsent} from './core/planning/consent.js'
import type {Plan} from './core/model/plan.js'
import type {ApplyEvent, ApplyOutcome} from './core/model/progress.js'
import {ERRORS} from './errors.js'
import {EXIT} from './exit-codes.js'
import type {ExitName} from './exit-codes.js'
import type {ProgressStyle} from './ui/live-progress.js'
import type {Terminal} from './ui/terminal.js'

const CONSENT = 'CONSENT'

/** Flags of every command that applies a plan. Those that consent have no environment variable. */
export const applyFlags = {
  yes: Flags.boolean({
    char: 'y',
    helpGroup: CONSENT,
    summary: 'Say yes beforehand; enough for plans that a yes is enough for.',
  }),
  confirm: Flags.string({
    helpGroup: CONSENT,
    helpValue: 'CLUSTER',
    summary: "The cluster's name, for plans that stop servers.",
  }),
  accept: Flags.string({
    helpGroup: CONSENT,
    multiple: true,
    multipleNonGreedy: true,
    default: [],
    helpValue: 'CODE',
    summary: 'Open risk that is accepted, by its code.',
  }),
  progress: Flags.string({
    options: ['auto', 'json', 'none'] as const,
    default: 'auto',
    env: 'QUORATE_PROGRESS',
    summary: 'json: one event a line on stderr.',
  }),
}

/** The values of `applyFlags` after parsing. */
export interface ApplyFlagValues {
  readonly yes: boolean
  readonly confirm?: string | undefined
  readonly accept: readonly string[]
  readonly progress: string
}

/** The consent that flags give. */
export function givenConsent(flags: ApplyFlagValues): GivenConsent {
  return {yes: flags.yes, name: flags.confirm, accepted: flags.accept}
}

/** How a plan that was applied ended, in JSON. */
export interface AppliedJson {
  readonly plan: string
  readonly cluster: string
  readonly method: string
  readonly outcome: ApplyOutcome | {readonly kind: 'nothing-to-do'; readonly why: string}
}

/** What runs while a plan is applied: progress on stderr, and the operator's Ctrl-C. */
export interface Running {
  readonly progress: (event: ApplyEvent) => void
  readonly stopRequested: () => boolean
}

/** The exit of an outcome. */
export function exitOf(outcome: AppliedJson['outcome']): ExitName {
  return outcome.kind === 'stopped' ? ERRORS[outcome.code].exit : 'ok'
}

/** The frame of commands that apply a plan: progress while it runs, interrupts, the last screen. */
export abstract class PlanCommand extends BaseCommand<AppliedJson> {
  /**
   * Runs `work` with progress shown. The first Ctrl-C lets the steps at hand finish and stops there; the second ends
   * at once, and the journal says which steps were in flight.
   */
  protected async whileApplying<T>(
    plan: Plan,
    flags: ApplyFlagValues,
    terminal: Terminal,
    work: (running: Running) => Promise<T>,
  ): Promise<T> {
    const {LiveProgress} = await import('./ui/live-progress.js')
    const {makeTheme} = await import('./ui/theme.js')
    const theme = await makeTheme({...terminal, colour: terminal.colour && process.stderr.isTTY === true})
    const live = new LiveProgress(plan, {
      stream: process.stderr,
      style: this.#style(flags),
      theme,
      width: terminal.width,
    })
    let stopping = false
    const interrupted = (): void => {
      if (stopping) process.exit(EXIT.interrupted)
      stopping = true
      live.end()
      this.logToStderr('Stopping after the steps at hand. Ctrl-C again ends at once.')
    }
    process.on('SIGINT', interrupted)
    try {
      return await work({progress: live.show, stopRequested: () => stopping})
    } finally {
      process.off('SIGINT', interrupted)
      live.end()
    }
  }

  #style(flags: ApplyFlagValues): ProgressStyle {
    if (flags.progress === 'json') return 'json'
    return flags.progress === 'none' || this.jsonEnabled() ? 'silent' : 'lines'
  }

  /** Shows the last screen of a plan and sets the exit status. */
  protected async showOutcome(
    plan: Plan,
    outcome: AppliedJson['outcome'],
    terminal: Terminal,
  ): Promise<AppliedJson> {
    const {renderOutcome} = await import('./ui/views/progress.js')
    const {id, cluster, method} = plan
    return await this.show(
      {
        result: {plan: id, cluster, method, outcome},
        cluster,
        exit: exitOf(outcome),
        screen: theme =>
          outcome.kind === 'nothing-to-do'
            ? outcome.why
            : renderOutcome(plan, outcome, {theme, width: terminal.width}),
      },
      terminal,
    )
  }
}
