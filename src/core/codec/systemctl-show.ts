import type {Service} from '../model/observation.js'
import {printable} from '../text.js'
import {pidOf, plainService, SERVICE_TEXT_MAX} from './service-base.js'

const SIGNALS: Readonly<Record<string, string>> = {
  1: 'SIGHUP',
  2: 'SIGINT',
  3: 'SIGQUIT',
  6: 'SIGABRT',
  9: 'SIGKILL',
  10: 'SIGUSR1',
  12: 'SIGUSR2',
  15: 'SIGTERM',
}
const SPAN_UNITS_MS: Readonly<Record<string, number>> = {
  us: 1e-3,
  μs: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  month: 2_629_800_000,
  y: 31_557_600_000,
}

/**
 * Reads `systemctl show` of one unit. Undefined when the unit is not known to systemd or the text is no such answer.
 * Times in a zone that only has a name are read with `utcOffsetMs`, how far the host is ahead of UTC.
 */
export function parseSystemctlShow(text: string, utcOffsetMs?: number): Service | undefined {
  const {first, all} = readProperties(text)
  const id = first.get('Id')
  const active = first.get('ActiveState')
  if (id === undefined || active === undefined) return undefined
  const masked = first.get('LoadState') === 'masked'
  if (first.get('LoadState') === 'not-found') return undefined
  const enablement = first.get('UnitFileState') || undefined
  const signal = first.get('KillSignal')
  const status = first.get('ExecMainStatus')
  return plainService('systemd', id, stateOf(active, first.get('SubState')), {
    mainPid: pidOf(first.get('MainPID')),
    enabled: enablement === undefined ? undefined : /^enabled(-runtime)?$/.test(enablement),
    enablement: enablement === undefined ? undefined : printable(enablement, 60),
    masked: masked || /^masked(-runtime)?$/.test(enablement ?? ''),
    restart: first.get('Restart') === undefined ? undefined : printable(first.get('Restart') ?? '', 60),
    restarts: countOf(first.get('NRestarts')),
    killSignal: signal === undefined ? undefined : (SIGNALS[signal] ?? printable(signal, 20)),
    execStart: (all.get('ExecStart') ?? []).flatMap(argvOf),
    execStop: (all.get('ExecStop') ?? []).flatMap(argvOf),
    stopTimeoutMs: spanMs(first.get('TimeoutStopUSec')),
    exitCode: first.get('ExecMainCode') === '0' ? undefined : countOf(status),
    result: first.get('Result') === undefined ? undefined : printable(first.get('Result') ?? '', 60),
    sinceMs: systemdTime(first.get('StateChangeTimestamp'), utcOffsetMs),
  })
}

function readProperties(text: string): {
  readonly first: ReadonlyMap<string, string>
  readonly all: ReadonlyMap<string, readonly string[]>
} {
  const first = new Map<string, string>()
  const all = new Map<string, string[]>()
  for (const line of text.slice(0, SERVICE_TEXT_MAX).split('\n')) {
    const match = /^([A-Za-z][A-Za-z0-9]*)=(.*)$/.exec(line)
    if (match === null) continue
    const [, key = '', value = ''] = match
    if (!first.has(key)) first.set(key, value.trim())
    const values = all.get(key) ?? []
    values.push(value)
    all.set(key, values)
  }
  return {first, all}
}

function stateOf(active: string, sub: string | undefined): Service['state'] {
  if (sub === 'auto-restart' || sub === 'auto-restart-queued') return 'restarting'
  switch (active) {
    case 'active':
    case 'reloading':
    case 'refreshing':
      return 'running'
    case 'inactive':
    case 'maintenance':
      return 'stopped'
    case 'failed':
      return 'failed'
    case 'activating':
      return 'starting'
    case 'deactivating':
      return 'stopping'
    default:
      return 'unknown'
  }
}

/** The words of `{ path=… ; argv[]=consul agent … ; ignore_errors=no ; …}`; systemd prints them without quotes. */
function argvOf(value: string): readonly string[] {
  const match = /argv\[\]=(.*?) ; (?:ignore_errors|flags)=/.exec(value)
  return (match?.[1] ?? '')
    .split(/\s+/)
    .filter(word => word !== '')
    .map(word => printable(word, 500))
}

function countOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined
}

/** `1min 30s` in milliseconds; undefined for `infinity`. */
function spanMs(text: string | undefined): number | undefined {
  if (text === undefined || text === '' || text.length > 100) return undefined
  let ms = 0
  for (const part of text.split(' ')) {
    const match = /^(\d+(?:\.\d+)?)([a-zμµ]+)$/.exec(part)
    const unit = SPAN_UNITS_MS[match?.[2] ?? '']
    if (match === null || unit === undefined) return undefined
    ms += Number(match[1]) * unit
  }
  return ms
}

/** `Fri 2026-11-20 07:38:43 UTC`, or `@1763624323` from newer versions when asked so. */
function systemdTime(text: string | undefined, utcOffsetMs: number | undefined): number | undefined {
  const unix = /^@(\d{1,12})(?:\.\d+)?$/.exec(text ?? '')
  if (unix !== null) return Number(unix[1]) * 1000
  const match = /^[A-Z][a-z]{2} (\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.\d+)? (\S+)$/.exec(text ?? '')
  if (match === null) return undefined
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number)
  const local = Date.UTC(year, month - 1, day, hour, minute, second)
  const zone = match[7] ?? ''
  if (zone === 'UTC' || zone === 'GMT') return local
  const numeric = /^([+-])(\d\d):?(\d\d)?$/.exec(zone)
  if (numeric === null) return utcOffsetMs === undefined ? undefined : local - utcOffsetMs
  const offset = (Number(numeric[2]) * 60 + Number(numeric[3] ?? 0)) * 60_000
  return numeric[1] === '-' ? local + offset : local - offset
}
