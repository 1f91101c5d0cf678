#!/bin/bash
# The privileged parts of the test lab: hosts on this machine, each in namespaces of its own, with its own disk,
# sshd and service manager, on a bridge that only the operator's namespace shares. lab.ts decides, this script acts.
# A lab N owns: network namespaces qlN-*, $DIR/labs/N, the cgroup quorate-lab/N. Processes end with their PID 1.
set -u -o pipefail
umask 022
DIR=${QUORATE_LAB_DIR:-/var/lib/quorate-lab}
NET=192.168.1
CGU=/sys/fs/cgroup/unified; [ -e $CGU/cgroup.procs ] || CGU=/sys/fs/cgroup
CGS=/sys/fs/cgroup/systemd; [ -d $CGS ] || CGS=
die() { echo "lab: $*" >&2; exit 1; }

PACKAGES=systemd,systemd-sysv,dbus,libpam-systemd,openssh-server,sudo,iproute2,procps,curl,netcat-openbsd,runit,supervisor
mirror() { { awk '/^URIs:/{print $2}' /etc/apt/sources.list.d/*.sources; awk '$1=="deb"{for(i=2;i<=NF;i++)if($i~/^[a-z+]+:/){print $i;break}}' /etc/apt/sources.list /etc/apt/sources.list.d/*.list; } 2>/dev/null | grep -v security | head -1; }
suite() { . /etc/os-release; echo "${VERSION_CODENAME:?}"; }

# check: says what this machine lacks for a lab.
cmd_check() {
  [ "$(id -u)" = 0 ] || die "needs root"
  local tool
  for tool in unshare nsenter ip nft debootstrap systemd-nspawn ssh-keygen curl pivot_root; do command -v $tool >/dev/null || die "needs $tool"; done
  unshare --mount --pid --uts --ipc --net --fork true 2>/dev/null || die "this machine does not permit namespaces (unshare failed)"
}

# rootfs: the disk image that all hosts share, made once.
cmd_rootfs() {
  mkdir -p $DIR; exec 8>$DIR/rootfs.lock; flock 8
  local root=$DIR/rootfs
  [ -e $root/.ready ] && return
  rm -rf --one-file-system $root
  echo "lab: making the hosts' disk image in $root (a minute or two)" >&2
  debootstrap --variant=minbase --include=$PACKAGES "$(suite)" $root "$(mirror)" >$DIR/debootstrap.log 2>&1 || die "debootstrap failed, see $DIR/debootstrap.log"
  chroot $root /bin/bash -e <<'E' || die "setting up the disk image failed"
useradd -r -M -d /var/consul -s /usr/sbin/nologin -u 800 consul
useradd -m -s /bin/bash -u 1000 ops
useradd -m -s /bin/bash -u 1001 guest
usermod -p '*' root; usermod -p '*' guest
echo 'ops:open sesame' | chpasswd
echo 'ops ALL=(ALL) ALL' >/etc/sudoers.d/ops; chmod 440 /etc/sudoers.d/ops
rm -f /etc/ssh/ssh_host_* /etc/resolv.conf /etc/runit/runsvdir/default/*
systemctl disable supervisor getty@tty1 apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap fstrim.timer systemd-pstore >/dev/null 2>&1 || true
systemctl mask systemd-journald-audit.socket systemd-udevd.service console-getty.service sys-kernel-debug.mount runit.service >/dev/null 2>&1
mkdir -p /var/log/journal /etc/consul.d/server /etc/sv/consul/log /etc/sv/sshd /etc/sv/supervisord /var/log/consul /var/consul
printf 'PermitRootLogin prohibit-password\nPasswordAuthentication no\nUseDNS no\nPrintMotd no\nPrintLastLog no\nMaxStartups 100\n' >/etc/ssh/sshd_config.d/lab.conf
touch /.ready
E
}

# net-up N: the operator's namespace, 192.168.1.1 on the bridge.
cmd_net_up() {
  local ops=ql$1-ops
  [ -e /run/netns/$ops ] && return
  ip netns add $ops && ip -n $ops link set lo up && ip -n $ops link add br0 type bridge forward_delay 0 stp_state 0 &&
    ip -n $ops addr add $NET.1/24 dev br0 && ip -n $ops link set br0 up || die "no network namespace"
}

# disk N I LAYER: mounts a host's disk; prints the mount point. Data lie on a plain directory, as on a volume of their own.
cmd_disk() {
  local h=$DIR/labs/$1/$2
  mkdir -p $h/u $h/w $h/m $h/data
  mountpoint -q $h/m || mount -t overlay ql$1-$2 -o lowerdir=$3:$DIR/rootfs,upperdir=$h/u,workdir=$h/w $h/m || die "overlay mount failed"
  mountpoint -q $h/m/var/consul || mount --bind $h/data $h/m/var/consul || die "bind mount failed"
  echo $h/m
}

host_net_up() {
  local ns=ql$1-$2 ops=ql$1-ops
  [ -e /run/netns/$ns ] && return
  ip netns add $ns && ip -n $ns link set lo up &&
    ip -n $ops link add v$2 type veth peer name eth0 netns $ns address "$(printf '02:00:c0:a8:01:%02x' $((10 + $2)))" &&
    ip -n $ops link set v$2 master br0 up && ip -n $ns addr add $3/24 dev eth0 && ip -n $ns link set eth0 up &&
    ip -n $ns route add default via $NET.1 || die "no network for host $2"
}

# boot N I ADDRESS systemd|runit|supervisor: powers a host on; its disk is mounted.
cmd_boot() {
  local n=$1 i=$2 h=$DIR/labs/$1/$2 m=$DIR/labs/$1/$2/m k c p
  host_net_up $n $i $3
  rm -f $h/pid1 $m/run/*.pid $m/run/*.sock
  if [ "$4" = systemd ]; then
    mkdir -p $CGU/quorate-lab/$n/$i; [ "$CGS" ] && mkdir -p $CGS/quorate-lab/$n/$i
    setsid bash -c 'echo 0 >'$CGU/quorate-lab/$n/$i'/cgroup.procs; '"${CGS:+echo 0 >$CGS/quorate-lab/$n/$i/cgroup.procs; }"'exec env -i PATH='$PATH' SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn --quiet --boot --directory='$m' --machine=ql'$n-$i' --hostname=server'$i' --register=no --keep-unit --network-namespace-path=/run/netns/ql'$n-$i' --console=pipe --link-journal=no --resolv-conf=off --timezone=off' </dev/null >$h/console 2>&1 &
    p=$!
    for k in $(seq 200); do
      for c in $(cat /proc/$p/task/$p/children 2>/dev/null); do [ "$(cat /proc/$c/comm 2>/dev/null)" = systemd ] && echo $c >$h/pid1; done
      [ -s $h/pid1 ] && break; kill -0 $p 2>/dev/null || die "host $i did not boot: $(cat $h/console)"; sleep 0.05
    done
  else
    write_init $i $m >$h/init.sh
    setsid nsenter --net=/run/netns/ql$n-$i unshare --mount --pid --uts --ipc --fork bash -c "mount --make-rprivate /; mount --rbind '$m' '$m'; exec bash '$h/init.sh'" </dev/null >$h/console 2>&1 &
    p=$!
    for k in $(seq 200); do c=$(cat /proc/$p/task/$p/children 2>/dev/null); c=${c%% *}; [ "$c" ] && { echo $c >$h/pid1; break; }; kill -0 $p 2>/dev/null || die "host $i did not boot: $(cat $h/console)"; sleep 0.02; done
  fi
  [ -s $h/pid1 ] || die "host $i has no PID 1: $(cat $h/console)"
}

write_init() {
  cat <<E
hostname server$1
mount -t tmpfs -o mode=755 tmpfs $2/run
mount -t tmpfs -o mode=755 tmpfs $2/dev
for d in null zero full random urandom tty; do touch $2/dev/\$d; mount --bind /dev/\$d $2/dev/\$d; done
mkdir -p $2/dev/pts $2/dev/shm; mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts $2/dev/pts; ln -s pts/ptmx $2/dev/ptmx
mount -t tmpfs tmpfs $2/dev/shm; ln -s /proc/self/fd $2/dev/fd; ln -s fd/0 $2/dev/stdin; ln -s fd/1 $2/dev/stdout; ln -s fd/2 $2/dev/stderr
mount -t proc proc $2/proc
mount -t sysfs -o ro sysfs $2/sys
mkdir -p $2/run/sshd $2/run/runit/supervise $2/mnt/old
cd $2 && pivot_root . mnt/old && cd / && umount -l /mnt/old
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin chroot . /usr/bin/runsvdir -P /etc/runit/runsvdir/default
E
}

# in_lab_net PID N I: whether a process lives in a host's network namespace; a number may belong to a stranger by now.
in_lab_net() { [ "$(stat -Lc %i /proc/$1/ns/net 2>/dev/null)" = "$(stat -Lc %i /run/netns/ql$2-$3 2>/dev/null)" ]; }

# off N I: the power cable: first the network, so that no packet says goodbye, then PID 1 and with it everything.
cmd_off() {
  local n=$1 i=$2 h=$DIR/labs/$1/$2 k x
  [ -e /run/netns/ql$n-ops ] && ip -n ql$n-ops link set v$i down 2>/dev/null
  k=$(cat $h/pid1 2>/dev/null)
  if [ "$k" ] && in_lab_net $k $n $i; then
    kill -KILL $k 2>/dev/null
    for x in $(seq 200); do in_lab_net $k $n $i || break; sleep 0.02; done
  fi
  rm -f $h/pid1
  [ -e /run/netns/ql$n-$i ] && ip netns del ql$n-$i
  [ -e /run/netns/ql$n-ops ] && ip -n ql$n-ops link del v$i 2>/dev/null
  for k in $CGU $CGS; do
    for x in $(seq 20); do [ -d $k/quorate-lab/$n/$i ] || break; find $k/quorate-lab/$n/$i -depth -type d -exec rmdir {} + 2>/dev/null; sleep 0.05; done
  done
  rm -rf /run/systemd/nspawn/propagate/ql$n-$i; rm -f $h/.#m.lck
  mountpoint -q $h/m && rm -f /run/systemd/nspawn/locks/$(stat -c 'inode-%d:%i' $h/m)
  for k in $(seq 20); do
    for x in $(awk -v m="$h/m" '$2==m || index($2, m"/")==1 {print $2}' /proc/mounts | sort -r); do umount $x 2>/dev/null; done
    mountpoint -q $h/m || return 0; sleep 0.1
  done
  umount -l $h/m
}

# down N: everything of a lab away.
cmd_down() {
  local n=$1 h k
  for h in $DIR/labs/$n/[1-9]*; do [ -d $h ] && cmd_off $n ${h##*/}; done
  [ -e /run/netns/ql$n-ops ] && ip netns del ql$n-ops
  for k in $CGU $CGS; do [ -d $k/quorate-lab/$n ] && find $k/quorate-lab/$n -depth -type d -exec rmdir {} + 2>/dev/null; done
  mountpoint -q $DIR/labs/$n && umount -l $DIR/labs/$n
  rm -rf --one-file-system $DIR/labs/$n
}

