import type {ServiceManager} from '../../ports/service-manager.js'
import {
  PROCESS_FUNCTIONS,
  planName,
  refuseName,
  serviceClaim,
  serviceScript,
  stopArguments,
} from './script.js'

const UNIT_NAME = /^[A-Za-z0-9:_.@\\-]{1,240}$/

/**
 * The hold is a drop-in in /run, because `mask --runtime` does nothing for units whose file is in /etc: that directory
 * comes before /run (systemd.unit(5)). It takes away restarts, starts by hand, and by a path under /proc that nobody
 * can ever make, starts by dependency, timer or socket. An empty ExecStop= takes away commands such as `consul leave`
 * at once, also for the process that runs now.
 */
const HOLD = `
unit=$1; plan=$2; dir=/run/systemd/system/$unit.d; file=$dir/zz-quorate-$plan.conf
text='[Unit]
RefuseManualStart=yes
AssertPathExists=/proc/quorate-hold
ConditionPathExists=/proc/quorate-hold
[Service]
Restart=no
ExecStop='
shown() { systemctl show -p "$1" "$unit" | sed "s/^$1=//"; }
stands() { [ "$(cat "$file" 2>/dev/null)" = "$text" ] && [ "$(shown RefuseManualStart)" = yes ] &&
  [ "$(shown Restart)" = no ] && [ -z "$(shown ExecStop)" ] && [ "$(shown NeedDaemonReload)" = no ]; }
fail() { printf '%s\\n' "$1" >&2; exit 1; }
`

const DO_HOLD = `${HOLD}
[ "$(shown LoadState)" = not-found ] && fail "systemd has no unit $unit"
stands && exit 70
mkdir -p -m 755 /run/systemd/system "$dir" && printf '%s\\n' "$text" >"$file.new" && chmod 644 "$file.new" || exit 1
chmod 755 "$dir" && mv -f "$file.new" "$file" && systemctl daemon-reload || exit 1
stands || fail "systemd does not follow the drop-in $file: Restart=$(shown Restart), RefuseManualStart=$(shown RefuseManualStart)"
`

const IS_HELD = `${HOLD}
stands
`

const RELEASE = `${HOLD}
[ -e "$file" ] || exit 70
rm -f "$file" "$file.new" || exit 1
rmdir "$dir" 2>/dev/null
systemctl daemon-reload
`

/**
 * Signals the whole control group ourselves and lets systemd only see the end. `systemctl stop` is asked at last, when
 * nothing is left that ExecStop could talk to; it settles a unit that waits for an automatic restart.
 */
const STOP = `${PROCESS_FUNCTIONS}
unit=$1 sig=$2 ticks=$3
shown() { systemctl show -p "$1" "$unit" | sed "s/^$1=//"; }
[ "$(shown LoadState)" = not-found ] && fail "systemd has no unit $unit"
members() { g=$(shown ControlGroup)
  case $g in */"$unit") ;; *) g= ;; esac
  { [ -z "$g" ] || cat "/sys/fs/cgroup$g/cgroup.procs" "/sys/fs/cgroup/systemd$g/cgroup.procs" \\
    "/sys/fs/cgroup/unified$g/cgroup.procs" 2>/dev/null
  m=$(shown MainPID); [ "\${m:-0}" -le 1 ] || printf '%s\\n' "$m"; } |
  grep -v '^[01]$' | sort -u; }
pids=$(members)
was=$(shown ActiveState)
if [ -z "$pids" ]; then case $was in inactive|failed) exit 70 ;; esac; fi
end_all "$sig" "$ticks" $pids || fail "a process of $unit does not end: $pids"
late=$(members); end_all KILL 0 $late || fail "a process of $unit does not end: $late"
n=50; while [ "$n" -gt 0 ]; do case $(shown ActiveState) in inactive|failed) exit 0 ;; esac; nap; n=$((n - 1)); [ $n -ne 30 ] || systemctl --no-block stop "$unit"; done
fail "$unit is $(shown ActiveState)/$(shown SubState) though its processes are gone"
`

const START = `${PROCESS_FUNCTIONS}
unit=$1
shown() { systemctl show -p "$1" "$unit" | sed "s/^$1=//"; }
running() { m=$(shown MainPID); case $(shown ActiveState) in active|activating|reloading) [ "\${m:-0}" -gt 1 ] ;; *) false ;; esac; }
running && exit 70
systemctl reset-failed "$unit" 2>/dev/null
systemctl --no-block start "$unit" || exit 1
n=150; while [ "$n" -gt 0 ]; do
  running && exit 0
  if [ "$(shown ActiveState)" = failed ]; then break; fi
  nap; n=$((n - 1))
done
fail "$unit is $(shown ActiveState)/$(shown SubState) after a start: $(shown Result), exit $(shown ExecMainStatus)"
`

function unitName(unit: string): string {
  return /\.(service|scope|slice)$/.test(unit) ? unit : `${unit}.service`
}

/** systemd, by `systemctl` and drop-ins that live until release or the next boot. */
export const systemd: ServiceManager = {
  name: 'systemd',
  hold: async (connection, {unit}, plan) =>
    refuseName(unit, UNIT_NAME) ??
    serviceScript(
      connection,
      DO_HOLD,
      [unitName(unit), planName(plan)],
      `systemd will not start ${unit} by itself, by hand or for others.`,
    ),
  held: async (connection, {unit}, plan) =>
    refuseName(unit, UNIT_NAME) === undefined &&
    serviceClaim(connection, IS_HELD, [unitName(unit), planName(plan)]),
  release: async (connection, {unit}, plan) =>
    refuseName(unit, UNIT_NAME) ??
    serviceScript(connection, RELEASE, [unitName(unit), planName(plan)], `${unit} is systemd's again.`),
  stop: async (connection, {unit}, options) => {
    const {signal, ticks, timeoutMs} = stopArguments(options)
    return (
      refuseName(unit, UNIT_NAME) ??
      serviceScript(connection, STOP, [unitName(unit), signal, ticks], `${unit} is stopped.`, timeoutMs)
    )
  },
  start: async (connection, {unit}) =>
    refuseName(unit, UNIT_NAME) ?? serviceScript(connection, START, [unitName(unit)], `${unit} is started.`),
}
