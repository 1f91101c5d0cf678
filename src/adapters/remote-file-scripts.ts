/**
 * The scripts behind `remote-files.ts`. Constant text in POSIX sh; the tools beyond POSIX are sha256sum and the
 * synchronising forms of sync, both in coreutils and busybox, with a whole `sync` where a file cannot be named.
 */

const COMMON = `
fail() { printf '%s\\n' "$2" >&2; exit "$1"; }
there() { [ -e "$1" ] || [ -L "$1" ]; }
hash() { h=$(sha256sum <"$1") || return 1; printf '%s' "\${h%% *}"; }
flush() { sync "$1" 2>/dev/null || sync; }
sum_tree() { (cd "$1" 2>/dev/null && find -L ".$2" -type f -exec sha256sum {} + | sort); }
parent() { case $1 in /*/*) printf '%s' "\${1%/*}" ;; *) printf / ;; esac; }
guarded() { g=$1; shift; [ -z "$g" ] || sh -c "$g" sh "$@" >&2 || exit 73; }
command -v sha256sum >/dev/null 2>&1 || fail 1 'sha256sum is not on this host'
`

/**
 * 1 path, 2 mode, 3 uid:gid, 4 sha256 of the bytes on stdin, 5 sha256 of what is replaced or empty, 6 guard, then the
 * guard's arguments. The bytes are proved whole before the rename, so a connection that breaks half-way writes nothing;
 * where nothing may be there, a hard link takes the place of the rename because it never replaces. Only a directory of
 * our own is made where it is missing; one of the server's that is not there is a reason to fail.
 */
export const WRITE_FILE = `${COMMON}
path=$1 mode=$2 owner=$3 sum=$4 replaces=$5 guard=$6; shift 6
dir=$(parent "$path"); tmp=$dir/.\${path##*/}.quorate-new
now() { if there "$path"; then
  [ -f "$path" ] && [ ! -L "$path" ] || fail 71 "$path is not a regular file"
  hash "$path" || exit 1; fi; }
was=$(now) || exit $?
if [ "$was" = "$sum" ]; then
  guarded "$guard" "$@"
  chown "$owner" "$path" && chmod "$mode" "$path" && flush "$path" || exit 1
  exit 70
fi
[ "$was" = "$replaces" ] || fail 71 "$path is not what the plan saw"
case $dir in /var/lib/quorate) [ -d "$dir" ] || { mkdir -p -m 755 "$dir" && flush "$(parent "$dir")"; } || exit 1 ;; esac
trap 'rm -f "$tmp"' EXIT; trap 'exit 1' HUP INT TERM
rm -f "$tmp" && (set -C; cat >"$tmp") || exit 1
chown "$owner" "$tmp" && chmod "$mode" "$tmp" || exit 1
flush "$tmp"
[ "$(hash "$tmp")" = "$sum" ] || fail 1 'the bytes did not arrive whole'
guarded "$guard" "$@"
[ "$(now)" = "$replaces" ] || fail 71 "$path changed meanwhile"
if [ -z "$replaces" ]; then ln "$tmp" "$path" || exit 71; rm -f "$tmp"; else mv -f "$tmp" "$path" || exit 1; fi
flush "$dir"
[ "$(hash "$path")" = "$sum" ] || fail 1 "$path reads back as something else"
`

/** 1 from, 2 to, 3 guard, then its arguments. A rename within one file system; never a copy, never over anything. */
export const MOVE_ASIDE = `${COMMON}
from=$1 to=$2 guard=$3; shift 3
if ! there "$from"; then there "$to" && exit 70; fail 71 "neither $from nor $to is there"; fi
there "$to" && fail 71 "$to is there already"
dir=$(parent "$to")
[ -d "$dir" ] || { mkdir -p "$dir" && flush "$(parent "$dir")"; } || exit 1
place() { df -P "$1" | awk 'NR == 2 {print $1, $NF}'; }
[ -L "$from" ] || [ "$(place "$from")" = "$(place "$dir")" ] || fail 1 "$from and $to are not on one file system"
guarded "$guard" "$@"
mv "$from" "$to" || exit 1
flush "$(parent "$from")"; flush "$dir"
`

/**
 * 1 to, 2 bytes needed, then paths. The copy grows under another name and takes its own only when its checksums equal
 * those of the source and all of it is on disk; so a copy of the right name is a whole copy. What links lead to is
 * copied in their place: a raft directory that is a link to a faster disk would else be a copy of nothing.
 */
