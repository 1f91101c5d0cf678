# What an operator would send to each host by hand: the facts that doctor reads, by standard tools.
unit=consul data=/var/consul
uname -a; date +%s.%N; hostname -I; id
ps -eo pid,ppid,user,stat,lstart,args
systemctl show $unit 2>/dev/null || sv status $unit 2>/dev/null
systemctl is-enabled $unit 2>/dev/null
consul version; cat /etc/consul.d/server/*.json
ss -ltnup; cat /proc/locks; df -P $data; df -iP $data; stat -f $data
stat -c '%n %F %s %a %u %g %Y' $data $data/node-id $data/raft $data/raft/* $data/serf/*
cat $data/node-id; echo; cat $data/raft/peers.json 2>/dev/null; test -e $data/raft/peers.info && echo info
for m in $data/raft/snapshots/*/meta.json; do test -e "$m" && cat "$m"; done
tail -c 65536 $data/serf/local.snapshot
dd if=$data/raft/raft.db bs=4096 count=32 2>/dev/null | od -An -tx1 -v | head -c 65536
for path in status/leader status/peers agent/self agent/members operator/raft/configuration?stale; do
  curl -s -m 1 http://127.0.0.1:8500/v1/$path; echo
done
journalctl -u $unit -n 200 --no-pager 2>/dev/null || tail -n 200 /var/log/consul/current
