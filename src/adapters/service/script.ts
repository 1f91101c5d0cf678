import {printable} from '../../core/text.js'
import type {HostConnection} from '../../ports/transport.js'
import type {ServiceManager, ServiceResult} from '../../ports/service-manager.js'
import {EXIT_ALREADY, runRootScript, wordsOf} from '../root-script.js'

/**
 * Shell functions that several managers use. `tree` prints a process with all that descend from it: a run script that
 * does not exec would otherwise die alone and leave the server behind. `soon` waits a little for what is about to be, at
 * first very little. `end_all` signals, waits and then kills. Both
 * refuse what is not the id of one ordinary process: 0, 1 and negative numbers would reach far more than a server.
 */
export const PROCESS_FUNCTIONS = `
fail() { printf '%s\\n' "$1" >&2; exit 1; }
process() { case $1 in ''|0|1|*[!0-9]*) return 1 ;; esac; }
tree() { process "$1" || return 1
  cat /proc/[0-9]*/status 2>/dev/null | awk -v root="$1" '/^Pid:/ {p = $2} /^PPid:/ {up[p] = $2}
  END {for (p in up) {q = p; while (q in up && q != root) q = up[q]; if (q == root) print p}}'; }
alive() { for p in "$@"; do case $(sed -n 's/^State:[[:space:]]*//p' "/proc/$p/status" 2>/dev/null) in ''|Z*|X*) ;; *) return 0 ;; esac; done; return 1; }
nap() { sleep 0.1 2>/dev/null || sleep 1; }
soon() { soons=$((\${soons:-0} + 1)); if [ "$soons" -gt 10 ] || ! sleep 0.02 2>/dev/null; then nap; fi; }
end_all() { sig=$1; ticks=$2; shift 2
  [ $# -gt 0 ] || return 0
  for p in "$@"; do process "$p" || return 1; done
  kill -s "$sig" "$@" 2>/dev/null
  while alive "$@" && [ "$ticks" -gt 0 ]; do nap; ticks=$((ticks - 1)); done
  alive "$@" || return 0
  kill -s KILL "$@" 2>/dev/null
  ticks=110; while alive "$@" && [ "$ticks" -gt 0 ]; do soon; ticks=$((ticks - 1)); done
  ! alive "$@"; }
`

/** Waiting for a stop: the grace, then up to ten seconds for SIGKILL, and room for the manager. */
const STOP_MARGIN_MS = 40_000

/** The name of a signal without SIG, as kill(1) takes it, and the grace in ticks of `end_all`. */
export function stopArguments(options: {
  readonly firstSignal: 'SIGTERM' | 'SIGKILL'
  readonly graceMs: number
}): {readonly signal: string; readonly ticks: string; readonly timeoutMs: number} {
  return {
    signal: options.firstSignal === 'SIGKILL' ? 'KILL' : 'TERM',
    ticks: String(Math.ceil(options.graceMs / 100)),
    timeoutMs: options.graceMs + STOP_MARGIN_MS,
  }
}

/** Runs a manager's script and says how it went; what the script prints on stdout is added to the note. */
export async function serviceScript(
  connection: HostConnection,
  script: string,
  args: readonly string[],
  done: string,
  timeoutMs?: number,
): Promise<ServiceResult> {
  const result = await runRootScript(connection, script, args, timeoutMs === undefined ? {} : {timeoutMs})
  if (result.kind === 'failed')
    return {ok: false, note: result.note, ...(result.failure === 'lost' ? {lost: true} : {})}
  const said = printable(
    new TextDecoder()
      .decode(result.stdout)
      .trim()
      .replace(/\s*\n\s*/g, '; '),
    200,
  )
  const more = said === '' ? '' : ` ${said}`
  if (result.code === 0) return {ok: true, note: `${printable(done)}${more}`}
  if (result.code === EXIT_ALREADY) return {ok: true, note: `${printable(done)} It was so already.${more}`}
  return {ok: false, note: wordsOf(result)}
}

/** Whether a script ends with 0. No answer counts as no: a hold that cannot be seen does not stand. */
export async function serviceClaim(
  connection: HostConnection,
  script: string,
  args: readonly string[],
): Promise<boolean> {
  const result = await runRootScript(connection, script, args)
  return result.kind === 'exited' && result.code === 0
}

/** A plan's id as part of file names on the host. */
export function planName(plan: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/.test(plan))
    throw new Error(`not a plan id: ${printable(plan, 80)}`)
  return plan
}

/** A service manager whose every act is one script on the host. */
export interface ScriptedManager {
  readonly name: ServiceManager['name']
  /** What a unit may be called. */
  readonly unitName: RegExp
  /** The unit as scripts are given it; as it is called by default. */
  readonly inFull?: (unit: string) => string
  /** Constant scripts: $1 the unit, $2 the plan; for `stop` then $3 the first signal, $4 the grace in ticks. */
  readonly scripts: Readonly<Record<'hold' | 'held' | 'release' | 'stop' | 'start', string>>
  /** What else `stop` is given. */
  readonly stopWith?: readonly string[]
  /** What is said of a unit that was just held, or released. */
  readonly words: Readonly<Record<'hold' | 'release', (unit: string) => string>>
}

/** A start waits for the server's own readiness, where its manager does. */
const START_TIMEOUT_MS = 90_000

/** Makes a service manager out of its scripts. */
export function scriptedManager(of: ScriptedManager): ServiceManager {
  const {unitName, scripts, words, inFull = (unit: string) => unit} = of
  const refused = (unit: string): ServiceResult | undefined => {
    if (unitName.test(unit)) return undefined
    return {ok: false, note: `${printable(unit, 80)} cannot be the name of a service.`}
  }
  const act = async (
    connection: HostConnection,
    act: 'hold' | 'release' | 'stop' | 'start',
    unit: string,
    args: readonly string[],
    done: string,
    timeoutMs?: number,
  ): Promise<ServiceResult> =>
    refused(unit) ?? serviceScript(connection, scripts[act], [inFull(unit), ...args], done, timeoutMs)
  return {
    name: of.name,
    hold: (connection, {unit}, plan) => act(connection, 'hold', unit, [planName(plan)], words.hold(unit)),
    held: async (connection, {unit}, plan) =>
      refused(unit) === undefined && serviceClaim(connection, scripts.held, [inFull(unit), planName(plan)]),
    release: (connection, {unit}, plan) =>
      act(connection, 'release', unit, [planName(plan)], words.release(unit)),
    stop: (connection, {unit}, options) => {
      const {signal, ticks, timeoutMs} = stopArguments(options)
      const args = ['', signal, ticks, ...(of.stopWith ?? [])]
      return act(connection, 'stop', unit, args, `${unit} is stopped.`, timeoutMs)
    },
    start: (connection, {unit}) =>
      act(connection, 'start', unit, [''], `${unit} is started.`, START_TIMEOUT_MS),
  }
}
