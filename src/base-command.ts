import {Command, Errors, ux} from '@oclif/core'
import {EXIT} from './exit-codes.js'
import type {ExitName} from './exit-codes.js'
import {commonFlags} from './fleet-flags.js'
import type {ToldError} from './tell-error.js'
import {tellError} from './tell-error.js'
import type {Terminal} from './ui/terminal.js'
import {decideTerminal} from './ui/terminal.js'
import type {Theme} from './ui/views/theme.js'

/** What a command leaves behind: the value that --json prints, the screen, and how it ends. */
export interface Outcome<T> {
  readonly result: T
  /** The whole screen, without a trailing newline; not asked for under --json. */
  readonly screen: (theme: Theme, terminal: Terminal) => string
  readonly exit: ExitName
  readonly cluster?: string
  readonly warnings?: readonly string[]
}

/** The envelope of every --json answer. `format` rises only when something is taken away or changes meaning. */
interface Envelope {
  readonly format: 1
  readonly command: string
  readonly cluster?: string | undefined
  readonly exit: number
}

const unsafeInJson = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/**
 * The frame of every command: the result becomes a screen or one JSON document, the error an exit code. Prose comes
 * from views, never from commands.
 */
export abstract class BaseCommand<T> extends Command {
  static override enableJsonFlag = true
  static override baseFlags = commonFlags
  private noted = false
  private ended: {exit: ExitName; cluster: string | undefined; warnings: readonly string[]} = {
    exit: 'ok',
    cluster: undefined,
    warnings: [],
  }

  /** What this process's streams can do, with the common flags taken into account. */
  terminal(flags: {readonly color?: boolean; readonly input?: boolean}): Terminal {
    return decideTerminal(process, process.env, {
      noColour: flags.color === false,
      noInput: flags.input === false || this.jsonEnabled(),
    })
  }

  /** Prints the outcome's screen and sets the exit status; returns what --json prints. */
  protected async show(outcome: Outcome<T>, terminal: Terminal): Promise<T> {
    this.ended = {exit: outcome.exit, cluster: outcome.cluster, warnings: outcome.warnings ?? []}
    process.exitCode = EXIT[outcome.exit]
    if (!this.jsonEnabled()) {
      const {makeTheme} = await import('./ui/theme.js')
      this.log(outcome.screen(await makeTheme(terminal), terminal))
      for (const warning of this.ended.warnings) this.logToStderr(warning)
      if (outcome.exit !== 'ok')
        this.logToStderr(`exit ${EXIT[outcome.exit]}, ${outcome.exit.replaceAll('-', ' ')}`)
    }
    return outcome.result
  }

  /** A passing word on stderr, for a person only: never under --json, never kept. */
  protected note(terminal: Terminal, text: string): void {
    if (this.jsonEnabled()) return
    if (terminal.canAsk) process.stderr.write(`\r\u001b[K${text}`)
    else if (!this.noted) process.stderr.write(`${text}\n`)
    this.noted = true
  }

  private envelope(exit: number): Envelope {
    return {
      format: 1,
      command: (this.id ?? '').replaceAll(':', ' '),
      ...(this.ended.cluster === undefined ? {} : {cluster: this.ended.cluster}),
      exit,
    }
  }

  protected override toSuccessJson(result: unknown): unknown {
    return {...this.envelope(EXIT[this.ended.exit]), result, warnings: this.ended.warnings}
  }

  private tell(error: unknown): ToldError {
    return tellError(error, `quorate ${(this.id ?? '').replaceAll(':', ' ')} --help`)
  }

  protected override toErrorJson(error: unknown): unknown {
    const {code, exit, message, hints, details} = this.tell(error)
    return {...this.envelope(exit), error: {code, message, hints, details}}
  }

  /**
   * Ends the command by its error, with the same exit status under --json as without, whatever a screen shown before
   * it had said. Bugs show their trace.
   */
  protected override async catch(error: Error): Promise<void> {
    if (error instanceof Errors.ExitError) throw error
    const told = this.tell(error)
    process.exitCode = told.exit
    if (this.jsonEnabled()) {
      this.logJson(this.toErrorJson(error))
      return
    }
    const {renderError} = await import('./ui/views/error.js')
    const {makeTheme} = await import('./ui/theme.js')
    const terminal = this.terminal({color: !this.argv.includes('--no-color')})
    const theme = await makeTheme({...terminal, colour: terminal.colour && process.stderr.isTTY})
    this.logToStderr(renderError(told, {theme, width: terminal.width}))
    if (told.code === 'BUG') this.logToStderr(`${error.stack ?? ''}\n${this.config.userAgent}`)
    throw Object.assign(error, {skipOclifErrorHandling: true, oclif: {exit: told.exit}})
  }

  /** JSON.stringify lets control characters above U+007F through, and a terminal would obey them. */
  override logJson(json: unknown): void {
    ux.stdout(JSON.stringify(json, null, 2).replace(unsafeInJson, escapeUnit))
  }
}
