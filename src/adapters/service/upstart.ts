import {PROCESS_FUNCTIONS, scriptedManager} from './script.js'

const JOB_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/

/**
 * An override with `manual` keeps upstart from starting a job for events (init(5), "Override file handling"), but a
 * running job keeps its respawn until it has stopped, whatever its configuration says by then. So the hold is whole
 * only after our stop. An override that was there is kept: our line goes after it and is taken out again.
 */
const FIND = `${PROCESS_FUNCTIONS}
job=$1; file=/etc/init/$1.override; line="manual # quorate $2"
[ -e "/etc/init/$1.conf" ] || fail "upstart has no job $1"
status() { initctl status "$job" 2>/dev/null | head -n 1; }
pid() { status | sed -n 's/.*process \\([0-9][0-9]*\\).*/\\1/p'; }
noted() { grep -qxF "$line" "$file" 2>/dev/null; }
rewrite() { chmod 644 "$file.quorate-new" && { sync "$file.quorate-new" 2>/dev/null || sync; } && mv -f "$file.quorate-new" "$file" && initctl reload-configuration; }
`

const DO_HOLD = `${FIND}
noted && exit 70
{ cat "$file" 2>/dev/null; printf '%s\\n' "$line"; } >"$file.quorate-new" && rewrite
`

const IS_HELD = `${FIND}
noted
`

const RELEASE = `${FIND}
noted || exit 70
grep -vxF "$line" "$file" >"$file.quorate-new"
if [ -s "$file.quorate-new" ]; then rewrite; else rm -f "$file.quorate-new" "$file" && initctl reload-configuration; fi
`

/**
 * A killed job with `respawn` is started again at once; asking to stop right after each kill changes its goal, and what
 * was started meanwhile is killed before it can have read its signals. Ten rounds are far more than upstart's own limit.
 */
const STOP = `${FIND}
sig=$3 ticks=$4
case $(status) in *stop/waiting*) exit 70 ;; '') fail "initctl does not know $job" ;; esac
n=10; while [ "$n" -gt 0 ]; do
  pids=$(tree "$(pid)"); end_all "$sig" "$ticks" $pids || fail "a process of $job does not end: $pids"
  initctl stop --no-wait "$job" >/dev/null 2>&1
  late=$(tree "$(pid)"); end_all KILL 0 $late
  nap
  case $(status) in *stop/waiting*) exit 0 ;; esac
  sig=KILL; n=$((n - 1))
done
fail "upstart says: $(status)"
`

const START = `${FIND}
case $(status) in *start/running*) exit 70 ;; esac
out=$(initctl start "$job" 2>&1) || fail "upstart says: $out"
case $(status) in *start/*) exit 0 ;; esac
fail "upstart says after a start: $(status)"
`

/** upstart, by `initctl` and an override file. */
export const upstart = scriptedManager({
  name: 'upstart',
  unitName: JOB_NAME,
  scripts: {hold: DO_HOLD, held: IS_HELD, release: RELEASE, stop: STOP, start: START},
  words: {
    hold: unit => `upstart will not start ${unit} by itself once it is stopped.`,
    release: unit => `${unit} is upstart's again.`,
  },
})
