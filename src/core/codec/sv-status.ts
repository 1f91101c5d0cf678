import type {Service} from '../model/observation.js'
import {pidOf, plainService, SERVICE_TEXT_MAX} from './service-base.js'

const STATUS = /^(run|down|finish|warning|fail): (.*?): (?:\(pid (\d+)\) )?(?:(\d+)s)?(.*)$/

/**
 * Reads `sv status` of one runit service. Undefined when sv knows no such service. `nowMs` is the host's clock, to say
 * since when the state holds.
 */
export function parseSvStatus(text: string, unit: string, nowMs?: number): Service | undefined {
  // What stands behind a semicolon is the service's logger.
  const [line = ''] = text.slice(0, SERVICE_TEXT_MAX).split('\n')
  const main = line.split('; ')[0] ?? ''
  const match = STATUS.exec(main)
  if (match === null) return undefined
  const [, word, , pid, seconds, rest = ''] = match
  if (word === 'fail' || word === 'warning') return undefined
  const notes = rest.split(', ').map(note => note.trim())
  const normallyDown = notes.includes('normally down')
  const enabled = notes.includes('normally up') || (word === 'run' && !normallyDown)
  return plainService('runit', unit, stateOf(word ?? '', notes), {
    mainPid: word === 'run' ? pidOf(pid) : undefined,
    enabled: normallyDown ? false : enabled ? true : undefined,
    enablement: normallyDown ? 'normally down' : enabled ? 'normally up' : undefined,
    restart: notes.includes('want down') || word === 'down' ? undefined : 'always',
    sinceMs: nowMs === undefined || seconds === undefined ? undefined : nowMs - Number(seconds) * 1000,
  })
}

function stateOf(word: string, notes: readonly string[]): Service['state'] {
  if (word === 'run') return notes.includes('want down') ? 'stopping' : 'running'
  if (word === 'finish') return notes.includes('want down') ? 'stopping' : 'restarting'
  return notes.includes('want up') ? 'starting' : 'stopped'
}
