#!/bin/sh
# Installs the Debian packages that the tests and the demonstration stand on, those that are missing only. Run by
# `npm run setup`; needs root, by sudo where it must.
set -eu
packages='openssh-server openssh-client runit supervisor sudo iproute2 nftables debootstrap systemd-container util-linux
golang-go golang-github-hashicorp-raft-dev golang-github-hashicorp-raft-boltdb-dev golang-github-hashicorp-serf-dev
groff serf curl wget jq netcat-openbsd openssl busybox procps git ca-certificates'
missing=
for package in $packages; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ "$missing" ] || exit 0
root=
[ "$(id -u)" = 0 ] || root=sudo
export DEBIAN_FRONTEND=noninteractive
echo "installing:$missing"
log=$(mktemp)
$root apt-get update -qq >"$log" 2>&1 || { cat "$log"; exit 1; }
# shellcheck disable=SC2086 # The list is ours.
$root apt-get install -y -qq --no-install-recommends $missing >>"$log" 2>&1 || { tail -20 "$log"; exit 1; }
rm -f "$log"