# claim PID: takes down labs whose owner is gone, then prints the number of a new one that the process PID owns.
cmd_claim() {
  mkdir -p $DIR/labs; exec 9>$DIR/claim.lock; flock 9
  local d n
  for d in $DIR/labs/*; do
    [ -d $d ] || continue
    [ -s $d/owner ] && [ "$(cat $d/owner)" = "$(owner_of $(cut -d' ' -f1 $d/owner))" ] || cmd_down ${d##*/}
  done
  for n in $(seq 99); do mkdir $DIR/labs/$n 2>/dev/null && break; done
  # An overlay cannot have its upper directory on an overlay.
  [ "$(stat -f -c %T $DIR/labs)" = overlayfs ] && mount -t tmpfs -o size=4g tmpfs $DIR/labs/$n
  owner_of $1 >$DIR/labs/$n/owner
  echo $n
}
owner_of() { if [ -e /proc/$1/stat ]; then echo "$1 $(sed 's/.*) //' /proc/$1/stat | cut -d' ' -f20)"; else echo gone; fi; }

# partition N A B...: no frame passes between A and any B, from one instant on; heal N undoes all.
cmd_partition() {
  local ns="nsenter --net=/run/netns/ql$1-ops" chain b rules='add table bridge lab'
  for chain in forward input output; do
    rules="$rules; add chain bridge lab $chain { type filter hook $chain priority 0; }"
    for b in "${@:3}"; do
      rules="$rules; add rule bridge lab $chain ip saddr $2 ip daddr $b drop; add rule bridge lab $chain ip saddr $b ip daddr $2 drop"
    done
  done
  $ns nft "$rules" || die nft
}
cmd_heal() { nsenter --net=/run/netns/ql$1-ops nft delete table bridge lab 2>/dev/null; return 0; }

case ${1:-} in
check|rootfs|net-up|disk|boot|off|down|claim|partition|heal) c=$1; shift; "cmd_${c//-/_}" "$@";;
*) die "not a command: ${1:-}";;
esac
