/**
 * The part of the probe that reads configuration, data directory and what the kernel tells: functions that
 * `PROBE_SCRIPT` calls.
 */
export const PROBE_FILES = `find_config() {
  count=0
  if [ -z "$configs$want_config" ] && [ -z "$main" ]; then
    set +f
    for name in $names; do
      for d in "/etc/$name.d" "/etc/$name.d/server" "/etc/$name" "/usr/local/etc/$name.d" "/usr/local/etc/$name" "/opt/$name/config" "/opt/$name/etc"; do
        for f in "$d"/*.json "$d"/*.hcl; do [ -f "$f" ] && { configs=$configs$d$nl; break; }; done
      done
    done
    set -f
  fi
  config_files=
  if [ "$want_config" ]; then
    say config.asked "$want_config"
    config_source "$want_config"
    return
  fi
  say config.named "$configs"
  IFS=$nl
  for c in $configs; do
    IFS=" 	$nl"
    config_source "$c"
  done
  IFS=" 	$nl"
}
config_source() {
  if [ -d "$1" ]; then
    open config.dir; printf '%s' "$1"
    if [ -r "$1" ] && [ -x "$1" ]; then shut 0; else shut denied; return; fi
    set +f
    for f in "$1"/*; do case $f in *.json | *.hcl) config_file "$f" ;; esac; done
    set -f
  else config_file "$1"; fi
}
config_file() {
  count=$((count + 1))
  if [ $count -gt 64 ]; then say config.more "$1"; return; fi
  file config.file "$1" "$max_file"
  case $1 in *"$nl"*) ;; *) config_files=$config_files$1$nl ;; esac
}
# A first guess at a setting, last one wins; the reader parses the files and asks again if the guess was wrong.
setting() {
  IFS=$nl
  line=$(grep -hoE "\\"?$1\\"?[[:space:]]*[:=][[:space:]]*\\"[^\\"]*\\"" $config_files 2>/dev/null)
  line=\${line##*$nl}; line=\${line%\\"}
  printf '%s' "\${line##*\\"}"
}
find_data() {
  if [ "$data" ] && [ "$main_wd" ]; then case $data in /*) ;; *) data=$main_wd/$data ;; esac; fi
  if [ -z "$data" ] && [ "$config_files" ]; then data=$(setting data_dir); fi
  [ "$want_data" ] && data=$want_data
  if [ -z "$data" ]; then
    for name in $names; do
      for d in "/opt/$name" "/var/lib/$name" "/var/$name" "/opt/$name/data" "/$name/data" "/data/$name"; do
        [ -d "$d$sub/raft" ] && { data=$d; break 2; }
      done
    done
  fi
  if [ -z "$log" ] && [ "$config_files" ]; then log=$(setting log_file); fi
  while :; do case $data in ?*/) data=\${data%/} ;; *) break ;; esac; done
  say data-dir "$data"
}
data_files() {
  base=$data$sub
  set +f
  set -- "$data" "$base/raft"
  for f in "$base/node-id" "$base/server_metadata.json" "$base/serf" "$base"/serf/* "$base"/raft/* "$base"/raft/snapshots/* "$base"/raft/snapshots/*/* "$base"/raft/mdb/* "$base"/raft/wal/*; do
    case $f in *"$nl"*) continue ;; esac
    [ -e "$f" ] || [ -L "$f" ] || continue
    set -- "$@" "$f"
    [ $# -gt 400 ] && break
  done
  set -f
  if gone "$data/x"; then way=open; else way=denied; fi
  if gone "$base/raft/x"; then way="$way open"; else way="$way denied"; fi
  say searchable "$way"
  if stat -c '%f %u %g %s %Y %d %i %n' "$data" >/dev/null 2>&1; then
    open stat; stat -c '%f %u %g %s %Y %d %i %n' "$@" 2>/dev/null
  else open ls; ls -ldin "$@" 2>/dev/null; fi
  shut $?
  file node-id "$base/node-id" 4096
  file peers.json "$base/raft/peers.json" 65536
  file peers.info "$base/raft/peers.info" 64
  file metadata "$base/server_metadata.json" 4096
  set +f
  count=0
  for f in "$base"/raft/snapshots/*/meta.json; do
    [ -f "$f" ] || continue
    count=$((count + 1)); [ $count -gt 16 ] && break
    file snapshot "$f" 65536
  done
  set -f
  if [ "$product" = nomad ]; then serf=$base/serf/snapshot; else serf=$base/serf/local.snapshot; fi
  open serf; printf '%s\\0' "$serf"
  if [ -f "$serf" ]; then tail -c 131072 "$serf" 2>/dev/null; shut $?; elif gone "$serf"; then shut absent; else shut denied; fi
  if [ "$product" = nomad ]; then file keyring "$base/serf.keyring" 65536; else file keyring "$base/serf/local.keyring" 65536; fi
  open df; limited 3 df -Pk "$data" 2>/dev/null; shut $?
  open dfi; limited 3 df -Pi "$data" 2>/dev/null; shut $?
  open mounts; head -c 131072 /proc/mounts 2>/dev/null; shut $?
}
# What earlier runs of quorate left behind.
traces() {
  count=0
  set +f
  for f in \${data:+"$data$sub"/raft.fenced-*} /run/quorate/* /var/lib/quorate/* /var/lib/quorate/*/* /run/systemd/system/*.d/zz-quorate-* /var/backups/quorate/*; do
    [ -e "$f" ] || [ -L "$f" ] || continue
    count=$((count + 1)); [ $count -gt 100 ] && break
    if [ -d "$f" ]; then open trace.dir; printf '%s' "$f"; shut 0; else file trace.file "$f" 4096; fi
  done
  set -f
}
`
