import type {Service} from '../model/observation.js'
import {pidOf, plainService, SERVICE_TEXT_MAX} from './service-base.js'

const LINE = /^(\S+)(?: \([^)]*\))? (start|stop|respawn)\/([a-z-]+)(?:, process (\d+))?/

/** Reads `initctl status` of one upstart job. Undefined when upstart does not know it. */
export function parseInitctlStatus(text: string, unit: string): Service | undefined {
  for (const line of text.slice(0, SERVICE_TEXT_MAX).split('\n')) {
    const match = LINE.exec(line.trim())
    if (match === null || match[1] !== unit) continue
    const [, name = unit, goal, phase, pid] = match
    return plainService('upstart', name, stateOf(goal ?? '', phase ?? ''), {mainPid: pidOf(pid)})
  }
  return undefined
}

function stateOf(goal: string, phase: string): Service['state'] {
  if (goal === 'respawn') return 'restarting'
  if (goal === 'start') return phase === 'running' ? 'running' : phase === 'waiting' ? 'stopped' : 'starting'
  return phase === 'waiting' ? 'stopped' : 'stopping'
}
