import type {Service} from '../model/observation.js'
import {printable} from '../text.js'
import {pidOf, plainService, SERVICE_TEXT_MAX} from './service-base.js'

/**
 * Reads what an init script says to `status`: by its exit code where it follows the LSB (0 runs, 1 and 2 died, 3
 * stopped, 4 unknown). Many scripts exit with 0 whatever they say, and their words are then believed over the code.
 */
export function parseSysvStatus(text: string, exitCode: number | undefined, unit: string): Service {
  const said = text.slice(0, SERVICE_TEXT_MAX)
  const state = stateOf(said, exitCode)
  const pid = /\bpids?[ :=]+(\d+)/i.exec(said)?.[1]
  return plainService('sysv', unit, state, {
    mainPid: state === 'running' ? pidOf(pid) : undefined,
    result: state === 'failed' ? printable(said.trim(), 120) : undefined,
  })
}

function stateOf(said: string, exitCode: number | undefined): Service['state'] {
  // The script does not know the word; its exit code is about that.
  if (/\busage:/i.test(said)) return 'unknown'
  if (exitCode === 1 || exitCode === 2 || /\bdead\b|\bcrashed\b/i.test(said)) return 'failed'
  if (exitCode === 3 || /\b(?:not running|stopped|inactive)\b/i.test(said)) return 'stopped'
  if (/\brunning\b/i.test(said)) return 'running'
  return exitCode === 0 ? 'running' : 'unknown'
}
