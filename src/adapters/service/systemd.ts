import {PROCESS_FUNCTIONS, scriptedManager} from './script.js'

const UNIT_NAME = /^[A-Za-z0-9:_.@\\-]{1,240}$/

/** Reads everything about the unit that is decided by, in one call: each one costs the bus and the manager a turn. */
const LOOK = `
look() {
  load= refuse= restart= on_stop= reload= active= sub= pid= group= result= status=
  while IFS== read -r key value; do case $key in
    LoadState) load=$value ;; RefuseManualStart) refuse=$value ;; Restart) restart=$value ;;
    ExecStop) on_stop=$value ;; NeedDaemonReload) reload=$value ;; ActiveState) active=$value ;;
    SubState) sub=$value ;; MainPID) pid=$value ;; ControlGroup) group=$value ;;
    Result) result=$value ;; ExecMainStatus) status=$value ;;
  esac; done <<PROPERTIES
$(systemctl show -p LoadState -p RefuseManualStart -p Restart -p ExecStop -p NeedDaemonReload -p ActiveState \\
  -p SubState -p MainPID -p ControlGroup -p Result -p ExecMainStatus "$unit")
PROPERTIES
}
`

/**
 * The hold is a drop-in in /run, because `mask --runtime` does nothing for units whose file is in /etc: that directory
 * comes before /run (systemd.unit(5)). It takes away restarts, starts by hand, and by a path under /proc that nobody
 * can ever make, starts by dependency, timer or socket. An empty ExecStop= takes away commands such as `consul leave`
 * at once, also for the process that runs now.
 */
const HOLD = `${LOOK}
unit=$1; plan=$2; dir=/run/systemd/system/$unit.d; file=$dir/zz-quorate-$plan.conf
text='[Unit]
RefuseManualStart=yes
AssertPathExists=/proc/quorate-hold
ConditionPathExists=/proc/quorate-hold
[Service]
Restart=no
ExecStop='
stands() { [ "$(cat "$file" 2>/dev/null)" = "$text" ] || return 1
  look; [ "$refuse" = yes ] && [ "$restart" = no ] && [ -z "$on_stop" ] && [ "$reload" = no ]; }
fail() { printf '%s\\n' "$1" >&2; exit 1; }
`

const DO_HOLD = `${HOLD}
stands && exit 70
look; [ "$load" = not-found ] && fail "systemd has no unit $unit"
mkdir -p -m 755 /run/systemd/system "$dir" && printf '%s\\n' "$text" >"$file.new" && chmod 644 "$file.new" || exit 1
chmod 755 "$dir" && mv -f "$file.new" "$file" && systemctl daemon-reload || exit 1
stands || fail "systemd does not follow the drop-in $file: Restart=$restart, RefuseManualStart=$refuse"
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
const STOP = `${PROCESS_FUNCTIONS}${LOOK}
unit=$1 sig=$3 ticks=$4
members() { case $group in */"$unit") ;; *) group= ;; esac
  { [ -z "$group" ] || cat "/sys/fs/cgroup$group/cgroup.procs" "/sys/fs/cgroup/systemd$group/cgroup.procs" \\
    "/sys/fs/cgroup/unified$group/cgroup.procs" 2>/dev/null
  [ "\${pid:-0}" -le 1 ] || printf '%s\\n' "$pid"; } |
  grep -v '^[01]$' | sort -u; }
look; [ "$load" = not-found ] && fail "systemd has no unit $unit"
pids=$(members)
if [ -z "$pids" ]; then case $active in inactive|failed) exit 70 ;; esac; fi
end_all "$sig" "$ticks" $pids || fail "a process of $unit does not end: $pids"
look; late=$(members); end_all KILL 0 $late || fail "a process of $unit does not end: $late"
n=60; while [ "$n" -gt 0 ]; do case $active in inactive|failed) exit 0 ;; esac; soon; n=$((n - 1)); [ $n -ne 30 ] || systemctl --no-block stop "$unit"; look; done
fail "$unit is $active/$sub though its processes are gone"
`

const START = `${PROCESS_FUNCTIONS}${LOOK}
unit=$1
running() { look; case $active in active|activating|reloading) [ "\${pid:-0}" -gt 1 ] ;; *) false ;; esac; }
running && exit 70
systemctl reset-failed "$unit" 2>/dev/null
systemctl --no-block start "$unit" || exit 1
n=160; while [ "$n" -gt 0 ]; do
  running && exit 0
  if [ "$active" = failed ]; then break; fi
  soon; n=$((n - 1))
done
fail "$unit is $active/$sub after a start: $result, exit $status"
`

function inFull(unit: string): string {
  return /\.(service|scope|slice)$/.test(unit) ? unit : `${unit}.service`
}

/** systemd, by `systemctl` and drop-ins that live until release or the next boot. */
export const systemd = scriptedManager({
  name: 'systemd',
  unitName: UNIT_NAME,
  inFull,
  scripts: {hold: DO_HOLD, held: IS_HELD, release: RELEASE, stop: STOP, start: START},
  words: {
    hold: unit => `systemd will not start ${unit} by itself, by hand or for others.`,
    release: unit => `${unit} is systemd's again.`,
  },
})
