#!/bin/sh
# Builds the Raft peer into test/.build/raft-peer.
exec "$(dirname "$0")/../go-build.sh" raft-peer raft-peer
