/**
 * Proves a server stopped, three ways at once: no process of it, no socket on its Raft port, nobody holds its store.
 * 1 executable, 2 data directory, 3 store, 4 address of the Raft transport, 5 its port; each may be empty. Ends with 0
 * when it is stopped, else with 73 and the reason. A process of the same executable (of a product's usual name where
 * the server was not seen running) counts as this server unless its command line names another data directory (the last
 * one named counts; links are followed, and a relative name counts as this one). Where the executable is `*` several
 * servers run on this machine under the same program and user, and only a process that names this data directory counts.
 * One `ls` picks the processes that are looked at; all are, where it prints what cannot be a link or the executable has
 * a name that some `ls` would not print as it is. A stopped (T) process counts as running, a zombie does not. Locks are
 * matched by inode alone: overlays report other devices, and one alarm too many is the right mistake here.
 */
export const PROVE_STOPPED = `
exe=$1 data=$2 store=$3 address=$4 port=$5
runs() { printf '%s\\n' "$1" >&2; exit 73; }
for tool in awk cat grep head ls readlink sed tr; do
  command -v "$tool" >/dev/null 2>&1 || { echo "$tool is not on this host: nothing can be proved" >&2; exit 1; }
done
[ -r /proc/self/status ] && [ -r /proc/net/tcp ] || { echo '/proc cannot be read: nothing can be proved' >&2; exit 1; }
same() { case $1 in /*) ;; *) return 0 ;; esac
  [ "\${1%/}" = "\${2%/}" ] || [ "$(readlink -f "$1")" = "$(readlink -f "$2")" ]; }
all='/proc/[0-9]*'
if [ "$exe" = '*' ]; then all=$(grep -ls -e data-dir /proc/[0-9]*/cmdline | sed 's,/cmdline$,,')
else case $exe in *[!A-Za-z0-9/._+-]*) ;; *)
  links=$(ls -ln /proc/[0-9]*/exe 2>/dev/null)
  case $links in *' -> '*) all=
    while IFS= read -r line; do
      case $line in l*) ;; *) all='/proc/[0-9]*'; break ;; esac
      own=\${line#* -> }; own=\${own% (deleted)}
      if [ -n "$exe" ]; then [ "$own" = "$exe" ] || continue
      else case \${own##*/} in consul | nomad | vault | bao | rqlited) ;; *) continue ;; esac; fi
      pid=\${line%%/exe -> *}; all="$all /proc/\${pid##*/}"
    done <<LINKS
$links
LINKS
  esac
esac; fi
for proc in $all; do
  pid=\${proc#/proc/}
  own=$(readlink "$proc/exe" 2>/dev/null) || continue
  own=\${own% (deleted)}
  if [ "$exe" = '*' ]; then :
  elif [ -n "$exe" ]; then [ "$own" = "$exe" ] || continue
  else case \${own##*/} in consul | nomad | vault | bao | rqlited) ;; *) continue ;; esac; fi
  state=$(sed -n 's/^State:[[:space:]]*\\(.\\).*/\\1/p' "$proc/status" 2>/dev/null)
  case $state in Z | X | '') continue ;; esac
  words=$(tr '\\000' '\\n' <"$proc/cmdline" 2>/dev/null)
  printf '%s\\n' "$words" | grep -qx -e agent -e server -e -server || case $own in *consul | *nomad | *vault | *bao) continue ;; esac
  named=$(printf '%s\\n' "$words" | awk '
    take {dir = $0; take = 0; next}
    /^--?data-dir=/ {dir = $0; sub(/^[^=]*=/, "", dir); next}
    /^--?data-dir$/ {take = 1}
    END {print dir}')
  if [ "$exe" = '*' ] && [ -z "$named" ]; then continue; fi
  [ -n "$named" ] && [ -n "$data" ] && ! same "$named" "$data" && continue
  runs "process $pid runs the server"
done
if [ -n "$port" ]; then
  hex=$(printf '%04X' "$port")
  quad=$(printf '%s' "$address" | awk -F. 'NF == 4 {printf "%02X%02X%02X%02X", $4, $3, $2, $1}')
  open=$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v port="$hex" -v quad="$quad" '
    $4 == "0A" {
      n = split($2, at, ":")
      if (at[n] != port) next
      if (length(at[1]) == 8 && at[1] != "00000000" && quad != "" && at[1] != quad) next
      print "yes"; exit
    }')
  [ -z "$open" ] || runs "something listens on port $port"
fi
if [ -n "$store" ] && [ -e "$store" ] && [ -r /proc/locks ]; then
  inode=$(ls -idL "$store" | awk '{print $1}')
  holder=$(awk -v inode="$inode" '
    $2 != "->" {n = split($6, at, ":"); if (at[n] == inode) {print $5; exit}}' /proc/locks)
  [ -z "$holder" ] || runs "process $holder holds the log store"
fi
exit 0
`

/**
 * Moves a small file away, across file systems too. 1 from, 2 to, 3 guard, then its arguments. The copy is whole and on
 * disk before the original goes. Codes as for the other scripts: 70 it was so already, 71 not as expected, 73 guard.
 */
export const MOVE_AWAY = `
from=$1 to=$2 guard=$3; shift 3
fail() { printf '%s\\n' "$2" >&2; exit "$1"; }
flush() { sync "$1" 2>/dev/null || sync; }
[ -e "$from" ] || [ -L "$from" ] || exit 70
[ -f "$from" ] && [ ! -L "$from" ] || fail 71 "$from is not a regular file"
if [ -e "$to" ]; then cmp -s "$from" "$to" || fail 71 "$to is there already"; fi
dir=\${to%/*}
mkdir -p "$dir" && cp -p "$from" "$to.new" && flush "$to.new" && cmp -s "$from" "$to.new" || exit 1
mv -f "$to.new" "$to" || exit 1
flush "$dir"
[ -z "$guard" ] || sh -c "$guard" sh "$@" >&2 || exit 73
rm -f "$from" || exit 1
flush "\${from%/*}"
`
