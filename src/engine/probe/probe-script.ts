import {PROBE_FILES} from './probe-files.js'

/**
 * The questions a host is asked in one go: a constant POSIX sh script for `sh -s -- ARGS`, run by dash, ash of busybox
 * and bash alike. It writes nothing, takes no lock and leaves no temporary file; every answer is bounded. Arguments,
 * by position, each may be empty: product, data directory, configuration file or directory, unit, service manager,
 * log file; then bytes taken of a configuration file, bytes of log, lines of journal; last, whether the host is one server
 * of a machine that runs several: then only a process that names the data directory counts; and whether only the files
 * are of interest, which leaves out what takes longest: version, unit and log. What it prints is read by
 * `parseProbeFrames`. Sections are closed by a mark drawn on the host for each run rather than counted beforehand,
 * because counting would read every growing file twice and could still be wrong.
 */
export const PROBE_SCRIPT = `# Nothing runs before the last line has arrived: a script that was cut off on its way does nothing.
probe() {
  zone=$(date +%z 2>/dev/null)
  LC_ALL=C; TZ=UTC; SYSTEMD_PAGER=; export LC_ALL TZ SYSTEMD_PAGER
  PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
  product=$1 want_data=$2 want_config=$3 want_unit=$4 want_manager=$5 want_log=$6
  max_file=$7 max_log=$8 max_lines=$9 only=\${10}
  nl='
'
  set -f
  mark=
  { read -r mark </proc/sys/kernel/random/uuid; } 2>/dev/null
  mark=\${mark:-$$-$PPID}
  printf '\\nquorate-probe 1 %s\\n' "$mark"
  open begin; date +%s.%N 2>/dev/null; shut $?
  case $product in
    nomad) names=nomad verb=agent sub=/server ;;
    vault) names='vault bao' verb=server sub= ;;
    rqlite) names=rqlited verb= sub= ;;
    *) names=consul verb=agent sub= ;;
  esac
  me=$(id -u 2>/dev/null)
  say uid "$me"
  say zone "$zone"
  guard=
  timeout 9 true 2>/dev/null && guard=1
  host_facts
  find_processes
  find_unit
  read_words
  find_config
  find_data
  executable
  # What is slow to start runs beside the reading of files; a pipe keeps its answer until its turn comes.
  if [ "\${11}" ]; then show_version() { :; }; show_unit() { :; }; show_log() { :; }; fi
  limited 4 show_version | {
    exec 3<&0
    show_unit 2>&1 | {
      exec 4<&0
      show_log 2>/dev/null | {
        files </dev/null
        open status; head -c 65536 <&4; shut $?
        open version; head -c 4096 <&3; shut $?
        open log; tail -c "$max_log"; shut $?
      }
    }
  }
  open end; date +%s.%N 2>/dev/null; shut $?
}
# One section: a line with the mark and a name, the bytes, a line with the mark and how it went. The mark is drawn
# afresh for each run, so that no content can close its section.
open() { printf '\\n@%s %s\\n' "$mark" "$1"; }
shut() { printf '\\n@%s. %s\\n' "$mark" "$1"; }
say() { open "$1"; printf '%s' "$2"; shut 0; }
# Not there is only said where we may look: the nearest parent that exists must be one we can search.
gone() {
  g=$1
  while :; do
    case $g in */*) g=\${g%/*} ;; *) return 1 ;; esac
    [ -d "\${g:-/}" ] && break
    [ -e "$g" ] || [ -L "$g" ] && return 0
    [ "$g" ] || return 1
  done
  [ -x "\${g:-/}" ]
}
# A file: its path, NUL, its first bytes.
file() {
  open "$1"; printf '%s\\0' "$2"
  if [ -f "$2" ]; then
    head -c "$3" "$2" 2>/dev/null; shut $?
  elif [ -e "$2" ] || [ -L "$2" ]; then shut odd
  elif gone "$2"; then shut absent
  else shut denied; fi
}
# A command with a time limit, whatever the host has for that.
limited() {
  l=$1; shift
  case $1 in show_*) "$@"; return ;; esac
  if [ "$guard" ]; then timeout "$l" "$@"; return; fi
  "$@" & c=$!
  { sleep "$l"; kill "$c"; } >/dev/null 2>&1 & w=$!
  wait "$c"; s=$?
  kill "$w" 2>/dev/null
  return $s
}
host_facts() {
  h= k= u=
  { read -r h </proc/sys/kernel/hostname; read -r k </proc/sys/kernel/osrelease; read -r u </proc/uptime; } 2>/dev/null
  say host "$h$nl$k$nl$u"
  if command -v ip >/dev/null 2>&1; then open ip; limited 3 ip -o addr show 2>/dev/null | head -c 65536; shut $?
  else open fib; cat /proc/net/fib_trie /proc/net/if_inet6 2>/dev/null | head -c 65536; shut $?; fi
}
# Candidates are found by what stands on their command line; which of them is the product is judged by the reader.
find_processes() {
  pids= main= main_args= main_wd= main_exe=
  set +f
  found=$(limited 5 grep -ls -e "\${names%% *}" -e "\${names##* }" -e data-dir -e config-dir -e config-file /proc/[0-9]*/cmdline 2>/dev/null)
  for f in $found; do candidate "$f"; done
  # A grep that stops at NUL sees the first argument only; then each command line is read by the shell itself.
  if [ -z "$pids" ] && ! printf 'a\\0b\\n' | grep -q b 2>/dev/null; then
    for f in /proc/[0-9]*/cmdline; do candidate "$f"; done
  fi
  set -f
  open processes; printf '%s' "$pids"; [ -r /proc/1/stat ]; shut $?
  n=0
  for p in $pids; do
    n=$((n + 1)); [ $n -gt 12 ] && break
    process "$p"
  done
}
candidate() {
  line=
  { read -r line <"$1"; } 2>/dev/null
  case $line in
    *"\${names%% *}"*$verb* | *"\${names##* }"*$verb* | *agent*-data-dir* | *agent*-config-dir* | *agent*-config-file*) ;;
    *) return ;;
  esac
  # Servers of local clusters are hosts of their own, and never the server of the machine that they run on.
  if [ "$only" ]; then case $line in *"-data-dir=$want_data"*) ;; *) return ;; esac
  else case $line in *-data-dir=*/quorate/clusters/*/data*) return ;; esac; fi
  p=\${1%/cmdline}; p=\${p#/proc/}
  [ "$p" = $$ ] && return
  # A process in another root is in a container: another host, as far as we are concerned.
  if [ "$me" = 0 ] && ! [ "/proc/$p/root/." -ef /. ]; then return; fi
  pids="$pids$p "
}
process() {
  d=/proc/$1
  args=$(tr '\\0' '\\n' <"$d/cmdline" 2>/dev/null)
  exe=$(readlink "$d/exe" 2>/dev/null)
  wd=$(readlink "$d/cwd" 2>/dev/null)
  say process "$1"
  say process.exe "$exe"
  say process.cwd "$wd"
  open process.cmdline; head -c 65536 "$d/cmdline" 2>/dev/null; shut $?
  open process.status; cat "$d/status" 2>/dev/null; shut $?
  open process.stat; cat "$d/stat" 2>/dev/null; shut $?
  open process.cgroup; cat "$d/cgroup" 2>/dev/null; shut $?
  open process.fd; ls -l "$d/fd" 2>/dev/null | head -c 65536; shut $?
  b=\${exe##*/}
  [ "$b" ] || { b=\${args%%$nl*}; b=\${b##*/}; }
  case $b in
    "\${names%% *}"* | "\${names##* }"*) ;;
    sudo* | su | sh | *ash | busybox* | chpst | runuser | setpriv | timeout | env | strace | nsenter | start-stop-*) return ;;
  esac
  # The first one is the server, unless another one uses the data directory that was asked for.
  if [ "$main" ]; then
    case $nl$args$nl in *"$want_data$nl"*) [ "$want_data" ] || return ;; *) return ;; esac
  fi
  main=$1 main_args=$args main_wd=$wd main_exe=$exe
}
# Who starts and stops the server: what runs it now, else what is set up to run it.
find_unit() {
  manager=$want_manager unit=$want_unit where= text=
  if [ "$main" ] && [ -z "$manager" ]; then unit_of_process; fi
  if [ -z "$manager" ]; then unit_on_disk; fi
  if [ "$manager" = cluster ]; then where=\${want_data%/*}; fi
  open manager; printf '%s\\0%s\\0%s' "$manager" "$unit" "$where"; shut 0
}
unit_of_process() {
  up=
  while read -r key value; do case $key in PPid:) up=$value ;; esac; done <"/proc/$main/status" 2>/dev/null
  comm=
  [ "\${up:-0}" -gt 1 ] && { read -r comm <"/proc/$up/comm"; } 2>/dev/null
  say parent "$up $comm"
  case $comm in
    runsv)
      manager=runit where=$(readlink "/proc/$up/cwd" 2>/dev/null)
      unit=\${unit:-\${where##*/}}
      return ;;
    supervisord) manager=supervisor; supervisor_program; [ "$unit" ] && return; manager= ;;
  esac
  while read -r line; do
    case $line in
      *.service*)
        line=\${line%.service*}.service; line=\${line##*/}
        case $line in
          user@* | ssh.service | sshd.service | ssh@* | sshd@* | cron* | docker* | containerd* | runit* | supervisor* | rc-local* | getty*) ;;
          *) manager=systemd unit=\${unit:-$line} ;;
        esac ;;
    esac
  done <"/proc/$main/cgroup" 2>/dev/null
}
unit_on_disk() {
  set +f
  for name in $names; do
    if [ -d /run/systemd/system ]; then
      for u in "$want_unit" "$name.service" "$name-server.service"; do
        for d in /etc/systemd/system /run/systemd/system /usr/local/lib/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
          [ "$u" ] && [ -e "$d/$u" ] && { manager=systemd unit=$u where=$d/$u; set -f; return; }
        done
      done
      for f in $(grep -lsE "^ExecStart=.*$name.*$verb" /etc/systemd/system/*.service /run/systemd/system/*.service /usr/lib/systemd/system/*.service /lib/systemd/system/*.service 2>/dev/null); do
        manager=systemd unit=\${f##*/} where=$f; set -f; return
      done
    fi
    # What runs already, and not as their child, is not theirs.
    if [ -z "$main" ]; then
      for f in $(grep -lsE "$name.*$verb" /etc/service/*/run /var/service/*/run /service/*/run /etc/runit/runsvdir/current/*/run /etc/runit/runsvdir/default/*/run /run/runit/service/*/run 2>/dev/null); do
        # A service directory that nobody supervises starts nothing; only root may look.
        [ "$me" = 0 ] && ! [ -e "\${f%/run}/supervise/ok" ] && continue
        manager=runit where=\${f%/run}; unit=\${unit:-\${where##*/}}; set -f; return
      done
      supervisor_program
      [ "$manager" ] && { set -f; return; }
      set +f
    fi
    if [ -f "/etc/init/$name.conf" ] && command -v initctl >/dev/null 2>&1; then
      manager=upstart unit=\${unit:-$name} where=/etc/init/$name.conf; set -f; return
    fi
    for u in "\${want_unit:-$name}" "$name"; do
      [ -f "/etc/init.d/$u" ] && { manager=sysv unit=$u where=/etc/init.d/$u; set -f; return; }
    done
  done
  set -f
}
# The program section of supervisor's configuration whose command starts the product.
supervisor_program() {
  set +f
  program=
  for f in /etc/supervisor/conf.d/*.conf /etc/supervisord.d/*.ini /etc/supervisord.d/*.conf /etc/supervisor/supervisord.conf /etc/supervisord.conf; do
    [ -f "$f" ] && [ -r "$f" ] || continue
    while read -r line; do
      case $line in
        '[program:'*) program=\${line#*:}; program=\${program%%]*} ;;
        command*=*"\${names%% *}"*$verb* | command*=*"\${names##* }"*$verb*)
          if [ "$program" ] && [ "\${want_unit:-$program}" = "$program" ]; then
            manager=supervisor unit=$program where=$f; set -f; return
          fi ;;
      esac
    done <"$f"
  done
  set -f
}
# Words of the command line that name files. A running process says them; else the unit does, as far as it can be read.
read_words() {
  configs= data= log= exec_path=
  if [ "$main" ]; then
    IFS=$nl; take $main_args
  else
    case $manager in
      systemd) text=$(limited 5 systemctl show -p ExecStart -- "$unit" 2>/dev/null | head -c 65536) ;;
      runit) text=$(head -c 65536 "$where/run" 2>/dev/null) ;;
      cluster) text=$(head -c 65536 "$where/unit" 2>/dev/null) ;;
      supervisor | upstart | sysv) text=$(head -c 65536 "$where" 2>/dev/null) ;;
    esac
    IFS=" 	$nl\\"';"; take $text
  fi
  IFS=" 	$nl"
  log=\${want_log:-$log}
}
take() {
  last=
  for word do
    case $word in --*) word=\${word#-} ;; esac
    case $last in
      -config-dir | -config-file | -config) more "$word" ;;
      -data-dir) data=$word ;;
      -log-file) log=$word ;;
    esac
    last=
    case $word in
      -config-dir=* | -config-file=* | -config=*) more "\${word#*=}" ;;
      -data-dir=*) data=\${word#*=} ;;
      -log-file=*) log=\${word#*=} ;;
      -config-dir | -config-file | -config | -data-dir | -log-file) last=$word ;;
      */"\${names%% *}" | */"\${names##* }") exec_path=\${exec_path:-\${word#path=}} ;;
    esac
  done
}
more() {
  path=$1
  while :; do case $path in ?*/) path=\${path%/} ;; *) break ;; esac; done
  case $path in
    /*) configs=$configs$path$nl ;;
    '' | *'$'*) ;;
    *) [ "$main_wd" ] && configs=$configs$main_wd/$path$nl ;;
  esac
}
# Only a program that belongs to us is run: as root nothing that a service's user could have replaced.
executable() {
  if [ "$main_exe" ]; then binary=/proc/$main/exe
  elif [ "$main" ]; then
    # Whose process it is may hide its program from us, but not the name it was called by.
    case $main_args in /*) main_exe=\${main_args%%$nl*} ;; esac
    binary=$main_exe
  else
    binary=$exec_path
    [ -x "$binary" ] || binary=$(command -v "\${names%% *}" 2>/dev/null)
  fi
  if [ "$main" ]; then say executable "$main_exe"; else say executable "$binary"; fi
  if [ "$me" = 0 ] && ! [ -O "$binary" ]; then binary=; fi
  # An interpreter would take the question for the name of a script.
  case $main_exe in */node | */nodejs | */bun) binary= ;; esac
}
show_version() {
  if [ "$manager" = cluster ]; then sed -n 's/^version=/Consul v/p' "$where/unit" 2>/dev/null; return; fi
  [ "$binary" ] && [ -x "$binary" ] && limited 4 "$binary" version 2>&1
}
show_unit() {
  case $manager in
    systemd)
      limited 5 systemctl show -p Id,Names,LoadState,ActiveState,SubState,UnitFileState,MainPID,ExecMainPID,ExecMainCode,ExecMainStatus,ExecMainStartTimestamp,ExecMainExitTimestamp,Result,Restart,RestartUSec,NRestarts,KillSignal,KillMode,SendSIGKILL,TimeoutStopUSec,ExecStart,ExecStop,ExecReload,User,Group,FragmentPath,DropInPaths,StateChangeTimestamp,ActiveEnterTimestamp,InactiveEnterTimestamp,NeedDaemonReload -- "$unit" ;;
    runit) limited 5 sv status "\${where:-$unit}" ;;
    supervisor) limited 8 supervisorctl status "$unit" ;;
    upstart) limited 5 initctl status "$unit" ;;
    sysv) [ -x "/etc/init.d/$unit" ] && limited 5 "/etc/init.d/$unit" status ;;
    cluster) show_member ;;
  esac
  printf '\\nexit %s' $?
}
# A server of a local cluster: its pid file says which process it was, by start and boot.
show_member() {
  pid= ticks= boot= now= stat=
  { read -r pid ticks boot <"$where/pid"; read -r now </proc/sys/kernel/random/boot_id; read -r stat <"/proc/$pid/stat"; } 2>/dev/null
  set -- \${stat##*) }
  if [ "$ticks" ] && [ "\${20}" = "$ticks" ] && [ "$boot" = "$now" ]; then printf 'pid %s\\n' "$pid"; fi
  { read -r hold <"$where/hold" && printf 'hold %s\\n' "$hold"; } 2>/dev/null
  return 0
}
show_log() {
  if [ -z "$want_log" ] && [ "$manager" = systemd ]; then
    limited 6 journalctl -q --no-pager -o short-iso -n "$max_lines" -u "$unit"
    return
  fi
  find_log
  [ "$log" ] && [ -f "$log" ] && tail -c "$max_log" "$log"
}
find_log() {
  # The product adds a time to the name it was given; the newest is the last in the order of names.
  case $log in *\\**) log= ;; esac
  set +f
  if [ "$log" ] && ! [ -f "$log" ]; then
    if [ -d "$log" ]; then log=\${log%/}/\${names%% *}.log; fi
    stem=\${log%.log}
    for f in "$stem"-[0-9]*.log; do [ -f "$f" ] && log=$f; done
  fi
  if [ -z "$log" ]; then
    set -- "/var/log/\${names%% *}/\${names%% *}.log" "/var/log/\${names%% *}.log"
    case $manager in
      runit)
        set -- "$where/log/main/current" "/var/log/$unit/current" "$@"
        if [ -f "$where/log/run" ]; then
          set -f
          for word in $(head -c 4096 "$where/log/run"); do case $word in /*) set -- "$word/current" "$@" ;; esac; done
          set +f
        fi ;;
      supervisor)
        while read -r line; do
          case $line in stdout_logfile*=*) line=\${line#*=}; set -- "\${line# }" "$@" ;; esac
        done <"$where" 2>/dev/null
        set -- "$@" /var/log/supervisor/"$unit"-stdout*.log ;;
      upstart) set -- "/var/log/upstart/$unit.log" "$@" ;;
    esac
    for f do [ -f "$f" ] && { log=$f; break; }; done
  fi
  set -f
}
files() {
  case $where in
    /*) case $manager in runit) file unit.file "$where/run" 16384 ;; cluster) file unit.file "$where/unit" 16384 ;; *) file unit.file "$where" 16384 ;; esac ;;
  esac
  if [ "$manager" = upstart ]; then file unit.override "/etc/init/$unit.override" 4096; fi
  if [ "$manager" = runit ]; then file unit.down "$where/down" 64; fi
  if [ "$manager" = sysv ]; then set +f; open unit.links; for f in /etc/rc[2345].d/S*"$unit"; do printf '%s\\n' "$f"; done; shut 0; set -f; fi
  open passwd; head -c 131072 /etc/passwd 2>/dev/null; shut $?
  open sockets; grep -E ' (0A|07) ' /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6 2>/dev/null | head -c 131072; shut 0
  open locks; head -c 262144 /proc/locks 2>/dev/null; shut $?
  traces
  case $data in /*) data_files ;; esac
}
${PROBE_FILES}probe "$@" </dev/null
`
