// The reference server stands in for a Consul server in quorate's tests. Agreement, log store, snapshots and
// recovery are the real hashicorp/raft and raft-boltdb, gossip is the real serf; around them stands just enough
// of an agent (configuration keys, data layout, signals, HTTP paths) for quorate to treat it as Consul.
package main

import (
	"fmt"
	"os"
)

// version is what the server calls itself: the last generation that speaks both Raft protocol 2 and 3.
const version = "1.8.99"

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: consul agent|version|members|info|join|leave|force-leave|operator raft …")
		os.Exit(127)
	}
	command, args := os.Args[1], os.Args[2:]
	switch command {
	case "version", "-v", "--version":
		fmt.Printf("Consul v%s\nProtocol 2 spoken by default, understands 2 to 3 (agent will automatically use protocol >2 when speaking to compatible agents)\n", version)
	case "agent":
		os.Exit(runAgent(args))
	default:
		os.Exit(runClient(command, args))
	}
}
