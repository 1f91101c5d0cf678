import {Errors} from '@oclif/core'
import {QuorateError} from './errors.js'
import {EXIT} from './exit-codes.js'
import type {ExitName} from './exit-codes.js'

/** Any error as both --json and the screen tell it, so that the two agree. */
export interface ToldError {
  readonly code: string
  readonly exit: number
  readonly exitName: string
  readonly message: string
  readonly hints: readonly string[]
  readonly details: Readonly<Record<string, unknown>>
  readonly causes: readonly string[]
  readonly manual: string | undefined
}

const causesMax = 3

function causesOf(error: Error): string[] {
  const causes: string[] = []
  let cause = error.cause
  while (cause instanceof Error && causes.length < causesMax) {
    // What runs over several lines is a dump of a library, not its words
    if (!cause.message.includes('\n')) causes.push(cause.message)
    cause = cause.cause
  }
  return causes
}

function exitName(exit: number): string {
  const found = (Object.keys(EXIT) as ExitName[]).find(name => EXIT[name] === exit)
  return (found ?? 'unknown').replaceAll('-', ' ')
}

/** oclif's parser writes lists over several lines and ends in an advice; one sentence is what we print. */
function oneSentence(message: string): string {
  const words = message
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '' && !/^See more help/.test(line))
    .join(' ')
    .replaceAll(/\s+/g, ' ')
  return /[.!?]$/.test(words) ? words : `${words}.`
}

/** Whether oclif found fault with the command line. For a few faults it says so by no exit code, but by the bare class. */
function isUsage(error: unknown): boolean {
  if (!(error instanceof Errors.CLIError)) return false
  // What its parser throws carries what was parsed; a wrong value of a flag has no exit code of its own
  if (error.oclif.exit === EXIT.usage || 'parse' in error) return true
  return /^(Flag --|Unexpected flag )/.test(error.message)
}

/** Tells an error of a command; `help` is the command line that shows the command's flags. */
export function tellError(error: unknown, help: string): ToldError {
  if (error instanceof QuorateError) {
    const {code, exitCode: exit, message, hints, details} = error
    const manual = 'man 7 quorate-errors'
    return {code, exit, exitName: exitName(exit), message, hints, details, manual, causes: causesOf(error)}
  }
  const usage = isUsage(error)
  const exit = usage ? EXIT.usage : EXIT.bug
  const message = error instanceof Error ? error.message : String(error)
  return {
    code: usage ? 'USAGE' : 'BUG',
    exit,
    exitName: exitName(exit),
    message: usage ? oneSentence(message) : message,
    hints: usage ? [help] : [],
    details: {},
    causes: usage || !(error instanceof Error) ? [] : causesOf(error),
    manual: undefined,
  }
}
