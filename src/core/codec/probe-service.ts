import type {Service} from '../model/observation.js'
import type {Reading} from '../model/reading.js'
import {read, unread} from '../model/reading.js'
import {parseInitctlStatus} from './initctl.js'
import {commandIn} from './probe-config.js'
import {parseDate} from './probe-host.js'
import {text} from './probe-frames.js'
import {withoutSecrets} from './probe-process.js'
import type {ProbeSections} from './probe-sections.js'
import {parseMemberStatus} from './member-status.js'
import {parseSupervisorStatus} from './supervisorctl.js'
import {parseSvStatus} from './sv-status.js'
import {parseSysvStatus} from './sysv-status.js'
import {parseSystemctlShow} from './systemctl-show.js'

/** The text that defines the unit: a run script, a program's section, a job, an init script. */
export function unitText(probe: ProbeSections): string {
  const [file] = probe.files('unit.file')
  return file === undefined ? '' : text(file.bytes)
}

/** What the service manager says of the unit that starts the server. */
export function readService(probe: ProbeSections): Reading<Service> {
  const [manager = '', unit = ''] = probe.text('manager').split('\0')
  const source = probe.source('service-manager', manager === '' ? 'service managers' : `${manager}, ${unit}`)
  if (manager === '') {
    const detail = 'No unit of systemd, runit, supervisor, upstart or sysv was found that starts the server.'
    return unread('unsupported', source, detail)
  }
  const {said, code} = splitExit(probe.text('status'))
  const hostNow = parseDate(probe.text('begin'))
  const nowMs = hostNow === undefined ? undefined : Math.round(hostNow * 1000)
  const service = parse(manager, unit, {said, code, nowMs})
  if (service === undefined) {
    const words = said.trim().split('\n')[0] ?? ''
    return unread('failed', source, words === '' ? `${manager} did not answer.` : words.slice(0, 200))
  }
  return read(withDefinition(service, probe), source)
}

/** The probe puts the exit status of the manager's command on a last line of its own. */
function splitExit(status: string): {said: string; code: number | undefined} {
  const match = /^([\s\S]*)\nexit (\d{1,3})$/.exec(status.trimEnd())
  return match === null ? {said: status, code: undefined} : {said: match[1] ?? '', code: Number(match[2])}
}

function parse(
  manager: string,
  unit: string,
  answer: {readonly said: string; readonly code: number | undefined; readonly nowMs: number | undefined},
): Service | undefined {
  const {said, code, nowMs} = answer
  switch (manager) {
    case 'systemd':
      return parseSystemctlShow(said, 0) // the probe asks in UTC
    case 'runit':
      return parseSvStatus(said, unit, nowMs)
    case 'supervisor':
      return parseSupervisorStatus(said, unit, nowMs)
    case 'upstart':
      return parseInitctlStatus(said, unit)
    case 'sysv':
      return parseSysvStatus(said, code, unit)
    case 'cluster':
      return parseMemberStatus(said, unit)
    default:
      return undefined
  }
}

/** Lays over the state what the unit's definition says of start and stop. */
function withDefinition(service: Service, probe: ProbeSections): Service {
  const definition = unitText(probe)
  const command = withoutSecrets(commandIn(definition))
  const known: Service =
    service.execStart.length === 0
      ? {...service, execStart: command}
      : {...service, execStart: withoutSecrets(service.execStart)}
  switch (service.manager) {
    case 'supervisor':
      return {...known, ...supervisorSettings(section(definition, service.unit))}
    case 'upstart': {
      const override = probe.files('unit.override')[0]
      const isManual = /^\s*manual\b/m.test(override === undefined ? '' : text(override.bytes))
      const starts = /^\s*start on\b/m.test(definition) && !isManual && !/^\s*manual\b/m.test(definition)
      const killSignal = /^\s*kill signal (\S+)/m.exec(definition)?.[1]
      return {
        ...known,
        enabled: starts,
        enablement: isManual ? 'manual' : starts ? 'start on' : 'no start on',
        restart: /^\s*respawn\s*$/m.test(definition) ? 'respawn' : 'no',
        killSignal: killSignal === undefined ? 'SIGTERM' : signalName(killSignal),
        stopTimeoutMs: Number(/^\s*kill timeout (\d{1,6})/m.exec(definition)?.[1] ?? 5) * 1000,
      }
    }
    case 'sysv': {
      const links = probe.find('unit.links')
      if (links === undefined) return known
      const enabled = probe
        .text('unit.links')
        .split('\n')
        .some(line => line !== '' && !line.includes('*'))
      return {...known, enabled, enablement: enabled ? 'rc links' : 'no rc links'}
    }
    case 'runit': {
      const down = probe.files('unit.down')[0]?.status
      return down === 0 ? {...known, enabled: false, enablement: 'down file'} : known
    }
    case 'systemd':
    case 'custom':
    case 'cluster':
      return known
  }
}

/** The lines of one `[program:NAME]`. */
function section(definition: string, name: string): string {
  const lines: string[] = []
  let inside = false
  for (const line of definition.split('\n')) {
    if (line.startsWith('[')) inside = line.trim() === `[program:${name.split(':').at(-1) ?? name}]`
    else if (inside) lines.push(line)
  }
  return lines.join('\n')
}

/** What supervisor does by default where a program's section says nothing (supervisor's manual, program section). */
function supervisorSettings(lines: string): Partial<Service> {
  const value = (key: string): string | undefined =>
    new RegExp(`^\\s*${key}\\s*=\\s*([^;\\n]*?)\\s*(?:;.*)?$`, 'm').exec(lines)?.[1]
  const autostart = value('autostart') ?? 'true'
  const enabled = /^(true|yes|on|1)$/i.test(autostart)
  const seconds = Number(value('stopwaitsecs') ?? 10)
  return {
    enabled,
    enablement: `autostart=${enabled ? 'true' : 'false'}`,
    restart: (value('autorestart') ?? 'unexpected').slice(0, 20),
    killSignal: signalName((value('stopsignal') ?? 'TERM').slice(0, 20)),
    stopTimeoutMs: Number.isFinite(seconds) ? seconds * 1000 : undefined,
  }
}

function signalName(word: string): string {
  const name = word.toUpperCase()
  return name.startsWith('SIG') ? name : `SIG${name}`
}
