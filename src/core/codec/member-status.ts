import type {Service} from '../model/observation.js'
import {pidOf, plainService, SERVICE_TEXT_MAX} from './service-base.js'

/**
 * Reads what the probe tells of a server of a local cluster: `pid N` where the process of its pid file runs, `hold PLAN`
 * where a plan keeps it from being started. Nothing starts it again by itself, and a boot does not either.
 */
export function parseMemberStatus(text: string, unit: string): Service {
  const lines = text.slice(0, SERVICE_TEXT_MAX).split('\n')
  const pid = pidOf(
    lines
      .find(line => line.startsWith('pid '))
      ?.slice('pid '.length)
      .trim(),
  )
  const held = lines.some(line => line.startsWith('hold '))
  return plainService('cluster', unit, pid === undefined ? 'stopped' : 'running', {
    mainPid: pid,
    enablement: held ? 'held' : 'by hand',
    restart: 'no',
    killSignal: 'SIGTERM',
  })
}
