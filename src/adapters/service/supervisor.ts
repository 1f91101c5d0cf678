import {PROCESS_FUNCTIONS, scriptedManager} from './script.js'

/** `name` or `group:name`, and after `@` the path of a configuration file that supervisorctl does not find itself. */
const PROGRAM_NAME = /^[A-Za-z0-9_.-]+(:[A-Za-z0-9_.-]+)?(@\/[^\0\n]*)?$/

const TALK = `${PROCESS_FUNCTIONS}
case $1 in *@/*) conf=\${1#*@}; name=\${1%%@*} ;; *) conf=; name=$1 ;; esac
ctl() { if [ -n "$conf" ]; then supervisorctl -c "$conf" "$@"; else supervisorctl "$@"; fi; }
state() { ctl status "$name" 2>/dev/null | awk 'NR == 1 {print $2}'; }
marker=/run/quorate/supervisor.$(printf '%s' "$1" | tr -c 'A-Za-z0-9_.-' _).$2
`

/**
 * supervisord has no way to take autorestart away from a running program: a changed configuration restarts it, by its
 * stop signal. It never starts a program again that was stopped by request, though, so the hold begins with our stop,
 * and until then `hold` only notes the plan.
 */
const DO_HOLD = `${TALK}
case $(state) in RUNNING|STARTING|STOPPED|BACKOFF|EXITED|FATAL|STOPPING) ;; *) fail "supervisor says: $(ctl status "$name" 2>&1)" ;; esac
[ -e "$marker" ] && exit 70
mkdir -p /run/quorate && : >"$marker"
`

/** STOPPED is the only state out of which supervisord starts nothing; RUNNING is caught by whoever looks for processes. */
const IS_HELD = `${TALK}
[ -e "$marker" ] || exit 1
case $(state) in RUNNING|STOPPING|STOPPED) ;; *) exit 1 ;; esac
`

const RELEASE = `${TALK}
[ -e "$marker" ] || exit 70
rm -f "$marker"
`

/**
 * Kill and stop as one act: system.multicall runs both inside one turn of supervisord's loop (supervisor/xmlrpc.py), so
 * the program is already dying by SIGKILL when its stop signal is sent, which may be one that leaves, and supervisord
 * wants it down before it learns of the death, so autorestart never sees it. Should a program that died by itself have
 * been started again, the same call ends the new one. Children go first, because `stopasgroup` would signal them.
 * supervisord's own client library does it, since supervisorctl can only ask for one after the other.
 */
const KILL_AND_STOP = `
import os, sys
from supervisor.options import ClientOptions
name, conf, children = sys.argv[1], sys.argv[2], [int(p) for p in sys.argv[3:]]
o = ClientOptions()
o.realize((["-c", conf] if conf else []) + ["status"], doc="")
server = o.getServerProxy()
if "supervisor.signalProcess" not in server.system.listMethods():
    sys.exit("this supervisor is older than 3.2 and cannot kill and stop at once")
name = name if ":" in name else name + ":" + name
for pid in children:
    if pid > 1:
        try:
            os.kill(pid, 9)
        except OSError:
            pass
calls = [
    {"methodName": "supervisor.signalProcess", "params": [name, "KILL"]},
    {"methodName": "supervisor.stopProcess", "params": [name, True]},
]
for answer in server.system.multicall(calls):
    if isinstance(answer, dict) and "NOT_RUNNING" not in answer.get("faultString", ""):
        sys.exit(str(answer.get("faultString")))
`

const STOP = `${TALK}
python=$5
case $(state) in STOPPED) exit 70 ;; '') fail "supervisor says: $(ctl status "$name" 2>&1)" ;; esac
interpreter=$(sed -n '1s/^#![[:space:]]*//p' "$(command -v supervisorctl)")
[ -n "$interpreter" ] || fail 'supervisorctl does not name its interpreter'
n=5; while [ "$n" -gt 0 ]; do
  pid=$(ctl pid "$name" 2>/dev/null); pids=$(tree "$pid"); children=$(printf '%s\\n' "$pids" | grep -vx "$pid")
  out=$($interpreter -c "$python" "$name" "$conf" $children 2>&1) || fail "supervisor says: $out"
  end_all KILL 0 $pids || fail "a process of $name does not end: $pids"
  [ "$(state)" = STOPPED ] && exit 0
  nap; n=$((n - 1))
done
fail "supervisor says: $(ctl status "$name" 2>&1)"
`

const START = `${TALK}
[ "$(state)" = RUNNING ] && exit 70
out=$(ctl start "$name" 2>&1)
case $(state) in RUNNING|STARTING) exit 0 ;; esac
fail "supervisor says: $out $(ctl status "$name" 2>&1)"
`

/**
 * supervisor, by `supervisorctl` and its library. `firstSignal` is not followed: there is no grace that autorestart or
 * a leaving stop signal could not spoil, and servers killed outright have lost nothing that they had acknowledged.
 */
export const supervisor = scriptedManager({
  name: 'supervisor',
  unitName: PROGRAM_NAME,
  stopWith: [KILL_AND_STOP],
  scripts: {hold: DO_HOLD, held: IS_HELD, release: RELEASE, stop: STOP, start: START},
  words: {
    hold: unit => `${unit} will stay down once it is stopped; supervisor restarts it until then.`,
    release: unit => `${unit} is supervisor's again.`,
  },
})
