#!/bin/sh
# Builds the Raft peer from Debian's Go packages into test/.build/raft-peer, without network or modules.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
go=/usr/lib/go/bin/go
[ -x "$go" ] || go=go
mkdir -p "$here/../.build"
cd "$here"
GO111MODULE=off GOFLAGS= GOPATH=/usr/share/gocode CGO_ENABLED=0 GOCACHE="${GOCACHE:-$here/../.build/go-cache}" \
  "$go" build -o ../.build/raft-peer.new .
mv ../.build/raft-peer.new ../.build/raft-peer
