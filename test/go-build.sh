#!/bin/sh
# Builds the Go program in a directory of test/ (1) from Debian's Go packages into test/.build/ under a name (2), without
# network or modules. Renamed into place, so that nobody runs half of it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
go=/usr/lib/go/bin/go
[ -x "$go" ] || go=go
mkdir -p "$here/.build"
cd "$here/$1"
GO111MODULE=off GOFLAGS= GOPATH=/usr/share/gocode CGO_ENABLED=0 GOCACHE="${GOCACHE:-$here/.build/go-cache}" \
  "$go" build -o "../.build/$2.new" .
mv "../.build/$2.new" "../.build/$2"
