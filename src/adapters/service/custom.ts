import {printable} from '../../core/text.js'
import type {ServiceManager, ServiceResult, ServiceUnit} from '../../ports/service-manager.js'
import type {HostConnection} from '../../ports/transport.js'
import {planName, serviceClaim, serviceScript, stopArguments} from './script.js'

const MARKER = 'marker=/run/quorate/custom.$(printf %s "$1" | tr -c A-Za-z0-9_.- _).$2\n'
const DO_HOLD = `${MARKER}[ -e "$marker" ] && exit 70; mkdir -p /run/quorate && : >"$marker"`
const IS_HELD = `${MARKER}[ -e "$marker" ]`
const RELEASE = `${MARKER}[ -e "$marker" ] || exit 70; rm -f "$marker"`
const START_TIMEOUT_MS = 90_000

/** Runs one of the operator's commands as root, as an argument array; `{unit}` stands for the unit's name. */
async function runCustom(
  connection: HostConnection,
  unit: ServiceUnit,
  what: 'status' | 'start' | 'stop',
  timeoutMs: number,
): Promise<ServiceResult & {readonly code: number | undefined}> {
  const [program, ...args] = (unit.custom?.[what] ?? []).map(part => part.replaceAll('{unit}', unit.unit))
  if (program === undefined)
    return {ok: false, code: undefined, note: `The inventory names no ${what} command.`}
  const result = await connection.run({argv: [program, ...args], timeoutMs, maxBytes: 65_536, root: true})
  if (result.kind === 'failed') {
    const unknown = result.why === 'lost' || result.why === 'timed-out'
    return {ok: false, code: undefined, note: printable(result.detail), ...(unknown ? {lost: true} : {})}
  }
  const said = new TextDecoder().decode(result.stderr.length > 0 ? result.stderr : result.stdout)
  const words = printable(said.trim().replace(/\s*\n\s*/g, '; '), 200)
  const ended = `${program} ended with ${result.code ?? result.signal ?? 'no code'}.`
  return {
    ok: result.code === 0,
    code: result.code,
    note: printable(words === '' ? ended : `${ended} ${words}`),
  }
}

const withoutCode = ({
  code: _,
  ...result
}: ServiceResult & {readonly code: number | undefined}): ServiceResult => result

/**
 * The operator's own commands. What they do is the operator's promise: that the stop command does not make the server
 * leave, and that nothing starts it afterwards. The hold is only a note; the barrier looks at the processes themselves.
 */
export const custom: ServiceManager = {
  name: 'custom',
  hold: async (connection, {unit}, plan) =>
    serviceScript(
      connection,
      DO_HOLD,
      [unit, planName(plan)],
      `The plan is noted; nothing is known to hold ${unit}.`,
    ),
  held: async (connection, {unit}, plan) => serviceClaim(connection, IS_HELD, [unit, planName(plan)]),
  release: async (connection, {unit}, plan) =>
    serviceScript(connection, RELEASE, [unit, planName(plan)], `The note of the plan on ${unit} is gone.`),
  stop: async (connection, unit, options) => {
    const {timeoutMs} = stopArguments(options)
    const status = await runCustom(connection, unit, 'status', START_TIMEOUT_MS)
    // LSB: 3 is "program is not running"; commands of other manners end with any other code, and are stopped again
    if (status.code === 3) return {ok: true, note: `${unit.unit} is stopped. It was so already.`}
    return withoutCode(await runCustom(connection, unit, 'stop', timeoutMs))
  },
  start: async (connection, unit) => {
    const status = await runCustom(connection, unit, 'status', START_TIMEOUT_MS)
    if (status.ok) return {ok: true, note: `${unit.unit} is started. It was so already.`}
    return withoutCode(await runCustom(connection, unit, 'start', START_TIMEOUT_MS))
  },
}
