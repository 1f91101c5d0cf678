#!/bin/bash
# The peer for `peers fix`: what a careful operator scripts by hand for three survivors, all hosts in parallel.
# usage: recover.sh PEERS_JSON SSH_OPTIONS HOST...
peers=$1 options=$2; shift 2
on() { ssh $options "root@$1" sh -s; }
each() { for host in "$@"; do on "$host" <<<"$script" >/dev/null & done; wait; }
copies=/var/backups/by-hand
script="systemctl mask --runtime --now consul >/dev/null 2>&1 & sleep 0.5; systemctl kill -s KILL consul 2>/dev/null; systemctl stop consul; ! pidof consul"
each "$@"
script="mkdir -p $copies && cp -a /var/consul/raft /var/consul/serf /var/consul/node-id /etc/consul.d $copies/ && (cd /var/consul && find raft serf -type f -exec sha256sum {} +) >$copies/SHA256SUMS && sync $copies"
each "$@"
script="umask 022; printf '%s' '$peers' >/var/consul/raft/.new && chown consul:consul /var/consul/raft/.new && sync /var/consul/raft/.new && mv /var/consul/raft/.new /var/consul/raft/peers.json && sync /var/consul/raft && sha256sum /var/consul/raft/peers.json"
each "$@"
script="systemctl unmask --runtime consul; systemctl reset-failed consul; systemctl start consul"
each "$@"
for host in "$@"; do
  on "$host" <<<'for i in $(seq 600); do case $(curl -s http://127.0.0.1:8500/v1/status/leader) in *:8300*) exit;; esac; sleep 0.1; done; exit 1' &
done
wait
