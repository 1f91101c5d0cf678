import type {Service, ServiceManagerName} from '../model/observation.js'
import {printable} from '../text.js'

/** Answers of service managers beyond this many characters are cut: the first few hundred hold all we ask. */
export const SERVICE_TEXT_MAX = 64 << 10

/** A service of which nothing is known but its name and state; parsers lay what they read over it. */
export function plainService(
  manager: ServiceManagerName,
  unit: string,
  state: Service['state'],
  known: Partial<Service> = {},
): Service {
  return {
    manager,
    unit: printable(unit, 200),
    state,
    mainPid: undefined,
    enabled: undefined,
    enablement: undefined,
    masked: false,
    restart: undefined,
    restarts: undefined,
    killSignal: undefined,
    execStart: [],
    execStop: [],
    stopTimeoutMs: undefined,
    exitCode: undefined,
    result: undefined,
    sinceMs: undefined,
    ...known,
  }
}

/** A process id as managers print it; 0 and nonsense are none. */
export function pidOf(text: string | undefined): number | undefined {
  return text !== undefined && /^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined
}
