#!/bin/sh
# Builds the reference server into test/.build/consul.
exec "$(dirname "$0")/../go-build.sh" reference consul