export const COPY_TREE = `${COMMON}
to=$1 need=$2; shift 2
tmp=$to.unfinished
sums() { for p in "$@"; do there "$p" && { sum_tree "$root" "$p" || exit 1; }; done; :; }
if there "$to"; then
  [ -f "$to/manifest" ] || fail 71 "$to is there and is no copy of ours"
  (cd "$to/tree" && { [ ! -s ../manifest ] || sha256sum -c ../manifest >/dev/null 2>&1; }) || fail 71 "$to is damaged"
  exit 70
fi
up=$(parent "$to")
mkdir -p "$up" || exit 1
used=0
for p in "$@"; do if there "$p"; then k=$(du -skL "$p" | awk 'NR == 1 {print $1}') && used=$((used + k)) || exit 1; fi; done
free=$(df -Pk "$up" | awk 'NR == 2 {print $4}')
want=$(awk -v a="$need" -v b="$used" 'BEGIN {n = a / 1024; if (b > n) n = b; printf "%d", n + 16384}')
[ "$free" -ge "$want" ] || fail 72 "$up has $free KiB free and $want KiB are needed"
rm -rf "$tmp" && mkdir -m 700 "$tmp" "$tmp/tree" || exit 1
for p in "$@"; do
  there "$p" || continue
  how=-a; [ -z "$(find "$p" -type l | head -n 1)" ] || how=-pRL
  mkdir -p "$tmp/tree$(parent "$p")" && cp $how "$p" "$tmp/tree$p" || exit 1
done
root=/; sums "$@" >"$tmp/manifest" || exit 1
root=$tmp/tree; sums "$@" >"$tmp/manifest.copy" || exit 1
cmp -s "$tmp/manifest" "$tmp/manifest.copy" || fail 1 'the source changed while it was copied'
rm -f "$tmp/manifest.copy"
sync -f "$tmp" 2>/dev/null || sync
mv "$tmp" "$to" || exit 1
flush "$up"
`

/**
 * 1 copy, 2 guard, 3 to 7 its arguments, then paths. A path that the copy lacks was not there, so what is there now goes
 * aside. Nothing is deleted: what is replaced keeps its place under a name that says so. Laying large copies ready takes
 * minutes, so the guard is asked again right before anything is moved.
 */
export const RESTORE_TREE = `${COMMON}
from=$1 guard=$2 g1=$3 g2=$4 g3=$5 g4=$6 g5=$7; shift 7
still() { guarded "$guard" "$g1" "$g2" "$g3" "$g4" "$g5"; }
[ -f "$from/manifest" ] || fail 1 "$from is no whole copy"
(cd "$from/tree" && { [ ! -s ../manifest ] || sha256sum -c ../manifest >/dev/null 2>&1; }) || fail 1 "$from is damaged"
did=
aside() { n=1; while there "$1.quorate-aside-$n"; do n=$((n + 1)); done; mv "$1" "$1.quorate-aside-$n"; }
for p in "$@"; do
  new=$p.quorate-back
  if there "$from/tree$p"; then
    if there "$p" && [ "$(sum_tree / "$p")" = "$(sum_tree "$from/tree" "$p")" ]; then continue; fi
    rm -rf "$new" && mkdir -p "$(parent "$p")" && cp -a "$from/tree$p" "$new" || exit 1
    sync -f "$new" 2>/dev/null || sync
    still
    if there "$p"; then aside "$p" || exit 1; fi
    mv "$new" "$p" || exit 1
    [ "$(sum_tree / "$p")" = "$(sum_tree "$from/tree" "$p")" ] || fail 1 "$p reads back as something else"
  elif there "$p"; then still; aside "$p" || exit 1
  else continue; fi
  did=1
  flush "$(parent "$p")"
done
[ -n "$did" ] || exit 70
`

/** 1 path. */
export const SHA256_OF = `${COMMON}
there "$1" || exit 75
[ -f "$1" ] || fail 1 "$1 is not a regular file"
hash "$1"
`

/** 1 path. Prints the fields of \`ls -n\` up to the size. */
export const STAT_FILE = `${COMMON}
there "$1" || exit 75
ls -dln "$1" | awk 'NR == 1 {print $1, $3, $4, $5}'
`

/** /run is root's alone and empty after a boot, as a lock should be; hosts without it get a directory on disk. */
const LOCK = `
if [ -d /run ]; then base=/run/quorate; else base=/var/lib/quorate/locks; fi
lock=$base/$1.lock
fail() { printf '%s\\n' "$2" >&2; exit "$1"; }
holder() { sed -n 1p "$lock" 2>/dev/null; }
`

/** 1 scope, 2 plan, 3 by. A hard link appears whole or not at all and never replaces another run's lock. */
export const ACQUIRE_LOCK = `${LOCK}
mkdir -p "$base" || exit 1
tmp=$base/.$1.$2.new
rm -f "$tmp" && printf '%s\\n%s\\n' "$2" "$3" >"$tmp" || exit 1
trap 'rm -f "$tmp"' EXIT
ln "$tmp" "$lock" 2>/dev/null && exit 0
[ "$(holder)" = "$2" ] && exit 70
[ -f "$lock" ] || fail 1 "$lock cannot be made"
fail 74 "plan $(holder) by $(sed -n 2p "$lock") holds this host"
`

/** 1 scope, 2 plan. */
export const RELEASE_LOCK = `${LOCK}
[ -e "$lock" ] || exit 70
[ "$(holder)" = "$2" ] || fail 74 "plan $(holder) by $(sed -n 2p "$lock") holds this host"
rm -f "$lock"
`

/** 1 scope. */
export const READ_LOCK = `${LOCK}
[ -e "$lock" ] || exit 75
cat "$lock"
`
