import type {Service} from '../model/observation.js'
import {printable} from '../text.js'
import {pidOf, plainService, SERVICE_TEXT_MAX} from './service-base.js'

const LINE = /^(\S+)\s+(STOPPED|STARTING|RUNNING|BACKOFF|STOPPING|EXITED|FATAL|UNKNOWN)\b\s*(.*)$/
const STATES: Readonly<Record<string, Service['state']>> = {
  STOPPED: 'stopped',
  STARTING: 'starting',
  RUNNING: 'running',
  BACKOFF: 'restarting',
  STOPPING: 'stopping',
  EXITED: 'stopped',
  FATAL: 'failed',
  UNKNOWN: 'unknown',
}

/**
 * Reads the line of one program in `supervisorctl status`. Undefined when supervisor does not know it or did not answer.
 * Whether it starts at boot is not in this answer.
 */
export function parseSupervisorStatus(text: string, unit: string, nowMs?: number): Service | undefined {
  for (const line of text.slice(0, SERVICE_TEXT_MAX).split('\n')) {
    const match = LINE.exec(line.trim())
    if (match === null || (match[1] !== unit && !match[1]?.endsWith(`:${unit}`))) continue
    const [, name = unit, state = '', rest = ''] = match
    const uptime = uptimeMs(rest)
    return plainService('supervisor', name, STATES[state] ?? 'unknown', {
      mainPid: pidOf(/^pid (\d+)/.exec(rest)?.[1]),
      result: state === 'RUNNING' || rest === '' ? undefined : printable(`${state}: ${rest}`, 120),
      sinceMs: nowMs === undefined || uptime === undefined ? undefined : nowMs - uptime,
    })
  }
  return undefined
}

/** `pid 12, uptime 1 day, 2:03:04`. */
function uptimeMs(rest: string): number | undefined {
  const match = /uptime (?:(\d{1,6}) days?, )?(\d{1,4}):(\d\d):(\d\d)/.exec(rest)
  if (match === null) return undefined
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = match.slice(1).map(part => Number(part ?? 0))
  return (((days || 0) * 24 + hours) * 3600 + minutes * 60 + seconds) * 1000
}
