import {PROCESS_FUNCTIONS, scriptedManager} from './script.js'

const SCRIPT_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/

/**
 * A script of System V starts nothing by itself, so there is nothing to hold but the note that a plan is under way; what
 * cron or a hand starts is seen by whoever looks for processes. The pid file comes first; without one, processes whose
 * program bears the name of the script are the server, except clients of the same program with a short life.
 */
const FIND = `${PROCESS_FUNCTIONS}
name=$1; script=/etc/init.d/$1
[ -x "$script" ] || fail "there is no script $script"
marker=/run/quorate/sysv.$1.$2
server() {
  for f in "/var/run/$name.pid" "/run/$name.pid" "/var/run/$name/$name.pid" "/run/$name/$name.pid"; do
    p=$(head -n 1 "$f" 2>/dev/null | tr -cd 0-9); process "$p" && alive "$p" && tree "$p" && return 0
  done
  for d in /proc/[0-9]*; do
    e=$(readlink "$d/exe" 2>/dev/null) || continue
    [ "\${e##*/}" = "$name" ] && tr '\\0' '\\n' <"$d/cmdline" 2>/dev/null | sed -n 2p | grep -qx agent && printf '%s\\n' "\${d#/proc/}"
  done
  return 0; }
`

const DO_HOLD = `${FIND}
[ -e "$marker" ] && exit 70
mkdir -p /run/quorate && : >"$marker"
`

const IS_HELD = `${FIND}
[ -e "$marker" ]
`

const RELEASE = `${FIND}
[ -e "$marker" ] || exit 70
rm -f "$marker"
`

/** The script's own stop comes last and only tidies up: its pid and lock files, with no server left to leave. */
const STOP = `${FIND}
sig=$3 ticks=$4
pids=$(server | sort -u)
[ -n "$pids" ] || exit 70
end_all "$sig" "$ticks" $pids || fail "a process of $name does not end: $pids"
"$script" stop >/dev/null 2>&1 </dev/null
pids=$(server | sort -u)
[ -z "$pids" ] || fail "$name was started again meanwhile: $pids"
`

const START = `${FIND}
[ -z "$(server)" ] || exit 70
out=$("$script" start 2>&1 </dev/null) || fail "$script start says: $out"
n=50; while [ "$n" -gt 0 ]; do [ -z "$(server)" ] || exit 0; nap; n=$((n - 1)); done
fail "$script start ended well, but no process is there: $out"
`

/** Scripts in /etc/init.d. */
export const sysv = scriptedManager({
  name: 'sysv',
  unitName: SCRIPT_NAME,
  scripts: {hold: DO_HOLD, held: IS_HELD, release: RELEASE, stop: STOP, start: START},
  words: {
    hold: unit => `Nothing restarts ${unit} by itself; the plan is noted.`,
    release: unit => `The note of the plan on ${unit} is gone.`,
  },
})
