import {PROCESS_FUNCTIONS, scriptedManager} from './script.js'

/** A name below the usual directories of services, or the path of a service directory. */
const SERVICE_NAME = /^(\/[^\0\n]*|[A-Za-z0-9][A-Za-z0-9._@+-]*)$/

const FIND = `${PROCESS_FUNCTIONS}
dir=$1
case $dir in /*) ;; *) for up in /etc/service /service /var/service /run/runit/service /etc/sv; do
  [ -d "$up/$1/supervise" ] && dir=$up/$1 && break; done ;; esac
[ -d "$dir/supervise" ] || fail "runit does not supervise $1"
status() { sv status "$dir" 2>/dev/null | sed 's/;.*//'; }
runs() { case $(status) in run:*|finish:*) return 0 ;; *) return 1 ;; esac; }
want_down() { case $(status) in *'want up'*) return 1 ;; down:*|*'want down'*) return 0 ;; *) return 1 ;; esac; }
`

/**
 * `sv once` keeps a running service and takes away its restart; on one that is down it would start it, so there `sv
 * down` is the way. A `down` file holds the service also after runsv itself was killed and came back. One that was
 * there before is not ours and stays when we release. runit takes 'sv up' by hand from anybody, which shows in `held`.
 */
const DO_HOLD = `${FIND}
mine="quorate $2"
if [ -e "$dir/down" ] && want_down; then exit 70; fi
if [ ! -e "$dir/down" ]; then (set -C; printf '%s\\n' "$mine" >"$dir/down") || exit 1; chmod 644 "$dir/down"; fi
if ! want_down; then if runs; then sv once "$dir" >/dev/null; else sv down "$dir" >/dev/null; fi; fi
n=50; while ! want_down && [ "$n" -gt 0 ]; do nap; n=$((n - 1)); done
want_down || fail "runit says: $(status)"
`

const IS_HELD = `${FIND}
[ -e "$dir/down" ] && want_down
`

/** A running service gets its restarts back; one that is down stays down until it is started. */
const RELEASE = `${FIND}
if [ "$(cat "$dir/down" 2>/dev/null)" = "quorate $2" ]; then rm -f "$dir/down" || exit 1
elif ! runs || ! want_down; then exit 70; fi
if runs && want_down; then sv up "$dir" >/dev/null; fi
`

/** Signals by ourselves: runsv would run control/t or control/d first, and there somebody may have put a leave. */
const STOP = `${FIND}
sig=$3 ticks=$4
want_down || fail "runit would start it again at once: $(status)"
pid=$(cat "$dir/supervise/pid" 2>/dev/null)
if [ -z "$pid" ]; then case $(status) in down:*) exit 70 ;; esac; fi
if [ -n "$pid" ]; then pids=$(tree "$pid"); end_all "$sig" "$ticks" $pids || fail "a process of $1 does not end: $pids"; fi
n=100; while [ "$n" -gt 0 ]; do case $(status) in down:*) exit 0 ;; esac; nap; n=$((n - 1)); done
fail "runit says: $(status)"
`

const START = `${FIND}
case $(status) in run:*) want_down || exit 70 ;; esac
sv -w 15 up "$dir" >/dev/null 2>&1
n=20; while [ "$n" -gt 0 ]; do case $(status) in run:*) exit 0 ;; esac; nap; n=$((n - 1)); done
fail "runit says after a start: $(status)"
`

/** runit, by `sv` and the service directory. */
export const runit = scriptedManager({
  name: 'runit',
  unitName: SERVICE_NAME,
  scripts: {hold: DO_HOLD, held: IS_HELD, release: RELEASE, stop: STOP, start: START},
  words: {
    hold: unit => `runit will not restart ${unit}.`,
    release: unit => `${unit} is runit's again.`,
  },
})
